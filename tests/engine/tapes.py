"""Markets made by hand, and sessions on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.engine.session import Session
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, DEPTH, EVENT, F_LAST, TRADE, Events
from kimera_cli.records import RunSummary
from kimera_cli.settings import Profile

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
S = 1_000_000_000

SPOT = Instrument(
    venue="binance",
    symbol="BTCUSDT",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    base="BTC",
    quote="USDT",
    maker_fee=0.001,
    taker_fee=0.001,
)
LINEAR = Instrument(
    venue="binanceusdm",
    symbol="BTCUSDT",
    kind="linear",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    base="BTC",
    quote="USDT",
    maker_fee=0.0002,
    taker_fee=0.0005,
)
INVERSE = Instrument(
    venue="binancecoinm",
    symbol="BTCUSD_PERP",
    kind="inverse",
    tick=Decimal("0.1"),
    lot=Decimal("1"),
    contract_size=Decimal("100"),
    base="BTC",
    quote="USD",
    settle="BTC",
    maker_fee=0.0001,
    taker_fee=0.0004,
)


@dataclasses.dataclass
class HandMade:
    """An event source from an array."""

    instrument: Instrument
    events: Events
    family: str = "l2"
    source_hash: str = "0" * 64
    min_latency_ns: int | None = 0

    @property
    def dataset(self) -> str:
        return f"{self.instrument.name}/{self.family}"

    @property
    def rows(self) -> int:
        return len(self.events)

    @property
    def start_ns(self) -> int:
        return int(self.events["ts_local_ns"][0]) if self.rows else 0

    @property
    def end_ns(self) -> int:
        return int(self.events["ts_local_ns"][-1]) if self.rows else 0

    def chunks(self, size: int = 16_384) -> Iterator[Events]:
        for start in range(0, self.rows, size):
            yield self.events[start : start + size].copy()


def events(rows: Sequence[tuple[int, int, int, int, int]], last: int = F_LAST) -> Events:
    """Return events from (ns after T0, kind, side, px_ticks, qty_lots); each is a message."""
    made = np.zeros(len(rows), EVENT)
    for event, (after, kind, side, px, qty) in zip(made, rows, strict=True):
        event["ts_exch_ns"] = event["ts_local_ns"] = T0 + after
        event["kind"], event["side"], event["px_ticks"], event["qty_lots"] = kind, side, px, qty
        event["flags"] = last
    made["aux"] = np.arange(1, len(rows) + 1)
    return made


def quotes(
    mids: Sequence[int], every_ns: int = S, lots: int = 1_000_000, half: int = 1
) -> list[tuple[int, int, int, int, int]]:
    """Return a book whose only bid and ask stand `half` ticks around each mid in turn."""
    rows: list[tuple[int, int, int, int, int]] = []
    before: int | None = None
    for i, mid in enumerate(mids):
        at = i * every_ns
        if before is not None and before != mid:
            rows += [(at, DEPTH, BID, before - half, 0), (at, DEPTH, ASK, before + half, 0)]
        if before != mid:
            rows += [(at, DEPTH, BID, mid - half, lots), (at, DEPTH, ASK, mid + half, lots)]
        else:
            rows.append((at, TRADE, BID, mid + half, 1))
        before = mid
    return rows


SCRIPTED = '''"""Acts by the clock."""

from kimera_cli.strategies import Market, Strategy

INTERVAL_NS = 1_000_000_000


class Scripted(Strategy):
    def on_start(self):
        self.n = 0

    def on_wake(self, market: Market) -> None:
        n, self.n = self.n, self.n + 1
        name = market.view["instrument"]
BODY
'''


@dataclasses.dataclass
class Ran:
    """A session that came to its end."""

    session: Session
    summary: RunSummary
    folder: RunFolder


def plain_profile(**sections: dict[str, Any]) -> Profile:
    """Return a profile without latency and with limits that no test meets by chance."""
    base = {
        "latency": {"entry_ns": 0, "response_ns": 0, "min_feed_ns": 0},
        "risk": {
            "max_order_fraction": 1.0,
            "max_position_fraction": 1.0,
            "max_asset_fraction": 1.0,
            "max_drawdown": 1.0,
            "max_daily_loss": 1.0,
            "max_orders_per_s": 1e6,
            "order_burst": 100_000,
            "spot_short": True,
            "stale_after": "1h",
        },
    }
    for name, values in sections.items():
        base[name] = base.get(name, {}) | values
    return msgspec.convert(base, Profile)


def start(request: RunRequest, **clocks: Any) -> Session:
    """Return an open session with clocks that stand still unless given."""
    given = {"now_ns": lambda: T0, "monotonic_ns": lambda: 0, "sleep": no_sleep, **clocks}
    session = Session(request, **given)
    session.open()
    return session


def no_sleep(seconds: float) -> None:
    raise AssertionError("expected no waiting at full speed")
