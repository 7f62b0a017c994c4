"""How numba compiles kernels: what it does for code that kernels are not is left out."""

import gc
from collections.abc import Callable
from functools import cache
from typing import Any

compiled = 0  # kernels, in this process
listeners: list[Callable[[], None]] = []  # called for each of them

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


def libraries() -> tuple[Any, Any]:
    """What numba puts compiled code into, for the two kinds of kernels."""
    from llvmlite.binding import Linkage
    from numba.core.codegen import JITCodeLibrary

    class Unloaded:
        """numba's code generator, for code that is not loaded and has no globals in memory."""

        def __init__(self, codegen: Any) -> None:
            self._codegen = codegen

        def __getattr__(self, name: str) -> Any:
            return getattr(self._codegen, name)

        def set_env(self, name: str, env: object) -> None:
            pass

    class Inlined(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
        """A kernel as it is: it is taken into its callers, and optimised there."""

        @property
        def codegen(self) -> Any:
            return Unloaded(super().codegen)

        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._finalized = True

    class Whole(JITCodeLibrary):  # type: ignore[misc]  # numba has no types
        """A kernel and all that it calls, which nobody else calls: so LLVM drops what is passed for nothing."""

        def _optimize_final_module(self) -> None:
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                    function.linkage = "internal"
            super()._optimize_final_module()

    return Inlined, Whole


@cache
def compilers() -> tuple[Any, Any]:
    """Two compilers made of numba's: for kernels that only kernels call, and for those that Python calls.

    numba optimises every function together with all that it calls, and again in each of its callers. A
    kernel is taken into its callers in any case: here it is left as it is, and optimised once, there.
    https://numba.readthedocs.io/en/stable/developer/custom_pipeline.html
    """
    from numba.core.compiler import Compiler

    Inlined, Whole = libraries()  # noqa: N806  (classes)

    class EntryCompiler(Compiler):  # type: ignore[misc]  # numba has no types
        def __init__(self, typing: Any, target: Any, library: Any, *rest: Any) -> None:
            if library is None:
                library = Whole(target.codegen(), "entry")
                library.enable_object_caching()
            super().__init__(typing, target, library, *rest)

        def define_pipelines(self) -> Any:
            (pipeline,) = super().define_pipelines()
            pipeline.passes = [each for each in pipeline.passes if each[0].__name__ not in NEEDLESS_PASSES]
            return [pipeline]

        def compile_extra(self, function: Any) -> Any:
            global compiled  # noqa: PLW0603  (one compiler, one count)
            collecting = gc.isenabled()
            gc.disable()  # of what it makes nothing is garbage before the end: a tenth of the time
            try:
                return super().compile_extra(function)
            finally:
                if collecting:
                    gc.enable()
                compiled += 1
                for listener in listeners:
                    listener()

    class KernelCompiler(EntryCompiler):
        def __init__(self, typing: Any, target: Any, library: Any, *rest: Any) -> None:
            super().__init__(typing, target, library or Inlined(target.codegen(), "kernel"), *rest)

    return KernelCompiler, EntryCompiler
