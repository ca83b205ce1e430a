"""The manifest of a run: everything that is needed to repeat it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from kimera_cli import __version__
from kimera_cli.data.source import EventSource
from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.tables import stated
from kimera_cli.instrument import Instrument

_PACKAGES = ("numpy", "numba", "llvmlite", "pyarrow", "duckdb", "msgspec")


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    found = {"kimera": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def host() -> dict[str, Any]:
    """Return what the machine is."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": platform.processor(),
    }


def _recordings(source: EventSource) -> list[dict[str, Any]]:
    """Return hash and files of each recording behind a source; a synthetic market has none."""
    info = getattr(source, "info", None)
    return [] if info is None else [{"hash": s.hash, "files": s.files} for s in info.sources]


def manifest_of(
    request: RunRequest, instruments: Sequence[Instrument], fidelity: dict[str, Any]
) -> dict[str, Any]:
    """Return the manifest as it is when the run starts, JSON-safe."""
    profile = request.profile
    content = {
        "kimera": __version__,
        "command": list(request.command),
        "repeats": request.repeats.run if request.repeats else "",
        "source": request.source,
        "profile_name": request.profile_name,
        "profile": profile,
        "sources": [
            {
                "dataset": source.dataset,
                "source_hash": source.source_hash,
                "rows": source.rows,
                "start_ns": source.start_ns,
                "end_ns": source.end_ns,
                "instrument": instrument,
                "recordings": _recordings(source),
            }
            for source, instrument in zip(request.sources, instruments, strict=True)
        ],
        "strategies": [
            {
                "name": s.spec.name,
                "origin": s.spec.origin,
                "params": s.params,
                "interval_ns": s.spec.interval_ns,
                "source_hash": s.spec.source_hash,
            }
            for s in request.strategies
        ],
        "tables": stated(request.tables),
        "seed": request.seed,
        "duration_ns": request.duration_ns,
        "max_events": request.max_events,
        "currency": profile.portfolio.currency,
        "cash": profile.portfolio.cash,
        "rates": dict(profile.portfolio.rates),
        "fidelity": fidelity,
        "host": request.host or host(),
        "versions": versions(),
    }
    built: dict[str, Any] = msgspec.to_builtins(content)
    return built
