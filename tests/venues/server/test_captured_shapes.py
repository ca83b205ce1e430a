"""Answers and pushes of Kraken and OKX against public captures: the same names and JSON types.

What a capture does not know and the venue's documents do is named here, with nothing else allowed.
Bybit has no captures of v5 among them: its names are those of its documents.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from direct_venue import Direct, kinds
from test_bybit_dialect import get as bybit_get
from test_bybit_dialect import place as bybit_place
from test_bybit_dialect import private as bybit_private
from test_kraken_dialect import PAIR, ask, order, private, result
from test_okx_dialect import ORDER, PX, act, get, login, place, subscribe

from kimera_cli.venues.json_shapes import lacking, unlike

Captured = Callable[[str], Any]


@pytest.fixture
def captured(shared_data: Path) -> Captured:
    folder = shared_data / "golden" / "nautilus_adapters"
    if not folder.is_dir():
        pytest.skip(f"no captures in {folder}")

    def read(name: str) -> Any:
        plain = folder / f"{name}.json"
        if plain.is_file():
            return json.loads(plain.read_bytes())
        return json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))

    return read


def plain(value: Any) -> Any:
    """JSON with numbers as the standard library has them."""
    return json.loads(json.dumps(value, default=float))


def same(ours: Any, theirs: Any, new: set[str] = frozenset(), old: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Both have the same names and types; `new` names only we have, `old` only the capture."""
    differences = unlike(plain(ours), theirs)
    odd = [d for d in differences if d.split(":")[0].rpartition(".")[2] not in new]
    missing = [d for d in lacking(plain(ours), theirs) if d.rpartition(".")[2] not in old]
    assert not odd, odd
    assert not missing, missing


def rows(ours: list[Any], theirs: list[Any]) -> None:
    """Rows without names are alike position by position."""
    wanted = [kinds(each) for each in theirs[0]]
    assert ours
    assert all([kinds(each) for each in row] == wanted for row in ours)


def one(mapping: dict[str, Any]) -> Any:
    """The first value of a mapping whose names are ids."""
    return next(iter(mapping.values()))


# kraken


def kraken_public(direct: Direct, method: str, query: str = "") -> Any:
    return json.loads(direct.request("GET", f"/0/public/{method}", query).body)


def test_kraken_market_data(captured: Captured) -> None:
    direct = Direct("kraken")
    direct.take("buy", "0.1")
    pair = "pair=XBTUSD"
    for method, name in (("Time", "server_time"), ("SystemStatus", "system_status")):
        same(kraken_public(direct, method), captured(f"kraken/http_{name}"))
    for method, name in (
        ("Ticker", "ticker"), ("Depth", "order_book"), ("OHLC", "ohlc"), ("Trades", "trades"),
    ):  # fmt: skip
        ours, theirs = kraken_public(direct, method, pair), captured(f"kraken/http_{name}")
        mine = ours["result"]["XXBTZUSD"]
        recorded = next(v for k, v in theirs["result"].items() if k != "last")
        if isinstance(recorded, list):
            rows(mine, recorded)
            assert kinds(ours["result"]["last"]) == kinds(theirs["result"]["last"])
        elif method == "Depth":
            for side in ("asks", "bids"):
                rows(mine[side], recorded[side])
        else:
            same(mine, recorded)
    pairs = kraken_public(direct, "AssetPairs", pair)["result"]
    recorded = one(captured("kraken/http_asset_pairs")["result"])
    same(one(pairs), recorded, old={"long_position_limit", "short_position_limit"})


def test_kraken_account_and_orders(captured: Captured) -> None:
    direct = Direct("kraken")
    added = result(direct, "AddOrder", **PAIR, price="49000")
    same(added, captured("kraken/http_add_order_spot")["result"])
    recorded = one(captured("kraken/http_open_orders")["result"]["open"])
    same(one(result(direct, "OpenOrders")["open"]), recorded)
    cancelled = result(direct, "CancelOrder", txid=added["txid"][0])
    same(cancelled, captured("kraken/http_cancel_order_spot")["result"])
    result(direct, "AddOrder", **{**PAIR, "ordertype": "market"})
    closed = result(direct, "ClosedOrders")
    same(closed["count"], captured("kraken/http_closed_orders")["result"]["count"])
    recorded = one(captured("kraken/http_closed_orders")["result"]["closed"])
    for each in closed["closed"].values():
        same(each, recorded)
    trades = result(direct, "TradesHistory")
    same(one(trades["trades"]), one(captured("kraken/http_trades_history")["result"]["trades"]))
    recorded = captured("kraken/http_spot_balance")["result"]
    assert {kinds(v) for v in result(direct, "Balance").values()} == {kinds(one(recorded))}


