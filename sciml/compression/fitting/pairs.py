"""What the network learns from: crops as the codec decodes them, beside the crops themselves."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.tile_coding import encode_planes
from sciml.compression.coding.transform import BLOCK
from sciml.compression.entropy.context import VALUE_UNITS
from sciml.runtime.seeds import Seeds
from sciml.training.step import Scalars

log = logging.getLogger(__name__)

# squared error of the linear path on photographs, in units of the span: this times step^1.4
USUAL_ERROR, USUAL_POWER = 0.012, 1.4
SYMMETRIES = 8


@dataclass(frozen=True)
class Pairs:
    """Decoded crops and originals.

    Attributes:
        decoded: decoded picture in units of the span, around 0.
        original: original picture in the model's numbers.
        steps: steps of the quantiser.
    """

    decoded: Float[np.ndarray, "crops channels size size"]
    original: Shaped[np.ndarray, "crops channels size size"]
    steps: Float[np.ndarray, " crops"]


def code_crops(
    model: CodecModel, crops: Shaped[np.ndarray, "crops size size channels"], steps: tuple[float, ...], seed: int
) -> Pairs:
    """Return crops coded at one step each, spread evenly over `steps` and a little beside them."""
    generator = np.random.default_rng(Seeds(seed)("pairs"))
    count, size = crops.shape[:2]
    decoded = np.empty((count, crops.shape[3], size, size), np.float16)
    chosen = np.exp(np.log(steps)[np.arange(count) % len(steps)] + generator.uniform(-0.15, 0.15, count))
    for number, (crop, step) in enumerate(zip(crops, chosen, strict=True)):
        picture = (crop.astype(np.float32) - np.float32(model.centre)) / np.float32(model.span)
        coded = encode_planes(model, model.set_for(step), step, model.transform.forward(picture), bytes_too=False)
        planes = np.zeros((len(model.transform.order), size // BLOCK, size // BLOCK), np.float32)
        planes[: len(coded.values)] = coded.values * np.float32(step / VALUE_UNITS)
        decoded[number] = model.transform.inverse(planes).transpose(2, 0, 1)
        if number % 100 == 99:
            log.info("%d of %d crops coded", number + 1, count)
    return Pairs(decoded, np.ascontiguousarray(crops.transpose(0, 3, 1, 2)), chosen)


class PairBatches:
    """Random parts of pairs, mirrored and turned; a function of (seed, step).

    Args:
        pairs: coded crops.
        model: gives centre and span.
        size: side of a part, a multiple of 16.
        batch: parts in a batch.
        seed: master seed.
    """

    def __init__(self, pairs: Pairs, model: CodecModel, size: int, batch: int, seed: int):
        self.pairs, self.model, self.size, self.count, self.seeds = pairs, model, size, batch, Seeds(seed)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return decoded parts, originals and steps."""
        generator = np.random.default_rng(self.seeds("parts", step))
        numbers = generator.integers(len(self.pairs.steps), size=self.count)
        room = (self.pairs.decoded.shape[2] - self.size) // BLOCK + 1
        decoded, original = [], []
        for number in numbers:
            top, left = BLOCK * generator.integers(room, size=2)
            window = np.s_[:, top : top + self.size, left : left + self.size]
            turn = int(generator.integers(SYMMETRIES))
            decoded.append(symmetry(self.pairs.decoded[number][window], turn))
            original.append(symmetry(self.pairs.original[number][window], turn))
        levels = torch.from_numpy(np.stack(original)).float()
        return {
            "decoded": torch.from_numpy(np.stack(decoded)).float(),
            "original": (levels - self.model.centre) / self.model.span,
            "step": torch.from_numpy(self.pairs.steps[numbers].astype(np.float32)),
        }


def symmetry(picture: np.ndarray, number: int) -> np.ndarray:
    """Return one of the eight symmetries of the square, on the last two axes."""
    turned = np.rot90(picture, number % 4, axes=(-2, -1))
    return np.ascontiguousarray(turned[..., ::-1] if number >= 4 else turned)


def relative_error(
    model: nn.Module, batch: dict[str, Tensor], _generator: torch.Generator | None = None
) -> tuple[Tensor, Scalars]:
    """Return the mean squared error over what is usual at each step, and the gain over the linear path in dB.

    Every rate then counts alike, and within a rate every pixel. Errors over those of each crop would not do: crops that hold
    little structure, and nothing to learn, would outweigh the others.
    """
    refined = model(batch["decoded"], batch["step"])
    usual = USUAL_ERROR * batch["step"] ** USUAL_POWER
    before = ((batch["decoded"] - batch["original"]).square().mean((1, 2, 3)) / usual).mean()
    loss = ((refined - batch["original"]).square().mean((1, 2, 3)) / usual).mean()
    return loss, {"gain_db": 10 * torch.log10(before / loss.detach())}
