"""State of the replay loop: flat records, one array each, owned by the engine and moved by kernels.

Nothing here is public: what a strategy sees is layouts.VIEW, what leaves the loop is
layouts.RECORD.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.layouts import MAX_INSTRUMENTS

FOREVER = (1 << 62) - 1
"""A time that never comes."""

# --- why the loop returns ----------------------------------------------------------------------
DONE = 0
"""All streams have ended and every answer was delivered."""
NEED_DATA = 1
"""Stream loop.stream needs more events (or the word that it ended)."""
FLUSH = 2
"""The record buffer is nearly full."""
CALL_PYTHON = 3
"""Sleeve loop.sleeve belongs to a Python strategy: call it, then come back."""
STRATEGY_FAILED = 4
"""Sleeve loop.sleeve's strategy returned loop.error (< 0)."""
BOOK_OVERFLOW = 5
"""The book of stream loop.stream has no room for more levels outside its window."""
HEAP_FULL = 6
"""Too many requests or answers are on their way: a strategy floods the venue."""
TIME_LIMIT = 7
"""loop.end_ns is reached."""

PAUSED = 8
"""The next moment lies after loop.pause_ns: wait for the wall clock, move pause_ns on, come back.
"""
SEND = 9
"""Requests wait in the streams' tables for the executor outside (EXECUTOR_VENUE)."""

# --- executors ---------------------------------------------------------------------------------
EXECUTOR_SIMULATED = 0
EXECUTOR_VENUE = 1
"""Requests leave the loop, answers are brought into it (kernels/outside.py)."""

# --- latency models ----------------------------------------------------------------------------
LATENCY_CONSTANT = 0
LATENCY_LOGNORMAL = 1
"""Median `ns`, shape `sigma`."""
LATENCY_RECORDED = 2
"""The stream's own feed latency at that moment."""

# --- queue models ------------------------------------------------------------------------------
QUEUE_RISK_AVERSE = 0
QUEUE_POWER = 1
QUEUE_LOG = 2
QUEUE_L3 = 3

PHASE_CHOOSE = 0
PHASE_VENUE = 1
PHASE_ARRIVE = 2
PHASE_ANSWER = 3
PHASE_WAKE = 4

N_HORIZONS = 3
HORIZONS_NS = (1_000_000_000, 10_000_000_000, 60_000_000_000)
"""Markout horizons."""

FILL_RING = 1 << 16
"""Fills whose record number is remembered for their markouts."""

LOOP = np.dtype(
    [
        ("now_ns", "i8"),
        ("end_ns", "i8"),
        ("seq", "i8"),
        ("n_records", "i8"),
        ("next_order", "i8"),
        ("n_fills", "i8"),
        ("n_streams", "i8"),
        ("n_strategies", "i8"),
        ("n_sleeves", "i8"),
        ("stream", "i8"),
        ("sleeve", "i8"),
        ("error", "i8"),
        ("phase", "i8"),  # PHASE_*: where the turn stands
        ("turn_ns", "i8"),  # the moment that is being reached
        ("wake_sleeve", "i8"),
        ("answered", "i8"),  # 1: the Python strategy of wake_sleeve has left its actions
        ("started", "i8"),
        ("drained", "i8"),  # 1: every stream has ended; answers still arrive, nobody is called
        ("duration_ns", "i8"),  # 0: no limit
        ("max_events", "i8"),  # 0: no limit
        ("pause_ns", "i8"),
        ("killed", "i8"),
        ("finished", "i8"),
        ("event_driven", "i8"),  # strategies called on events
        ("features_on", "i8"),
        ("sample_ns", "i8"),
        ("next_sample_ns", "i8"),
        ("next_timer_ns", "i8"),
        ("rng", "u8"),
        ("entry_model", "i8"),
        ("entry_ns", "i8"),
        ("response_model", "i8"),
        ("response_ns", "i8"),
        ("sigma", "f8"),
        ("queue_model", "i8"),
        ("queue_exponent", "f8"),
        ("partial_fills", "i8"),
        ("stp_cancel_resting", "i8"),
        ("n_messages", "i8"),
        ("message_seq", "i8"),
        ("n_events", "i8"),
        ("n_intents", "i8"),
        ("n_cancels", "i8"),
        ("n_denied", "i8"),
        ("n_rejects", "i8"),
        ("n_maker", "i8"),
        ("fill_seq", "i8", (FILL_RING,)),  # record of fill number n, at n modulo; 0: under way
        ("markout_truncated", "i8"),
        ("live", "i8"),  # 1: what has arrived by pause_ns is in the buffers, more will come
        ("hold_ns", "i8"),  # live: what happened at the venue is known here so much later
        ("executor", "i8"),  # EXECUTOR_*
        ("closing", "i8"),  # live: 1 while orders are taken back; strategies are not called
        ("busy", "u8"),  # one bit per stream with something of ours at the venue
        ("due", "u8"),  # one bit per stream that something may have arrived from by turn_ns
        ("news", "u8"),  # one bit per stream that something came from in this turn
        ("next_at", "i8", (MAX_INSTRUMENTS,)),  # next arrival by stream; FOREVER: none, -1: ask
        ("wake_ns", "i8"),  # PAUSED: the moment that comes next
        ("overload", "i8"),  # state of the breaker as last recorded
        ("grouped", "i8"),  # 1: a strategy is called for news of its whole group
    ],
    align=True,
)

