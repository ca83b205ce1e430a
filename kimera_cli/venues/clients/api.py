"""What a venue's REST interface is to its client: requests made, answers read, nothing sent.

One class per venue. A request is a `Query`; an answer comes parsed (exact decimals). What an answer
does not hold raises UnreadableError (or KeyError and the like), and the client takes the answer as
unreadable: an order's fate is then unknown, never assumed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from kimera_cli.errors import DataError, UsageError
from kimera_cli.instrument import Instrument
from kimera_cli.names import did_you_mean
from kimera_cli.venues.clients.rest import Query
from kimera_cli.venues.clients.values import UnreadableError
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire.dialect import Dialect

UNLISTED = "not listed any more"


class Answer(NamedTuple):
    """A whole answer, its body parsed."""

    status: int
    json: Any
    headers: Mapping[str, str]


class Refusal(NamedTuple):
    """A venue's own words for no."""

    code: str
    text: str


class Listing(NamedTuple):
    """One market as its venue lists it."""

    instrument: Instrument
    name: str
    """The venue's name of it in REST requests."""
    trading: bool = True
    raw_status: str = ""
    options: Mapping[str, str] = {}
    """What the wire's dialect wants to know of it."""
    other_names: tuple[str, ...] = ()
    """Further names of it in the venue's answers."""


class Page(NamedTuple):
    """Part of a list; `more` asks for the next part, None at the end."""

    items: list[Any]
    more: Query | None = None


class Fees(NamedTuple):
    """What the account pays, as fractions of the traded value; negative is a rebate."""

    maker: Decimal
    taker: Decimal


class VenueApi(ABC):
    """One venue, one account. `listings` are the markets known so far."""

    venue: str
    wire: Dialect
    time_step_ns = 1_000_000
    """Step in which the venue tells its time."""
    symbol_needed = False
    """Whether open orders and fills can only be asked per market."""

    def __init__(self) -> None:
        self.listings: dict[str, Listing] = {}
        self._names: dict[str, str] = {}

    # --- markets

    def learn(self, listings: Iterable[Listing]) -> None:
        """Remember all markets of the venue, under all their names.

        One that is not among them any more is kept, for its orders, and is not traded.
        """
        gone = set(self.listings)
        for listing in listings:
            gone.discard(listing.instrument.symbol)
            symbol = listing.instrument.symbol
            self.listings[symbol] = listing
            for name in (symbol, listing.name, *listing.other_names):
                self._names[name] = symbol
        for symbol in gone:
            known = self.listings[symbol]
            self.listings[symbol] = known._replace(trading=False, raw_status=UNLISTED)

    def symbol(self, name: Any) -> str:
        """Return the instrument's own name for a name in an answer."""
        name = str(name)
        return self._names.get(name) or self.unlisted(name)

    def unlisted(self, name: str) -> str:
        """Return how a market is called that was not listed here (a foreign order's)."""
        return name

    def listing(self, symbol: str) -> Listing:
        """Return a known market, by any spelling; UsageError `usage.symbol` names the nearest."""
        found = self.listings.get(symbol) or self.listings.get(self._names.get(symbol, ""))
        if found is not None:
            return found
        wanted = bare(symbol)
        if (name := self._names.get(wanted)) is not None:
            return self.listings[name]
        for listing in self.listings.values():
            instrument = listing.instrument
            if wanted in (bare(instrument.symbol), bare(instrument.base + instrument.quote)):
                return listing
        raise UsageError(
            "usage.symbol",
            f"expected a market of {self.venue}, was '{symbol}'",
            did_you_mean(symbol.upper(), self.listings) if self.listings else "",
        )

    @abstractmethod
    def time(self) -> Query:
        """Ask for the venue's time."""

    @abstractmethod
    def read_time(self, answer: Answer) -> int:
        """Return the venue's time in ns."""

    @abstractmethod
    def markets(self) -> Query:
        """Ask for all spot markets."""

    @abstractmethod
    def read_markets(self, answer: Answer) -> list[Listing]:
        """Return the markets."""

    def account(self) -> Query | None:
        """Ask for what must be known of the account before anything else; None: nothing."""
        return None

    def read_account(self, answer: Answer) -> None:
        """Take it in."""
        raise NotImplementedError(f"{self.venue} asks for no account")

    def wire_options(self, listing: Listing) -> dict[str, str]:
        """Return what the wire's dialect wants to know of account and market."""
        return {}

    # --- answers

    @abstractmethod
    def refusal(self, answer: Answer) -> Refusal | None:
        """Return the venue's no; None when the answer is none."""

    def left(self, headers: Mapping[str, str]) -> dict[str, float]:
        """Return what headers say is left, by the name of a budget's rule."""
        return {}

    # --- orders

    @abstractmethod
    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """Return the order's id, empty when the answer has none, and what it says of the order."""

    @abstractmethod
    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """Make a market order by what it may cost."""

    def read_cancel(self, answer: Answer) -> str:
        """Return the id of the order that was canceled; empty when the answer does not name it."""
        return ""

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Cancel every order of the account (of one market); None: no such request there."""
        return None

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """Change an order in place; None: the venue cannot do so (for this change)."""
        return None

    def read_amend(self, answer: Answer) -> str:
        """Return the id of the order that was amended; empty when the answer does not name it."""
        return ""

    @abstractmethod
    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """Ask for an order by our id; the first answer that has it counts.

        `since_ns`: the order cannot be older, so no list needs to go back further.
        """

    @abstractmethod
    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""

    @abstractmethod
    def open_orders(self, listing: Listing | None) -> Query:
        """Ask for open orders, of one market or all."""

    @abstractmethod
    def read_orders(self, answer: Answer, query: Query) -> Page:
        """Return a page of orders of `find`, `order` or `open_orders`."""

    @abstractmethod
    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Ask for executions from a time on."""

    @abstractmethod
    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page of VenueFill; pages together hold all since the time, in any order."""

    @abstractmethod
    def balances(self) -> Query:
        """Ask for balances."""

    @abstractmethod
    def read_balances(self, answer: Answer) -> list[Balance]:
        """Return what the account has; assets without any may be missing."""

    @abstractmethod
    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees."""

    @abstractmethod
    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Return the account's fees."""

    def dead_man(self, seconds: int) -> Query | None:
        """Arm the venue's own switch (0: disarm it); None: the venue has none by request."""
        return None


