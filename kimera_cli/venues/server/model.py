"""What an exchange knows: markets, orders, fills, trades, and the events that it tells.

Prices are ticks and sizes lots (integers) of their market; money is atoms (amounts.py); Decimal
and text are made at the border by the methods of Market. Times are UTC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from kimera_cli.venues.server import amounts

Side = Literal["buy", "sell"]
Kind = Literal["limit", "market"]
Tif = Literal["gtc", "ioc", "fok"]
Status = Literal["open", "filled", "canceled", "expired"]
MarketStatus = Literal["trading", "halt", "cancel_only", "delisted"]
SelfTrade = Literal["none", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"]
What = Literal["new", "trade", "canceled", "expired", "amended"]
Reason = Literal[
    "bad_symbol", "bad_request", "dup_client_id", "client_id", "tick", "lot", "min_qty", "max_qty",
    "min_notional", "post_only", "fok", "funds", "not_found", "self_trade", "halted",
    "cancel_only", "price_band", "no_liquidity", "book_full", "too_many_orders",
]  # fmt: skip

BUY: Side = "buy"
SELL: Side = "sell"
NOTHING: Mapping[str, Any] = MappingProxyType({})  # one for all orders, which are many


class Reject(Exception):  # noqa: N818 - a venue's answer, not a failure
    """The exchange refuses a request. A dialect writes it as its venue's own error body.

    `order` is the order that the request met where there is one (dup_client_id: the one that has
    the id already).
    """

    def __init__(self, reason: Reason, detail: str = "", order: Order | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.order = order


def decimal(value: Decimal | str | int | float, what: str = "number") -> Decimal:
    """Return a number that a client sent; Reject bad_request when it is none."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Reject("bad_request", f"{what} is not a number: {value!r}") from None
    if not found.is_finite():
        raise Reject("bad_request", f"{what} is not finite: {value!r}")
    return found


def _steps(value: Decimal, step: Decimal) -> tuple[Decimal, Decimal]:
    """Return how often a step goes into a value, and what is left: all of it where it is absurd."""
    try:
        return divmod(value, step)
    except InvalidOperation:  # more digits than a decimal has
        return Decimal(0), value


