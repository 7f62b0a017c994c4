"""Single values of a lesson's files: texts in every language, names, numbers, files of its folder."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from firewall.languages import LANGUAGES, Text
from firewall.lessons.lesson import READINGS
from firewall.sources.findings import Findings
from firewall.sources.located import Node
from firewall.sources.reading import fields, mapping, quoted, sequence, shown, suggestion, text

LONGEST = 4000  # characters of a story
MOST_WAIT = 366 * 86_400  # seconds, of one line and of a scene; what is idle longer than a year is idle for good
NS = 10**9
TEXT_EXAMPLE = "{en: TEXT, ko: TEXT}"
LANGUAGE_NAMES = {"en": "English", "ko": "Korean"}
PROFILES = ("aws", "linux")

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SECONDS = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")
_SETTING = re.compile(r"[a-z_]{1,60}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """What is read with: the folder that files stand in, the hosts, and where mistakes go."""

    folder: Path
    findings: Findings
    hosts: dict[str, str]

    def need(self, node: Node, name: str, write: str) -> Node | None:
        """The value of a key that must be there."""
        found = node.get(name)
        if found is None and isinstance(node.value, dict):
            self.findings.error(node, f"{name} is missing: write {write}")
        return found

    def required(self, node: Node, name: str, write: str, read: Callable[[Node], T]) -> T | None:
        """What `read` makes of a key that must be there; None after a note of what is wrong."""
        found = self.need(node, name, write)
        return None if found is None else read(found)

    # --- texts -------------------------------------------------------------------------------------------
    def told(self, node: Node) -> Text | None:
        """A text in every language; its paragraphs are its lines."""
        fields(node, self.findings, LANGUAGES, TEXT_EXAMPLE)
        if not isinstance(node.value, dict):
            return None
        found = {each: self._told(node, each) for each in LANGUAGES}
        return Text(**found) if all(found.values()) else None  # type: ignore[arg-type]  # no None is left

    def _told(self, node: Node, language: str) -> str | None:
        said = node.get(language)
        if said is None:
            self.findings.error(node, f"{language} is missing: write the text in {LANGUAGE_NAMES[language]} too")
            return None
        if isinstance(said.value, str):
            parts = (" ".join(part.split()) for part in said.value.split("\n"))  # YAML has folded what is one paragraph
            words = "\n".join(part for part in parts if part)
            if 0 < len(words) <= LONGEST and words.replace("\n", "").isprintable():
                return words
        self.findings.error(said, f"no text of 1 to {LONGEST:,} printable characters: write one, or put it in quotes")
        return None

    def told_at(self, node: Node, name: str) -> Text | None:
        """The text of a key that must be there."""
        return self.required(node, name, TEXT_EXAMPLE, self.told)

    def line(self, node: Node) -> str | None:
        """Words on one line."""
        return text(node, self.findings, "a text")

    # --- names and numbers -------------------------------------------------------------------------------
    def name(self, node: Node) -> str | None:
        """A hyphenated lower-case name."""
        if isinstance(node.value, str) and len(node.value) <= 60 and _NAME.fullmatch(node.value):
            return node.value
        self.findings.error(node, f"{shown(node)} is no name: write lower-case words with hyphens, like no-return-rule")
        return None

    def number(self, node: Node) -> int | None:
        """A number from 1."""
        if isinstance(node.value, int) and not isinstance(node.value, bool) and node.value >= 1:
            return node.value
        self.findings.error(node, f"{shown(node)} is no number from 1")
        return None

    def one_of(self, node: Node, words: Sequence[str]) -> str | None:
        """One word of several."""
        if isinstance(node.value, str) and node.value in words:
            return node.value
        hint = suggestion(node.value, words) if isinstance(node.value, str) else f"write one of {', '.join(words)}"
        self.findings.error(node, f"{shown(node)} cannot stand here: {hint}")
        return None

    def reading(self, node: Node) -> str | None:
        """One of the readings that every scene is judged by."""
        return self.one_of(node, READINGS)

    def seconds(self, node: Node) -> int | None:
        """Seconds as ns."""
        match = _SECONDS.fullmatch(str(node.value)) if isinstance(node.value, str | int) else None
        if match is None or isinstance(node.value, bool) or int(match[1]) > MOST_WAIT:
            self.findings.error(node, f"{shown(node)} is no number of seconds up to {MOST_WAIT:,}: write one like 1.5")
            return None
        return int(match[1]) * NS + int((match[2] or "").ljust(9, "0"))

    # --- how packets are judged --------------------------------------------------------------------------
    def profile(self, node: Node) -> str:
        """`aws` unless the key says linux."""
        found = node.get("profile")
        return "aws" if found is None else self.one_of(found, PROFILES) or "aws"

    def settings(self, node: Node) -> dict[str, str]:
        """Switches and timeouts as --set takes them; the engine says which there are."""
        found = node.get("settings")
        settings: dict[str, str] = {}
        for name, value in {} if found is None else mapping(found, self.findings, "{tcp_loose: 0}").items():
            if _SETTING.fullmatch(name) and isinstance(value.value, str | int) and not isinstance(value.value, bool):
                settings[name] = str(value.value)
            else:
                self.findings.error(value, f"{quoted(name)}: {shown(value)} is no setting: write {{tcp_loose: 0}}")
        return settings

    # --- files -------------------------------------------------------------------------------------------
    def file(self, node: Node) -> Path | None:
        """A file of the lesson's folder."""
        said = self.line(node)
        if said is None:
            return None
        path = PurePosixPath(said)
        if path.is_absolute() or ".." in path.parts or "\\" in said:
            self.findings.error(node, f"{shown(node)} is outside the lesson's folder: name a file in it")
            return None
        if not (self.folder / path).is_file():
            self.findings.error(node, f"{shown(node)}: no such file in the lesson's folder")
            return None
        return self.folder / path

    def files(self, node: Node) -> tuple[Path, ...]:
        """One file of the lesson's folder, or a list of them."""
        nodes = sequence(node, self.findings, "rules.yaml") if not isinstance(node.value, str) else [node]
        if isinstance(node.value, list) and not nodes:
            self.findings.error(node, "no file is named: write rules.yaml")
        return tuple(path for each in nodes if (path := self.file(each)) is not None)
