"""Times and whole numbers in text: against datetime, and the kernel against them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from venue_frames import rfc3339

from kimera_cli.errors import VenueError
from kimera_cli.feeds.text_values import MOST, iso_ns, ms_text_ns, whole_number
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.parse_bytes import PAD
from kimera_cli.kernels.parse_number import iso_time


@kernel
def _kernel_time(frame):
    return iso_time(frame, 0)


def kernel_ns(text: str) -> int:
    """The kernel's reading; -1: refused, or not all of the text is the time."""
    raw = text.encode()
    frame = np.zeros(len(raw) + PAD, np.uint8)
    frame[: len(raw)] = np.frombuffer(raw, np.uint8)
    value, end = _kernel_time(frame)
    return int(value) if value >= 0 and end == len(raw) else -1


kernel_ns("1970-01-01T00:00:00Z")  # compiled here, not within the deadline of an example


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2240, 1, 1)),
    st.integers(0, 999),
    st.integers(0, 9),
)
def test_moments_are_exact_to_the_nanosecond(moment: datetime, ns: int, digits: int) -> None:
    since = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    ts_ns = since * 1000 + ns
    cut = ts_ns - ts_ns % 10 ** (9 - digits)
    text = rfc3339(ts_ns, digits) if digits else f"{rfc3339(ts_ns)[:19]}Z"
    assert iso_ns(text, "t") == cut
    assert kernel_ns(text) == cut


@given(st.text("0123456789-:.TZ +", max_size=34))
def test_the_kernel_takes_no_time_that_the_slow_parser_refuses(text: str) -> None:
    agree(text)


@given(
    st.tuples(
        st.integers(1900, 2300),
        st.integers(0, 13),
        st.integers(0, 32),
        st.integers(0, 25),
        st.integers(0, 61),
        st.integers(0, 61),
    )
)
def test_days_and_hours_that_do_not_exist(fields: tuple[int, ...]) -> None:
    agree("{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*fields))


def agree(text: str) -> None:
    found = kernel_ns(text)
    try:
        expected = iso_ns(text, "t")
    except VenueError:
        expected = -1
    assert found in (-1, expected), "the kernel may refuse, never differ"


def test_whole_numbers() -> None:
    assert whole_number("0", "n") == 0
    assert whole_number(str(MOST), "n") == MOST
    assert ms_text_ns("1597026383085", "ts") == 1_597_026_383_085_000_000
    for text in ("", "-1", "1.0", "1e3", " 1", "1_0", "٣", str(MOST + 1), "9" * 30):
        with pytest.raises(VenueError, match=r"whole number .* in n, was"):
            whole_number(text, "n")
    with pytest.raises(VenueError, match="ts"):
        ms_text_ns("9" * 16, "ts")
