"""The folder of one run: its manifest, its summary and its record files.

`RunFolder.create` makes a new one (private to its owner, manifest status `running`), `finish`
states how the run ended, `RunFolder.open` reads one back by path, id, start of an id, or
`latest`.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
import numpy as np

from kimera_cli.errors import DataError, RunError
from kimera_cli.files import FileInfo, write_atomic, write_error
from kimera_cli.journal.record_file import Rows, damaged, missing, read_parquet
from kimera_cli.records import RunSummary
from kimera_cli.units import NS_PER_S

Status = Literal["running", "complete", "interrupted", "halted", "failed"]
MANIFEST = "manifest.json"
SUMMARY = "summary.json"
RUNS = Path("runs")
"""Where run folders go when no --out is given."""


class RunFolder:
    """One run on the disk; `manifest` is its manifest as written last."""

    def __init__(self, path: Path, manifest: dict[str, Any], *, made: bool = False) -> None:
        self.path = path
        self.manifest = manifest
        self._made = made

    # --- writing ---------------------------------------------------------------------------------
    @classmethod
    def create(
        cls, out: Path | None, manifest: Mapping[str, Any], *, now_ns: int, base: Path = RUNS
    ) -> Self:
        """Make a new folder (0700) and its manifest: `out` itself, or `base/<id>` when None."""
        folder = cls.make(out, manifest, now_ns=now_ns, base=base)
        try:
            folder.begin()
        except BaseException:
            folder.discard()
            raise
        return folder

    @classmethod
    def make(
        cls, out: Path | None, manifest: Mapping[str, Any], *, now_ns: int, base: Path = RUNS
    ) -> Self:
        """Make the folder only; it is that of a run once `begin` has written the manifest.

        The id is the UTC second and a short hash of manifest, time and attempt: two runs that start
        in the same nanosecond get two ids. RunError `run.folder` when `out` holds something or
        cannot be written.
        """
        content = msgspec.json.encode(manifest)
        for attempt in range(1000):
            run = _run_id(content, now_ns, attempt)
            path = out if out is not None else base / run
            made = not os.path.lexists(path)
            if _make(path, named=out is not None):
                break
        else:
            raise RunError("run.folder", f"expected a free name in {base}, was 1000 taken ones")
        stated = {"run": run, "started_ns": now_ns, "ended_ns": None, **manifest}
        return cls(path, stated, made=made)

    def begin(self) -> None:
        """Write the manifest: all else that a running run has must be there by now."""
        self._write_manifest("running")

    def discard(self) -> None:
        """Take back the folder of a run that could not begin; it was new or empty before."""
        for path in self.path.iterdir():
            path.unlink(missing_ok=True)
        if self._made:
            self.path.rmdir()

    def finish(
        self,
        status: Status,
        *,
        ended_ns: int,
        summary: RunSummary | None = None,
        files: Mapping[str, FileInfo] | None = None,
        **facts: Any,
    ) -> None:
        """Write the summary, then the manifest with the final status and further `facts`.

        `files` are what `RunRecorder.close` returned; `journal=` what `Journal.close` returned.
        """
        if summary is not None:
            self.write_summary(summary)
        stated = {name: info._asdict() for name, info in (files or {}).items()}
        self.manifest |= {"ended_ns": ended_ns, "files": stated, **msgspec.to_builtins(facts)}
        self._write_manifest(status)

    def write_summary(self, summary: RunSummary) -> None:
        """Write (again) what the run came to."""
        write_atomic(self.path / SUMMARY, _readable(summary))

    def update(self, **facts: Any) -> None:
        """Add facts to the manifest of a run that goes on (sources, once they are open)."""
        self.manifest |= msgspec.to_builtins(facts)
        self._write_manifest(self.status)

    def _write_manifest(self, status: Status) -> None:
        self.manifest["status"] = status
        write_atomic(self.path / MANIFEST, _readable(self.manifest))

    # --- reading ---------------------------------------------------------------------------------
    @classmethod
    def open(cls, run: str | Path, base: Path = RUNS) -> Self:
        """Read the manifest of a run given by folder, id, unique start of an id, or `latest`."""
        path = find(run, base)
        return cls(path, _read_manifest(path))

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.manifest["run"])

    @property
    def status(self) -> Status:
        """How the run ended; `running` also for one that was killed."""
        status: Status = self.manifest["status"]
        return status

    def summary(self) -> RunSummary:
        """Return the run's summary; DataError when the run did not come to one."""
        path = self.path / SUMMARY
        try:
            return msgspec.json.decode(path.read_bytes(), type=RunSummary)
        except FileNotFoundError:
            raise missing(path) from None
        except (OSError, msgspec.DecodeError) as error:
            raise damaged(path, str(error)) from error

    def fills(self) -> Rows:
        """Return the R_FILL rows, dtype RECORD, seq order."""
        return self._rows("fills.parquet")

    def samples(self) -> Rows:
        """Return the R_SAMPLE rows, dtype RECORD, seq order."""
        return self._rows("samples.parquet")

    def markouts(self) -> Rows:
        """Return the R_MARKOUT rows, dtype RECORD, seq order."""
        return self._rows("markouts.parquet")

    def events(self) -> Rows:
        """Return every row that the loop wrote, dtype RECORD, seq order."""
        return self._rows("events.parquet")

    def _rows(self, name: str) -> Rows:
        path = self.path / name
        rows = read_parquet(path)
        stated = self.manifest.get("files", {}).get(name)
        if stated is not None and stated["rows"] != len(rows):
            raise damaged(path, f"{len(rows)} rows where the manifest has {stated['rows']}")
        if np.any(np.diff(rows["seq"]) <= 0):
            raise damaged(path, "rows out of order")
        return rows


