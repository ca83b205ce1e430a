"""One run from start to end: feeds the loop, keeps its records, and says what it came to.

The same session serves demo and replay; a live source and executor plug into the same two places
(the sources of the request, and the kernel's requests and answers).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kimera_cli.engine import setup
from kimera_cli.engine.arrivals import AWAY, JOINED, LEFT_OUT
from kimera_cli.engine.failure import no_room, raised
from kimera_cli.engine.feed import feed_shift_ns
from kimera_cli.engine.fidelity import fidelity
from kimera_cli.engine.intake import Around, open_intake
from kimera_cli.engine.live import RECORDING
from kimera_cli.engine.manifest import manifest_of
from kimera_cli.engine.order_process import JournalTerms
from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.runfolder import RunFolder, Status
from kimera_cli.engine.shape import open_shape
from kimera_cli.engine.stage_times import FILE as STAGES_FILE
from kimera_cli.engine.stage_times import StageTimes
from kimera_cli.engine.summary import Marks, summarise
from kimera_cli.engine.tables import Tables
from kimera_cli.engine.wall_clocks import WallClocks
from kimera_cli.errors import KimeraError, RunError
from kimera_cli.journal.decode import Decoder, denial_code
from kimera_cli.journal.denials import DenialFold
from kimera_cli.kernels.state import (
    BOOK_OVERFLOW,
    CALL_PYTHON,
    DONE,
    EXECUTOR_VENUE,
    HEAP_FULL,
    KILL_ALL,
    KILL_RISK,
    NEED_DATA,
    PAUSED,
    PHASE_WAKE,
    SEND,
    STRATEGY_FAILED,
    TIME_LIMIT,
)
from kimera_cli.layouts import DENIALS
from kimera_cli.records import Notice, Record, RunSummary

_KILL = DENIALS.index("kill_switch")
ENDED = (DONE, TIME_LIMIT)
NEWS = (AWAY, JOINED, LEFT_OUT)
LOOK_NS = 1_000_000
"""Time between two looks at the kill switch; one takes some microseconds."""


class Session:
    """A run in progress: `open` makes its folder, `steps` drives it, `finish` or `fail` ends it.

    Whatever is wrong with the request or with the first events of a source is found before there is
    a folder.
    """

    def __init__(
        self,
        request: RunRequest,
        *,
        now_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
        sleep: Callable[[float], None],
    ) -> None:
        self.request = request
        self._now_ns, self._monotonic_ns = now_ns, monotonic_ns
        self._shape = open_shape(request, WallClocks(now_ns, monotonic_ns))
        try:
            self._build(sleep)
        except BaseException:
            self._shape.close()
            raise

    def _build(self, sleep: Callable[[float], None]) -> None:
        request, monotonic_ns = self.request, self._monotonic_ns
        self.arrays, self.instruments = setup.build(request, self._shape.zeros)
        self._stages = StageTimes(self.arrays.stages, request.profile.run.stages, monotonic_ns)
        self._python = {
            j: s.spec.python(s.params)
            for j, s in enumerate(request.strategies)
            if s.spec.compiled is None
        }
        self._tables = Tables(
            request.tables,
            self.arrays,
            [source.dataset for source in request.sources],
            [each.spec.name for each in request.strategies],
        )
        shift = feed_shift_ns(request.sources, request.profile.latency)
        self.fidelity = fidelity(request, self.instruments, shift)
        self._intake = open_intake(
            request,
            self._shape,
            self.arrays,
            shift,
            Around(self._now_ns, monotonic_ns, sleep, self._stages.arrived),
        )
        self.decoder = Decoder([s.spec.name for s in request.strategies], self.instruments)
        self.marks = Marks(len(self.instruments))
        self._denials = DenialFold() if request.live is not None else None
        self.start_ns = self.loop_ns = self._next_look_ns = 0
        self._begun = False
        self.news: list[KimeraError] = []
        """Of venues that are away or have joined; whoever tells a person takes them."""
        self.feed: dict[str, Any] = {}
        """What became of the events of a feed that did not wait."""

    def open(self) -> None:
        """Make the run's folder with journal and files; an error leaves none of it.

        The manifest comes last: where there is one, there is a journal that opens.
        """
        profile, started = self.request.profile, self._now_ns()
        manifest = manifest_of(self.request, self.instruments, self.fidelity)
        manifest["shape"] = {"name": self._shape.name, "preparation": self.preparation}
        self.folder = RunFolder.make(
            self.request.out, manifest, now_ns=started, base=Path(profile.run.out)
        )
        try:
            self._writer = self._shape.writer(
                JournalTerms(
                    self.folder.path,
                    run=self.folder.run,
                    profile=manifest["profile"],
                    created_ns=started,
                    durability=profile.run.durability,
                    group_commit_ms=profile.journal.group_commit_ms,
                    max_commit_ms=profile.journal.max_commit_ms,
                )
            )
            self.folder.begin()
        except BaseException:
            self.folder.discard()
            self._shape.close()
            raise
        if self.request.live is not None and self.request.live.record:
            self._shape.keep(self.folder.path.absolute() / RECORDING)

    @property
    def preparation(self) -> list[dict[str, Any]]:
        """What was done to this process before the run, step by step, as records say it."""
        built: list[dict[str, Any]] = msgspec.to_builtins(self._shape.preparation)
        return built

    @property
    def denied(self) -> list[str]:
        """What the host denied of it, a line each."""
        return self._shape.denied

    @property
    def events(self) -> int:
        """Events that have arrived so far."""
        return int(self.arrays.loop[0]["n_events"])

    @property
    def market_ns(self) -> int:
        """Market time that has passed so far."""
        return max(0, int(self.arrays.loop[0]["now_ns"]) - self.start_ns)

    @property
    def halted_by(self) -> str:
        """The limit that halted the run, such as `risk.drawdown`; empty while none did."""
        gate = self.arrays.gate[0]
        code = int(gate["halted"]) or (_KILL if gate["kill"] else 0)
        return denial_code(code) if code else ""

    def steps(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Iterator[Record]]:
        """Run to the end; yield the records of each slice as they come (they need not be read).

        When `stop` says so the run ends at its next moment, cleanly: with a last sample.
        """
        status = -1
        if not self._begun:
            self.start_ns, self._begun = self._intake.begin(), True
        while status not in ENDED or not self._intake.may_end():
            if stop():
                self.stop()
            status = self._advance()
            if status != CALL_PYTHON or self._nearly_full():
                yield self.decoder.records(self._drain())
            self._serve(status)
            if notices := self._intake.notices():
                self.news += [each for each in notices if each.code in NEWS]
                yield iter(self._told(notices))
        yield self._tables.records()
        yield self._stages.records(self.folder.run)

    def _told(self, notices: list[KimeraError]) -> list[Record]:
        now = self._now_ns()
        return [
            Notice(ts_ns=now, code=n.code, message=n.message, details=n.details) for n in notices
        ]

    def stop(self) -> None:
        """Let the loop end at its next moment."""
        self._intake.end()

    def _advance(self) -> int:
        loop = self.arrays.loop[0]
        started = self._monotonic_ns()
        try:
            return self.arrays.advance()
        except Exception as error:
            if int(loop["phase"]) != PHASE_WAKE:
                raise
            spec, instrument = self._sleeve(int(loop["sleeve"]))
            raise raised(spec, instrument, error) from error
        finally:
            self.loop_ns += self._monotonic_ns() - started

    def _nearly_full(self) -> bool:
        return int(self.arrays.loop[0]["n_records"]) > len(self.arrays.records) // 4

    def _serve(self, status: int) -> None:
        """Give the loop what it stopped for."""
        loop = self.arrays.loop[0]
        if status == NEED_DATA:
            self._intake.fill(int(loop["stream"]))
            self._look_around()
        elif status == PAUSED:
            self._intake.wait()
            self._look_around()
        elif status == SEND:
            self._intake.send()
        elif status == CALL_PYTHON:
            s = int(loop["sleeve"])
            strategy = self._python[int(self.arrays.sleeves[s]["strategy"])]
            if (code := strategy.decide(self.arrays.views.view(np.recarray)[s])) < 0:
                raise self._refused(s, code)
        elif status == STRATEGY_FAILED:
            raise self._refused(int(loop["sleeve"]), int(loop["error"]))
        elif status in (BOOK_OVERFLOW, HEAP_FULL):
            raise no_room(status, self.instruments[int(loop["stream"])].name)

    def _sleeve(self, s: int) -> tuple[Any, str]:
        """Return strategy and instrument name of a sleeve."""
        sleeve = self.arrays.sleeves[s]
        spec = self.request.strategies[int(sleeve["strategy"])].spec
        return spec, self.instruments[int(sleeve["stream"])].name

    def _refused(self, s: int, code: int) -> RunError:
        spec, instrument = self._sleeve(s)
        failure: RunError = spec.failure(code, instrument)
        return failure

    def _look_around(self) -> None:
        """Between slices: obey the kill switch, follow the clock."""
        self._intake.look()
        now = self._monotonic_ns()
        if now < self._next_look_ns:
            return
        self._next_look_ns = now + LOOK_NS
        if self.request.kill_file is not None and self.request.kill_file.exists():
            outside = self.arrays.loop[0]["executor"] == EXECUTOR_VENUE
            self.arrays.gate[0]["kill"] = KILL_ALL if outside else KILL_RISK
        self._stages.refresh()

    def _drain(self) -> Any:
        """Take the loop's records into journal, files and hash; return a copy of them."""
        loop = self.arrays.loop[0]
        rows = self.arrays.records[: int(loop["n_records"])].copy()
        loop["n_records"] = 0
        self._tables.look_back()
        if self._denials is not None:
            rows = self._denials.take(rows)
        if len(rows):
            self.marks.update(rows)
            self._writer.write(rows)
        return rows

    def _drain_all(self) -> None:
        """Take the last records, and those that stand for what was folded."""
        self._drain()
        if self._denials is not None:
            self._writer.write(self._denials.rest(int(self.arrays.loop[0]["seq"])))

    def finish(self, status: Status, seconds: float) -> RunSummary:
        """Close journal, files and manifest; return the summary. `fail` if this raises."""
        if status == "interrupted" and not self._python:  # a hanging class is not called again
            self.stop()
            for _ in self.steps():
                pass
        self._drain_all()
        self.feed = self._intake.finish()
        if status == "complete" and self.halted_by:
            status = "halted"
        written = self._writer.close()
        self._shape.close()
        summary = summarise(self, status, seconds, written.trade_hash)
        ended_ns = self._now_ns()
        self._stages.write(
            self.folder.path / STAGES_FILE, self.folder.manifest["started_ns"], ended_ns
        )
        self.folder.finish(
            status,
            ended_ns=ended_ns,
            summary=summary,
            files=written.files,
            journal=written.journal,
            stages=list(self._stages.records(self.folder.run)),
        )
        return summary

    def fail(self, error: BaseException) -> None:
        """Keep what the journal holds, drop half-written files, say why in the manifest.

        Best effort: what is wrong (a full disk) may also be in the way of saying so.
        """
        end = None
        with contextlib.suppress(KimeraError):
            self._drain_all()
        with contextlib.suppress(KimeraError):  # a process of the run may be gone
            end = self._writer.abort()
        self._shape.close()
        told = {"code": getattr(error, "code", "internal"), "message": str(error)}
        with contextlib.suppress(KimeraError):
            self.folder.finish("failed", ended_ns=self._now_ns(), journal=end, error=told)
