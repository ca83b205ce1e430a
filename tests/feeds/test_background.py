"""Recording behind a feed: the same bytes as in front of it, and a full disk is no end of a run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from test_recording import ALL, START, Session, read, same

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.feeds import background
from kimera_cli.feeds.background import BackgroundRecorder
from kimera_cli.feeds.recording import Header, Part
from kimera_cli.feeds.tap import TappedIntake
from kimera_cli.live.run_recording import RunRecording

LINES = [(k, b'{"n":%d}' % k) for k in range(500)]


def header() -> Header:
    make = ALL[0]
    return Header(
        venue=make.venue,
        started_ns=START,
        instruments=(make.instrument(),),
        connections=(Part((0,), ("depth",)),),
    )


def test_a_session_recorded_behind_the_feed_is_read_back_event_by_event(tmp_path: Path) -> None:
    session = Session(tmp_path, ALL[0])
    kept = BackgroundRecorder(tmp_path / "behind.zst", header())
    front, taken = session.recorder.note, session.recorder

    def note(*line: object) -> None:
        front(*line)  # type: ignore[arg-type]
        assert kept.note(*line) is None  # type: ignore[arg-type]

    taken.note = note  # type: ignore[method-assign,assignment]
    session.play(150)
    end = next(session.stamps)
    session.recorder.close(end)
    assert kept.close(end) is None
    assert kept.is_whole
    same(read(kept.path), read(session.path))
    assert kept.counts.messages > 100


def test_what_began_before_the_first_connection_is_read_back_too(tmp_path: Path) -> None:
    """The marks of a feed that begins: a replay of a run has them where the run had them."""
    session = Session(tmp_path, ALL[0])
    assert isinstance(session.intake, TappedIntake)
    before = len(session.shown)
    session.intake.begin(next(session.stamps))
    assert len(session.shown) == before + 1
    session.play(30)
    session.recorder.close(next(session.stamps))
    same(read(session.path), session.live())


def test_a_full_disk_is_told_once_and_ends_the_recording_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "EVERY_S", 0.0)
    kept = BackgroundRecorder(tmp_path / "full.zst", header())
    kept._recorder._stream.close()
    kept._recorder._stream = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    told: list[KimeraError] = []
    for k, text in LINES:
        if (error := kept.note(0, START + k, "text", text, -1)) is not None:
            told.append(error)
        kept._thread.join(0.001)  # let it write
    if (error := kept.close(START)) is not None:
        told.append(error)
    (error,) = told
    assert error.code == "data.write"
    assert "No space left" in error.message
    assert "--partial" in error.hint
    assert not kept.is_whole
    assert not kept.path.exists()


def test_a_disk_that_falls_behind_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "EVERY_S", 60.0)
    monkeypatch.setattr(background, "MOST_WAITING", 5_000)
    kept = BackgroundRecorder(tmp_path / "slow.zst", header())
    told = [kept.note(0, START + k, "text", text, -1) for k, text in LINES]
    errors = [error for error in told if error is not None]
    assert [error.code for error in errors] == ["data.recording_slow"]
    assert kept.close(START) is None
    assert not kept.path.exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    BackgroundRecorder(tmp_path / "one.zst", header()).close(START)
    with pytest.raises(UsageError):
        BackgroundRecorder(tmp_path / "one.zst", header())


def feed(*venues: tuple[str, tuple[int, ...]]) -> SimpleNamespace:
    """Return what a recording asks of a feed: connections of venues, by instruments' numbers."""
    connections = [
        SimpleNamespace(
            intake=SimpleNamespace(
                reader=SimpleNamespace(numbers=numbers, dialect=SimpleNamespace(venue=venue))
            ),
            kinds=("depth",),
        )
        for venue, numbers in venues
    ]
    most = max(n for _, numbers in venues for n in numbers)
    return SimpleNamespace(connections=connections, instruments=[ALL[0].instrument()] * (most + 1))


def test_each_venue_has_a_file_with_numbers_of_its_own(
    tmp_path: Path,
) -> None:
    report: list[KimeraError] = []
    kept = RunRecording(report.append)
    three = feed(("binance", (0, 1)), ("okx", (2,)), ("okx", (3,)))
    kept.note(0, START, "text", b"before it is open", -1)
    kept.open(tmp_path / "recording", three, START)  # type: ignore[arg-type]
    kept.note(1, START + 1, "book", b"[1]", 2)
    kept.note(2, START + 2, "book", b"[2]", 3)
    kept.note(0, START + 3, "text", b"[3]", -1)
    files = kept.close(START + 4)["recording"]
    assert files.keys() == {"binance.zst", "okx.zst"}
    assert all(each["whole"] for each in files.values())
    assert lines(tmp_path / "recording" / "okx.zst") == [
        f"{START + 1} 0 book 0 [1]".encode(),
        f"{START + 2} 1 book 1 [2]".encode(),
        f"{START + 4} 0 end".encode(),
    ]
    assert lines(tmp_path / "recording" / "binance.zst")[0] == f"{START + 3} 0 text [3]".encode()
    assert not report


def lines(path: Path) -> list[bytes]:
    from kimera_cli.feeds.recording import read_lines

    return [line for _, line in read_lines(path)][1:]


def test_a_folder_that_cannot_be_made_is_told_before_anything_trades(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KimeraError, match="file/recording"):
        RunRecording(lambda _: None).open(
            tmp_path / "file" / "recording",
            feed(("okx", (0,))),  # type: ignore[arg-type]
            START,
        )


def test_a_run_that_keeps_nothing_tells_of_nothing() -> None:
    assert RunRecording(lambda _: None).close(START) == {}
