"""Order requests as bytes: a program of a venue's request is run over one order's numbers.

A program is a list of steps made once per venue, instrument and kind of order (venues/wire/): write
this text, write the price, remember this place, sign from there to here. `build_order` runs it into
the order's own buffer, front to back: what is signed comes first, the request that goes out last.
The programs' maker proves that the longest request fits, so nothing here checks room.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.encode import put_base64, put_base64_in_query, put_hex
from kimera_cli.kernels.hmac_sha import (
    KEY,
    PADDING,
    hmac256_in_place,
    hmac512_in_place,
    sha256_in_place,
)
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.stamps import NS_PER_MS, NS_PER_S, put_rfc3339_ms, put_seconds_in_query
from kimera_cli.kernels.text import SLACK, copy_text, put_number, put_steps
from kimera_cli.layouts import FOK, I64, MARKET

# --- steps: code, then two arguments ------------------------------------------------------------
END = 0
TEXT = 1
"""Write b bytes of the program's text from a on."""
PRICE = 2
QTY = 3
COST = 4
"""Write price x size."""
CLIENT_ID = 5
VENUE_ID = 6
REQUEST_ID = 7
TOKEN = 8
"""Write the account's session token."""
NONCE = 9
"""Raise the account's nonce to the order's milliseconds, or by one, and write it."""
SAME_NONCE = 10
MILLISECONDS = 11
"""Write the order's time, a milliseconds later."""
SECONDS = 12
RFC3339 = 13
"""Write the order's time, a milliseconds later."""
QUERY_TIME = 14
"""Write the order's time, a milliseconds later, in whole seconds."""
MARK = 15
"""Remember this place as number a."""
COPY = 16
"""Write again what stands between the places a and b."""
LENGTH = 17
"""Write how many bytes stand between the places a and b."""
SIGN256 = 18
"""HMAC-SHA256 of everything from place a on; b bytes of it are folded in the program's prefix."""
SIGN512 = 19
HASH256 = 20
"""SHA-256 of everything from place a on, without key."""
HEX = 21
BASE64 = 22
BASE64_IN_QUERY = 23
DIGEST = 24
"""Write a bytes of the digest: in hex, in base64, in base64 for a query, as they are."""

MAX_STEPS = 64
MAX_MARKS = 16
TEXT_BYTES = 1024
ID_BYTES = 64
"""The longest client or venue order id."""
OUT_BYTES = 8192
FRAME_ROOM = 16
"""Free bytes at the front of the buffer: a websocket frame's head is at most 14."""

# --- what a program needs of an order -----------------------------------------------------------
NEEDS_PRICE, NEEDS_QTY, NEEDS_CLIENT_ID, NEEDS_VENUE_ID, NEEDS_TOKEN = 1, 2, 4, 8, 16

# --- answers below zero -------------------------------------------------------------------------
NO_PROGRAM = -1
BAD_PRICE = -2
BAD_QTY = -3
BAD_COST = -4
BAD_ID = -5
BAD_TIME = -6
NO_TOKEN = -7
NO_KEY = -8
PROBLEMS = (
    "ok",
    "no_program",
    "price",
    "quantity",
    "cost",
    "id",
    "time",
    "token",
    "key",
)
"""Names of the answers, by their negative."""

# --- which program ------------------------------------------------------------------------------
CANCEL_CLIENT_ID = 10
CANCEL_VENUE_ID = 11
LOGIN = 12
PROGRAMS = 13
"""Places 0 to 9 are new orders: (GTC, IOC, FOK, POST_ONLY, market) x (buy, sell)."""

PROGRAM = np.dtype(
    [
        ("needs", "i8"),
        ("n_steps", "i8"),  # 0: the venue has no such request
        # value = steps x multiple / 10^digits, for price, size and price x size
        ("px_multiple", "i8"),
        ("px_digits", "i8"),
        ("px_max", "i8"),  # the most ticks whose multiple fits int64
        ("qty_multiple", "i8"),
        ("qty_digits", "i8"),
        ("qty_max", "i8"),
        ("cost_multiple", "i8"),
        ("cost_digits", "i8"),
        ("cost_max", "i8"),  # 0: the request has no cost
        ("prefix", "u4", (8,)),  # HMAC state behind the key and the first blocks of constant text
        ("steps", "i4", (MAX_STEPS, 3)),
        ("text", "u1", (TEXT_BYTES + SLACK,)),
    ],
    align=True,
)
"""One request of one venue and instrument."""

ORDER = np.dtype(
    [
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("ts_ns", "i8"),  # the clock that the venue compares with its own
        ("request_id", "i8"),  # comes back in the answer on a websocket
        ("client_id_len", "i8"),
        ("venue_id_len", "i8"),
        ("begin", "i8"),  # out[begin:end] is the request
        ("end", "i8"),
        ("client_id", "u1", (ID_BYTES + SLACK,)),
        ("venue_id", "u1", (ID_BYTES + SLACK,)),
        ("marks", "i8", (MAX_MARKS,)),
        ("out", "u1", (OUT_BYTES,)),
    ],
    align=True,
)
"""One order's numbers and the buffer that its request is built in."""

OUT_ROOM = OUT_BYTES - FRAME_ROOM - PADDING - SLACK
"""What a program may write at most."""


@inner
def program_of(side, order_type, tif):
    """Return the place of a new order's program."""
    return 2 * (FOK + 2 if order_type == MARKET else tif) + side


