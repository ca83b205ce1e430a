"""Counting zero bits, compiled and in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.bits import ctlz, cttz


@kernel
def leading(word):
    return ctlz(word)


@kernel
def trailing(word):
    return cttz(word)


@pytest.mark.parametrize("bit", range(64))
def test_single_bits(bit):
    word = np.uint64(1 << bit)
    assert (leading(word), trailing(word)) == (63 - bit, bit)


@given(st.integers(1, 2**64 - 1))
def test_against_text(number):
    digits = f"{number:064b}"
    word = np.uint64(number)
    assert leading(word) == ctlz(word) == digits.index("1")
    assert trailing(word) == cttz(word) == digits[::-1].index("1")
