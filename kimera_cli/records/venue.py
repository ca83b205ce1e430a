"""The simulated venues: where they listen, and what happened at them."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class VenueListening(Record, frozen=True):
    """A venue server is ready: ports on 127.0.0.1, CA certificate and keys file for clients."""

    venues: list[str]
    port: int
    tls_port: int
    control_port: int
    ca: str
    keys: str
    seed: int


class VenueEnded(Record, frozen=True):
    """What happened at one venue; its books, holds and sums of assets were found right.

    `bugs` counts errors of the server itself; 0 is expected.
    """

    venue: str
    requests: int
    orders: int
    trades: int
    bugs: int


class Fault(Record, frozen=True):
    """One scripted fault at one venue by one path: whether the client lost nothing and sent nothing
    twice.

    `passed` is null where the fault cannot happen at the venue.
    """

    fault: str
    venue: str
    path: str
    passed: bool | None
    detail: str


class Soak(Record, frozen=True):
    """What a run under random faults came to. The `fault` records before it say it by venue.

    `faults` counts those that came about of the `injected` ones, by name in `kinds`; of the `runs`,
    `kills` were ended by SIGKILL. `orders` and `fills` are those at the venues, or of a paper run
    its own; `by_websocket` counts orders and cancels by websocket of the runs that were not killed.
    `folder` is kept when a comparison failed, else it is removed and this is empty.
    """

    execute: str
    venues: list[str]
    seed: int
    seconds: float
    injected: int
    faults: int
    kinds: dict[str, int]
    kills: int
    runs: int
    orders: int
    by_websocket: int
    fills: int
    notices: int
    passed: bool
    folder: str


class VenueCheck(Record, frozen=True):
    """One item of `kimera venue doctor`: what was found, and what to do about it."""

    venue: str
    item: str
    status: Literal["ok", "warning", "failed", "skipped"]
    found: str
    advice: str = ""