def test_kraken_websocket(captured: Captured) -> None:
    direct = Direct("kraken")
    line = direct.line("/v2")
    line.take()
    channels = {"ticker": {}, "book": {"depth": 10}, "ohlc": {"interval": 1}, "trade": {}}
    for channel, options in channels.items():
        answer, *snapshot = ask(line, "subscribe", channel=channel, symbol=["BTC/USD"], **options)
        new = {"depth", "interval", "event_trigger"}
        same(answer, captured("kraken/ws_subscribe_response"), new)
        if channel in ("ticker", "book"):
            same(snapshot[0], captured(f"kraken/ws_{channel}_snapshot"))
        if channel == "ohlc":
            recorded = captured("kraken/ws_ohlc_update")
            same({**snapshot[0], "type": "update"}, recorded)
    direct.take("buy", "0.1")
    updates = {m["channel"]: m for m in line.take()}
    for channel in ("book", "trade", "ohlc"):
        same(updates[channel], captured(f"kraken/ws_{channel}_update"))
    same(ask(line, "ping", req_id=42)[0], captured("kraken/ws_pong"))


def test_kraken_order_entry(captured: Captured) -> None:
    direct = Direct("kraken")
    line = private(direct)
    same(order(line, cl_ord_id="a"), captured("kraken/ws_add_order_response_success"))
    same(order(line, order_qty=1000), captured("kraken/ws_add_order_response_failure"))
    leg = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 49000}
    orders = [{**leg, "cl_ord_id": "b"}, {**leg, "cl_ord_id": "b"}]
    token = line.token  # type: ignore[attr-defined]
    answer = ask(line, "batch_add", symbol="BTC/USD", orders=orders, token=token)[-1]
    recorded = captured("kraken/ws_batch_add_response_partial")
    same(answer, recorded, new={"order_userref", "error"})
    for mine, theirs in zip(answer["result"]["orders"], recorded["result"]["orders"], strict=True):
        same(mine, theirs, new={"order_userref"})


# okx


def okx_public(direct: Direct, path: str, query: str) -> Any:
    return json.loads(direct.request("GET", f"/api/v5/{path}", query).body)


def test_okx_market_data(captured: Captured) -> None:
    direct = Direct("okx")
    direct.take("buy", "0.1")
    named = "instId=BTC-USDT"
    same(
        okx_public(direct, "public/instruments", "instType=SPOT"),
        captured("okx/http_get_instruments_spot"),
        new={"instIdCode"},
    )
    same(
        okx_public(direct, "market/books", f"{named}&sz=5"),
        captured("okx/http_get_order_book"),
        new={"seqId"},
    )
    same(okx_public(direct, "market/trades", named), captured("okx/http_get_trades"))
    same(okx_public(direct, "market/candles", named), captured("okx/http_get_candlesticks"))
    bar = okx_public(direct, "market/candles", named)["data"][0]
    assert len(bar) == len(captured("okx/http_get_candlesticks")["data"][0])


def test_okx_account_and_orders(captured: Captured) -> None:
    direct = Direct("okx")
    entry = place(direct, clOrdId="a")
    same(entry, captured("okx/http_place_order_response"), new={"ts"})
    pending = captured("okx/http_get_orders_pending")["data"]
    same(get(direct, "trade/orders-pending"), pending)
    place(direct, ordType="ioc", px="50001")
    history = captured("okx/http_get_orders_history")["data"]
    same(get(direct, "trade/orders-history", "instType=SPOT"), history)
    fills = get(direct, "trade/fills-history", "instType=SPOT")
    same(fills, [captured("okx/http_transaction_detail")], new={"tag", "posSide", "fillTime"})
    fee = captured("okx/http_get_trade_fee_response")["data"]
    same(get(direct, "account/trade-fee", "instType=SPOT"), fee)
    newer = {"coinUsdPrice"}
    same(get(direct, "account/balance"), captured("okx/http_get_account_balance")["data"], newer)


