"""pcaps: captures and crafted packets as columns. Knows nothing of tracking or of rules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture, crafted_capture, open_capture
    from pcaps.errors import CaptureError, CraftError, FilterError
    from pcaps.frame import Frame

_HOMES = {  # loaded when first asked for: numpy and the kernels take their time
    "Capture": "pcaps.capture",
    "CaptureError": "pcaps.errors",
    "CraftError": "pcaps.errors",
    "FilterError": "pcaps.errors",
    "Frame": "pcaps.frame",
    "PacketBatch": "pcaps.batch",
    "crafted_capture": "pcaps.capture",
    "open_capture": "pcaps.capture",
}
__all__ = [
    "Capture",
    "CaptureError",
    "CraftError",
    "FilterError",
    "Frame",
    "PacketBatch",
    "crafted_capture",
    "open_capture",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
