"""Thresholds: equal shares, mirror images, what is refused, and the kernel's own cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.ensemble.publish import PrivateMemory, Publisher, Reader
from kimera_cli.ensemble.quantiser import learn, parse_axes
from kimera_cli.errors import DataError, UsageError
from kimera_cli.kernels.table import seal_entries
from kimera_cli.layouts import FEATURES, TABLE_AXES, TABLE_SIDE

QI, OFI, VOL = (TABLE_AXES.index(n) for n in ("queue_imbalance", "ofi", "vol_mid"))


def states(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, len(TABLE_AXES)))
    x[:, VOL] = np.abs(x[:, VOL])
    return x


def test_bins_hold_equal_shares_of_the_past():
    x = states(20_000)
    quantiser = learn(x, parse_axes("ofi:16,vol_mid:8"))
    assert quantiser.bins == (16, 8)
    assert quantiser.strides == (8, 1)
    counts = np.bincount(quantiser.cells_of(x) // 8, minlength=16)
    assert np.abs(counts / len(x) - 1 / 16).max() < 0.004
    assert np.bincount(quantiser.cells_of(x) % 8).std() < 2  # a plain quantile, exact on its sample


@pytest.mark.parametrize("bins", [2, 7, 8, 63, 64])
def test_a_mirrored_market_lies_in_the_mirrored_bin(bins):
    x = states(5_000)
    quantiser = learn(x, [(OFI, bins)])
    (edges,) = quantiser.edges
    assert np.array_equal(edges, -edges[::-1])
    assert quantiser.bins == (bins,)
    probe = states(1_000, seed=1)
    assert (quantiser.cells_of(probe) + quantiser.cells_of(-probe) == bins - 1).all()


def test_few_values_make_few_bins_and_one_value_is_refused():
    x = np.zeros((100, len(TABLE_AXES)))
    x[:, VOL] = np.arange(100) % 3
    assert learn(x, [(VOL, 16)]).bins[0] <= 4
    for axis in (OFI, TABLE_AXES.index("vol_slow")):
        with pytest.raises(DataError, match=f"expected {TABLE_AXES[axis]} to take different"):
            learn(x, [(axis, 8)])
    x[:, OFI] = np.nan
    with pytest.raises(DataError, match="one value or none"):
        learn(x, [(OFI, 8)])


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["ofi:64", "ofi:5,vol_mid:9", "spread_ticks:4,ofi:64"])
)
def test_the_kernel_finds_the_same_cells(seed, axes):
    x = states(300, seed)
    x[:, TABLE_AXES.index("spread_ticks")] = np.random.default_rng(seed).integers(1, 9, 300)
    quantiser = learn(x, parse_axes(axes))
    side = np.zeros(1, TABLE_SIDE)
    quantiser.write(side)
    side["version"] = 1
    seal_entries(side.ctypes.data)
    memory = PrivateMemory()
    Publisher(memory).publish(side)
    rows = np.zeros(300, FEATURES)
    for axis, name in enumerate(TABLE_AXES):
        rows["best_ask_ticks" if name == "spread_ticks" else name] = x[:, axis]
    answers = Reader(memory).look_all(rows, np.zeros(300, np.int64))
    assert answers[:, 2].tolist() == quantiser.cells_of(x).tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("offi:8", "did you mean 'ofi'"),
        ("ofi", "bins of ofi, was ''"),
        ("ofi:1", "2 to 64 bins of ofi, was '1'"),
        ("ofi:65", "2 to 64"),
        ("ofi:8,ofi:8", "different features"),
        ("ofi:64,vol_mid:64,vol_fast:3", "at most 10000 cells"),
        ("", "a feature and its bins"),
    ],
)
def test_axes_that_cannot_be(text, said):
    with pytest.raises(UsageError) as caught:
        parse_axes(text)
    assert said in str(caught.value)
