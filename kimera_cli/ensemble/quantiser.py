"""Thresholds that cut market states into cells, learned as quantiles of past states.

Features that change sign when bid and ask change places get thresholds that are symmetric around
zero, from quantiles of their absolute value: a market seen in a mirror lies in the mirrored cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimera_cli.errors import DataError, UsageError
from kimera_cli.layouts import F64, I64, TABLE_AXES, TABLE_BINS, TABLE_CELLS, TABLE_ODD
from kimera_cli.names import did_you_mean

DEFAULT_AXES = "queue_imbalance:64,ofi:64"
"""4,096 cells: where the queues stand (Gould and Bonart 2016), where the flow came from (Cont,
Kukanov and Stoikov 2014)."""


@dataclass(frozen=True)
class Quantiser:
    """Axes (indices into TABLE_AXES) with their rising thresholds, in the order of the strides."""

    axes: tuple[int, ...]
    edges: tuple[F64, ...]

    @property
    def bins(self) -> tuple[int, ...]:
        """How many bins each axis has."""
        return tuple(len(edges) + 1 for edges in self.edges)

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return math.prod(self.bins)

    @property
    def strides(self) -> tuple[int, ...]:
        """What one bin of each axis adds to the cell; the last axis runs fastest."""
        bins = self.bins
        return tuple(math.prod(bins[k + 1 :]) for k in range(len(bins)))

    def cells_of(self, x: F64) -> I64:
        """Return the cell of each state, shape (n,); -1 where a used feature is not finite.

        x: states, shape (n, 8), columns as TABLE_AXES.
        """
        cells = np.zeros(len(x), np.int64)
        for axis, edges, stride in zip(self.axes, self.edges, self.strides, strict=True):
            cells += stride * np.searchsorted(edges, x[:, axis], side="right")
        known = np.isfinite(x[:, list(self.axes)]).all(axis=1)
        return np.where(known, cells, -1)

    def write(self, side: Any) -> None:
        """Put axes and thresholds into a TABLE_SIDE, shape (1,)."""
        side["cells"] = self.cells
        side["strides"], side["bins"], side["edges"] = 0, 0, np.inf
        for axis, edges, stride in zip(self.axes, self.edges, self.strides, strict=True):
            side["strides"][0, axis] = stride
            side["bins"][0, axis] = len(edges) + 1
            side["edges"][0, axis, : len(edges)] = edges
        side["lasts"] = side["edges"][:, :, 7::8]


def parse_axes(text: str) -> list[tuple[int, int]]:
    """Return (axis, bins) of `queue_imbalance:64,ofi:64`; UsageError says what is wrong."""
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        name, _, count = part.strip().partition(":")
        if name not in TABLE_AXES:
            raise UsageError(
                "usage.axes",
                f"expected a feature and its bins such as ofi:64, was '{part.strip()}'",
                did_you_mean(name, TABLE_AXES) or f"one of {', '.join(TABLE_AXES)}",
            )
        if not count.isdigit() or not 2 <= int(count) <= TABLE_BINS:
            raise UsageError(
                "usage.axes", f"expected 2 to {TABLE_BINS} bins of {name}, was '{count}'"
            )
        found.append((TABLE_AXES.index(name), int(count)))
    names = [axis for axis, _ in found]
    cells = math.prod(bins for _, bins in found)
    if len(set(names)) < len(names) or cells > TABLE_CELLS:
        raise UsageError(
            "usage.axes",
            f"expected different features with at most {TABLE_CELLS} cells, was '{text}' "
            f"with {cells}",
            "fewer bins, or fewer features",
        )
    return found


def learn(x: F64, axes: Sequence[tuple[int, int]]) -> Quantiser:
    """Return thresholds at equal shares of past states x, shape (n, 8); they are equal in number
    to what was asked for unless the feature takes fewer values.

    DataError `data.table_states` when a feature never changes.
    """
    kept = tuple(axis for axis, _ in axes)
    return Quantiser(kept, tuple(_thresholds(x[:, axis], axis, bins) for axis, bins in axes))


def _thresholds(values: F64, axis: int, bins: int) -> F64:
    finite = values[np.isfinite(values)]
    if axis < TABLE_ODD:
        half = _quantiles(np.abs(finite), bins // 2) if bins % 2 == 0 else _odd_half(finite, bins)
        middle = np.zeros(1 - bins % 2)
        half = half[half > 0.0]
        edges = np.concatenate([-half[::-1], middle, half])
    else:
        edges = _quantiles(finite, bins)
    if finite.size == 0 or edges.size == 0 or finite.min() == finite.max():
        raise DataError(
            "data.table_states",
            f"expected {TABLE_AXES[axis]} to take different values, was one value or none in "
            f"{values.size} states",
            "learn on a longer recording, or on other features (--axes)",
        )
    return np.asarray(edges, np.float64)


def _odd_half(finite: F64, bins: int) -> F64:
    """Thresholds of |x| when the middle bin lies around zero: the first is the half bin's."""
    shares = (np.arange(bins // 2) + 0.5) / (bins / 2)
    return np.unique(np.quantile(np.abs(finite), shares)) if finite.size else finite


def _quantiles(values: F64, bins: int) -> F64:
    if values.size == 0:
        return values
    return np.asarray(np.unique(np.quantile(values, np.arange(1, bins) / bins)), np.float64)
