"""The bytes that fragments carry: all that outlives reading, so that datagrams can be put together."""

import numpy as np
from numpy.typing import NDArray

from pcaps.batch import Piece
from pcaps.wire import IPV6_EXTENSION_HEADER


def fragment_pieces(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.void], first: int = 0
) -> dict[int, Piece]:
    """The pieces of the fragments among `rows`, just decoded from data[offsets[k]:]; keys count from `first`."""
    pieces = {}
    for k in np.flatnonzero(rows["fragment_id"] >= 0).tolist():
        p = rows[k]
        at = int(offsets[k]) + int(p["payload_at"])
        captured = data[at : min(at + int(p["payload"]), int(offsets[k]) + int(p["caplen"]))].tobytes()
        named = data[at - IPV6_EXTENSION_HEADER] if p["family"] == 6 else p["protocol"]
        pieces[first + k] = Piece(int(named), captured)
    return pieces
