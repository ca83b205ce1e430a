"""A websocket text frame around bytes that lie in a buffer (RFC 6455 section 5.2), in place."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel

TEXT_FRAME = 0x81
MASKED = 0x80
SHORT = 126
"""Payloads from here on have their length in two bytes of their own."""


@inner
def frame_in_place(out, begin, end, mask):
    """Mask out[begin:end] with the 32 bits of `mask` and write the head in front of it.

    Returns where the frame begins: 6 bytes before `begin`, or 8. At most 65,535 bytes of payload.
    """
    n = end - begin
    at = begin - 4
    for i in range(4):
        out[at + i] = (mask >> (24 - 8 * i)) & 255
    for i in range(n):
        out[begin + i] = np.int64(out[begin + i]) ^ ((mask >> (24 - 8 * (i & 3))) & 255)
    if n < SHORT:
        out[at - 1] = MASKED | n
        out[at - 2] = TEXT_FRAME
        return at - 2
    out[at - 1] = n & 255
    out[at - 2] = n >> 8
    out[at - 3] = MASKED | SHORT
    out[at - 4] = TEXT_FRAME
    return at - 4


@kernel
def frame_order(order, mask):
    """Frame order.out[begin:end] and move order.begin; nothing when there is no request."""
    if order.end > order.begin:
        order.begin = frame_in_place(order.out, order.begin, order.end, mask)
