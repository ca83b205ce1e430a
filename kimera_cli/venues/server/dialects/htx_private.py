"""HTX's private websocket (/ws/v2): orders, fills after clearing, balances; plain text frames.

https://www.htx.com/en-us/opend/newApiPages/. Log in first, by a signature of the address's path.
The venue pings every 20 s. `orders` tells each step of an order in turn; `trade.clearing` tells
fills with their fees; `accounts.update` tells balances, all of them at the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import htx_own as own
from kimera_cli.venues.server.dialects.htx_auth import login
from kimera_cli.venues.server.dialects.htx_errors import HtxError
from kimera_cli.venues.server.dialects.htx_text import account_id, name_of, names
from kimera_cli.venues.server.frames import json_frame
from kimera_cli.venues.server.model import BalanceChanged, Event, OrderChanged

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.htx import Dialect

PING_NS = 20 * NS_PER_S
UNANSWERED = 3


class Private(Conversation):
    """One connection to /ws/v2."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self.account = 0
        self.orders: dict[str, str] = {}
        """Channel by market's name (or *)."""
        self.clearing: dict[str, str] = {}
        self.balances: dict[str, str] = {}
        """Channel by mode."""
        self._totals: dict[str, int] = {}
        self._seq = 0
        self._next_ping_ns = dialect.clock.now_ns() + PING_NS
        self._unanswered = 0

    def receive(self, message: str | bytes) -> None:
        """Log in, subscribe, unsubscribe, or answer a ping."""
        try:
            wanted = msgspec.json.decode(message, type=dict[str, Any])
        except msgspec.DecodeError:
            self._refuse("", "", 2001, "invalid.json")
            return
        action, channel = str(wanted.get("action", "")), str(wanted.get("ch", ""))
        if action == "pong":
            self._unanswered = 0
        elif action == "ping":
            self._send({"action": "pong", "data": wanted.get("data", {})})
        elif action == "req" and channel == "auth":
            self._log_in(wanted.get("params"))
        elif action not in ("sub", "unsub"):
            self._refuse(action, channel, 2001, "invalid.action")
        elif not self.account:
            self._refuse(action, channel, 2002, "invalid.auth.state")
        else:
            self._subscribe(action, channel)

    def _log_in(self, params: object) -> None:
        now = self.dialect.clock.now_ns()
        given = params if isinstance(params, dict) else {}
        if not given:
            self._refuse("req", "auth", 2001, "missing.param.auth")
            return
        try:
            key = login(self.dialect.keys, self.request, given, now)
        except HtxError:
            self._refuse("req", "auth", 2002, "auth.fail")
            return
        if not key.may("read"):
            self._refuse("req", "auth", 2002, "auth.fail")
            return
        self.account = key.account
        self._send({"action": "req", "code": 200, "ch": "auth", "data": {}})

    def _subscribe(self, action: str, channel: str) -> None:
        kind, *details = channel.split("#")
        markets = {*names(self.exchange.markets), "*"}
        table, name = self.orders, details[0] if details else ""
        if kind == "trade.clearing":
            table = self.clearing
            if len(details) == 1:
                channel += "#0"
        elif kind == "accounts.update":
            table, name = self.balances, name or "0"
            channel = f"accounts.update#{name}"
        known = name in (own.MODES if table is self.balances else markets)
        if kind not in ("orders", "trade.clearing", "accounts.update") or not known:
            self._refuse(action, channel, 2001, "invalid.ch")
            return
        if action == "unsub":
            table.pop(name, None)
        else:
            table[name] = channel
        self._send({"action": action, "code": 200, "ch": channel, "data": {}})
        if action == "sub" and table is self.balances:
            self._all_balances(name, channel)

    def _refuse(self, action: str, channel: str, code: int, why: str) -> None:
        self._send({"action": action, "code": code, "ch": channel, "message": why})

    # what happens

    def push(self, event: Event) -> None:
        """Tell what happened to the account."""
        if isinstance(event, OrderChanged) and event.order.account == self.account:
            self._order(event)
        elif isinstance(event, BalanceChanged) and event.account == self.account:
            change = {"changeType": self.dialect.change_type, "changeTime": event.ts_ns // 10**6}
            for mode, channel in self.balances.items():
                self._balance(mode, channel, event.asset, event.free, event.held, change)
            self._totals[event.asset] = event.free + event.held

    def _order(self, event: OrderChanged) -> None:
        name = name_of(event.order.market)
        for wanted in (name, "*"):
            if wanted in self.orders:
                data = own.order_step(event)
                if data is not None:
                    self._push(self.orders[wanted], data)
            if wanted in self.clearing:
                channel = self.clearing[wanted]
                data = own.clearing(event, cancels=channel.endswith("#1"))
                if data is not None:
                    self._push(channel, data)

    def _all_balances(self, mode: str, channel: str) -> None:
        nothing = {"changeType": None, "changeTime": None}
        for asset, (free, held) in self.exchange.balances(self.account).items():
            self._totals[asset] = free + held
            data = self._balance_data(asset, nothing)
            both = {"balance": amounts.text(free + held), "available": amounts.text(free)}
            self._push(channel, data | both)

    def _balance(
        self, mode: str, channel: str, asset: str, free: int, held: int, change: dict[str, Any]
    ) -> None:
        """Tell one balance by the rule of a mode: 0 totals, 1 each by itself, 2 both together."""
        total = {"balance": amounts.text(free + held)}
        available = {"available": amounts.text(free)}
        moved = self._totals.get(asset) != free + held
        parts: list[dict[str, str]] = []
        if mode == "2":
            parts = [total | available]
        elif mode == "1":
            parts = [available, total] if moved else [available]
        elif moved:
            parts = [total]
        for part in parts:
            self._push(channel, self._balance_data(asset, change) | part)

    def _balance_data(self, asset: str, change: dict[str, Any]) -> dict[str, Any]:
        self._seq += 1
        head = {"currency": asset.lower(), "accountId": account_id(self.account)}
        return head | change | {"accountType": "trade", "seqNum": str(self._seq)}

    def tick(self, now_ns: int) -> None:
        """Ping; close when pings are not answered."""
        if now_ns < self._next_ping_ns:
            return
        if self._unanswered >= UNANSWERED:
            self.socket.close(1003, "time out close")
            self._unanswered = 0
            return
        self._next_ping_ns = now_ns + PING_NS
        self._unanswered += 1
        self._send({"action": "ping", "data": {"ts": now_ns // 10**6}})

    def _push(self, channel: str, data: dict[str, Any]) -> None:
        self._send({"action": "push", "ch": channel, "data": data})

    def _send(self, said: dict[str, Any]) -> None:
        self.socket.send(json_frame(said))
