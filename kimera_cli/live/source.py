"""A live market in place of a recording, as the engine's request and manifest name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kimera_cli.instrument import Instrument
from kimera_cli.layouts import Events


@dataclass(frozen=True)
class LiveSource:
    """One market of a venue. Nothing of it is known before it comes."""

    instrument: Instrument
    family = "l2"
    source_hash = ""
    rows = 0
    start_ns = 0
    end_ns = 0
    min_latency_ns = None

    @property
    def dataset(self) -> str:
        """`venue/symbol/live`."""
        return f"{self.instrument.name}/live"

    def chunks(self, size: int = 0) -> Iterator[Events]:
        """A live market has no past to be read."""
        raise AssertionError(f"{self.dataset} is not a recording")
