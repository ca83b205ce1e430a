"""The commands: name -> module and one-line help. Data only: nothing is imported from here."""

from __future__ import annotations

from typing import NamedTuple


class Spec(NamedTuple):
    """One command: the module that declares its Typer `app`, and its line in `kimera --help`."""

    module: str
    help: str


COMMANDS: dict[str, Spec] = {
    "run": Spec(
        "kimera_cli.commands.run",
        "Run strategies on a demo market, recordings or live venues.",
    ),
    "fetch": Spec(
        "kimera_cli.commands.fetch", "Fetch, record, import, list, check and export market data."
    ),
    "report": Spec("kimera_cli.commands.report", "Show, compare and export the results of runs."),
    "strategies": Spec("kimera_cli.commands.strategies", "List, show and create strategies."),
    "ensemble": Spec("kimera_cli.commands.ensemble", "Fill, show and check decision tables."),
    "journal": Spec(
        "kimera_cli.commands.journal", "Verify, show and export a run's audit journal."
    ),
    "bench": Spec("kimera_cli.commands.bench", "Measure kimera, and its peers in the same run."),
    "profile": Spec("kimera_cli.commands.profile", "List, show and check profiles."),
    "schema": Spec("kimera_cli.commands.schema", "Print the JSON Schema of output records."),
    "trade": Spec(
        "kimera_cli.commands.trade", "Send, cancel and follow orders; tell what accounts hold."
    ),
    "venue": Spec(
        "kimera_cli.commands.venue", "Serve simulated exchanges, play faults, look at real ones."
    ),
    "tune-host": Spec(
        "kimera_cli.commands.tune_host", "Probe, plan, apply, revert and verify host settings."
    ),
    "doctor": Spec("kimera_cli.commands.doctor", "Check installation and host."),
    "completion": Spec(
        "kimera_cli.commands.completion", "Print shell completion for bash, zsh or fish."
    ),
}


def installed() -> list[str]:
    """Return the names of the commands whose module is there, without importing any of them."""
    from importlib.util import find_spec

    return [name for name, spec in COMMANDS.items() if find_spec(spec.module) is not None]