def find(run: str | Path, base: Path = RUNS) -> Path:
    """Return the folder that `run` names: a path, an id or its start under `base`, or `latest`."""
    if (Path(run) / MANIFEST).is_file():
        return Path(run)
    known = sorted(p.parent for p in base.glob(f"*/{MANIFEST}")) if base.is_dir() else []
    if str(run) == "latest" and known:
        return max(known, key=lambda p: (int(_read_manifest(p)["started_ns"]), p.name))
    hits = [p for p in known if p.name.startswith(str(run))]
    if len(hits) == 1:
        return hits[0]
    raise _not_one(str(run), base, hits, known)


def _not_one(run: str, base: Path, hits: list[Path], known: list[Path]) -> DataError:
    if hits:
        names = ", ".join(p.name for p in hits[:5])
        return DataError(
            "data.run_ambiguous",
            f"expected one run whose id starts with {run!r} in {base}, was {len(hits)}: {names}",
            "give more of the id",
        )
    if Path(run).is_dir():
        return DataError(
            "data.run_missing", f"expected a run folder, was {run} without {MANIFEST}", _LOOK
        )
    newest = f"; the newest is {known[-1].name}" if known else ""
    return DataError(
        "data.run_missing",
        f"expected a run folder or id, was {run!r}, not in {base}{newest}",
        _LOOK,
    )


_LOOK = "name a run folder, the start of its id, or latest; kimera run makes one"


def _readable(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _run_id(content: bytes, now_ns: int, attempt: int) -> str:
    second = datetime.fromtimestamp(now_ns // NS_PER_S, UTC)
    digest = hashlib.sha256(b"%d %d " % (now_ns, attempt) + content).hexdigest()
    return f"{second:%Y%m%dT%H%M%SZ}-{digest[:8]}"


def _make(path: Path, *, named: bool) -> bool:
    """Make the folder; False when the name is taken and another may be tried."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not named:
            return False
        refuse_occupied(path)
        if not path.is_dir():
            raise write_error(
                path, NotADirectoryError(errno.ENOTDIR, "a file is in the way")
            ) from None
    except OSError as error:
        raise write_error(path, error) from error
    return True


def refuse_occupied(path: Path) -> None:
    """Raise RunError `run.folder` unless a run may use this folder: it is absent or empty."""
    try:
        free = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    except OSError as error:
        raise write_error(path, error) from error
    if not free:
        raise RunError(
            "run.folder",
            f"expected a new or empty folder for the run, was {path}, which holds something",
            "give another --out; kimera never writes over a run",
        )


def _read_manifest(path: Path) -> dict[str, Any]:
    file = path / MANIFEST
    try:
        manifest: dict[str, Any] = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise _bad_manifest(file, str(error)) from error
    if absent := {"run", "status", "started_ns"} - manifest.keys():
        raise _bad_manifest(file, f"a manifest without {', '.join(sorted(absent))}")
    return manifest


def _bad_manifest(file: Path, what: str) -> DataError:
    return DataError(
        "data.run_manifest",
        f"expected {file} as the run wrote it, was {what}",
        "without its manifest a run cannot be read: restore the file or run again",
        file=str(file),
    )
