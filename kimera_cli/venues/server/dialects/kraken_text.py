"""How Kraken writes numbers and times, and the sentences of its refusals.

Error texts: https://docs.kraken.com/exchange/guides/general/errors.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.kraken_names import altname
from kimera_cli.venues.server.model import Market, Reject

COST_DIGITS = 5
AMOUNT_DIGITS = 10
NS = 1_000_000_000

_TEXTS = {
    "bad_symbol": "EQuery:Unknown asset pair",
    "bad_request": "EGeneral:Invalid arguments",
    "client_id": "EGeneral:Invalid arguments:cl_ord_id",
    "dup_client_id": "EOrder:Duplicate cl_ord_id",
    "lot": "EGeneral:Invalid arguments:volume",
    "min_qty": "EOrder:Order minimum not met",
    "max_qty": "EGeneral:Invalid arguments:volume",
    "min_notional": "EOrder:Cost minimum not met",
    "post_only": "EOrder:Post only order",
    "funds": "EOrder:Insufficient funds",
    "not_found": "EOrder:Unknown order",
    "self_trade": "EOrder:Invalid order",
    "halted": "EService:Unavailable",
    "cancel_only": "EService:Market in cancel_only mode",
    "price_band": "EOrder:Invalid price",
    "no_liquidity": "EOrder:Invalid order",
    "book_full": "EService:Busy",
    "too_many_orders": "EOrder:Orders limit exceeded",
    "fok": "EOrder:Invalid order",
}


def error_text(reject: Reject, market: Market | None = None) -> str:
    """Return Kraken's words for a refusal."""
    if reject.reason == "tick" and market is not None:
        digits = market.px_digits
        wanted = reject.detail.split(" ", 1)[0]
        if len(wanted.partition(".")[2].rstrip("0")) > digits:
            pair = altname(market)
            return (
                f"EOrder:Invalid price:{pair} price can only be specified up to {digits} decimals."
            )
        return "EOrder:Tick size check failed"
    return _TEXTS.get(reject.reason, "EOrder:Invalid price")


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def moment(ts_ns: int) -> str:
    """Return a time as websocket v2 writes it: RFC 3339 with microseconds."""
    seconds, rest = divmod(ts_ns, NS)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


def seconds(ts_ns: int) -> str:
    """Return a time of whole seconds, as REST writes it."""
    return f"{_second(ts_ns // NS)}Z"


def unix(ts_ns: int) -> float:
    """Return a time as REST writes it in numbers: seconds with four decimals."""
    return ts_ns // 100_000 / 10_000


def cost(atoms: int) -> str:
    """Return an amount of quote as REST writes it."""
    return amounts.fixed(atoms, COST_DIGITS)


def number(text: str) -> msgspec.Raw:
    """Return a number of JSON that keeps the digits it is given."""
    return msgspec.Raw(text.encode())


def quantity(atoms: int) -> msgspec.Raw:
    """Return an amount as a number of JSON."""
    return number(amounts.text(atoms))
