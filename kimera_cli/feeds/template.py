"""Message templates to the ops of the parse kernel.

Templates are merged into a tree: what they begin with alike is read once, and where they part, the
literals decide which way to go. Going back is never needed, so each byte of a frame is looked at
once. Two templates that differ only in what a placeholder means cannot be told apart: that is an
error of the declaration, found when the tree is built.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.feeds.dialect import Message
from kimera_cli.kernels.parse_layout import (
    MAX_OPS,
    MESSAGE_BOOK,
    MESSAGE_CHECKSUM,
    MESSAGE_CHECKSUM_DECIMALS,
    MESSAGE_FILL,
    MESSAGE_FOLLOWS,
    MESSAGE_RESTART,
    MESSAGE_REVERSE,
    OP,
    OP_CHOICE,
    OP_CLEAR,
    OP_EACH,
    OP_EMIT,
    OP_END,
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
    REG_CHECKSUM,
    REG_COUNT,
    REG_REF,
    REG_SEQ,
    REG_SIDE,
    REG_TIME,
    REG_UNUSED,
    ROW,
)
from kimera_cli.layouts import ASK, BID, DEPTH, NO_SIDE, QUOTE, TRADE

_PIECE = re.compile(r"<([a-z]+)(-1)?(?::([^<>]*))?>")
_LITERAL = 32
_LAST = (1 << 63) - 1
_TIMES = {"ms": 1_000_000, "us": 1_000, "ns": 1, "s": 1_000_000_000}
_INTEGERS = {"seq": REG_SEQ, "ref": REG_REF, "int": REG_UNUSED, "count": REG_COUNT}
_NAMES = {"symbol": 0, "topic": 1}
_EMITTED = {"bid": (QUOTE, BID), "ask": (QUOTE, ASK), "trade": (TRADE, NO_SIDE)}
_EMITTED["level"] = (DEPTH, NO_SIDE)
_PRICES = ("bids", "asks", "clear", *_EMITTED)
_STYLES = {
    "": ('[["', '","', '"],["', '"]]', 0),
    "4": ('[["', '","', '"],["', '"]]', 2),
    "bare": ("[[", ",", "],[", "]]", 0),
    "java": ("[[", ",", "],[", "]]", 0),
    "named": ('[{"price":', ',"qty":', '},{"price":', "}]", 0),
}
"""What stands before, in, between and behind the levels of a list; integers behind each level."""

_SIMPLE = {
    ("iso", ""): (OP_ISO, 0),
    ("iso", "newest"): (OP_ISO, 1),
    ("text", ""): (OP_TEXT, 0),
    ("number", ""): (OP_NUMBER, 0),
    ("px", ""): (OP_PRICE, 0),
    ("px", "java"): (OP_PRICE, 0),
    ("qty", ""): (OP_SIZE, 0),
    ("qty", "java"): (OP_SIZE, 0),
    ("clear", "depth"): (OP_CLEAR, 1),
    ("clear", "trade"): (OP_CLEAR, 0),
}
"""Placeholders by name and style: the op, and its `a`."""


class Field(NamedTuple):
    """A placeholder: its name, whether one is taken off, and what stands behind the colon."""

    name: str
    less_one: bool = False
    style: str = ""


Token = str | Field
"""One character of literal text, or a placeholder."""


class TemplateError(ValueError):
    """A declaration that cannot be read; a defect of the program, not of a frame."""


def tokens(message: Message) -> tuple[Token, ...]:
    """Return the characters and placeholders of a template, its end included."""
    found: list[Token] = []
    at = 0
    for piece in _PIECE.finditer(message.text):
        found += message.text[at : piece.start()]
        name, less_one, style = piece.groups()
        begin = Field("clear", style=message.kind)
        if message.snapshot and name in ("bids", "asks", "each") and begin not in found:
            found.append(begin)
        found.append(Field(name, less_one is not None, style or ""))
        at = piece.end()
    found += message.text[at:]
    return (*found, Field("end", style=str(_message_flags(message, found))))


def _message_flags(message: Message, found: Sequence[Token]) -> int:
    flags = MESSAGE_FILL if message.kind != "trade" and _told_late(found) else 0
    flags |= MESSAGE_BOOK if message.kind == "depth" else 0
    flags |= MESSAGE_FOLLOWS if message.follows else 0
    flags |= MESSAGE_RESTART if message.restart else 0
    for token in found:
        if isinstance(token, Field) and token.name == "checksum":
            flags |= MESSAGE_CHECKSUM
            flags |= MESSAGE_CHECKSUM_DECIMALS if token.style == "decimals" else 0
    return flags | (MESSAGE_REVERSE if _is_reversed(found) else 0)


def _told_late(found: Sequence[Token]) -> bool:
    """Tell whether time or numbers of a message stand behind its first price."""
    names = [token.name for token in found if isinstance(token, Field)]
    first = min(names.index(name) for name in _PRICES if name in names)
    late = any(name in _TIMES or name in ("iso", "seq", "ref") for name in names[first:])
    return late or Field("iso", style="newest") in found


def _is_reversed(found: Sequence[Token]) -> bool:
    """Tell whether the venue writes newest trades, or asks, first."""
    fields = [token for token in found if isinstance(token, Field)]
    quotes = [field.name for field in fields if field.name in ("bid", "ask")]
    return quotes == ["ask", "bid"] or Field("each", style="newest") in fields


def compile_messages(messages: Sequence[Message]) -> Any:
    """Return the ops of the templates, shape (n,) of dtype OP."""
    tree = _Tree()
    tree.grow([tokens(message) for message in messages], [])
    if len(tree.ops) > MAX_OPS:
        raise TemplateError(f"expected at most {MAX_OPS} ops, was {len(tree.ops)}")
    ops = np.concatenate(tree.ops)
    _mark_rows(ops)
    return ops


def _mark_rows(ops: Any) -> None:
    """Let lists of levels that are objects be read many rows at a time."""
    for end in np.flatnonzero(ops["code"] == OP_EACH):
        begin = int(ops["a"][end])
        row = ops[begin : end + 1]
        levels = tuple(row["code"].tolist()) == ROW and row["a"][-2] == DEPTH
        if levels and row["b"][-2] == NO_SIDE and (row["other"] == -1).all():
            ops["code"][begin] = OP_ROWS


class _Tree:
    """The ops so far; an op goes on to the next one unless it says otherwise."""

    def __init__(self) -> None:
        self.ops: list[Any] = []

    def grow(self, ways: list[tuple[Token, ...]], loops: list[int]) -> None:
        """Add the ops of all `ways` that a message may go from here; `loops` are open lists."""
        groups: dict[Token, list[tuple[Token, ...]]] = {}
        for way in ways:
            groups.setdefault(way[0], []).append(way)
        if len(groups) > 1 and not all(isinstance(token, str) for token in groups):
            raise TemplateError(f"expected one meaning at this place, was {list(groups)}")
        previous = -1
        for token, group in groups.items():
            if previous >= 0:
                self.ops[previous]["other"] = len(self.ops)
            previous = len(self.ops)
            if isinstance(token, str):
                self._literal(group, loops)
            else:
                self._field(token, group, loops)

    def _literal(self, group: list[tuple[Token, ...]], loops: list[int]) -> None:
        shared = 0
        for characters in zip(*group, strict=False):
            if not isinstance(characters[0], str) or len(set(characters)) > 1:
                break
            shared += 1
        text = "".join(str(c) for c in group[0][:shared]).encode()
        for start in range(0, len(text), _LITERAL):
            self._put(OP_LITERAL, texts=_words(text[start : start + _LITERAL], 4))
            self.ops[-1]["length"] = len(text[start : start + _LITERAL])
        self.grow([way[shared:] for way in group], loops)

    def _field(self, field: Field, group: list[tuple[Token, ...]], loops: list[int]) -> None:
        rest = [way[1:] for way in group]
        if field.name == "each":
            self.grow(rest, [*loops, len(self.ops)])
            return
        if field.name == "end":
            if len(group) > 1:
                raise TemplateError("expected each template once, was there twice")
            self._put(OP_END, a=int(field.style))
            return
        if field.name == "next":
            if not loops:
                raise TemplateError("expected <each> before <next>")
            self._put(OP_EACH, a=loops[-1])
            self.grow(rest, loops[:-1])
            return
        self._read(field, {way[0] for way in rest})
        self.grow(rest, loops)

    def _read(self, field: Field, behind: set[Token]) -> None:
        name, style = field.name, field.style
        if name in _NAMES:
            self._put(OP_NAME, a=_NAMES[name], b=_end_of_name(behind))
        elif name in _TIMES:
            scale = _TIMES[name]
            self._integer(REG_TIME, REG_UNUSED, scale)
        elif name in _INTEGERS:
            also = REG_COUNT if style == "count" else REG_UNUSED
            self._integer(_INTEGERS[name], also, less=int(field.less_one))
        elif name in ("bids", "asks"):
            self._levels(BID if name == "bids" else ASK, style)
        elif name in _EMITTED:
            kind, side = _EMITTED[name]
            self._put(OP_EMIT, a=kind, b=side)
        elif name == "side":
            self._choice(REG_SIDE, *style.split("|"))
        elif name == "bool":
            self._choice(REG_UNUSED, "true", "false")
        elif name == "checksum":
            self._put(OP_SIGNED, a=REG_CHECKSUM, b=int(style != "decimals"))
        else:
            self._simple(name, style)

    def _simple(self, name: str, style: str) -> None:
        if (name, style) not in _SIMPLE:
            raise TemplateError(f"expected a known placeholder, was <{name}> {style}")
        code, value = _SIMPLE[name, style]
        self._put(code, a=value)
        self.ops[-1]["exponents"] = style == "java"

    def _integer(self, register: int, also: int, scale: int = 1, less: int = 0) -> None:
        self._put(OP_INTEGER, a=register, b=scale, c=-less, most=_LAST // scale)
        self.ops[-1]["d"] = also

    def _choice(self, register: int, first: str, second: str) -> None:
        words = [_words(text.encode(), 1)[0] for text in (first, second)]
        self._put(OP_CHOICE, a=register, b=len(second), texts=words)
        self.ops[-1]["length"] = len(first)

    def _levels(self, side: int, style: str) -> None:
        if style not in _STYLES:
            raise TemplateError(f"expected levels as one of {list(_STYLES)}, was {style!r}")
        before, middle, between, behind, more = _STYLES[style]
        each = _words(b'"' if more else b"", 1)
        texts = [
            *(*_words(before.encode(), 2), *_words(middle.encode(), 1), *each),
            *(*_words(between.encode(), 2), *_words(behind.encode(), 2)),
        ]
        self._put(OP_LEVELS, a=side, b=len(middle), c=len(between), most=more, texts=texts)
        self.ops[-1]["length"] = len(before)
        self.ops[-1]["d"] = len(behind)
        self.ops[-1]["exponents"] = style == "java"

    def _put(
        self,
        code: int,
        *,
        a: int = 0,
        b: int = 0,
        c: int = 0,
        most: int = 0,
        texts: Sequence[tuple[int, int]] = (),
    ) -> None:
        op = np.zeros(1, OP)
        values = {"code": code, "other": -1, "a": a, "b": b, "c": c, "most": most}
        for name, value in values.items():
            op[name] = value
        for k, (word, mask) in enumerate(texts):
            op["words"][0, k], op["masks"][0, k] = word, mask
        self.ops.append(op)


def _words(text: bytes, count: int) -> list[tuple[int, int]]:
    """Return (word, mask) of each eight bytes, `count` of them."""
    if len(text) > 8 * count:
        raise TemplateError(f"expected at most {8 * count} bytes, was {text!r}")
    parts = [text[8 * k : 8 * k + 8] for k in range(count)]
    return [
        (int.from_bytes(part, "little"), int.from_bytes(b"\xff" * len(part), "little"))
        for part in parts
    ]


def _end_of_name(behind: set[Token]) -> int:
    """Return the byte at which a name ends; the same in all templates."""
    if len(behind) != 1 or not isinstance(end := next(iter(behind)), str):
        raise TemplateError(f"expected one byte behind a name, was {behind}")
    return ord(end)
