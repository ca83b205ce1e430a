"""Orders at Bybit, for REST and websocket alike: one by one, and in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kimera_cli.venues.server.dialects.bybit_entry import Parameters, ids_of, order_request
from kimera_cli.venues.server.dialects.bybit_text import (
    BybitError,
    Names,
    error_of,
    ms,
    name_of,
    spot_only,
    wrong,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order, Reject

MOST_BATCH = 10
Answer = dict[str, Any]


class OrderDesk:
    """Carries out trading requests; every refusal is a BybitError."""

    def __init__(self, exchange: Exchange, names: Names) -> None:
        self.exchange = exchange
        self._names = names
        self.actions: dict[str, Callable[[Key, Parameters], Answer]] = {
            "create": self.create,
            "amend": self.amend,
            "cancel": self.cancel,
        }

    def create(self, key: Key, parameters: Parameters) -> Answer:
        """Place an order."""
        request = order_request(self._names, parameters)
        with in_words():
            return _ids(self.exchange.place(key.account, request))

    def amend(self, key: Key, parameters: Parameters) -> Answer:
        """Change price or size of an order."""
        qty, price = parameters.get("qty"), parameters.get("price")
        if not qty and not price:
            raise wrong("qty")
        order = self.find(key, parameters)
        with in_words():
            self.exchange.amend(
                key.account, order.id, price=str(price) if price else None,
                qty=str(qty) if qty else None,
            )  # fmt: skip
        return _ids(order)

    def cancel(self, key: Key, parameters: Parameters) -> Answer:
        """Cancel an order."""
        order = self.find(key, parameters)
        with in_words():
            return _ids(self.exchange.cancel(key.account, order.id))

    def cancel_all(self, key: Key, parameters: Parameters) -> Answer:
        """Cancel all open orders, or those of a symbol."""
        spot_only(parameters)
        name = parameters.get("symbol")
        symbol = self._names.traded(name).symbol if name else ""
        found = self.exchange.cancel_all(key.account, symbol)
        return {"list": [_ids(order) for order in found], "success": "1"}

    def batch(self, key: Key, action: str, parameters: Parameters) -> tuple[Answer, Answer]:
        """Carry out the requests of a batch; return result and retExtInfo, entry by entry."""
        requests = parameters.get("request")
        if not isinstance(requests, list) or not 0 < len(requests) <= MOST_BATCH:
            raise wrong("request")
        if not all(isinstance(each, dict) for each in requests):
            raise wrong("request")
        category = parameters.get("category")
        entries: list[Answer] = []
        codes: list[Answer] = []
        for each in requests:
            entry = {"category": category, "symbol": each.get("symbol", "")}
            try:
                done = self.actions[action](key, {**each, "category": category})
                entries.append({**entry, **done, **self._created(action)})
                codes.append({"code": 0, "msg": "OK"})
            except BybitError as error:
                ids = {"orderId": "", "orderLinkId": str(each.get("orderLinkId") or "")}
                entries.append({**entry, **ids, **self._created(action, failed=True)})
                codes.append({"code": error.code, "msg": error.text})
        return {"list": entries}, {"list": codes}

    def find(self, key: Key, parameters: Parameters) -> Order:
        """Return an order by either id; BybitError 170213 when there is none."""
        spot_only(parameters)
        market = self._names.traded(parameters.get("symbol"))
        order_id, client_id = ids_of(parameters)
        with in_words():
            order = self.exchange.find(key.account, order_id, client_id)
            if order.market is not market:
                raise Reject("not_found", f"order {order.id} is not of {name_of(market)}")
        return order

    def _created(self, action: str, *, failed: bool = False) -> Answer:
        if action != "create":
            return {}
        return {"createAt": "" if failed else ms(self.exchange.clock.now_ns())}


def _ids(order: Order) -> Answer:
    return {"orderId": str(order.id), "orderLinkId": order.client_id}


@contextmanager
def in_words() -> Iterator[None]:
    """Put a refusal of the exchange into the venue's words."""
    try:
        yield
    except Reject as reject:
        raise error_of(reject) from None