STREAM = np.dtype(
    [
        ("n", "i8"),  # events in the buffer
        ("eof", "i8"),
        ("head_exch", "i8"),  # next event that the venue's side and the book process
        ("head_local", "i8"),  # next event that arrives here; never beyond head_exch for long
        ("passed", "i8"),  # events that have left the buffer: its row 0 is event number `passed`
        ("special", "i8"),  # number after the last event that arrival must look at one by one
        ("wire_head", "i8"),  # states of the book on their way to us (wire_at, wire)
        ("wire_tail", "i8"),
        ("chunk_address", "i8"),  # events that wait for room in the buffer
        ("chunk_n", "i8"),
        ("chunk_at", "i8"),
        ("feed_model", "i8"),
        ("feed_constant_ns", "i8"),
        ("feed_sigma", "f8"),
        ("feed_shift_ns", "i8"),
        ("venue_shift_ns", "i8"),  # live: added to the venue's stamps, its clock against ours
        ("ts_exch_ns", "i8"),  # venue time reached
        ("ts_local_ns", "i8"),  # time of the last arrival
        ("feed_ns", "i8"),  # feed latency of the last arrival
        ("feed_exch_ns", "i8"),  # maxima that prepare_feed carries from chunk to chunk
        ("feed_local_ns", "i8"),
        ("feed_inside", "i8"),  # 1: the last event was not the last of its message
        ("feed_draw_ns", "i8"),  # latency of the message that prepare_feed is in
        ("rng", "u8"),  # feed latency draws: own state, so that streams do not disturb each other
        ("n_own", "i8"),  # own orders resting at the venue
        ("n_requests", "i8"),
        ("request_seq", "i8"),
        ("own_best_bid", "i8"),
        ("own_worst_bid", "i8"),
        ("own_best_ask", "i8"),
        ("own_worst_ask", "i8"),
        (
            "own_bids",
            "u8",
        ),  # one bit per price modulo 64 that has an own bid: a filter before the search
        ("own_asks", "u8"),
        ("priority", "i8"),  # L3: priority of the newest order seen
        ("in_snapshot", "i8"),
        ("n_taken", "i8"),
        ("taken_side", "i8", (64,)),
        ("taken_px", "i8", (64,)),
        ("taken_lots", "i8", (64,)),
        ("markout_due_ns", "i8"),  # earliest
        ("n_markouts", "i8"),  # pending, all horizons
        ("mo_head", "i8", (N_HORIZONS,)),
        ("mo_tail", "i8", (N_HORIZONS,)),
        ("asset", "i8"),
        ("touched", "i8"),  # 1: something of this instrument arrived in this turn
        ("gap", "i8"),  # 1: the feed lost messages; until a snapshot the book is not to be trusted
        ("last_request_ns", "i8"),
        ("last_answer_ns", "i8"),
        ("mark_ticks", "i8"),
        ("ready", "i8"),  # a consistent two-sided book has been seen
        ("ready_ns", "i8"),  # when it arrives here
        ("group", "u8"),  # one bit per stream of the same asset and kind, its own among them
        ("pace", "i8"),  # of its venue in GATE.paces, from 1; 0: none but that of the run
        ("last_mid", "f8"),  # mid before the book was lost or one side empty; 0: none so far
        ("away", "i8"),  # set from outside: 1 while the venue has not joined the run
    ],
    align=True,
)

MARKOUT_CAP = 8192

MARKOUT = np.dtype(
    [
        ("ts_fill_ns", "i8"),
        ("fill_id", "i8"),
        ("order_id", "i8"),
        ("sleeve", "i8"),
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
    ],
    align=True,
)

OWN_CAP = 256
"""Own orders resting at one venue instrument (8 strategies x 32)."""

