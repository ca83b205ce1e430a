"""`kimera journal verify` of an orders journal finds what was changed, in any table."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest

from kimera_cli.journal.intent_verify import is_intents, verify_intents
from kimera_cli.journal.intents import IntentJournal, Timing
from kimera_cli.venues.orders.entry import Answered
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    OrderUpdate,
    VenueFill,
    VenueOrder,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "orders" / "binance-main"


def write(folder, durability="disk", *, close=True):
    """Three orders: filled by a fill that came first, twice at the venue, only sent."""
    journal = IntentJournal.open(
        folder, venue="binance", account="main", durability=durability, entropy=b"e",
        now_ns=1, timing=Timing(lambda: 0, group_commit_ms=1e9),
    )  # fmt: skip
    names = []
    for number in (1, 2, 3):
        intent = journal.draft(number, symbol="BTCUSDT", side="buy", kind="limit", tif="gtc",
                               price=Decimal(100), quantity=Decimal(2))  # fmt: skip
        journal.plan([intent])
        journal.release([intent.client_id], 1, 2)
        names.append(intent.client_id)
    journal.record(fill(1, "v1"), 3)
    for number, name in enumerate(names[:2], 1):
        ack = Accepted(venue_order_id=f"v{number}", ts_ns=4)
        journal.record(Answered(client_id=name, outcome=ack), 4)
    filled = VenueOrder(venue="binance", symbol="BTCUSDT", venue_order_id="v1", status="filled",
                        filled=Decimal(2))  # fmt: skip
    journal.record(OrderUpdate(order=filled), 5)
    journal.record(fill(2, "again", client_id=names[1]), 5)
    journal.record(fill(3, "foreign"), 6)
    if close:
        journal.close()
    return journal


def fill(number, order_id, **changes):
    values = {"venue": "binance", "symbol": "BTCUSDT", "trade_id": f"t{number}",
              "venue_order_id": order_id, "side": "buy", "price": Decimal(100),
              "quantity": Decimal(2), "fee": Decimal(0), "fee_asset": "BNB",
              "ts_ns": 9}  # fmt: skip
    return FillUpdate(fill=VenueFill(**values | changes))


def change(folder, statement):
    db = sqlite3.connect(folder / "intents.db")
    assert db.execute(statement).rowcount > 0
    db.commit()
    db.close()


@pytest.mark.parametrize("durability", ["disk", "process"])
@pytest.mark.parametrize("close", [True, False])
def test_a_good_journal_passes_also_while_it_is_written(folder, durability, close):
    journal = write(folder, durability, close=close)
    assert is_intents(folder)
    checks = list(verify_intents(folder))
    assert [(c.check, c.ok) for c in checks] == [
        ("chain", True), ("orders", True), ("fills", True),
    ]  # fmt: skip
    assert checks[0].run == "binance-main"
    if close:
        assert checks[0].entries == 12
    else:
        journal.close()


@pytest.mark.parametrize(
    ("statement", "check", "detail"),
    [
        ("UPDATE entries SET ts_ns = 7 WHERE seq = 5", "chain", "entry 5 was changed"),
        ("UPDATE orders SET phase = 'open' WHERE number = 3", "orders", "order 3 does not follow"),
        ("UPDATE orders SET filled = '1' WHERE number = 1", "orders", "order 1 does not follow"),
        ("DELETE FROM orders WHERE number = 3", "orders", "order 3 is missing"),
        ("UPDATE fills SET price = '101' WHERE trade_id = 't1'", "fills", "fill t1 of BTCUSDT"),
        ("UPDATE fills SET number = NULL WHERE trade_id = 't1'", "fills", "fill t1 of BTCUSDT"),
        ("INSERT INTO fills SELECT symbol, 't9', number, venue_order_id, side, price, quantity,"
         " fee, fee_asset, maker, ts_ns FROM fills WHERE trade_id = 't3'", "fills", "fill t9"),
    ],
)  # fmt: skip
def test_a_change_is_named(folder, statement, check, detail):
    write(folder)
    change(folder, statement)
    bad = [c for c in verify_intents(folder) if not c.ok]
    assert [c.check for c in bad] == [check]
    assert detail in bad[0].detail


def test_the_command_speaks_of_it_and_exits_with_3(folder, kimera):
    write(folder)
    good = kimera("journal", "verify", str(folder), "--format", "jsonl")
    assert good.code == 0, good.err
    assert [line["check"] for line in good.json[:-1]] == ["chain", "orders", "fills"]
    change(folder, "UPDATE orders SET cost = '0' WHERE number = 1")
    bad = kimera("journal", "verify", str(folder), "--format", "jsonl")
    assert bad.code == 3
    assert "data.journal_altered" in bad.err
    assert "order 1 does not follow" in bad.err
