"""What venues call their refusals, one table per venue.

A refusal is looked up by its text first, because some codes say no more than "refused" and leave
the reason to the text, then by its code. Only what certainly was not executed has a reason whose
handling is definite (see reasons.HANDLING): "create order failed" and "system busy" are failures of
the venue, after which an order may exist. Sources: the venues' error pages, ccxt 4.5's tables (for
codes, never for classes), and the texts of docs.kraken.com/api/docs/guides/global-errors.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kimera_cli.venues.orders.outcome import Reason

R = Reason


class Table(NamedTuple):
    """One venue's refusals: patterns over `code text` in small letters, then exact codes."""

    texts: tuple[tuple[re.Pattern[str], Reason], ...]
    codes: dict[str, Reason]


def _table(texts: tuple[tuple[str, Reason], ...], codes: dict[Reason, str] | None = None) -> Table:
    by_code: dict[str, Reason] = {}
    for reason, words in (codes or {}).items():
        for code in words.split():
            if by_code.setdefault(code.lower(), reason) is not reason:
                raise ValueError(f"code {code} has two reasons")
    return Table(tuple((re.compile(text), reason) for text, reason in texts), by_code)


_BINANCE = _table(
    (
        ("percent_price", R.PRICE_BAND),
        ("price_filter|parameter 'price' has too much precision", R.PRICE_STEP),
        ("notional", R.MIN_NOTIONAL),
        ("lot_size", R.QUANTITY_STEP),
        ("max_num", R.OPEN_ORDERS),
        ("max_position", R.POSITION_LIMIT),
        ("insufficient balance", R.FUNDS),
        ("immediately match", R.POST_ONLY),
        ("duplicate order", R.DUPLICATE_ID),
        ("market is closed", R.HALTED),
        ("unknown order|order does not exist", R.NOT_FOUND),
        ("rest api trading is not enabled", R.PERMISSION),
        ("not permitted|is disabled on this account|may not place", R.RESTRICTED),
        ("liquidity", R.LIQUIDITY),
        ("self.?trade", R.SELF_TRADE),
    ),
    {
        R.VENUE_FAILURE: "-1000 -1001 -1004 -1006 -1007 -1008 -2021 -2022",
        R.RATE_LIMIT: "-1003 -1015 -1034",
        R.CLOCK: "-1021",
        R.SIGNATURE: "-1022",
        R.KEY: "-2008 -2014 -2015",
        R.PERMISSION: "-1002 -1099",
        R.QUANTITY_STEP: "-1111",
        R.LIQUIDITY: "-1112",
        R.BAD_SYMBOL: "-1121 -1108",
        R.BAD_REQUEST: "-1013 -1014 -1016 -1020 -1100 -1101 -1102 -1103 -1104 -1105 -1106 -1114 "
        "-1115 -1116 -1117 -1118 -1119 -1128 -1130 -1131 -1134 -1135 -1145",
        R.HALTED: "-2016",
        R.NOT_FOUND: "-2013",
        R.ALREADY_CLOSED: "-2026",
        R.REFUSED: "-2010 -2011 -2038",
    },
)

_KRAKEN = _table(
    (
        ("cl_ord_id.*(duplicate|exist|in use|unique)|duplicate.*cl_ord_id", R.DUPLICATE_ID),
        ("cl_ord_id", R.BAD_ID),
        ("invalid arguments:volume minimum|order minimum not met", R.MIN_QUANTITY),
        ("cost minimum not met", R.MIN_NOTIONAL),
        ("invalid arguments:volume", R.QUANTITY_STEP),
        ("tick size check|invalid arguments:price|invalid price argument", R.PRICE_STEP),
        ("price can only be specified up to", R.PRICE_STEP),
        ("invalid price", R.PRICE_BAND),
        ("insufficient (funds|margin|initial margin)|iinsufficient", R.FUNDS),
        ("eorder:post only", R.POST_ONLY),
        ("self.?trade", R.SELF_TRADE),
        ("unknown order", R.NOT_FOUND),
        ("orders limit exceeded", R.OPEN_ORDERS),
        ("positions? limit exceeded", R.POSITION_LIMIT),
        ("(unknown|invalid) asset", R.BAD_SYMBOL),
        ("cancel_only", R.CANCEL_ONLY),
        ("post_only mode|limit_only|trading agreement|user locked", R.RESTRICTED),
        ("eapi:invalid key", R.KEY),
        ("invalid signature", R.SIGNATURE),
        ("invalid nonce", R.NONCE),
        ("permission", R.PERMISSION),
        ("esession:invalid session|token", R.SESSION),
        ("rate limit exceeded|too many requests", R.RATE_LIMIT),
        ("temporary lockout", R.BANNED),
        ("deadline (elapsed|exceeded)", R.EXPIRED),
        ("market is (halted|closed)|in maintenance mode", R.HALTED),
        ("eservice:(unavailable|busy|timeout)|internal error|cancel pending", R.VENUE_FAILURE),
        ("invalid (arguments|order)", R.BAD_REQUEST),
    )
)

