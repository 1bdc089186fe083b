"""How far a moved scan may be from the truth, voxel by voxel: calibrated on subjects that its motion was not learned from.

The draws differ by what is not known of volumes and motion. Beside that a forecast errs by the noise and the shading of the scan
that is moved, by lesions, and by motion finer than is modelled, which shows at edges and grows with the years. With Var the
variance of the draws' images, G the slope of the forecast image and h the years ahead,

    (1)  u^2 = q^2 (w_1 Var + w_2 |G|^2 + w_3 h^2 |G|^2 + w_4),

one q and w for one visit, another for more. w >= 0 by least squares on squared errors e^2, reweighted by u^4, for so large is
their variance; then q is such that |e| <= 1.645 u, the central interval of 90 %, holds 90 % of the voxels, every pair of visits
counting alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.optimize import nnls

from sciml.runtime.errors import DataError

LEVEL = 0.9
NORMAL = NormalDist().inv_cdf(0.5 + LEVEL / 2)
TERMS, ROUNDS = 4, 6
# a voxel of white matter, which has 0.8, is never surer than this
LEAST = 1e-3


@dataclass(frozen=True)
class Errors:
    """The errors of one forecast of a subject that the motion was not learned from.

    Attributes:
        known: whether earlier scans told of the motion.
        terms: of (1), (voxels, 4).
        errors: e, (voxels,).
    """

    known: bool
    terms: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True)
class Spread:
    """Equation (1).

    Attributes:
        weights: q^2 w for one visit and for more, (2, 4).
    """

    weights: np.ndarray

    def deviation(self, variance: np.ndarray, image: np.ndarray, years: float, known: bool, spacing_mm: float) -> np.ndarray:
        """Return u, (D, H, W); white matter has 0.8.

        Args:
            variance: of the draws' images, (D, H, W).
            image: the forecast.
            years: ahead.
            known: whether earlier scans told of the motion.
            spacing_mm: edge of a voxel.
        """
        return np.sqrt(terms_of(variance, image, years, spacing_mm) @ self.weights[int(known)])

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned, by name."""
        return {"weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Spread:
        """Return the spread that `arrays` described."""
        return cls(arrays["weights"])


def terms_of(variance: np.ndarray, image: np.ndarray, years: float, spacing_mm: float) -> np.ndarray:
    """Return the terms of (1), (D, H, W, 4): Var, |G|^2, h^2 |G|^2 and 1; slopes a millimetre."""
    slope = np.sum([np.square(part) for part in np.gradient(np.asarray(image, np.float64), spacing_mm)], axis=0)
    return np.stack([variance, slope, years**2 * slope, np.ones_like(slope)], axis=-1)


def fit_spread(found: Sequence[Errors]) -> Spread:
    """Fit (1); a number of visits that no forecast had takes the spread of the other.

    Args:
        found: of every forecast.

    Raises:
        DataError: there are none.
    """
    if not found:
        raise DataError("no forecast of a validation subject: how far images may be from the truth cannot be learned")
    weights = {known: _fitted([one for one in found if one.known == known]) for known in {one.known for one in found}}
    return Spread(np.stack([weights.get(known, next(iter(weights.values()))) for known in (False, True)]))


def held(errors: np.ndarray, deviation: np.ndarray) -> float:
    """Return the share of voxels whose error lies within the central interval of 90 %."""
    return float((np.abs(errors) <= NORMAL * deviation).mean())


def _fitted(found: Sequence[Errors]) -> np.ndarray:
    """Return q^2 w, (4,)."""
    terms, errors = (np.concatenate([getattr(one, name) for one in found]) for name in ("terms", "errors"))
    share = np.concatenate([np.full(len(one.errors), 1 / len(one.errors)) for one in found])
    squares, unit = errors**2, np.maximum(np.average(terms, axis=0, weights=share), 1e-12)
    scaled, expected = terms / unit, np.full(len(errors), np.average(squares, weights=share))
    for _ in range(ROUNDS):
        weight = np.sqrt(share) / expected
        gram = (scaled * weight[:, None]).T @ (scaled * weight[:, None])
        # normal equations by their Cholesky factor: as many rows as terms
        factor = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(TERMS)).T
        weights = nnls(factor, np.linalg.solve(factor.T, (scaled * weight[:, None]).T @ (squares * weight)))[0]
        expected = np.maximum(scaled @ weights, LEAST**2)
    order = np.argsort(ratio := np.abs(errors) / np.sqrt(expected))
    # the least q that holds LEVEL of the shares
    reached = np.searchsorted(np.cumsum(share[order]) / share.sum(), LEVEL)
    factor = ratio[order][min(reached, len(order) - 1)] / NORMAL
    return factor**2 * weights / unit + np.append(np.zeros(TERMS - 1), LEAST**2)
