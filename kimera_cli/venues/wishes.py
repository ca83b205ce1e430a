"""Orders as they are typed or come as lines of JSON.

A line has the names of the `trade_order` record: `symbol`, `side`, `qty`, `px`, `cost`, `tif`,
`order_type`, and `venue` where several are meant. Amounts are text or numbers, and stay exact. A
line that is a `trade_order` record may hold the record's other fields; an `end` record is skipped.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NamedTuple, TextIO

import msgspec

from kimera_cli.errors import UsageError
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.outcome import OrderKind, Side, TimeInForce

FIELDS = frozenset({"venue", "symbol", "side", "qty", "px", "cost", "tif", "order_type", "type"})
FURTHEST = 27
"""Digits before or behind the point that an amount may have: more is a slip, and no exact one."""
TIFS = ("gtc", "ioc", "fok", "post_only")


class Line(msgspec.Struct):
    """One line of input."""

    symbol: str
    side: Literal["buy", "sell"]
    venue: str = ""
    qty: Decimal | None = None
    px: Decimal | None = None
    cost: Decimal | None = None
    tif: Literal["gtc", "ioc", "fok", "post_only", ""] = ""
    order_type: Literal["limit", "market", ""] = ""


class Numbered(NamedTuple):
    """An order with the number of its line; `wish` None with the reason why not."""

    line: int
    venue: str
    wish: Wish | None
    error: UsageError | None = None


_DECODER = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def wish_of(
    symbol: str,
    side: str,
    quantity: str | None,
    price: str | None,
    cost: str | None,
    tif: str | None,
) -> Wish:
    """Return an order from typed words; UsageError `usage.order` names the word that is wrong."""
    if side not in ("buy", "sell"):
        raise UsageError("usage.order", f"expected buy or sell, was '{side}'")
    if tif is not None and tif not in TIFS:
        raise UsageError("usage.order", f"expected --tif {', '.join(TIFS)}, was '{tif}'")
    amounts = [amount(*each) for each in (("--price", price), ("QTY", quantity), ("--cost", cost))]
    return _wish(symbol, side, *amounts, tif=tif or "", kind="")  # type: ignore[arg-type]


async def typed(*words: str | None) -> AsyncIterator[Numbered]:
    """Yield the one order of typed words, see `wish_of`."""
    yield Numbered(0, "", wish_of(*words))  # type: ignore[arg-type]


def amount(name: str, text: str | None) -> Decimal | None:
    """Return a typed amount; UsageError `usage.amount` when it is none."""
    if text is None:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found <= 0:
        raise UsageError("usage.amount", f"expected {name} as a number above zero, was '{text}'")
    return found


def read_line(number: int, text: str) -> Numbered | None:
    """Return the order of a line; None for an empty line and an `end` record."""
    if not text.strip():
        return None
    try:
        fields = _DECODER.decode(text)
        if fields.get("type") == "end":
            return None
        if fields.get("type") != "trade_order" and (unknown := fields.keys() - FIELDS):
            raise _unfit(number, f"unknown field {', '.join(sorted(unknown))}")
        told = {name: value for name, value in fields.items() if value != ""}
        line = msgspec.convert(told, Line)
        wish = _wish(
            line.symbol,
            line.side,
            line.px,
            line.qty,
            line.cost,
            tif=line.tif,
            kind=line.order_type,
        )
    except msgspec.MsgspecError as error:
        return Numbered(number, "", None, _unfit(number, str(error).removeprefix("JSON is ")))
    except UsageError as error:
        return Numbered(number, "", None, error)
    return Numbered(number, line.venue, wish)


async def read_lines(stream: TextIO) -> AsyncIterator[Numbered]:
    """Yield the orders of a stream as they come; a slow writer stops nothing else."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def pump() -> None:
        for text in stream:
            loop.call_soon_threadsafe(queue.put_nowait, text)
        loop.call_soon_threadsafe(queue.put_nowait, "")

    # A daemon: it must not keep an interrupted command waiting for the next line.
    threading.Thread(target=pump, daemon=True).start()
    number = 0
    while text := await queue.get():
        number += 1
        if (found := read_line(number, text)) is not None:
            yield found


def _wish(
    symbol: str,
    side: Side,
    price: Decimal | None,
    quantity: Decimal | None,
    cost: Decimal | None,
    *,
    tif: TimeInForce | Literal[""],
    kind: OrderKind | Literal[""],
) -> Wish:
    """A price makes a limit order, none a market order; what is said must agree with that."""
    found: OrderKind = "limit" if price is not None else "market"
    if any(abs(each.adjusted()) > FURTHEST for each in (price, quantity, cost) if each):
        was = ", ".join(f"{each}" for each in (price, quantity, cost) if each)
        raise UsageError("usage.order", f"expected amounts of money and coins, was {was}")
    if kind and kind != found:
        raise UsageError("usage.order", f"expected a {kind} order, was one of kind {found}")
    usual: TimeInForce = "gtc" if found == "limit" else "ioc"
    return Wish(symbol, side, found, tif or usual, price, quantity, cost)


def _unfit(number: int, was: str) -> UsageError:
    return UsageError(
        "usage.order_line",
        f"line {number}: expected an order as JSON, was {was}",
        '{"symbol": "BTCUSDT", "side": "buy", "qty": "0.01", "px": "50000"}',
        line=number,
    )
