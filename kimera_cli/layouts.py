"""Numpy layouts of the hot path, declared once.

Everything the kernels share is a flat, aligned record: an event is one 64-byte cache line.
Integers carry prices (ticks), sizes (lots) and time (ns since the Unix epoch, UTC); floats appear
only where a value is a statistic or money. Kernels read and write these records through attributes
(`view.position_lots`), and the same code runs on `numpy.record` when compilation is switched off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Events = NDArray[np.void]
"""Structured array of dtype EVENT, shape (n,)."""
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# --- sides -------------------------------------------------------------------------------------
BID = 0
"""Bid side of a book; a buy order; a trade whose aggressor bought."""
ASK = 1
NO_SIDE = 2
"""A trade whose aggressor the feed does not tell."""

NO_BID = -1
"""Best bid of an empty side: below every price."""
NO_ASK = 1 << 60
"""Best ask of an empty side: above every price."""

# --- event kinds -------------------------------------------------------------------------------
DEPTH = 1
"""A price level now holds qty_lots (0: gone). L2 family."""
TRADE = 2
"""A trade; side is the aggressor's."""
QUOTE = 3
"""The feed's own best price and size of one side. A statement to check against; it does not touch
the book.
"""
CLEAR = 4
"""Forget a side (BID, ASK) or both (NO_SIDE): a snapshot follows, or the feed lost its place."""
CHECKSUM = 5
"""The feed's own book checksum after the message (unsigned, in qty_lots). Where its text depends
on how the venue writes numbers (Kraken), px_ticks and ref say how many decimals prices and
sizes were sent with.
"""
ADD = 6
"""L3: order `ref` enters with qty_lots at px_ticks."""
MODIFY = 7
"""L3: order `ref` now has qty_lots (and px_ticks)."""
DELETE = 8
"""L3: order `ref` leaves; qty_lots is what was removed (0: not told)."""
EXECUTE = 9
"""L3: qty_lots of resting order `ref` were executed at px_ticks; side is the resting order's."""
FUNDING = 10
"""Funding payment time: rate in units of 1e-9 per position value, in qty_lots."""
MARK = 11
"""Mark price, in px_ticks."""
STATUS = 12
"""Trading status change or a message that has no other kind; flags tell."""

# --- event flags -------------------------------------------------------------------------------
F_LAST = 1
"""Last event of one venue message: the book is consistent after it."""
F_SNAPSHOT = 2
"""Part of a snapshot."""
F_GAP = 4
"""The importer saw a sequence gap just before this event: the book is not to be trusted until a
snapshot.
"""
F_HIDDEN = 8
"""A trade against hidden liquidity: no displayed size leaves the book."""
F_NO_EXCH_TIME = 16
"""The venue sent no time of its own: ts_exch_ns equals ts_local_ns."""
F_STALE = 32
"""The message is older than the snapshot before it (Binance: u <= lastUpdateId): the book already
holds it, and applying it would undo what came after. It does not touch the book.
"""
F_HALF_TICK = 64
"""The trade printed half a tick above px_ticks (midpoint executions of hidden orders)."""
F_CONFLATED = 128
"""The message is several venue messages in one: the reader lagged, and only the last state of each
level was kept (kernels/conflate.py).
"""

EVENT = np.dtype(
    [
        ("ts_exch_ns", "i8"),
        ("ts_local_ns", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        (
            "seq",
            "i8",
        ),  # venue's number of the message (Binance u, trade id for trades); 0 where there is none
        (
            "ref",
            "i8",
        ),  # L3: order id. DEPTH: the seq this message follows (Binance pu or U-1). Else 0.
        ("instrument", "i4"),  # index into the instruments of the run; 0 in a stored dataset
        ("venue", "i2"),  # index into VENUES
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "u2"),
        ("reserved", "u2"),
        ("aux", "i4"),
    ],
    align=True,
)
"""One market event; 64 bytes."""

