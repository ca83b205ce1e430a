"""The FEED record of one connection: a venue's templates and the instruments subscribed on it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import gcd
from typing import Any

import numpy as np

from kimera_cli.errors import UsageError
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.template import compile_messages
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.parse_bytes import mixed
from kimera_cli.kernels.parse_layout import FEED, MAX_DIGITS, MAX_SYMBOLS, NAME_BYTES, NAME_SLOTS
from kimera_cli.layouts import VENUES

LARGEST_STEPS = (1 << 62) - 1
"""Most ticks or lots of one value."""
SHORT = 8
"""Digits on each side of the point that `short_steps` reads."""


def feed_record(dialect: Dialect, instruments: Sequence[Instrument], capacity: int) -> Any:
    """Return what the parse kernel knows of a connection, shape (1,) of dtype FEED.

    `event.instrument` will be the index in `instruments`. UsageError `usage.feed`: too many of
    them, one twice, or a name that does not fit.
    """
    if not 0 < len(instruments) <= MAX_SYMBOLS:
        raise _refused(dialect, f"1 to {MAX_SYMBOLS} instruments", len(instruments))
    feed = np.zeros(1, FEED)
    feed["capacity"] = capacity
    feed["venue"] = VENUES.index(dialect.venue)
    feed["symbol"] = -1
    ops = compile_messages(dialect.messages)
    feed["ops"][0, : len(ops)] = ops
    for index, instrument in enumerate(instruments):
        _put_symbol(feed["symbols"][0, index], index, instrument)
        for spelling, spell in enumerate((dialect.symbol, dialect.topic)):
            name = spell(instrument).encode()
            if not 0 < len(name) <= NAME_BYTES:
                raise _refused(dialect, f"a name of 1 to {NAME_BYTES} bytes", name.decode())
            if not _put_name(feed["names"][0], name, spelling, index):
                raise _refused(dialect, "each instrument once", f"{name.decode()} twice")
    return feed


def decimals_of(step: Decimal) -> int:
    """Return with how many decimals a step is written: 0.010 with 2, 5 with 0."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def step_rows(step: Decimal) -> list[tuple[int, int, int, int, int]]:
    """Return the STEP row (inverse, shift, most, quick, largest) of 0 to MAX_DIGITS decimals.

    A number is an integer n over 10^decimals; it is n * above / below steps, in lowest terms.
    """
    numerator, denominator = step.as_integer_ratio()
    rows = []
    for decimals in range(MAX_DIGITS + 1):
        above, below = denominator, numerator * 10**decimals
        shared = gcd(above, below)
        short = 10 ** (SHORT + min(decimals, SHORT))
        rows.append(_step_row(above // shared, below // shared, short))
    return rows


def _step_row(above: int, below: int, short: int) -> tuple[int, int, int, int, int]:
    if above >= 1 << 63:
        return 1, 0, 0, 0, 0  # only nought fits
    if below >= 1 << 63:
        return 1, 0, 0, 0, (1 << 63) - 1  # only nought is a multiple
    shift = (below & -below).bit_length() - 1
    inverse = pow(below >> shift, -1, 1 << 64) * above % (1 << 64)
    most = min(((1 << 64) - 1) // below, LARGEST_STEPS)
    largest = ((1 << 63) - 1) // above
    return inverse, shift, most, most if largest >= short else 0, largest


def _put_symbol(row: Any, index: int, instrument: Instrument) -> None:
    row["instrument"] = index
    row["px_decimals"] = decimals_of(instrument.tick)
    row["qty_decimals"] = decimals_of(instrument.lot)
    for name, step in (("px", instrument.tick), ("qty", instrument.lot)):
        for decimals, values in enumerate(step_rows(step)):
            row[name][decimals] = values


def _put_name(names: Any, name: bytes, spelling: int, symbol: int) -> bool:
    """Put a name into the hash table; False when it is there already."""
    padded = name.ljust(NAME_BYTES, b"\0")
    words = [int.from_bytes(padded[k : k + 8], "little") for k in range(0, NAME_BYTES, 8)]
    slot = int(mixed(*words))
    while names[slot]["set"]:
        if names[slot]["spelling"] == spelling and list(names[slot]["words"]) == words:
            return False
        slot = (slot + 1) % NAME_SLOTS
    names[slot] = (words, len(name), spelling, symbol, 1)
    return True


def _refused(dialect: Dialect, expected: str, was: object) -> UsageError:
    return UsageError(
        "usage.feed",
        f"expected {expected} on a connection to {dialect.venue}, was {was}",
        "spread the instruments over several connections",
    )
