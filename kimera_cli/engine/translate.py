"""The loop's rows as public records: integers become exact decimals, codes become names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Literal

from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    BID,
    DENIALS,
    MARKET,
    R_ACCEPTED,
    R_AMEND_INTENT,
    R_AMENDED,
    R_CANCEL_INTENT,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_FUNDING,
    R_HALT,
    R_INTENT,
    R_REJECTED,
    REJECTS,
)
from kimera_cli.records import Denial, Fill, Funding, Halt, Order, Record

ORDER_EVENTS = {
    R_INTENT: "submitted",
    R_ACCEPTED: "accepted",
    R_REJECTED: "rejected",
    R_CANCELLED: "cancelled",
    R_AMENDED: "amended",
    R_CANCEL_REJECTED: "cancel_rejected",
    R_CANCEL_INTENT: "cancel_sent",
    R_AMEND_INTENT: "amend_sent",
}
TIFS: tuple[Literal["gtc", "ioc", "fok", "post_only"], ...] = ("gtc", "ioc", "fok", "post_only")


class Translator:
    """Knows the names of the run's strategies and the steps of its instruments."""

    def __init__(self, strategies: Sequence[str], instruments: Sequence[Instrument]) -> None:
        self.strategies = list(strategies)
        self.instruments = list(instruments)
        self._others: dict[int, Callable[[Any], Record]] = {
            R_FILL: self._fill,
            R_DENIED: self._denial,
            R_FUNDING: self._funding,
            R_HALT: self._halt,
        }

    def records(self, rows: Any) -> Iterator[Record]:
        """Yield the public lines among rows of dtype RECORD: all but samples and markouts."""
        for row in rows:
            kind = int(row["kind"])
            if kind in ORDER_EVENTS:
                yield self._order(row, kind)
            elif kind in self._others:
                yield self._others[kind](row)

    def _names(self, row: Any) -> tuple[str, Instrument]:
        return self.strategies[int(row["strategy"])], self.instruments[int(row["instrument"])]

    def _order(self, row: Any, kind: int) -> Order:
        strategy, instrument = self._names(row)
        code = int(row["code"])
        return Order(
            seq=int(row["seq"]),
            ts_ns=int(row["ts_ns"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            event=ORDER_EVENTS[kind],
            strategy=strategy,
            instrument=instrument.name,
            order_id=int(row["order_id"]),
            side=_side(row),
            order_type=_type(row) if kind == R_INTENT else None,
            tif=TIFS[int(row["tif"])] if kind == R_INTENT else None,
            px=_text(int(row["px_ticks"]), instrument.tick),
            qty=_text(int(row["qty_lots"]), instrument.lot),
            left=_text(int(row["left_lots"]), instrument.lot),
            reason=f"venue.{REJECTS[code]}" if code else "",
        )

    def _fill(self, row: Any) -> Fill:
        strategy, instrument = self._names(row)
        mid = float(row["mid_ticks"]) * float(instrument.tick)
        return Fill(
            seq=int(row["seq"]),
            ts_ns=int(row["ts_ns"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            strategy=strategy,
            instrument=instrument.name,
            order_id=int(row["order_id"]),
            side=_side(row),
            px=_text(int(row["px_ticks"]), instrument.tick),
            qty=_text(int(row["qty_lots"]), instrument.lot),
            left=_text(int(row["left_lots"]), instrument.lot),
            maker=bool(row["type"]),
            fee=float(row["fee"]),
            fee_currency=instrument.settlement,
            position=_text(int(row["position_lots"]), instrument.lot),
            mid=None if math.isnan(mid) else mid,
        )

    def _denial(self, row: Any) -> Denial:
        strategy, instrument = self._names(row)
        return Denial(
            seq=int(row["seq"]),
            ts_ns=int(row["ts_ns"]),
            code=denial_code(int(row["code"])),
            strategy=strategy,
            instrument=instrument.name,
            side=_side(row),
            px=_text(int(row["px_ticks"]), instrument.tick),
            qty=_text(int(row["qty_lots"]), instrument.lot),
        )

    def _funding(self, row: Any) -> Funding:
        strategy, instrument = self._names(row)
        return Funding(
            seq=int(row["seq"]),
            ts_ns=int(row["ts_ns"]),
            ts_exch_ns=int(row["ts_exch_ns"]),
            strategy=strategy,
            instrument=instrument.name,
            paid=float(row["fee"]),
            currency=instrument.settlement,
            position=_text(int(row["position_lots"]), instrument.lot),
        )

    def _halt(self, row: Any) -> Halt:
        code = denial_code(int(row["code"]))
        return Halt(seq=int(row["seq"]), ts_ns=int(row["ts_ns"]), code=code)


def denial_code(code: int) -> str:
    """Return the public code of a gate's answer: `risk.drawdown`."""
    return f"risk.{DENIALS[code]}"


def _type(row: Any) -> Literal["limit", "market"]:
    return "market" if int(row["type"]) == MARKET else "limit"


def _side(row: Any) -> Literal["buy", "sell"]:
    return "buy" if int(row["side"]) == BID else "sell"


def _text(steps: int, step: Decimal) -> str:
    return format(steps * step, "f")
