"""Answers and messages as venues really write them, and the corners that no server shows."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loopback import PASSPHRASE, VENUES, run, secret_of, serving

from kimera_cli.venues.clients.api import Answer, VenueApi
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.rest import Query, get, parsed
from kimera_cli.venues.clients.stream_dialect import StreamDialect
from kimera_cli.venues.clients.streams import STREAMS
from kimera_cli.venues.clients.values import UnreadableError, dec, iso_ns, plain
from kimera_cli.venues.clients.venues import api_for, client_for
from kimera_cli.venues.orders.outcome import FillUpdate, OrderUpdate

NONE = Query("GET", "/")


@pytest.fixture
def captured(shared_data: Path) -> Any:
    """Return a captured answer, as the client parses it."""
    folder = shared_data / "golden" / "nautilus_adapters"
    if not folder.is_dir():
        pytest.skip("no captures of venues' answers among the recordings")

    def read(name: str) -> Answer:
        return Answer(200, parsed((folder / f"{name}.json").read_bytes()), {})

    return read


def api(venue: str) -> VenueApi:
    return api_for(venue)


def test_binance_answers(captured: Any) -> None:
    venue: Any = api("binance")
    (order,) = venue.read_orders(captured("binance/order_response"), NONE).items
    assert (order.client_id, order.status, order.price) == ("myOrder1", "open", Decimal("0.1"))
    assert (order.quantity, order.filled, order.tif) == (Decimal("1.0"), 0, "gtc")
    assert order.created_ns == 1_499_827_319_559_000_000
    (fill,) = venue.read_fills(captured("binance/account_trades_response"), NONE).items
    assert (fill.trade_id, fill.venue_order_id, fill.side) == ("28457", "100234", "buy")
    assert (fill.fee, fill.fee_asset, fill.maker) == (Decimal("10.1"), "BNB", False)
    assert fill.money == Decimal("48.000012")
    placed = captured("binance/new_order_full_response")
    name, whole = venue.read_place(placed, None)
    assert (name, whole.status, whole.kind, whole.tif) == ("28", "filled", "market", "ioc")
    canceled = venue.read_order(captured("binance/cancel_order_response").json)
    assert (canceled.client_id, canceled.status) == ("myOrder1", "canceled")
    balances = venue.read_balances(captured("binance/account_response"))
    assert balances[0].free == Decimal("4723846.89208129")
    with pytest.raises(UnreadableError):
        venue.read_markets(
            captured("binance/exchange_info_response")
        )  # its only market has no steps


def test_kraken_answers(captured: Any) -> None:
    venue: Any = api("kraken")
    venue.learn(venue.read_markets(captured("kraken/http_asset_pairs")))
    (listing,) = venue.listings.values()
    instrument = listing.instrument
    assert (instrument.symbol, instrument.tick, instrument.lot) == (
        "XBTUSDT", Decimal("0.1"), Decimal("1E-8"),
    )  # fmt: skip
    for spelling in ("XBTUSDT", "XBT/USDT", "BTC/USDT", "btc-usdt", "xbtusdt"):
        assert venue.listing(spelling) is listing
    assert venue.symbol("BTC/USDT") == venue.symbol("XBT/USDT") == "XBTUSDT"
    orders = venue.read_orders(captured("kraken/http_open_orders"), NONE).items
    assert orders[0].venue_order_id == "O26VBY-ISGAE-JP5TLU"
    assert (orders[0].price, orders[0].quantity) == (Decimal("29500.0"), Decimal("0.5"))
    assert orders[1].kind is None, "a stop order is neither limit nor market"
    closed = venue.read_orders(captured("kraken/http_closed_orders"), NONE).items
    assert (closed[0].status, closed[0].filled) == ("filled", Decimal("0.5"))
    told = captured("kraken/http_closed_orders")
    for order in told.json["result"]["closed"].values():
        order["oflags"] = "fciq,viqc"
    (by_cost, *_) = venue.read_orders(told, NONE).items
    assert by_cost.quantity is None, "with viqc the volume is money"
    page = venue.read_fills(captured("kraken/http_trades_history"), NONE)
    assert page.more is None
    fill = page.items[0]
    assert (fill.trade_id, fill.symbol, fill.maker) == ("TCCCTY-WJ6EO-4FP4VZ", "XBTUSDT", True)
    assert (fill.fee, fill.fee_asset) == (Decimal("23.60"), "USDT")
    assert fill.ts_ns == 1_688_585_840_892_100_000
    assert venue.read_place(captured("kraken/http_add_order_spot"), listing)[0] == (
        "OUF4EM-FRGI2-MQMWZD"
    )


def test_okx_answers(captured: Any) -> None:
    venue: Any = api("okx")
    listings = venue.read_markets(captured("okx/http_get_instruments_spot"))
    assert listings[0].instrument.symbol == "BTC-USD"
    (order,) = venue.read_orders(captured("okx/http_get_orders_pending"), NONE).items
    assert (order.client_id, order.price, order.quantity) == (
        "client-order-1", Decimal("103500"), Decimal("0.10"),
    )  # fmt: skip
    assert order.cost == 0
    fill = venue.read_fill(captured("okx/http_transaction_detail").json)
    assert (fill.trade_id, fill.maker, fill.fee) == ("123456789", False, Decimal("-0.042"))
    (balance,) = venue.read_balances(captured("okx/http_get_account_balance"))
    assert balance.total == Decimal("94.42612990333333")
    fees = venue.read_fees(captured("okx/http_get_trade_fee_response"), listings[0])
    assert (fees.maker, fees.taker) == (Decimal("0.0008"), Decimal("0.001"))


def test_coinbase_answers(captured: Any) -> None:
    venue: Any = api("coinbase")
    listings = venue.read_markets(captured("coinbase/http_products"))
    assert listings[0].instrument.tick == Decimal("0.01")
    orders = venue.read_orders(captured("coinbase/http_orders_list"), NONE).items
    assert [o.status for o in orders[:2]] == ["open", "filled"]
    assert orders[1].quantity is None, "it was sized by cost"
    (order,) = venue.read_orders(captured("coinbase/http_order"), NONE).items
    assert (order.client_id, order.price, order.filled) == (
        "11111-000000-000000", Decimal("10000.00"), Decimal("0.001"),
    )  # fmt: skip
    fills = venue.read_fills(captured("coinbase/http_fills"), NONE).items
    assert [f.maker for f in fills] == [True, False]
    assert (fills[0].fee, fills[0].fee_asset) == (Decimal("1.14"), "USD")
    balances = venue.read_balances(captured("coinbase/http_accounts"))
    assert balances[0].held == Decimal("0.00500000")


async def dialect(venue: str, rig: Any) -> Any:
    """A stream's dialect on which messages can be tried."""
    client = await rig.client(venue)
    module, name = STREAMS[venue]
    found: type[StreamDialect] = getattr(
        __import__(f"kimera_cli.venues.clients.{module}", fromlist=[name]), name
    )
    made = found(client.session, "main", ())
    await made.prepare()
    made.subscribe(1_700_000_000_000_000_000)
    return made


