"""HTX's error answers. Interface v1 says `err-code` and `err-msg`, v2 a number and a message; the
HTTP status is 200 but for too many requests.

https://www.htx.com/en-us/opend/newApiPages/ (error codes of trading), and the texts that clients of
the venue have recorded.
"""

from __future__ import annotations

from decimal import Decimal

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialect import Headers, HttpError, refuse
from kimera_cli.venues.server.model import Kind, Market, Reject, Side

BAD_SIGNATURE = "api-signature-not-valid"
WRONG_KEY = "Signature not valid: Incorrect Access key [Access key错误]"
WRONG_SIGNATURE = "Signature not valid: Verification failure [校验失败]"
WRONG_TIME = (
    "Signature not valid: Invalid submission time or incorrect time format "
    "[无效的提交时间，或时间格式错误]"
)
NO_PERMISSION = "Signature not valid: API key has no permission [API Key没有权限]"


class HtxError(Exception):
    """An error in the venue's words, not yet in an answer's form."""

    def __init__(self, code: str, message: str, **more: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.more = more

    def body(self) -> dict[str, object]:
        """Return the body of interface v1."""
        return {
            "status": "error", "err-code": self.code, "err-msg": self.message, "data": None,
            **self.more,
        }  # fmt: skip


def failed(code: str, message: str) -> HttpError:
    """Return the error answer of interface v1."""
    return refuse(HtxError(code, message).body(), 200)


def failed_v2(code: int, message: str) -> HttpError:
    """Return the error answer of interface v2."""
    return refuse({"code": code, "message": message}, 200)


def too_many(headers: Headers) -> HttpError:
    """Return the answer to too many requests."""
    return refuse(HtxError("rate-too-many-requests", "exceeded rate limit").body(), 429, headers)


def missing(name: str) -> HtxError:
    """Return the error of a field that is not there."""
    return HtxError("validation-constraints-required", f"Field is missing: {name}.")


def malformed(name: str) -> HtxError:
    """Return the error of a field that is not well formed."""
    return HtxError("validation-format-error", f"Format Error: {name}.")


def bad_symbol() -> HtxError:
    """Return the error of an unknown symbol in market data."""
    return HtxError("invalid-parameter", "invalid symbol")


def not_known() -> HtxError:
    """Return the error of an order that is not there."""
    return HtxError("base-record-invalid", "record invalid")


def ended(state: int) -> HtxError:
    """Return the error of a cancel that comes too late; `state` says how the order ended."""
    return HtxError("order-orderstate-error", "Incorrect order state", **{"order-state": state})


def of_reject(reject: Reject, market: Market | None, side: Side, kind: Kind, free: int) -> HtxError:
    """Return the venue's words for what the exchange refuses; `free`: what is left, in atoms."""
    if market is None or reject.reason == "bad_symbol":
        return HtxError("base-symbol-error", "The symbol is invalid")
    least, most = market.qty_text(market.min_lots), format(market.max_qty, "f")
    words = {
        "tick": _precision("price", market.px_digits),
        "lot": _precision("amount", market.qty_digits),
        "min_qty": (
            f"order-{kind}order-amount-min-error",
            f"{kind} order amount error, min: `{least}`",
        ),
        "max_qty": (
            f"order-{kind}order-amount-max-error",
            f"{kind} order amount error, max: `{most}`",
        ),
        "min_notional": (
            "order-value-min-error",
            f"Order total cannot be lower than: {_plain(market.min_notional)} {market.quote}",
        ),
        "funds": (
            "account-frozen-balance-insufficient-error",
            f"trade account balance is not enough, left: `{amounts.text(free)}`",
        ),
        "price_band": (
            f"order-limitorder-price-{'max' if side == 'buy' else 'min'}-error",
            "limit order price error",
        ),
        "halted": ("base-symbol-trade-disabled", "Trading is disabled for this symbol"),
        "cancel_only": (
            "order-disabled",
            "The symbol is pending and not allowed to place order",
        ),
        "client_id": ("invalid-client-order-id", "The client-order-id is invalid"),
    }  # fmt: skip
    code, message = words.get(reject.reason, ("bad-request", reject.detail))
    return HtxError(code, message)


def _precision(what: str, digits: int) -> tuple[str, str]:
    return f"order-order{what}-precision-error", f"order {what} precision error, scale: `{digits}`"


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
