"""Two readers of one capture."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pcaps.batch import PacketBatch
    from pcaps.capture import Capture


class Side:
    """One of two readers of a capture: the same batches, kept until both have had them."""

    def __init__(self, capture: "Capture", batches: Iterator["PacketBatch"]) -> None:
        self._batches = batches
        self._capture = capture
        self.names = capture.names
        self.warnings = capture.warnings
        self.packets = self.filtered_out = self.bytes_read = 0  # the capture itself counts
        self.bytes_total = capture.bytes_total

    @property
    def interface_names(self) -> Sequence[Mapping[int, str]]:
        """What the capture knows of them by now."""
        names: Sequence[Mapping[int, str]] = getattr(self._capture, "interface_names", ())
        return names

    def batches(self) -> Iterator["PacketBatch"]:
        """See Capture."""
        return self._batches

    def close(self) -> None:
        """The capture closes itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