def test_binance_and_okx_and_coinbase_messages(captured: Any) -> None:
    async def work() -> None:
        async with serving("binance", "okx", "coinbase") as rig:
            binance = await dialect("binance", rig)
            for name in ("trade", "canceled", "new", "expired"):
                event = captured(f"binance/execution_report_{name}").json
                told = binance.read(json.dumps({"event": event}, default=str).encode())
                order = told.events[-1].order
                assert order.symbol == "ETHUSDT"
                if name == "trade":
                    fill = told.events[0].fill
                    assert (fill.trade_id, fill.fee, fill.maker) == (
                        "98765432", Decimal("0.001"), True,
                    )  # fmt: skip
                if name == "canceled":
                    event = {**event, "c": "cancel-1", "C": "ours"}
                    (again,) = binance.read(json.dumps({"event": event}).encode()).events
                    assert again.order.client_id == "ours", "`c` is the cancel's own id"
            okx = await dialect("okx", rig)
            raw = json.dumps(captured("okx/ws_orders").json, default=str).encode()
            fill, order = okx.read(raw).events
            assert isinstance(fill, FillUpdate)
            assert fill.fill.trade_id == "1518905529"
            assert order.order.status == "filled"
            coinbase = await dialect("coinbase", rig)
            body = {**captured("coinbase/ws_user").json, "sequence_num": 0}
            (update,) = coinbase.read(json.dumps(body, default=str).encode()).events
            assert isinstance(update, OrderUpdate)
            assert (update.order.quantity, update.order.filled) == (Decimal("0.001"), 0)

    run(work())