_OKX = _table(
    (
        ("post.?only", R.POST_ONLY),
        ("clordid", R.BAD_ID),
        ("parameter px", R.PRICE_STEP),
        ("self.?trade", R.SELF_TRADE),
    ),
    {
        R.FUNDS: "51008 51119 51127 51131 51502 51736 51764",
        R.BAD_REQUEST: "50000 50002 50006 50014 50015 50016 50024 50025 50115 51000 51003 51407 "
        "60012 60013 60018",
        R.MAINTENANCE: "50001",
        R.VENUE_FAILURE: "50004 50005 50013 50026 51410",
        R.RATE_LIMIT: "50011 50061 51113 60014",
        R.RESTRICTED: "50007 50009 50012 50027 51009 51010 51024 51124 51155",
        R.REFUSED: "50028 50062",
        R.EXPIRED: "50036",
        R.CLOCK: "50102 50107 50112 60004 60006",
        R.KEY: "50008 50100 50101 50103 50111 50119 60005 60032",
        R.PASSPHRASE: "50104 50105 60024",
        R.SIGNATURE: "50106 50113 60007",
        R.ADDRESS: "50110",
        R.PERMISSION: "50114 50120",
        R.SESSION: "60009 60011",
        R.BAD_SYMBOL: "51001 51002 51012 51015 51026",
        R.MAX_QUANTITY: "51004 51005 51101 51185 51201 51202 51203",
        R.PRICE_BAND: "51006 51031 51116 51122 51135 51136 51137 51138",
        R.DUPLICATE_ID: "51011 51016",
        R.MIN_QUANTITY: "51007 51020 51100 51120",
        R.MIN_NOTIONAL: "51118",
        R.QUANTITY_STEP: "51121",
        R.HALTED: "51021 51022 51027 51028 51029 51030",
        R.OPEN_ORDERS: "51025 51102 51103 51174",
        R.POSITION_LIMIT: "51107 51129",
        R.LIQUIDITY: "51109",
        R.NOT_FOUND: "51400 51405 51503 51603",
        R.ALREADY_CLOSED: "51401 51402 51509 51510",
        R.POST_ONLY: "51511",
    },
)

_BYBIT = _table(
    (
        ("access too frequent", R.RATE_LIMIT),
        ("orderlinkid.*duplicat|duplicat.*orderlinkid", R.DUPLICATE_ID),
        ("orderlinkid", R.BAD_ID),
        ("self.?match|self.?trade", R.SELF_TRADE),
    ),
    {
        R.BAD_REQUEST: "10001 10017 10404 170105 170115 170116 170117 170130 170145 170227",
        R.CLOCK: "10002",
        R.KEY: "10003 10007",
        R.SIGNATURE: "10004",
        R.PERMISSION: "10005 10020 10028 100028",
        R.RATE_LIMIT: "10006 10018 10429 20003 170005 170222",
        R.RESTRICTED: "10008 10024 10027 170157 170159 170201 170209 170217 170224 170241",
        R.BANNED: "10009",
        R.ADDRESS: "10010",
        R.DUPLICATE_ID: "10014 110072 170141",
        R.VENUE_FAILURE: "10016 170001 170007 170032 170144 170146 170147 170149 170150 170191 "
        "170234",
        R.BAD_SYMBOL: "10029 170121 170221",
        R.NOT_FOUND: "110001 170143 170213",
        R.PRICE_BAND: "110003 170132 170133 170192 170193 170194 170371 170372",
        R.FUNDS: "110004 110007 170033 170034 170131 170223 170226",
        R.ALREADY_CLOSED: "110008 110010 170139 170142 170190",
        R.MAX_QUANTITY: "170124 170135 170197 170198 170199 170200 170228 170229",
        R.PRICE_STEP: "170134",
        R.MIN_QUANTITY: "170136",
        R.QUANTITY_STEP: "170137 170148",
        R.MIN_NOTIONAL: "170140",
        R.HALTED: "170151 170031",
        R.REFUSED: "170210",
        R.POST_ONLY: "170218",
        R.OPEN_ORDERS: "170810",
        R.SESSION: "20001 10019",
    },
)

