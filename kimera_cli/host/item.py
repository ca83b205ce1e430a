"""One thing that was found out about the host, with the writes that would bring it to the advice.

Everything that `probe` shows, `plan` lists and `apply` does comes from these items, so the three
cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Profile = Literal["laptop", "server", "hft"]
Status = Literal["ok", "change", "manual", "absent", "info"]
Settable = Literal["now", "boot", "login", "outside", "no"]

NOW: Settable = "now"
"""By writing a file of /proc or /sys, at once and until the next boot."""
BOOT: Settable = "boot"
"""On the kernel's command line."""
LOGIN: Settable = "login"
"""In limits.d (`apply --persist`), from the next login on."""
OUTSIDE: Settable = "outside"
"""By hand: in hardware, with another program, or on the host around this guest or container."""
NO: Settable = "no"
"""A fact."""


@dataclass(frozen=True)
class Write:
    """One value to write: the file, what it holds now, what it should hold."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Limit:
    """One resource limit of logins (`memlock`, `nofile`) with the value for limits.d.

    `hard` says that the hard limit must rise too; one that is high enough is never lowered.
    """

    name: str
    old: str
    new: str
    hard: bool


@dataclass(frozen=True)
class Item:
    """One line of `probe`.

    `reason` says what stands in the way of the advice; `boot` is what to add to the kernel's
    command line, `command` what to run by hand.
    """

    item: str
    area: str
    current: str
    why: str
    effect: str
    advised: str = ""
    status: Status = "info"
    settable: Settable = "no"
    reason: str = ""
    writes: tuple[Write, ...] = ()
    limit: Limit | None = None
    boot: str = ""
    command: str = ""
