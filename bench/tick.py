"""Tick to decision inside the loop: event, book, features, table, gate, order slot.

The quantiles are over whole chains, one by one: events that end a message and lead to a decision
that the gate was asked about, from reading the event to the written slot, clock readings included.
`detail.event_ns` is the time per event of a pass without clock readings. The yardstick
(limit/loop.cpp) does the same work in C++, in turn, and must come to the same decisions and sums.

The table is cut at the quantiles of the tape's own features; it buys where the queues lean to the
bid and sells where they lean to the ask. What matters here is that the path is run, not the profit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kimera_cli.ensemble.quantiser import DEFAULT_AXES, learn, parse_axes
from kimera_cli.kernels.features import features_run
from kimera_cli.kernels.state import GATE, SLEEVE, STREAM
from kimera_cli.kernels.table import axis_values, table_publish
from kimera_cli.layouts import (
    BUY,
    FEATURES,
    HOLD,
    SELL,
    TABLE,
    TABLE_AXES,
    TABLE_SIDE,
    TABLE_USE,
    VIEW,
)
from kimera_cli.market.book import new_books
from kimera_cli.records import Bench
from kimera_cli.telemetry.clock import Clock, calibrate

from . import cdf, targets
from .harness import Case, Timing, Watch, batches
from .limit import ABSENT
from .request import Request, row
from .tape import Tape, tapes
from .tick_work import SLOT, SLOTS, WORK, tick_all, tick_timed
from .yardstick import Yardstick, mixed, require_same, yardstick

EVENTS = 500_000
SLEEVES = 2
ORDER_VALUE = 2_000.0
CASH = 1e6
P50_NS = 120.0
P999_NS = 1_000.0
TIMES_CPP = 2.0
FAR_NS = 1 << 62
LEAN = 0.4
"""Share of the cells, at each end of the queue imbalance, in which the table wants an order."""


@dataclass
class Chains:
    """What the timed passes of one side took: all chains of all repeats, and each repeat's p50."""

    took_ns: list[float] = field(default_factory=list)
    p50_ns: list[float] = field(default_factory=list)
    n: int = 0

    def add(self, took_ns: Any) -> None:
        """Take in one repeat."""
        ordered = np.sort(took_ns)
        self.n = len(ordered)
        self.took_ns += ordered.tolist()
        self.p50_ns.append(float(ordered[(self.n - 1) // 2]))

    def timing(self) -> Timing:
        """Return them as a timing of single chains."""
        return Timing(n=self.n, repeats_ns=self.p50_ns, batches_ns=self.took_ns, batch=1)


@dataclass(frozen=True)
class State:
    """What a run works on: the `args` of tick_all before its events; args[3] points to `use`."""

    args: tuple[Any, ...]
    use: Any

    @property
    def work(self) -> Any:
        """Counts and the hash of the decisions."""
        return self.args[0]


@dataclass
class Setup:
    """The input that both sides get, and what a fresh run of kimera's side is made of."""

    tape: Tape
    table: Any
    gate: Any
    lots: int

    def instrument(self) -> Any:
        """Return the INSTRUMENT row."""
        return self.tape.instrument.row().view(np.recarray)

    def fresh(self) -> State:
        """Return the state at the start of a run."""
        use = np.zeros(1, TABLE_USE)
        use["table"] = self.table.ctypes.data
        work = np.zeros(1, WORK).view(np.recarray)[0]
        work.qty_lots = self.lots
        names = ((VIEW, SLEEVES), (SLEEVE, SLEEVES), (STREAM, 1))
        args = (
            work,
            new_books(1)[0],
            self.gate.copy().view(np.recarray)[0],
            use.ctypes.data,
            *(np.zeros(n, dtype).view(np.recarray) for dtype, n in names),
            self.instrument(),
            np.zeros(1, FEATURES).view(np.recarray),
            np.zeros(SLOTS, SLOT).view(np.recarray),
        )
        return State(args, use)


def rows(request: Request) -> Iterator[Bench]:
    """Time the synthetic tape and every recording that was named."""
    clock = calibrate()
    for tape in tapes(request, EVENTS):
        setup = make_setup(tape)
        inputs = [tape.events, setup.table, setup.gate, setup.instrument()]
        with yardstick(request, "loop", inputs, SLEEVES, setup.lots) as limit:
            state = setup.fresh()
            tick_all(*state.args, tape.events.view(np.ndarray))
            require_same("loop", checksum(state), limit)
            yield _row(request, setup, clock, limit, state.work)


def _row(request: Request, setup: Setup, clock: Clock, limit: Yardstick | None, work: Any) -> Bench:
    ours, theirs = Chains(), Timing()
    cases = [_rate_case(setup), _chain_case(setup, clock, ours)]
    if limit is not None:
        cases.append(Case("limit", lambda: limit, lambda it, watch: _run_limit(it, watch, theirs)))
    timings = request.measure(cases)
    del ours.p50_ns[0], ours.took_ns[: ours.n], theirs.repeats_ns[:1]  # the first is thrown away
    chains, floor = ours.timing(), theirs if limit else None
    return row(
        request,
        f"tick.{setup.tape.name}",
        chains,
        kind="single chains from the event to the order slot",
        limit=floor,
        goals=[
            targets.quantile(chains, "p50", P50_NS),
            targets.quantile(chains, "p99.9", P999_NS),
            targets.limit(chains, floor, TIMES_CPP),
        ],
        compared="" if limit else ABSENT,
        cdf=cdf.of_samples(chains.batches_ns),
        event_ns=round(timings["rate"].median_ns, 3),
        limit_event_ns=round(timings["limit"].median_ns, 3) if limit else None,
        limit_chains=limit.last.detail if limit and limit.last else None,
        counter="time-stamp counter" if clock.source.tsc else "clock_gettime",
        messages=int(work.messages),
        decisions=int(work.asked),
        orders=int(work.orders),
        sleeves=SLEEVES,
    )


def _rate_case(setup: Setup) -> Case:
    parts = batches(setup.tape.events)

    def run(state: State, watch: Watch) -> None:
        watch.start()
        for part in parts:
            tick_all(*state.args, part)
            watch.lap(len(part))

    return Case("rate", setup.fresh, run)


def _chain_case(setup: Setup, clock: Clock, chains: Chains) -> Case:
    events = setup.tape.events.view(np.ndarray)
    took = np.zeros(len(events), np.int64)

    def run(state: State, watch: Watch) -> None:
        watch.start()
        n = tick_timed(*state.args, events, clock.row, took)
        watch.lap(len(events))
        chains.add(took[:n] * float(clock.row.ns_per_tick))

    return Case("chains", setup.fresh, run)


def _run_limit(limit: Yardstick, watch: Watch, chains: Timing) -> None:
    answer = limit.run()
    watch.laps += answer.laps
    chains.repeats_ns.append(float(answer.detail["p50"]))


def make_setup(tape: Tape) -> Setup:
    """Return the table, the gate's limits and the order size for a tape."""
    row_ = tape.instrument.row().view(np.recarray)[0]
    rows_ = _features(tape)
    mid = float(np.nanmedian(rows_.mid_ticks))
    value = mid * row_.tick * row_.lot * row_.contract_size * row_.settle_rate
    gate = np.zeros(1, GATE)
    for name, number in _LIMITS.items():
        gate[name] = number
    return Setup(tape, _table(rows_), gate, max(1, round(ORDER_VALUE / value)))


_LIMITS = {
    "trading": 1,
    "cash": CASH,
    "peak": CASH,
    "day_start": CASH,
    "max_open_orders": 100,
    "stale_ns": 10**9,
    "tokens": 1e3,
    "token_rate": 1e3,
    "token_burst": 1e3,
    "max_order": 0.10,
    "max_position": 0.10,
    "max_asset": 0.20,
    "collar": 0.05,
    "max_drawdown": 0.10,
    "max_daily_loss": 0.10,
}


def _features(tape: Tape) -> Any:
    """Return the features after every message, shape (messages,)."""
    rows_ = np.zeros(len(tape.events), FEATURES).view(np.recarray)
    f = np.zeros(1, FEATURES).view(np.recarray)[0]
    n = features_run(new_books(1)[0], f, tape.events.view(np.ndarray), rows_)
    return rows_[: int(n)]


def _table(rows_: Any) -> Any:
    """Return a published TABLE, shape (1,), cut at the quantiles of these features."""
    states = np.zeros((len(rows_), len(TABLE_AXES)))
    for k in range(len(rows_)):
        axis_values(rows_[k], states[k])
    quantiser = learn(states, parse_axes(DEFAULT_AXES))
    side = np.zeros(1, TABLE_SIDE)
    quantiser.write(side)
    leaning = np.arange(quantiser.cells) // quantiser.strides[0] / quantiser.bins[0]
    entries = side["entries"][0, : quantiser.cells]
    entries["version"], entries["expires_ns"], entries["confidence"] = 1, FAR_NS, 1.0
    entries["action"] = np.where(leaning < LEAN, SELL, np.where(leaning > 1 - LEAN, BUY, HOLD))
    table = np.zeros(1, TABLE)
    table_publish(table.ctypes.data, side.ctypes.data)
    return table


def checksum(state: State) -> int:
    """Return the checksum that limit/loop.cpp makes of the state of a run that has ended."""
    work, _, gate, _, views, _, _, _, features, _ = state.args
    f = features[0]
    numbers = [f.microprice_ticks, f.depth_imbalance, f.ofi, f.ofi_sum, f.signed_flow]
    floats = np.array([*numbers, f.vol_fast, f.vol_slow, gate.tokens])
    words = [work.messages, work.asked, work.orders, *_bits(floats)]
    for view in views:
        words += [view.position_lots, *_bits(np.array([view.cash]))]
    return mixed(np.array([int(word) for word in words], np.int64), int(work.hash))


def _bits(values: Any) -> list[int]:
    """Return doubles as integers; every NaN as the same one."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64).tolist()  # type: ignore[no-any-return]
