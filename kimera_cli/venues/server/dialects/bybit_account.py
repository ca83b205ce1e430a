"""Bybit's websockets that log in, and the private one: orders, executions, wallet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import bybit_shapes as shapes
from kimera_cli.venues.server.dialects.bybit_auth import check_permission
from kimera_cli.venues.server.dialects.bybit_dcp import TOPICS as PROTECTED
from kimera_cli.venues.server.dialects.bybit_streams import decode
from kimera_cli.venues.server.dialects.bybit_text import BybitError
from kimera_cli.venues.server.frames import json_frame
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import BalanceChanged, BookChanged, Event, OrderChanged

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.bybit import Dialect

Message = dict[str, Any]
ORDERS, EXECUTIONS = ("order", "order.spot"), ("execution", "execution.spot")
FAST = ("execution.fast", "execution.fast.spot")
TOPICS = {*ORDERS, *EXECUTIONS, *FAST, "wallet", *PROTECTED}
_FAST_KEYS = (
    "category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker", "orderLinkId",
    "side", "execTime", "seq",
)  # fmt: skip
AUTHORIZE = BybitError(10003, "Request not authorized")


class AccountConversation(Conversation):
    """A connection that logs in; subclasses say what an answer looks like."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self.id = f"{id(self) & 0xFFFF_FFFF:08x}"
        self.key: Key | None = None

    def say(self, message: Message) -> None:
        """Send a message."""
        self.socket.send(json_frame(message))

    def receive(self, message: str | bytes) -> None:
        """Answer one request."""
        try:
            request = decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.refuse({}, BybitError(10001, "request is not JSON"))
            return
        try:
            if request.get("op") == "ping":
                self.pong(request)
            elif request.get("op") == "auth":
                self.key = self.dialect.gate.login(request.get("args"))
                self.welcome(request)
            else:
                self.request_of(request, self._admitted())
        except BybitError as error:
            self.refuse(request, error)

    def _admitted(self) -> Key:
        if self.key is None:
            raise AUTHORIZE
        return self.key

    def pong(self, request: Message) -> None:
        """Answer a ping."""
        raise NotImplementedError

    def welcome(self, request: Message) -> None:
        """Answer a login."""
        raise NotImplementedError

    def refuse(self, request: Message, error: BybitError) -> None:
        """Answer a request that is refused."""
        raise NotImplementedError

    def request_of(self, request: Message, key: Key) -> None:
        """Carry out a request of a client that has logged in."""
        raise NotImplementedError


class PrivateConversation(AccountConversation):
    """/v5/private: orders, executions and the wallet of one account."""

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self._topics: set[str] = set()
        self._coins: set[str] = set()
        self._sent = 0

    def receive(self, message: str | bytes) -> None:
        """Answer one request; a protected account is heard by it."""
        if self.key is not None and self._topics & set(PROTECTED):
            self.dialect.protection.hear(self.key.account)
        super().receive(message)

    def pong(self, request: Message) -> None:
        """Answer a ping with the time."""
        at = [str(self.dialect.clock.now_ms())]
        self.say(
            {"req_id": str(request.get("req_id", "")), "op": "pong", "args": at, "conn_id": self.id}
        )

    def welcome(self, request: Message) -> None:
        """Answer a login."""
        self._answer(request, True, "")

    def refuse(self, request: Message, error: BybitError) -> None:
        """Answer a request that is refused."""
        self._answer(request, False, error.text)

    def _answer(self, request: Message, success: bool, text: str) -> None:
        found: Message = {"success": success, "ret_msg": text, "op": str(request.get("op", ""))}
        if "req_id" in request:
            found["req_id"] = str(request["req_id"])
        self.say({**found, "conn_id": self.id})

    def request_of(self, request: Message, key: Key) -> None:
        """Subscribe or unsubscribe."""
        check_permission(key, "read")
        op, arguments = request.get("op"), request.get("args")
        if op not in ("subscribe", "unsubscribe") or not isinstance(arguments, list):
            raise BybitError(10404, f"error:unknown op:{op}")
        topics = [str(each) for each in arguments]
        for topic in topics:
            if topic not in TOPICS:
                raise BybitError(10404, f"error:handler not found,topic:{topic}")
        self._answer(request, True, "")
        if op == "unsubscribe":
            self._topics -= set(topics)
            if set(topics) & set(PROTECTED):
                self.dialect.protection.disarm(key.account)
            return
        self._topics |= set(topics)
        if set(topics) & set(PROTECTED):
            self.dialect.protection.arm(key.account)

    def push(self, event: Event) -> None:
        """Send what an event says of the account."""
        if self.key is None:
            return
        if isinstance(event, OrderChanged):
            if event.order.account == self.key.account:
                self._order_changed(event)
        elif isinstance(event, BalanceChanged):
            if event.account == self.key.account and "wallet" in self._topics:
                self._coins.add(event.asset)
        elif isinstance(event, BookChanged) and self._coins:
            self._tell_wallet()

    def _order_changed(self, event: OrderChanged) -> None:
        if event.fill is not None:
            execution = {"category": "spot", **shapes.execution(event.fill)}
            self._tell(EXECUTIONS, execution)
            self._tell(FAST, {name: execution[name] for name in _FAST_KEYS})
        self._tell(ORDERS, {"category": "spot", **shapes.order_details(event.order)})

    def _tell_wallet(self) -> None:
        if self.key is not None:
            coins, self._coins = frozenset(self._coins), set()
            self._tell(("wallet",), self.dialect.wallets.wallet(self.key.account, coins))

    def _tell(self, topics: tuple[str, ...], entry: Message) -> None:
        for topic in topics:
            if topic in self._topics:
                self._sent += 1
                self.say(
                    {
                        "id": f"{self.id}_{self._sent}",
                        "topic": topic,
                        "creationTime": self.dialect.clock.now_ms(),
                        "data": [entry],
                    }
                )

    def tick(self, now_ns: int) -> None:
        """Send balances that moved without a change of the book."""
        if self._coins:
            self._tell_wallet()
