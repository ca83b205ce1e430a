"""Orders over Kraken's websocket: https://docs.kraken.com/exchange/api-reference/spot-websocket-v2.

A cancel of several orders is answered once per order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kimera_cli.venues.server.dialects.kraken_auth import KrakenError, bad
from kimera_cli.venues.server.dialects.kraken_entry import (
    batch_of,
    check_deadline,
    listed,
    user_reference,
    ws_order,
)
from kimera_cli.venues.server.dialects.kraken_names import transaction
from kimera_cli.venues.server.dialects.kraken_private_feed import PrivateFeed
from kimera_cli.venues.server.dialects.kraken_text import error_text, seconds
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order, Reject

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.kraken import Dialect

Message = dict[str, Any]
MOST_BATCH = 15
MOST_CANCELS = 50


class Requests:
    """Carries out the trading requests of one connection."""

    def __init__(self, dialect: Dialect, private: PrivateFeed) -> None:
        self._dialect = dialect
        self._desk = dialect.desk
        self._private = private
        self._methods: dict[str, Callable[[Key, Message], Iterator[Message]]] = {
            "add_order": self._add,
            "batch_add": self._add_batch,
            "amend_order": self._amend,
            "cancel_order": self._cancel,
            "batch_cancel": self._cancel_batch,
            "cancel_all": self._cancel_all,
            "cancel_all_orders_after": self._cancel_after,
        }

    def carry_out(self, method: str, parameters: Message) -> list[Message]:
        """Return the answers of a request: each has `result` or `error`."""
        run = self._methods.get(method)
        if run is None:
            return [{"error": "Unsupported method"}]
        try:
            key = self._private.key(parameters)
            if not key.may("trade"):
                raise KrakenError("EGeneral:Permission denied")
            check_deadline(parameters, self._dialect.clock.now_ns())
            return list(run(key, parameters))
        except KrakenError as refusal:
            return [{"error": refusal.text}]
        except Reject as reject:
            return [{"error": error_text(reject)}]

    def _add(self, key: Key, parameters: Message) -> Iterator[Message]:
        request = ws_order(self._dialect.pairs, parameters)
        if parameters.get("validate") is True:
            self._desk.check(key, request)
            yield {"result": {"order_id": "", "order_userref": 0}}
        else:
            yield {"result": named(self._desk.place(key, request))}

    def _add_batch(self, key: Key, parameters: Message) -> Iterator[Message]:
        orders = batch_of(parameters, MOST_BATCH, symbol=parameters.get("symbol"))
        requests = [ws_order(self._dialect.pairs, each) for each in orders]
        answers: list[Message] = []
        for request in requests:
            try:
                answers.append({**named(self._desk.place(key, request)), "success": True})
            except KrakenError as refusal:
                client_id = {"cl_ord_id": request.client_id} if request.client_id else {}
                answers.append({**client_id, "success": False, "error": refusal.text})
        yield {"result": {"orders": answers}}

    def _amend(self, key: Key, parameters: Message) -> Iterator[Message]:
        order_id, client_id = parameters.get("order_id"), parameters.get("cl_ord_id")
        order = self._desk.find(key, str(order_id or ""), str(client_id or ""))
        self._desk.amend(
            key, order, qty=parameters.get("order_qty"), price=parameters.get("limit_price"),
            post_only=parameters.get("post_only") is True,
        )  # fmt: skip
        echoed = {"cl_ord_id": client_id} if client_id else {"order_id": order_id}
        yield {"result": {"amend_id": self._desk.amend_id(), **echoed}}

    def _cancel(self, key: Key, parameters: Message) -> Iterator[Message]:
        ids = [*listed(parameters, "order_id"), *listed(parameters, "cl_ord_id")]
        references = listed(parameters, "order_userref")
        if not 0 < len(ids) + len(references) <= MOST_CANCELS:
            raise bad("order_id")
        for each in ids:
            try:
                order = self._desk.cancel(key, self._desk.find(key, str(each), str(each)))
                yield {"result": canceled(order)}
            except KrakenError as refusal:
                yield {"error": refusal.text}
        for each in references:
            self._desk.cancel_reference(key, user_reference(each))
            yield {"result": {"order_userref": each}}

    def _cancel_batch(self, key: Key, parameters: Message) -> Iterator[Message]:
        ids = [*listed(parameters, "orders"), *listed(parameters, "cl_ord_id")]
        if not 0 < len(ids) <= MOST_CANCELS:
            raise bad("orders")
        count = 0
        for each in ids:
            try:
                self._desk.cancel(key, self._desk.find(key, str(each), str(each)))
                count += 1
            except KrakenError:
                continue
        yield {"result": {"orders_cancelled": count}}

    def _cancel_all(self, key: Key, _: Message) -> Iterator[Message]:
        yield {"result": {"count": len(self._desk.cancel_all(key))}}

    def _cancel_after(self, key: Key, parameters: Message) -> Iterator[Message]:
        due = self._desk.cancel_after(key, parameters.get("timeout"))
        now = self._dialect.clock.now_ns()
        yield {"result": {"currentTime": seconds(now), "triggerTime": seconds(due) if due else "0"}}


def named(order: Order) -> Message:
    """Return the ids of a new order."""
    found = {"order_id": transaction("O", order.id)}
    if order.client_id:
        found["cl_ord_id"] = order.client_id
    return {**found, "order_userref": order.extra.get("userref", 0)}


def canceled(order: Order) -> Message:
    """Return the ids of an order that was cancelled."""
    found = {"order_id": transaction("O", order.id)}
    if order.client_id:
        found["cl_ord_id"] = order.client_id
    return found