@dataclass(slots=True, eq=False)
class Market:
    """One spot market. `symbol` is canonical (`BTC/USDT`); a dialect has the venue's own name."""

    symbol: str
    tick: Decimal
    lot: Decimal
    start_px: Decimal
    """Price around which the market begins; it must lie on the tick."""
    min_qty: Decimal = Decimal(0)
    max_qty: Decimal = Decimal(9000)
    min_notional: Decimal = Decimal(0)
    status: MarketStatus = "trading"
    seq: int = 1000
    """Number of the last change of a level of the book."""
    base: str = ""
    quote: str = ""
    min_lots: int = 0
    max_lots: int = 0
    min_cost: int = 0
    tick_atoms: int = 0
    lot_atoms: int = 0
    notional_atoms: int = 0
    """Quote atoms of one lot at a price of one tick."""
    px_digits: int = 0
    """Decimals of the tick (0.01: 2)."""
    qty_digits: int = 0
    last_px: int = 0
    """Price of the last trade, start_px before the first."""

    def __post_init__(self) -> None:
        self.base, self.quote = self.symbol.split("/")
        self.tick_atoms, self.lot_atoms = amounts.atoms(self.tick), amounts.atoms(self.lot)
        self.notional_atoms, rest = divmod(self.tick_atoms * self.lot_atoms, amounts.ONE)
        if rest:
            raise ValueError(f"expected tick * lot of at least 1e-18, was {self.tick}*{self.lot}")
        self.px_digits = amounts.digits_of(self.tick)
        self.qty_digits = amounts.digits_of(self.lot)
        self.min_lots = max(1, -int(-self.min_qty // self.lot))
        self.max_lots = int(self.max_qty // self.lot)
        self.min_cost = amounts.atoms(self.min_notional)
        self.last_px = self.ticks(self.start_px)

    def set_minimum(self, qty: Decimal | None = None, notional: Decimal | None = None) -> None:
        """Change the least quantity or value of an order, as venues do at times."""
        if qty is not None:
            self.min_qty = qty
            self.min_lots = max(1, -int(-qty // self.lot))
        if notional is not None:
            self.min_notional = notional
            self.min_cost = amounts.atoms(notional)

    def ticks(self, price: Decimal | str | float) -> int:
        """Return a client's price in ticks; Reject tick when off the grid or not above 0."""
        found, rest = _steps(decimal(price, "price"), self.tick)
        if rest or found <= 0:
            raise Reject("tick", f"{price} is no multiple of {self.tick}")
        return int(found)

    def lots(self, qty: Decimal | str | float) -> int:
        """Return a client's quantity in lots; Reject lot when off the grid or not above 0."""
        found, rest = _steps(decimal(qty, "quantity"), self.lot)
        if rest or found <= 0:
            raise Reject("lot", f"{qty} is no multiple of {self.lot}")
        return int(found)

    def price(self, px_ticks: int) -> Decimal:
        """Return a price as a Decimal."""
        return px_ticks * self.tick

    def qty(self, lots: int) -> Decimal:
        """Return a size as a Decimal."""
        return lots * self.lot

    def px_text(self, px_ticks: int, digits: int | None = None) -> str:
        """Return a price with `digits` decimals, by default those of the tick (`50000.00`)."""
        return amounts.fixed(
            px_ticks * self.tick_atoms, self.px_digits if digits is None else digits
        )

    def qty_text(self, lots: int, digits: int | None = None) -> str:
        """Return a size with `digits` decimals, by default those of the lot (`0.00100`)."""
        return amounts.fixed(lots * self.lot_atoms, self.qty_digits if digits is None else digits)

    def cost(self, px_ticks: int, lots: int) -> int:
        """Return price times size in atoms of the quote asset."""
        return px_ticks * lots * self.notional_atoms


@dataclass(frozen=True, slots=True)
class FeeTier:
    """Fees from a traded volume (quote units) upwards, as fractions of the notional."""

    volume: Decimal
    maker: Decimal
    taker: Decimal


@dataclass(slots=True, eq=False)
class Fill:
    """One execution of one order; both numbers are shared with the other side."""

    trade_id: int
    """Among the trades of its market."""
    serial: int
    """Among all trades of the exchange."""
    order: Order
    px_ticks: int
    qty_lots: int
    fee: int
    """Atoms of fee_asset, >= 0."""
    fee_asset: str
    maker: bool
    ts_ns: int


@dataclass(slots=True, eq=False)
class Order:
    """An order as its venue knows it. `left_lots` is what can still trade."""

    id: int
    client_id: str
    account: int
    market: Market
    side: Side
    kind: Kind
    tif: Tif
    post_only: bool
    px_ticks: int
    """0 for a market order."""
    qty_lots: int
    quote_qty: int
    """Atoms of quote that a market order by cost may spend; 0: the order was given by size."""
    created_ns: int
    updated_ns: int
    self_trade: SelfTrade = "none"
    filled_lots: int = 0
    cost: int = 0
    """Sum of price times size of the fills, atoms of quote."""
    prevented_lots: int = 0
    """Taken away by self-trade prevention (decrement)."""
    status: Status = "open"
    reason: str = ""
    """Why it ended before it was filled: user, ioc, fok, post_only, self_trade, ... ."""
    hold: int = 0
    """Atoms that are still held for it, of hold_asset."""
    hold_asset: str = ""
    engine_id: int = 0
    """Its id in the matching engine while it rests."""
    version: int = 0
    """Counts the changes of this order."""
    fills: tuple[Fill, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the venue's request said beyond this model (tags, flags), for its answers."""

    @property
    def left_lots(self) -> int:
        """What has neither traded nor been prevented."""
        return self.qty_lots - self.filled_lots - self.prevented_lots

    @property
    def is_open(self) -> bool:
        """True while it can trade."""
        return self.status == "open"

    @property
    def average_px(self) -> Decimal:
        """Mean price of its fills, 0 before the first."""
        if not self.filled_lots:
            return Decimal(0)
        base = self.filled_lots * self.market.lot_atoms
        return Decimal(self.cost) / Decimal(base)

    @property
    def fees(self) -> dict[str, int]:
        """Fees paid so far, atoms by asset."""
        found: dict[str, int] = {}
        for fill in self.fills:
            found[fill.fee_asset] = found.get(fill.fee_asset, 0) + fill.fee
        return found


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for: price and quantity as it wrote them, `cost` for quote-sized."""

    symbol: str
    side: Side
    kind: Kind = "limit"
    qty: Decimal | str | None = None
    price: Decimal | str | None = None
    cost: Decimal | str | None = None
    """Size in units of quote, market orders only, instead of qty."""
    tif: Tif = "gtc"
    post_only: bool = False
    client_id: str = ""
    self_trade: SelfTrade | None = None
    """None: the exchange's own default."""
    extra: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


class Trade(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One trade of a market as everybody sees it; `side` is the taker's."""

    id: int
    """Among the trades of its market, without holes."""
    serial: int
    """Among all trades of the exchange."""
    market: Market
    px_ticks: int
    qty_lots: int
    side: Side
    ts_ns: int
    maker_id: int
    taker_id: int
    taker_kind: Kind

    @property
    def maker_side(self) -> Side:
        """Side of the resting order."""
        return SELL if self.side == BUY else BUY


class BookChanged(msgspec.Struct, frozen=True, eq=False):
    """Levels that one request changed: (side, price in ticks, lots there now; 0: level gone).

    Sequence numbers count levels, so first_seq = the previous event's last_seq + 1.
    """

    market: Market
    first_seq: int
    last_seq: int
    changes: tuple[tuple[Side, int, int], ...]
    ts_ns: int


class Traded(msgspec.Struct, frozen=True, eq=False):
    """A trade happened."""

    market: Market
    trade: Trade
    maker: Order
    taker: Order


class OrderChanged(msgspec.Struct, frozen=True, eq=False):
    """An order changed; `order` is as it was right after this change only while it is told."""

    order: Order
    what: What
    fill: Fill | None
    ts_ns: int


class BalanceChanged(msgspec.Struct, frozen=True, eq=False):
    """A balance changed; amounts in atoms."""

    account: int
    asset: str
    free: int
    held: int
    ts_ns: int


class MarketChanged(msgspec.Struct, frozen=True, eq=False):
    """A market's status changed."""

    market: Market
    ts_ns: int


class Deposited(msgspec.Struct, frozen=True, eq=False):
    """Atoms came in from outside (negative: went out)."""

    account: int
    asset: str
    amount: int
    ts_ns: int


class RequestDone(msgspec.Struct, frozen=True, eq=False):
    """The last event of every request: what came since the previous one belongs together."""

    ts_ns: int


Event = (
    BookChanged | Traded | OrderChanged | BalanceChanged | MarketChanged | Deposited | RequestDone
)


@dataclass(frozen=True, slots=True)
class Candle:
    """Trades of one interval; prices in ticks, volume in lots, quote volume in atoms."""

    open_ns: int
    open_px: int
    high_px: int
    low_px: int
    close_px: int
    lots: int
    quote: int
    trades: int
    taker_buy_lots: int = 0
    taker_buy_quote: int = 0


@dataclass(frozen=True, slots=True)
class Ticker:
    """A market over the last 24 hours; prices in ticks, volume in lots, quote volume in atoms.

    bid, ask and their lots are 0 when that side of the book is empty.
    """

    market: Market
    last_px: int
    last_lots: int
    open_px: int
    high_px: int
    low_px: int
    lots: int
    quote: int
    trades: int
    bid_px: int
    bid_lots: int
    ask_px: int
    ask_lots: int
    open_ns: int
    close_ns: int