VENUES = (
    "synthetic",
    "binance",
    "binanceusdm",
    "binancecoinm",
    "coinbase",
    "coinbaseexchange",
    "kraken",
    "bybit",
    "okx",
    "htx",
    "bitstamp",
    "bitfinex",
    "nasdaq",
)
"""Venue names by index, in ccxt's spelling (binance: spot; binanceusdm, binancecoinm: its
futures). Append only.
"""

# --- instruments -------------------------------------------------------------------------------
SPOT = 0
LINEAR = 1
INVERSE = 2

INSTRUMENT = np.dtype(
    [
        ("kind", "i8"),  # SPOT, LINEAR, INVERSE
        ("tick", "f8"),  # quote currency per tick
        ("lot", "f8"),  # base units (spot, linear) or contracts (inverse) per lot
        (
            "contract_size",
            "f8",
        ),  # base units per unit of size (spot, linear) or quote units per contract (inverse)
        ("maker_fee", "f8"),  # fraction of traded value; negative is a rebate
        ("taker_fee", "f8"),
        ("min_lots", "i8"),
        ("max_lots", "i8"),  # 0: no limit known
        ("min_notional", "f8"),  # quote currency
        ("settle_rate", "f8"),  # portfolio currency per unit of quote currency
    ],
    align=True,
)
"""Hot row of one instrument; built by `Instrument.row()`."""

# --- orders ------------------------------------------------------------------------------------
LIMIT = 0
MARKET = 1

GTC = 0
IOC = 1
FOK = 2
POST_ONLY = 3

ACT_NEW = 1
ACT_CANCEL = 2
ACT_AMEND = 3
"""Change px_ticks and qty_lots (the new open quantity). Priority survives only a smaller size at
the same price.
"""
ACT_CANCEL_ALL = 4

ORDER_NONE = 0
ORDER_PENDING = 1
"""Sent, no answer yet."""
ORDER_OPEN = 2
ORDER_CANCELLING = 3
ORDER_AMENDING = 4

MAX_ORDERS = 32
"""Open orders of one strategy in one instrument."""
MAX_ACTIONS = 32
MAX_PARAMS = 16
MAX_STATE = 32
MAX_STRATEGIES = 8
MAX_INSTRUMENTS = 64

ACTION = np.dtype(
    [
        ("kind", "i8"),  # ACT_*
        ("side", "i8"),  # BID buys, ASK sells
        ("type", "i8"),  # LIMIT, MARKET
        ("tif", "i8"),  # GTC, IOC, FOK, POST_ONLY
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("order", "i8"),  # ACT_CANCEL, ACT_AMEND: index into view.orders
        ("tag", "i8"),  # strategy's own mark, kept on the order
    ],
    align=True,
)

OPEN_ORDER = np.dtype(
    [
        ("state", "i8"),  # ORDER_*
        ("id", "i8"),
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("left_lots", "i8"),
        ("tag", "i8"),
        ("ts_sent_ns", "i8"),
        ("reserved", "i8"),
    ],
    align=True,
)
"""One own order as the strategy's side knows it (answers arrive with latency)."""

