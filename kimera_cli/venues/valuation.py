"""What positions are worth now: `kimera trade positions --value`.

A position is worth its size at the middle of best bid and ask of its own market, brought to the
portfolio's currency by the stated rates. An asset's total is the sum over its markets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kimera_cli.errors import KimeraError, ProfileError
from kimera_cli.records import Ticker, TradePosition
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.history.now import ask_each, ticker
from kimera_cli.venues.history.session import Place, world_of
from kimera_cli.venues.holdings import TOTAL

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.settings import Portfolio

Prices = Callable[[str, Sequence[str]], Mapping[str, Decimal]]
"""Prices of symbols at a venue; what has none is not in it."""


def prices_from(server: str, world: Context, failed: Callable[[KimeraError], None]) -> Prices:
    """Return what asks venues for their tickers; what cannot be had is told to `failed`."""

    def ask(venue: str, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        found: dict[str, Decimal] = {}
        try:
            answers = list(ask_each(Place(venue, symbols, server), world_of(world), ticker))
        except KimeraError as error:
            failed(error)
            return found
        for symbol, answer in zip(symbols, answers, strict=True):
            if isinstance(answer, KimeraError):
                failed(answer)
            elif isinstance(answer, Ticker) and (price := _price(answer)) is not None:
                found[symbol] = price
        return found

    return ask


def valued(
    positions: Sequence[TradePosition], portfolio: Portfolio, prices: Prices
) -> Iterator[TradePosition]:
    """Yield the positions with their value; empty where a price is not known, totals as well.

    ProfileError `profile.rate`: a quote currency has no rate.
    """
    symbols: dict[str, list[str]] = defaultdict(list)
    for each in positions:
        if each.venue != TOTAL and each.asset:
            symbols[each.venue].append(each.symbol)
    known = {venue: prices(venue, names) for venue, names in symbols.items()}
    sums: dict[str, Decimal | None] = defaultdict(Decimal)
    for each in positions:
        if each.venue == TOTAL:
            worth = sums[each.asset]
        elif not each.asset:  # a market that its venue does not list any more
            worth = None
        else:
            worth = _worth(each, known[each.venue].get(each.symbol), portfolio)
            before = sums[each.asset]
            sums[each.asset] = None if worth is None or before is None else before + worth
        value = "" if worth is None else plain(worth)
        yield replace(each, value=value, currency=portfolio.currency)


def _worth(one: TradePosition, price: Decimal | None, portfolio: Portfolio) -> Decimal | None:
    rates = {portfolio.currency: 1.0, **portfolio.rates}
    if one.quote not in rates:
        raise ProfileError(
            "profile.rate",
            f"expected a rate from {one.quote} ({one.venue}/{one.symbol}) to "
            f"{portfolio.currency}, was none (known: {', '.join(sorted(rates))})",
            f"set KIMERA_PORTFOLIO__RATES__{one.quote}, or portfolio.rates of a profile",
        )
    return None if price is None else Decimal(one.qty) * price * Decimal(repr(rates[one.quote]))


def _price(told: Ticker) -> Decimal | None:
    if told.bid and told.ask:
        return (Decimal(told.bid) + Decimal(told.ask)) / 2
    return Decimal(told.last) if told.last else None
