"""What was changed on a host, so that it can be changed back: one file, each line chained.

A line is a JSON object whose `hash` is the SHA-256 of the line before (its hash) and of itself. It
is appended and flushed to the disk *before* the value that it names is written. So after a kill or
a power cut there is never a changed value without its line: at worst a line whose change was not
made, which a look at the value tells. A last line without its newline was never acted upon and is
dropped; any other line that does not follow from the one before is damage, and nothing is reverted
from such a file. The chain has no key: it tells accidents and careless edits, not a forger.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimera_cli.errors import DataError, KimeraError

DEFAULT = "/var/lib/kimera/tune-host.jsonl"
GENESIS = hashlib.sha256(b"kimera tune-host journal 1").hexdigest()
_FIELDS = {"n", "kind", "ts_ns", "hash"}

BEGIN = "begin"
"""An apply starts: profile, boot."""
INTENT = "intent"
"""A value is about to be written: item, path, old, new, boot."""
DONE = "done"
"""What became of the intent `of`: status, found, reason."""
FILE = "file"
"""A settings file is about to be written: item, path, old (null: there was none), new."""
REVERTED = "reverted"
"""The intent or file `of` was taken back, or given up: status, found."""
END = "end"
"""An apply came to its end."""


@dataclass(frozen=True)
class Entry:
    """One line."""

    n: int
    kind: str
    ts_ns: int
    body: dict[str, Any]


@dataclass
class Journal:
    """The journal of a host, held by one process at a time (`with Journal.open(...)`)."""

    path: Path
    now_ns: Callable[[], int]
    entries: list[Entry] = field(default_factory=list)
    _head: str = GENESIS
    _file: int = -1

    @classmethod
    def open(cls, path: Path, now_ns: Callable[[], int]) -> Journal:
        """Open or make the journal for writing, alone.

        Raises DataError `data.host_journal` when it was altered, KimeraError `host.busy` while
        another process has it and `host.journal` when the file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise KimeraError(
                "host.journal",
                f"expected to write the journal {path}, was {error.strerror}",
                "run as root, or give a file of yours with --journal",
                file=str(path),
            ) from error
        journal = cls(path, now_ns, _file=descriptor)
        try:
            journal._take()
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read a journal without locking or changing it; one that does not exist is empty."""
        journal = cls(path, lambda: 0)
        try:
            journal._load(path.read_bytes() if path.exists() else b"")
        except OSError as error:
            raise KimeraError(
                "host.journal",
                f"expected to read the journal {path}, was {error.strerror}",
                "run as root, or name the journal with --journal",
                file=str(path),
            ) from error
        return journal

    def _take(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KimeraError(
                "host.busy",
                f"expected the journal {self.path} to be free, was held by another tune-host",
                "wait until it has ended",
            ) from None
        _check_owner(self.path, os.fstat(self._file))
        whole = self._load(_read_all(self._file))
        os.ftruncate(self._file, whole)
        os.fsync(self._file)
        _sync_folder(self.path.parent)

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, kind: str, **body: Any) -> Entry:
        """Add one line; when this returns it is on the disk."""
        entry = Entry(len(self.entries) + 1, kind, self.now_ns(), body)
        digest = _digest(self._head, entry)
        line = json.dumps({**_plain(entry), "hash": digest}, ensure_ascii=False) + "\n"
        try:
            _write_all(self._file, line.encode())
            os.fsync(self._file)
        except OSError as error:
            raise KimeraError(
                "host.journal",
                f"expected to write the journal {self.path}, was {error.strerror}",
                "nothing further was changed; mend the disk, then: kimera tune-host revert",
                file=str(self.path),
            ) from error
        self.entries.append(entry)
        self._head = digest
        return entry

    def outstanding(self) -> list[Entry]:
        """Return intents and files that may have taken effect and were not taken back, in order."""
        closed = {e.body["of"] for e in self.entries if e.kind == REVERTED}
        for entry in self.entries:
            if entry.kind == DONE and entry.body["status"] in ("denied", "already"):
                closed.add(entry.body["of"])
        return [e for e in self.entries if e.kind in (INTENT, FILE) and e.n not in closed]

    @property
    def complete(self) -> bool:
        """Whether the last apply came to its end."""
        kinds = [e.kind for e in self.entries if e.kind in (BEGIN, END)]
        return not kinds or kinds[-1] == END

    def _load(self, raw: bytes) -> int:
        """Take in all whole lines; return how many bytes they are."""
        whole = raw.rfind(b"\n") + 1
        for number, line in enumerate(raw[:whole].splitlines(), start=1):
            entry, digest = self._parse(line, number)
            if digest != _digest(self._head, entry) or entry.n != number:
                raise self._damaged(number, "a line that follows from the one before", "altered")
            self.entries.append(entry)
            self._head = digest
        return whole

    def _parse(self, line: bytes, number: int) -> tuple[Entry, str]:
        try:
            data = json.loads(line)
            if not isinstance(data, dict) or not data.keys() >= _FIELDS:
                raise ValueError("no entry")
            body = {key: value for key, value in data.items() if key not in _FIELDS}
            return Entry(data["n"], data["kind"], data["ts_ns"], body), data["hash"]
        except ValueError as error:
            raise self._damaged(number, "a JSON entry", "unreadable") from error

    def _damaged(self, number: int, expected: str, was: str) -> DataError:
        return DataError(
            "data.host_journal",
            f"expected {expected} in {self.path}:{number}, was {was}",
            "nothing was reverted: restore the file, or set the `old` values that it names by hand "
            "and move it away",
            file=str(self.path),
            line=number,
        )


def _plain(entry: Entry) -> dict[str, Any]:
    return {"n": entry.n, "kind": entry.kind, "ts_ns": entry.ts_ns, **entry.body}


def _digest(head: str, entry: Entry) -> str:
    text = json.dumps(_plain(entry), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{head}{text}".encode()).hexdigest()


def _check_owner(path: Path, found: os.stat_result) -> None:
    """Refuse a file that another user could have written: root would write what it names."""
    if found.st_uid not in (os.geteuid(), 0) or found.st_mode & 0o022:
        raise DataError(
            "data.host_journal",
            f"expected {path} to be writable by its owner ({os.geteuid()} or root) only, was "
            f"owner {found.st_uid}, mode {found.st_mode & 0o777:o}",
            "check what it says, then: chown root and chmod 644",
            file=str(path),
        )


def _read_all(descriptor: int) -> bytes:
    return b"".join(_blocks(descriptor))


def _blocks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while block := os.pread(descriptor, 1 << 16, at):
        at += len(block)
        yield block


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
