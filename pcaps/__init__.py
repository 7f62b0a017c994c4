"""pcaps: captures and crafted packets as columns. Knows nothing of tracking or of rules."""

from pcaps.batch import PacketBatch
from pcaps.capture import Capture, crafted_capture, open_capture
from pcaps.errors import CaptureError, CraftError, FilterError
from pcaps.frame import Frame

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
