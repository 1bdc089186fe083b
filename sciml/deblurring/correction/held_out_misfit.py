"""How well a kernel predicts pixels that the restoration has not seen.

A share of the picture's pixels, in small blocks, is left out of the data term; with x(k) the restoration of all others,

    E(k) = log( mean over left-out pixels of (y - k * x(k))^2 )

Neither the misfit nor the objective can tell kernels apart: the first falls with any kernel that lets the image explain more, the
second is least for a kernel that is too small, since a smooth image costs less. A prediction pays for both: a kernel that is too
small leaves blur that no piecewise smooth image explains, one that is too large makes ripples between the pixels that were seen.
Differences of E between kernels are of the same pixels and the same noise.

Each kernel is restored at its own natural weight, factor sigma |k|_2: with one weight for all, a kernel much wider than the
one that the weight was made for is judged by a picture that is too smooth, and one much narrower by one that is too rough.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import DataError

SHARE, BLOCK = 0.15, 3
# candidates that are restored side by side
TOGETHER = 9


class HeldOut:
    """E of kernels for one picture; each fold leaves out other pixels, and E is the mean of all.

    Args:
        y: luminance (1, 1, height, width), linear light.
        weight: of total variation in the restorations, in units of |k|_2.
        mask: 1 where pixels are trusted (height, width).
        folds: number of patterns.
        seed: of the patterns.
        iterations: steps of a restoration, from that of the kernel that was asked for first.

    Raises:
        DataError: too few trusted pixels are left out to judge by.
    """

    def __init__(
        self,
        y: Float[Tensor, "1 1 height width"],
        weight: float,
        mask: Tensor | None = None,
        folds: int = 2,
        seed: int = 0,
        iterations: int = 50,
    ) -> None:
        self.y, self.weight, self.iterations = y, weight, iterations
        trusted = torch.ones_like(y[0, 0]) if mask is None else mask.to(y)
        generator = torch.Generator().manual_seed(seed)
        self.left_out = [blocks((y.shape[-2], y.shape[-1]), generator).to(y) * trusted for _ in range(folds)]
        if min(float(part.sum()) for part in self.left_out) < 200:
            raise DataError(
                "fewer than 200 pixels can be left out: the picture is too small or too saturated to judge a kernel by"
            )
        self.trusted = trusted
        self._starts: dict[tuple[int, int], Tensor] = {}
        self._known: dict[bytes, float] = {}

    def __call__(self, kernels: list[Kernel]) -> Float[np.ndarray, " candidate"]:
        """Return E of each kernel, computed once; all of one odd size."""
        keys = [kernel.tobytes() for kernel in kernels]
        fresh = {key: kernel for key, kernel in zip(keys, kernels, strict=True) if key not in self._known}
        if fresh:
            self._known |= dict(zip(fresh, self._computed(list(fresh.values())).tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    @property
    def count(self) -> int:
        """Number of kernels that were restored with."""
        return len(self._known)

    def _computed(self, kernels: list[Kernel]) -> Float[np.ndarray, " candidate"]:
        found = np.zeros(len(kernels))
        for first in range(0, len(kernels), TOGETHER):
            part = np.stack(kernels[first : first + TOGETHER])
            weights = self.weight * torch.from_numpy(np.sqrt(np.square(part).sum((1, 2)))).to(self.y)
            for fold, left_out in enumerate(self.left_out):
                seen = self.trusted * (1 - left_out)
                canvas = Canvas.of(self.y, part, seen)
                # one start for all kernels of a size, so that each is judged by what follows the same image
                start = self._starts.get((fold, part.shape[-1]))
                if start is None:
                    alone = Canvas.of(self.y, part[:1], seen)
                    start = self._starts[fold, part.shape[-1]] = total_variation(alone, weights[:1], 2 * self.iterations).x
                solution = total_variation(canvas, weights, self.iterations, start=start)
                errors = (canvas.picture(canvas.blurred(solution.x)) - self.y).square() * left_out
                mean = errors.sum((1, 2, 3)) / left_out.sum()
                found[first : first + TOGETHER] += mean.log().double().cpu().numpy() / len(self.left_out)
        return found


def blocks(size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "height width"]:
    """Return 1 on randomly placed blocks that cover about the share SHARE of the picture, else 0."""
    coarse = torch.rand(-(-size[0] // BLOCK), -(-size[1] // BLOCK), generator=generator) < SHARE
    return coarse.float().repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)[: size[0], : size[1]]
