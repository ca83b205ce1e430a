"""Binance's websocket API: requests with an id, and the user data stream.

https://developers.binance.com/docs/binance-spot-api-docs/websocket-api
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.venues.server.dialect import Conversation
from kimera_cli.venues.server.dialects.binance_auth import check_call
from kimera_cli.venues.server.dialects.binance_errors import BinanceError
from kimera_cli.venues.server.dialects.binance_user import UserData
from kimera_cli.venues.server.frames import json_frame
from kimera_cli.venues.server.keys import Permission
from kimera_cli.venues.server.model import Event, RequestDone

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.binance import Dialect

HANDSHAKE_WEIGHT = 2
SUBSCRIBE = "userDataStream.subscribe.signature"
UNSUBSCRIBE = "userDataStream.unsubscribe"


class CallConversation(Conversation):
    """A socket at ws-api.binance.com."""

    dialect: Dialect

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.users: dict[int, UserData] = {}
        self._subscriptions = 0
        self._account: int | None = None
        """Whose orders the present request counts."""

    def receive(self, message: str | bytes) -> None:
        """Answer one request."""
        try:
            call = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._fail(None, BinanceError(-1000, "Invalid JSON."), {})
            return
        call_id = call.get("id")
        params = call.get("params") or {}
        self._account = None
        if not isinstance(params, dict):
            self._fail(call_id, BinanceError(-1000, "Invalid params: expected an object."), {})
            return
        try:
            result = self.dialect.answered(lambda: self._call(str(call.get("method")), params))
        except BinanceError as error:
            self._fail(call_id, error, params)
            return
        body = {"id": call_id, "status": 200, "result": result}
        self.socket.send(json_frame(self._with_limits(body, params)))

    def _call(self, method: str, params: dict[str, Any]) -> Any:
        dialect, now = self.dialect, self.dialect.clock.now_ns()
        if dialect.limits is not None:
            dialect.limits.charge(self.socket.peer, dialect.weight_of_call(method), now)
        if method in (SUBSCRIBE, UNSUBSCRIBE):
            return self._subscription(method, params, now)
        public = dialect.public_calls.get(method)
        if public is not None:
            return public({name: str(value) for name, value in params.items()})
        found = dialect.signed_calls.get(method)
        if found is None:
            raise BinanceError(-1002, f"Unknown method {method}.")
        act, permission = found
        return self._signed(act, permission, method, params, now)

    def _signed(
        self,
        act: Callable[[int, dict[str, str]], Any],
        permission: Permission,
        method: str,
        params: dict[str, Any],
        now_ns: int,
    ) -> Any:
        key, texts = check_call(params, self.dialect.keys, permission, now_ns // 1_000_000)
        if method == "order.place" and self.dialect.limits is not None:
            self._account = key.account
            self.dialect.limits.order(key.account, now_ns)
        return act(key.account, texts)

    def _subscription(self, method: str, params: dict[str, Any], now_ns: int) -> Any:
        if method == UNSUBSCRIBE:
            if "subscriptionId" in params:
                self.users.pop(int(params["subscriptionId"]), None)
            else:
                self.users.clear()
            return {}
        key, _ = check_call(params, self.dialect.keys, "read", now_ns // 1_000_000)
        number, self._subscriptions = self._subscriptions, self._subscriptions + 1
        self.users[number] = UserData(self.exchange, key.account)
        return {"subscriptionId": number}

    def _fail(self, call_id: Any, error: BinanceError, params: dict[str, Any]) -> None:
        body = {"id": call_id, "status": error.status, "error": error.body}
        self.socket.send(json_frame(self._with_limits(body, params)))

    def _with_limits(self, body: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Add how much of the limits is used, unless it is not wanted."""
        limits = self.dialect.limits
        if limits is not None and params.get("returnRateLimits") is not False:
            now = self.dialect.clock.now_ns()
            body["rateLimits"] = limits.told(self.socket.peer, self._account, now)
        return body

    def push(self, event: Event) -> None:
        """Tell the subscribed accounts."""
        for number, user in self.users.items():
            found = user.messages(event)
            if isinstance(event, RequestDone):
                found = user.position(event.ts_ns)
            for message in found:
                self.socket.send(json_frame({"subscriptionId": number, "event": message}))

    def expire(self) -> None:
        """The venue ends the user data streams; the socket stays."""
        now_ms = self.dialect.clock.now_ms()
        for number in self.users:
            event = {"e": "eventStreamTerminated", "E": now_ms}
            self.socket.send(json_frame({"subscriptionId": number, "event": event}))
        self.users.clear()
