"""What a result assumes, in words and numbers: printed with every run and kept in its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from kimera_cli.data.source import EventSource
from kimera_cli.engine.request import RunRequest
from kimera_cli.instrument import Instrument
from kimera_cli.settings import Latency, Profile

_QUEUES = {
    "risk_averse": "risk averse: only trades move our place forward",
    "power": "probabilistic, f(x) = x^{exponent:g}: a cancel stood behind us with probability "
    "f(back) / (f(back) + f(front))",
    "log": "probabilistic, f(x) = log(1 + x): a cancel stood behind us with probability "
    "f(back) / (f(back) + f(front))",
    "l3": "exact first in, first out, from the recording's own orders",
}

_FEEDS = {"demo": "synthetic market", "replay": "recording", "venue": "live feed"}

_DURABILITIES = {
    "batch": "batch: written behind the loop; a killed process loses the slice in work",
    "process": "process: each slice of the loop is in a memory-mapped log before the next begins",
    "disk": "disk: fsynced in groups, at most {group_ms:g} ms behind the loop",
}
"""Simulated orders never leave the process: durability is that of the record of what happened."""


def durability(profile: Profile) -> str:
    """Return what a crash would cost, in words."""
    words = _DURABILITIES[profile.run.durability]
    return words.format(group_ms=profile.journal.group_commit_ms)


def data_hash(sources: Sequence[EventSource]) -> str:
    """Return one sha256 hex over the hashes of all sources, in order."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.source_hash.encode())
    return digest.hexdigest()


def _latency(kind: str, ns: int, sigma: float) -> str:
    if kind == "constant":
        return f"constant {ns} ns"
    if kind == "lognormal":
        return f"lognormal, median {ns} ns, sigma {sigma:g}"
    return "recorded: the feed's own latency at that moment"


def _latencies(latency: Latency, source: str) -> dict[str, str]:
    feed = _latency(latency.feed, latency.feed_ns, latency.sigma)
    if latency.feed == "recorded":
        feed = f"recorded: the {_FEEDS[source]}'s own time stamps"
    return {
        "feed": feed,
        "entry": _latency(latency.entry, latency.entry_ns, latency.sigma),
        "response": _latency(latency.response, latency.response_ns, latency.sigma),
    }


def _at_venues(request: RunRequest) -> dict[str, Any]:
    """Return what holds where orders were at real venues: nothing of fills is assumed."""
    return {
        "source": request.source,
        "executor": "venue",
        "seed": request.seed,
        "queue_model": "none: orders stood in the venues' own queues",
        "latency": {"feed": f"the {_FEEDS[request.source]}'s own", "entry": "real"},
        "fees": "as told with each fill (in a third asset, by the account's rates)",
        "market_impact": "real",
        "rates": dict(request.profile.portfolio.rates),
        "durability": durability(request.profile),
        "clocks": request.clocks,
    }


def fidelity(
    request: RunRequest, instruments: Sequence[Instrument], shift_ns: int
) -> dict[str, Any]:
    """Return the assumptions of a run, JSON-safe."""
    profile: Profile = request.profile
    if request.live is not None and request.live.order_task is not None:
        return _at_venues(request)
    queue = _QUEUES[profile.queue.model].format(exponent=profile.queue.exponent)
    return {
        "source": request.source,
        "data_hash": data_hash(request.sources),
        "seed": request.seed,
        "queue_model": queue,
        "latency": _latencies(profile.latency, request.source),
        "feed_shift_ns": shift_ns,
        "fees": {
            i.name: {"maker": i.maker_fee, "taker": i.taker_fee, "currency": i.settlement}
            for i in instruments
        },
        "fills": "in parts, as far as traded or displayed size reaches; no size is used twice"
        if profile.queue.partial_fills
        else "whole orders at a time: optimistic in size",
        "market_impact": "none: our orders do not move the recorded flow",
        "spot_short": "allowed, borrowed at no cost" if profile.risk.spot_short else "not allowed",
        "rates": dict(profile.portfolio.rates),
        "durability": durability(profile),
        **({"clocks": request.clocks} if request.clocks else {}),
    }
