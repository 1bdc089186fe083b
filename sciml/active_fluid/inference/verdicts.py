"""What a reader of an inference has to know, in sentences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# a 90 % half-width beyond this part of the box's width says little
WIDE = 0.1
CORRELATED = 0.95
# a misfit so many times the noise is not noise
EXCESS = 1.25
# 90 % of a normal distribution lie within so many standard deviations
NINETY = 1.6448536269514722


def sentences(
    theta: NDArray[np.float64],
    covariance: NDArray[np.float64],
    box: tuple[tuple[float, float], tuple[float, float]],
    limits: NDArray[np.float64],
    excess: float,
    converged: bool,
    reason: str,
) -> list[str]:
    """Return the sentences: estimates first, then whatever makes them doubtful.

    Args:
        theta: alpha and zeta.
        covariance: of both.
        box: expected ranges.
        limits: of the search.
        excess: misfit over the noise that is given, or that the filter has found.
        converged: whether the search did.
        reason: why it ended.
    """
    spread = np.sqrt(np.diag(covariance))
    found = []
    for i, name in enumerate(("alpha", "zeta")):
        half = NINETY * spread[i]
        found.append(f"{name} = {theta[i]:.4f}, with 90 % between {theta[i] - half:.4f} and {theta[i] + half:.4f}.")
    if not converged:
        found.append(f"The search did not converge: {reason}.")
    for i, name in enumerate(("alpha", "zeta")):
        low, high = box[i]
        if NINETY * spread[i] > WIDE * (high - low):
            found.append(f"The snapshots hardly constrain {name}: its 90 % interval is {2 * NINETY * spread[i]:.2g} wide.")
        if theta[i] in limits[i]:
            found.append(f"{name} ended at the limit of the search, {theta[i]:.4g}: widen the box.")
        elif not low <= theta[i] <= high:
            found.append(f"{name} lies outside of the box from {low} to {high}.")
        elif min(theta[i] - low, high - theta[i]) < NINETY * spread[i]:
            found.append(f"The interval of {name} reaches over the edge of the box from {low} to {high}.")
    product = float(np.prod(spread))
    correlation = float(covariance[0, 1]) / product if product > 0 else 0.0
    if abs(correlation) > CORRELATED:
        slope = float(covariance[0, 1] / covariance[1, 1])
        found.append(
            f"alpha and zeta are known in one combination only (correlation {correlation:.3f}): "
            f"alpha {'-' if slope > 0 else '+'} {abs(slope):.2f} zeta."
        )
    if excess > EXCESS:
        found.append(
            f"The misfit is {excess:.2f} times the noise of the snapshots: the model lacks something, "
            "and its error is not in the intervals."
        )
    return found
