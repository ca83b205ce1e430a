"""One frame of a venue to events: the ops of a FEED, followed through the bytes.

`read_frame` accepts only what the venue's templates declare, byte for byte, with numbers that are
exact on the instrument's grid. Anything else is a negative reason (`parse_layout.REASONS`) and the
caller hands the frame to the slow parser of the venue. Events that were written before the frame
turned out so are not to be used.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, kernel, part
from kimera_cli.kernels.parse_bytes import find_byte, first_bytes, load8, load64, mixed
from kimera_cli.kernels.parse_layout import (
    FULL,
    MESSAGE_BOOK,
    MESSAGE_CHECKSUM,
    MESSAGE_CHECKSUM_DECIMALS,
    MESSAGE_FILL,
    MESSAGE_FOLLOWS,
    MESSAGE_RESTART,
    NAME_BYTES,
    NAME_SLOTS,
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
    OP_PRICE,
    OP_SIGNED,
    OP_SIZE,
    OP_TEXT,
    OVERSIZE,
    PRICE,
    REG_CHECKSUM,
    REG_PRICE,
    REG_REF,
    REG_SEQ,
    REG_SIDE,
    REG_SIZE,
    REG_TIME,
    RULE,
    SHAPE,
    TEXT,
    TIME,
    TRAILING,
    TRUNCATED,
    WRONG_SYMBOL,
)
from kimera_cli.kernels.parse_number import decimal_steps, iso_time, unsigned_integer
from kimera_cli.layouts import (
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    NO_SIDE,
    STATUS,
    TRADE,
)

_QUOTE, _COMMA, _BRACKET, _DASH = 34, 44, 93, 45
_BACKSLASH, _SPACE, _TILDE = 92, 32, 126


@part
def stands(frame, i, word, mask):
    """Tell whether the masked bytes of `word` stand at i."""
    return (load64(frame, i) ^ word) & mask == np.uint64(0)


@part
def literal_stands(frame, i, op):
    """Tell whether the literal of an op stands at i; up to 32 bytes."""
    good = stands(frame, i, op.words[0], op.masks[0])
    if good and op.length > 8:
        good = stands(frame, i + 8, op.words[1], op.masks[1])
        if good and op.length > 16:
            good = stands(frame, i + 16, op.words[2], op.masks[2])
            if good and op.length > 24:
                good = stands(frame, i + 24, op.words[3], op.masks[3])
    return good


@inner
def common_bytes(frame, i, op):
    """Return how many bytes of the op's literal stand at i before the first that does not."""
    for k in range(op.length):
        expected = (op.words[k >> 3] >> np.uint64(8 * (k & 7))) & np.uint64(255)
        if load8(frame, i + k) != np.int64(expected):
            return np.int64(k)
    return np.int64(op.length)


@part
def name_length(frame, i, end):
    """Return how many bytes stand at i before byte `end`; above NAME_BYTES when it is not near."""
    length = np.int64(0)
    k = np.int64(8)
    while k == 8 and length <= NAME_BYTES:
        k = find_byte(load64(frame, i + length), end)
        length += k
    return length


@inner
def find_name(feed, frame, i, length, spelling):
    """Return the symbol whose name in this spelling stands at i, or -1."""
    a = first_bytes(load64(frame, i), length)
    b = first_bytes(load64(frame, i + 8), length - 8)
    c = first_bytes(load64(frame, i + 16), length - 16)
    d = first_bytes(load64(frame, i + 24), length - 24)
    slot = mixed(a, b, c, d)
    for _ in range(NAME_SLOTS):
        name = feed.names[slot]
        if name.set == 0:
            break
        words = name.words
        if (
            name.spelling == spelling
            and words[0] == a
            and words[1] == b
            and words[2] == c
            and words[3] == d
        ):
            return name.symbol
        slot = (slot + 1) & (NAME_SLOTS - 1)
    return np.int64(-1)


@part
def put_event(event, feed, instrument, kind, side, px_ticks, qty_lots, flags, ts_local_ns):
    """Write what is known of an event while its message is read."""
    registers = feed.registers
    event.ts_exch_ns = registers[REG_TIME]
    event.ts_local_ns = ts_local_ns
    event.px_ticks = px_ticks
    event.qty_lots = qty_lots
    event.seq = registers[REG_SEQ]
    event.ref = registers[REG_REF]
    event.instrument = instrument
    event.venue = feed.venue
    event.kind = kind
    event.side = side
    event.flags = flags
    event.reserved = 0
    event.aux = 0


