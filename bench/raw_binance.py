"""A raw Binance recording made up for timing: mix and sizes of a real one, numbers at random.

Per depth message (68 levels) come ten book tickers and three trades, as in a busy USD-M hour. The
sequence numbers are right, prices are on the tick, and the book is never crossed. Its content means
nothing else: what importers make of real recordings is tested on real recordings.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

START_NS = 1_723_161_255_000_000_000
STEP_NS = 4_000_000
LEVELS = 34
"""Levels per side of one depth message."""
CYCLE = 14
"""Frames from one depth message to the next."""
SEED = 11


def write(path: Path, frames: int) -> None:
    """Write a gzipped recording of this many frames, one per line."""
    with gzip.open(path, "wt", encoding="ascii", newline="\n", compresslevel=6) as out:
        for number, line in enumerate(_frames(frames)):
            out.write(f"{START_NS + number * STEP_NS} {line}\n")


def _frames(frames: int) -> Iterator[str]:
    rng = np.random.default_rng(SEED)
    mid, update, trade = 600_000, 5_123_107_832_000, 5_266_583_935
    yield _snapshot(rng, mid, update)
    for number in range(1, frames):
        ms = (START_NS + number * STEP_NS) // 1_000_000
        if number % CYCLE == 1:
            mid += int(rng.integers(-3, 4))
            first, update = update + 1, update + 50
            yield _depth(rng, mid, ms, first, update)
        elif number % CYCLE in (4, 8, 12):
            trade += 1
            yield _trade(rng, mid, ms, trade)
        else:
            yield _ticker(rng, mid, ms, update)


def _px(ticks: int) -> str:
    return f"{ticks // 10}.{ticks % 10}0"


def _qty(lots: int) -> str:
    return f"{lots // 1000}.{lots % 1000:03d}"


def _levels(rng: np.random.Generator, mid: int, sign: int, n: int) -> str:
    ticks = mid + sign * (1 + rng.choice(10 * n, n, replace=False))
    lots = np.where(rng.random(n) < 0.4, 0, rng.integers(1, 20_000, n))
    return ",".join(f'["{_px(int(t))}","{_qty(int(q))}"]' for t, q in zip(ticks, lots, strict=True))


def _snapshot(rng: np.random.Generator, mid: int, update: int) -> str:
    bids, asks = _levels(rng, mid, -1, 1000), _levels(rng, mid, 1, 1000)
    ms = START_NS // 1_000_000
    return f'{{"lastUpdateId":{update},"E":{ms},"T":{ms},"bids":[{bids}],"asks":[{asks}]}}'


def _depth(rng: np.random.Generator, mid: int, ms: int, first: int, last: int) -> str:
    bids, asks = _levels(rng, mid, -1, LEVELS), _levels(rng, mid, 1, LEVELS)
    return (
        '{"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate",'
        f'"E":{ms},"T":{ms},"s":"BTCUSDT","U":{first},"u":{last},"pu":{first - 1},'
        f'"b":[{bids}],"a":[{asks}]}}}}'
    )


def _trade(rng: np.random.Generator, mid: int, ms: int, number: int) -> str:
    sells = rng.random() < 0.5
    px, qty = _px(mid - 1 if sells else mid + 1), _qty(int(rng.integers(1, 500)))
    return (
        '{"stream":"btcusdt@trade","data":{"e":"trade",'
        f'"E":{ms},"T":{ms},"s":"BTCUSDT","t":{number},"p":"{px}","q":"{qty}",'
        f'"X":"MARKET","m":{"true" if sells else "false"}}}}}'
    )


def _ticker(rng: np.random.Generator, mid: int, ms: int, update: int) -> str:
    bid, ask = _qty(int(rng.integers(1, 20_000))), _qty(int(rng.integers(1, 20_000)))
    return (
        '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker",'
        f'"u":{update},"s":"BTCUSDT","b":"{_px(mid - 1)}","B":"{bid}",'
        f'"a":"{_px(mid + 1)}","A":"{ask}","T":{ms},"E":{ms}}}}}'
    )