_HTX = _table(
    (
        # Documented for ids that are taken; ours are never malformed.
        ("invalid-client-order-id", R.DUPLICATE_ID),
        ("client-order-id", R.BAD_ID),
        ("incorrect access key", R.KEY),
        ("has no permission", R.PERMISSION),
        ("timestamp|submission time", R.CLOCK),
        ("trade not open now", R.HALTED),
        ("invalid symbol", R.BAD_SYMBOL),
        ("request limit", R.RATE_LIMIT),
        ("price-(min|max)-error|price-(buy|sell)-(min|max)-error", R.PRICE_BAND),
        ("amount-min-error", R.MIN_QUANTITY),
        ("amount-max-error", R.MAX_QUANTITY),
        ("self.?(match|trade)", R.SELF_TRADE),
    ),
    {
        R.BAD_REQUEST: "bad-request invalid-parameter validation-format-error "
        "validation-constraints-required 2002",
        R.VENUE_FAILURE: "timeout gateway-internal-error order-update-error system-busy 500",
        R.FUNDS: "account-frozen-balance-insufficient-error account-balance-insufficient-error "
        "order-accountbalance-error",
        R.QUANTITY_STEP: "invalid-amount order-orderamount-precision-error "
        "order-marketorder-amount-precision-error",
        R.PRICE_STEP: "order-invalid-price order-orderprice-precision-error",
        R.MIN_NOTIONAL: "order-value-min-error",
        R.POSITION_LIMIT: "order-holding-limit-failed",
        R.ALREADY_CLOSED: "order-orderstate-error",
        R.NOT_FOUND: "order-queryorder-invalid base-record-invalid not-found",
        R.SIGNATURE: "api-signature-check-failed api-signature-not-valid 1003",
        R.KEY: "403 1002 account-get-accounts-inexistent-error",
        R.SESSION: "login-required",
        R.HALTED: "base-symbol-trade-disabled forbidden-trade-for-open-protect order-disabled "
        "cancel-disabled",
        R.BAD_SYMBOL: "base-symbol-error require-symbol",
        R.MAINTENANCE: "system-maintenance",
        R.RATE_LIMIT: "base-request-exceed-frequency-limit rate-too-many-requests",
        R.RESTRICTED: "base-user-request-not-allowed base-operation-forbidden "
        "market-orders-not-support-during-limit-price-trading",
    },
)