OWN = np.dtype(
    [
        ("id", "i8"),
        ("sleeve", "i8"),
        ("slot", "i8"),
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("left_lots", "i8"),
        ("ahead", "f8"),  # others' quantity that stands before it
        ("ahead_start", "f8"),
        ("traded", "f8"),  # traded at its level since the level's last update
        ("priority", "i8"),  # L3: orders with a priority up to this one stand before it
        ("arrival", "i8"),  # own order of arrival at this venue instrument
        ("tif", "i8"),
    ],
    align=True,
)

REQ_NEW = 1
REQ_CANCEL = 2
REQ_AMEND = 3

REQUEST_CAP = 1024
REQUEST = np.dtype(
    [
        ("due_ns", "i8"),
        ("seq", "i8"),
        ("kind", "i8"),
        ("id", "i8"),
        ("sleeve", "i8"),
        ("slot", "i8"),
        ("side", "i8"),
        ("type", "i8"),
        ("tif", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),  # REQ_AMEND: the change of size, may be negative
        ("reserved", "i8"),
    ],
    align=True,
)

MESSAGE_CAP = 16384
MESSAGE = np.dtype(
    [
        ("due_ns", "i8"),
        ("seq", "i8"),
        ("kind", "i8"),  # layouts.R_*
        ("id", "i8"),
        ("sleeve", "i8"),
        ("slot", "i8"),
        ("ts_exch_ns", "i8"),
        ("side", "i8"),
        ("px_ticks", "i8"),
        ("qty_lots", "i8"),
        ("left_lots", "i8"),
        ("maker", "i8"),
        ("code", "i8"),  # layouts.REJECTS; of a fill: lots of it that the venue kept as its fee
        ("fill_id", "i8"),
        ("mid_ticks", "f8"),
        ("ahead", "f8"),
        ("fee", "f8"),  # what the venue took, settlement currency; NaN: by the instrument's rates
    ],
    align=True,
)

STRATEGY = np.dtype(
    [
        ("interval_ns", "i8"),
        ("next_ns", "i8"),
        ("python", "i8"),
        ("calls", "i8"),
        ("address", "i8"),  # kernels/call.py; 0 for a Python strategy
        ("grouped", "i8"),  # 1: what comes of one instrument calls it for the whole group
    ],
    align=True,
)

SLEEVE = np.dtype(
    [
        ("strategy", "i8"),
        ("stream", "i8"),
        ("fees", "f8"),  # settlement currency
        ("volume", "f8"),
        ("n_fills", "i8"),
        ("filled", "i8"),  # 1: an answer of this turn was a fill
    ],
    align=True,
)

KILL_RISK = 1
"""No new risk: what only reduces still goes."""
KILL_ALL = 2
"""Nothing but cancels: the orders leave this process, and nobody takes them behind the latch."""

MAX_PACES = 16
"""Venues with an order rate of their own in one run."""
MAX_AGES = 8
"""Steps in what a venue counts for a cancel, by the order's age."""
PACE = np.dtype(
    [
        ("tokens", "f8"),
        ("token_rate", "f8"),  # orders per second
        ("token_burst", "f8"),
        ("token_ts_ns", "i8"),
        # Above 0: this venue counts all that goes there, a cancel the more the younger its order
        ("n_ages", "i8"),
        ("ages_ns", "i8", (MAX_AGES,)),  # rising; units of an order younger than this
        ("age_units", "f8", (MAX_AGES,)),
    ],
    align=True,
)
"""The order rate of one venue. Tokens may be less than none: cancels are counted, never stopped."""

GATE = np.dtype(
    [
        ("kill", "i8"),  # latch, set from outside: KILL_*
        ("trading", "i8"),
        ("halted", "i8"),  # latch: DENIALS index of the limit that halted new risk
        ("max_open_orders", "i8"),
        ("stale_ns", "i8"),
        ("tokens", "f8"),
        ("token_rate", "f8"),  # orders per second
        ("token_burst", "f8"),
        ("token_ts_ns", "i8"),
        ("max_order", "f8"),  # fractions of the portfolio
        ("max_position", "f8"),
        ("max_asset", "f8"),
        ("collar", "f8"),  # fraction of mid
        ("max_drawdown", "f8"),
        ("max_daily_loss", "f8"),
        ("cash", "f8"),  # portfolio currency at the start
        ("peak", "f8"),
        ("day", "i8"),
        ("day_start", "f8"),
        ("worst_drawdown", "f8"),
        ("open_orders", "i8"),
        ("spot_short", "i8"),
        ("counts", "i8", (32,)),  # answers by code
        ("overload", "i8"),  # breaker, set from outside: 1 while events wait too long
        ("queue_age_ns", "i8"),  # what it judges by, and its limit
        ("queue_limit_ns", "i8"),
        ("paces", PACE, (MAX_PACES,)),
    ],
    align=True,
)
