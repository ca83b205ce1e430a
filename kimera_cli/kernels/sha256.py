"""SHA-256 compression: the processor's own instructions where it has them, else plain words.

`compress256(state, block, at)` folds 64 bytes into the state; `state` is uint32[8], `block` uint8.
Which of the two it is was chosen at import (`PATH`); both give the same words (tests).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.cpu import compiles_for
from kimera_cli.kernels.sha_rounds import Sha, plain, pointers, root_fractions, scalar

_START, _K = root_fractions(64, 32)
SHA256 = Sha(32, _START, _K, (2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10))
START256 = np.array(_START, np.uint32)
"""The state before the first block (FIPS 180-4 section 5.3.3)."""

_FOUR = ir.VectorType(ir.IntType(32), 4)
_scalar = scalar(SHA256)


def _lanes(builder: Any, one: Any, two: Any, picked: list[int]) -> Any:
    return builder.shuffle_vector(one, two, ir.Constant(ir.VectorType(ir.IntType(32), 4), picked))


@intrinsic
def _x86_sha(typing_context: Any, state: Any, block: Any, at: Any) -> Any:
    """Two rounds an instruction (Intel SHA extensions); state goes in as FEBA and HGDC."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        b = builder

        def vector(name: str, *operands: Any) -> Any:
            kind = ir.FunctionType(_FOUR, [_FOUR] * len(operands))
            return b.call(cgutils.get_or_insert_function(b.module, kind, name), operands)

        def part(base: Any, i: int) -> Any:
            return b.gep(base, [ir.Constant(ir.IntType(64), i)])

        if compiles_for("avx"):
            # The SHA instructions have only the legacy encoding: after vector code that left the
            # upper halves of the registers in use each of them is 200 times slower (measured).
            clear = ir.FunctionType(ir.VoidType(), [])
            b.call(cgutils.get_or_insert_function(b.module, clear, "llvm.x86.avx.vzeroupper"), [])
        state_at, block_at = pointers(context, builder, signature, args)
        state_at = b.bitcast(state_at, _FOUR.as_pointer())
        block_at = b.bitcast(block_at, _FOUR.as_pointer())
        abcd, efgh = (b.load(part(state_at, i), align=4) for i in range(2))
        feba = before_1 = _lanes(b, efgh, abcd, [1, 0, 5, 4])
        hgdc = before_2 = _lanes(b, efgh, abcd, [3, 2, 7, 6])
        w = [vector("llvm.bswap.v4i32", b.load(part(block_at, i), align=1)) for i in range(4)]
        for i in range(16):
            if i >= 4:
                seen = vector("llvm.x86.sha256msg1", w[i - 4], w[i - 3])
                seen = b.add(seen, _lanes(b, w[i - 2], w[i - 1], [1, 2, 3, 4]))
                w.append(vector("llvm.x86.sha256msg2", seen, w[i - 1]))
            wk = b.add(w[i], ir.Constant(_FOUR, list(_K[4 * i : 4 * i + 4])))
            hgdc = vector("llvm.x86.sha256rnds2", hgdc, feba, wk)
            feba = vector("llvm.x86.sha256rnds2", feba, hgdc, _lanes(b, wk, wk, [2, 3, 2, 3]))
        feba, hgdc = b.add(feba, before_1), b.add(hgdc, before_2)
        b.store(_lanes(b, feba, hgdc, [3, 2, 7, 6]), part(state_at, 0), align=4)
        b.store(_lanes(b, feba, hgdc, [1, 0, 5, 4]), part(state_at, 1), align=4)
        return context.get_dummy_value()

    return types.void(state, block, types.intp), generate


PATHS = {"x86-sha": _x86_sha, "scalar": _scalar}
PATH = "x86-sha" if compiles_for("sha") else "scalar"
"""Which of the two compress256 is."""
_chosen = PATHS[PATH]


def _compress(state: Any, block: Any, at: Any) -> None:
    plain(SHA256, state, block, at)


@overload(_compress)
def _compress_compiled(state, block, at):
    return lambda state, block, at: _chosen(state, block, at)


@inner
def compress256(state, block, at):
    """Fold the 64 bytes at block[at:] into state."""
    _compress(state, block, at)
