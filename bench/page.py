"""Saved records as files for docs/performance.md: the plots, and all rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kimera_cli.errors import DataError, RunError
from kimera_cli.files import write_atomic
from kimera_cli.records import Bench, Written

from .compare import load
from .plots import plots

TABLE = "bench.md"


def write(records: Iterable[Path], folder: Path) -> Iterator[Written]:
    """Write plots and table of all rows in these files; a row in a later file wins.

    DataError `data.no_rows` when there is none.
    """
    rows: dict[str, Bench] = {}
    for path in records:
        rows |= load(path)
    if not rows:
        raise DataError(
            "data.no_rows",
            "expected bench records, was none",
            "make some with: kimera bench all --save FILE",
        )
    for plot in plots(list(rows.values())):
        yield _write(folder / f"{plot.name}.svg", plot.svg, "plot")
    yield _write(folder / TABLE, table(list(rows.values())), "table")


def _write(path: Path, text: str, kind: str) -> Written:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    except RunError as error:
        raise RunError(error.code, error.message, "choose another folder for --out") from error
    except OSError as error:
        told = f"expected to make {path.parent}, was {error.strerror}"
        raise RunError("run.folder", told, "choose another folder for --out") from error
    path.chmod(0o644)  # write_atomic keeps files private, and these are to be published
    return Written(path=str(path), kind=kind)


def table(rows: Sequence[Bench]) -> str:
    """Return the rows as a Markdown table, with machine and commit above it."""
    lines = sorted({f"{row.machine}; commit {row.commit}" for row in rows})
    head = ["row", "median", "p99", "p99.9", "rate", "against", "target"]
    lines += ["", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [f"`{row.name}`", *map(duration, (row.median_ns, row.p99_ns, row.p999_ns))]
        cells += [rate(row.rate_per_s), _against(row), _target(row)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _against(row: Bench) -> str:
    said = [f"{row.peer_ratio:.3g} x {row.peer}"] if row.peer_ratio else []
    others = row.detail.get("peers") or {}
    said += [f"{other['ratio']:.3g} x {name}" for name, other in others.items()]
    said += [f"takes {row.limit_ratio:.2f} x C++"] if row.limit_ratio and _has_cpp(row) else []
    return ", ".join(said)


def _has_cpp(row: Bench) -> bool:
    """Whether the limit of the row is a C++ yardstick (of a cold start it is the interpreter)."""
    return not row.name.startswith("cold-start")


def _target(row: Bench) -> str:
    if not row.target:
        return ""
    return f"{row.target}: {({True: 'met', False: '**missed**', None: 'not told'})[row.met]}"


def duration(ns: float) -> str:
    """Return ns with three digits in the unit that fits."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def rate(per_s: float) -> str:
    """Return a rate with three digits."""
    for size, unit in ((1e6, " M/s"), (1e3, " k/s")):
        if per_s >= size:
            return f"{per_s / size:.3g}{unit}"
    return f"{per_s:.3g}/s"
