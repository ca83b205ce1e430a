"""Layouts of the parse kernel: what a connection's messages look like, and who trades on it.

`feeds/dialect.py` fills a FEED record from a venue's message templates and the instruments that
are subscribed; `parse.read_frame` follows its ops through each frame.
"""

from __future__ import annotations

import numpy as np

MAX_OPS = 512
MAX_SYMBOLS = 64
NAME_SLOTS = 256
"""Hash table of names: two spellings of MAX_SYMBOLS, half full at most."""
NAME_BYTES = 32
MAX_DIGITS = 18
"""Digits of a number that the kernel reads; below 10^18 nothing overflows."""

# --- ops ---------------------------------------------------------------------------------------
OP_LITERAL = 1
"""`length` bytes that must stand here; otherwise go to `other` (-1: the frame is not declared)."""
OP_NAME = 2
"""A name in spelling `a` that ends before byte `b`."""
OP_INTEGER = 3
"""An unsigned integer into registers `a` and `d`, times `b`, plus `c`, at most `most`."""
OP_SIGNED = 4
"""An integer into register `a`, as unsigned 32 bits; with `b` set it may be negative."""
OP_ISO = 5
"""An ISO time in UTC into the time register; with `a` set, into the newest time
register if it is later than what is there.
"""
OP_TEXT = 6
"""Printable ASCII up to a quote."""
OP_PRICE = 7
OP_SIZE = 8
OP_LEVELS = 9
"""A list of levels of side `a`. Words 0-1 open it (`length` bytes), 2 parts price and size (`b`), 3
follows each of `most` more integers in quotes, 4-5 part levels (`c`), 6 closes it (`d`).
"""
OP_CHOICE = 10
"""One of two words: sets register `a` to 0 or 1 (`length` and `b` are their lengths)."""
OP_EMIT = 11
"""An event of kind `a`; side `b`, or the side register's where b is NO_SIDE."""
OP_EACH = 12
"""A comma goes back to op `a`; a closing bracket goes on."""
OP_CLEAR = 13
"""A snapshot begins: events are flagged from here on; with `a` set, a CLEAR event goes first."""
OP_END = 14
"""The message is complete: flags `a` of MESSAGE_*."""
OP_NUMBER = 15
"""A JSON number of any length and form, without meaning to us."""
OP_ROWS = 16
"""A literal, as OP_LITERAL, that begins a row of a list of levels; the ops of ROW follow."""

ROW = (
    *(OP_LITERAL, OP_CHOICE, OP_LITERAL, OP_ISO, OP_LITERAL, OP_PRICE, OP_LITERAL, OP_SIZE),
    *(OP_LITERAL, OP_EMIT, OP_EACH),
)
"""Ops of a list whose rows are read many at a time (`parse_rows`): its first becomes OP_ROWS."""

MESSAGE_FILL = 1
"""Time, seq and ref of all events are those read anywhere in the message."""
MESSAGE_BOOK = 2
"""A book message: without levels it is one STATUS event."""
MESSAGE_RESTART = 4
"""seq 1 is a restart of the venue's book and goes to the slow parser."""
MESSAGE_CHECKSUM = 8
"""A CHECKSUM event ends the message."""
MESSAGE_CHECKSUM_DECIMALS = 16
"""It says with how many decimals the venue writes prices and sizes."""
MESSAGE_FOLLOWS = 32
"""The message follows seq - 1: the venue numbers its book messages one by one."""
MESSAGE_REVERSE = 64
"""The venue writes the newest trade, or the ask, first; events go the other way round."""

# --- registers ---------------------------------------------------------------------------------
REG_TIME = 0
"""Exchange time, ns; 0: not told."""
REG_SEQ = 1
REG_REF = 2
REG_PRICE = 3
REG_SIZE = 4
REG_SIDE = 5
REG_CHECKSUM = 6
REG_UNUSED = 7
REG_COUNT = 8
"""The connection's own number of the message, of all channels; -1: it has none."""
REG_NEWEST = 9
"""Newest of the times that stand in each level; above 0 it is the time of the message."""
N_REGISTERS = 10

# --- reasons -----------------------------------------------------------------------------------
REASONS = (
    "ok",
    "shape",
    "number",
    "digits",
    "grid",
    "price",
    "symbol",
    "truncated",
    "trailing",
    "oversize",
    "full",
    "text",
    "time",
    "rule",
)
"""Why a frame was not read fast, by code; `read_frame` returns the code negated. Append only."""
(
    _,
    SHAPE,
    NUMBER,
    DIGITS,
    GRID,
    PRICE,
    WRONG_SYMBOL,
    TRUNCATED,
    TRAILING,
    OVERSIZE,
    FULL,
    TEXT,
    TIME,
    RULE,
) = range(len(REASONS))

# --- records -----------------------------------------------------------------------------------
OP = np.dtype(
    [
        ("code", "i8"),
        ("other", "i8"),
        ("length", "i8"),
        ("a", "i8"),
        ("b", "i8"),
        ("c", "i8"),
        ("d", "i8"),
        ("most", "i8"),
        ("exponents", "i8"),  # prices and sizes: the venue writes them with exponents
        ("words", "u8", (8,)),
        ("masks", "u8", (8,)),
    ],
    align=True,
)
"""One step through a frame. Literals of up to 32 bytes stand in words 0-3."""

STEP = np.dtype(
    [
        ("inverse", "u8"),
        ("shift", "i8"),
        ("most", "u8"),  # steps
        ("quick", "u8"),  # `most`, or 0 where a short number may be above `largest`
        ("largest", "i8"),  # number whose product does not overflow
    ],
    align=True,
)
"""How a number with as many decimals as the row's index becomes whole steps (`exact_steps`)."""

NAME = np.dtype(
    [("words", "u8", (4,)), ("length", "i8"), ("spelling", "i8"), ("symbol", "i8"), ("set", "i8")],
    align=True,
)

SYMBOL = np.dtype(
    [
        ("instrument", "i8"),
        ("px_decimals", "i8"),
        ("qty_decimals", "i8"),
        ("reserved", "i8"),
        ("px", STEP, (MAX_DIGITS + 1,)),
        ("qty", STEP, (MAX_DIGITS + 1,)),
    ],
    align=True,
)

FEED = np.dtype(
    [
        ("capacity", "i8"),  # bytes of the largest frame; the buffer has PAD more
        ("venue", "i8"),
        ("stop", "i8"),  # where the last frame that was not fast stopped being as declared
        ("op", "i8"),  # and at which op
        ("symbol", "i8"),  # of the last frame: index into symbols, -1 none
        ("reserved", "i8", (3,)),
        ("registers", "i8", (N_REGISTERS,)),
        ("counts", "i8", (16,)),  # frames by outcome: [0] fast, then REASONS
        ("ops", OP, (MAX_OPS,)),
        ("names", NAME, (NAME_SLOTS,)),
        ("symbols", SYMBOL, (MAX_SYMBOLS,)),
    ],
    align=True,
)
"""All that the parse kernel knows of one connection: 200 KiB, of which a few rows are in use."""
