"""A table as a file: the published cells, the member that filled them, and where both come from.

One line of text (format and SHA-256 of the rest), then MessagePack. It is written whole or not at
all, and read strictly: an error names the file and the field. The member is kept with its cells so
that any later lookup can be compared with a fresh computation.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kimera_cli.ensemble.next_move import NextMove
from kimera_cli.ensemble.quantiser import Quantiser
from kimera_cli.errors import DataError
from kimera_cli.files import write_atomic
from kimera_cli.kernels.table import count_damaged
from kimera_cli.layouts import (
    F64,
    TABLE_AXES,
    TABLE_BINS,
    TABLE_CELLS,
    TABLE_ENTRY,
    TABLE_SIDE,
)

FORMAT = b"kimera-table 1 sha256 "
_HINT = "fill it anew: kimera ensemble table fill DATASET --out FILE"
_SUM_TOLERANCE = 1e-3


class Learnt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a table comes from."""

    dataset: str
    source_hash: str
    start_ns: int
    end_ns: int
    """Local time of the first and of the last event that was used; nothing later was."""
    states: int
    moves: int
    """Different next moves among them: neighbouring states often wait for the same one."""
    mean_ticks: float
    """Mean of these moves over the states: what a forecast without any state would say."""


class TableFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds; arrays are little-endian bytes."""

    version: int
    expires_ns: int
    min_confidence: float
    kimera: str
    learnt: Learnt
    axes: list[str]
    edges: list[bytes]
    entries: bytes
    knots: list[bytes]
    points: bytes
    moves: bytes
    width: float
    prior: float
    clip_ticks: float
    edge_ticks: float
    least_support: float

    def quantiser(self) -> Quantiser:
        """Return the thresholds."""
        return Quantiser(_indices(self.axes), tuple(_floats(e) for e in self.edges))

    def member(self) -> NextMove:
        """Return the member that filled the cells."""
        return NextMove(
            axes=_indices(self.axes),
            knots=tuple(_floats(k) for k in self.knots),
            points=_floats(self.points).reshape(-1, len(self.axes)),
            moves=_floats(self.moves),
            width=self.width,
            prior=self.prior,
            clip_ticks=self.clip_ticks,
            edge_ticks=self.edge_ticks,
            least_support=self.least_support,
        )

    def side(self) -> Any:
        """Return the TABLE_SIDE to publish, shape (1,)."""
        side = np.zeros(1, TABLE_SIDE)
        quantiser = self.quantiser()
        quantiser.write(side)
        side["version"] = self.version
        side["entries"][0, : quantiser.cells] = np.frombuffer(self.entries, TABLE_ENTRY)
        return side


def pack(
    side: Any,
    quantiser: Quantiser,
    member: NextMove,
    learnt: Learnt,
    *,
    expires_ns: int,
    min_confidence: float,
    kimera: str,
) -> TableFile:
    """Return what the file will hold."""
    return TableFile(
        version=int(side["version"][0]),
        expires_ns=expires_ns,
        min_confidence=min_confidence,
        kimera=kimera,
        learnt=learnt,
        axes=[TABLE_AXES[axis] for axis in quantiser.axes],
        edges=[edges.astype("<f8").tobytes() for edges in quantiser.edges],
        entries=side["entries"][0, : quantiser.cells].tobytes(),
        knots=[knots.astype("<f8").tobytes() for knots in member.knots],
        points=member.points.astype("<f8").tobytes(),
        moves=member.moves.astype("<f8").tobytes(),
        width=member.width,
        prior=member.prior,
        clip_ticks=member.clip_ticks,
        edge_ticks=member.edge_ticks,
        least_support=member.least_support,
    )


def save(path: Path, table: TableFile) -> str:
    """Write the file whole or not at all; return the SHA-256 of its content."""
    body = msgspec.msgpack.encode(table)
    digest = hashlib.sha256(body).hexdigest()
    write_atomic(path, FORMAT + digest.encode() + b"\n" + body)
    return digest


def load(path: Path) -> TableFile:
    """Return the table of a file.

    DataError: `data.table_missing`, `data.table_format` (no table at all), `data.table_damaged`
    (bytes changed or missing), `data.table_field` (a field is missing or impossible).
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(
            "data.table_missing",
            f"expected a decision table at {path}, was: {error.strerror or error}",
            _HINT,
            file=str(path),
        ) from error
    head, _, body = raw.partition(b"\n")
    if not head.startswith(FORMAT):
        raise DataError(
            "data.table_format",
            f"expected a decision table in {path}, was another kind or version of file",
            _HINT,
            file=str(path),
        )
    if head[len(FORMAT) :] != hashlib.sha256(body).hexdigest().encode():
        raise DataError(
            "data.table_damaged",
            f"expected {path} to hold what its checksum says, was changed or cut",
            _HINT,
            file=str(path),
        )
    try:
        table = msgspec.msgpack.decode(body, type=TableFile)
    except msgspec.MsgspecError as error:
        raise _field(path, str(error)) from error
    _check(path, table)
    return table


