"""Loop records as records for people: names for numbers, decimals for ticks and lots.

The same words are used for the lines of `kimera run` and for the entries of `kimera journal show`.
An unknown number is shown as `unknown(n)`: an altered journal can be looked at, `verify` judges it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.journal import phrase
from kimera_cli.journal.chain import Entry, unpack
from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import (
    DENIALS,
    R_ACCEPTED,
    R_AMEND_INTENT,
    R_AMENDED,
    R_BREAKER,
    R_CANCEL_INTENT,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_FUNDING,
    R_HALT,
    R_INTENT,
    R_MARKOUT,
    R_REJECTED,
    R_SAMPLE,
    REJECTS,
)
from kimera_cli.records import (
    Breaker,
    Denial,
    Fill,
    Funding,
    Halt,
    JournalEntry,
    JsonObject,
    Order,
    Record,
)

ORDER_EVENTS = {
    R_INTENT: "submitted",
    R_AMEND_INTENT: "amend_sent",
    R_CANCEL_INTENT: "cancel_sent",
    R_ACCEPTED: "accepted",
    R_REJECTED: "rejected",
    R_CANCELLED: "cancelled",
    R_AMENDED: "amended",
    R_CANCEL_REJECTED: "cancel_rejected",
}
"""Kinds that are one step in the life of an order, with the step's name."""

KINDS = ORDER_EVENTS | {
    R_DENIED: "denied",
    R_FILL: "fill",
    R_FUNDING: "funding",
    R_HALT: "halt",
    R_BREAKER: "breaker",
    R_MARKOUT: "markout",
    R_SAMPLE: "sample",
}
"""All kinds by name, as `--kind` takes and `show` prints them."""

SIDES = ("buy", "sell")
ORDER_TYPES = ("limit", "market")
TIFS = ("gtc", "ioc", "fok", "post_only")