def test_okx_websocket(captured: Captured) -> None:
    direct = Direct("okx")
    line = direct.line("/ws/v5/public")
    [snapshot] = subscribe(line, "books", instId="BTC-USDT")
    same(snapshot, captured("okx/ws_books_snapshot"))
    [best] = subscribe(line, "bbo-tbt", instId="BTC-USDT")
    same(best, captured("okx/ws_bbo_tbt"))
    [ticker] = subscribe(line, "tickers", instId="BTC-USDT")
    same(ticker, captured("okx/ws_tickers"))
    subscribe(line, "trades", instId="BTC-USDT")
    direct.take("buy", "0.1")
    updates = {m["arg"]["channel"]: m for m in line.take()}
    same(updates["books"], captured("okx/ws_books_update"))
    same(updates["trades"], captured("okx/ws_trades"), new={"seqId"})
    business = direct.line("/ws/v5/business")
    [bar] = subscribe(business, "candle1m", instId="BTC-USDT")
    recorded = captured("okx/ws_candle")
    same(bar, recorded)
    assert len(bar["data"][0]) == len(recorded["data"][0])


@pytest.mark.parametrize(("kind", "capture"), [("fok", "ws_orders_fok"), ("ioc", "ws_orders_ioc")])
def test_okx_private_channels(captured: Captured, kind: str, capture: str) -> None:
    direct = Direct("okx")
    line = login(direct)
    [account] = subscribe(line, "account")
    newer, older = {"ordFrozen"}, {"availEq", "colBorrAutoConversion", "collateralRestrict"}
    same(account, captured("okx/ws_account"), newer, older)
    subscribe(line, "orders", instType="SPOT")
    assert act(line, "order", {**ORDER, **PX, "ordType": kind, "px": "50001"})["code"] == "0"
    place(direct, ordType=kind, px="50001")
    pushed = [m for m in line.take() if m["arg"]["channel"] == "orders"]
    newer = {"fillFee", "fillFeeCcy", "amendResult", "code", "msg"}
    for message in pushed:
        same(message, captured(f"okx/{capture}"), newer)


# bybit: names and types of its documents, https://bybit-exchange.github.io/docs/v5

BYBIT_ORDER = {
    "str": "orderId orderLinkId blockTradeId symbol price qty side isLeverage orderStatus "
    "cancelType rejectReason avgPrice leavesQty leavesValue cumExecQty cumExecValue cumExecFee "
    "timeInForce orderType stopOrderType orderIv triggerPrice takeProfit stopLoss tpLimitPrice "
    "slLimitPrice tpTriggerBy slTriggerBy triggerBy lastPriceOnCreated smpType smpOrderId "
    "createdTime updatedTime placeType marketUnit ocoTriggerBy",
    "number": "positionIdx triggerDirection smpGroup",
    "bool": "reduceOnly closeOnTrigger",
    "dict": "cumFeeDetail",
}
BYBIT_EXECUTION = {
    "str": "symbol orderId orderLinkId side orderPrice orderQty leavesQty orderType stopOrderType "
    "execFee execId execPrice execQty execType execValue execTime feeRate feeCurrency tradeIv "
    "markIv markPrice indexPrice underlyingPrice blockTradeId closedSize isLeverage extraFees",
    "number": "seq",
    "bool": "isMaker",
}
BYBIT_COIN = {
    "str": "coin equity usdValue walletBalance free locked borrowAmount availableToBorrow "
    "availableToWithdraw accruedInterest totalOrderIM totalPositionIM totalPositionMM "
    "unrealisedPnl cumRealisedPnl bonus spotHedgingQty spotBorrow",
    "bool": "marginCollateral collateralSwitch",
}


def documented(entry: dict[str, Any], names: dict[str, str], *more: str) -> None:
    """An entry has the documented names with the documented types, and no others."""
    wanted = {name: kind for kind, text in names.items() for name in text.split()}
    wanted |= dict.fromkeys(more, "str")
    found = kinds(entry)
    assert {n: k if isinstance(k, str) else "dict" for n, k in found.items()} == wanted


def test_bybit_orders_executions_and_wallet() -> None:
    direct = Direct("bybit")
    line = bybit_private(direct, "order", "execution", "wallet")
    bybit_place(direct, price="50001")
    for entry in bybit_get(direct, "order/history")["list"]:
        documented(entry, BYBIT_ORDER)
    for entry in bybit_get(direct, "execution/list")["list"]:
        documented(entry, BYBIT_EXECUTION)
    [wallet] = bybit_get(direct, "account/wallet-balance", "accountType=UNIFIED")["list"]
    for coin in wallet["coin"]:
        documented(coin, BYBIT_COIN)
    pushed = {m["topic"]: m["data"][0] for m in line.take()}
    documented(pushed["order"], BYBIT_ORDER, "category")
    documented(pushed["execution"], BYBIT_EXECUTION, "category")
    documented(pushed["wallet"]["coin"][0], BYBIT_COIN)
