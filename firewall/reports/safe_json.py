"""JSON that can stand in a page."""

import json
from typing import Any

#: What could end a script element, or a line of one: written as escapes.
ESCAPES = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def json_text(data: Any) -> str:
    """JSON that can stand in a script element, whatever its strings hold."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).translate(ESCAPES)
