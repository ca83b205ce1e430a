"""Kraken's private REST: https://docs.kraken.com/api-reference/account-data and .../trading."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import tier_of
from kimera_cli.venues.server.dialects import kraken_names as names
from kimera_cli.venues.server.dialects import kraken_shapes as shapes
from kimera_cli.venues.server.dialects.kraken_auth import (
    TOKEN_S,
    Gate,
    KrakenError,
    Parameters,
    bad,
)
from kimera_cli.venues.server.dialects.kraken_desk import OrderDesk
from kimera_cli.venues.server.dialects.kraken_entry import (
    batch_of,
    flag,
    listed,
    rest_order,
    user_reference,
)
from kimera_cli.venues.server.dialects.kraken_history import History
from kimera_cli.venues.server.dialects.kraken_limits import HISTORY
from kimera_cli.venues.server.dialects.kraken_text import AMOUNT_DIGITS, seconds
from kimera_cli.venues.server.keys import Key, Permission
from kimera_cli.venues.server.model import Market, Order

MOST_IDS = 50
MOST_BATCH = 15


class Method(NamedTuple):
    """One private method: what it needs, and what it counts as a request."""

    permission: Permission
    answer: Callable[[Key, Parameters], Any]
    cost: float = 1.0


class Private:
    """Answers of the private methods, without their envelope."""

    def __init__(self, desk: OrderDesk, gate: Gate) -> None:
        self._desk = desk
        self._exchange = desk.exchange
        self._gate = gate
        history = History(desk)
        self.methods: dict[str, Method] = {
            "Balance": Method("read", self.balance),
            "BalanceEx": Method("read", self.balance_extended),
            "TradeBalance": Method("read", self.trade_balance),
            "OpenOrders": Method("read", history.open_orders),
            "ClosedOrders": Method("read", history.closed_orders),
            "QueryOrders": Method("read", history.query_orders),
            "TradesHistory": Method("read", history.trades_history, HISTORY),
            "QueryTrades": Method("read", history.query_trades),
            "TradeVolume": Method("read", self.trade_volume),
            "GetWebSocketsToken": Method("read", self.token),
            "AddOrder": Method("trade", self.add_order, 0),
            "AddOrderBatch": Method("trade", self.add_batch, 0),
            "AmendOrder": Method("trade", self.amend_order, 0),
            "CancelOrder": Method("trade", self.cancel_order, 0),
            "CancelOrderBatch": Method("trade", self.cancel_batch, 0),
            "CancelAll": Method("trade", self.cancel_all),
            "CancelAllOrdersAfter": Method("trade", self.cancel_after),
        }

    # account

    def balance(self, key: Key, _: Parameters) -> dict[str, str]:
        """Totals by asset."""
        held = self._exchange.balances(key.account).items()
        return {names.asset(a): _amount(free + hold) for a, (free, hold) in held}

    def balance_extended(self, key: Key, _: Parameters) -> dict[str, dict[str, str]]:
        """Totals by asset and what open orders hold of them."""
        held = self._exchange.balances(key.account).items()
        return {
            names.asset(a): {"balance": _amount(free + hold), "hold_trade": _amount(hold)}
            for a, (free, hold) in held
        }

    def trade_balance(self, key: Key, parameters: Parameters) -> dict[str, str]:
        """What all is worth in one asset, at last prices; there is no margin to count."""
        wanted = str(parameters.get("asset") or "ZUSD")
        held = self._exchange.balances(key.account)
        own = next((a for a in held if wanted in (names.asset(a), names.alternative(a), a)), None)
        if own is None:
            raise KrakenError("EQuery:Unknown asset")
        worth = worth_in(own, self._exchange.markets)
        total = sum(Fraction(sum(held[a])) * worth[a] for a in held if a in worth)
        none, whole = amounts.fixed(0, 4), amounts.fixed(int(total), 4)
        return {
            "eb": whole, "tb": whole, "m": none, "uv": none, "n": none, "c": none, "v": none,
            "e": whole, "mf": whole,
        }  # fmt: skip

    def trade_volume(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Traded volume and the fees that it earns."""
        rules = self._exchange.rules
        volume = self._exchange.ledger.accounts[key.account].volume
        tier = tier_of(rules, volume)
        following = next((t for t in rules.tiers if t.volume > tier.volume), None)
        wanted = str(parameters.get("pair") or "").split(",")
        pairs = [names.key(self._desk.pairs.find(each)) for each in wanted if each]

        def fees(kind: str) -> dict[str, Any]:
            rate, least = getattr(tier, kind), getattr(rules.tiers[-1], kind)
            return {
                "fee": _percent(rate),
                "minfee": _percent(least),
                "maxfee": _percent(getattr(rules.tiers[0], kind)),
                "nextfee": _percent(getattr(following, kind)) if following else None,
                "nextvolume": f"{following.volume:.4f}" if following else None,
                "tiervolume": f"{tier.volume:.4f}",
            }

        found: dict[str, Any] = {"currency": "ZUSD", "volume": amounts.fixed(volume, 4)}
        if pairs:
            found["fees"] = {each: fees("taker") for each in pairs}
            found["fees_maker"] = {each: fees("maker") for each in pairs}
        return found

    def token(self, key: Key, _: Parameters) -> dict[str, Any]:
        """A token for the private websocket."""
        return {"token": self._gate.issue(key), "expires": TOKEN_S}

    # orders

    def add_order(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Place one order, or only check it."""
        request = rest_order(self._desk.pairs, parameters)
        if flag(parameters.get("validate")):
            return {"descr": shapes.description(self._desk.check(key, request))}
        return placed(self._desk.place(key, request))

    def add_batch(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Place up to 15 orders of a pair; each has its own answer."""
        orders = batch_of(parameters, MOST_BATCH, pair=parameters.get("pair"))
        requests = [rest_order(self._desk.pairs, each) for each in orders]
        answers: list[dict[str, Any]] = []
        for request in requests:
            try:
                answer = placed(self._desk.place(key, request))
                answers.append({**answer, "txid": answer["txid"][0]})
            except KrakenError as refusal:
                answers.append({"error": refusal.text})
        return {"orders": answers}

    def amend_order(self, key: Key, parameters: Parameters) -> dict[str, str]:
        """Change price or size of an order that stays the same order."""
        self._desk.amend(
            key, self._named(key, parameters), qty=parameters.get("order_qty"),
            price=parameters.get("limit_price"), post_only=flag(parameters.get("post_only")),
        )  # fmt: skip
        return {"amend_id": self._desk.amend_id()}

    def cancel_order(self, key: Key, parameters: Parameters) -> dict[str, int]:
        """Cancel by txid, user reference or cl_ord_id."""
        text = str(parameters.get("txid", ""))
        if text.lstrip("-").isdecimal():
            return {"count": self._desk.cancel_reference(key, user_reference(text))}
        self._desk.cancel(key, self._named(key, parameters))
        return {"count": 1}

    def cancel_batch(self, key: Key, parameters: Parameters) -> dict[str, int]:
        """Cancel up to 50 orders; those that are gone are not counted."""
        ids = [*listed(parameters, "orders"), *listed(parameters, "cl_ord_ids")]
        if not 0 < len(ids) <= MOST_IDS:
            raise bad("orders")
        count = 0
        for each in ids:
            try:
                self._desk.cancel(key, self._desk.find(key, str(each), str(each)))
                count += 1
            except KrakenError:
                continue
        return {"count": count}

    def cancel_all(self, key: Key, _: Parameters) -> dict[str, int]:
        """Cancel all open orders."""
        return {"count": len(self._desk.cancel_all(key))}

    def cancel_after(self, key: Key, parameters: Parameters) -> dict[str, str]:
        """Set or switch off the dead-man switch."""
        due = self._desk.cancel_after(key, parameters.get("timeout"))
        now = self._exchange.clock.now_ns()
        return {"currentTime": seconds(now), "triggerTime": seconds(due) if due else "0"}

    def _named(self, key: Key, parameters: Parameters) -> Order:
        txid, client_id = parameters.get("txid"), parameters.get("cl_ord_id")
        if bool(txid) == bool(client_id):
            raise bad("txid")
        return self._desk.find(key, str(txid or ""), str(client_id or ""))


def placed(order: Order) -> dict[str, Any]:
    """Return the answer to a new order."""
    found: dict[str, Any] = {
        "descr": shapes.description(order),
        "txid": [names.transaction("O", order.id)],
    }
    if order.client_id:
        found["cl_ord_id"] = order.client_id
    return found


def _amount(atoms: int) -> str:
    return amounts.fixed(atoms, AMOUNT_DIGITS)


def _percent(rate: Any) -> str:
    return f"{rate * 100:.4f}"


def worth_in(asset: str, markets: Iterable[Market]) -> dict[str, Fraction]:
    """Return what each asset is worth in one, at last prices, by as few markets as it takes."""
    found, before = {asset: Fraction(1)}, 0
    while len(found) > before:
        before, known = len(found), dict(found)
        for market in markets:
            price = Fraction(market.price(market.last_px))
            if market.quote in known:
                found.setdefault(market.base, known[market.quote] * price)
            if market.base in known:
                found.setdefault(market.quote, known[market.base] / price)
    return found
