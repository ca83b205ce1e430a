"""Writes the loop's records into the Parquet files of a run folder while the run goes on."""

from __future__ import annotations

from pathlib import Path

from kimera_cli.files import FileInfo
from kimera_cli.journal.record_file import RecordParquet, Rows
from kimera_cli.layouts import R_FILL, R_MARKOUT, R_SAMPLE

FILES = {"fills.parquet": R_FILL, "samples.parquet": R_SAMPLE, "markouts.parquet": R_MARKOUT}
"""File name -> the one kind of record that it holds; events.parquet holds all."""


class RunRecorder:
    """Routes RECORD rows by kind. `close` names the files, `abort` leaves nothing."""

    def __init__(self, folder: Path) -> None:
        self._opened: list[RecordParquet] = []
        try:
            self._all = self._open(folder / "events.parquet")
            self._by_kind = {kind: self._open(folder / name) for name, kind in FILES.items()}
        except BaseException:
            self.abort()
            raise

    def write(self, rows: Rows) -> None:
        """Take the next rows, in seq order."""
        self._all.write(rows)
        for kind, file in self._by_kind.items():
            file.write(rows[rows["kind"] == kind])

    def close(self) -> dict[str, FileInfo]:
        """Finish all files and return what the manifest says of them; an error leaves none."""
        try:
            return {file.path.name: file.close() for file in self._opened}
        except BaseException:
            self.abort()
            for file in self._opened:
                file.path.unlink(missing_ok=True)
            raise

    def abort(self) -> None:
        """Drop the files of a run that failed; its journal keeps the records."""
        for file in self._opened:
            file.abort()

    def _open(self, path: Path) -> RecordParquet:
        self._opened.append(file := RecordParquet(path))
        return file
