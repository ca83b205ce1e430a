"""Two saved results side by side: what changed, and whether the machine's noise explains it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kimera_cli.errors import DataError, RunError
from kimera_cli.files import write_atomic
from kimera_cli.records import Bench, BenchChange, End

from .stats import NOISE_FLOOR, ratio, verdict


def save(path: Path, rows: Iterable[Bench]) -> None:
    """Write records as JSON lines; the file appears whole or not at all."""
    encoder = msgspec.json.Encoder()
    try:
        write_atomic(path, b"".join(encoder.encode(row) + b"\n" for row in rows))
    except RunError as error:
        raise RunError(error.code, error.message, "choose another FILE for --save") from error


def load(path: Path) -> dict[str, Bench]:
    """Read records by name, from `--save FILE` or from the redirected output of `kimera bench`."""
    decoder = msgspec.json.Decoder(Bench | BenchChange | End)
    rows: dict[str, Bench] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(
            "data.missing", f"expected bench records in {path}, was: {error.strerror}", _MEND
        ) from None
    for number, line in enumerate(lines, 1):
        try:
            record = decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise DataError(
                "data.format",
                f"expected a bench record in {path}, line {number}, was: {error}",
                _MEND,
                file=str(path),
                line=number,
            ) from None
        if isinstance(record, Bench):
            rows[record.name] = record
    return rows


_MEND = "make one with: kimera bench all --save FILE"


def compare(before: Path, after: Path, floor: float = NOISE_FLOOR) -> Iterator[BenchChange]:
    """Yield one record per benchmark in both files; DataError when they have none in common."""
    old, new = load(before), load(after)
    names = [name for name in old if name in new]
    if not names:
        raise DataError(
            "data.no_common_rows",
            f"expected benchmarks in both files, was {sorted(old)} and {sorted(new)}",
            "save both with the same benchmark name",
        )
    for name in names:
        yield _change(old[name], new[name], floor)


def _change(old: Bench, new: Bench, floor: float) -> BenchChange:
    change = ratio(_repeats(old), _repeats(new))
    same = old.machine == new.machine
    return BenchChange(
        name=new.name,
        before_ns=old.median_ns,
        after_ns=new.median_ns,
        ratio=round(change.value, 4),
        low=round(change.low, 4),
        high=round(change.high, 4),
        verdict=verdict(change, floor) if same else "other_machine",
        before=old.commit,
        after=new.commit,
    )


def _repeats(row: Bench) -> list[float]:
    return [float(value) for value in row.detail.get("repeats_ns") or [row.median_ns]]
