"""Bybit's websocket for orders, /v5/trade.

https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline: requests carry the time and a
receive window in their header, answers the state of the rate limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_cli.venues.server.dialects.bybit_account import AccountConversation
from kimera_cli.venues.server.dialects.bybit_auth import check_permission
from kimera_cli.venues.server.dialects.bybit_text import BybitError
from kimera_cli.venues.server.keys import Key

Message = dict[str, Any]
ACTIONS = {"order.create": "create", "order.amend": "amend", "order.cancel": "cancel"}
BATCHES = {f"{op}-batch": action for op, action in ACTIONS.items()}


class TradeConversation(AccountConversation):
    """/v5/trade: orders."""

    def pong(self, request: Message) -> None:
        """Answer a ping with the time."""
        at = [str(self.dialect.clock.now_ms())]
        self.say({"retCode": 0, "retMsg": "OK", "op": "pong", "data": at, "connId": self.id})

    def welcome(self, request: Message) -> None:
        """Answer a login."""
        self.say({"retCode": 0, "retMsg": "OK", "op": "auth", "connId": self.id})

    def refuse(self, request: Message, error: BybitError) -> None:
        """Answer a request that is refused."""
        self._answer(request, error.code, error.text, {}, {}, {})

    def request_of(self, request: Message, key: Key) -> None:
        """Carry out an order request."""
        op, arguments = str(request.get("op")), request.get("args")
        if op not in ACTIONS and op not in BATCHES:
            raise BybitError(10404, "op type is not found")
        if not isinstance(arguments, list) or not arguments or not isinstance(arguments[0], dict):
            raise BybitError(10001, "params error: args invalid")
        check_permission(key, "trade")
        header = request.get("header")
        stamps = header if isinstance(header, dict) else {}
        window = stamps.get("X-BAPI-RECV-WINDOW")
        self.dialect.gate.check_time(stamps.get("X-BAPI-TIMESTAMP"), window)
        run, path, count = self._action(op, arguments[0])
        now = self.dialect.clock.now_ns()
        state = self.dialect.limits.take(key.account, path, now, count)
        told = {**dict(state.headers()), "Traceid": self.id, "Timenow": str(now // 1_000_000)}
        if not state.passed:
            self._answer(
                request, 10006, "Too many visits. Exceeded the API Rate Limit.", {}, {}, told
            )
            return
        try:
            result, extra = run(key)
        except BybitError as error:
            self._answer(request, error.code, error.text, {}, {}, told)
        else:
            self._answer(request, 0, "OK", result, extra, told)

    def _action(
        self, op: str, argument: Message
    ) -> tuple[Callable[[Key], tuple[Message, Message]], str, int]:
        desk = self.dialect.desk
        if op in ACTIONS:
            single = desk.actions[ACTIONS[op]]
            return lambda key: (single(key, argument), {}), f"order/{ACTIONS[op]}", 1
        entries = argument.get("request")
        count = len(entries) if isinstance(entries, list) else 1
        action = BATCHES[op]
        return lambda key: desk.batch(key, action, argument), f"order/{action}-batch", count

    def _answer(
        self, request: Message, code: int, text: str, data: Message, extra: Message, told: Message
    ) -> None:
        self.say(
            {
                "reqId": str(request.get("reqId", "")),
                "retCode": code,
                "retMsg": text,
                "op": str(request.get("op", "")),
                "data": data,
                "retExtInfo": extra,
                "header": told,
                "connId": self.id,
            }
        )
