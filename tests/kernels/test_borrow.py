"""Arrays without a count: the same memory, and no count left behind."""

from __future__ import annotations

import sys

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.borrow import borrowed


@kernel
def double_rows(rows):  # type: ignore[no-untyped-def]
    same = borrowed(rows)
    for i in range(same.shape[0]):
        same[i].a *= 2
    return same.shape[0]


def test_writing_through_a_borrowed_array_writes_the_array() -> None:
    rows = np.zeros(3, [("a", "i8"), ("b", "f8")]).view(np.recarray)
    rows.a = [1, 2, 3]
    before = sys.getrefcount(rows)
    assert double_rows(rows) == 3
    assert rows.a.tolist() == [2, 4, 6]
    assert sys.getrefcount(rows) == before


def test_slices_keep_their_shape_and_strides() -> None:
    rows = np.zeros(6, [("a", "i8")]).view(np.recarray)
    rows.a = range(6)
    assert double_rows(rows[::2]) == 3
    assert rows.a.tolist() == [0, 1, 4, 3, 8, 5]
