"""HTX's channels that show a state: whole books, best prices, the last day, the present bar."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.server.dialects import htx_market as market_data
from kimera_cli.venues.server.dialects.htx_books import Book
from kimera_cli.venues.server.dialects.htx_market import PERIODS
from kimera_cli.venues.server.dialects.htx_text import ms, name_of, px, qty
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Ticker

SECOND_NS, TENTH_NS = NS_PER_S, 100 * NS_PER_MS


class Topic(NamedTuple):
    """A channel: market.SYMBOL.KIND."""

    name: str
    symbol: str
    """Canonical."""
    kind: str

    @property
    def interval_ns(self) -> int | None:
        """Return how often the channel tells its state; None when it tells each change."""
        if self.kind.startswith(("depth.", "kline.")):
            return SECOND_NS
        if self.kind.startswith("mbp.refresh.") or self.kind in ("bbo", "detail", "ticker"):
            return TENTH_NS
        return None


def state_text(exchange: Exchange, book: Callable[[str], Book], topic: Topic, now_ns: int) -> str:
    """Return the message that shows a channel's state."""
    head, _, tail = topic.kind.partition(".")
    market = exchange.market(topic.symbol)
    if head == "depth":
        sides = market_data.depth_text(exchange, market, tail, market_data.BOOK_LEVELS)
        tick = f'{sides},"version":{market.seq},"ts":{ms(now_ns)}'
    elif head == "mbp":
        sides = book(topic.symbol).refresh(int(tail.removeprefix("refresh.")))
        tick = f'"seqNum":{market.seq},{sides}'
    elif head == "kline":
        bar = exchange.candles(topic.symbol, PERIODS[tail] * NS_PER_S, limit=1)[-1]
        tick = market_data.bar_text(market, bar)[1:-1]
    else:
        tick = DAYS[head](exchange.ticker(topic.symbol), now_ns)
    return f'{{"ch":"{topic.name}","ts":{ms(now_ns)},"tick":{{{tick}}}}}'


def _best(day: Ticker) -> str:
    market = day.market
    return (
        f'"ask":{px(market, day.ask_px)},"askSize":{qty(market, day.ask_lots)},'
        f'"bid":{px(market, day.bid_px)},"bidSize":{qty(market, day.bid_lots)}'
    )


def _bbo(day: Ticker, now_ns: int) -> str:
    market = day.market
    return (
        f'"seqId":{market.seq},{_best(day)},"quoteTime":{ms(now_ns)},"symbol":"{name_of(market)}"'
    )


def _detail(day: Ticker, now_ns: int) -> str:
    return f'"id":{day.market.seq},{market_data.day_text(day)}'


def _ticker(day: Ticker, now_ns: int) -> str:
    market = day.market
    return (
        f"{market_data.day_text(day)},{_best(day)},"
        f'"lastPrice":{px(market, day.last_px)},"lastSize":{qty(market, day.last_lots)}'
    )


DAYS = {"bbo": _bbo, "detail": _detail, "ticker": _ticker}
