"""SHA-512 compression on plain 64-bit words.

`compress512(state, block, at)` folds 128 bytes into the state; `state` is uint64[8], `block` uint8.
Processors with SHA-512 instructions are too new for one to have been at hand: none are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.sha_rounds import Sha, plain, root_fractions, scalar

_START, _K = root_fractions(80, 64)
SHA512 = Sha(64, _START, _K, (28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6))
START512 = np.array(_START, np.uint64)
"""The state before the first block (FIPS 180-4 section 5.3.5)."""

_scalar = scalar(SHA512)


def _compress(state: Any, block: Any, at: Any) -> None:
    plain(SHA512, state, block, at)


@overload(_compress)
def _compress_compiled(state, block, at):
    return lambda state, block, at: _scalar(state, block, at)


@inner
def compress512(state, block, at):
    """Fold the 128 bytes at block[at:] into state."""
    _compress(state, block, at)
