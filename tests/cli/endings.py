"""Every command of kimera as a row: how it is typed, and what its endings may look like.

`{words}` are places of `Places`. A row's name begins with the name of its command; what follows
tells rows of one command apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli import context, main
from kimera_cli.registry import COMMANDS

OKX = " --venue okx --server {server} --keys {keys}"
LOW = "--price 45000"
AT = " --server {server}"
RUN = "run --source venue --market okx/BTC-USDT --for 1s --keys {keys} --strategy grid" + AT
BARS = "binance/BTCUSDT/ohlcv-1h"
PAGE = 80
"""Columns for which plots and tables of a report are drawn at least."""


class Row(NamedTuple):
    """One way to call a command.

    `asks`: it asks the venue before it can end. `fails`: what it is asked for is not there, so it
    ends with one error. `code`: its exit code when it does as it should. `mute`: a table of it may
    be empty. `text`: it prints a document, not records. `before`: what is run first. `least`: the
    columns that its page has at least.
    """

    words: str
    asks: bool = False
    fails: bool = False
    code: int = 0
    mute: bool = False
    text: bool = False
    before: str = ""
    least: int = 0


ROWS: dict[str, Row] = {
    "fetch ohlcv": Row("fetch ohlcv okx BTC-USDT --since 5h" + AT, asks=True),
    "fetch trades": Row("fetch trades okx BTC-USDT --since 1h" + AT, asks=True),
    "fetch funding": Row("fetch funding okx BTC/USDT:USDT --since 1d" + AT, True, fails=True),
    "fetch markets": Row("fetch markets okx" + AT, asks=True),
    "fetch ticker": Row("fetch ticker okx BTC-USDT" + AT, asks=True),
    "fetch book": Row("fetch book okx BTC-USDT" + AT, asks=True),
    "fetch record": Row("fetch record okx BTC-USDT --out file.rec --for 10ms" + AT, asks=True),
    "fetch consolidated": Row("fetch consolidated okx/BTC-USDT --depth 2" + AT, asks=True),
    "fetch import": Row("fetch import {bars}"),
    "fetch list": Row("fetch list", before="fetch import {bars}"),
    "fetch show": Row(f"fetch show {BARS}", before="fetch import {bars}"),
    "fetch check": Row("fetch check {bars}", code=3),
    "fetch export": Row(f"fetch export {BARS}", text=True, before="fetch import {bars}"),
    "fetch export --output": Row(
        f"fetch export {BARS} --to csv --output bars.csv", before="fetch import {bars}"
    ),
    "fetch remove": Row(f"fetch remove {BARS}", before="fetch import {bars}"),
    "trade order": Row(f"trade order BTC-USDT buy 0.01 {LOW}" + OKX, asks=True),
    "trade order --dry-run": Row(f"trade order BTC-USDT buy 0.01 {LOW} --dry-run" + OKX, asks=True),
    "trade cancel": Row("trade cancel BTC-USDT nobody" + OKX, asks=True, fails=True),
    "trade cancel-all": Row("trade cancel-all" + OKX, asks=True, mute=True),
    "trade amend": Row(f"trade amend BTC-USDT nobody {LOW}" + OKX, asks=True, fails=True),
    "trade status": Row("trade status BTC-USDT nobody" + OKX, asks=True, fails=True),
    "trade open": Row("trade open" + OKX, asks=True, mute=True),
    "trade fills": Row("trade fills BTC-USDT" + OKX, asks=True, mute=True),
    "trade balance": Row("trade balance" + OKX, asks=True),
    "trade positions": Row("trade positions" + OKX, mute=True),
    "trade fees": Row("trade fees BTC-USDT" + OKX, asks=True),
    "trade reconcile": Row("trade reconcile" + OKX, asks=True, mute=True),
    "trade kill": Row("trade kill --why test" + OKX, asks=True),
    "trade guard": Row("trade guard --for 100ms" + OKX, mute=True),
    "trade arm": Row("trade arm"),
    "venue serve": Row("venue serve --venues okx --for 100ms --folder served"),
    "venue doctor": Row("venue doctor okx --for 100ms --keys {keys}" + AT, asks=True),
    "venue faults": Row("venue faults --fault F1 --venues okx --path rest"),
    "run": Row("run --for 1s --strategy grid"),
    "run --source venue": Row(RUN, asks=True),
    "run --source venue --execute live": Row(RUN + " --execute live", asks=True),
    "report show": Row("report show {run}", least=PAGE),
    "report html": Row("report html {run} --output page.html"),
    "report compare": Row("report compare {run} {recorded}", least=PAGE),
    "report fidelity": Row("report fidelity {recorded}"),
    "strategies list": Row("strategies list"),
    "strategies show": Row("strategies show glft"),
    "strategies new": Row("strategies new my_maker"),
    "journal verify": Row("journal verify {run}"),
    "journal show": Row("journal show {run} --limit 20"),
    "journal export": Row("journal export {run} --output journal.jsonl"),
    "journal recover": Row("journal recover {run}"),
    "profile list": Row("profile list"),
    "profile show": Row("profile show --origin"),
    "profile check": Row("profile check {profile}"),
    "schema": Row("schema fill", text=True),
    "doctor": Row("doctor"),
    "completion": Row("completion bash", text=True),
    "tune-host probe": Row("tune-host probe server --root {host}"),
    "tune-host plan": Row("tune-host plan server --root {host}", mute=True),
    "tune-host apply": Row("tune-host apply server --dry-run --root {host}", mute=True),
    "tune-host revert": Row("tune-host revert --root {host}", mute=True),
    "tune-host verify": Row("tune-host verify --no-jitter --root {host}", mute=True),
    "bench ring": Row("bench ring --events 1000 --repeats 1"),
    "bench compare": Row("bench compare {saved} {saved}"),
    "bench page": Row("bench page {saved} --out drawn"),
}
ABSENT = {
    "bench soak": "measures for as long as it is told to: tests/bench/test_soak.py",
    "ensemble table fill": "needs recordings: tests/ensemble/test_command.py",
    "ensemble table show": "needs a table learnt on recordings: tests/ensemble/test_command.py",
    "ensemble table check": "needs recordings: tests/ensemble/test_command.py",
    "ensemble table curve": "needs recordings: tests/ensemble/test_command.py",
}
"""Commands without a row, and why."""


@dataclass(frozen=True)
class Places:
    """What the rows' words stand for."""

    server: Path
    keys: Path
    bars: Path
    run: Path
    recorded: Path
    profile: Path
    host: Path
    saved: Path

    def words(self, text: str) -> list[str]:
        """Return a command's words."""
        return [word.format_map(vars(self)) for word in text.split()]


def command_of(row: str) -> str:
    """Return the name of the command that a row is about."""
    return row.partition(" --")[0]


def commands(world: context.Context) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the name and function of every command that the program has."""
    for name in COMMANDS:
        yield from _leaves(name, main.load_command(name, world))


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    if not hasattr(command, "commands"):
        function = command.callback
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        yield name, function
    for word, child in getattr(command, "commands", {}).items():
        yield from _leaves(f"{name} {word}", child)
