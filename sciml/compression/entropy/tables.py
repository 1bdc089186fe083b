"""Whole-number probabilities of the symbols, one table for each band of planes and class."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

import numpy as np
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Float, Int

from sciml.compression.entropy.rules import CLASSES
from sciml.runtime.errors import FormatError

TOTAL_BITS = 20
TOTAL = 2**TOTAL_BITS
# symbols up to this size have probabilities of their own; the largest also announces a remainder
LARGEST_SYMBOL = 40
# a table serves the planes from one bound to the next
BAND_BOUNDS = (1, 3, 8, 16, 32, 64, 128)
BANDS = len(BAND_BOUNDS) + 1


def band_of(plane: int) -> int:
    """Return which tables a plane uses."""
    return bisect_right(BAND_BOUNDS, plane)


class Tables:
    """Tables of scalar symbols, symmetric in sign.

    Args:
        sizes: counts of 2^20 of +1, ..., +40 (and as many for -1, ..., -40); what is left belongs to 0.

    Raises:
        FormatError: a symbol without probability.
    """

    def __init__(self, sizes: Int[np.ndarray, "bands classes 40"]):
        zeros = TOTAL - 2 * sizes.sum(-1, dtype=np.int64)
        if sizes.shape != (BANDS, CLASSES, LARGEST_SYMBOL) or sizes.min() < 1 or zeros.min() < 1:
            raise FormatError("the codec's tables hold a symbol without probability: the model file is damaged")
        self.sizes = sizes
        self.counts = np.concatenate([sizes[..., ::-1], zeros[..., None], sizes], -1, dtype=np.int64)
        # ideal code length of a symbol in bits; of the largest, without its remainder
        self.bits: Float[np.ndarray, "bands classes symbols"] = TOTAL_BITS - np.log2(self.counts)

    @lru_cache(maxsize=BANDS * CLASSES)  # noqa: B019 - tables live as long as their model
    def model(self, band: int, of_class: int) -> stream.model.Categorical:
        """Return the coder's model; the probabilities are exact in float64."""
        return stream.model.Categorical(self.counts[band, of_class] / TOTAL, perfect=False)


def symmetric_sizes(counts: Float[np.ndarray, "bands classes symbols"]) -> Int[np.ndarray, "bands classes 40"]:
    """Return `sizes` of tables from counted symbols -40..40, smoothed towards the band's mean."""
    both = counts + counts[..., ::-1]
    band = both.sum(1, keepdims=True) + 1e-9
    smooth = both + 0.02 + 0.5 * band / band.sum(-1, keepdims=True)
    half = np.concatenate([smooth[..., LARGEST_SYMBOL : LARGEST_SYMBOL + 1] / 2, smooth[..., LARGEST_SYMBOL + 1 :]], -1)
    # pairs of signs share a count, so halves are rounded to 2^19
    share = half / half.sum(-1, keepdims=True) * (TOTAL // 2)
    sizes = np.maximum(np.round(share[..., 1:]), 1).astype(np.int64)
    # where 0 is rare, rounding up may leave nothing for it: the most frequent symbol makes room
    excess = np.maximum(sizes.sum(-1) - (TOTAL // 2 - 1), 0)
    np.put_along_axis(sizes, sizes.argmax(-1)[..., None], (sizes.max(-1) - excess)[..., None], -1)
    return sizes
