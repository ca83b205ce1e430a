"""One frame of a venue to events: the ops of a FEED, followed through the bytes.

`read_frame` accepts only what the venue's templates declare, byte for byte, with numbers that are
exact on the instrument's grid. Anything else is a negative reason (`parse_layout.REASONS`) and the
caller hands the frame to the slow parser of the venue. Events that were written before the frame
turned out so are not to be used.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.parse_bytes import PAD, load8
from kimera_cli.kernels.parse_event import finish, put_event
from kimera_cli.kernels.parse_json import exponent_steps, same_bytes, skip_number
from kimera_cli.kernels.parse_layout import (
    FULL,
    NAME_BYTES,
    NUMBER,
    OP_CHOICE,
    OP_CLEAR,
    OP_EACH,
    OP_EMIT,
    OP_INTEGER,
    OP_ISO,
    OP_LEVELS,
    OP_LITERAL,
    OP_NAME,
    OP_NUMBER,
    OP_PRICE,
    OP_ROWS,
    OP_SIGNED,
    OP_SIZE,
    OP_TEXT,
    OVERSIZE,
    PRICE,
    REG_COUNT,
    REG_NEWEST,
    REG_PRICE,
    REG_REF,
    REG_SEQ,
    REG_SIDE,
    REG_SIZE,
    REG_TIME,
    ROW,
    RULE,
    SHAPE,
    TIME,
    TRAILING,
    TRUNCATED,
    WRONG_SYMBOL,
)
from kimera_cli.kernels.parse_levels import read_levels
from kimera_cli.kernels.parse_match import (
    common_bytes,
    find_name,
    literal_stands,
    name_length,
    skip_text,
    stands,
)
from kimera_cli.kernels.parse_number import decimal_steps, iso_time, unsigned_integer
from kimera_cli.kernels.parse_rows import read_rows
from kimera_cli.layouts import BID, CLEAR, F_SNAPSHOT, NO_SIDE, STATUS, TRADE

_ROW = len(ROW)
_COMMA, _BRACKET, _DASH = 44, 93, 45


@kernel
def read_frame(feed, frame, n, ts_local_ns, out):
    """Read the frame in frame[:n] into events; return how many, or -reason (REASONS).

    `feed` is a FEED record, `frame` an array of uint8 with PAD bytes behind the largest
    frame (byte n is overwritten), `out` an array of EVENT. `feed.counts` counts
    the outcome.
    """
    if n > feed.capacity or n + PAD > frame.shape[0] or n < 0:
        feed.counts[OVERSIZE] += 1
        feed.stop = 0
        return np.int64(-OVERSIZE)
    frame[n] = 0
    registers = feed.registers
    registers[REG_TIME] = 0
    registers[REG_SEQ] = 0
    registers[REG_REF] = 0
    registers[REG_COUNT] = -1
    registers[REG_NEWEST] = 0
    iso_at, iso_length, iso_value = np.int64(0), np.int64(0), np.int64(0)
    row_at = np.int64(-1)
    bid_at, bid_length = np.int64(-1), np.int64(0)
    ask_at, ask_length = np.int64(-1), np.int64(0)
    i = np.int64(0)
    pc = np.int64(0)
    count = np.int64(0)
    which = np.int64(-1)
    flags = np.int64(0)
    status = np.int64(0)
    while True:
        op = feed.ops[pc]
        code = op.code
        if code == OP_LITERAL:
            if literal_stands(frame, i, op):
                i += op.length
                pc += 1
                continue
            if op.other >= 0:
                pc = op.other
                continue
            i += common_bytes(frame, i, op)
            status = np.int64(-SHAPE)
            break
        if code == OP_INTEGER:
            value, i = unsigned_integer(frame, i)
            if value < 0 or value > op.most or (value == 0 and op.a == REG_TIME):
                status = value if value < 0 else np.int64(-TIME)
                break
            value = value * op.b + op.c
            registers[op.a] = value
            registers[op.d] = value
        elif code == OP_NAME:
            length = name_length(frame, i, op.b)
            found = np.int64(-1)
            if length <= NAME_BYTES:
                found = find_name(feed, frame, i, length, op.a)
            if found < 0 or (which >= 0 and found != which):
                status = np.int64(-WRONG_SYMBOL)
                break
            which = found
            i += length
        elif code == OP_LEVELS:
            if which < 0:
                status = np.int64(-WRONG_SYMBOL)
                break
            count, i = read_levels(
                feed, frame, i, op, feed.symbols[which], flags, ts_local_ns, out, count
            )
            if count < 0:
                status = count
                break
        elif code == OP_ROWS:
            if which < 0:
                status = np.int64(-WRONG_SYMBOL)
                break
            if row_at < 0:
                bid_at, ask_at = np.int64(-1), np.int64(-1)
            else:  # a row was just read op by op: those like it need no ops
                length = op.length + feed.ops[pc + 2].length + iso_length + feed.ops[pc + 4].length
                if registers[REG_SIDE] == BID:
                    bid_at, bid_length = row_at, length + feed.ops[pc + 1].length
                else:
                    ask_at, ask_length = row_at, length + feed.ops[pc + 1].b
                rows = (bid_at, bid_length, ask_at, ask_length)
                symbol = feed.symbols[which]
                count, i, ended = read_rows(
                    feed, frame, i, pc, symbol, flags, ts_local_ns, out, count, rows
                )
                if ended != 0:
                    row_at = np.int64(-1)
                    pc += _ROW
                    continue
            row_at = i
            if not literal_stands(frame, i, op):
                i += common_bytes(frame, i, op)
                status = np.int64(-SHAPE)
                break
            i += op.length
        elif code == OP_PRICE or code == OP_SIZE:
            if which < 0:
                status = np.int64(-WRONG_SYMBOL)
                break
            symbol = feed.symbols[which]
            rows = symbol.px if code == OP_PRICE else symbol.qty
            if op.exponents:
                steps, i = exponent_steps(frame, i, rows)
            else:
                steps, i = decimal_steps(frame, i, rows)
            if steps < 0 or (steps == 0 and code == OP_PRICE):
                status = steps if steps < 0 else np.int64(-PRICE)
                break
            registers[REG_PRICE if code == OP_PRICE else REG_SIZE] = steps
        elif code == OP_EMIT:
            if which < 0 or count >= out.shape[0]:
                status = np.int64(-WRONG_SYMBOL) if which < 0 else np.int64(-FULL)
                break
            kind = op.a
            side = registers[REG_SIDE] if op.b == NO_SIDE else op.b
            px, qty = registers[REG_PRICE], registers[REG_SIZE]
            if kind == TRADE and qty == 0:
                kind, side, px = STATUS, NO_SIDE, 0
            instrument = feed.symbols[which].instrument
            put_event(out, count, feed, instrument, kind, side, px, qty, flags, ts_local_ns)
            count += 1
        elif code == OP_CHOICE:
            if stands(frame, i, op.words[0], op.masks[0]):
                registers[op.a] = 0
                i += op.length
            elif stands(frame, i, op.words[1], op.masks[1]):
                registers[op.a] = 1
                i += op.b
            else:
                status = np.int64(-SHAPE)
                break
        elif code == OP_EACH:
            byte = load8(frame, i)
            i += 1
            if byte == _COMMA:
                pc = op.a
                continue
            if byte != _BRACKET:
                i -= 1
                status = np.int64(-SHAPE)
                break
            row_at = np.int64(-1)
        elif code == OP_TEXT:
            status, i = skip_text(frame, i)
            if status < 0:
                break
        elif code == OP_ISO:
            if iso_length and same_bytes(frame, i, iso_at, iso_length):
                value, i = iso_value, i + iso_length
            else:
                iso_at = i
                value, i = iso_time(frame, i)
                if value < 0 or (value == 0 and op.a == 0):
                    status = min(value, np.int64(-TIME))
                    break
                iso_value, iso_length = value, i - iso_at
            if op.a == 0:
                registers[REG_TIME] = value
            elif value > registers[REG_NEWEST]:
                registers[REG_NEWEST] = value
        elif code == OP_SIGNED:
            negative = op.b != 0 and load8(frame, i) == _DASH
            value, i = unsigned_integer(frame, i + 1 if negative else i)
            if value < 0 or value >= 1 << 32:
                status = np.int64(-NUMBER)
                break
            registers[op.a] = (-value if negative else value) & 0xFFFFFFFF
        elif code == OP_NUMBER:
            status, i = skip_number(frame, i)
            if status < 0:
                break
        elif code == OP_CLEAR:
            flags = np.int64(F_SNAPSHOT)
            if op.a:
                if which < 0 or count >= out.shape[0]:
                    status = np.int64(-WRONG_SYMBOL) if which < 0 else np.int64(-FULL)
                    break
                instrument = feed.symbols[which].instrument
                put_event(out, count, feed, instrument, CLEAR, NO_SIDE, 0, 0, flags, ts_local_ns)
                count += 1
        else:
            if i != n:
                status = np.int64(-TRAILING)
                break
            if which < 0:
                status = np.int64(-WRONG_SYMBOL)
                break
            status = finish(feed, feed.symbols[which], op.a, ts_local_ns, out, count)
            break
        pc += 1
    feed.symbol = which
    if status > 0:
        feed.counts[0] += 1
        return status
    if i >= n and status != -RULE and status != -FULL:
        status = np.int64(-TRUNCATED)
    feed.stop = i
    feed.op = pc
    feed.counts[-status] += 1
    return status
