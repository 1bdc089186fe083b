"""What blurred a picture, from the picture itself, for those who have nothing else, and its noise level."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from skimage.restoration import estimate_sigma
from torch import Tensor

from sciml.datasets.loaders import LUMA
from sciml.deblurring.correction.blind_steps import slopes
from sciml.deblurring.correction.coarse_to_fine import OnLevel, Tiles, coarse_to_fine
from sciml.deblurring.correction.kernel_step import busiest
from sciml.deblurring.dip.objective import unsaturated
from sciml.deblurring.kernels.canonical import ncc
from sciml.deblurring.kernels.shake import Shake
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Images
from sciml.runtime.errors import ConfigError, DataError, ShapeError

LEAST_NOISE = 0.002
# with a rotation: cells along the shorter and the longer side, pixels of a tile, and where, as a share of half of the diagonal, a
# point moves by a pixel from each angle to the next
CELLS, TILE, OUTER = (3, 4), 192, 0.7
# below these an estimate is called poor
NEARLY_A_POINT, BLOCK, LEAST_EDGES = 3.0, 4, 10.0
# least agreement of halves: below it lay 4 of the 5 validation pairs that gained less than a quarter of what the true kernel
# gains, and 1 of the 23 others (`benchmarks/blind.py --role validation --pairs 14`, seeds 7 and 8)
LEAST_AGREEMENT = 0.65


@dataclass(frozen=True)
class Estimate:
    """A kernel estimated from a picture.

    Attributes:
        kernel: canonical: odd, non-negative, sum 1, centre of mass within half a pixel of the middle; with a shake that of the
            middle of the picture.
        notes: what speaks against the estimate, in sentences for the user; empty when nothing does.
        agreement: mean correlation, at the best shift, of the kernels of the left and the right half and of those of the upper
            and the lower one; with a shake of those of every other tile and the others. 1 where they are equal, None where
            halves are smaller than two kernels.
        shake: the poses of a camera that may have turned, or None.
    """

    kernel: Kernel
    notes: tuple[str, ...] = ()
    agreement: float | None = None
    shake: Shake | None = None

    @property
    def doubtful(self) -> bool:
        """Whether the halves of the picture disagree, as they do where the estimate is mostly of no use."""
        return self.agreement is not None and self.agreement < LEAST_AGREEMENT


def noise_std(y: Images) -> float:
    """Return the standard deviation of white noise, from the finest diagonal wavelet band (Donoho and Johnstone 1994).

    A blur leaves next to nothing of the picture in that band. The mean over images and channels.

    Args:
        y: picture of at least 8 x 8 pixels.

    Raises:
        ShapeError: not (batch, channel, height, width), or smaller.
        DataError: not finite, or constant.

    Warns:
        UserWarning: the result is below 0.002, the order of the rounding to 8 bits (0.0011).
    """
    _check_picture(y)
    level = _wavelet_noise(y)
    if level < LEAST_NOISE:
        warnings.warn(
            f"the picture seems nearly free of noise (standard deviation {level:.2g}, below {LEAST_NOISE}): rounding or a filter "
            "may hide what there is; give noise_std when you know it",
            UserWarning,
            stacklevel=2,
        )
    return level


def estimate_kernel(
    y: Float[Tensor, "1 channel height width"],
    size: int,
    noise_std: float | None = None,
    on_level: OnLevel | None = None,
    rotation: bool = False,
) -> Estimate:
    """Return what blurred a picture: one kernel for all of it, or the poses of a camera that turned about its axis as well.

    Works on the luminance, in linear light, clipped pixels left out. Deterministic: there is no chance in it. The kernel's place
    cannot be known; its centre of mass is put in the middle. Whatever of the blur is wider than `size` is lost, so rather give
    too large a size than too small a one. With a rotation, the kernels of twelve tiles all over the picture, each where its
    edges are strongest, come from one list of poses (Hirsch, Schuler, Harmeling and Schoelkopf, ICCV 2011), so that they vary
    smoothly and soft places follow those with edges.

    Args:
        y: blurred picture in linear light in [0, 1], 1 or 3 channels.
        size: odd support of the kernel in pixels, at least 3 and at most half of the picture; with a rotation a quarter.
        noise_std: standard deviation of the noise of y; estimated when not given.
        on_level: called after each size of the pyramid with its number from 1, the count of all, and the kernel so far.
        rotation: whether the camera may have turned; the result has a `shake` then.

    Raises:
        ConfigError: the size is even, too small or too large, or noise_std is negative.
        ShapeError: y is not one picture of 1 or 3 channels.
        DataError: y is not finite, or constant.
    """
    _check_picture(y)
    if y.shape[0] != 1 or y.shape[1] not in (1, 3):
        raise ShapeError(f"a kernel is estimated from one picture of 1 or 3 channels, got shape {tuple(y.shape)}")
    part = 4 if rotation else 2
    if size % 2 == 0 or not 3 <= size <= min(y.shape[-2:]) // part:
        share = "a quarter" if rotation else "half"
        raise ConfigError(
            f"the kernel size is odd, at least 3 and at most {share} of the picture {tuple(y.shape[-2:])}, got {size}"
        )
    if noise_std is not None and not 0 <= noise_std < float("inf"):
        raise ConfigError(f"noise_std is a finite number of at least 0, got {noise_std}")
    y = y.detach().float().cpu()
    mask = unsaturated(y).to(y)
    weights = torch.tensor(LUMA if y.shape[1] == 3 else (1.0,))
    light = (y * weights.reshape(1, -1, 1, 1)).sum(1, keepdim=True)
    # a low level needs no warning here: it is floored
    level = _wavelet_noise(light) if noise_std is None else noise_std * float(weights.square().sum().sqrt())

    low, high = (float(np.quantile(light.numpy(), share)) for share in (0.01, 0.99))
    contrast = max(high - low, 1e-3 * float(light.max() - light.min()))
    light, level = (light - low) / contrast, level / contrast
    tiles = _tiles(light, mask, size) if rotation else Tiles(light, mask)
    shake = coarse_to_fine(tiles, size, level, on_level)
    kernel = shake.kernel((0, 0), size)
    notes = _notes(kernel, light, level)
    agreement = _agreement_of_tiles(tiles, size, level) if rotation else _agreement(light, mask, size, level)
    found = Estimate(kernel, notes, agreement, shake if rotation else None)
    if not found.doubtful:
        return found
    doubt = (
        f"Doubtful: the kernels of the halves of the picture agree by {agreement:.2f} only (at least {LEAST_AGREEMENT}). "
        "The restored picture may be worse than the blurred one; another part of it, with more edges, may tell more."
    )
    return replace(found, notes=(doubt, *notes))


def _tiles(y: Images, mask: Images, size: int) -> Tiles:
    """Return the parts of a picture that tell of a turn: of each of its cells the square with the strongest edges."""
    lengths = [int(length) for length in y.shape[-2:]]
    most = CELLS if lengths[0] <= lengths[1] else CELLS[::-1]
    # a cell holds four kernels side by side
    counts = [min(count, length // (4 * size)) for count, length in zip(most, lengths, strict=True)]
    cells = [list(pairwise(length * n // count for n in range(count + 1))) for count, length in zip(counts, lengths, strict=True)]
    side = min(max(TILE, 6 * size), *(last - first for ends in cells for first, last in ends))
    parts, masks, places = [], [], []
    for top, bottom in cells[0]:
        for left, right in cells[1]:
            cell = (..., slice(top, bottom), slice(left, right))
            rows, columns = busiest(y[cell], mask[cell][0, 0], side)
            parts.append(y[cell][..., rows, columns])
            masks.append(mask[cell][..., rows, columns])
            places.append((top + rows.start + (side - lengths[0]) / 2, left + columns.start + (side - lengths[1]) / 2))
    return Tiles(torch.cat(parts), torch.cat(masks), tuple(places), OUTER * math.hypot(*lengths) / 2)


def _wavelet_noise(y: Images) -> float:
    planes = y.detach().double().cpu().flatten(0, 1).numpy()
    return float(np.mean([estimate_sigma(plane) for plane in planes]))


def _agreement(y: Images, mask: Images, size: int, sigma: float) -> float | None:
    """Return how well the kernels of the two halves agree, mean over both ways to halve a picture of contrast 1."""
    middle = [length // 2 for length in y.shape[-2:]]
    if min(middle) < 2 * size:
        return None
    halves = [(slice(0, middle[0]), slice(None)), (slice(middle[0], None), slice(None))]
    halves += [(slice(None), slice(0, middle[1])), (slice(None), slice(middle[1], None))]
    shakes = [coarse_to_fine(Tiles(y[(..., *half)], mask[(..., *half)]), size, sigma) for half in halves]
    kernels = [shake.kernel((0, 0), size) for shake in shakes]
    return float(np.mean([ncc(*pair, any_shift=True) for pair in (kernels[:2], kernels[2:])]))


def _agreement_of_tiles(tiles: Tiles, size: int, sigma: float) -> float | None:
    """Return how well the poses of every other tile and of the others agree: mean correlation of their kernels at all places."""
    if len(tiles.places) < 4:
        return None
    first, second = (coarse_to_fine(tiles.only(slice(begin, None, 2)), size, sigma) for begin in (0, 1))
    # far from the middle a turn leads beyond the support
    pairs = [(first.kernel(place, 3 * size), second.kernel(place, 3 * size)) for place in tiles.places]
    return float(np.mean([ncc(*pair, any_shift=True) for pair in pairs]))


def _notes(kernel: Kernel, light: Images, sigma: float) -> tuple[str, ...]:
    """Return what speaks against the estimate."""
    notes = []
    # 1 / sum k^2 is the number of pixels of a flat kernel of equal sharpness
    spread = 1 / float((kernel**2).sum())
    if spread < NEARLY_A_POINT:
        notes.append(
            f"The estimate is nearly a single pixel (effective size {spread:.1f} pixels): the picture is sharp already, or its "
            "blur was not found."
        )
    rim = 1 - float(kernel[1:-1, 1:-1].sum())
    if rim > 0.02:
        notes.append(f"The estimate reaches the edge of its support ({100 * rim:.0f} % lies there): try a larger size.")
    # means over b x b pixels have noise sigma / b, so two slopes of noise alone have the mean square 4 (sigma / b)^2
    means = torch.nn.functional.avg_pool2d(light, BLOCK)
    noise = max(sigma, 1e-12) / BLOCK
    ratio = float(slopes(means).square().sum(1).mean()) / (4 * noise**2) - 1
    if ratio < LEAST_EDGES:
        notes.append(
            f"The picture has few edges above its noise (squared slopes of means over {BLOCK} x {BLOCK} pixels are {ratio:.1f} "
            f"times those of the noise, at least {LEAST_EDGES:.0f} are needed): the estimate is hardly more than a guess."
        )
    return tuple(notes)


def _check_picture(y: Tensor) -> None:
    if y.ndim != 4 or min(y.shape[-2:]) < 8:
        raise ShapeError(f"pictures have shape (batch, channel, height, width), at least 8 x 8 pixels, got {tuple(y.shape)}")
    if not bool(torch.isfinite(y).all()):
        raise DataError("the picture holds values that are not finite")
    if float(y.max() - y.min()) <= 1e-6 * max(1.0, float(y.abs().max())):
        raise DataError("the picture is constant: nothing can be estimated from it")
