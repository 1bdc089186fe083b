"""What blurred a picture, coarse to fine: one kernel, or, where the camera turned as well, the poses that it took.

At each size of the picture, sharp images of few edges and the weights of all poses, whose kernels turn these edges into those
of the picture, are found in turn; the weights, enlarged, start the next size. Poses are a grid of whole pixels along rows and
columns and, where the camera may have turned, of angles; without these they are the pixels of the kernel itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy import sparse

from sciml.deblurring.correction.blind_steps import (
    Density,
    cleaned,
    enlarged,
    point,
    positive_weights,
    pyramid_sizes,
    strong_edges,
)
from sciml.deblurring.kernels.shake import Place, Shake, displacements, splatted
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Images

ROUNDS = 5
# the misfit that an image of few edges is granted, in units of the contrast and, if more, of the noise; least noise believed
EDGE_SIGMA, NOISE_SHARE = 0.0075, 0.25
NOISE_FLOOR = 0.005
# log-odds of an edge in a pixel: from few edges to more, never below the last
EDGE_WEIGHTS, EDGE_DECAY = (20.0, 8.0), 0.95
OnLevel = Callable[[int, int, Kernel], None]


@dataclass(frozen=True)
class Tiles:
    """Equal parts of a grey picture of contrast 1.

    Attributes:
        y: (tiles, 1, height, width).
        mask: 1 where a pixel is believed, of that shape.
        places: rows and columns of their middles, from that of the picture.
        radius: by how many pixels from the middle a point moves by one pixel from each angle of the grid to the next; None where
            the camera did not turn.
    """

    y: Images
    mask: Images
    places: tuple[Place, ...] = ((0.0, 0.0),)
    radius: float | None = None

    def only(self, kept: slice) -> Tiles:
        """Return some of the tiles."""
        return Tiles(self.y[kept], self.mask[kept], self.places[kept], self.radius)


def coarse_to_fine(tiles: Tiles, size: int, sigma: float, on_level: OnLevel | None = None) -> Shake:
    """Return the poses that blurred a picture; without turns those of its kernel, `shake.kernel((0, 0), size)`.

    Args:
        tiles: of the picture.
        size: odd support of a kernel in pixels.
        sigma: standard deviation of the noise.
        on_level: called after each size of the pyramid with its number from 1, the count of all, and the kernel of the middle.
    """
    sizes = pyramid_sizes(size)
    weight, weights = EDGE_WEIGHTS[0], _two_pixels(_shape(sizes[-1], tiles))
    for level in reversed(range(len(sizes))):
        scale, shape = 2 ** (-level / 2), _shape(sizes[level], tiles)
        small, believed = _reduced(tiles.y, scale), (_reduced(tiles.mask, scale) > 0.99).to(tiles.y)
        # means over blocks leave white noise smaller by the scale
        noise = max(sigma * scale, NOISE_FLOOR)
        if level < len(sizes) - 1:
            weights = enlarged(weights, shape, 2**0.5)
        weights = cleaned(weights, cut=0)
        poses = _poses(shape, None if tiles.radius is None else tiles.radius * scale)
        places = [(row * scale, column * scale) for row, column in tiles.places]
        drawn = sparse.csr_matrix(sparse.vstack([splatted(displacements(poses, place), shape[-1]) for place in places]))
        for _ in range(ROUNDS):
            edges = [
                strong_edges(y[None], kernel, max(EDGE_SIGMA, NOISE_SHARE * noise), weight, mask[None])
                for y, mask, kernel in zip(small, believed, _kernels(drawn @ weights.ravel(), shape[-1]), strict=True)
            ]
            found = positive_weights(torch.cat(edges), small, weights.ravel(), drawn, noise, believed)
            weights = cleaned(found.reshape(shape))
            weight = max(weight * EDGE_DECAY, EDGE_WEIGHTS[1])
        if on_level is not None:
            on_level(len(sizes) - level, len(sizes), Shake(poses, weights.ravel()).kernel((0, 0), shape[-1]))
    return Shake(poses, weights.ravel())


def _shape(size: int, tiles: Tiles) -> tuple[int, int, int]:
    return (1 if tiles.radius is None else size, size, size)


def _two_pixels(shape: tuple[int, int, int]) -> Density:
    """Return two pixels side by side: a blur, however small, leads away from the delta, which explains every picture."""
    weights = point(shape)
    return (weights + np.roll(weights, -1, axis=-1)) / 2


def _poses(shape: tuple[int, int, int], radius: float | None) -> Float[np.ndarray, "poses three"]:
    """Return the rows, columns and degrees of the elements of an array of weights, from those of its middle."""
    turns, rows, columns = np.indices(shape).reshape(3, -1) - np.array(shape)[:, None] // 2
    return np.stack([rows, columns, turns if radius is None else np.rad2deg(turns / radius)], 1).astype(np.float64)


def _kernels(values: Float[np.ndarray, " values"], size: int) -> list[Kernel]:
    """Return the kernels of the tiles, with sum 1; where all light falls outside, the one that changes nothing."""
    kernels = values.reshape(-1, size, size)
    return [kernel / kernel.sum() if kernel.sum() > 0 else point(kernel.shape) for kernel in kernels]


def _reduced(y: Images, scale: float) -> Images:
    if scale == 1:
        return y
    size = [max(1, round(length * scale)) for length in y.shape[-2:]]
    return torch.nn.functional.interpolate(y, size=size, mode="bicubic", antialias=True)
