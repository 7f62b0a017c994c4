"""`report --steps`: a judged capture as one page to step through, which needs no network.

As on the page of a report, its Content-Security-Policy lets only its own script and style run, by their SHA-256,
and whatever comes from a capture or a rule file stands in escaped JSON and becomes text nodes.
"""

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

from firewall.errors import UsageError
from firewall.reports.safe_json import json_text
from firewall.steps import component

if TYPE_CHECKING:
    from firewall.steps import Steps

MOST_PACKETS = 1000  # a page of about 10 MB
BECAUSE = "--steps writes all of them into the page"
MOST_BYTES = 48 << 20  # where the table is long at every step


def steps_page(steps: "Steps", version: str, language: str = "en") -> str:
    """The page. Raises UsageError where it would be too large to open."""
    scene = steps.scene()
    details = []
    room = MOST_BYTES
    for n in range(1, steps.count + 1):
        details.append(json_text(steps.detail(n)))
        room -= len(details[-1])
        if room < 0:
            raise UsageError(
                f"the page would be larger than {MOST_BYTES >> 20} MB at step {n:,} of {steps.count:,}:"
                " choose fewer packets with --filter"
            )
    rest = json_text({"version": version, "scene": scene, "rows": steps.rows(1, steps.count)})
    words = scene["texts"][language]
    script = component.script() + "\n" + _part("steps.js")
    style = component.style() + _part("steps.css")
    return Template(_part("steps.html")).substitute(
        language=language,
        title=escape(f"{words['title']}: {scene['title']}"),
        skip=escape(words["skip"]),
        no_script=escape(words["no_script"]),
        data=f'{rest.removesuffix("}")},"details":[{",".join(details)}]}}',
        script=script,
        script_hash=_csp_hash(script),
        style=style,
        style_hash=_csp_hash(style),
    )


def _part(name: str) -> str:
    return (files("firewall.reports") / "html" / name).read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
