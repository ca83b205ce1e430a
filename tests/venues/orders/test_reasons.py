"""Raw answers of each venue, and what must follow from them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.venues.orders.outcome import Handling, Reason, Rejected, Unknown
from kimera_cli.venues.orders.reason_codes import TABLES, _table
from kimera_cli.venues.orders.reasons import HANDLING, judge, refusal
from kimera_cli.venues.orders.rules import RULES, PostOnly

R = Reason
KRAKEN_DIGITS = "can only be specified up to 1 decimals."
HTX_TIME = "Signature not valid: Invalid submission time or incorrect time format"
HTX_SIGNATURE = "Signature not valid: Verification failure [校验失败]"

KNOWN = [
    # Answers as the venues write them (documentation, captures, ccxt's comments).
    ("binance", "-1013", "Filter failure: LOT_SIZE", 400, R.QUANTITY_STEP),
    ("binance", "-1013", "Filter failure: PRICE_FILTER", 400, R.PRICE_STEP),
    ("binance", "-1013", "Filter failure: NOTIONAL", 400, R.MIN_NOTIONAL),
    ("binance", "-1013", "Filter failure: PERCENT_PRICE_BY_SIDE", 400, R.PRICE_BAND),
    ("binance", "-2010", "Account has insufficient balance for requested action.", 400, R.FUNDS),
    ("binance", "-2010", "Order would immediately match and take.", 400, R.POST_ONLY),
    ("binance", "-2010", "Duplicate order sent.", 400, R.DUPLICATE_ID),
    ("binance", "-2010", "Market is closed.", 400, R.HALTED),
    ("binance", "-2010", "Something new.", 400, R.REFUSED),
    ("binance", "-2011", "Unknown order sent.", 400, R.NOT_FOUND),
    ("binance", "-2013", "Order does not exist.", 400, R.NOT_FOUND),
    ("binance", "-1021", "Timestamp for this request is outside of the recvWindow.", 400, R.CLOCK),
    ("binance", "-1022", "Signature for this request is not valid.", 400, R.SIGNATURE),
    ("binance", "-2015", "Invalid API-key, IP, or permissions for action.", 401, R.KEY),
    ("binance", "-1003", "Too much request weight used.", 429, R.RATE_LIMIT),
    ("binance", "-1003", "Way too much request weight used; IP banned until 1.", 418, R.BANNED),
    ("binance", "-1007", "Timeout waiting for response from backend server.", 504, R.VENUE_FAILURE),
    ("binance", "-9999", "What is this?", 400, R.UNMAPPED),
    ("kraken", "EOrder:Insufficient funds", "", 200, R.FUNDS),
    ("kraken", "EOrder:Post only order", "", 200, R.POST_ONLY),
    ("kraken", "EOrder:Cost minimum not met", "", 200, R.MIN_NOTIONAL),
    ("kraken", "EGeneral:Invalid arguments:volume minimum not met", "", 200, R.MIN_QUANTITY),
    ("kraken", "EOrder:Tick size check failed", "", 200, R.PRICE_STEP),
    ("kraken", "EOrder:Invalid price", "", 200, R.PRICE_BAND),
    ("kraken", f"EOrder:Invalid price:XBTUSD price {KRAKEN_DIGITS}", "", 200, R.PRICE_STEP),
    ("kraken", f"EGeneral:Invalid arguments:price:{KRAKEN_DIGITS}", "", 200, R.PRICE_STEP),
    ("kraken", "EOrder:Unknown order", "", 200, R.NOT_FOUND),
    ("kraken", "EAPI:Invalid nonce", "", 200, R.NONCE),
    ("kraken", "EAPI:Invalid signature", "", 200, R.SIGNATURE),
    ("kraken", "EAPI:Rate limit exceeded", "", 200, R.RATE_LIMIT),
    ("kraken", "EGeneral:Temporary lockout", "", 200, R.BANNED),
    ("kraken", "EService:Market in cancel_only mode", "", 200, R.CANCEL_ONLY),
    ("kraken", "EService:Market in post_only mode", "", 200, R.RESTRICTED),
    ("kraken", "EService:Unavailable", "", 200, R.VENUE_FAILURE),
    ("kraken", "EService:Deadline elapsed", "", 200, R.EXPIRED),
    ("kraken", "EQuery:Unknown asset pair", "", 200, R.BAD_SYMBOL),
    ("kraken", "EGeneral:Permission denied", "", 200, R.PERMISSION),
    ("okx", "51008", "Order failed. Insufficient USDT balance in account", 200, R.FUNDS),
    ("okx", "51016", "Duplicated client order ID", 200, R.DUPLICATE_ID),
    ("okx", "51121", "Order quantity must be a multiple of the lot size.", 200, R.QUANTITY_STEP),
    ("okx", "51603", "Order does not exist", 200, R.NOT_FOUND),
    ("okx", "51402", "Cancellation failed as the order is completed.", 200, R.ALREADY_CLOSED),
    ("okx", "50102", "Timestamp request expired", 401, R.CLOCK),
    ("okx", "50105", "OK-ACCESS-PASSPHRASE incorrect", 401, R.PASSPHRASE),
    ("okx", "50011", "Too Many Requests", 429, R.RATE_LIMIT),
    ("okx", "50004", "Endpoint request timeout", 400, R.VENUE_FAILURE),
    ("okx", "51000", "Parameter clOrdId error", 200, R.BAD_ID),
    ("bybit", "170131", "Insufficient balance.", 200, R.FUNDS),
    ("bybit", "170141", "Duplicate clientOrderId", 200, R.DUPLICATE_ID),
    ("bybit", "170213", "Order does not exist.", 200, R.NOT_FOUND),
    ("bybit", "170218", "The LIMIT-MAKER order is rejected due to price.", 200, R.POST_ONLY),
    ("bybit", "10002", "invalid request, please check your server timestamp", 200, R.CLOCK),
    ("bybit", "10006", "Too many visits!", 200, R.RATE_LIMIT),
    ("bybit", "", "access too frequent", 403, R.RATE_LIMIT),
    ("bybit", "170149", "Create order failed.", 200, R.VENUE_FAILURE),
    ("htx", "account-frozen-balance-insufficient-error", "trade account", 200, R.FUNDS),
    ("htx", "order-limitorder-amount-min-error", "min: `0.001`", 200, R.MIN_QUANTITY),
    ("htx", "order-limitorder-price-buy-max-error", "limit order price error", 200, R.PRICE_BAND),
    ("htx", "order-orderprice-precision-error", "scale: `2`", 200, R.PRICE_STEP),
    ("htx", "api-signature-not-valid", "Signature not valid: Incorrect Access key", 200, R.KEY),
    ("htx", "api-signature-not-valid", "Signature not valid: Verification", 200, R.SIGNATURE),
    ("htx", "base-record-invalid", "record invalid", 200, R.NOT_FOUND),
    ("htx", "gateway-internal-error", "Failed to load data.", 200, R.VENUE_FAILURE),
    ("coinbase", "PREVIEW_INSUFFICIENT_FUND", "", 200, R.FUNDS),
    ("coinbase", "INSUFFICIENT_FUND", "Insufficient balance in source account", 200, R.FUNDS),
    ("coinbase", "INVALID_LIMIT_PRICE_POST_ONLY", "", 200, R.POST_ONLY),
    ("coinbase", "PREVIEW_INVALID_SIZE_PRECISION", "", 200, R.QUANTITY_STEP),
    ("coinbase", "UNKNOWN_CANCEL_ORDER", "", 200, R.NOT_FOUND),
    ("coinbase", "UNKNOWN_FAILURE_REASON", "", 200, R.VENUE_FAILURE),
    ("coinbase", "", "Unauthorized", 401, R.KEY),
    ("coinbaseexchange", "", "Insufficient funds", 400, R.FUNDS),
    ("coinbaseexchange", "", "order not found", 404, R.NOT_FOUND),
    ("coinbaseexchange", "", "Order already done", 400, R.ALREADY_CLOSED),
    ("coinbaseexchange", "", "price is too accurate. Smallest unit is 0.01", 400, R.PRICE_STEP),
    ("coinbaseexchange", "", "size is too small. Minimum size is 0.001", 400, R.MIN_QUANTITY),
    ("coinbaseexchange", "", "invalid signature", 401, R.SIGNATURE),
    ("coinbaseexchange", "", "request timestamp expired", 400, R.CLOCK),
    ("htx", "api-signature-not-valid", HTX_TIME, 200, R.CLOCK),
    ("htx", "api-signature-not-valid", HTX_SIGNATURE, 200, R.SIGNATURE),
    ("coinbaseexchange", "", "Public rate limit exceeded", 429, R.RATE_LIMIT),
]  # fmt: skip


@pytest.mark.parametrize(("where", "code", "text", "status", "reason"), KNOWN)
def test_raw_answers(where, code, text, status, reason):
    verdict = judge(where, code, text, status)
    assert verdict.reason is reason
    assert verdict.handling is HANDLING[reason]


@pytest.mark.parametrize("where", sorted(RULES))
@pytest.mark.parametrize(
    ("status", "handling"),
    [
        (200, Handling.AMBIGUOUS),
        (400, Handling.AMBIGUOUS),
        (403, Handling.AMBIGUOUS),
        (404, Handling.AMBIGUOUS),
        (408, Handling.AMBIGUOUS),
        (500, Handling.AMBIGUOUS),
        (502, Handling.AMBIGUOUS),
        (503, Handling.AMBIGUOUS),
        (504, Handling.AMBIGUOUS),
        (429, Handling.RETRY_LATER),
        (418, Handling.RETRY_LATER),
        (401, Handling.AUTH),
    ],
)
def test_a_body_that_is_not_the_venues_is_judged_by_its_status(where, status, handling):
    """The HTML of a proxy in front of the venue says nothing about the order."""
    assert judge(where, "", "<html>maintenance window</html>", status).handling is handling


@settings(deadline=None)
@given(st.sampled_from(sorted(RULES)), st.text(max_size=20), st.sampled_from([200, 400, 500]))
def test_what_no_table_knows_is_ambiguous(venue, code, status):
    verdict = judge(venue, code, "", status)
    table = TABLES[venue]
    if code.lower().removeprefix("preview_") not in table.codes and not any(
        pattern.search(f"{code} ".lower()) for pattern, _ in table.texts
    ):
        assert verdict.handling is Handling.AMBIGUOUS


def test_every_venue_can_say_the_reasons_that_a_client_acts_on():
    acted_on = {R.FUNDS, R.DUPLICATE_ID, R.NOT_FOUND, R.RATE_LIMIT, R.VENUE_FAILURE}
    for venue, table in TABLES.items():
        said = set(table.codes.values()) | {reason for _, reason in table.texts}
        assert acted_on <= said, venue
        assert R.POST_ONLY in said or RULES[venue].post_only is PostOnly.CANCELED, venue
        assert said & {R.CLOCK, R.NONCE}, venue
        assert said & {R.KEY, R.SIGNATURE}, venue
    assert set(TABLES) == set(RULES)


def test_a_code_has_one_reason():
    with pytest.raises(ValueError, match="two reasons"):
        _table((), {R.FUNDS: "1 2", R.HALTED: "2"})


def test_a_refusal_is_rejected_or_unknown_with_the_venues_own_words():
    no = refusal("okx", "51008", "Insufficient balance", 200, ts_ns=5)
    assert no == Rejected(reason=R.FUNDS, raw="51008 Insufficient balance", ts_ns=5)
    late = refusal("binance", "-1003", "Too much", 429, retry_after_ns=9)
    assert isinstance(late, Rejected)
    assert (late.handling, late.retry_after_ns) == (Handling.RETRY_LATER, 9)
    assert late.raw == "HTTP 429: -1003 Too much"
    maybe = refusal("htx", "", "<html>" + "x" * 999, 502)
    assert isinstance(maybe, Unknown)
    assert maybe.why is R.VENUE_FAILURE
    assert len(maybe.detail) < 220
    assert refusal("kraken", "", "", 200) == Unknown(why=R.UNMAPPED, detail="no text")
    there = refusal("bybit", "170141", "Duplicate clientOrderId")
    assert isinstance(there, Unknown), "an order of that id exists: it must be looked up"


def test_an_ambiguous_rejection_and_an_acceptance_without_id_cannot_be_made():
    from kimera_cli.venues.orders.outcome import Accepted

    with pytest.raises(ValueError, match="Unknown"):
        Rejected(reason=R.UNMAPPED, raw="", handling=Handling.AMBIGUOUS)
    with pytest.raises(ValueError, match="Unknown"):
        Accepted(venue_order_id="", ts_ns=1)
