"""What the processor can do, as far as compiled kernels may use it."""

from __future__ import annotations

import llvmlite.binding as llvm
import numba


def compiles_for(feature: str) -> bool:
    """Return whether kernels are compiled for a processor with this LLVM feature (`sha`, `avx2`).

    NUMBA_CPU_FEATURES and NUMBA_CPU_NAME=generic narrow what numba compiles for; an instruction
    beyond that ends the process, so the answer follows them and not the processor alone.
    """
    asked = numba.config.CPU_FEATURES
    if asked is not None:
        return f"+{feature}" in asked.split(",")
    return bool(llvm.get_host_cpu_features().get(feature, False))
