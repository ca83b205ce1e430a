"""Orders at OKX, for REST and websocket alike: placed, changed, cancelled, one entry each.

Every entry of an answer has its own sCode: a batch may succeed in parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_cli.venues.server.dialects.okx_entry import Parameters, ids_of, order_request
from kimera_cli.venues.server.dialects.okx_limits import BUSY, TOO_MANY, Limits
from kimera_cli.venues.server.dialects.okx_text import (
    AMEND,
    CANCEL,
    PLACE,
    Names,
    OkxError,
    Refusal,
    empty,
    ms,
    refusal_of,
    wrong,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Order, Reject

NS = 1_000_000_000
MOST_BATCH = 20
SHORTEST_S, LONGEST_S = 10, 120
Entry = dict[str, str]


class OrderDesk:
    """Carries out trading requests; a refusal becomes the entry's own code."""

    def __init__(self, exchange: Exchange, names: Names, limits: Limits) -> None:
        self.exchange = exchange
        self._names = names
        self._limits = limits
        self.actions: dict[str, Callable[[Key, Parameters], Entry]] = {
            "order": self.place,
            "amend-order": self.amend,
            "cancel-order": self.cancel,
        }

    def run(self, key: Key, action: str, entries: list[Parameters]) -> list[Entry]:
        """Carry out the entries of a request in turn; OkxError when they are too many."""
        now = self.exchange.clock.now_ns()
        for each in entries:
            name = str(each.get("instId") or each.get("instIdCode"))
            if not self._limits.take((key.account, name), action, now):
                raise OkxError(*BUSY, TOO_MANY)
        return [self.actions[action](key, each) for each in entries]

    def place(self, key: Key, parameters: Parameters) -> Entry:
        """Place an order."""

        def act() -> Order:
            return self.exchange.place(key.account, order_request(self._names, parameters))

        tag = str(parameters.get("tag") or "")
        return {**self._entry(act, parameters, PLACE), "tag": tag}

    def cancel(self, key: Key, parameters: Parameters) -> Entry:
        """Cancel an order."""

        def act() -> Order:
            order = self._find(key, parameters)
            return self.exchange.cancel(key.account, order.id)

        return self._entry(act, parameters, CANCEL)

    def amend(self, key: Key, parameters: Parameters) -> Entry:
        """Change price or size of an order; cxlOnFail cancels it when that cannot be done."""

        def act() -> Order:
            new_size, new_px = parameters.get("newSz"), parameters.get("newPx")
            if not new_size and not new_px:
                raise empty("newSz")
            order = self._find(key, parameters)
            try:
                return self.exchange.amend(
                    key.account, order.id, price=str(new_px) if new_px else None,
                    qty=str(new_size) if new_size else None,
                )  # fmt: skip
            except Reject:
                if parameters.get("cxlOnFail") is True and order.is_open:
                    self.exchange.cancel(key.account, order.id)
                raise

        request_id = str(parameters.get("reqId") or "")
        return {**self._entry(act, parameters, AMEND), "reqId": request_id}

    def cancel_after(self, key: Key, parameters: Parameters) -> list[Entry]:
        """Set the dead-man switch, 10 to 120 s; 0 switches it off."""
        text = str(parameters.get("timeOut", ""))
        if not text:
            raise empty("timeOut")
        seconds = int(text) if text.isdecimal() else -1
        if seconds and not SHORTEST_S <= seconds <= LONGEST_S:
            raise wrong("timeOut")
        due = self.exchange.cancel_all_after(key.account, seconds * NS)
        now = ms(self.exchange.clock.now_ns())
        return [{"triggerTime": ms(due), "tag": str(parameters.get("tag") or ""), "ts": now}]

    def find(self, key: Key, parameters: Parameters) -> Order:
        """Return an order by either id; OkxError 51603 when there is none."""
        self._names.of(parameters)
        try:
            return self._find(key, parameters)
        except Reject as reject:
            raise OkxError(*refusal_of(reject)) from None

    def _find(self, key: Key, parameters: Parameters) -> Order:
        order_id, client_id = ids_of(parameters)
        order = self.exchange.find(key.account, order_id, client_id)
        if order.market is not self._names.of(parameters):
            raise Reject("not_found", f"order {order.id} is of another market")
        return order

    def _entry(self, act: Callable[[], Order], parameters: Parameters, table: Any) -> Entry:
        try:
            order = act()
        except OkxError as error:
            return self._refused(parameters, error.refusal)
        except Reject as reject:
            return self._refused(parameters, refusal_of(reject, table))
        return self._done(str(order.id), order.client_id, Refusal("0", ""))

    def _refused(self, parameters: Parameters, refusal: Refusal) -> Entry:
        order_id, client_id = parameters.get("ordId"), parameters.get("clOrdId")
        return self._done(str(order_id or ""), str(client_id or ""), refusal)

    def _done(self, order_id: str, client_id: str, refusal: Refusal) -> Entry:
        return {
            "clOrdId": client_id,
            "ordId": order_id,
            "sCode": refusal.code,
            "sMsg": refusal.text,
            "ts": ms(self.exchange.clock.now_ns()),
        }


def envelope(entries: list[Entry]) -> tuple[str, str]:
    """Return code and msg of an answer with these entries."""
    failed = sum(entry["sCode"] != "0" for entry in entries)
    if not failed:
        return "0", ""
    if failed == len(entries):
        return "1", "All operations failed"
    return "2", "Bulk operation partially succeeded"
