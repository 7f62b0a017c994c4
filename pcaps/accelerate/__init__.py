"""Compiled or interpreted: the one place that chooses, and the only package that imports numba.

Every kernel is plain Python over numpy arrays. Decorated with `kernel` it is compiled by numba when
the engine runs compiled and left alone when it runs interpreted; both must give the same bytes.

The choice is made once, when this module's first kernel is decorated:

1. `prefer("interpreted")` or `prefer("compiled")`, called before any kernel module is imported;
2. the environment variable ENIWALL_ENGINE with the same two words;
3. compiled where numba can be imported, interpreted elsewhere.

ENIWALL_CACHE names the folder in which compiled code is kept (default: the user's cache folder).
Where no folder can be written, kernels are compiled for this process only.
"""

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

Mode = Literal["compiled", "interpreted"]
MODES: tuple[Mode, Mode] = ("compiled", "interpreted")
F = TypeVar("F", bound=Callable[..., Any])

OPERATIONS = frozenset(("i64", "load_be16", "load_be32", "load_be64", "load_le16", "load_le32", "prefetch", "clear"))

LAST_COMPILED = ("judge.judge_rows", "tally.count_rows")  # where these are kept, so is the rest

_preferred: list[Mode] = []


class EngineChoiceError(ValueError):
    """The engine was asked for in a word that is not known, or after it had been chosen."""


def prefer(mode: Mode) -> None:
    """Ask for a way to run; only before the first kernel is imported.

    ENIWALL_ENGINE, where it is set, stands above this. Raises EngineChoiceError once `mode` differs
    from a choice already made.
    """
    if mode not in MODES:
        raise EngineChoiceError(f"engine {mode!r}: write one of {', '.join(MODES)}")
    if chosen() and engine() != mode and "ENIWALL_ENGINE" not in os.environ:
        raise EngineChoiceError(f"the engine already runs {engine()}; ask before kernels are imported")
    _preferred[:] = [mode]


def chosen() -> bool:
    """True once a kernel was decorated and the choice stands."""
    return engine.cache_info().currsize > 0


@cache
def engine() -> Mode:
    """The way kernels run in this process."""
    word = os.environ.get("ENIWALL_ENGINE", "") or (_preferred[0] if _preferred else "")
    if word not in ("", *MODES):
        raise EngineChoiceError(f"ENIWALL_ENGINE={word!r}: write one of {', '.join(MODES)}")
    if word == "interpreted":
        return "interpreted"
    try:
        import numba  # noqa: F401  (only to see that it is there)
    except ImportError:
        if word == "compiled":
            raise
        return "interpreted"
    return "compiled"


IMPORTS = re.compile(rb"^from (pcaps|conntrack|firewall)(?:\.(\w+))? import (\w+)?", re.MULTILINE)


