"""The network behind the decoder: it adds what the linear path misses.

    x^ = x + g s PixelShuffle4( f( PixelUnshuffle4(x), log2 s ) )

x is the decoded picture in units of the model's span, s the quantiser's step, f two 3x3 convolutions around residual
blocks whose last convolution starts at 0, g = 1/4 a fixed gain. Nothing of it feeds back into the codes: floats are safe
here, and two machines differ by at most one grey level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from sciml.runtime.errors import FormatError

FACTOR = 4
GAIN = 0.25
# deeper networks would look further than is worth its time
MOST_BLOCKS = 3


class Block(nn.Module):
    """x + conv(silu(conv(silu(x)))), all 3x3.

    Args:
        width: channels.
    """

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch width rows columns"]:
        """Return x with the block's addition."""
        return x + self.second(functional.silu(self.first(functional.silu(x))))


def channels_last(network: nn.Module) -> None:
    """Lay the channels of all convolutions beside each other in memory: a fifth to a quarter faster on one core."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight = nn.Parameter(module.weight.detach().contiguous(memory_format=torch.channels_last))


class Restorer(nn.Module):
    """The network.

    Args:
        channels: channels of the picture.
        width: channels within.
        depth: number of residual blocks; each looks 8 pixels further; at most 3.
    """

    def __init__(self, channels: int, width: int = 64, depth: int = 2):
        super().__init__()
        self.inward = nn.Conv2d(channels * FACTOR**2 + 1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.outward = nn.Conv2d(width, channels * FACTOR**2, 3, padding=1)
        nn.init.zeros_(self.outward.weight)
        if self.outward.bias is not None:
            nn.init.zeros_(self.outward.bias)
        channels_last(self)

    @property
    def channels(self) -> int:
        """Channels of the picture."""
        return self.outward.out_channels // FACTOR**2

    @property
    def reach(self) -> int:
        """How many pixels far the network looks from a multiple of 4."""
        return FACTOR * (2 + 2 * len(self.blocks))

    def forward(
        self, picture: Float[Tensor, "batch channels rows columns"], step: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """Return the refined pictures.

        Args:
            picture: decoded, in units of the span, around 0; sides are multiples of 4.
            step: step of the quantiser that each was coded with, in the same units.
        """
        folded = functional.pixel_unshuffle(picture, FACTOR) * 2
        steps = step.to(picture.dtype).view(-1, 1, 1, 1)
        plane = torch.log2(steps).expand(-1, 1, *folded.shape[2:])
        addition = self.outward(functional.silu(self.blocks(self.inward(torch.cat([folded, plane], 1)))))
        return picture + GAIN * steps * functional.pixel_shuffle(addition, FACTOR)

    def apply_to(
        self, picture: Float[np.ndarray, "rows columns channels"], step: float
    ) -> Float[np.ndarray, "rows columns channels"]:
        """Return the refined picture, as an array."""
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))[None]
            refined = self(batch, torch.tensor([step]))[0]
        return np.ascontiguousarray(refined.numpy().transpose(1, 2, 0))

    def error_gradient(
        self,
        picture: Float[np.ndarray, "rows columns channels"],
        wanted: Float[np.ndarray, "rows2 columns2 channels"],
        step: float,
    ) -> Float[np.ndarray, "rows columns channels"]:
        """Return the gradient of 1/2 |refined picture - wanted|^2 by the picture, which may go on below and right of `wanted`."""
        with torch.enable_grad():
            batch, goal = (
                torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1), np.float32))[None] for array in (picture, wanted)
            )
            batch.requires_grad_()
            refined = self(batch, torch.tensor([step]))[..., : goal.shape[2], : goal.shape[3]]
            error = (refined - goal).square().sum() / 2
            (gradient,) = torch.autograd.grad(error, batch)
        return np.ascontiguousarray(gradient[0].numpy().transpose(1, 2, 0))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights by name, in half precision: decoding stays within a grey level and files stay small."""
        return {name: value.detach().cpu().numpy().astype(np.float16, order="C") for name, value in self.state_dict().items()}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Restorer:
        """Return the network with these weights.

        Raises:
            FormatError: they are not those of such a network.
        """
        try:
            width, inputs = arrays["inward.weight"].shape[:2]
            depth = sum(name.endswith(".first.weight") for name in arrays)
            weights = {name: torch.from_numpy(value.astype(np.float32)) for name, value in arrays.items()}
            # nothing is allocated for widths that the file claims and does not hold
            with torch.device("meta"):
                network = Restorer((inputs - 1) // FACTOR**2, width, depth)
            network.load_state_dict(weights, assign=True)
            channels_last(network)
        except (KeyError, ValueError, RuntimeError) as error:
            raise FormatError(f"the model's network is damaged: {str(error).splitlines()[0]}") from error
        if depth > MOST_BLOCKS:
            raise FormatError(f"the model's network is damaged: it has {depth} blocks, expected at most {MOST_BLOCKS}")
        if not all(math.isfinite(float(value.detach().abs().sum())) for value in network.parameters()):
            raise FormatError("the model's network is damaged: a weight is not finite")
        return network.eval().requires_grad_(requires_grad=False)
