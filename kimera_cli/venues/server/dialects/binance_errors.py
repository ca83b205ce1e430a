"""Binance's error bodies: `{"code": -2010, "msg": "..."}`.

https://developers.binance.com/docs/binance-spot-api-docs/errors
"""

from __future__ import annotations

from kimera_cli.venues.server.dialect import Headers, HttpError, refuse
from kimera_cli.venues.server.model import Reject

LIMITS = {  # Reject.reason -> code, message
    "bad_symbol": (-1121, "Invalid symbol."),
    "bad_request": (-1102, "A mandatory parameter was not sent, was empty/null, or malformed."),
    "dup_client_id": (-2010, "Duplicate order sent."),
    "tick": (-1013, "Filter failure: PRICE_FILTER"),
    "lot": (-1013, "Filter failure: LOT_SIZE"),
    "min_qty": (-1013, "Filter failure: LOT_SIZE"),
    "max_qty": (-1013, "Filter failure: LOT_SIZE"),
    "min_notional": (-1013, "Filter failure: NOTIONAL"),
    "price_band": (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    "too_many_orders": (-1013, "Filter failure: MAX_NUM_ORDERS"),
    "book_full": (-2010, "Order book is full."),
    "post_only": (-2010, "Order would immediately match and take."),
    "funds": (-2010, "Account has insufficient balance for requested action."),
    "halted": (-1013, "Market is closed."),
    "cancel_only": (-2010, "This action is disabled on this account."),
    "not_found": (-2011, "Unknown order sent."),
    "no_liquidity": (-2010, "Market orders need liquidity on the other side of the book."),
}


class BinanceError(Exception):
    """A request is refused with a code of Binance's."""

    def __init__(self, code: int, msg: str, status: int = 400, headers: Headers = ()) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.headers = headers

    @property
    def body(self) -> dict[str, int | str]:
        """The error as Binance writes it."""
        return {"code": self.code, "msg": self.msg}

    def http(self) -> HttpError:
        """Return the HTTP answer."""
        return refuse(self.body, self.status, self.headers)


def of_reject(reject: Reject) -> BinanceError:
    """Return Binance's words for what the exchange refused."""
    code, msg = LIMITS.get(reject.reason, (-1013, reject.reason))
    return BinanceError(code, msg)


def missing(name: str) -> BinanceError:
    """Return the error for a parameter that is absent or malformed."""
    return BinanceError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def illegal(name: str, pattern: str) -> BinanceError:
    """Return the error for characters that a parameter may not have."""
    return BinanceError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
    )
