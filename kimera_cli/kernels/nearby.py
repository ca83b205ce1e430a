"""Mean of what happened in nearby states: kernel regression (Nadaraya 1964, Watson 1964)."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel


@kernel
def local_means(points, moves, width, prior, queries, means, supports):
    """Write the weighted mean of `moves` around each query, and its effective number of points.

    points: shape (n, d), sorted by the first column. moves: shape (n,). queries: shape (m, d).
    Weights are products of 1 - (distance / width)^2 over the columns, zero beyond `width`
    (Epanechnikov 1969). `prior` points of move zero pull the mean towards zero. Support is
    (sum of weights)^2 / (sum of squared weights), zero where no point is near (Kish 1965).
    """
    n, d = points.shape
    for i in range(queries.shape[0]):
        low = np.searchsorted(points[:, 0], queries[i, 0] - width)
        total = 0.0
        squares = 0.0
        value = 0.0
        for j in range(low, n):
            u = (points[j, 0] - queries[i, 0]) / width
            if u >= 1.0:
                break
            weight = 1.0 - u * u
            for k in range(1, d):
                u = (points[j, k] - queries[i, k]) / width
                weight *= max(0.0, 1.0 - u * u)
            total += weight
            squares += weight * weight
            value += weight * moves[j]
        means[i] = value / (total + prior) if total + prior > 0.0 else 0.0
        supports[i] = total * total / squares if squares > 0.0 else 0.0
