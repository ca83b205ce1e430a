"""Request templates: the text of a request with `<fields>`, made into a program of the kernel.

A template is a sequence of parts in the order in which they are written into one buffer:

- `Part(name, text)`: text that is remembered under a name; a further part of the same name that
  follows directly makes it longer.
- `Sign(how, name)`: sign everything from the beginning of that part to here; the signature is then
  there as `<hex>`, `<base64>`, `<base64_in_query>` or `<digest>`.
- `Send(text)`: the request itself, always last. `<copy body>` writes a part again and
  `<length body>` how many bytes it has.

Fields are either of the order (FIELDS) or known when the program is made (`values`: symbol, side,
key); a value may hold fields again. EXPIRY is the order's time plus the value `window`, in ms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from kimera_cli.errors import VenueError
from kimera_cli.kernels import order_bytes as ob
from kimera_cli.kernels.hmac_sha import TOKEN_BYTES

FIELD = re.compile(r"<([a-z0-9_]+)(?: ([a-z]+))?>")
BLOCK = 64

FIELDS: dict[str, tuple[int, int, int]] = {
    # name: step, most bytes, what it needs of the order
    "price": (ob.PRICE, 22, ob.NEEDS_PRICE),
    "qty": (ob.QTY, 22, ob.NEEDS_QTY),
    "cost": (ob.COST, 22, ob.NEEDS_PRICE | ob.NEEDS_QTY),
    "client_id": (ob.CLIENT_ID, ob.ID_BYTES, ob.NEEDS_CLIENT_ID),
    "venue_id": (ob.VENUE_ID, ob.ID_BYTES, ob.NEEDS_VENUE_ID),
    "request_id": (ob.REQUEST_ID, 20, 0),
    "token": (ob.TOKEN, TOKEN_BYTES, ob.NEEDS_TOKEN),
    "nonce": (ob.NONCE, 20, 0),
    "same_nonce": (ob.SAME_NONCE, 20, 0),
    "milliseconds": (ob.MILLISECONDS, 20, 0),
    "seconds": (ob.SECONDS, 20, 0),
    "rfc3339": (ob.RFC3339, 24, 0),
    "query_time": (ob.QUERY_TIME, 23, 0),
}
EXPIRY = {
    "expires_milliseconds": "milliseconds",
    "expires_rfc3339": "rfc3339",
    "expires_query_time": "query_time",
}
SIGNATURES = {"hmac256": ob.SIGN256, "hmac512": ob.SIGN512, "sha256": ob.HASH256}
DIGESTS = {"hmac256": 32, "hmac512": 64, "sha256": 32}
WRITTEN = {"hex": ob.HEX, "base64": ob.BASE64, "base64_in_query": ob.BASE64_IN_QUERY}
LONGEST_LENGTH = 5


@dataclass(frozen=True)
class Part:
    """Text that is signed or copied later."""

    name: str
    text: str


@dataclass(frozen=True)
class Sign:
    """Sign from the beginning of a part to here: hmac256, hmac512, or sha256 without key."""

    how: str
    begin: str


@dataclass(frozen=True)
class Send:
    """The request."""

    text: str


Template = tuple[Part | Sign | Send, ...]


@dataclass
class Program:
    """What a template became: steps, text, and what must be signed in advance."""

    steps: list[tuple[int, int, int]] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)
    needs: int = 0
    prefix: bytes = b""
    """The constant first blocks of what is signed with HMAC-SHA256; empty when there are none."""


def compile_template(template: Template, values: Mapping[str, str]) -> Program:
    """Return the program of a template; VenueError `venue.template` when it cannot be one."""
    maker = _Maker(values)
    for number, part in enumerate(template, 1):
        if isinstance(part, Send) != (number == len(template)):
            raise _wrong("expected one Send, at the end")
        maker.add(part)
    return maker.finish()


def _wrong(message: str) -> VenueError:
    return VenueError("venue.template", message)


class _Maker:
    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.program = Program()
        self.literal = bytearray()
        self.begins: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.widths: dict[str, int] = {}
        self.last = ""
        self.marks = 1
        self.width = 0
        self.digest = 0
        self.started: dict[str, int] = {}

    def add(self, part: Part | Sign | Send) -> None:
        if isinstance(part, Sign):
            self.sign(part)
        elif isinstance(part, Part):
            self.part(part)
        else:
            self.flush()
            self.step(ob.MARK, 0, 0, 0)
            self.write(part.text)
            self.flush()

    def part(self, part: Part) -> None:
        name = part.name
        if name not in self.begins:
            self.begins[name] = self.mark()
            self.started[name] = len(self.program.steps)
            self.widths[name] = 0
        elif self.last != name:
            raise _wrong(f"expected part {name} to go on directly behind itself")
        before, self.last = self.width, name
        self.write(part.text)
        self.ends[name] = self.mark()
        self.widths[name] += self.width - before

    def sign(self, sign: Sign) -> None:
        self.flush()
        if sign.begin not in self.begins:
            raise _wrong(f"expected a part before Sign, was {sign.begin}")
        folded = 0
        if sign.how == "hmac256" and not self.program.prefix:
            self.program.prefix = self.constant_blocks(sign.begin)
            folded = len(self.program.prefix)
        self.digest = DIGESTS[sign.how]
        self.step(SIGNATURES[sign.how], self.begins[sign.begin], folded, 0)

    def constant_blocks(self, name: str) -> bytes:
        """Return the whole blocks of constant text at the beginning of a part."""
        text = b""
        for code, a, b in self.program.steps[self.started[name] :]:
            if code == ob.TEXT:
                text += self.program.text[a : a + b]
            elif code != ob.MARK:
                break
        return text[: len(text) // BLOCK * BLOCK]

    def mark(self) -> int:
        self.flush()
        self.step(ob.MARK, self.marks, 0, 0)
        self.marks += 1
        return self.marks - 1

    def write(self, text: str) -> None:
        for literal, name, part in pieces(text):
            self.literal += literal.encode("ascii")
            if not name:
                continue
            if name in self.values and not part:
                self.write(self.values[name])
                continue
            self.flush()
            self.field(name, part)

    def field(self, name: str, part: str) -> None:
        if part and part in self.ends and name in ("copy", "length"):
            code = ob.COPY if name == "copy" else ob.LENGTH
            width = self.widths[part] if name == "copy" else LONGEST_LENGTH
            self.step(code, self.begins[part], self.ends[part], width)
        elif name in WRITTEN and self.digest:
            self.step(WRITTEN[name], self.digest, 0, 3 * (4 * self.digest // 3 + 4))
        elif name == "digest" and self.digest:
            self.step(ob.DIGEST, self.digest, 0, self.digest)
        elif name in FIELDS and not part:
            code, width, needs = FIELDS[name]
            self.program.needs |= needs
            self.step(code, 0, 0, width)
        elif name in EXPIRY and not part:
            code, width, _ = FIELDS[EXPIRY[name]]
            self.step(code, int(self.values["window"]), 0, width)
        else:
            raise _wrong(f"expected a known field, was <{name}{' ' if part else ''}{part}>")

    def flush(self) -> None:
        if self.literal:
            self.step(ob.TEXT, len(self.program.text), len(self.literal), len(self.literal))
            self.program.text += self.literal
            self.literal.clear()

    def step(self, code: int, a: int, b: int, width: int) -> None:
        self.program.steps.append((code, a, b))
        self.width += width

    def finish(self) -> Program:
        for what, count, limit in (
            ("steps", len(self.program.steps), ob.MAX_STEPS),
            ("marks", self.marks, ob.MAX_MARKS),
            ("bytes of text", len(self.program.text), ob.TEXT_BYTES),
            ("bytes written", self.width, ob.OUT_ROOM),
        ):
            if count > limit:
                raise _wrong(f"expected at most {limit} {what}, was {count}")
        return self.program


def pieces(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (literal text, field behind it, the field's part); the last has no field."""
    at = 0
    for match in FIELD.finditer(text):
        yield text[at : match.start()], match[1], match[2] or ""
        at = match.end()
    yield text[at:], "", ""
