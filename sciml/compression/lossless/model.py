"""The model of lossless coding: weights of means and spreads, and counts of symbols; all whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int

from sciml.compression.coding.model import digest_arrays
from sciml.compression.lossless.coder import FRACTIONS, SYMBOLS, TABLES, TOTAL
from sciml.compression.lossless.lattice import PASSES
from sciml.compression.lossless.rules import (
    DEFAULT_PRECISION,
    LARGEST_SPREAD_WEIGHTS,
    LARGEST_WEIGHT_LOG2,
    MOST_KNOWN,
    MOST_MEANS,
    MOST_SPREADS,
    SCALES,
    mean_count,
    spread_count,
)
from sciml.runtime.errors import FormatError

SETS = (MOST_KNOWN + 1, SCALES, PASSES)
ARRAYS = ("mean", "spread", "counts")


@dataclass(frozen=True)
class LosslessModel:
    """Everything that encoder and decoder share.

    Attributes:
        name: name of the model, for people.
        mean: weights of means by known planes, scale and pass, in 1/1024; 0 behind the last.
        spread: weights of spreads, in 1/1024.
        counts: counts of 2^20 of the symbols -40 to 40 by class and fraction.
        about: further facts, for the card.
    """

    name: str
    mean: Int[np.ndarray, "known scales passes means"]
    spread: Int[np.ndarray, "known scales passes spreads"]
    counts: Int[np.ndarray, "tables fractions symbols"]
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {"mean": (*SETS, MOST_MEANS), "spread": (*SETS, MOST_SPREADS), "counts": (TABLES, FRACTIONS, SYMBOLS)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
                raise FormatError(
                    f"the model's {name} is {array.dtype} of shape {array.shape}: expected whole numbers of shape {shape}"
                )
        if np.abs(self.mean.astype(np.int64)).max() > 1 << (DEFAULT_PRECISION + LARGEST_WEIGHT_LOG2):
            raise FormatError("the model's mean holds weights above 4: sums of samples might not be exact")
        if self.spread.min() < 0 or self.spread.sum(-1, dtype=np.int64).max() > LARGEST_SPREAD_WEIGHTS:
            raise FormatError("the model's spread holds weights below 0 or too large: sums of errors might not be exact")
        if self.counts.min() < 1 or (self.counts.sum(-1, dtype=np.int64) != TOTAL).any():
            raise FormatError(f"the model's counts do not add up to {TOTAL}, or a symbol has none: the model file is damaged")

    def mean_weights(self, which: tuple[int, int, int]) -> tuple[Int[np.ndarray, " terms"], int]:
        """Return the weights of means of a set and their precision."""
        return self.mean[which][: mean_count(which[0], which[2])], DEFAULT_PRECISION

    def spread_weights(self, which: tuple[int, int, int]) -> Int[np.ndarray, " terms"]:
        """Return the weights of spreads of a set; the last one is the constant's."""
        return self.spread[which][: spread_count(which[0], which[2])]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name."""
        return {
            "mean": self.mean.astype(np.int32),
            "spread": self.spread.astype(np.int32),
            "counts": self.counts.astype(np.uint32),
        }

    @property
    def channels(self) -> int:
        """Channels of the pictures that it is shown with; it codes any number."""
        return 3

    @property
    def centre(self) -> float:
        """Centre of the numbers of those pictures."""
        return 127.5

    @property
    def span(self) -> float:
        """Span of the numbers of those pictures."""
        return 255.0

    @property
    def test_codes(self) -> tuple[int, ...]:
        """Bounds with which the self-test codes."""
        return (7, 2, 0)

    @cached_property
    def id(self) -> bytes:
        """The 8 bytes that name the model in a stream."""
        return digest_arrays(self.arrays())


def lossless_model_from(arrays: Mapping[str, np.ndarray], name: str, about: Mapping[str, Any] | None = None) -> LosslessModel:
    """Return the model with these arrays.

    Raises:
        FormatError: arrays are missing, of other shapes, or hold weights whose sums might not be exact.
    """
    try:
        return LosslessModel(name, *(arrays[one] for one in ARRAYS), about=dict(about or {}))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"the model {name} is damaged or of another version: {error}") from error
