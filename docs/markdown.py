"""Markdown: templates and tables."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = re.compile(r"\{\{([\w-]+)\}\}\n?")


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template of this folder with every `{{name}}` replaced; ValueError for a part that it lacks or leaves out."""
    text = (HERE / template).read_text(encoding="utf-8")
    places = PLACE.findall(text)
    if sorted(places) != sorted(parts):
        raise ValueError(f"docs/{template} has places for {sorted(places)}, there are {sorted(parts)}")
    return PLACE.sub(lambda place: parts[place[1]], text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"
