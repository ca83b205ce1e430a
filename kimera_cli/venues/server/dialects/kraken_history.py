"""What happened on Kraken's accounts, by REST: open and closed orders, fills.

https://docs.kraken.com/api-reference/account-data: by id, newest first, fifty at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from kimera_cli.venues.server.dialects import kraken_names as names
from kimera_cli.venues.server.dialects import kraken_shapes as shapes
from kimera_cli.venues.server.dialects.kraken_auth import Parameters, bad
from kimera_cli.venues.server.dialects.kraken_desk import OrderDesk
from kimera_cli.venues.server.dialects.kraken_entry import flag, user_reference
from kimera_cli.venues.server.dialects.kraken_text import unix
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Fill, Order

PAGE = 50
MOST_IDS = 50

Item = TypeVar("Item", Order, Fill)


class History:
    """Reads orders and fills of accounts."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk
        self._exchange = desk.exchange

    def open_orders(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Open orders by id."""
        found = self._exchange.open_orders(key.account)
        return {"open": _by_id(_chosen(found, parameters), parameters)}

    def closed_orders(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Ended orders by id, newest first, 50 at a time."""
        found = _chosen(self._exchange.orders(key.account, is_open=False), parameters)
        found = [o for o in found if _within(o.updated_ns, parameters)]
        return {"closed": _by_id(_page(found, parameters), parameters), "count": len(found)}

    def query_orders(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Orders by txid."""
        ids = [each for each in str(parameters.get("txid", "")).split(",") if each]
        if not 0 < len(ids) <= MOST_IDS:
            raise bad("txid")
        return _by_id([self._desk.find(key, each) for each in ids], parameters)

    def trades_history(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Fills by id, newest first, 50 at a time."""
        fills = self._exchange.fills(key.account)
        found = [fill for fill in fills if _within(fill.ts_ns, parameters)]
        return {"trades": _fills(_page(found, parameters)), "count": len(found)}

    def query_trades(self, key: Key, parameters: Parameters) -> dict[str, Any]:
        """Fills by id."""
        wanted = set(str(parameters.get("txid", "")).split(","))
        fills = self._exchange.fills(key.account)
        return _fills([fill for fill in fills if shapes.execution_id(fill) in wanted])


def _by_id(orders: Sequence[Order], parameters: Parameters) -> dict[str, Any]:
    trades = flag(parameters.get("trades"))
    return {names.transaction("O", o.id): shapes.order_info(o, trades=trades) for o in orders}


def _fills(fills: Sequence[Fill]) -> dict[str, Any]:
    return {shapes.execution_id(fill): shapes.own_trade(fill) for fill in fills}


def _chosen(orders: Sequence[Order], parameters: Parameters) -> list[Order]:
    reference, client_id = parameters.get("userref"), parameters.get("cl_ord_id")
    return [
        o
        for o in orders
        if (reference is None or o.extra.get("userref", 0) == user_reference(reference))
        and (client_id is None or o.client_id == client_id)
    ]


def _within(ts_ns: int, parameters: Parameters) -> bool:
    """Whether a time is after `start` and not after `end`, both in seconds."""
    try:
        start = float(parameters.get("start") or 0)
        end = float(parameters.get("end") or "inf")
    except ValueError:
        raise bad("start") from None
    return start < unix(ts_ns) <= end


def _page(items: Sequence[Item], parameters: Parameters) -> list[Item]:
    offset = str(parameters.get("ofs") or 0)
    if not offset.isdecimal():
        raise bad("ofs")
    return list(reversed(items))[int(offset) : int(offset) + PAGE]
