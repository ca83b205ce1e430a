"""Writing a recording: a file that can be read at every moment, and has its name once it is whole.

What was received goes to FILE.part, compressed where the name ends in .gz or .zst, and is handed to
the operating system at least once a second: a killed recorder loses no more. When it ends as it
should, the file gets its own name.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from kimera_cli.errors import DataError, UsageError
from kimera_cli.feeds.reader import Payload
from kimera_cli.feeds.recording import Header, header_line, line_of

HELD = 1 << 20
"""Bytes that are held at most before they are written."""


class _Packer(Protocol):
    def pack(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...

    def end(self) -> bytes: ...


class _Plain:
    def pack(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""

    end = flush


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(6, zlib.DEFLATED, 31)

    def pack(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        return self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._stream.flush()


class _Zstd:
    def __init__(self) -> None:
        import zstandard

        self._block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        self._stream = zstandard.ZstdCompressor(level=6).compressobj()

    def pack(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        return self._stream.flush(self._block)

    def end(self) -> bytes:
        return self._stream.flush()


_PACKERS: dict[str, Callable[[], _Packer]] = {".gz": _Gzip, ".zst": _Zstd}


@dataclass
class Recorded:
    """What was written so far."""

    messages: int = 0
    answers: int = 0
    bytes: int = 0
    """Of messages and answers, as received."""

    def take(self, what: str, size: int) -> None:
        """Count one line whose content has this many bytes."""
        self.messages += what == "text"
        self.answers += what in ("book", "told")
        self.bytes += size


class Recorder:
    """Writes one recording. DataError `data.write` when it cannot be written."""

    def __init__(self, path: Path, header: Header) -> None:
        if not path.name or path.is_dir():
            raise UsageError(
                "usage.output",
                f"expected a file, was the folder {path}",
                f"--out {path}/NAME.txt.zst",
            )
        self.path, self.part = path, path.with_name(path.name + ".part")
        self.counts = Recorded()
        for each in (self.path, self.part):
            if each.exists():
                raise UsageError(
                    "usage.output",
                    f"expected no file at {each}, was one",
                    "name another with --out; what is there can be imported: "
                    f"kimera fetch import {each}",
                    file=str(each),
                )
        self._packer: _Packer = _PACKERS.get(path.suffix, _Plain)()
        self._held = bytearray(header_line(header))
        self._stream: IO[bytes] = self._opened()
        self.flush()

    def note(
        self, connection: int, ts_ns: int, what: str, content: Payload, instrument: int
    ) -> None:
        """Write one line, soon."""
        self.counts.take(what, len(content))
        self.add(line_of(ts_ns, connection, what, content, instrument))

    def add(self, lines: bytes) -> None:
        """Write whole lines, soon."""
        self._held += lines
        if len(self._held) >= HELD:
            self._write(self._packer.pack(bytes(self._held)))
            self._held.clear()

    def flush(self) -> None:
        """Hand all there is to the operating system."""
        if self._held:
            data = self._packer.pack(bytes(self._held)) + self._packer.flush()
            self._held.clear()
            self._write(data)

    def close(self, ts_ns: int) -> None:
        """End the recording as it should, and give the file its name."""
        self._held += line_of(ts_ns, 0, "end")
        self._write(self._packer.pack(bytes(self._held)) + self._packer.end())
        self._held.clear()
        try:
            os.fsync(self._stream.fileno())
            self._stream.close()
            self.part.replace(self.path)
        except OSError as error:
            raise self._unwritten(error) from None

    def abandon(self) -> None:
        """Leave FILE.part as it is, with all that came."""
        self.flush()
        self._stream.close()

    def _opened(self) -> IO[bytes]:
        try:
            return self.part.open("xb", buffering=0)
        except OSError as error:
            raise self._unwritten(error) from None

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._stream.write(view) :]
        except OSError as error:
            raise self._unwritten(error) from None

    def _unwritten(self, error: OSError) -> DataError:
        return DataError(
            "data.write",
            f"expected to write {self.part}, was {error.strerror or error}",
            "free the space or name another file; what was written before is readable",
            file=str(self.part),
        )
