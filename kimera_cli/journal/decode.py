"""Loop records as records for people: names for numbers, decimals for ticks and lots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from kimera_cli.journal.chain import Entry, unpack
from kimera_cli.layouts import (
    DENIALS,
    R_ACCEPTED,
    R_AMENDED,
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
from kimera_cli.records import Denial, Fill, JournalEntry, JsonObject, Order, Record
from kimera_cli.units import from_steps

KINDS = {
    R_INTENT: "intent",
    R_DENIED: "denied",
    R_ACCEPTED: "accepted",
    R_REJECTED: "rejected",
    R_FILL: "fill",
    R_CANCELLED: "cancelled",
    R_AMENDED: "amended",
    R_CANCEL_REJECTED: "cancel_rejected",
    R_MARKOUT: "markout",
    R_SAMPLE: "sample",
    R_FUNDING: "funding",
    R_HALT: "halt",
}
"""Names of RECORD kinds, as `--kind` takes and `show` prints them."""

SIDES = ("buy", "sell")
ORDER_TYPES = ("limit", "market")
TIFS = ("gtc", "ioc", "fok", "post_only")


class Decoder:
    """Turns RECORD rows into records with the names and steps of one run."""

    def __init__(self, strategies: Sequence[str], instruments: Sequence[Mapping[str, Any]]) -> None:
        """`instruments`: by index, mappings with venue, symbol, tick, lot and settle."""
        self._strategies = strategies
        self._instruments = [f"{i['venue']}/{i['symbol']}" for i in instruments]
        self._ticks = [Decimal(str(i["tick"])) for i in instruments]
        self._lots = [Decimal(str(i["lot"])) for i in instruments]
        self._currencies = [str(i.get("settle") or "") for i in instruments]

    @classmethod
    def of_run(cls, manifest: Mapping[str, Any]) -> Decoder:
        """Return the decoder of a run from its manifest."""
        return cls(
            [str(s["name"]) for s in manifest.get("strategies", ())],
            [s["instrument"] for s in manifest.get("sources", ())],
        )

    def record(self, row: np.void) -> Record | None:
        """Return a fill, denial or order step as its public record; None for other kinds."""
        kind = int(row["kind"])
        if kind == R_FILL:
            return self.fill(row)
        if kind == R_DENIED:
            return self.denial(row)
        if kind in _ORDER_KINDS:
            return self.order(row)
        return None

    def order(self, row: np.void) -> Order:
        """Return one step in an order's life."""
        kind, code = int(row["kind"]), int(row["code"])
        rejected = kind in (R_REJECTED, R_CANCEL_REJECTED, R_CANCELLED) and code
        return Order(
            event=KINDS[kind],
            order_type=_name(ORDER_TYPES, row["type"]),  # type: ignore[arg-type]
            tif=_name(TIFS, row["tif"]),  # type: ignore[arg-type]
            left=self._qty(row, "left_lots"),
            ts_exch_ns=int(row["ts_exch_ns"]),
            order_id=int(row["order_id"]),
            reason=f"venue.{_name(REJECTS, code)}" if rejected else "",
            **self._common(row),
        )

    def fill(self, row: np.void) -> Fill:
        """Return an execution."""
        mid = float(row["mid_ticks"]) * float(self._tick(row))
        return Fill(
            order_id=int(row["order_id"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            left=self._qty(row, "left_lots"),
            maker=bool(row["type"]),
            fee=float(row["fee"]),
            fee_currency=_name(self._currencies, row["instrument"], ""),
            position=self._qty(row, "position_lots"),
            mid=mid if np.isfinite(mid) else None,
            **self._common(row),
        )

    def denial(self, row: np.void) -> Denial:
        """Return a refusal of the gate."""
        return Denial(code=f"risk.{_name(DENIALS, row['code'])}", **self._common(row))

    def entry(self, entry: Entry) -> JournalEntry:
        """Return an audit entry with its body decoded."""
        row = unpack([entry.body])[0]
        return JournalEntry(
            seq=entry.seq,
            ts_ns=entry.ts_ns,
            kind=_name(KINDS, entry.kind),
            hash=entry.hash.hex(),
            body=self.body(row),
        )

    def body(self, row: np.void) -> JsonObject:
        """Return the fields that matter for the row's kind, for a person."""
        if (record := self.record(row)) is not None:
            body: JsonObject = msgspec.to_builtins(record)
            for name in ("type", "seq", "ts_ns"):
                body.pop(name)
            return body
        place = {
            "strategy": _name(self._strategies, row["strategy"]),
            "instrument": _name(self._instruments, row["instrument"]),
        }
        return place | self._statistics(row)

    def _statistics(self, row: np.void) -> JsonObject:
        mid = float(row["mid_ticks"]) * float(self._tick(row))
        facts: JsonObject = {"mid": mid, "equity": float(row["equity"]), "fee": float(row["fee"])}
        facts = {name: value for name, value in facts.items() if np.isfinite(value)}
        if row["kind"] == R_MARKOUT:
            return facts | {
                "order_id": int(row["order_id"]),
                "fill_seq": int(row["left_lots"]),
                "horizon_ns": int(row["type"]),
            }
        if row["kind"] == R_HALT:
            facts["reason"] = f"risk.{_name(DENIALS, row['code'])}"
        return facts | {"position": self._qty(row, "position_lots")}

    def _common(self, row: np.void) -> dict[str, Any]:
        return {
            "seq": int(row["seq"]),
            "ts_ns": int(row["ts_ns"]),
            "strategy": _name(self._strategies, row["strategy"]),
            "instrument": _name(self._instruments, row["instrument"]),
            "side": _name(SIDES, row["side"]),
            "px": str(from_steps(int(row["px_ticks"]), self._tick(row))),
            "qty": self._qty(row, "qty_lots"),
        }

    def _tick(self, row: np.void) -> Decimal:
        return _step(self._ticks, row)

    def _qty(self, row: np.void, field: str) -> str:
        return str(from_steps(int(row[field]), _step(self._lots, row)))


_ORDER_KINDS = (R_INTENT, R_ACCEPTED, R_REJECTED, R_CANCELLED, R_AMENDED, R_CANCEL_REJECTED)


def _step(steps: Sequence[Decimal], row: np.void) -> Decimal:
    at = int(row["instrument"])
    return steps[at] if 0 <= at < len(steps) else Decimal(1)


def _name(names: Mapping[int, str] | Sequence[str], index: Any, other: str = "unknown") -> str:
    """Return the name of a number; an unknown one is shown: altered journals are shown too."""
    at = int(index)
    known = at in names if isinstance(names, Mapping) else 0 <= at < len(names)
    return names[at] if known else other and f"{other}({at})"
