"""One run from start to end: feeds the loop, keeps its records, and says what it came to.

The same session serves demo and replay today; a live source and executor plug into the same two places
(the sources of the request, and the kernel's requests and answers).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.engine import setup
from kimera_cli.engine.feed import Feed, feed_shift_ns
from kimera_cli.engine.fidelity import fidelity
from kimera_cli.engine.manifest import manifest_of
from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.engine.runfolder import RunFolder, Status
from kimera_cli.engine.summary import summarise
from kimera_cli.engine.translate import Translator
from kimera_cli.errors import KimeraError, RunError
from kimera_cli.journal.journal import Journal
from kimera_cli.journal.trades import trade_hash_update
from kimera_cli.kernels.state import (
    BOOK_OVERFLOW,
    CALL_PYTHON,
    DONE,
    FLUSH,
    HEAP_FULL,
    NEED_DATA,
    PAUSED,
    STRATEGY_FAILED,
    TIME_LIMIT,
)
from kimera_cli.records import Record, RunSummary
from kimera_cli.units import NS_PER_S

PACE_NS = NS_PER_S // 50
"""Wall time of one slice when the run keeps pace with a clock."""


class Session:
    """A run in progress; `steps` drives it, `finish` closes it in every case."""

    def __init__(
        self,
        request: RunRequest,
        *,
        now_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        self.request = request
        self._now_ns, self._monotonic_ns, self._sleep = now_ns, monotonic_ns, sleep
        self.arrays, self.instruments = setup.build(request)
        self._python = {
            j: s.spec.python(s.params)
            for j, s in enumerate(request.strategies)
            if s.spec.compiled is None
        }
        latency = request.profile.latency
        shift = feed_shift_ns(request.sources, latency)
        self.fidelity = fidelity(request, self.instruments, shift)
        self._feed = Feed(request.sources, self.arrays, latency, shift)
        self._hash = hashlib.sha256()
        self.translator = Translator([s.spec.name for s in request.strategies], self.instruments)
        self._open_outputs()
        self.loop_ns = 0
        self._wall_start = self._market_start = 0

    def _open_outputs(self) -> None:
        request, profile = self.request, self.request.profile
        started = self._now_ns()
        manifest = manifest_of(request, self.instruments, self.fidelity)
        self.folder = RunFolder.create(
            request.out, manifest, now_ns=started, base=Path(profile.run.out)
        )
        self._journal = Journal.create(
            self.folder.path,
            run=self.folder.run,
            profile=manifest["profile"],
            created_ns=started,
            durability=profile.run.durability,
            monotonic_ns=self._monotonic_ns,
            group_commit_ms=profile.journal.group_commit_ms,
            max_commit_ms=profile.journal.max_commit_ms,
        )
        self._recorder = RunRecorder(self.folder.path)

    @property
    def events(self) -> int:
        """Events that have arrived so far."""
        return int(self.arrays.loop[0]["n_events"])

    def steps(self) -> Iterator[Iterator[Record]]:
        """Run to the end; yield the records of each slice as they come (they need not be read)."""
        status = -1
        while status not in (DONE, TIME_LIMIT):
            started = self._monotonic_ns()
            status = self.arrays.advance()
            self.loop_ns += self._monotonic_ns() - started
            if status in (NEED_DATA, FLUSH, DONE, TIME_LIMIT, PAUSED) or self._nearly_full():
                yield self.translator.records(self._drain())
            self._serve(status)

    def _nearly_full(self) -> bool:
        return int(self.arrays.loop[0]["n_records"]) > len(self.arrays.records) // 4

    def _serve(self, status: int) -> None:
        """Give the loop what it stopped for."""
        loop = self.arrays.loop[0]
        if status == NEED_DATA:
            self._feed.fill(int(loop["stream"]))
            self._watch_kill_file()
            self._keep_pace()
        elif status == CALL_PYTHON:
            s = int(loop["sleeve"])
            code = self._python[int(self.arrays.sleeves[s]["strategy"])].decide(self._view(s))
            if code < 0:
                raise self._strategy_failure(s, code)
        elif status == PAUSED:
            self._sleep(PACE_NS / NS_PER_S)
            self._watch_kill_file()
            self._keep_pace()
        elif status == STRATEGY_FAILED:
            raise self._strategy_failure(int(loop["sleeve"]), int(loop["error"]))
        elif status in (BOOK_OVERFLOW, HEAP_FULL):
            raise self._no_room(status)

    def _view(self, s: int) -> Any:
        return self.arrays.views.view(np.recarray)[s]

    def _strategy_failure(self, s: int, code: int) -> RunError:
        sleeve = self.arrays.sleeves[s]
        spec = self.request.strategies[int(sleeve["strategy"])].spec
        return spec.failure(code, self.instruments[int(sleeve["stream"])].name)

    def _no_room(self, status: int) -> RunError:
        if status == HEAP_FULL:
            return RunError(
                "run.flood",
                "expected fewer answers on their way, was more than the loop holds",
                "a strategy floods the venue: lower risk.max_orders_per_s or risk.max_open_orders",
            )
        name = self.instruments[int(self.arrays.loop[0]["stream"])].name
        return RunError(
            "run.book",
            f"expected the book of {name} to fit, was more levels far from the touch than it holds",
            "give the instrument's real tick when importing: kimera fetch import --tick",
        )

    def _watch_kill_file(self) -> None:
        if self.request.kill_file is not None and self.request.kill_file.exists():
            self.arrays.gate[0]["kill"] = 1

    def _keep_pace(self) -> None:
        """Let the market clock follow the wall clock at the run's speed."""
        speed = self.request.speed
        loop = self.arrays.loop[0]
        if speed <= 0:
            return
        wall = self._monotonic_ns()
        if not self._market_start:
            self._wall_start, self._market_start = wall, int(loop["now_ns"])
            if not self._market_start:
                loop["pause_ns"] = 0
                first = self.arrays.streams["n"].argmax()
                self._market_start = int(self.arrays.buffers[first, 0]["ts_local_ns"])
        loop["pause_ns"] = self._market_start + int((wall - self._wall_start) * speed)

    def _drain(self) -> Any:
        """Take the loop's records into journal, files and hash; return a copy of them."""
        loop = self.arrays.loop[0]
        rows = self.arrays.records[: int(loop["n_records"])].copy()
        loop["n_records"] = 0
        if len(rows):
            self._journal.append(rows)
            self._recorder.write(rows)
            trade_hash_update(self._hash, rows)
        return rows

    def finish(self, status: Status, seconds: float) -> RunSummary | None:
        """Close journal, files and manifest; return the summary (None after a failure)."""
        if status == "failed":
            return self._fail()
        self._drain()
        if int(self.arrays.gate[0]["halted"]) and status == "complete":
            status = "halted"
        end = self._journal.close()
        files = self._recorder.close()
        summary = summarise(self, status, seconds)
        self.folder.finish(
            status, ended_ns=self._now_ns(), summary=summary, files=files, journal=end
        )
        return summary

    def _fail(self) -> None:
        """Keep what the journal holds; drop half-written files; say so in the manifest."""
        try:
            end = self._journal.close()
        except KimeraError:
            end = self._journal.end()
        self._recorder.abort()
        self.folder.finish("failed", ended_ns=self._now_ns(), journal=end)

    @property
    def trade_hash(self) -> str:
        """Sha256 over all fills so far (journal/trades.py)."""
        return self._hash.hexdigest()