VIEW = np.dtype(
    [
        ("now_ns", "i8"),
        ("strategy", "i8"),
        ("instrument", "i8"),
        ("reason", "i8"),  # WAKE_*: why the strategy is called
        ("tick", "f8"),
        ("lot", "f8"),
        ("contract_size", "f8"),
        ("maker_fee", "f8"),
        ("taker_fee", "f8"),
        # book, as this side of the wire knows it
        ("best_bid_ticks", "i8"),
        ("best_bid_lots", "i8"),
        ("best_ask_ticks", "i8"),
        ("best_ask_lots", "i8"),
        # features (docs: kernels/features.py)
        ("mid_ticks", "f8"),
        ("microprice_ticks", "f8"),
        ("queue_imbalance", "f8"),
        ("depth_imbalance", "f8"),
        ("ofi", "f8"),
        ("signed_flow", "f8"),
        ("vol_fast", "f8"),  # ticks per square root of second
        ("vol_mid", "f8"),
        ("vol_slow", "f8"),
        ("last_trade_ticks", "i8"),
        ("last_trade_lots", "i8"),
        ("last_trade_side", "i8"),
        # own account in this instrument
        ("position_lots", "i8"),
        ("open_bid_lots", "i8"),
        ("open_ask_lots", "i8"),
        ("cash", "f8"),  # settlement currency, fees included
        ("equity", "f8"),  # settlement currency
        ("n_orders", "i8"),  # orders whose state is not ORDER_NONE
        ("n_actions", "i8"),
        ("params", "f8", (MAX_PARAMS,)),
        ("state", "f8", (MAX_STATE,)),
        ("orders", OPEN_ORDER, (MAX_ORDERS,)),
        ("actions", ACTION, (MAX_ACTIONS,)),
        # instrument, as in its INSTRUMENT row: what sizing by value needs
        ("kind", "i8"),  # SPOT, LINEAR, INVERSE
        ("min_lots", "i8"),
        ("settle_rate", "f8"),  # portfolio currency per unit of quote currency
        ("min_notional", "f8"),  # quote currency
        ("table", "i8"),  # address of the TABLE_USE of its decision table; 0: it has none
        # the same asset on all venues of the run (kernels/group.py); portfolio currency per base
        # unit with the taker fee in it, sizes in base units
        ("group_size", "i8"),  # instruments of the group; 1: it is alone, and the rest is not kept
        ("group_bid", "f8"),  # best bid, what selling brings; NaN: there is none
        ("group_bid_instrument", "i8"),  # whose bid that is; -1: nobody's
        ("group_bid_size", "f8"),
        ("group_ask", "f8"),  # best ask, what buying costs
        ("group_ask_instrument", "i8"),
        ("group_ask_size", "f8"),
        ("group_position", "f8"),  # of this strategy in all instruments of the group
        ("group_orders", "i8"),  # own orders of this strategy there
        ("spot_short", "i8"),  # 1: the gate lets spot be sold that the run did not buy
    ],
    align=True,
)
"""All that a strategy sees and says, one record per (strategy, instrument)."""

WAKE_EVENT = 0
WAKE_TIMER = 1
WAKE_FILL = 2
WAKE_GROUP = 3
"""Something came of another instrument of the group (strategies with GROUP = True)."""

FEATURES = np.dtype(
    [
        ("best_bid_ticks", "i8"),
        ("best_bid_lots", "i8"),
        ("best_ask_ticks", "i8"),
        ("best_ask_lots", "i8"),
        ("mid_ticks", "f8"),
        ("microprice_ticks", "f8"),
        ("queue_imbalance", "f8"),
        ("depth_imbalance", "f8"),
        ("ofi", "f8"),
        ("signed_flow", "f8"),
        ("vol_fast", "f8"),
        ("vol_mid", "f8"),
        ("vol_slow", "f8"),
        ("last_trade_ticks", "i8"),
        ("last_trade_lots", "i8"),
        ("last_trade_side", "i8"),
        ("ts_book_ns", "i8"),  # time of the last book change
        ("ts_flow_ns", "i8"),
        ("ts_vol_ns", "i8"),
        ("var_fast", "f8"),
        ("var_mid", "f8"),
        ("var_slow", "f8"),
        ("vol_mid_ticks", "f8"),  # mid at the last variance update
        ("ofi_sum", "f8"),
        ("n_updates", "i8"),
        ("ts_start_ns", "i8"),  # time of the first two-sided book: where the variances start
        ("reserved", "i8", (6,)),
    ],
    align=True,
)
"""Feature state of one instrument; meanings and time constants in kernels/features.py."""

# --- what the loop says ------------------------------------------------------------------------
R_INTENT = 1
R_DENIED = 2
R_ACCEPTED = 3
R_REJECTED = 4
R_FILL = 5
R_CANCELLED = 6
R_AMENDED = 7
R_CANCEL_REJECTED = 8
R_MARKOUT = 9
R_SAMPLE = 10
R_FUNDING = 11
R_HALT = 12
R_CANCEL_INTENT = 13
R_AMEND_INTENT = 14
R_BREAKER = 15
"""The overload breaker opened (code: DENIALS index) or closed (code 0); qty_lots: queue age in ns,
left_lots: its limit.
"""

