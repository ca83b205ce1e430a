"""A decision table in the loop: what is looked up, what is compared, and no risk without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tapes import LINEAR, MS, T0, HandMade, events, plain_profile

from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.engine.session import Session
from kimera_cli.engine.tables import RunTable, Tables, open_tables, reads_table
from kimera_cli.ensemble.states import states_of
from kimera_cli.ensemble.study import Recipe, learn_table
from kimera_cli.ensemble.table_file import TableFile, save
from kimera_cli.errors import UsageError
from kimera_cli.layouts import ASK, BID, DEPTH
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve
from kimera_cli.strategies.registry import info

AXES = "queue_imbalance:16"
EAGER = {"cost_multiple": 0.0, "cool_down_s": 0.0, "order_notional": 500.0}


def leaning_market(n: int = 1_500, seed: int = 5) -> HandMade:
    """A market that goes where its queues lean, most of the time: there is something to learn."""
    rng = np.random.default_rng(seed)
    rows, mid = [], 200_000
    for step in range(n):
        at = step * 100 * MS
        lean = rng.uniform(-0.9, 0.9)
        bid, ask = 1 + int(1_000 * (1 + lean)), 1 + int(1_000 * (1 - lean))
        rows += [(at, DEPTH, BID, mid - 1, bid), (at + 1, DEPTH, ASK, mid + 1, ask)]
        if step % 3 == 2:
            up = rng.uniform(-1, 1) < lean
            rows += [(at + 2, DEPTH, BID, mid - 1, 0), (at + 3, DEPTH, ASK, mid + 1, 0)]
            mid += 10 if up else -10
    return HandMade(LINEAR, events(rows))


@pytest.fixture(scope="module")
def market() -> HandMade:
    return leaning_market()


@pytest.fixture(scope="module")
def table(market: HandMade) -> TableFile:
    return learn_table(market, states_of(market), Recipe(axes=AXES, train=0.5))


def run(
    market: HandMade, table: TableFile | None, out: Path, **params: float
) -> tuple[Any, list[Any], Any]:
    """Run table_taker; return summary, table records and the audit rows."""
    spec = load("table_taker")
    strategy = Sleeved(spec, resolve(spec, {**EAGER, **params}))
    request = RunRequest("replay", [market], [strategy], plain_profile(), seed=1, out=out)
    session = Session(request, now_ns=lambda: T0, monotonic_ns=lambda: 0, sleep=lambda s: None)
    used = [RunTable(Path("t"), "", table)] if table else []
    tables = Tables(used, session.arrays, [market.dataset], [spec.name])
    session.open()
    for _ in session.steps():
        tables.look_back()
    summary = session.finish("complete", 1.0)
    fills = RunFolder.open(session.folder.path).fills()
    return summary, list(tables.records()), fills


def test_the_taker_trades_on_the_table_and_only_after_it_was_learnt(market, table, tmp_path):
    summary, (used,), fills = run(market, table, tmp_path / "run")
    assert summary.fills > 50
    assert fills["ts_ns"].min() > table.learnt.end_ns
    assert used.hits > 500
    assert used.statuses["not_yet"] > 1_000  # the first half is the table's own past
    assert used.lookups == sum(used.statuses.values())
    assert used.compared > used.hits / 40
    assert used.agreement is not None
    assert used.agreement > 0.95
    assert 0 < used.mean_age_s < used.max_age_s < 90
    assert used.strategy == "table_taker"


def test_no_table_no_risk(market, tmp_path):
    summary, records, _ = run(market, None, tmp_path / "run")
    assert (summary.orders, summary.fills, records) == (0, 0, [])


def expiring(table: TableFile, after_ns: int) -> TableFile:
    """The same table with another expiry, sealed anew."""
    from kimera_cli.kernels.table import seal_entries

    expires = table.learnt.end_ns + after_ns
    side = table.side()
    side["entries"]["expires_ns"][side["entries"]["version"] > 0] = expires
    seal_entries(side.ctypes.data)
    cells = table.quantiser().cells
    entries = side["entries"][0, :cells].tobytes()
    return msgspec.structs.replace(table, expires_ns=expires, entries=entries)


def test_an_expired_table_lets_a_position_go_and_takes_no_new_one(market, table, tmp_path):
    """Until its expiry the table trades; after it the taker only closes what it holds."""
    lived = 20_000 * MS
    old = expiring(table, lived)
    _, (used,), fills = run(market, old, tmp_path / "run", horizon_s=1_000.0)
    expired = fills["ts_ns"] >= old.expires_ns
    assert used.statuses["expired"] > 500
    assert (~expired).sum() > 10
    held = np.cumsum(np.where(fills["side"] == BID, 1, -1) * fills["qty_lots"])
    assert held[~expired][-1] != 0, "nothing was held when the table expired: nothing is tested"
    assert held[-1] == 0
    assert (np.abs(np.diff(held[np.flatnonzero(expired)[0] - 1 :])) > 0).all()
    sizes = np.abs(held[np.flatnonzero(expired)[0] - 1 :])
    assert (np.diff(sizes) < 0).all(), "risk was added after the expiry"


def test_a_table_learnt_later_than_now_is_not_used(market, table, tmp_path):
    early = HandMade(LINEAR, market.events[: len(market.events) // 3])
    summary, (used,), _ = run(early, table, tmp_path / "run")
    assert summary.orders == 0
    assert set(used.statuses) <= {"not_yet", "no_state"}


def test_tables_are_matched_with_the_instruments_of_the_run(market, table, tmp_path):
    path, other = tmp_path / "a.table", tmp_path / "b.table"
    save(path, table)
    (opened,) = open_tables([path], [market])
    assert opened.table == table
    assert len(opened.sha256) == 64
    with pytest.raises(UsageError, match="one table of binanceusdm/BTCUSDT"):
        open_tables([path, path], [market])
    learnt = msgspec.structs.replace(table.learnt, dataset="okx/BTC-USDT/l2")
    save(other, msgspec.structs.replace(table, learnt=learnt))
    with pytest.raises(UsageError, match="a table of binanceusdm/BTCUSDT, was one of okx"):
        open_tables([other], [market])


def test_who_reads_a_table_is_seen_without_running_it():
    assert reads_table(info("table_taker"))
    assert not reads_table(info("ofi_taker"))
