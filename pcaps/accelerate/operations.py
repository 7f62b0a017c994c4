"""The machine's operations that kernels use, compiled and in Python: both give the same.

numba makes a load of several bytes from as many checked ones and has no prefetch; compiled, these are single
instructions, with one check each.
https://numba.readthedocs.io/en/stable/extending/low-level.html#implementing-intrinsics
"""

from collections.abc import Callable
from typing import Any, Literal

Operation = Callable[..., Any]
OUTSIDE = "bytes outside of the block"
CACHE_LINE = 64


# --- in Python ---------------------------------------------------------------------------------------
def interpreted() -> dict[str, Operation]:
    """The operations by name. numpy does not check a slice, so they do."""
    import numpy as np

    def load(data: Any, at: int, size: int, order: Literal["big", "little"]) -> int:
        if at < 0 or at + size > len(data):
            raise IndexError(OUTSIDE)
        return int.from_bytes(data[at : at + size].tobytes(), order)

    def clear(records: Any, index: int) -> None:
        if index < 0 or index >= len(records):
            raise IndexError(OUTSIDE)
        records[index : index + 1].view(np.uint8)[:] = 0

    return {
        "load_be16": lambda data, at: load(data, at, 2, "big"),
        "load_be32": lambda data, at: load(data, at, 4, "big"),
        "load_be64": lambda data, at: np.uint64(load(data, at, 8, "big")),
        "load_le16": lambda data, at: load(data, at, 2, "little"),
        "load_le32": lambda data, at: load(data, at, 4, "little"),
        "clear": clear,
        "prefetch": lambda _records, _index: None,
    }


# --- compiled ----------------------------------------------------------------------------------------
def compiled(kernel: Callable[[Operation], Operation]) -> dict[str, Operation]:
    """The same; `kernel` compiles what stands around an instruction."""
    from numba.core import types

    return {
        "load_be16": _load(kernel, 16, swapped=True),
        "load_be32": _load(kernel, 32, swapped=True),
        "load_be64": _load(kernel, 64, swapped=True, result=types.uint64),
        "load_le16": _load(kernel, 16, swapped=False),
        "load_le32": _load(kernel, 32, swapped=False),
        "clear": _clear(kernel),
        "prefetch": _prefetch(),
    }


def _address(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """Where an element of a contiguous array stands, as a pointer to bytes."""
    from llvmlite import ir

    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), ir.IntType(8).as_pointer())


def _load(kernel: Callable[[Operation], Operation], bits: int, *, swapped: bool, result: Any = None) -> Operation:
    """`bits` from any byte on, turned round if they come in network order."""
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    word, size = ir.IntType(bits), bits // 8
    kind = types.int64 if result is None else result

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(builder.bitcast(_address(context, builder, signature, args), word.as_pointer()))
        value.align = 1
        value = builder.bswap(value) if swapped else value
        return builder.zext(value, ir.IntType(64)) if bits < 64 else value

    def typed(_typing: Any, data: Any, _at: Any) -> Any:
        return kind(data, types.int64), generate

    raw = intrinsic(typed)

    def load(data: Any, at: int) -> Any:
        if at < 0 or at + size > len(data):
            raise IndexError(OUTSIDE)
        return raw(data, at)

    return kernel(load)


def _clear(kernel: Callable[[Operation], Operation]) -> Operation:
    """All bytes of a record 0."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = ir.IntType(64)(signature.args[0].dtype.size)
        cgutils.memset(builder, _address(context, builder, signature, args), size, 0)
        return context.get_dummy_value()

    def typed(_typing: Any, records: Any, _index: Any) -> Any:
        return types.none(records, types.int64), generate

    raw = intrinsic(typed)

    def clear(records: Any, index: int) -> None:
        if index < 0 or index >= len(records):
            raise IndexError(OUTSIDE)
        raw(records, index)

    return kernel(clear)


def _prefetch() -> Operation:
    """All lines of a record, or the one of a number; where there is none, nothing happens."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        record, number = _address(context, builder, signature, args), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [record.type, number, number, number])
        wanted = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for line in range(0, getattr(signature.args[0].dtype, "size", CACHE_LINE), CACHE_LINE):
            start = builder.gep(record, [ir.IntType(64)(line)])
            builder.call(wanted, [start, number(0), number(3), number(1)])  # to read, keep it near, data
        return context.get_dummy_value()

    def typed(_typing: Any, records: Any, _index: Any) -> Any:
        return types.none(records, types.int64), generate

    return intrinsic(typed)  # type: ignore[no-any-return]  # numba has no types
