"""How a lab begins: from the words of the command to what the page shows first."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from firewall.errors import EniwallError, RuleFileError, UsageError
from firewall.interfaces import bound_names, chosen_interfaces, read_address
from firewall.lab.bounds import MAX_RULES, size_text
from firewall.lab.lessons import Lessons
from firewall.lab.material import CaptureFile
from firewall.sources import load_rules
from firewall.steps import Steps
from pcaps.capture import open_capture
from pcaps.paths import S3, is_pattern


class Beginning(NamedTuple):
    """What `page` shows first, the capture that the command named, and the lessons to choose from."""

    page: dict[str, Any]
    given: CaptureFile | None
    lessons: Lessons


def begun(
    capture: str | None, rules: str | None, lesson: str | None, language: str, enis: Sequence[str] = ()
) -> Beginning:
    """Check the words before anything is served.

    Raises UsageError, LessonFileError, CaptureError; OSError for rules that cannot be read.
    """
    if capture is not None and lesson is not None:
        raise UsageError("a capture and --lesson do not go together: the page has both, begin with one")
    if capture is None and rules is not None:
        raise UsageError("--rules goes with a capture: eniwall lab CAPTURE --rules FILE")
    if capture is None and enis:
        raise UsageError("--eni goes with a capture: eniwall lab CAPTURE --eni ADDRESS")
    lessons = Lessons.of(lesson)
    page = {"lang": language, "lesson": lessons.first, "capture": capture is not None}
    return Beginning(page, None if capture is None else _given(capture, rules, tuple(enis)), lessons)


def _given(capture: str, rules: str | None, enis: tuple[str, ...]) -> CaptureFile:
    """A capture that can be opened, as often as its rules change."""
    if capture == "-" or capture.startswith(S3) or is_pattern(capture):
        raise UsageError(f"{capture}: the lab reads its capture again and again: give one file on this machine")
    open_capture(capture).close()
    text = None if rules is None else _rules_text(rules)
    _check_enis(enis, rules)
    return CaptureFile(capture, Path(capture).name, text, enis)


def _check_enis(enis: Sequence[str], rules: str | None) -> None:
    """Raise UsageError for an --eni that cannot be; where the rules have mistakes, the page tells those first."""
    if rules is not None:
        with suppress(RuleFileError):
            rule_set = load_rules(rules)
            chosen_interfaces(rule_set, bound_names(rule_set, enis)[0])
        return
    for word in enis:
        if read_address(word) is None:
            raise UsageError(f"--eni {word}: not an address; the name of an interface goes with --rules FILE")


def _rules_text(path: str) -> str:
    data = Path(path).read_bytes()
    if len(data) > MAX_RULES:
        raise UsageError(f"{path}: larger than {size_text(MAX_RULES)}, too large for the page's editor")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}): save the file as UTF-8") from None


def warm_up(lessons: Lessons) -> None:
    """Load what the first answer needs, beside everything else: the engine, and scapy for a lesson's packets."""

    def load() -> None:
        with suppress(EniwallError):  # a request will meet the same error and tell it
            for scene in lessons.some_scene():
                with scene.capture() as capture:
                    Steps.of(capture, scene.firewalls()).detail(1)

    threading.Thread(target=load, daemon=True).start()