class Decoder:
    """Turns RECORD rows into records with the names and steps of one run."""

    def __init__(self, strategies: Sequence[str], instruments: Sequence[Instrument]) -> None:
        self._strategies = list(strategies)
        self._instruments = list(instruments)
        self._names = [instrument.name for instrument in instruments]

    @classmethod
    def of_run(cls, manifest: Mapping[str, Any]) -> Decoder:
        """Return the decoder of a run; DataError when the manifest's instruments cannot be read."""
        try:
            found = [s["instrument"] for s in manifest.get("sources", ())]
            instruments = msgspec.convert(found, list[Instrument], strict=False)
            return cls([str(s["name"]) for s in manifest.get("strategies", ())], instruments)
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise DataError(
                "data.run_manifest",
                f"expected strategies and instruments in the manifest, was refused: {error}",
                "restore manifest.json or run again",
            ) from error

    def records(self, rows: Rows) -> Iterator[Record]:
        """Yield the public lines among rows: all but samples and markouts."""
        for row in rows:
            kind = int(row["kind"])
            if kind == R_FUNDING:
                yield self._funding(row)
            elif kind == R_HALT:
                yield Halt(
                    seq=int(row["seq"]), ts_ns=int(row["ts_ns"]), code=denial_code(row["code"])
                )
            elif kind == R_BREAKER:
                yield _breaker(row)
            elif (record := self.record(row)) is not None:
                yield record

    def record(self, row: np.void) -> Record | None:
        """Return an order step, fill or denial; None for the other kinds."""
        kind = int(row["kind"])
        if kind == R_FILL:
            return self._fill(row)
        if kind == R_DENIED:
            count = 1 + int(row["left_lots"])
            return Denial(code=denial_code(row["code"]), count=count, **self._common(row))
        if kind in ORDER_EVENTS:
            return self._order(row)
        return None

    def entry(self, entry: Entry) -> JournalEntry:
        """Return an audit entry with its body decoded."""
        row = unpack([entry.body])[0]
        kind, body = _name(KINDS, entry.kind), self.body(row)
        return JournalEntry(
            seq=entry.seq,
            ts_ns=entry.ts_ns,
            kind=kind,
            text=phrase.of(kind, body),
            hash=entry.hash.hex(),
            body=body,
        )

    def body(self, row: np.void) -> JsonObject:
        """Return what a row says beyond seq, time and kind, JSON-safe."""
        record = self.record(row)
        if record is None:
            return self._place(row) | self._statistics(row)
        body: JsonObject = msgspec.to_builtins(record)
        return {k: v for k, v in body.items() if k not in ("type", "seq", "ts_ns")}

    def _order(self, row: np.void) -> Order:
        code, asked = int(row["code"]), int(row["kind"]) == R_INTENT
        return Order(
            event=ORDER_EVENTS[int(row["kind"])],
            order_type=_name(ORDER_TYPES, row["type"]) if asked else None,  # type: ignore[arg-type]
            tif=_name(TIFS, row["tif"]) if asked else None,  # type: ignore[arg-type]
            left=self._qty(row, "left_lots"),
            ts_exch_ns=int(row["ts_exch_ns"]),
            order_id=int(row["order_id"]),
            reason=f"venue.{_name(REJECTS, code)}" if code else "",
            **self._common(row),
        )

    def _fill(self, row: np.void) -> Fill:
        instrument = self._instrument(row)
        return Fill(
            order_id=int(row["order_id"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            left=self._qty(row, "left_lots"),
            maker=bool(row["type"]),
            fee=float(row["fee"]),
            fee_currency=instrument.settlement if instrument else "",
            position=self._qty(row, "position_lots"),
            mid=self._mid(row),
            **self._common(row),
        )

    def _funding(self, row: np.void) -> Funding:
        instrument = self._instrument(row)
        return Funding(
            seq=int(row["seq"]),
            ts_ns=int(row["ts_ns"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            paid=float(row["fee"]),
            currency=instrument.settlement if instrument else "",
            position=self._qty(row, "position_lots"),
            **self._place(row),
        )

    def _statistics(self, row: np.void) -> JsonObject:
        kind = int(row["kind"])
        facts: JsonObject = {"mid": self._mid(row)}
        if kind == R_MARKOUT:
            return facts | {
                "order_id": int(row["order_id"]),
                "fill_seq": int(row["left_lots"]),
                "horizon_ns": int(row["type"]),
            }
        facts["position"] = self._qty(row, "position_lots")
        if kind == R_SAMPLE:
            facts["equity"] = _finite(row["equity"])
        elif kind == R_FUNDING:
            facts["fee"] = _finite(row["fee"])
        elif kind == R_HALT:
            facts["reason"] = denial_code(row["code"])
        elif kind == R_BREAKER:
            told = msgspec.to_builtins(_breaker(row))
            facts |= {name: told[name] for name in ("state", "queue_age_ns", "limit_ns")}
        return facts

    def _common(self, row: np.void) -> dict[str, Any]:
        return {
            "seq": int(row["seq"]),
            "ts_ns": int(row["ts_ns"]),
            "side": _name(SIDES, row["side"]),
            "px": _decimal(row["px_ticks"], self._tick(row)),
            "qty": self._qty(row, "qty_lots"),
            **self._place(row),
        }

    def _place(self, row: np.void) -> dict[str, str]:
        return {
            "strategy": _name(self._strategies, row["strategy"]),
            "instrument": _name(self._names, row["instrument"]),
        }

    def _instrument(self, row: np.void) -> Instrument | None:
        at = int(row["instrument"])
        return self._instruments[at] if 0 <= at < len(self._instruments) else None

    def _tick(self, row: np.void) -> Decimal:
        instrument = self._instrument(row)
        return instrument.tick if instrument else Decimal(1)

    def _qty(self, row: np.void, field: str) -> str:
        instrument = self._instrument(row)
        return _decimal(row[field], instrument.lot if instrument else Decimal(1))

    def _mid(self, row: np.void) -> float | None:
        return _finite(float(row["mid_ticks"]) * float(self._tick(row)))


def _breaker(row: np.void) -> Breaker:
    return Breaker(
        seq=int(row["seq"]),
        ts_ns=int(row["ts_ns"]),
        state="open" if int(row["code"]) else "closed",
        queue_age_ns=int(row["qty_lots"]),
        limit_ns=int(row["left_lots"]),
    )


def denial_code(code: Any) -> str:
    """Return the public code of a gate's answer: `risk.drawdown`."""
    return f"risk.{_name(DENIALS, code)}"


def _decimal(steps: Any, step: Decimal) -> str:
    return format(int(steps) * step, "f")


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _name(names: Mapping[int, str] | Sequence[str], index: Any) -> str:
    at = int(index)
    known = at in names if isinstance(names, Mapping) else 0 <= at < len(names)
    return names[at] if known else f"unknown({at})"