def kernel_sources() -> list[Path]:
    """Every file that defines kernels, and every file that one of these imports: kernels hold its constants."""
    here = Path(__file__).resolve().parent
    top = here.parent.parent
    folders = (here, *(top / name for name in ("pcaps", "conntrack", "firewall")))
    texts = {path: path.read_bytes() for folder in folders for path in folder.glob("*.py")}
    wanted = [path for path, text in texts.items() if path.parent == here or b"accelerate import" in text]
    found: set[Path] = set()
    while wanted:
        path = wanted.pop()
        if path in found or path not in texts:
            continue
        found.add(path)
        for package, module, name in IMPORTS.findall(texts[path]):
            wanted.append(top / package.decode() / f"{(module or name).decode()}.py")
    return sorted(found)


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept, or None where nothing can be written.

    numba looks at one file's stamp only, so a changed helper or constant in another file would be
    served stale: the folder's name carries a hash of every kernel source (and of the Python version).
    """
    digest = hashlib.sha256(sys.version.encode())
    for path in kernel_sources():
        digest.update(path.read_bytes())
    home = os.environ.get("ENIWALL_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        folder = Path(home).expanduser() / "eniwall" / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: a user without a home folder
        return None


def warm() -> bool:
    """True if compiled kernels of this very source lie in the cache folder."""
    folder = cache_folder()
    return folder is not None and all(any(folder.rglob(f"{last}*.nbc")) for last in LAST_COMPILED)


def _without_literals(dispatcher: Any) -> Any:
    """Compile a kernel once for all constants; numba would do it anew for each one it is called with."""
    from numba.core import types

    plain: Callable[[Any], Any] = types.unliteral  # type: ignore[attr-defined]  # numba.core.types fills itself
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template(
        tuple(map(plain, args)), {name: plain(kind) for name, kind in kws.items()}
    )
    return dispatcher


@cache
def _jit(*, from_python: bool, inline: bool) -> Callable[[Any], Any]:
    import numba

    folder = cache_folder()
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # set by numba at import
    njit: Any = numba.njit  # its types do not tell all of its options
    from pcaps.accelerate.compilers import compilers

    kernels, entries = compilers()
    options = {
        "nogil": True,
        "boundscheck": True,  # captures are hostile, and the checked build is the tested one
        "cache": from_python and folder is not None,
        "_nrt": False,  # kernels allocate nothing, so no array needs its references counted
        "forceinline": inline,  # an argument that is a tuple of arrays is dear to pass
        "no_cpython_wrapper": not from_python,  # making these wrappers takes a third of the compile time
        "no_cfunc_wrapper": True,
        "pipeline_class": entries if from_python else kernels,
    }
    return cast("Callable[[Any], Any]", njit(**options))


def widening() -> Callable[[Any], int]:
    """int64 in compiled code, Python's int elsewhere: where a kernel loads a narrow column."""
    if engine() == "interpreted":
        return int
    import numpy as np

    return np.int64  # type: ignore[return-value]  # in compiled code it is an int64 like any other


def _compiled(function: F, *, from_python: bool = False, inline: bool = False) -> F:
    if engine() == "interpreted":
        return function
    return _without_literals(_jit(from_python=from_python, inline=inline)(function))  # type: ignore[no-any-return]  # numba says Any


def kernel(function: F) -> F:
    """Compile `function` (no Python objects, no allocation in loops) or leave it as it is.

    Compiled, it can be called from other kernels only.
    """
    return _compiled(function, inline=True)


def rare_kernel(function: F) -> F:
    """As `kernel`, but called, not taken into its callers: what is rare or long stays out of the common path."""
    return _compiled(function)


def entry_kernel(function: F) -> F:
    """As `kernel`, and Python can call it too."""
    return _compiled(function, from_python=True)


@cache
def machine() -> dict[str, Callable[..., Any]]:
    """What kernels use of the machine, by name."""
    from pcaps.accelerate import operations

    made = operations.interpreted() if engine() == "interpreted" else operations.compiled(kernel)
    return {"i64": widening(), **made}


if TYPE_CHECKING:
    import numpy as np

    def i64(value: Any) -> int:
        """Widen a loaded value: arithmetic on narrow or unsigned columns differs between the two ways to run."""
        return int(value)

    def load_be16(data: Any, at: int) -> int:
        """Bytes at..at+1 in network order. Raises IndexError outside of `data`, as all loads do."""

    def load_be32(data: Any, at: int) -> int:
        """Four bytes in network order."""

    def load_be64(data: Any, at: int) -> np.uint64:
        """Eight bytes in network order."""

    def load_le16(data: Any, at: int) -> int:
        """Two bytes, least significant first."""

    def load_le32(data: Any, at: int) -> int:
        """Four bytes, least significant first."""

    def clear(records: Any, index: int) -> None:
        """Set every byte of a record to 0. `records` is contiguous."""

    def prefetch(records: Any, index: int) -> None:
        """Begin to fetch a record that is needed soon; changes nothing."""


def __getattr__(name: str) -> Any:
    """The operations, made when the first kernel module imports one, so that `prefer` can be called before."""
    if name in OPERATIONS:
        return machine()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
