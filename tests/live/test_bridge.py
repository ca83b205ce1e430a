"""What the loop is told of an order, from what the account knows of it."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from journal_steps import PAIR, T0, Steps, asked

from kimera_cli.layouts import IOC, MARKET, R_FILL, REJECTS
from kimera_cli.live import bridge
from kimera_cli.live.bridge import fee_in_quote
from kimera_cli.venues.orders.entry import ProvedAbsent, Withheld
from kimera_cli.venues.orders.outcome import Handling, Reason, Rejected, Unknown, VenueFill


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_an_order_is_accepted_filled_in_parts_and_over(steps: Steps) -> None:
    order = steps.bridge.begin(asked())
    name = steps.send(order)
    assert steps.told == []
    steps.answer(name, "77")
    steps.fill("77", "0.002", "99.99")
    steps.fill("77", "0.003")
    assert steps.told == [("accepted", 5, 5, "ok"), ("fill", 2, 3, "ok"), ("fill", 3, 0, "ok")]
    assert order.over
    first = steps.raw[1][0]
    assert (first["px_ticks"], first["maker"], first["fee"]) == (9_999, 1, 0.002)
    assert (first["id"], first["slot"], first["ts_exch_ns"]) == (1, 2, T0 + 5)


def test_a_fill_that_comes_before_the_answer_says_accepted_first(steps: Steps) -> None:
    name = steps.send(steps.bridge.begin(asked()))
    steps.fill("77", "0.005", client_id=name)
    steps.answer(name, "77")
    assert [what[0] for what in steps.told] == ["accepted", "fill"]


def test_what_is_told_twice_is_said_once(steps: Steps) -> None:
    name = steps.send(steps.bridge.begin(asked()))
    steps.answer(name, "77")
    for _ in range(2):
        steps.tell("77", "open")
        steps.tell("77", "canceled")
    assert steps.told == [("accepted", 5, 5, "ok"), ("cancelled", 5, 0, "ok")]


def test_a_canceled_order_waits_for_the_fills_that_it_had(steps: Steps) -> None:
    """The venue says canceled with 0.002 filled; the execution itself comes later."""
    name = steps.send(steps.bridge.begin(asked()))
    steps.answer(name, "77")
    steps.tell("77", "canceled", filled="0.002")
    assert [what[0] for what in steps.told] == ["accepted"]
    steps.fill("77", "0.002")
    assert steps.told[1:] == [("fill", 2, 3, "ok"), ("cancelled", 3, 0, "ok")]


def test_a_fill_after_the_end_still_counts(steps: Steps) -> None:
    name = steps.send(steps.bridge.begin(asked()))
    steps.answer(name, "77")
    steps.tell("77", "canceled")
    steps.fill("77", "0.005")
    assert [what[0] for what in steps.told] == ["accepted", "cancelled", "fill"]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.POST_ONLY, "post_only_would_cross"),
        (Reason.FUNDS, "funds"),
        (Reason.UNMAPPED, "refused"),
    ],
)
def test_a_refusal_is_told_with_its_reason(steps: Steps, reason: Reason, code: str) -> None:
    name = steps.send(steps.bridge.begin(asked()))
    steps.answer(name, Rejected(reason=reason, raw="no"))
    assert steps.told == [("rejected", 5, 0, code)]


def test_an_order_in_doubt_is_not_told_until_it_is_found_or_proved_absent(steps: Steps) -> None:
    names = [steps.send(steps.bridge.begin(asked(n))) for n in (1, 2)]
    for name in names:
        steps.answer(name, Unknown(why=Reason.NO_ANSWER, detail=""))
    assert steps.told == []
    steps.tell("77", "open", client_id=names[0])
    steps.apply(ProvedAbsent(client_id=names[1], ts_ns=T0, asked_ns=(T0,)))
    assert steps.told == [("accepted", 5, 5, "ok"), ("rejected", 5, 0, "not_sent")]


def test_what_was_withheld_was_not_sent(steps: Steps) -> None:
    order = steps.bridge.begin(asked())
    name = steps.send(order)
    steps.answer(name, Rejected(reason=Reason.RATE_LIMIT, raw="429", handling=Handling.RETRY_LATER))
    assert steps.told == []  # it may be sent again
    steps.apply(Withheld(client_id=name, ts_ns=T0, why="late"))
    assert steps.told == [("rejected", 5, 0, "not_sent")]


def test_the_rest_of_an_ioc_expires(steps: Steps) -> None:
    name = steps.send(steps.bridge.begin(asked(tif=IOC)))
    steps.answer(name, "77")
    steps.fill("77", "0.001")
    steps.tell("77", "expired", filled="0.001")
    assert steps.told[-1] == ("cancelled", 4, 0, "ioc_expired")


def test_an_amended_order_is_one_order_to_the_loop(steps: Steps) -> None:
    """5 lots, 2 filled; amended by -1 at another price: 2 lots are sent anew."""
    order = steps.bridge.begin(asked())
    steps.answer(steps.send(order), "77")
    steps.fill("77", "0.002")
    order.wants = (10_050, -1)
    steps.tell("77", "canceled", filled="0.002")
    assert order.replaces
    assert not order.client_id
    wish = steps.bridge.wish(order, 0)
    assert (wish.price, wish.quantity) == (Decimal("100.50"), Decimal("0.002"))
    steps.answer(steps.send(order), "78")
    steps.fill("78", "0.002")
    assert steps.told == [
        ("accepted", 5, 5, "ok"), ("fill", 2, 3, "ok"), ("amended", 2, 2, "ok"),
        ("fill", 2, 0, "ok"),
    ]  # fmt: skip
    assert steps.raw[2]["px_ticks"] == 10_050


def test_an_amendment_whose_second_half_is_refused_ends_the_order(steps: Steps) -> None:
    order = steps.bridge.begin(asked())
    steps.answer(steps.send(order), "77")
    order.wants = (10_050, 0)
    steps.tell("77", "canceled")
    steps.answer(steps.send(order), Rejected(reason=Reason.FUNDS, raw="-2010"))
    assert steps.told[-1] == ("cancelled", 5, 0, "funds")
    assert order.over


@pytest.mark.parametrize("change", [-3, -4])
def test_an_amendment_to_nothing_is_a_cancel(steps: Steps, change: int) -> None:
    order = steps.bridge.begin(asked())
    steps.answer(steps.send(order), "77")
    steps.fill("77", "0.002")
    order.wants = (10_050, change)
    steps.tell("77", "canceled", filled="0.002")
    assert steps.told[-1] == ("cancelled", 3, 0, "ok")


def test_an_order_that_fills_before_its_amendment_needs_none(steps: Steps) -> None:
    order = steps.bridge.begin(asked())
    steps.answer(steps.send(order), "77")
    order.wants = (10_050, 0)
    steps.fill("77", "0.005")
    assert order.over
    assert not order.replaces


def test_a_market_order_has_no_price_and_never_rests(steps: Steps) -> None:
    order = steps.bridge.begin(asked(type=MARKET, px_ticks=0))
    wish = steps.bridge.wish(order, MARKET)
    assert (wish.kind, wish.tif, wish.price) == ("market", "ioc", None)


def test_a_refused_cancel_leaves_the_order_as_it_is(steps: Steps) -> None:
    order = steps.bridge.begin(asked())
    steps.answer(steps.send(order), "77")
    order.wants = (1, 1)
    steps.say([steps.bridge.kept(order, "refused", T0)])
    assert steps.told[-1] == ("kept", 5, 5, "refused")
    assert order.wants is None


def test_other_orders_of_the_account_are_not_the_loops(steps: Steps) -> None:
    steps.tell("99", "open", client_id="somebody")
    steps.fill("99", "1")
    assert steps.told == []


def test_every_code_is_a_known_one() -> None:
    from kimera_cli.live.bridge import CODES

    assert set(CODES.values()) <= set(REJECTS)


@pytest.mark.parametrize(
    ("fee", "asset", "expected"),
    [("0.5", "USDT", 0.5), ("0.001", "BTC", 0.1), ("-0.2", "USDT", -0.2), ("0", "BNB", 0.0)],
)
def test_fees_come_out_in_quote(fee: str, asset: str, expected: float) -> None:
    assert fee_in_quote(a_fill(fee, asset), PAIR) == pytest.approx(expected, abs=0)


def test_a_fee_in_a_third_asset_is_not_known_in_quote() -> None:
    assert math.isnan(fee_in_quote(a_fill("0.001", "BNB"), PAIR))


def a_fill(fee: str, asset: str) -> VenueFill:
    return VenueFill(
        venue="binance", symbol="BTCUSDT", trade_id="1", venue_order_id="2", side="buy",
        price=Decimal(100), quantity=Decimal(1), fee=Decimal(fee), fee_asset=asset, ts_ns=T0,
    )  # fmt: skip


def test_a_fee_kept_of_what_was_bought_makes_the_position_smaller(steps: Steps) -> None:
    """Lots of 0.001; fees of 0.4, 0.4, 0.4 and 1.3 lots: 1, 0, 1 and 1 lots are gone, 0.5 is dust.

    What the loop holds is never more than what is there.
    """
    for number in range(1, 5):
        order = steps.bridge.begin(asked(number))
        steps.answer(steps.send(order), f"v{number}")
        fee = Decimal("0.0013" if number == 4 else "0.0004")
        steps.fill(f"v{number}", "0.005", fee=fee, fee_asset="BTC")
    rows = [row[0] for row in steps.raw if int(row["kind"][0]) == R_FILL]
    assert [int(row["code"]) for row in rows] == [1, 0, 1, 1]
    assert [float(row["fee"]) for row in rows] == pytest.approx([0.04, 0.04, 0.04, 0.13])
    assert steps.bridge.dust() == {"BTCUSDT": Decimal("0.0005")}


def test_a_fee_in_another_asset_leaves_the_position(steps: Steps) -> None:
    steps.answer(steps.send(steps.bridge.begin(asked())), "77")
    steps.fill("77", "0.005", fee=Decimal("0.01"), fee_asset="BNB")
    assert int(steps.raw[-1]["code"][0]) == 0
    assert steps.bridge.dust() == {}


def test_of_orders_that_are_over_only_the_newest_are_known(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on for weeks; what is open stays known however old it is."""
    monkeypatch.setattr(bridge, "KEPT", 3)
    first = steps.send(steps.bridge.begin(asked(id=1)))
    steps.answer(first, "v1")
    for number in range(2, 12):
        name = steps.send(steps.bridge.begin(asked(id=number)))
        steps.answer(name, f"v{number}")
        steps.tell(f"v{number}", "canceled")
    assert len(steps.bridge._by_client) <= 4
    steps.fill("v1", "0.005")
    assert steps.told[-1][0] == "fill"
