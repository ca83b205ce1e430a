"""What to expect from what happened in nearby states: local linear regression (Fan 1993)."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel, part

SMALLEST_PIVOT = 1e-12


@part
def _weigh(points, moves, j, query, width, a):
    """Add point j to the normal equations, shape (d + 1, d + 2), around a query; return its
    weight.
    """
    d = query.shape[0]
    weight = 1.0
    for k in range(d):
        u = (points[j, k] - query[k]) / width
        weight *= max(0.0, 1.0 - u * u)
    if weight > 0.0:
        for r in range(d + 1):
            left = weight if r == 0 else weight * (points[j, r - 1] - query[r - 1])
            a[r, 0] += left
            for c in range(max(r - 1, 0), d):
                a[r, c + 1] += left * (points[j, c] - query[c])
            a[r, d + 1] += left * moves[j]
    return weight


@part
def _solve(a, n):
    """Return the first unknown of the symmetric system a, shape (n, n + 1), destroying it."""
    for r in range(n):
        for c in range(r):
            a[r, c] = a[c, r]
    for r in range(n - 1, 0, -1):
        if a[r, r] <= SMALLEST_PIVOT:
            continue
        for i in range(r):
            factor = a[i, r] / a[r, r]
            for c in range(r):
                a[i, c] -= factor * a[r, c]
            a[i, n] -= factor * a[r, n]
    return a[0, n] / a[0, 0] if a[0, 0] > SMALLEST_PIVOT else 0.0


@kernel
def local_fits(points, moves, width, prior, queries, a, means, supports):
    """Write the value at each query of a plane fitted to the `moves` around it, and its effective
    number of points.

    points: shape (n, d), sorted by the first column. moves: shape (n,). queries: shape (m, d).
    a: room to work in, shape (d + 1, d + 2).
    Weights are products of 1 - (distance / width)^2 over the columns, zero beyond `width`
    (Epanechnikov 1969). A ridge of `prior` on level and slopes pulls them towards zero. Support is
    (sum of weights)^2 / (sum of squared weights), zero where no point is near (Kish 1965).
    """
    n, d = points.shape
    for i in range(queries.shape[0]):
        a[:] = 0.0
        total = 0.0
        squares = 0.0
        for j in range(np.searchsorted(points[:, 0], queries[i, 0] - width), n):
            if points[j, 0] - queries[i, 0] >= width:
                break
            weight = _weigh(points, moves, j, queries[i], width, a)
            total += weight
            squares += weight * weight
        for r in range(d + 1):
            a[r, r] += prior
        means[i] = _solve(a, d + 1)
        supports[i] = total * total / squares if squares > 0.0 else 0.0
