"""How OKX writes names, numbers and times, and the codes of its refusals.

https://www.okx.com/docs-v5/en/#error-code: a request that is refused as a whole has its code at the
top; an order that is refused has it in its own entry, as sCode and sMsg.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.model import Market, Reject

NS_PER_MS = 1_000_000
FIRST_CODE = 10_001
"""instIdCode of the first market."""
_text = lru_cache(maxsize=1 << 16)(amounts.text)
"""Levels are written again and again, for their checksums."""


class Refusal(NamedTuple):
    """A code and its sentence."""

    code: str
    text: str


class OkxError(Exception):
    """A request is refused; `status` is HTTP's."""

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        super().__init__(f"{code} {text}")
        self.refusal = Refusal(code, text)
        self.status = status


PLACE: Mapping[str, Refusal] = {
    "bad_symbol": Refusal("51001", "Instrument ID or Spread ID doesn't exist."),
    "bad_request": Refusal("51000", "Parameter error"),
    "client_id": Refusal("51000", "Parameter clOrdId error"),
    "dup_client_id": Refusal("51016", "Client order ID already exists."),
    "tick": Refusal("51000", "Parameter px error"),
    "lot": Refusal("51121", "Order quantity must be a multiple of the lot size."),
    "min_qty": Refusal("51020", "Your order should meet or exceed the minimum order amount."),
    "max_qty": Refusal("51005", "Your order amount exceeds the max order amount."),
    "min_notional": Refusal("51020", "Your order should meet or exceed the minimum order amount."),
    "post_only": Refusal("51000", "Parameter ordType error"),
    "fok": Refusal("51000", "Parameter ordType error"),
    "funds": Refusal("51008", "Order failed. Insufficient {asset} balance in account."),
    "not_found": Refusal("51603", "Order does not exist"),
    "self_trade": Refusal("51000", "Parameter stpMode error"),
    "halted": Refusal("51022", "Contract suspended"),
    "cancel_only": Refusal("51022", "Contract suspended"),
    "price_band": Refusal("51006", "Order price is not within the price limit"),
    "no_liquidity": Refusal("51109", "No orders available in order book"),
    "book_full": Refusal("50013", "Systems are busy. Please try again later."),
    "too_many_orders": Refusal("51174", "The number of pending orders reached the upper limit."),
}
CANCEL: Mapping[str, Refusal] = {
    "not_found": Refusal(
        "51400",
        "Order cancellation failed as the order has been filled, canceled or does not exist.",
    )
}
AMEND: Mapping[str, Refusal] = {
    "not_found": Refusal("51503", "Order modification failed as the order does not exist"),
    "bad_request": Refusal("51000", "Parameter newSz error"),
    "lot": Refusal("51000", "Parameter newSz error"),
    "tick": Refusal("51000", "Parameter newPx error"),
    "funds": Refusal("51502", "Order modification failed due to insufficient account balance."),
}
AMEND_ENDED = {
    "filled": Refusal("51510", "Modification failed as the order has been completed"),
    "canceled": Refusal("51509", "Modification failed as the order has been canceled"),
    "expired": Refusal("51509", "Modification failed as the order has been canceled"),
}


def refusal_of(reject: Reject, table: Mapping[str, Refusal] = PLACE) -> Refusal:
    """Return OKX's words for a refusal of the exchange."""
    if table is AMEND and reject.reason == "not_found" and reject.order is not None:
        return AMEND_ENDED[reject.order.status]
    found = table.get(reject.reason, PLACE[reject.reason])
    return Refusal(found.code, found.text.replace("{asset}", reject.detail.partition(":")[0]))


def empty(name: str) -> OkxError:
    """Return the refusal of a parameter that is missing."""
    return OkxError("50014", f"Parameter {name} can not be empty.")


def wrong(name: str) -> OkxError:
    """Return the refusal of a parameter's value."""
    return OkxError("51000", f"Parameter {name} error")


def name_of(market: Market) -> str:
    """Return a market's instId, such as BTC-USDT."""
    return f"{market.base}-{market.quote}"


class Names:
    """Finds markets by instId and by instIdCode."""

    def __init__(self, markets: list[Market]) -> None:
        self._by_name = {name_of(market): market for market in markets}
        self.codes = {name: FIRST_CODE + at for at, name in enumerate(self._by_name)}
        self._by_code = {self.codes[name]: m for name, m in self._by_name.items()}

    def find(self, name: object) -> Market:
        """Return the market of an instId; OkxError 51001 when there is none."""
        found = self._by_name.get(str(name))
        if found is None:
            raise OkxError(*PLACE["bad_symbol"])
        return found

    def code(self, market: Market) -> int:
        """Return a market's instIdCode."""
        return self.codes[name_of(market)]

    def of(self, parameters: Mapping[str, Any]) -> Market:
        """Return the market of a request's instId or instIdCode."""
        if "instIdCode" in parameters:
            code = str(parameters["instIdCode"])
            market = self._by_code.get(int(code)) if code.isdecimal() else None
            if market is None:
                raise OkxError(*PLACE["bad_symbol"])
            return market
        if not parameters.get("instId"):
            raise empty("instId")
        return self.find(parameters["instId"])


def ms(ts_ns: int) -> str:
    """Return a time as OKX writes it: milliseconds, as text."""
    return str(ts_ns // NS_PER_MS)


def micros(ts_ns: int) -> str:
    """Return a time in microseconds, as text."""
    return str(ts_ns // 1000)


def price(market: Market, px_ticks: int) -> str:
    """Return a price without trailing zeros."""
    return _text(px_ticks * market.tick_atoms)


def size(market: Market, lots: int) -> str:
    """Return a size without trailing zeros."""
    return _text(lots * market.lot_atoms)
