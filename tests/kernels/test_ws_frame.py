"""Websocket frames built in place, read by aiohttp's own frame reader."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.ws_frame import frame_in_place

BEFORE = 16


@kernel
def framed(out, begin, end, mask):
    return frame_in_place(out, begin, end, mask)


def build(payload: bytes, mask: int) -> bytes:
    out = np.full(BEFORE + len(payload) + 4, 0xEE, np.uint8)
    out[BEFORE : BEFORE + len(payload)] = np.frombuffer(payload, np.uint8)
    begin = int(framed(out, BEFORE, BEFORE + len(payload), mask))
    assert (out[:begin] == 0xEE).all()
    assert (out[BEFORE + len(payload) :] == 0xEE).all()
    return out[begin : BEFORE + len(payload)].tobytes()


def read(frame: bytes) -> Any:
    """The one message that aiohttp reads from the bytes."""
    from aiohttp._websocket.reader_py import WebSocketDataQueue, WebSocketReader
    from aiohttp.base_protocol import BaseProtocol

    loop = asyncio.new_event_loop()
    try:
        queue = WebSocketDataQueue(BaseProtocol(loop), 1 << 16, loop=loop)
        reader = WebSocketReader(queue, 1 << 20, compress=False, decode_text=True)
        done, rest = reader.feed_data(frame)
        assert (done, bytes(rest)) == (False, b"")
        ((message, _),) = queue._buffer
        return message.data
    finally:
        loop.close()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.integers(0, (1 << 32) - 1))
@example("x" * 125, 0x01020304)
@example("x" * 126, 0xFFFFFFFF)
@example("", 0)
def test_an_independent_reader_gets_the_text(text: str, mask: int) -> None:
    payload = text.encode()
    assert read(build(payload, mask)) == text


@pytest.mark.parametrize(("n", "head"), [(0, 6), (125, 6), (126, 8), (4_000, 8)])
def test_the_head_is_as_long_as_the_standard_says(n: int, head: int) -> None:
    assert len(build(b"x" * n, 7)) == head + n


def test_rfc_6455_single_frame_masked_text() -> None:
    """Section 5.7: "Hello" under the mask 37 fa 21 3d."""
    expected = bytes([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    assert build(b"Hello", 0x37FA213D) == expected
