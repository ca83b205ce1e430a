"""The machine: what it is, what was changed, what a process got of it."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import JsonObject, Record


class Doctor(Record, frozen=True):
    """One item of the host and installation check."""

    item: str
    status: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""


class HostItem(Record, frozen=True):
    """One thing that `tune-host probe` found: what it is, what a profile advises, and why.

    `status`: ok, change (apply sets it), manual (needs what `reason` says), absent, info (a fact).
    `settable`: now, boot (kernel command line), login (limits.d), outside (by hand), no.
    """

    item: str
    area: str
    current: str
    advised: str
    status: Literal["ok", "change", "manual", "absent", "info"]
    settable: Literal["now", "boot", "login", "outside", "no"]
    why: str
    effect: str
    reason: str = ""
    profile: str = ""
    paths: list[str] = []


class HostChange(Record, frozen=True):
    """One exact change that `tune-host plan` lists.

    `how`: write (a file of /proc or /sys), file (sysctl.d, limits.d), boot (kernel command line),
    hand (run `command` yourself). `needs` is what stands between now and its effect.
    """

    item: str
    path: str
    old: str
    new: str
    how: Literal["write", "file", "boot", "hand"]
    needs: str = ""
    command: str = ""
    reason: str = ""


class HostResult(Record, frozen=True):
    """What became of one change of `tune-host apply`, `revert` or `verify`.

    apply: planned, applied, already, partial, denied. revert: reverted, already, conflict, gone,
    denied. verify: held, changed.
    """

    action: Literal["apply", "revert", "verify"]
    item: str
    path: str
    old: str
    new: str
    found: str
    status: Literal[
        "planned",
        "applied",
        "already",
        "partial",
        "denied",
        "reverted",
        "conflict",
        "gone",
        "held",
        "changed",
    ]
    reason: str = ""


class Jitter(Record, frozen=True):
    """Delays under two states of the host, measured in turn (A B, B A, ...), in ns.

    `ratio` is the p99.9 after over the p99.9 before, with its 99 % interval over the rounds and the
    share of flipped rounds that are as far from 1.
    """

    measure: str
    rounds: int
    samples: int
    before_p50_ns: float
    after_p50_ns: float
    before_p99_ns: float
    after_p99_ns: float
    before_p999_ns: float
    after_p999_ns: float
    before_max_ns: float
    after_max_ns: float
    ratio: float
    low: float
    high: float
    p_value: float
    verdict: Literal["lower", "higher", "no difference measured"]
    compared: str = ""
    detail: JsonObject = {}


class Preparation(Record, frozen=True):
    """One step of preparing the process for a run: what was asked for, and what was read back."""

    item: str
    status: Literal["applied", "partial", "denied"]
    asked: str
    got: str
    reason: str = ""
    hint: str = ""
