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

OPERATIONS = frozenset(("i64", "load_be16", "load_be32", "load_be64", "load_le16", "load_le32", "prefetch"))
OUTSIDE = "bytes outside of the block"
CACHE_LINE = 64

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
    """Two compilers made of numba's: for kernels that only kernels call, and for those that Python calls.

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


def _interpreted_loads() -> dict[str, Callable[..., Any]]:
    """The machine's operations in Python. numpy checks no index of a slice, so they do."""

    def load(data: Any, at: int, size: int, order: Literal["big", "little"]) -> int:
        if at < 0 or at + size > len(data):
            raise IndexError(OUTSIDE)
        return int.from_bytes(data[at : at + size].tobytes(), order)

    def load_be64(data: Any, at: int) -> Any:
        import numpy as np

        return np.uint64(load(data, at, 8, "big"))

    return {
        "load_be16": lambda data, at: load(data, at, 2, "big"),
        "load_be32": lambda data, at: load(data, at, 4, "big"),
        "load_be64": load_be64,
        "load_le16": lambda data, at: load(data, at, 2, "little"),
        "load_le32": lambda data, at: load(data, at, 4, "little"),
        "prefetch": lambda _records, _index: None,
    }


def _compiled_loads() -> dict[str, Callable[..., Any]]:
    """The same as single instructions: an unaligned load, turned round where the bytes come in network order.

    numba makes a load of several bytes from as many checked ones, and has no prefetch.
    https://numba.readthedocs.io/en/stable/extending/low-level.html#implementing-intrinsics
    """
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def raw_load(bits: int, *, swapped: bool, result: Any) -> Any:
        word = ir.IntType(bits)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            value = builder.load(builder.bitcast(builder.gep(array.data, [args[1]]), word.as_pointer()))
            value.align = 1
            if swapped:
                value = builder.bswap(value)
            return builder.zext(value, ir.IntType(64)) if bits < 64 else value

        def load(_typing: Any, data: Any, _at: Any) -> Any:
            return result(data, types.int64), generate

        return intrinsic(load)

    def checked(bits: int, *, swapped: bool, result: Any = types.int64) -> Any:
        raw, size = raw_load(bits, swapped=swapped, result=result), bits // 8

        def load(data: Any, at: int) -> Any:
            if at < 0 or at + size > len(data):
                raise IndexError(OUTSIDE)
            return raw(data, at)

        return kernel(load)

    @intrinsic
    def prefetch(_typing: Any, records: Any, _index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, args[0])
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            record = builder.bitcast(builder.gep(array.data, [args[1]]), byte)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            wanted = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            for line in range(0, signature.args[0].dtype.size, CACHE_LINE):
                start = builder.gep(record, [ir.IntType(64)(line)])
                builder.call(wanted, [start, number(1), number(3), number(1)])  # to write, keep it near, data
            return context.get_dummy_value()

        return types.none(records, types.int64), generate

    return {
        "load_be16": checked(16, swapped=True),
        "load_be32": checked(32, swapped=True),
        "load_be64": checked(64, swapped=True, result=types.uint64),
        "load_le16": checked(16, swapped=False),
        "load_le32": checked(32, swapped=False),
        "prefetch": prefetch,
    }


@cache
def operations() -> dict[str, Callable[..., Any]]:
    """What kernels use of the machine, by name."""
    loads = _interpreted_loads() if engine() == "interpreted" else _compiled_loads()
    return {"i64": widening(), **loads}


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

    def prefetch(records: Any, index: int) -> None:
        """Begin to fetch a record that will be written soon; changes nothing."""


def __getattr__(name: str) -> Any:
    """The operations, made when the first kernel module imports one, so that `prefer` can be called before."""
    if name in OPERATIONS:
        return operations()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
