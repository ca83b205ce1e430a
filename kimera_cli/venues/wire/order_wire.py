"""Requests of one instrument at one venue, built and signed in one buffer.

The checked way: `OrderWire.place(...)` looks at every argument and names what is wrong. The fast
way is the kernel `build_order(program, key, order)` on the same three arrays: a compiled loop calls
it with records, `kernels.order_bytes.build` from Python. Nothing is sent here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from kimera_cli.errors import VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.kernels import order_bytes as ob
from kimera_cli.kernels.hmac_sha import fold256
from kimera_cli.kernels.text import DIGITS
from kimera_cli.kernels.ws_frame import frame_order
from kimera_cli.layouts import ASK, BID, FOK, GTC, IOC, LIMIT, MARKET, POST_ONLY
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import KINDS, Dialect
from kimera_cli.venues.wire.template import Template, compile_template

LARGEST = (1 << 63) - 1
VENUE_ID = re.compile(rb"[A-Za-z0-9-]{1,64}")
VALUE = re.compile(r"[A-Za-z0-9._:/-]+")
TYPES = {LIMIT: "limit", MARKET: "market"}
TIFS = {GTC: "GTC", IOC: "IOC", FOK: "FOK", POST_ONLY: "post-only"}


class OrderWire:
    """Builds the requests of one instrument; not for two threads at once, the buffer is one.

    `symbol` is the instrument's name in the venue's requests. `options` are what the dialect asks
    for (`account_id` at HTX, `inst_id_code` on OKX's websocket) and may replace its defaults
    (`window`, the ms that a request stays valid).
    """

    def __init__(
        self,
        dialect: Dialect,
        instrument: Instrument,
        account: Account,
        *,
        symbol: str = "",
        options: Mapping[str, str] | None = None,
    ) -> None:
        if account.signing != dialect.signing:
            raise VenueError(
                "venue.credentials",
                f"expected an account that signs as {dialect.way.venue} does, "
                f"was one of another venue",
            )
        self.dialect, self.instrument, self.account = dialect, instrument, account
        self.programs = np.zeros(ob.PROGRAMS, ob.PROGRAM)
        self.memory = bytearray(ob.ORDER.itemsize)
        self.order = np.frombuffer(self.memory, ob.ORDER)
        self.table = ob.addresses(self.programs, account.state, self.order)
        self._numbers = memoryview(self.memory).cast("q")
        self._out = memoryview(self.memory)[_offset("out") :]
        self._client_at, self._venue_at = _offset("client_id"), _offset("venue_id")
        self._make(self._values(symbol or instrument.symbol, dict(options or {})))

    def _values(self, symbol: str, options: dict[str, str]) -> dict[str, str]:
        dialect = self.dialect
        missing = [name for name in dialect.options if name not in options]
        unknown = options.keys() - {*dialect.options, *dialect.defaults}
        if missing or unknown:
            raise VenueError(
                "venue.options",
                f"expected the options {sorted({*dialect.options, *dialect.defaults})} for "
                f"{dialect.way.venue} by {dialect.way.way}, was {sorted(options)}",
            )
        values = {**dialect.defaults, **options, "symbol": symbol}
        for name, value in values.items():
            if not VALUE.fullmatch(value):
                raise VenueError(
                    "venue.options",
                    f"expected letters, digits and . _ : / - as {name}, was {value!r}",
                )
        return {**values, "host": dialect.way.host, **self.account.values()}

    def _make(self, values: dict[str, str]) -> None:
        dialect = self.dialect
        for number, kind in enumerate(KINDS):
            for side in (BID, ASK):
                of_kind = dialect.values(kind, side)
                if of_kind is not None:
                    self._add(2 * number + side, dialect.place, {**values, **of_kind})
        self._add(ob.CANCEL_CLIENT_ID, dialect.cancel_client_id, values)
        self._add(ob.CANCEL_VENUE_ID, dialect.cancel_venue_id, values)
        self._add(ob.LOGIN, dialect.login, values)

    def _add(self, place: int, template: Template | None, values: dict[str, str]) -> None:
        if template is None:
            return
        program = compile_template(template, values)
        tick, lot = self.instrument.tick, self.instrument.lot
        row = self.programs[place : place + 1].view(np.recarray)[0]
        if any(code == ob.COST for code, _, _ in program.steps):
            if -_exponent(tick * lot) >= DIGITS:
                return  # price x size has more decimals than an int64: such an order is refused
            row.cost_multiple, row.cost_digits, row.cost_max = scale(tick * lot, "tick x lot")
        row.px_multiple, row.px_digits, row.px_max = scale(tick, "tick")
        row.qty_multiple, row.qty_digits, row.qty_max = scale(lot, "lot")
        row.needs, row.n_steps = program.needs, len(program.steps)
        row.steps[: len(program.steps)] = program.steps
        row.text[: len(program.text)] = np.frombuffer(bytes(program.text), np.uint8)
        if program.prefix:
            text = np.frombuffer(program.prefix, np.uint8).copy()
            fold256(self.account.state.view(np.recarray)[0], row.prefix, text, len(text))

    def place(
        self,
        side: int,
        order_type: int,
        tif: int,
        px_ticks: int,
        qty_lots: int,
        client_id: bytes,
        ts_ns: int,
        request_id: int = 0,
    ) -> memoryview:
        """Return the request of a new order, valid until the next one is built.

        `side`, `order_type` and `tif` are those of layouts; `px_ticks` of a market order counts
        only where the venue wants its cost (HTX). `ts_ns` is UTC as the venue's clock has it.
        """
        if side not in (BID, ASK) or order_type not in TYPES or tif not in TIFS:
            raise self._wrong("a side, type and time in force of layouts", (side, order_type, tif))
        if not self.dialect.client_id.pattern.fullmatch(client_id):
            raise self._wrong(f"a client id of {self.dialect.client_id.words}", client_id)
        self._set(px_ticks, qty_lots, ts_ns, request_id)
        self._set_id(self._client_at, 4, client_id)
        return self._build(2 * (FOK + 2 if order_type == MARKET else tif) + side)

    def cancel(
        self, ts_ns: int, *, client_id: bytes = b"", venue_id: bytes = b"", request_id: int = 0
    ) -> memoryview:
        """Return the request that cancels an order, by its client id or by the venue's."""
        if bool(client_id) == bool(venue_id):
            raise self._wrong("either a client id or a venue id", (client_id, venue_id))
        if client_id and not self.dialect.client_id.pattern.fullmatch(client_id):
            raise self._wrong(f"a client id of {self.dialect.client_id.words}", client_id)
        if venue_id and not VENUE_ID.fullmatch(venue_id):
            raise self._wrong("a venue id of 1 to 64 of letters, digits and -", venue_id)
        self._set(0, 0, ts_ns, request_id)
        self._set_id(self._client_at, 4, client_id)
        self._set_id(self._venue_at, 5, venue_id)
        return self._build(ob.CANCEL_CLIENT_ID if client_id else ob.CANCEL_VENUE_ID)

    def login(self, ts_ns: int, request_id: int = 0) -> memoryview:
        """Return what opens a session: see the dialect."""
        self._set(0, 0, ts_ns, request_id)
        return self._build(ob.LOGIN)

    def framed(self, mask: int) -> memoryview:
        """Put the last request into a websocket frame (RFC 6455), masked with 32 random bits."""
        if self.dialect.way.way != "websocket":
            raise self._wrong("a dialect of a websocket", self.dialect.way.way)
        if not 0 <= mask < 1 << 32:
            raise self._wrong("a mask of 32 bits", mask)
        frame_order(self.order.view(np.recarray)[0], mask)
        return self._out[self._numbers[6] : self._numbers[7]]

    def wipe(self) -> None:
        """Zero programs and buffer (they hold the API key, and hash states made with the secret).

        The account is wiped apart: other wires may share it.
        """
        self.programs.view(np.uint8)[:] = 0
        self.memory[:] = bytes(len(self.memory))

    def _set(self, px_ticks: int, qty_lots: int, ts_ns: int, request_id: int) -> None:
        numbers = self._numbers
        try:
            numbers[0], numbers[1], numbers[2], numbers[3] = px_ticks, qty_lots, ts_ns, request_id
        except ValueError:
            was = (px_ticks, qty_lots, ts_ns, request_id)
            raise self._wrong("numbers of 64 bits", was) from None

    def _set_id(self, at: int, length_at: int, text: bytes) -> None:
        self.memory[at : at + len(text)] = text
        self._numbers[length_at] = len(text)

    def _build(self, program: int) -> memoryview:
        self.table[3] = program
        status = ob.build(self.table, self.programs, self.account.state, self.order)
        if status < 0:
            raise self._refused(program, ob.PROBLEMS[-status])
        return self._out[self._numbers[6] : self._numbers[7]]

    def _refused(self, program: int, problem: str) -> VenueError:
        row = self.programs[program]
        way = self.dialect.way
        expected = {
            "no_program": f"a request that {way.venue} takes by {way.way}",
            "price": f"a price of 1 to {row['px_max']} ticks",
            "quantity": f"a size of 1 to {row['qty_max']} lots",
            "cost": f"a price x size of at most {row['cost_max']} ticks x lots",
            "id": "an id of 1 to 64 bytes",
            "time": "a time and a request id that are not negative",
            "token": "a session token (Account.set_token)",
            "key": "an account that was not wiped",
        }[problem]
        was = {
            "no_program": _program_name(program),
            "price": self._numbers[0],
            "quantity": self._numbers[1],
        }
        return self._wrong(expected, was.get(problem, "none"), problem)

    def _wrong(self, expected: str, was: object, problem: str = "argument") -> VenueError:
        name = f"{self.dialect.way.venue}/{self.instrument.symbol}"
        return VenueError(f"venue.order_{problem}", f"{name}: expected {expected}, was {was}")

    def __repr__(self) -> str:
        way = self.dialect.way
        return f"OrderWire({way.venue} {way.way}, {self.instrument.symbol})"


def scale(step: Decimal, what: str) -> tuple[int, int, int]:
    """Return (multiple, digits, most steps): step = multiple / 10^digits, exactly."""
    exponent = _exponent(step)
    digits = max(0, -exponent)
    if digits < DIGITS:
        multiple = int(step.scaleb(digits))
        if 0 < multiple <= LARGEST:
            return multiple, digits, LARGEST // multiple
    raise VenueError(
        "venue.step", f"expected a {what} above zero of at most {DIGITS - 1} decimals, was {step}"
    )


def _exponent(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else -DIGITS  # infinity and NaN


def _offset(field: str) -> int:
    fields = ob.ORDER.fields
    assert fields is not None
    return int(fields[field][1])


def _program_name(program: int) -> str:
    if program < ob.CANCEL_CLIENT_ID:
        return f"{KINDS[program // 2]} {'buy' if program % 2 == BID else 'sell'}"
    return ("cancel by client id", "cancel by venue id", "login")[program - ob.CANCEL_CLIENT_ID]
