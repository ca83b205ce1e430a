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
from kimera_cli.kernels.text import SLACK

BLOCK256, BLOCK512 = 64, 128
PADDING = 2 * BLOCK512
"""Room that a digest needs behind its message."""
TOKEN_BYTES = 2048
IPAD, OPAD = 0x36, 0x5C
LOW_32 = np.uint64(0xFFFFFFFF)

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
def _bytes256(state, digest):
    for i in range(8):
        word = np.int64(state[i])
        digest[4 * i] = word >> 24
        digest[4 * i + 1] = (word >> 16) & 255
        digest[4 * i + 2] = (word >> 8) & 255
        digest[4 * i + 3] = word & 255


@inner
def _bytes512(state, digest):
    for i in range(8):
        high = np.int64(state[i] >> np.uint64(32))
        low = np.int64(state[i] & LOW_32)
        for j in range(4):
            digest[8 * i + j] = (high >> (24 - 8 * j)) & 255
            digest[8 * i + 4 + j] = (low >> (24 - 8 * j)) & 255


@inner
def _put_bits(out, at, n):
    """Write the length in bits, n x 8, as 8 bytes."""
    bits = np.int64(n) * 8
    for i in range(8):
        out[at + i] = (bits >> (56 - 8 * i)) & 255


@inner
def _finish256(state, out, begin, end, folded):
    """Fold out[begin:end] and the padding into state; `folded` bytes were folded before."""
    at = begin
    while end - at >= 64:
        compress256(state, out, at)
        at += 64
    stop = at + (64 if end - at < 56 else 128)
    out[end] = 0x80
    for i in range(end + 1, stop - 8):
        out[i] = 0
    _put_bits(out, stop - 8, folded + end - begin)
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
    out[end] = 0x80
    for i in range(end + 1, stop - 8):
        out[i] = 0
    _put_bits(out, stop - 8, folded + end - begin)
    compress512(state, out, at)
    if stop - at > 128:
        compress512(state, out, at + 128)


@inner
def sha256_in_place(key, out, begin, end):
    """Put SHA-256 of out[begin:end] into key.digest[:32]; `end` is the end of what was written."""
    for i in range(8):
        key.work256[i] = START256[i]
    _finish256(key.work256, out, begin, end, 0)
    _bytes256(key.work256, key.digest)


@inner
def hmac256_in_place(key, state, out, begin, end, folded):
    """Put HMAC-SHA256 of out[begin:end] into key.digest[:32].

    `state` is key.inner256 and `folded` 64, or, where the message's first blocks are always the
    same, the state after them and the bytes folded till then (a multiple of 64); `begin` is behind
    them.
    """
    for i in range(8):
        key.work256[i] = state[i]
    _finish256(key.work256, out, begin, end, folded)
    _bytes256(key.work256, key.digest)
    for i in range(32):
        out[end + i] = key.digest[i]
    for i in range(8):
        key.work256[i] = key.outer256[i]
    _finish256(key.work256, out, end, end + 32, 64)
    _bytes256(key.work256, key.digest)


@inner
def hmac512_in_place(key, out, begin, end):
    """Put HMAC-SHA512 of out[begin:end] into key.digest[:64]."""
    for i in range(8):
        key.work512[i] = key.inner512[i]
    _finish512(key.work512, out, begin, end, 128)
    _bytes512(key.work512, key.digest)
    for i in range(64):
        out[end + i] = key.digest[i]
    for i in range(8):
        key.work512[i] = key.outer512[i]
    _finish512(key.work512, out, end, end + 64, 128)
    _bytes512(key.work512, key.digest)


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
