"""The encoder's choice of symbols: least distortion plus rate, with the tables that the decoder will use.

For each block the candidates are 0 and the two whole numbers around u = y - mu; chosen is

    argmin_q (u - r(q))^2 + lambda w bits(q | class)

in units of the step, r(q) the value that q stands for and w a weight of the block (a region of interest, or masking). Groups take
the best of all their words in the same way.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.transform import BLOCK
from sciml.compression.entropy.coder import Writer
from sciml.compression.entropy.context import VALUE_UNITS
from sciml.compression.entropy.groups import Groups
from sciml.compression.entropy.rules import Rules
from sciml.compression.entropy.tables import LARGEST_SYMBOL, Tables, band_of
from sciml.compression.entropy.vectors import assign
from sciml.runtime.errors import ConfigError

Tune = Literal["psnr", "ms-ssim"]
TUNES: tuple[Tune, ...] = get_args(Tune)
# squared steps a bit is worth
LAMBDA = 0.15
# tuning for MS-SSIM: power, and energies of a block in squares of the span
MASKING = 0.5
LEAST_ENERGY, USUAL_ENERGY = 0.01, 8.0


class Chooser:
    """Chooses symbols of a picture's planes.

    Args:
        planes: planes of one picture, in steps.
        rules: rules of the step.
        tables: tables of the step.
        weight: weight of each block's rate: lambda times this.
        writer: takes the symbols; without one only the ideal code length is counted.
    """

    def __init__(
        self,
        planes: Float[np.ndarray, "planes blocks"],
        rules: Rules,
        tables: Tables,
        weight: float | Float[np.ndarray, " blocks"] = LAMBDA,
        writer: Writer | None = None,
    ):
        self.planes, self.rules, self.tables, self.writer = planes, rules, tables, writer
        self.weight = np.broadcast_to(np.asarray(weight, np.float64), planes.shape[1:])
        self.bits = np.zeros(rules.planes)
        self.symbols = np.zeros((rules.planes, planes.shape[1]), np.int32)

    def __call__(
        self,
        plane: int,
        blocks: Int[np.ndarray, " blocks"],
        mean: Float[np.ndarray, " blocks"],
        classes: Int[np.ndarray, " blocks"],
    ) -> Float[np.ndarray, " blocks"]:
        """Return the symbols of a pass."""
        residual = self.planes[plane][blocks] - mean / VALUE_UNITS
        size = np.abs(residual)
        below = np.floor(size)
        weight = self.weight[blocks]
        # the three candidates: what each costs, the first of the cheapest is chosen
        lengths = self._bits(band_of(plane), classes, below)
        least = size**2 + weight * lengths[0]
        sizes, bits = np.zeros_like(below), lengths[0]
        for candidate, length in ((below, lengths[1]), (below + 1, lengths[2])):
            cost = (size - self.rules.reconstruct_sizes(plane, candidate) / VALUE_UNITS) ** 2 + weight * length
            better = cost < least
            least = np.minimum(cost, least)
            sizes, bits = np.where(better, candidate, sizes), np.where(better, length, bits)
        self.bits[plane] += bits.sum()
        symbols = np.sign(residual) * sizes
        self.symbols[plane][blocks] = symbols
        if self.writer is not None:
            self.writer.put(plane, classes, symbols)
        return symbols

    def _bits(
        self, band: int, classes: Int[np.ndarray, " blocks"], below: Float[np.ndarray, " blocks"]
    ) -> tuple[Float[np.ndarray, " blocks"], ...]:
        """Return ideal code lengths of 0, and of symbols of a size and of the next one, remainders included."""
        table = self.tables.bits[band].reshape(-1)
        zero = classes * self.tables.bits.shape[2] + LARGEST_SYMBOL
        found = [table.take(zero)]
        for sizes in (below, below + 1):
            bits = table.take(zero + np.minimum(sizes, LARGEST_SYMBOL).astype(np.intp))
            large = sizes >= LARGEST_SYMBOL
            if large.any():
                bits[large] += 2 * np.floor(np.log2(sizes[large] - LARGEST_SYMBOL + 1)) + 1
            found.append(bits)
        return tuple(found)


def masking(model: CodecModel, planes: Float[np.ndarray, "planes rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Return how many times the usual bits an error may cost less in each block, for MS-SSIM.

        w = ((e + e0) / e1)^p,   e the energy of the block's planes without those of its means

    The measure forgives errors where the picture varies much. e1 is a large energy: most blocks get finer, and the step of a rate
    becomes coarser instead; e0 keeps flat blocks from costing everything.
    """
    waves = model.transform.order % BLOCK**2 != 0
    energy = np.square(planes[waves], dtype=np.float64).sum(0)
    return ((energy + LEAST_ENERGY) / USUAL_ENERGY) ** MASKING


class WordChooser:
    """Chooses words of a picture's groups.

    Args:
        planes: planes of one picture, in steps.
        groups: groups of the step.
        weight: weight of each block's rate: lambda times this.
        writer: takes the words; without one only the ideal code length is counted.
    """

    def __init__(
        self,
        planes: Float[np.ndarray, "planes blocks"],
        groups: Groups,
        weight: float | Float[np.ndarray, " blocks"] = LAMBDA,
        writer: Writer | None = None,
    ):
        self.planes, self.groups, self.writer = planes, groups, writer
        self.weight = np.broadcast_to(np.asarray(weight, np.float64), planes.shape[1:])
        self.bits = np.zeros(len(groups.members))
        self.symbols = np.zeros((len(groups.members), planes.shape[1]), np.int32)

    def __call__(
        self, group: int, blocks: Int[np.ndarray, " blocks"], classes: Int[np.ndarray, " blocks"]
    ) -> Int[np.ndarray, " blocks"]:
        """Return the words of a pass."""
        mine = self.groups.planes_of(group)
        vectors = self.planes[np.ix_(mine, blocks)].T.astype(np.float64)
        bits = self.groups.bits()[group]
        words = assign(vectors, self.groups.words[group, :, : len(mine)] / VALUE_UNITS, bits, classes, self.weight[blocks])[0]
        self.bits[group] += bits[classes, words].sum()
        self.symbols[group, blocks] = words
        if self.writer is not None:
            self.writer.put_words(self.groups, group, classes, words)
        return words


def tuning(word: str) -> Tune:
    """Return a tuning by its name.

    Raises:
        ConfigError: there is none of this name.
    """
    for tune in TUNES:
        if word == tune:
            return tune
    raise ConfigError(f"tuning for {word} was asked for: expected {' or '.join(TUNES)}")
