"""HMAC (RFC 2104) with a key that was taken in once, over a message that lies in a buffer.

The first block of both passes depends on the key alone. `set_key*` folds it in beforehand and the
key itself is not kept: a KEY record holds the two states. A message is signed where it lies: the
padding is written behind it, so it must be the last thing in the buffer, with PADDING bytes to
spare.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.sha256 import START256, compress256
from kimera_cli.kernels.sha512 import START512, compress512
from kimera_cli.kernels.text import SLACK, put_word, put_word_big

BLOCK256, BLOCK512 = 64, 128
PADDING = 2 * BLOCK512
"""Room that a digest needs behind its message."""
TOKEN_BYTES = 2048
IPAD, OPAD = 0x36, 0x5C
END_BIT, NOTHING = np.uint64(0x80), np.uint64(0)

KEY = np.dtype(
    [
        ("nonce", "i8"),  # the last number that was sent where the venue wants them to rise
        ("token_len", "i8"),
        ("inner256", "u4", (8,)),
        ("outer256", "u4", (8,)),
        ("inner512", "u8", (8,)),
        ("outer512", "u8", (8,)),
        ("work256", "u4", (8,)),
        ("work512", "u8", (8,)),
        ("digest", "u1", (64,)),
        ("ready", "i8"),  # 0: never set, or wiped
        ("token", "u1", (TOKEN_BYTES + SLACK,)),  # session token, where the venue gives one
    ],
    align=True,
)
"""Signing state of one account. Secret as the key itself: `wipe` zeroes it."""


@inner
def _put_state256(state, out, at):
    """Write the state as 32 bytes."""
    for i in range(4):
        high = np.uint64(state[2 * i]) << np.uint64(32)
        put_word_big(out, at + 8 * i, high | np.uint64(state[2 * i + 1]))


@inner
def _put_state512(state, out, at):
    """Write the state as 64 bytes."""
    for i in range(8):
        put_word_big(out, at + 8 * i, state[i])


@inner
def _pad(out, end, stop, n):
    """Write the end of a message of n bytes: a bit, zeros to `stop`, the length in bits."""
    put_word(out, end, END_BIT)
    for at in range(end + 8, stop - 8, 8):
        put_word(out, at, NOTHING)
    put_word_big(out, stop - 8, np.uint64(8 * n))


@inner
def _finish256(state, out, begin, end, folded):
    """Fold out[begin:end] and the padding into state; `folded` bytes were folded before."""
    at = begin
    while end - at >= 64:
        compress256(state, out, at)
        at += 64
    stop = at + (64 if end - at < 56 else 128)
    _pad(out, end, stop, folded + end - begin)
    compress256(state, out, at)
    if stop - at > 64:
        compress256(state, out, at + 64)


@inner
def _finish512(state, out, begin, end, folded):
    at = begin
    while end - at >= 128:
        compress512(state, out, at)
        at += 128
    stop = at + (128 if end - at < 112 else 256)
    _pad(out, end, stop, folded + end - begin)
    compress512(state, out, at)
    if stop - at > 128:
        compress512(state, out, at + 128)


@inner
def sha256_in_place(key, out, begin, end):
    """Put SHA-256 of out[begin:end] into key.digest[:32]; `end` is the end of what was written."""
    for i in range(8):
        key.work256[i] = START256[i]
    _finish256(key.work256, out, begin, end, 0)
    _put_state256(key.work256, key.digest, 0)


@inner
def hmac256_in_place(key, state, out, begin, end, folded):
    """Put HMAC-SHA256 of out[begin:end] into key.digest[:32].

    `state` is key.inner256 and `folded` 64, or, where the message's first blocks are always the
    same, the state after them and the bytes folded till then (a multiple of 64); `begin` is behind
    them.
    """
    work = key.work256
    for i in range(8):
        work[i] = state[i]
    _finish256(work, out, begin, end, folded)
    _put_state256(work, out, end)
    _pad(out, end + 32, end + 64, 64 + 32)
    for i in range(8):
        work[i] = key.outer256[i]
    compress256(work, out, end)
    _put_state256(work, key.digest, 0)


@inner
def hmac512_in_place(key, out, begin, end):
    """Put HMAC-SHA512 of out[begin:end] into key.digest[:64]."""
    work = key.work512
    for i in range(8):
        work[i] = key.inner512[i]
    _finish512(work, out, begin, end, 128)
    _put_state512(work, out, end)
    _pad(out, end + 64, end + 128, 128 + 64)
    for i in range(8):
        work[i] = key.outer512[i]
    compress512(work, out, end)
    _put_state512(work, key.digest, 0)


@kernel
def set_key256(key, block):
    """Take in a key of at most 64 bytes, zero-padded to 64 in `block`, which is wiped."""
    for i in range(64):
        block[i] ^= IPAD
    for i in range(8):
        key.inner256[i] = START256[i]
        key.outer256[i] = START256[i]
    compress256(key.inner256, block, 0)
    for i in range(64):
        block[i] ^= IPAD ^ OPAD
    compress256(key.outer256, block, 0)
    for i in range(64):
        block[i] = 0
    key.ready = 1


@kernel
def set_key512(key, block):
    """Take in a key of at most 128 bytes, zero-padded to 128 in `block`, which is wiped."""
    for i in range(128):
        block[i] ^= IPAD
    for i in range(8):
        key.inner512[i] = START512[i]
        key.outer512[i] = START512[i]
    compress512(key.inner512, block, 0)
    for i in range(128):
        block[i] ^= IPAD ^ OPAD
    compress512(key.outer512, block, 0)
    for i in range(128):
        block[i] = 0
    key.ready = 1


@kernel
def fold256(key, state, text, n):
    """Set state to HMAC-SHA256's after the first n bytes of text (a multiple of 64)."""
    for i in range(8):
        state[i] = key.inner256[i]
    for at in range(0, n, 64):
        compress256(state, text, at)
