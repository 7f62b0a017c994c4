"""Errors that a user can mend: each says what is wrong, where, and what to do instead."""


class EniwallError(Exception):
    """Base of every error that ends a command with status 2 and one message."""


class UsageError(EniwallError):
    """The command's words do not fit."""


class RuleFileError(EniwallError):
    """A rule file that cannot be used; `problems` are all of them, one line each, in file order."""

    what = "rules"

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class LessonFileError(RuleFileError):
    """A lesson that cannot be used; `problems` as those of rule files."""

    what = "lesson"