@inner
def read_levels(feed, frame, i, op, symbol, flags, ts_local_ns, out, count):
    """Read a list of levels at i as DEPTH events behind out[:count].

    Return (count or -reason, cursor).
    """
    words, masks = op.words, op.masks
    shut, shut_mask = words[6], masks[6]
    start = np.int64(load8(frame, i) == 91 and load8(frame, i + 1) == _BRACKET)
    if start:
        return count, i + 2
    if not (stands(frame, i, words[0], masks[0]) and stands(frame, i + 8, words[1], masks[1])):
        return np.int64(-SHAPE), i
    i += op.length
    mid, mid_mask, mid_length = words[2], masks[2], op.b
    between, between_mask = words[4], masks[4]
    behind, behind_mask, between_length = words[5], masks[5], op.c
    px_steps, qty_steps = symbol.px, symbol.qty
    instrument, side = symbol.instrument, op.a
    room = np.int64(out.shape[0])
    while True:
        px, i = decimal_steps(frame, i, px_steps)
        if px <= 0:
            return (px if px < 0 else np.int64(-PRICE)), i
        if not stands(frame, i, mid, mid_mask):
            return np.int64(-SHAPE), i
        i += mid_length
        qty, i = decimal_steps(frame, i, qty_steps)
        if qty < 0:
            return qty, i
        if count >= room:
            return np.int64(-FULL), i
        put_event(out[count], feed, instrument, DEPTH, side, px, qty, flags, ts_local_ns)
        count += 1
        if op.most:
            # OKX: ,"0","<number of orders>" behind price and size
            for _ in range(op.most):
                if not stands(frame, i, mid, mid_mask):
                    return np.int64(-SHAPE), i
                rest, i = unsigned_integer(frame, i + mid_length)
                if rest < 0:
                    return rest, i
        if stands(frame, i, between, between_mask) and stands(frame, i + 8, behind, behind_mask):
            i += between_length
        elif stands(frame, i, shut, shut_mask):
            return count, i + op.d
        else:
            return np.int64(-SHAPE), i


@inner
def finish(feed, symbol, message, ts_local_ns, out, count):
    """Complete the events of a message; return how many they are, or -reason."""
    registers = feed.registers
    if message & MESSAGE_RESTART and registers[REG_SEQ] == 1:
        return np.int64(-RULE)
    needed = count + (1 if message & MESSAGE_CHECKSUM else 0)
    if needed > out.shape[0] or out.shape[0] == 0:
        return np.int64(-FULL)
    if count == 0:
        if message & MESSAGE_BOOK == 0:
            return np.int64(-SHAPE)
        put_event(out[0], feed, symbol.instrument, STATUS, NO_SIDE, 0, 0, 0, ts_local_ns)
        count += 1
    time, seq, ref = registers[REG_TIME], registers[REG_SEQ], registers[REG_REF]
    if message & MESSAGE_FOLLOWS:
        ref = seq - 1
    if message & MESSAGE_FILL:
        for k in range(count):
            event = out[k]
            event.ts_exch_ns = time
            event.seq = seq
            event.ref = ref
        if out[0].kind == CLEAR:
            out[0].ref = 0
    if message & MESSAGE_CHECKSUM:
        if count >= out.shape[0]:
            return np.int64(-FULL)
        event = out[count]
        put_event(
            event,
            feed,
            symbol.instrument,
            CHECKSUM,
            NO_SIDE,
            0,
            registers[REG_CHECKSUM],
            0,
            ts_local_ns,
        )
        event.ref = 0
        if message & MESSAGE_CHECKSUM_DECIMALS:
            event.px_ticks = symbol.px_decimals
            event.ref = symbol.qty_decimals
        count += 1
    if time == 0:
        for k in range(count):
            out[k].ts_exch_ns = ts_local_ns
            out[k].flags |= F_NO_EXCH_TIME
    out[count - 1].flags |= F_LAST
    return np.int64(count)


@kernel
def read_frame(feed, frame, n, ts_local_ns, out):
    """Read the frame in frame[:n] into events; return how many, or -reason (REASONS).

    `feed` is a FEED record, `frame` an array of uint8 with PAD bytes behind the largest frame
    (byte n is overwritten), `out` an array of EVENT. `feed.counts` counts the outcome.
    """
    if n > feed.capacity or n + 64 > frame.shape[0] or n < 0:
        feed.counts[OVERSIZE] += 1
        feed.stop = 0
        return np.int64(-OVERSIZE)
    frame[n] = 0
    registers = feed.registers
    registers[REG_TIME] = 0
    registers[REG_SEQ] = 0
    registers[REG_REF] = 0
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
            if value < 0 or value > op.most:
                status = value if value < 0 else np.int64(-TIME)
                break
            registers[op.a] = value * op.b + op.c
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
        elif code == OP_PRICE or code == OP_SIZE:
            if which < 0:
                status = np.int64(-WRONG_SYMBOL)
                break
            symbol = feed.symbols[which]
            steps, i = decimal_steps(frame, i, symbol.px if code == OP_PRICE else symbol.qty)
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
            put_event(
                out[count],
                feed,
                feed.symbols[which].instrument,
                kind,
                side,
                px,
                qty,
                flags,
                ts_local_ns,
            )
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
        elif code == OP_TEXT:
            byte = load8(frame, i)
            while _SPACE <= byte <= _TILDE and byte != _QUOTE and byte != _BACKSLASH:
                i += 1
                byte = load8(frame, i)
            if byte != _QUOTE:
                status = np.int64(-TEXT)
                break
        elif code == OP_ISO:
            value, i = iso_time(frame, i)
            if value < 0:
                status = value
                break
            registers[REG_TIME] = value
        elif code == OP_SIGNED:
            negative = load8(frame, i) == _DASH
            value, i = unsigned_integer(frame, i + 1 if negative else i)
            if value < 0 or value >= 1 << 32:
                status = np.int64(-NUMBER)
                break
            registers[op.a] = (-value if negative else value) & 0xFFFFFFFF
        elif code == OP_CLEAR:
            if which < 0 or count >= out.shape[0]:
                status = np.int64(-WRONG_SYMBOL) if which < 0 else np.int64(-FULL)
                break
            flags = np.int64(F_SNAPSHOT)
            put_event(
                out[count],
                feed,
                feed.symbols[which].instrument,
                CLEAR,
                NO_SIDE,
                0,
                0,
                flags,
                ts_local_ns,
            )
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
