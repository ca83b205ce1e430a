"""Subscriptions of one Kraken connection to what happens on its account."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kimera_cli.venues.server.dialects import kraken_own as own
from kimera_cli.venues.server.dialects.kraken_auth import KrakenError
from kimera_cli.venues.server.dialects.kraken_limits import MOST_TRADING
from kimera_cli.venues.server.dialects.kraken_text import moment
from kimera_cli.venues.server.frames import Frame, json_frame
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import BalanceChanged, Event, Fill, OrderChanged

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.kraken import Dialect

Message = dict[str, Any]
INVALID_SESSION = "ESession:Invalid session"


class PrivateFeed:
    """Executions and balances; a token that this connection uses does not grow too old."""

    def __init__(self, dialect: Dialect, say: Callable[[Frame], None]) -> None:
        self._dialect = dialect
        self._say = say
        self._in_use: set[str] = set()
        self._executions: int | None = None
        self._balances: tuple[int, own.Balances] | None = None
        self._sequences = {"executions": 0, "balances": 0}

    @property
    def active(self) -> bool:
        """Whether anything is subscribed."""
        return self._executions is not None or self._balances is not None

    def key(self, parameters: Message) -> Key:
        """Return the key of a request's token; KrakenError when it is not valid."""
        token = str(parameters.get("token", ""))
        key = self._dialect.gate.admit(token, token in self._in_use)
        if key is None:
            raise KrakenError(INVALID_SESSION)
        return key

    def subscribe(self, parameters: Message, begin: bool) -> tuple[Message, Frame | None]:
        """Begin or end a channel; return the answer's result, and the snapshot."""
        key, channel = self.key(parameters), str(parameters["channel"])
        if not key.may("read"):
            raise KrakenError("EGeneral:Permission denied")
        if not begin:
            if channel == "executions":
                self._executions = None
            else:
                self._balances = None
            return {"channel": channel}, None
        self._in_use.add(str(parameters["token"]))
        self._sequences[channel] = 0
        if channel == "executions":
            return self._begin_executions(key, parameters)
        self._balances = (key.account, own.Balances(self._dialect.exchange, key.account))
        snapshot = parameters.get("snapshot") is not False
        entries = self._balances[1].snapshot()
        frame = self._frame("balances", entries, "snapshot") if snapshot else None
        return {"channel": channel, "snapshot": snapshot}, frame

    def _begin_executions(self, key: Key, parameters: Message) -> tuple[Message, Frame]:
        self._executions = key.account
        orders = parameters.get("snap_orders", True) is True
        trades = parameters.get("snap_trades", False) is True
        exchange = self._dialect.exchange
        entries = [own.open_order(o) for o in exchange.open_orders(key.account)] if orders else []
        if trades:
            fills = exchange.fills(key.account)[-own.SNAPSHOT_FILLS :]
            entries += [{**own.trade(f), "timestamp": moment(f.ts_ns)} for f in fills]
        result = {
            "channel": "executions",
            "maxratecount": int(MOST_TRADING),
            "snap_orders": orders,
            "snap_trades": trades,
        }
        return result, self._frame("executions", entries, "snapshot")

    def push(self, event: Event) -> None:
        """Send what an event says of the account."""
        if isinstance(event, OrderChanged):
            if event.order.account == self._executions:
                for entry in own.told(event):
                    self._say(self._frame("executions", [entry]))
            if event.what == "trade" and event.fill is not None:
                self._filled(event.fill)
        elif isinstance(event, BalanceChanged) and self._balances is not None:
            account, ledger = self._balances
            if event.account == account:
                for entry in ledger.of_change(event):
                    self._say(self._frame("balances", [entry]))

    def _filled(self, fill: Fill) -> None:
        if self._balances is not None and fill.order.account == self._balances[0]:
            for entry in self._balances[1].of_fill(fill):
                self._say(self._frame("balances", [entry]))

    def _frame(self, channel: str, entries: list[Message], kind: str = "update") -> Frame:
        self._sequences[channel] += 1
        sequence = self._sequences[channel]
        return json_frame({"channel": channel, "type": kind, "data": entries, "sequence": sequence})
