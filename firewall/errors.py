"""Errors that a user can mend: each says what is wrong, where, and what to do instead."""


class EniwallError(Exception):
    """Base of every error that ends a command with status 2 and one message."""


class UsageError(EniwallError):
    """The command's words do not fit."""


class InterfaceNeededError(UsageError):
    """Nothing says which address is the interface; `told` lists the busiest ones, `word` can be added to a command."""

    def __init__(self, told: str, word: str) -> None:
        self.told = told
        self.word = word
        super().__init__(self.of_command("the same command with"))

    def of_command(self, command: str) -> str:
        """The message, with the command that was typed."""
        return f"{self.told}\n  for example: {command} {self.word}"


class RuleFileError(EniwallError):
    """A rule file that cannot be used; `problems` are all of them, one line each, in file order."""

    what = "rules"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class LessonFileError(RuleFileError):
    """A lesson that cannot be used; `problems` as those of rule files."""

    what = "lesson"
