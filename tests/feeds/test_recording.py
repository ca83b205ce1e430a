"""Recordings: what was live comes back event by event, torn or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import numpy as np
import pytest
from model_venues import EPOCH_MS, MODELS, Htx, Kraken, Line, Model
from test_audit import Exchange

from kimera_cli.data.importers import choose, detect
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.errors import DataError, UsageError
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.recorder import Recorder
from kimera_cli.feeds.recording import Header, Part, line_of, parse_line, read_lines
from kimera_cli.feeds.sync import Want
from kimera_cli.feeds.sync_audit import AuditSync
from kimera_cli.feeds.tap import TappedIntake
from kimera_cli.layouts import Events

START = EPOCH_MS * 1_000_000


@dataclass
class Session:
    """A model venue that is recorded while it is read."""

    folder: Path
    make: type[Model]
    suffix: str = ""
    seed: int = 1
    shown: list[Events] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng, self.model = Random(self.seed), self.make(Random(self.seed + 1))
        self.line = Line(self.rng, loss=0.03, repeat=0.03, delay=0.03)
        self.stamps = count(START)
        instrument = self.make.instrument()
        header = Header(
            venue=self.make.venue,
            started_ns=START,
            instruments=(instrument,),
            connections=(Part((0,), ("depth",)),),
        )
        self.path = self.folder / f"session{self.suffix}"
        self.recorder = Recorder(self.path, header)

        def note(ts_ns: int, what: str, content: bytes | memoryview, number: int) -> None:
            self.recorder.note(0, ts_ns, what, content, number)

        def tapped(*args: object) -> Intake:
            return TappedIntake(*args, note=note, now_ns=lambda: next(self.stamps))

        output = FunctionOutput(lambda events, n: self.shown.append(events[:n].copy()))
        numbered = [(0, instrument)]
        self.intake = intake_of(self.make.dialect(), numbered, ("depth",), output, tapped)
        self.book = self.intake.books[0]
        self.connect()

    def connect(self) -> None:
        self.intake.connected()
        self.model.seq = -1 if self.make.venue == "coinbase" else self.model.seq
        self.arrive(self.model.subscribed())

    def arrive(self, frames: list[bytes]) -> None:
        for frame in self.line.send(frames):
            self.intake.take(memoryview(frame), next(self.stamps))

    def play(self, steps: int) -> None:
        """All that may change what is shown: answers, audits, silence, loss of the connection."""
        for _ in range(steps):
            self.arrive(self.model.step())
            chance = self.rng.random()
            if self.book.wants is Want.SNAPSHOT and chance < 0.4:
                self.answer()
            elif self.book.wants is Want.SUBSCRIPTION and chance < 0.4:
                self.arrive(self.model.subscribed())
            elif chance < 0.43:
                self.intake.silence(0, next(self.stamps))
            elif chance < 0.46:
                self.intake.gap(next(self.stamps))
                self.line.late.clear()
                self.connect()
            elif chance < 0.6 and isinstance(self.book, AuditSync):
                self.intake.watch(0)
                self.arrive(self.model.step())
                self.intake.told(0, self.model.answer(), next(self.stamps))
                self.intake.judge(0, next(self.stamps))
            elif chance < 0.6 and self.make is Kraken and self.book.good:
                self.intake.watch(0)
                self.arrive(self.model.subscribed())

    def answer(self) -> None:
        if self.make is Htx:
            self.arrive([self.model.answer()])
        else:
            self.intake.answer(0, self.model.answer(), next(self.stamps))

    def live(self) -> Events:
        return np.concatenate(self.shown)


def read(path: Path) -> Events:
    importer = detect(path)
    assert importer.name == "kimera"
    return np.concatenate([batch.events for batch in importer.read(path, ImportOptions())])


def same(found: Events, live: Events) -> None:
    for name in set(found.dtype.names or ()) - {"aux", "reserved"}:
        np.testing.assert_array_equal(found[name], live[name], err_msg=name)


ALL = [*MODELS, Exchange]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("make", ALL, ids=lambda make: make.venue)
def test_an_import_has_the_events_that_were_live(
    tmp_path: Path, make: type[Model], suffix: str
) -> None:
    session = Session(tmp_path, make, suffix)
    session.play(150)
    assert not session.path.exists()
    session.recorder.close(next(session.stamps))
    assert not session.recorder.part.exists()
    found = read(session.path)
    same(found, session.live())
    assert (np.diff(found["aux"]) >= 0).all()
    assert session.book.counts.synced > 3


def test_each_event_names_its_line(tmp_path: Path) -> None:
    session = Session(tmp_path, ALL[2])
    session.play(50)
    session.recorder.close(next(session.stamps))
    lines = session.path.read_bytes().split(b"\n")
    for event in read(session.path)[::10]:
        stamp = lines[event["aux"] - 1].split(b" ")[0]
        assert int(stamp) == event["ts_local_ns"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_killed_recorder_leaves_all_that_was_flushed(tmp_path: Path, suffix: str) -> None:
    session = Session(tmp_path, ALL[0], suffix)
    session.play(60)
    session.recorder.flush()
    flushed = len(session.live())
    size = session.recorder.part.stat().st_size
    session.play(60)
    assert session.recorder.part.stat().st_size == size, "these are held still"
    found = read(session.recorder.part)
    same(found, session.live()[:flushed])


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_a_file_that_is_torn_anywhere_is_read_up_to_there(tmp_path: Path, suffix: str) -> None:
    session = Session(tmp_path, ALL[0], suffix)
    for _ in range(10):
        session.play(6)
        session.recorder.flush()
    session.recorder.close(next(session.stamps))
    whole, live = session.path.read_bytes(), session.live()
    torn, before = tmp_path / f"torn{suffix}", 0
    begin = 200 if suffix else whole.index(b"\n") + 1
    for end in range(begin + 100, len(whole), max(1, len(whole) // 40)):
        torn.write_bytes(whole[:end])
        parts = [b.events for b in choose(torn, "kimera").read(torn, ImportOptions())]
        n = sum(map(len, parts))
        assert n >= before
        before = n
        if n:
            same(np.concatenate(parts), live[:n])
    assert before > 0.8 * len(live)


def test_what_is_no_line_of_text_is_kept_byte_for_byte() -> None:
    for content in (b"a b  c", b"a\nb", b"\x1f\x8b\n\r", b"", "é".encode(), b"x\r", b" x "):
        line = line_of(17, 2, "text", content)
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        parsed = parse_line(Path("f"), 9, line[:-1])
        assert parsed == (9, 17, 2, "text", -1, content)
    assert parse_line(Path("f"), 9, line_of(17, 0, "book", b'{"x":1}', 3)[:-1]) == (
        *(9, 17, 0, "book", 3),
        b'{"x":1}',
    )
    assert line_of(17, 0, "silent", b"", 3) == b"17 0 silent 3\n"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"x 0 text {}", "line 3"),
        (b"5 0 nonsense {}", "line 3"),
        (b"5 0 text64 {}", "line 3"),
        (b"5 9 text {}", "line 3"),
        (b"5 0 book 7 {}", "line 3"),
        (b"5 0 book x {}", "line 3"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: bytes, what: str) -> None:
    session = Session(tmp_path, ALL[0])
    session.recorder.close(START)
    lines = session.path.read_bytes().split(b"\n")
    bad = tmp_path / "bad"
    bad.write_bytes(b"\n".join([*lines[:2], line, b""]))
    with pytest.raises(DataError, match=what):
        read_all(bad)


def read_all(path: Path) -> int:
    return sum(len(b.events) for b in choose(path, "kimera").read(path, ImportOptions()))


@pytest.mark.parametrize("change", [(b'"version":1', b'"version":9'), (b'"venue"', b'"vanue"')])
def test_a_header_of_another_kind_is_named(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    session = Session(tmp_path, ALL[0])
    session.recorder.close(START)
    session.path.write_bytes(session.path.read_bytes().replace(*change))
    with pytest.raises(DataError, match="line 1"):
        read_all(session.path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    session = Session(tmp_path, ALL[0])
    with pytest.raises(UsageError, match=r"session\.part"):
        Session(tmp_path, ALL[0])
    session.recorder.close(START)
    with pytest.raises(UsageError, match="session"):
        Session(tmp_path, ALL[0])


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    session = Session(tmp_path, ALL[0])
    session.recorder._stream.close()
    session.recorder._stream = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    session.play(3)
    with pytest.raises(DataError, match="No space left"):
        session.recorder.flush()


def test_a_frame_that_cannot_be_read_is_in_the_recording(tmp_path: Path) -> None:
    """The feed drops the connection for it; the recording keeps what came."""
    session = Session(tmp_path, ALL[0])
    session.play(20)
    with pytest.raises(Exception, match="expected"):
        session.intake.take(b'{"stream":5', next(session.stamps))
    session.intake.gap(next(session.stamps))
    session.connect()
    session.play(20)
    session.recorder.close(next(session.stamps))
    same(read(session.path), session.live())
    assert any(line.endswith(b'text {"stream":5') for _, line in read_lines(session.path))
