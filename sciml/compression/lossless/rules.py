"""The rules of lossless coding: a predicted mean and an expected error for every sample of a pass, in whole numbers.

With the sum b of the four nearest neighbours n, differences f = 4 n - b of all but the first of them, for each of up to two
planes that are known already the difference of its sample at the same place and of its neighbours to the sum of its own four,
and whole weights w,

    mean    mu = 16 b + round(16 w . f / 2^p)             in 1/64 of a level
    spread  s  = (v . g) / step                           E|r| in 2^-16

where g are magnitudes: errors |64 x - mu| of known samples around, and differences |f|. Every sum stays below 2^53, so float64
holds it exactly in any order of summation. All is homogeneous: the same weights serve 8 bits, 16 bits and fields.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.lossless.lattice import COUNTS, Around

UNITS = 64
SPREAD_BITS = 10
# planes that are known already and help
MOST_KNOWN = 2
# distances with weights of their own: 1, 2, and all above
SCALES = 3
NEAR = 8
MOST_MEANS = 3 * COUNTS[2] - 1
MOST_SPREADS = 2 * COUNTS[2] + MOST_KNOWN * (NEAR + 2)
# bits of a sample, of 4 times a sample's difference, of a sum over its terms, and of weights up to 4
SUM_BITS = 53
LARGEST_WEIGHT_LOG2 = 2
LARGEST_ERROR = 2.0**34
LARGEST_SPREAD_WEIGHTS = 2**17
# own weights of spreads have up to 13 fractional bits and 11 in all
OWN_SPREAD_BITS = 13
OWN_SPREAD_WIDTH = 11
DEFAULT_PRECISION = 10
MOST_PRECISION = 14


def set_of(known: int, distance: int, number: int) -> tuple[int, int, int]:
    """Return which weights a pass uses: by known planes, distance and number of the pass."""
    return known, min(distance.bit_length() - 1, SCALES - 1), number


def mean_count(known: int, number: int) -> int:
    """Return the number of weights of a mean."""
    return (known + 1) * COUNTS[number] - 1


def spread_count(known: int, number: int) -> int:
    """Return the number of weights of a spread: own errors, own differences, 10 of each known plane, 1."""
    return 2 * COUNTS[number] + known * (NEAR + 2)


def most_precision(bits: int) -> int:
    """Return how many fractional bits weights may have for samples of so many bits."""
    return min(MOST_PRECISION, SUM_BITS - 8 - LARGEST_WEIGHT_LOG2 - bits)


Plane = Float[np.ndarray, "rows columns"]


def differences(planes: Sequence[Around], band: slice) -> tuple[Plane, list[Plane]]:
    """Return b and the differences f of a band of a pass.

    Args:
        planes: neighbours in the plane whose samples are predicted, then in those that are known.
        band: rows of the pass.
    """
    found: list[Plane] = []
    base = None
    for index, plane in enumerate(planes):
        near = plane.near(band)
        four = near[0] + near[1] + near[2] + near[3]
        if index:
            found.append(4 * plane.own(band) - four)
        else:
            base = four
        found += [4 * one - four for one in near[1:]]
    assert base is not None  # there is always the plane itself
    return base, found


def means(base: Plane, found: Sequence[Plane], weights: Int[np.ndarray, " terms"], precision: int, highest: float) -> Plane:
    """Return the predicted means in 1/64 of a level, within 0 to `highest`."""
    total = np.zeros_like(base)
    for weight, one in zip(weights.tolist(), found, strict=True):
        if weight:
            total += weight * one
    return (16 * base + np.floor(total * (16 / 2**precision) + 0.5)).clip(0, UNITS * highest)


def magnitudes(errors: Sequence[Around], found: Sequence[Plane], band: slice) -> list[Plane]:
    """Return g of a band of a pass.

    Args:
        errors: neighbours among the errors of the same planes.
        found: differences f of the band.
        band: rows of the pass.
    """
    near = errors[0].near(band)
    own = len(near)
    kept = [*near, *map(size_of, found[: own - 1])]
    for index, error in enumerate(errors[1:], 1):
        kept += [error.own(band), *error.near(band, NEAR), size_of(found[index * own - 1])]
    return kept


def size_of(difference: Plane) -> Plane:
    """Return the size of a difference f in 1/64 of a level, bounded as errors are."""
    return np.minimum(16 * np.abs(difference), LARGEST_ERROR)


def spreads(kept: Sequence[Plane], weights: Int[np.ndarray, " terms"], precision: int, step: int) -> Plane:
    """Return the expected size of a symbol in 2^-16; the last weight is one symbol's."""
    total = np.full_like(kept[0], float(weights[-1]) * UNITS * step)
    for weight, one in zip(weights[:-1].tolist(), kept, strict=True):
        if weight:
            total += weight * one
    return np.floor(total * 2.0 ** (SPREAD_BITS - precision) / step)
