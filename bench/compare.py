"""Two saved results side by side: what changed, and whether the machine's noise explains it.

Repeats in which other work took the core away are left out; where too few are left, no verdict is
given on the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kimera_cli.errors import DataError, RunError
from kimera_cli.files import write_atomic
from kimera_cli.records import Bench, BenchChange, End

from .stats import NOISE_FLOOR, ratio, verdict

QUIET_LEAST = 3
"""Undisturbed repeats that a verdict needs on either side."""
SLICE_NS = 20e6
"""A core that is lost at most once in this time is lost to housekeeping, not to other work."""


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
    before, after = _repeats(old), _repeats(new)
    busy = not before or not after
    change = ratio(before or _all(old), after or _all(new))
    same = old.machine == new.machine
    found = "other_machine" if not same else "noise" if busy else verdict(change, floor)
    return BenchChange(
        name=new.name,
        before_ns=old.median_ns,
        after_ns=new.median_ns,
        ratio=round(change.value, 4),
        low=round(change.low, 4),
        high=round(change.high, 4),
        verdict=found,
        before=old.commit,
        after=new.commit,
        reason="other work on the machine: measure again when it is quiet" if busy else "",
    )


def _all(row: Bench) -> list[float]:
    return [float(value) for value in row.detail.get("repeats_ns") or [row.median_ns]]


def _repeats(row: Bench) -> list[float]:
    """Return the repeats in which the core was ours, none where they are fewer than QUIET_LEAST.

    A record that does not tell of preemptions is taken as it is.
    """
    values, preempted = _all(row), row.detail.get("preempted") or []
    if len(preempted) != len(values):
        return values
    quiet = [
        ns for ns, times in zip(values, preempted, strict=True) if times * SLICE_NS <= ns * row.n
    ]
    return quiet if len(quiet) >= min(QUIET_LEAST, len(values)) else []