_COINBASE = _table(
    (
        ("duplicate_client_order_id", R.DUPLICATE_ID),
        ("request timestamp expired|token is expired|exp.*claim", R.CLOCK),
        ("orderid was not found", R.NOT_FOUND),
        ("cancel only", R.CANCEL_ONLY),
        ("insufficient balance", R.FUNDS),
        ("size is below the minimum", R.MIN_QUANTITY),
        ("size is above the maximum", R.MAX_QUANTITY),
        ("value is below the minimum", R.MIN_NOTIONAL),
        ("self.?trade", R.SELF_TRADE),
    ),
    {
        R.FUNDS: "INSUFFICIENT_FUND INSUFFICIENT_FUNDS INSUFFICIENT_LEDGER_BALANCE",
        R.POST_ONLY: "INVALID_LIMIT_PRICE_POST_ONLY",
        R.PRICE_STEP: "INVALID_PRICE_PRECISION",
        R.PRICE_BAND: "INVALID_LIMIT_PRICE INVALID_PRICE_TOO_LARGE",
        R.QUANTITY_STEP: "INVALID_SIZE_PRECISION INVALID_QUOTE_SIZE_PRECISION INVALID_SIZE",
        R.MIN_QUANTITY: "INVALID_BASE_SIZE_TOO_SMALL",
        R.MAX_QUANTITY: "INVALID_BASE_SIZE_TOO_LARGE INVALID_QUOTE_SIZE_TOO_LARGE",
        R.MIN_NOTIONAL: "INVALID_QUOTE_SIZE_TOO_SMALL",
        R.BAD_SYMBOL: "INVALID_PRODUCT_ID INVALID_CANCEL_PRODUCT_ID",
        R.RESTRICTED: "INELIGIBLE_PAIR UNTRADABLE_PRODUCT",
        R.HALTED: "ORDER_ENTRY_DISABLED",
        R.LIQUIDITY: "INVALID_NO_LIQUIDITY",
        R.BAD_REQUEST: "INVALID_SIDE INVALID_REQUEST INVALID_ARGUMENT INVALID_CANCEL_REQUEST "
        "INVALID_ORDER_CONFIG UNSUPPORTED_ORDER_CONFIGURATION",
        R.NOT_FOUND: "NOT_FOUND UNKNOWN_CANCEL_ORDER",
        R.PERMISSION: "PERMISSION_DENIED invalid_scope",
        R.KEY: "UNAUTHENTICATED UNAUTHORIZED authentication_error invalid_token revoked_token",
        R.RATE_LIMIT: "rate_limit_exceeded resource_exhausted",
        R.VENUE_FAILURE: "UNKNOWN_FAILURE_REASON UNKNOWN_CANCEL_FAILURE_REASON INTERNAL "
        "internal_server_error COMMANDER_REJECTED_CANCEL_ORDER DUPLICATE_CANCEL_REQUEST",
        R.REFUSED: "COMMANDER_REJECTED_NEW_ORDER",
    },
)

_COINBASE_EXCHANGE = _table(
    (
        ("client_oid.*(duplicat|exist|used)|duplicat.*client_oid", R.DUPLICATE_ID),
        ("client_oid", R.BAD_ID),
        ("insufficient funds", R.FUNDS),
        ("invalid api key|unauthorized", R.KEY),
        ("invalid signature", R.SIGNATURE),
        ("invalid passphrase", R.PASSPHRASE),
        ("timestamp", R.CLOCK),
        ("already done", R.ALREADY_CLOSED),
        ("order not found|invalid order id|notfound", R.NOT_FOUND),
        ("rate limit exceeded", R.RATE_LIMIT),
        ("under maintenance", R.MAINTENANCE),
        ("cancel only mode", R.CANCEL_ONLY),
        ("(post|limit) only mode|trading pair not available", R.RESTRICTED),
        ("post.?only", R.POST_ONLY),
        ("trading is (disabled|halted)", R.HALTED),
        ("product not found", R.BAD_SYMBOL),
        ("price.*too (precise|accurate)|price too small", R.PRICE_STEP),
        ("invalid price", R.PRICE_BAND),
        ("insufficient liquidity", R.LIQUIDITY),
        ("max open orders", R.OPEN_ORDERS),
        ("size.*too (precise|accurate)", R.QUANTITY_STEP),
        ("size.*too small", R.MIN_QUANTITY),
        ("size.*too large", R.MAX_QUANTITY),
        ("funds.*too small|min(imum)? market funds", R.MIN_NOTIONAL),
        ("self.?trade", R.SELF_TRADE),
        ("forbidden|insufficient scope", R.PERMISSION),
        ("internal server error", R.VENUE_FAILURE),
    )
)

TABLES: dict[str, Table] = {
    "binance": _BINANCE,
    "coinbase": _COINBASE,
    "coinbaseexchange": _COINBASE_EXCHANGE,
    "kraken": _KRAKEN,
    "bybit": _BYBIT,
    "okx": _OKX,
    "htx": _HTX,
}