def listings_of(entries: Iterable[Any], make: Callable[[Any], Listing]) -> list[Listing]:
    """Return the markets of a list that can be read; an odd one does not take the others with it.

    UnreadableError when there are entries and none of them is a market.
    """
    found, odd = [], 0
    for entry in entries:
        try:
            found.append(make(entry))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, DataError):
            odd += 1
    if odd and not found:
        raise UnreadableError(f"expected markets, was {odd} entries of another shape")
    return found


def closed_by(entry: Mapping[str, Any], status: str, *flags: str) -> str:
    """Return a market's status with what closes it; the status alone when no flag is set."""
    return ", ".join([status, *(flag for flag in flags if entry.get(flag))])


def bare(symbol: str) -> str:
    """Return a symbol without what venues put between its parts."""
    return "".join(c for c in symbol.upper() if c.isalnum())


def order_of(api: VenueApi, name: Any, venue_order_id: Any, status: str, **told: Any) -> VenueOrder:
    """Return an order of a venue."""
    return VenueOrder(
        venue=api.venue,
        symbol=api.symbol(name),
        venue_order_id=str(venue_order_id),
        status=status,  # type: ignore[arg-type]
        **told,
    )


def fill_of(api: VenueApi, name: Any, trade_id: Any, **told: Any) -> VenueFill:
    """Return a fill of a venue."""
    return VenueFill(venue=api.venue, symbol=api.symbol(name), trade_id=str(trade_id), **told)


def average_cost(filled: Decimal | None, average: Decimal | None) -> Decimal | None:
    """Return the money behind an average price; None when not told."""
    return filled * average if filled is not None and average is not None else None


def more_of(query: Query, **params: object) -> Query:
    """Return the same question with other parameters (None: without it)."""
    merged: dict[str, object] = {**query.params, **params}
    return query._replace(params={k: str(v) for k, v in merged.items() if v not in (None, "")})
