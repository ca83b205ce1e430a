"""The market as it is now: all markets of a venue, tickers, books."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.records import BookSnapshot, Record, Ticker, VenueMarket
from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.ask import Asker
from kimera_cli.venues.history.decimals import step_value, text_of
from kimera_cli.venues.history.names import market_of
from kimera_cli.venues.history.session import Place, markets_of, run

TICK_SIZE = 4
"""ccxt's precisionMode for steps as numbers."""
Question = Callable[[str, Any, Any, World], Awaitable[Record]]


def markets(place: Place, world: World) -> list[VenueMarket]:
    """Return the markets of a venue by symbol, or the ones named in `place`."""

    async def work(venue: str, exchange: Any) -> list[VenueMarket]:
        found = await markets_of(venue, exchange, world)
        chosen = [market_of(each, found, venue) for each in place.symbols] or found.values()
        places = exchange.precisionMode != TICK_SIZE
        records = (_market(venue, market, places=places) for market in chosen)
        return sorted(records, key=lambda each: each.symbol)

    found: list[VenueMarket] = run(place, work)
    return found


def ask_each(place: Place, world: World, question: Question) -> Iterator[Record | KimeraError]:
    """Yield the answer for each symbol, or its error; raises when all fail."""

    async def work(venue: str, exchange: Any) -> list[Record | KimeraError]:
        found = await markets_of(venue, exchange, world)
        chosen = [market_of(each, found, venue) for each in place.symbols]
        answers: list[Record | KimeraError] = []
        for market in chosen:
            try:
                answers.append(await question(venue, exchange, market, world))
            except KimeraError as error:
                answers.append(error)
        return answers

    answers: Sequence[Record | KimeraError] = run(place, work)
    failures = [each for each in answers if isinstance(each, KimeraError)]
    if len(failures) == len(answers):
        raise failures[0]
    yield from answers


async def ticker(venue: str, exchange: Any, market: Any, world: World) -> Ticker:
    """Ask for the ticker of a market."""
    symbol = market["symbol"]
    told = await Asker(venue, world).ask(
        lambda: exchange.fetch_ticker(symbol), f"the ticker of {symbol}"
    )
    return Ticker(
        venue=venue,
        symbol=symbol,
        ts_ns=_time(told, world),
        bid=text_of(told.get("bid")),
        bid_qty=text_of(told.get("bidVolume")),
        ask=text_of(told.get("ask")),
        ask_qty=text_of(told.get("askVolume")),
        last=text_of(told.get("last")),
        open=text_of(told.get("open")),
        high=text_of(told.get("high")),
        low=text_of(told.get("low")),
        volume=text_of(told.get("baseVolume")),
        quote_volume=text_of(told.get("quoteVolume")),
    )


async def book(venue: str, exchange: Any, market: Any, world: World) -> BookSnapshot:
    """Ask for the book of a market; VenueError `venue.answer` when it has no level.

    As deep as the venue gives it without being asked for a depth.
    """
    symbol = market["symbol"]
    told = await Asker(venue, world).ask(
        lambda: exchange.fetch_order_book(symbol), f"the book of {symbol}"
    )
    bids, asks = _levels(told["bids"]), _levels(told["asks"])
    if not bids and not asks:
        raise VenueError("venue.answer", f"expected levels in the book of {symbol}, was none")
    sequence = told.get("nonce")
    return BookSnapshot(
        venue=venue,
        symbol=symbol,
        ts_ns=_time(told, world),
        bids=bids,
        asks=asks,
        seq=None if sequence is None else int(sequence),
    )


def _levels(told: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [[text_of(level[0]) or "0", text_of(level[1]) or "0"] for level in told]


def _time(told: Mapping[str, Any], world: World) -> int:
    """Return the venue's time of an answer, else this host's."""
    stamp = told.get("timestamp")
    return world.now_ns() if stamp is None else int(stamp) * NS_PER_MS


def _market(venue: str, market: Any, *, places: bool) -> VenueMarket:
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    tick, lot = (step_value(precision.get(key), places=places) for key in ("price", "amount"))
    return VenueMarket(
        venue=venue,
        symbol=market["symbol"],
        id=str(market["id"]),
        kind=str(market.get("type") or "spot"),
        base=market.get("base") or "",
        quote=market.get("quote") or "",
        active=market.get("active"),
        tick=text_of(tick),
        lot=text_of(lot),
        min_qty=text_of((limits.get("amount") or {}).get("min")),
        min_notional=text_of((limits.get("cost") or {}).get("min")),
        maker_fee=text_of(market.get("maker")),
        taker_fee=text_of(market.get("taker")),
    )