def next_version(path: Path) -> int:
    """Return the version of a table that replaces the one at `path`; 1 where there is none."""
    if not path.exists():
        return 1
    try:
        return load(path).version + 1
    except DataError as error:
        error.hint = "give another --out, or --version to replace it"
        raise


def _check(path: Path, table: TableFile) -> None:
    """Raise for the first field that no fill can have written."""
    for expected, held in _rules(table):
        if not held:
            raise _field(path, expected)
    side = table.side()
    if count_damaged(side.ctypes.data):
        raise _field(path, "entries that match their own checksums - at `$.entries`")
    for expected, held in _entry_rules(
        table, side["entries"][0][side["entries"][0]["version"] > 0]
    ):
        if not held:
            raise _field(path, expected)


def _rules(table: TableFile) -> list[tuple[str, bool]]:
    """Return what must hold, each with whether it does; later rules may rely on earlier ones."""
    d = len(table.axes)
    lists = d > 0 and len(table.edges) == d and len(table.knots) == d
    names = len(set(table.axes)) == d and set(table.axes) <= set(TABLE_AXES)
    edges = [_floats(e) for e in table.edges if len(e) % 8 == 0]
    rising = all(1 <= len(e) < TABLE_BINS and _rising(e) for e in edges)
    cells = math.prod(len(e) + 1 for e in edges)
    numbers = (table.width, table.clip_ticks, table.edge_ticks, table.least_support, table.prior)
    return [
        ("version of at least 1 - at `$.version`", table.version >= 1),
        ("an expiry after the data - at `$.expires_ns`", table.expires_ns > table.learnt.end_ns),
        ("features of this kimera, once each - at `$.axes`", names),
        ("as many `$.edges` and `$.knots` as `$.axes`", lists),
        ("rising finite thresholds - at `$.edges`", len(edges) == d and rising),
        (f"at most {TABLE_CELLS} cells - at `$.edges`", cells <= TABLE_CELLS),
        ("one entry per cell - at `$.entries`", len(table.entries) == cells * TABLE_ENTRY.itemsize),
        ("finite rising numbers - at `$.knots`", all(_knotted(k) for k in table.knots)),
        ("one finite move per point - at `$.moves`", _paired(table, d)),
        ("finite numbers from 0 - at `$.width` to `$.least_support`", all(map(_sane, numbers))),
        ("a share from 0 to 1 - at `$.min_confidence`", 0.0 <= table.min_confidence <= 1.0),
        ("a width above 0 - at `$.width`", table.width > 0.0),
        ("a finite mean - at `$.learnt.mean_ticks`", math.isfinite(table.learnt.mean_ticks)),
    ]


def _entry_rules(table: TableFile, known: Any) -> list[tuple[str, bool]]:
    shares = np.stack([known[name] for name in ("p_sell", "p_hold", "p_buy")])
    sums = bool((np.abs(shares.sum(axis=0) - 1.0) < _SUM_TOLERANCE).all())
    inside = bool(((shares >= 0.0) & (shares <= 1.0)).all()) and sums
    return [
        ("action distributions that sum to 1 - at `$.entries`", inside),
        ("actions of -1, 0 and 1 - at `$.entries`", bool((np.abs(known["action"]) <= 1).all())),
        ("the table's version - at `$.entries`", bool((known["version"] == table.version).all())),
        (
            "finite expected moves - at `$.entries`",
            bool(np.isfinite(known["expected_ticks"]).all()),
        ),
        (
            "what `$.learnt` and `$.expires_ns` say - at `$.entries`",
            bool(
                (known["learned_ns"] == table.learnt.end_ns).all()
                and (known["expires_ns"] == table.expires_ns).all()
            ),
        ),
    ]


def _paired(table: TableFile, d: int) -> bool:
    if not d or len(table.moves) % 8 or len(table.points) != d * len(table.moves):
        return False
    finite = np.isfinite(_floats(table.moves)).all() and np.isfinite(_floats(table.points)).all()
    return bool(finite and len(table.moves) > 0)


def _knotted(raw: bytes) -> bool:
    if len(raw) % 8 or len(raw) < 16:
        return False
    knots = _floats(raw)
    return bool(np.isfinite(knots).all() and (np.diff(knots) >= 0).all() and knots[0] < knots[-1])


def _rising(edges: F64) -> bool:
    return bool(np.isfinite(edges).all() and (np.diff(edges) > 0).all())


def _sane(number: float) -> bool:
    return math.isfinite(number) and number >= 0.0


def _floats(raw: bytes) -> F64:
    return np.frombuffer(raw, "<f8").astype(np.float64)


def _indices(names: list[str]) -> tuple[int, ...]:
    return tuple(TABLE_AXES.index(name) for name in names)


def _field(path: Path, expected: str) -> DataError:
    return DataError(
        "data.table_field",
        f"expected fields of a decision table in {path}, was: {expected}",
        _HINT,
        file=str(path),
    )
