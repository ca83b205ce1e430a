"""Scripted faults: rules that meet requests, frames and connections on their way.

A rule names a hook, what it matches, what it does, and how often. Hooks:

connect         a TCP connection or a websocket handshake: refuse, reset, half_open, status
request.before  a request before it is carried out: drop, delay, reply (it is never carried out)
request.after   a request that has been carried out: drop, delay, reply, empty, truncate, replace,
                stale (the answer that the same target got first since the rule was set)
frame.in        a client's websocket message: drop (never carried out), delay
frame.out       the server's: drop, delay, duplicate, reorder (after the next one), truncate,
                garbage, replace, insert (body goes out as a frame before it), stale (the frame
                that matched first goes out in its place)
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from kimera_cli.errors import UsageError
from kimera_cli.venues.server.frames import Frame

Hook = Literal["connect", "request.before", "request.after", "frame.in", "frame.out"]
Action = Literal[
    "refuse", "reset", "half_open", "status", "drop", "delay", "reply", "empty", "truncate",
    "replace", "stale", "duplicate", "reorder", "garbage", "insert",
]  # fmt: skip
ACTIONS: dict[Hook, tuple[Action, ...]] = {
    "connect": ("refuse", "reset", "half_open", "status"),
    "request.before": ("drop", "delay", "reply"),
    "request.after": ("drop", "delay", "reply", "empty", "truncate", "replace", "stale"),
    "frame.in": ("drop", "delay"),
    "frame.out": (
        "drop", "delay", "duplicate", "reorder", "truncate", "garbage", "replace", "insert",
        "stale",
    ),
}  # fmt: skip
DEFAULT_SIZE = 10
GARBAGE = b"\x00\xff\xfe{]"


class Rule(msgspec.Struct, forbid_unknown_fields=True, dict=True):
    """One fault. `match` is a regular expression: of `METHOD target` and, after a line end, the
    body for requests; of the text for frames; of the path for connections."""

    hook: Hook
    action: Action
    venue: str = "*"
    match: str = ""
    path: str = ""
    """Regular expression of the websocket's path, for frames."""
    count: int | None = 1
    """How many times it acts; null: always."""
    skip: int = 0
    """How many matches pass first."""
    seconds: float = 0.0
    status: int = 503
    body: str = ""
    headers: dict[str, str] = {}
    size: int = DEFAULT_SIZE
    """Bytes that truncate leaves; garbage and insert repeat `body` to at least so many."""
    pattern: str = ""
    """What replace replaces, by `body`."""
    id: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS[self.hook]:
            raise ValueError(
                f"expected an action of {', '.join(ACTIONS[self.hook])} at {self.hook}, "
                f"was '{self.action}'"
            )
        for name in ("match", "path", "pattern"):
            try:
                re.compile(getattr(self, name).encode())
            except re.error as error:
                raise ValueError(f"expected a regular expression in {name}: {error}") from None

    @cached_property
    def matcher(self) -> re.Pattern[bytes]:
        """`match`, compiled."""
        return re.compile(self.match.encode(), re.DOTALL)

    @cached_property
    def path_matcher(self) -> re.Pattern[bytes]:
        """`path`, compiled."""
        return re.compile(self.path.encode())

    @property
    def spent(self) -> bool:
        """True when it has acted as often as it should."""
        return self.count is not None and self.hits >= self.count

    @property
    def filler(self) -> bytes:
        """`body`, repeated while it is shorter than `size` asks for."""
        body = self.body.encode()
        times = -(-self.size // len(body)) if body and self.size > DEFAULT_SIZE else 1
        return body * times

    def replaced(self, text: bytes) -> bytes:
        """Return the text with `pattern` replaced by `body`."""
        return re.sub(self.pattern.encode(), self.body.encode(), text)


class Script(msgspec.Struct, forbid_unknown_fields=True):
    """A file of faults: `[[fault]]` tables."""

    fault: list[Rule] = []


@dataclass(slots=True)
class Faults:
    """The rules in force and how often each has acted."""

    rules: list[Rule] = field(default_factory=list)
    done: list[Rule] = field(default_factory=list)
    by_hook: dict[str, list[Rule]] = field(default_factory=dict)
    _last_id: int = 0

    def add(self, rule: Rule) -> int:
        """Put a rule in force; return its id."""
        self._last_id += 1
        rule.id = self._last_id
        self.rules.append(rule)
        self._index()
        return rule.id

    @property
    def wants_stale(self) -> bool:
        """Whether a rule in force repeats earlier answers."""
        return any(rule.action == "stale" for rule in self.by_hook.get("request.after", ()))

    def clear(self, rule_id: int | None = None) -> int:
        """Take one rule, or all, out of force; return how many."""
        gone = [r for r in self.rules if rule_id is None or r.id == rule_id]
        self.rules = [r for r in self.rules if r not in gone]
        self._index()
        return len(gone)

    def find(self, hook: Hook, venue: str, text: bytes, path: str = "") -> Rule | None:
        """Return the first rule that acts here, and count that it does."""
        for rule in self.by_hook.get(hook, ()):
            if rule.venue not in ("*", venue) or not rule.matcher.search(text):
                continue
            if rule.path and not rule.path_matcher.search(path.encode()):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.hits += 1
            if rule.spent:
                self.rules.remove(rule)
                self.done.append(rule)
                self._index()
            return rule
        return None

    def _index(self) -> None:
        self.by_hook = {}
        for rule in self.rules:
            self.by_hook.setdefault(rule.hook, []).append(rule)


def read_script(path: Path) -> list[Rule]:
    """Read faults from a TOML file; UsageError `usage.faults` names the key."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Script).fault
    except OSError as error:
        raise UsageError("usage.faults", f"expected a readable file, was {path}: {error}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError("usage.faults", f"expected faults in {path}: {error}") from None


def damaged(frame: Frame, rule: Rule) -> Frame:
    """Return a frame after truncate, garbage or replace."""
    if rule.action == "truncate":
        return Frame(frame.payload[: rule.size], frame.opcode)
    if rule.action == "garbage":
        return Frame(rule.filler or GARBAGE, frame.opcode)
    plain = rule.replaced(frame.plain)
    packed = frame.plain is not frame.payload
    return Frame(gzip.compress(plain, 1) if packed else plain, frame.opcode, plain)