RECORD = np.dtype(
    [
        ("seq", "i8"),  # 1, 2, 3 ... within the run
        ("ts_ns", "i8"),  # when the loop's side learnt it (local clock)
        ("ts_exch_ns", "i8"),  # when it happened at the venue
        ("kind", "i8"),  # R_*
        ("strategy", "i8"),
        ("instrument", "i8"),
        ("order_id", "i8"),
        ("side", "i8"),
        (
            "type",
            "i8",
        ),  # R_INTENT, R_DENIED: LIMIT, MARKET. R_MARKOUT: horizon in ns. R_FILL: 1 maker, 0 taker.
        ("tif", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("left_lots", "i8"),
        ("code", "i8"),  # denial or reject reason (DENIALS, REJECTS)
        ("mid_ticks", "f8"),  # mid in force at the venue; NaN when one side is empty
        ("fee", "f8"),  # settlement currency, positive is paid
        ("position_lots", "i8"),  # after this record, of (strategy, instrument)
        ("equity", "f8"),  # R_SAMPLE: settlement currency of the sleeve; else NaN
        (
            "ahead_lots",
            "f8",
        ),  # R_FILL of a maker: queue that stood ahead when the order was placed. R_ACCEPTED: now.
        ("tag", "i8"),
    ],
    align=True,
)
"""One line of the audit stream as the loop writes it; 160 bytes."""

DENIALS = (
    "ok",
    "kill_switch",
    "not_trading",
    "instrument_filter",
    "max_order",
    "position_limit",
    "asset_exposure",
    "open_orders",
    "order_rate",
    "price_collar",
    "drawdown",
    "daily_loss",
    "stale_data",
    "no_book",
    "self_trade",
    "table_full",
    "bad_action",
    "overload",
    "venue_away",
)
"""Gate answers by code; the public code is `risk.<name>`. Append only."""

REJECTS = (
    "ok",
    "post_only_would_cross",
    "fok_not_filled",
    "ioc_expired",
    "unknown_order",
    "self_trade",
    "min_size",
    "no_liquidity",
    "too_late",
    "price_band",
    "book_full",
    "bad_order",
    "funds",
    "halted",
    "not_sent",
    "in_doubt",
    "refused",
)
"""Venue answers by code; the public code is `venue.<name>`. Append only."""


CACHE_LINE = 64


def aligned_zeros(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a zeroed array that begins on a cache line.

    numpy aligns to 16 bytes: an event would lie on two lines, and cost two reads.
    """
    rows = np.prod(shape, dtype=np.int64)
    raw = np.zeros(int(rows) * dtype.itemsize + CACHE_LINE, np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + int(rows) * dtype.itemsize].view(dtype).reshape(shape)


def empty_events(n: int) -> Events:
    """Return n zeroed events, each on one cache line."""
    return aligned_zeros(n, EVENT)


# --- bars --------------------------------------------------------------------------------------
OHLCV = np.dtype(
    [
        ("ts_ns", "i8"),  # start of the bar, UTC
        ("open", "f8"),
        ("high", "f8"),
        ("low", "f8"),
        ("close", "f8"),
        ("volume", "f8"),  # base units (inverse: contracts)
        ("quote_volume", "f8"),  # NaN: not told
        ("trades", "i8"),  # -1: not told
        ("line", "i8"),  # 1-based line or row number in the source file
    ],
    align=True,
)
"""One bar as its source tells it; NaN stands where the source has no number. 72 bytes. Family
`mark-*`: prices are mark prices; family `funding-*`: the rate is in `open`.
"""

# --- decision table ----------------------------------------------------------------------------
TABLE_AXES = (
    "queue_imbalance",
    "depth_imbalance",
    "ofi",
    "signed_flow",
    "spread_ticks",
    "vol_fast",
    "vol_mid",
    "vol_slow",
)
"""What a market state can be quantised by; spread_ticks is best ask minus best bid, the others are
fields of FEATURES. Append only."""
TABLE_ODD = 4
"""The first of these change sign when bid and ask change places, the others do not."""
TABLE_BINS = 64
"""Most bins of one axis."""
TABLE_CELLS = 10_000
"""Most cells of a table."""

SELL = -1
HOLD = 0
BUY = 1

TABLE_ENTRY = np.dtype(
    [
        ("version", "i8"),  # of the table that it was published with; 0: nothing is known here
        ("learned_ns", "i8"),  # end of the data that it was learned on
        ("expires_ns", "i8"),  # not to be used at or after this time
        ("expected_ticks", "f8"),  # conditional expectation of the next move of the mid
        ("p_sell", "f4"),  # action distribution; sums to 1
        ("p_hold", "f4"),
        ("p_buy", "f4"),
        ("confidence", "f4"),  # 0 to 1: share of the cell in which the action is the same
        ("support", "f4"),  # effective observations behind it, where they are fewest in the cell
        ("action", "i4"),  # SELL, HOLD, BUY: the likeliest
        ("check", "i8"),  # checksum of the other words (kernels/table.py)
    ],
    align=True,
)
"""One cell; 64 bytes, a cache line."""

TABLE_SIDE = np.dtype(
    [
        ("version", "i8"),
        ("cells", "i8"),
        ("strides", "i8", (len(TABLE_AXES),)),  # 0: the axis is not used
        ("bins", "i8", (len(TABLE_AXES),)),
        ("reserved", "i8", (6,)),
        ("edges", "f8", (len(TABLE_AXES), TABLE_BINS)),  # rising, then +inf
        ("lasts", "f8", (len(TABLE_AXES), 8)),  # every eighth of them
        ("entries", TABLE_ENTRY, (TABLE_CELLS,)),
    ],
    align=True,
)

TABLE = np.dtype(
    [
        ("magic", "i8"),
        ("bytes", "i8"),  # of this layout
        ("sequence", "i8", (1,)),  # of publications; the side to read is its last bit, 0: none yet
        ("reserved", "i8", (5,)),
        ("sides", TABLE_SIDE, (2,)),
    ],
    align=True,
)
"""A published table: two sides, of which one is read while the other is written."""

TABLE_SAMPLE = np.dtype(
    [
        ("ts_ns", "i8"),
        ("version", "i8"),
        ("cell", "i4"),
        ("action", "i4"),
        ("status", "i8"),
        ("x", "f8", (len(TABLE_AXES),)),
    ],
    align=True,
)
"""One lookup, kept so that the same decision can be computed anew and compared."""

TABLE_STATUSES = (
    "ok",
    "no_table",
    "no_state",
    "missing",
    "expired",
    "too_old",
    "old_version",
    "not_yet",
    "unsure",
    "busy",
)
"""Answers of a lookup by code; only `ok` allows new risk. Append only."""

TABLE_SAMPLES = 2_048

TABLE_USE = np.dtype(
    [
        ("table", "i8"),  # address of the TABLE
        # what the reader asks for
        ("min_version", "i8"),
        ("max_age_ns", "i8"),  # 0: no limit but the expiry
        ("min_confidence", "f8"),
        ("sample_every", "i8"),  # keep one lookup in this many; 0: none
        ("until_sample", "i8"),
        ("reserved", "i8", (2,)),
        # the last answer
        ("entry", TABLE_ENTRY),
        ("cell", "i8"),
        ("status", "i8"),
        # counts
        ("counts", "i8", (16,)),  # lookups by status
        ("age_sum_ns", "f8"),  # over hits
        ("age_max_ns", "i8"),
        ("n_samples", "i8"),
        ("dropped", "i8"),  # samples that found no room
        ("rest", "i8", (2,)),
        ("samples", TABLE_SAMPLE, (TABLE_SAMPLES,)),
    ],
    align=True,
)
"""One reader of a table: what it asks for, what it was told last, and its counts."""