def test_krakens_later_steps_do_not_repeat_the_pair_and_are_told_all_the_same() -> None:
    async def work() -> None:
        async with serving("kraken") as rig:
            stream = await dialect("kraken", rig)
            steps = [
                {"order_id": "O1", "exec_type": "new", "order_status": "new", "symbol": "BTC/USD"},
                {"order_id": "O1", "exec_type": "filled", "order_status": "filled", "cum_qty": 1},
                {"order_id": "O2", "exec_type": "canceled", "order_status": "canceled"},
            ]
            body = {"channel": "executions", "type": "update", "data": steps, "sequence": 2}
            told = [e.order for e in stream.read(json.dumps(body).encode()).events]
            assert [(o.symbol, o.status) for o in told] == [
                ("XBTUSD", "open"),
                ("XBTUSD", "filled"),
            ]

    run(work())


def test_coinbase_messages_that_are_missing_end_the_stream_and_repeated_ones_do_nothing() -> None:
    async def work() -> None:
        async with serving("coinbase") as rig:
            stream = await dialect("coinbase", rig)

            def told(number: int) -> Any:
                return stream.read(b'{"channel":"heartbeats","sequence_num":%d}' % number)

            assert not told(0).lost
            assert not told(1).lost
            assert not told(1).lost
            assert "3 where 2" in told(3).lost

    run(work())


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"1", b'{"a":1}', b"<html>"])
def test_no_answer_is_so_odd_that_reading_it_raises_something_unexpected(
    name: str, raw: bytes
) -> None:
    from kimera_cli.venues.clients.session import NO_SHAPE

    venue = api_for(name)
    answer = Answer(200, parsed(raw), {})
    readers = [
        venue.read_time, venue.read_markets, venue.read_balances,
        lambda a: venue.read_orders(a, get("/")), lambda a: venue.read_fills(a, get("/")),
        lambda a: venue.read_place(a, None), venue.read_cancel, venue.read_amend,
        lambda a: venue.read_fees(a, None),
    ]  # fmt: skip
    for read in readers:
        try:
            read(answer)  # type: ignore[operator]
        except NO_SHAPE:
            continue
    for status in (200, 400, 503):
        try:
            venue.refusal(answer._replace(status=status))
        except NO_SHAPE as error:
            pytest.fail(f"refusal raised {error!r}")


@pytest.mark.parametrize("name", VENUES)
def test_a_wrong_market_does_not_take_the_others_with_it(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            credentials = Credentials(name, "key", secret_of(name), PASSPHRASE)
            client = client_for(name, credentials, rig.transport(), rig.world)
            client.session.budget = Budget(name, (), rig.world)
            venue = client.session.api
            answer = await client.session.answer(venue.markets())
            whole = venue.read_markets(answer)
            entries = answer.json
            while not isinstance(entries, list) and name != "kraken":
                entries = next(v for v in entries.values() if isinstance(v, dict | list) and v)
            if name == "kraken":
                entries["result"]["ODD"] = {"altname": "ODD"}
            else:
                entries.append({"symbol": "ODD"})
            assert venue.read_markets(answer) == whole

    run(work())


def test_numbers_and_times_are_exact() -> None:
    assert dec(parsed(b"[0.1]")[0]) == Decimal("0.1")
    assert plain(Decimal("1E-8")) == "0.00000001"
    assert plain(Decimal("5E+4")) == "50000"
    assert plain(Decimal("0.10")) == "0.1"
    for bad in (None, "", "x", "NaN", "Infinity", True, {}):
        with pytest.raises(UnreadableError):
            dec(bad)
    second = 1_700_000_000 * 10**9
    for text, rest in (
        ("2023-11-14T22:13:20Z", 0),
        ("2023-11-14T22:13:20.1Z", 10**8),
        ("2023-11-14T22:13:20.123456789Z", 123_456_789),
        ("2023-11-14T22:13:20.123456+00:00", 123_456_000),
        ("2023-11-14 22:13:20", 0),
    ):
        assert iso_ns(text) == second + rest
    with pytest.raises(UnreadableError):
        iso_ns("yesterday")
