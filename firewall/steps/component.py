"""The stepping component's own files (`page/`), for the pages that hold it.

A server gives the MODULES as they are; `script` is all of them as one, for a page without a server.
"""

import re
from importlib.resources import files

MODULES = ("stepper_dom.js", "stepper_timeline.js", "stepper_views.js", "stepper.js")  # each imports those before it
STYLE = "steps.css"
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)


def part(name: str) -> str:
    """One of the files, as text."""
    return (files("firewall.steps") / "page" / name).read_text(encoding="utf-8")


def script() -> str:
    """The modules as one, which defines `mountStepper(element, source, options)`; stepper.js says what it takes."""
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", part(name))) for name in MODULES)


def style() -> str:
    """The style; its colours are variables of `:root`, for light and dark."""
    return part(STYLE)