@inner
def _refused(program, key, order):
    """Return 0, or why this order cannot be written."""
    needs = program.needs
    if program.n_steps == 0:
        return NO_PROGRAM
    if needs & NEEDS_PRICE and not 0 < order.px_ticks <= program.px_max:
        return BAD_PRICE
    if needs & NEEDS_QTY and not 0 < order.qty_lots <= program.qty_max:
        return BAD_QTY
    if program.cost_max and order.px_ticks > program.cost_max // order.qty_lots:
        return BAD_COST
    if needs & NEEDS_CLIENT_ID and not 0 < order.client_id_len <= ID_BYTES:
        return BAD_ID
    if needs & NEEDS_VENUE_ID and not 0 < order.venue_id_len <= ID_BYTES:
        return BAD_ID
    if order.ts_ns <= 0 or order.request_id < 0:
        return BAD_TIME
    if needs & NEEDS_TOKEN and key.token_len == 0:
        return NO_TOKEN
    return 0 if key.ready else NO_KEY


@inner
def build_order(program, key, order):
    """Write the request into order.out[order.begin:order.end]; return its length, or why not.

    `program` is a PROGRAM, `key` the account's KEY, `order` an ORDER record.
    """
    refused = _refused(program, key, order)
    if refused:
        order.begin = 0
        order.end = 0
        return np.int64(refused)
    out, marks = order.out, order.marks
    at = np.int64(FRAME_ROOM)
    for i in range(program.n_steps):
        code = program.steps[i, 0]
        a = np.int64(program.steps[i, 1])
        b = np.int64(program.steps[i, 2])
        if code == TEXT:
            at = copy_text(out, at, program.text, a, b)
        elif code == MARK:
            marks[a] = at
        elif code == PRICE:
            at = put_steps(out, at, order.px_ticks, program.px_multiple, program.px_digits)
        elif code == QTY:
            at = put_steps(out, at, order.qty_lots, program.qty_multiple, program.qty_digits)
        elif code == COST:
            cost = order.px_ticks * order.qty_lots
            at = put_steps(out, at, cost, program.cost_multiple, program.cost_digits)
        elif code == CLIENT_ID:
            at = copy_text(out, at, order.client_id, 0, order.client_id_len)
        elif code == VENUE_ID:
            at = copy_text(out, at, order.venue_id, 0, order.venue_id_len)
        elif code == COPY:
            at = copy_text(out, at, out, marks[a], marks[b] - marks[a])
        elif code == LENGTH:
            at = put_number(out, at, marks[b] - marks[a])
        elif code == MILLISECONDS:
            at = put_number(out, at, order.ts_ns // NS_PER_MS + a)
        elif code == SECONDS:
            at = put_number(out, at, order.ts_ns // NS_PER_S)
        elif code == RFC3339:
            at = put_rfc3339_ms(out, at, order.ts_ns + a * NS_PER_MS)
        elif code == QUERY_TIME:
            at = put_seconds_in_query(out, at, order.ts_ns + a * NS_PER_MS)
        elif code == REQUEST_ID:
            at = put_number(out, at, order.request_id)
        elif code == TOKEN:
            at = copy_text(out, at, key.token, 0, key.token_len)
        elif code == NONCE:
            key.nonce = max(key.nonce + 1, order.ts_ns // NS_PER_MS)
            at = put_number(out, at, key.nonce)
        elif code == SAME_NONCE:
            at = put_number(out, at, key.nonce)
        elif code == SIGN256:
            _sign256(program, key, out, marks[a], at, b)
        elif code == SIGN512:
            hmac512_in_place(key, out, marks[a], at)
        elif code == HASH256:
            sha256_in_place(key, out, marks[a], at)
        elif code == HEX:
            at = put_hex(out, at, key.digest, a)
        elif code == BASE64:
            at = put_base64(out, at, key.digest, a)
        elif code == BASE64_IN_QUERY:
            at = put_base64_in_query(out, at, key.digest, a)
        elif code == DIGEST:
            for j in range(a):
                out[at + j] = key.digest[j]
            at += a
    order.begin = marks[0]
    order.end = at
    return at - marks[0]


@inner
def _sign256(program, key, out, begin, end, folded):
    if folded:
        hmac256_in_place(key, program.prefix, out, begin + folded, end, 64 + folded)
    else:
        hmac256_in_place(key, key.inner256, out, begin, end, 64)


@kernel(types.int64(types.int64[::1]))
def _enter(a):
    programs = array_at(a[0], PROGRAMS, PROGRAM)
    key = array_at(a[1], 1, KEY)[0]
    order = array_at(a[2], 1, ORDER)[0]
    return build_order(programs[a[3]], key, order)


def addresses(programs: Any, key: Any, order: Any) -> I64:
    """Return what `build` needs to find the three arrays: PROGRAM[PROGRAMS], KEY[1], ORDER[1].

    The caller keeps them alive. The fourth number is which program to run.
    """
    return np.array([*(a.ctypes.data for a in (programs, key, order)), 0], np.int64)


def build(table: I64, programs: Any, key: Any, order: Any) -> int:
    """Call `build_order` from Python: one argument, because each costs as much as a hash block."""
    if numba.config.DISABLE_JIT:
        arrays = (a.view(np.recarray) for a in (programs[table[3] : table[3] + 1], key, order))
        return int(build_order(*(a[0] for a in arrays)))
    return int(_enter(table))
