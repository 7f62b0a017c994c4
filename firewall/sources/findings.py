"""What is found while rule files are read: problems end the reading, warnings go with the rule set."""

from dataclasses import dataclass, field

from firewall.errors import RuleFileError
from firewall.model import Place, Warning  # noqa: A004  (the model's word for it)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A place in a file, and the last step of the keys that lead there from `parent`."""

    place: Place
    parent: "Spot | None" = field(default=None, repr=False)
    step: str | int = ""

    @property
    def path(self) -> str:
        """The way there: `security_groups.web.ingress[1].ports`; the top is empty."""
        steps: list[str] = []
        spot: Spot | None = self
        while spot is not None and spot.parent is not None:
            steps.append(f"[{spot.step}]" if isinstance(spot.step, int) else f".{_word(spot.step)}")
            spot = spot.parent
        return "".join(reversed(steps)).lstrip(".")

    def __str__(self) -> str:
        return f"{self.place} {self.path}".rstrip()


def _word(key: str) -> str:
    """A key as a path shows it: quoted unless it is a short word."""
    return key if key.isprintable() and 0 < len(key) <= 80 and " " not in key else repr(key[:80])


@dataclass(slots=True)
class Findings:
    """Collects everything, so that one run names every mistake of every file."""

    files: list[str] = field(default_factory=list)
    problems: list[tuple[tuple[int, int, int], str]] = field(default_factory=list)
    warnings: dict[Warning, None] = field(default_factory=dict)  # in order, each once

    def error(self, spot: Spot, text: str) -> None:
        """Note a mistake: what is wrong and what to write instead."""
        place = spot.place
        self.problems.append(((self.files.index(place.file), place.line, place.column), f"{spot} - {text}"))

    def file_error(self, file: str, text: str) -> None:
        """Note a mistake of a whole file."""
        self.problems.append(((self.files.index(file), 0, 0), f"{file}: {text}"))

    def warn(self, kind: str, spot: Spot, text: str) -> None:
        """Note what a reader should know that is no mistake; the same words about the same place once."""
        self.warnings[Warning(kind, text, spot.place)] = None

    def stop_if_any(self) -> None:
        """Raise RuleFileError with all problems in file order, each once, if there are any."""
        if self.problems:
            raise RuleFileError(list(dict.fromkeys(line for _, line in sorted(self.problems))))
