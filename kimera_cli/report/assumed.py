"""What a result assumes, in words: source, queue, latency, fees, data, seed.

The run states its fidelity as plain values; here they become lines that a person can weigh. Keys
without words of their own are shown as they are: nothing stated is left out.
"""

from __future__ import annotations

import re
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
_FIRST = ("source", "queue_model", "latency", "fees", "fills", "market_impact", "seed", "data_hash")
_LABELS = {
    "source": "Market",
    "queue_model": "Queue position",
    "data_hash": "Data",
    "feed_shift_ns": "Clock shift",
    "market_impact": "Market impact",
    "rates": "Currency rates",
    "clocks": "Venues' clocks",
    "executor": "Orders",
}
_WORDS = {
    "seed": "everything random follows from it",
    "data_hash": "hash of the events that were replayed",
    "feed_shift_ns": "added so that no message arrives before it left",
}
_NANOSECONDS = re.compile(r"\b(\d+) ns\b")


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
    label = _LABELS.get(key, _name(key).capitalize())
    if key == "fees" and isinstance(value, Mapping):
        return Assumption(label, "; ".join(f"{k} {_fee(v)}" for k, v in value.items()), "")
    if key == "data_hash":
        return Assumption(label, str(value)[:16], _WORDS[key])
    text, words = _parts(key, value)
    return Assumption(label, text, words or _WORDS.get(key, QUEUE_WORDS.get(str(value), "")))


def _parts(key: str, value: Any) -> tuple[str, str]:
    """Return a value as text and what it explains of itself (`name: explanation`)."""
    if isinstance(value, Mapping):
        inner = {k: _parts(str(k), v) for k, v in value.items()}
        text = ", ".join(f"{_name(str(k))} {t}" for k, (t, _) in inner.items())
        return text, "; ".join(f"{_name(str(k))}: {w}" for k, (_, w) in inner.items() if w)
    if isinstance(value, bool):
        return ("yes" if value else "no"), ""
    if key.endswith("_ns") and isinstance(value, int | float):
        return duration(value / 1e9), ""
    text, _, words = str(value).partition(": ")
    return _NANOSECONDS.sub(lambda m: duration(int(m[1]) / 1e9), text).replace("_", " "), words


def _fee(value: Any) -> str:
    """Return fee rates in basis points; what is no fee table is shown as it is."""
    if not isinstance(value, Mapping):
        return str(value)
    rates = [f"{k} {v * 1e4:g} bps" for k, v in value.items() if isinstance(v, int | float)]
    return ", ".join(rates)


def _name(key: str) -> str:
    return key.removesuffix("_ns").replace("_", " ")
