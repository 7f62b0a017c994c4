"""What starting costs whoever computes this way: import numpy, numba and rich, load one cached kernel, end."""

from pathlib import Path

import numba
import numpy as np
import rich.table  # noqa: F401  (only to load it)

numba.config.CACHE_DIR = str(Path(__file__).parent / "out" / "numba")  # type: ignore[attr-defined]  # set by numba at import


@numba.njit(cache=True)
def total(numbers: np.ndarray) -> float:
    """A kernel as small as they come."""
    found = 0.0
    for number in numbers:
        found += number
    return found


if __name__ == "__main__":
    total(np.zeros(4))
