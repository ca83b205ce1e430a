"""The audit stream as the loop writes it: one RECORD row per thing that happened."""

from __future__ import annotations

import math

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.answers import mid_of, next_markout
from kimera_cli.kernels.gate import portfolio_value, watch_losses
from kimera_cli.kernels.ledger import equity_at
from kimera_cli.kernels.state import FILL_RING, HORIZONS_NS, MARKOUT_CAP, N_HORIZONS
from kimera_cli.layouts import R_DENIED, R_MARKOUT, R_SAMPLE

RECORD_MARGIN = 1 << 15
"""Room that one turn may need in the record buffer: every order cancelled, and a sample."""


@kernel(forceinline=True)
def record(loop, records, kind, sleeve, ts_exch_ns):
    """Start the next record of the audit stream and return its index."""
    i = loop.n_records
    loop.n_records = i + 1
    loop.seq += 1
    r = records[i]
    r.seq = loop.seq
    r.ts_ns = loop.now_ns
    r.ts_exch_ns = ts_exch_ns
    r.kind = kind
    r.strategy = sleeve.strategy
    r.instrument = sleeve.stream
    r.order_id = 0
    r.side = 0
    r.type = 0
    r.tif = 0
    r.px_ticks = 0
    r.qty_lots = 0
    r.left_lots = 0
    r.code = 0
    r.mid_ticks = math.nan
    r.fee = 0.0
    r.position_lots = 0
    r.equity = math.nan
    r.ahead_lots = math.nan
    r.tag = 0
    return i


@inner
def emit_markouts(loop, stream, book, markouts, sleeves, records, until_ns):
    """Write the markouts due at or before until_ns: the venue's mid in force at fill time +
    horizon.

    Stops early when the record buffer is nearly full: a gap in the data makes thousands due at
    once.
    """
    room = records.shape[0] - RECORD_MARGIN
    while stream.markout_due_ns <= until_ns and loop.n_records <= room:
        due = stream.markout_due_ns
        for h in range(N_HORIZONS):
            while stream.mo_head[h] < stream.mo_tail[h]:
                row = markouts[stream.mo_head[h] & (MARKOUT_CAP - 1)]
                if row.ts_fill_ns + HORIZONS_NS[h] != due:
                    break
                i = record(loop, records, R_MARKOUT, sleeves[row.sleeve], row.ts_fill_ns)
                r = records[i]
                r.ts_ns = max(r.ts_ns, due)
                r.order_id = row.order_id
                r.side = row.side
                r.type = HORIZONS_NS[h]
                r.px_ticks = row.px_ticks
                r.qty_lots = row.qty_lots
                r.left_lots = loop.fill_seq[row.fill_id & (FILL_RING - 1)]
                r.code = row.fill_id
                r.mid_ticks = mid_of(book)
                stream.mo_head[h] += 1
                stream.n_markouts -= 1
        next_markout(stream, markouts)


@kernel
def sample(loop, gate, views, sleeves, streams, instruments, features, records):
    """Write one sample of every sleeve, and watch the portfolio's losses."""
    loop.next_sample_ns += loop.sample_ns
    if loop.next_sample_ns <= loop.now_ns:
        loop.next_sample_ns += (
            loop.now_ns - loop.next_sample_ns
        ) // loop.sample_ns * loop.sample_ns + loop.sample_ns
    for s in range(loop.n_sleeves):
        k = sleeves[s].stream
        i = record(loop, records, R_SAMPLE, sleeves[s], loop.now_ns)
        r = records[i]
        r.mid_ticks = features[k].mid_ticks
        r.position_lots = views[s].position_lots
        r.equity = equity_at(views[s], instruments[k], features[k].mid_ticks)
        r.fee = sleeves[s].fees
    return watch_losses(
        gate,
        portfolio_value(gate, views, sleeves, streams, instruments, features, loop.n_sleeves),
        loop.now_ns,
    )


@kernel
def deny(loop, gate, records, sleeve, a, code):
    """Write a refusal of the gate."""
    loop.n_denied += 1
    gate.counts[code] += 1
    i = record(loop, records, R_DENIED, sleeve, loop.now_ns)
    r = records[i]
    r.side = a.side
    r.type = a.type
    r.tif = a.tif
    r.px_ticks = a.px_ticks
    r.qty_lots = a.qty_lots
    r.code = code
    r.tag = a.tag
