"""Order bytes as a benchmark: plain Python, the peer, writes the very bytes of the kernel."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_cli.bench import order, order_ccxt, order_peers
from kimera_cli.bench.request import Request

ENTRIES = order.entries()
REST = [entry for entry in ENTRIES if entry.dialect.way.way == "rest"]


@pytest.mark.parametrize("entry", REST, ids=lambda e: e.name)
def test_plain_python_comes_to_the_same_bytes(entry: order.Entry) -> None:
    pytest.importorskip("orjson")
    write = order_peers.write_in_python(entry)
    for i in range(60):
        px, ts_ns = order.PX_TICKS + 2 * (i % 50), order.TS_NS + i * 1_000_000
        assert write() == entry.build(px, ts_ns)


@pytest.mark.parametrize("entry", REST, ids=lambda e: e.name)
def test_ccxt_makes_an_order_of_the_same_price(entry: order.Entry) -> None:
    pytest.importorskip("ccxt")
    call = order_ccxt.ask_ccxt(entry)
    first, second = str(call()), str(call())
    assert f"{order.PX_TICKS / 100:.2f}" in first
    assert f"{(order.PX_TICKS + 2) / 100:.2f}" in second
    assert entry.client_id.decode() in first


def test_the_compiled_loop_builds_what_one_call_builds() -> None:
    for entry in ENTRIES:
        entry.wire.account.state["nonce"] = 0
        state: Any = order._compiled(entry, 1).prepare()
        assert order.build_all(*state, 7) > 0
        built = entry.wire.order[0]
        last = bytes(built["out"][built["begin"] : built["end"]])
        entry.wire.account.state["nonce"] = 0
        assert last == entry.build(order.PX_TICKS + 12, order.TS_NS + 7 * 1_000_000), entry.name


def test_rows_name_their_peers() -> None:
    pytest.importorskip("orjson")
    ticks = iter(range(0, 10**12, 1000))
    request = Request(clock=lambda: next(ticks), repeats=2, events=50, peers=True)
    rows = list(order.rows(request))
    assert [r.name for r in rows] == ["order.hmac", *(f"order.{e.name}" for e in ENTRIES)]
    assert rows[0].peer == "hashlib"
    assert rows[1].peer == "f-string + hmac + orjson"
    assert ">= 50 x ccxt" in rows[1].target
    assert rows[2].peer == ""
