"""The error budget of a chain: which link moves its result, alone and together with others.

On a full grid, where every level of every link was run with every level of the others, the result is a sum of effects that are
orthogonal to one another (the functional analysis of variance; Sobol 2001):

    y = y_0 + sum_a y_a + sum_{a<b} y_ab + ...,     y_S = sum_{T in S} (-1)^{|S| - |T|} mean of y over the links outside T

so that variance over the grid is the sum of theirs, V = sum_S V_S, and V_S / V is the share of the links S.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from sciml.runtime.errors import NumericalError, ShapeError

ROUNDING = 1e-12
"""Variance below this share of the mean square is rounding: such a result does not move."""


def variance_shares(values: np.ndarray, links: Sequence[str]) -> dict[tuple[str, ...], float]:
    """Return the share of the variance over a full grid that each set of links explains; shares add up to 1.

    Args:
        values: results, an axis a link, in the units of the result; every level of a link counts alike.
        links: names of the axes.

    Returns:
        Shares by links, single ones first; all are 0 where the result does not move beyond rounding.

    Raises:
        ShapeError: not an axis a link, or an axis without levels.
        NumericalError: a result is not finite.

    Example:
        >>> shares = variance_shares(np.array([[0.0, 1.0], [2.0, 3.0]]), ["scan", "archive"])
        >>> {" x ".join(links): round(share, 3) for links, share in shares.items()}
        {'scan': 0.8, 'archive': 0.2, 'scan x archive': 0.0}
    """
    y = np.asarray(values, np.float64)
    if y.ndim != len(links) or not y.size:
        raise ShapeError(f"a budget of {', '.join(links)} needs an axis of levels for each, got an array of {y.shape}")
    if not np.isfinite(y).all():
        raise NumericalError(f"a budget needs finite results, {np.count_nonzero(~np.isfinite(y))} of {y.size} are not")
    axes = range(y.ndim)
    subsets = [subset for size in range(y.ndim + 1) for subset in combinations(axes, size)]
    effects: dict[tuple[int, ...], np.ndarray] = {}
    for subset in subsets:
        # y_S = E[y | S] - sum of y_T over the smaller T in S
        mean = y.mean(axis=tuple(axis for axis in axes if axis not in subset), keepdims=True)
        effects[subset] = mean - sum(effects[other] for other in effects if set(other) < set(subset))
    total = y.var()
    still = total <= ROUNDING * np.mean(y**2)
    return {
        tuple(links[axis] for axis in subset): 0.0 if still else float(np.mean(effects[subset] ** 2) / total)
        for subset in subsets[1:]
    }
