"""Puts venues together: markets, accounts, keys, background flow, dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from kimera_cli.errors import UsageError
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Options
from kimera_cli.venues.server.dialects import load
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.faults import Faults, Rule
from kimera_cli.venues.server.flow import Flow
from kimera_cli.venues.server.host import Background, Host, Report, Venue
from kimera_cli.venues.server.keys import Key, KeyStore
from kimera_cli.venues.server.model import Market
from kimera_cli.venues.server.new_keys import new_key

if TYPE_CHECKING:
    from kimera_cli.data.source import EventSource

WEALTH = Decimal(1_000_000)
"""What a client account begins with, in each asset, in units of the quote (roughly)."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is asked for."""

    venues: Sequence[str]
    seed: int = 0
    rate: float = 20.0
    """Acts of the background per second and market; 0: a book that stands still."""
    limits: bool = True
    cadence_ns: int | None = None
    markets: dict[str, list[Market]] = {}
    """Instead of a venue's default markets."""
    tapes: dict[str, EventSource] = {}
    """Recorded books by canonical symbol, instead of the synthetic background."""
    wealth: dict[str, str] = {}
    """Deposits of the client account, instead of the default ones."""


def build_host(
    setup: Setup,
    source: Callable[[], int] | None,
    on_bug: Report,
    rules: Iterable[Rule] = (),
    start_ns: int = 0,
) -> Host:
    """Build all venues on one host; each venue has its own clock over `source`."""
    faults = Faults()
    for rule in rules:
        faults.add(rule)
    if len(set(setup.venues)) < len(setup.venues):
        raise UsageError("usage.venue", f"expected each venue once, was {','.join(setup.venues)}")
    venues = [_venue(name, setup, Clock(source, start_ns), faults, on_bug) for name in setup.venues]
    return Host(venues, faults)


def _venue(name: str, setup: Setup, clock: Clock, faults: Faults, on_bug: Report) -> Venue:
    dialect_type = load(name)
    name = dialect_type.venue
    markets = setup.markets.get(name) or dialect_type.default_markets()
    markets = [_taped(setup, market) for market in markets]
    exchange = Exchange(name, markets, clock, setup.seed, dialect_type.rules)
    client = exchange.open_account("client", setup.wealth or wealth_of(markets))
    keys = KeyStore([new_key(name, setup.seed, client.id)])
    dialect = dialect_type(exchange, keys, Options(setup.limits, setup.cadence_ns))
    venue = Venue(name, exchange, dialect, keys, faults, on_bug)
    exchange.on_bug = partial(venue.report, where="event")
    venue.background += [_background(exchange, market, setup) for market in markets]
    return venue


def _taped(setup: Setup, market: Market) -> Market:
    source = setup.tapes.get(market.symbol)
    if source is None:
        return market
    from kimera_cli.venues.server.tape import market_of  # brings Parquet with it

    return market_of(source, market.symbol)


def _background(exchange: Exchange, market: Market, setup: Setup) -> Background:
    source = setup.tapes.get(market.symbol)
    if source is None:
        return Flow(exchange, market, setup.rate, setup.seed)
    from kimera_cli.venues.server.tape import Tape

    return Tape(exchange, market, source)


def client_key(venue: Venue) -> Key:
    """Return the key of the client account."""
    return next(iter(venue.keys))


def wealth_of(markets: Iterable[Market]) -> dict[str, str]:
    """Return deposits of about the same value in every asset of the markets."""
    found: dict[str, Decimal] = {}
    for market in markets:
        if market.quote not in found:
            found[market.quote] = WEALTH
        worth = found[market.quote] / market.start_px
        if market.base not in found:
            found[market.base] = max(Decimal(1), Decimal(int(worth)))
    return {asset: str(amount) for asset, amount in found.items()}
