"""What a reader of an inference has to know, in sentences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# half-width of a 90 % interval over the width of the box, beyond which the data say little
MAX_HALF_WIDTH = 0.1
# correlation of alpha and zeta beyond which only a combination of both is known
MAX_CORRELATION = 0.95
# 95 % quantile of the normal distribution: 90 % lie within so many standard deviations
NORMAL_QUANTILE_95 = 1.6448536269514722


def sentences(
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    box: tuple[tuple[float, float], tuple[float, float]],
    limits: NDArray[np.float64],
    fit: str,
    converged: bool,
    reason: str,
) -> list[str]:
    """Return the sentences: estimates first, then whatever makes them doubtful.

    Args:
        theta: alpha, zeta and perhaps the logarithm of the scale of time.
        covariance: covariance of theta.
        box: expected ranges.
        limits: limits of the search.
        fit: sentence on whether the model explains the data.
        converged: whether the search converged.
        reason: why the search ended.
    """
    spread = np.sqrt(np.diag(covariance))
    found = []
    for i, name in enumerate(("alpha", "zeta")):
        half = NORMAL_QUANTILE_95 * spread[i]
        found.append(f"{name} = {theta[i]:.4f}, with 90 % between {theta[i] - half:.4f} and {theta[i] + half:.4f}.")
    if not converged:
        found.append(f"The search did not converge: {reason}.")
    for i, name in enumerate(("alpha", "zeta")):
        low, high = box[i]
        if NORMAL_QUANTILE_95 * spread[i] > MAX_HALF_WIDTH * (high - low):
            found.append(
                f"The snapshots hardly constrain {name}: its 90 % interval is {2 * NORMAL_QUANTILE_95 * spread[i]:.2g} wide."
            )
        if theta[i] in limits[i]:
            found.append(f"{name} ended at the limit of the search, {theta[i]:.4g}: widen the box.")
        elif not low <= theta[i] <= high:
            found.append(f"{name} lies outside of the box from {low} to {high}.")
        elif min(theta[i] - low, high - theta[i]) < NORMAL_QUANTILE_95 * spread[i]:
            found.append(f"The interval of {name} reaches over the edge of the box from {low} to {high}.")
    product = float(np.prod(spread[:2]))
    correlation = float(covariance[0, 1]) / product if product > 0 else 0.0
    if abs(correlation) > MAX_CORRELATION:
        slope = float(covariance[0, 1] / covariance[1, 1])
        found.append(
            f"alpha and zeta are known in one combination only (correlation {correlation:.3f}): "
            f"alpha {'-' if slope > 0 else '+'} {abs(slope):.2f} zeta."
        )
    return [*found, fit]
