"""What one venue's private stream is: where it is, what is sent there, what its messages mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from kimera_cli.venues.clients.api import VenueApi
from kimera_cli.venues.clients.session import Session
from kimera_cli.venues.orders.outcome import (
    Balance,
    BalanceUpdate,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
)


class Told(NamedTuple):
    """What one message means."""

    events: Sequence[PrivateEvent] = ()
    reply: bytes = b""
    """To be sent back at once."""
    acked: int = 0
    """Subscriptions that were confirmed."""
    logged_in: bool = False
    lost: str = ""
    """Why the stream cannot go on (refused, expired, ended by the venue); empty: it can."""
    refused: bool = False
    """`lost` because of who asks: the login or the subscription was refused."""
    ask_fills: bool = False
    """Something was executed whose fills must be asked for."""
    unprotected: str = ""
    """Why the venue does not tie its dead-man switch to this stream; empty: not said."""


NOTHING = Told()


class StreamDialect(ABC):
    """The private stream of one account. Fresh for each connection."""

    url: str
    ping_every_s = 15.0
    subscriptions = 1
    """How many confirmations there will be."""
    token = ""
    """The one that subscriptions carry."""

    def __init__(self, session: Session, account: str, symbols: Sequence[str]) -> None:
        self.session, self.account, self.symbols = session, account, symbols

    @property
    def api(self) -> VenueApi:
        """The venue's REST interface, which knows its markets and its orders' words."""
        return self.session.api

    async def prepare(self) -> None:
        """Get what the stream needs by REST (a token)."""
        return

    def login(self, ts_ns: int) -> list[bytes]:
        """Return what proves who asks; empty: nothing is sent and subscriptions follow at once."""
        return []

    @abstractmethod
    def subscribe(self, ts_ns: int) -> list[bytes]:
        """Return the subscriptions."""

    def ping(self, ts_ns: int) -> bytes:
        """Return the venue's own ping; empty: the protocol's is used."""
        return b""

    def protect(self, on: bool) -> bytes:
        """Tie the venue's dead-man switch to this connection, or untie it; empty: it has none."""
        return b""

    @abstractmethod
    def read(self, message: bytes) -> Told:
        """Return what a message means; UnreadableError or the like when it cannot be read."""

    def balance(self, balance: Balance, ts_ns: int) -> BalanceUpdate:
        """Return a balance as an event."""
        return BalanceUpdate(
            venue=self.api.venue, account=self.account, balance=balance, ts_ns=ts_ns
        )


def order_event(order: Any) -> OrderUpdate:
    """Return an order as an event."""
    return OrderUpdate(order=order)


def fill_event(fill: Any) -> FillUpdate:
    """Return a fill as an event."""
    return FillUpdate(fill=fill)
