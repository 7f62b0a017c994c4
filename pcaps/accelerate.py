"""Compiled or interpreted: the one place that chooses, and the only module that imports numba.

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
    top = Path(__file__).resolve().parent.parent
    texts = {
        path: path.read_bytes() for name in ("pcaps", "conntrack", "firewall") for path in (top / name).glob("*.py")
    }
    wanted = [path for path, text in texts.items() if path.stem == "accelerate" or b"accelerate import" in text]
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
    return folder is not None and any(folder.rglob("judge.judge_batch*.nbc"))


def _without_literals(dispatcher: Any) -> Any:
    """Compile a kernel once for all constants; numba would do it anew for each one it is called with."""
    from numba.core import types

    plain: Callable[[Any], Any] = types.unliteral
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template(
        tuple(map(plain, args)), {name: plain(kind) for name, kind in kws.items()}
    )
    return dispatcher


#: numba's passes for what kernels do not have: closures, with, literally(), parfors, array expressions.
NEEDLESS_PASSES = frozenset(
    (
        "WithLifting",
        "InlineClosureLikes",
        "RewriteDynamicRaises",
        "MakeFunctionToJitFunction",
        "InlineInlinables",
        "DeadBranchPrune",
        "FindLiterallyCalls",
        "LiteralUnroll",
        "LiteralPropagationSubPipelinePass",
        "InlineOverloads",
        "NopythonRewrites",
        "DumpParforDiagnostics",
    )
)


@cache
def _compilers() -> tuple[Any, Any]:
    """numba's compiler, for kernels that only kernels call, and for those that Python calls.

    numba optimises every function together with all that it calls, and again in each of its callers. A
    kernel is taken into its callers in any case: here it is left as it is, and optimised once, there.
    https://numba.readthedocs.io/en/stable/developer/custom_pipeline.html
    """
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler

    class Unloaded:
        """numba's code generator, for code that is not loaded and has no globals in memory."""

        def __init__(self, codegen: Any) -> None:
            self._codegen = codegen

        def __getattr__(self, name: str) -> Any:
            return getattr(self._codegen, name)

        def set_env(self, name: str, env: object) -> None:
            pass

    class Inlined(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
        @property
        def codegen(self) -> Any:
            return Unloaded(super().codegen)

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._finalized = True

    class EntryCompiler(Compiler):  # type: ignore[misc]  # numba has no types
        def define_pipelines(self) -> Any:
            (pipeline,) = super().define_pipelines()
            pipeline.passes = [each for each in pipeline.passes if each[0].__name__ not in NEEDLESS_PASSES]
            return [pipeline]

    class KernelCompiler(EntryCompiler):
        def __init__(self, typing: Any, target: Any, library: Any, *rest: Any) -> None:
            super().__init__(typing, target, library or Inlined(target.codegen(), "kernel"), *rest)

    return KernelCompiler, EntryCompiler


@cache
def _jit(*, from_python: bool) -> Callable[[Any], Any]:
    import numba

    folder = cache_folder()
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # set by numba at import
    njit: Any = numba.njit  # its types do not tell all of its options
    kernels, entries = _compilers()
    options = {
        "nogil": True,
        "boundscheck": True,  # captures are hostile, and the checked build is the tested one
        "cache": from_python and folder is not None,
        "_nrt": False,  # kernels allocate nothing, so no array needs its references counted
        "forceinline": not from_python,  # an argument that is a tuple of arrays is dear to pass
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


def _compiled(function: F, *, from_python: bool) -> F:
    if engine() == "interpreted":
        return function
    return _without_literals(_jit(from_python=from_python)(function))  # type: ignore[no-any-return]  # numba says Any


def kernel(function: F) -> F:
    """Compile `function` (no Python objects, no allocation in loops) or leave it as it is.

    Compiled, it can be called from other kernels only.
    """
    return _compiled(function, from_python=False)


def entry_kernel(function: F) -> F:
    """As `kernel`, and Python can call it too."""
    return _compiled(function, from_python=True)


if TYPE_CHECKING:

    def i64(value: Any) -> int:
        """Widen a loaded value: arithmetic on narrow or unsigned columns differs between the two ways to run."""
        return int(value)


def __getattr__(name: str) -> Any:
    """`i64`, made when the first kernel module imports it, so that `prefer` can be called before."""
    if name == "i64":
        return widening()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
