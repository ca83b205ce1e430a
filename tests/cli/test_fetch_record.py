"""`kimera fetch record` from the outside, against `kimera venue serve` in another process."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving import VENUES, Serving

from kimera_cli.feeds.recorder import Recorder
from kimera_cli.feeds.recording import Header
from kimera_cli.live import record as recording

if TYPE_CHECKING:
    from tests.conftest import Kimera, Program

WHOLE = {"binance": b" book 0 ", "htx": b" 0 text64 "}
"""What a recording has once there is a book."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    serving = Serving(tmp_path_factory.mktemp("server"), rate="50")
    yield serving.file
    serving.stop()


def test_every_venue_is_recorded_and_imported_whole(kimera: Kimera, server: Path) -> None:
    """All at once; an import has every event that came live."""
    running = {}
    for venue, symbol in VENUES.items():
        running[venue] = kimera.start(
            *("fetch", "record", venue, symbol, "--for", "10m", "--out", f"{venue}.rec"),
            *("--server", server, "--format", "jsonl"),
        )
    told: dict[str, Any] = {}
    for venue, process in running.items():
        begun = WHOLE.get(venue, b"snapshot")
        _wait_for(process, kimera.folder / f"{venue}.rec.part", begun, lines=150)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (venue, err)
        told[venue], end = (json.loads(line) for line in out.splitlines())
        assert end["status"] == "ok"
    files = [f"{venue}.rec" for venue in VENUES]
    done = kimera("fetch", "import", *files, "--format", "jsonl")
    imported = done.records("imported")
    assert len(imported) == len(VENUES), done.err
    for venue, record in zip(VENUES, imported, strict=True):
        assert record["format"] == "kimera"
        assert record["dataset"].startswith(f"{venue}/")
        assert record["rows"] == told[venue]["events"] > 10
        assert told[venue]["synced"] >= 1, venue
        assert told[venue]["symbols"] == [record["dataset"].split("/")[1]]
        stored = (kimera.folder / f"{venue}.rec").stat().st_size
        assert stored == told[venue]["stored_bytes"] > told[venue]["bytes"]
    for venue in ("binance", "kraken"):
        (name,) = (r["dataset"] for r in imported if r["dataset"].startswith(f"{venue}/"))
        checks = kimera("fetch", "check", name, "--format", "jsonl").records("check")
        bad = {each["check"] for each in checks if not each["ok"]}
        assert bad <= {"trade_ids"}, "the server numbers the trades of all its markets in one"


def test_a_stopped_recording_is_whole(kimera: Kimera, server: Path) -> None:
    process = kimera.start(
        *("fetch", "record", "okx", "BTC-USDT", "--out", "stopped", "--server", server),
        *("--format", "jsonl"),
    )
    _wait_for(process, kimera.folder / "stopped.part", b"snapshot")
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    told = json.loads(out.splitlines()[0])
    assert told["events"] > 0
    assert (told["synced"], told["lost"]) == (1, 0)  # that it ended is no loss
    assert (kimera.folder / "stopped").read_bytes().endswith(b" 0 end\n")
    assert not (kimera.folder / "stopped.part").exists()


@pytest.mark.parametrize("when", ["open", "close"])
def test_a_recording_stopped_as_its_file_begins_or_ends_is_whole(
    program: Program, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Ctrl-C the moment there is a file, and once more as it gets its name."""

    class Interrupted(Recorder):
        def __init__(self, path: Path, header: Header) -> None:
            super().__init__(path, header)
            signal.raise_signal(signal.SIGINT)

        def close(self, ts_ns: int) -> None:
            if when == "close":
                signal.raise_signal(signal.SIGINT)
            super().close(ts_ns)

    monkeypatch.setattr(recording, "Recorder", Interrupted)
    path = tmp_path / "brief"
    done = program(
        *("fetch", "record", "okx", "BTC-USDT", "--out", path, "--server", server),
        *("--format", "jsonl"),
    )
    assert done.code == 0, done.err
    assert json.loads(done.out.splitlines()[0])["lost"] == 0
    assert path.read_bytes().endswith(b" 0 end\n")
    assert not path.with_name("brief.part").exists()


def test_a_killed_recording_can_be_imported(kimera: Kimera, server: Path) -> None:
    process = kimera.start(
        *("fetch", "record", "okx", "BTC-USDT", "--out", "killed", "--server", server),
    )
    _wait_for(process, kimera.folder / "killed.part", b"snapshot")
    process.kill()
    process.wait()
    (record,) = kimera("fetch", "import", "killed.part", "--format", "jsonl").records("imported")
    assert record["rows"] > 2


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("binanse", "BTCUSDT"), 2, "binance"),
        (("binance", "BTCUSD"), 2, "BTCUSDT"),
        (("binance", "BTCUSDT", "--kinds", "depth,trades"), 2, "trade"),
        (("binance", "BTCUSDT", "--for", "soon"), 2, "soon"),
    ],
)
def test_what_cannot_be_recorded_is_told_before_anything_is_written(
    kimera: Kimera, server: Path, args: tuple[str, ...], code: int, word: str
) -> None:
    done = kimera("fetch", "record", *args, "--out", "none", "--server", server)
    assert done.code == code, done.err
    assert word in done.err
    assert "Traceback" not in done.err
    assert not list(kimera.folder.glob("none*"))


def test_a_file_that_is_there_is_left_alone(kimera: Kimera, server: Path) -> None:
    (kimera.folder / "mine").write_text("precious")
    done = kimera(
        *("fetch", "record", "okx", "BTC-USDT", "--for", "1s", "--out", "mine"),
        *("--server", server),
    )
    assert done.code == 2
    assert "no file at mine" in done.err
    assert (kimera.folder / "mine").read_text() == "precious"


def test_a_recording_ends_by_itself_and_may_be_packed(kimera: Kimera, server: Path) -> None:
    done = kimera(
        *("fetch", "record", "okx", "BTC-USDT", "--for", "10ms", "--out", "short.gz"),
        *("--server", server, "--format", "jsonl"),
    )
    assert done.code == 0, done.err
    text = gzip.decompress((kimera.folder / "short.gz").read_bytes())
    assert text.startswith(b'{"recording":"kimera"')
    assert text.endswith(b" 0 end\n")


def _wait_for(process: subprocess.Popen[bytes], path: Path, text: bytes, lines: int = 0) -> None:
    """Wait until a recording has a text, and so many lines."""
    seen = b""
    while text not in seen or seen.count(b"\n") < lines:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
        seen = path.read_bytes() if path.exists() else b""
