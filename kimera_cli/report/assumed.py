"""What a result assumes, in words: source, queue, latency, fees, data, seed.

The run states its fidelity as plain values; here they become lines that a person can weigh. Keys
without words of their own are shown as they are: nothing stated is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kimera_cli.report.figures import duration
from kimera_cli.report.run import Run

QUEUE_WORDS = {
    "risk_averse": "only trades at our price move us forward; cancellations ahead never do",
    "power": "cancellations at our price move us forward with a power-law probability",
    "log": "cancellations at our price move us forward with a logarithmic probability",
    "l3": "the exact place in the queue, from the recording's own orders",
}
LATENCY_WORDS = {
    "recorded": "as recorded",
    "constant": "constant",
    "lognormal": "lognormal around",
}
IMPACT = "Our orders do not move the market: its flow goes on as if they were not there."
_FIRST = ("source", "queue_model", "latency", "fees", "seed", "data_hash")
_LABELS = {
    "source": "Market",
    "queue_model": "Queue position",
    "latency": "Latency",
    "fees": "Fees",
    "seed": "Seed",
    "data_hash": "Data",
    "feed_shift_ns": "Clock shift",
    "partial_fills": "Partial fills",
}


class Assumption(NamedTuple):
    """One line of the fidelity statement."""

    label: str
    value: str
    words: str


def assumptions(run: Run) -> list[Assumption]:
    """Return the fidelity of a run line by line, the weightiest first; empty if none is stated."""
    stated = run.fidelity
    keys = [k for k in _FIRST if k in stated] + [k for k in stated if k not in _FIRST]
    return [_line(key, stated[key]) for key in keys if stated[key] not in (None, "", {})]


def _line(key: str, value: Any) -> Assumption:
    label = _LABELS.get(key, key.removesuffix("_ns").replace("_", " ").capitalize())
    if key == "queue_model":
        name, _, rest = str(value).partition(" ")
        return Assumption(
            label, name.replace("_", " ") + (f" {rest}" if rest else ""), QUEUE_WORDS.get(name, "")
        )
    if key == "data_hash":
        return Assumption(label, _hashes(value), "hash of the events that were replayed")
    if key == "seed":
        return Assumption(label, str(value), "everything random follows from it")
    if key == "feed_shift_ns":
        return Assumption(
            label, _plain(key, value), "added so that no message arrives before it left"
        )
    return Assumption(label, _plain(key, value), "")


def _plain(key: str, value: Any) -> str:
    """Return a value as text; nested values as `name value` pairs, times in ns as durations."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(k)} {_plain(k, v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(key, v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key.endswith("_ns") and isinstance(value, int | float):
        return duration(value / 1e9)
    return LATENCY_WORDS.get(str(value), str(value))


def _name(key: str) -> str:
    return key.removesuffix("_ns").replace("_", " ")


def _hashes(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {str(v)[:12]}" for k, v in value.items())
    return str(value)[:16]
