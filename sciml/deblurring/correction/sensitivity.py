"""How far the restored image depends on what is not known of the kernel: a map of spreads by bootstrap.

    spread(p) = c sqrt( f^2 + var over b of x_b(p) )
    x_b = argmin_x 1/2 || M (y - k_b * x) ||^2 + weight TV(x),     k_b = error_b(k)

The kernels k_b are draws of a stated error (`sciml.deblurring.kernels.errors`), restored side by side with one weight. The noise
of the picture is not drawn again; what it and the prior add stands in the floor f. c and f calibrate the map and are fitted on
pictures whose truth is known (`sciml.deblurring.study.metrics.calibrated`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.deblurring.kernels.canonical import embedded
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError
from sciml.runtime.seeds import Seeds

KERNEL_ERROR = "rotation:~8+scale:~0.1+smoothing:~0.5"
CALIBRATION = (2.0, 0.015)
"""Factor and floor, in display values, of maps over that error: 95 % coverage of +- 2 spreads on validation photographs."""
TOGETHER, STEPS = 8, 60


def drawn_kernels(kernel: Kernel, error: str, count: int, seed: int) -> Float[np.ndarray, "count size size"]:
    """Return draws of the kernel with an error, all in one square; the first ones do not depend on how many follow.

    Args:
        kernel: canonical.
        error: as for `sciml.deblurring.kernels.errors.perturbed`, with `~` before what is drawn.
        count: at least 2.
        seed: of the draws.

    Raises:
        ConfigError: fewer than two draws, an error that draws nothing, or one that is not known.
    """
    if count < 2:
        raise ConfigError(f"a spread takes at least 2 kernels, got {count}")
    kernels = [perturbed(kernel, error, np.random.default_rng(Seeds(seed)("kernel error", draw))) for draw in range(count)]
    if all(np.array_equal(kernels[0], other) for other in kernels[1:]):
        raise ConfigError(f"the kernel error {error!r} draws the same kernel each time: write ~ before its number")
    size = max(len(each) for each in kernels)
    return np.stack([embedded(each, size) for each in kernels])


@torch.no_grad()
def bootstrap_std(
    y: Float[Tensor, "1 channel height width"],
    kernel: Kernel,
    weight: float,
    error: str = KERNEL_ERROR,
    count: int = 16,
    seed: int = 0,
    factor: float = 1.0,
    floor: float = 0.0,
    mask: Float[Tensor, "height width"] | None = None,
    display: Callable[[Tensor], Tensor] = lambda x: x,
) -> Float[Tensor, "1 channel height width"]:
    """Return the standard deviation of the restored picture over kernels with a stated error.

    Args:
        y: picture, linear light.
        kernel: the one that was restored with.
        weight: of total variation.
        error: of the kernel, as its owner states it.
        count: number of kernels, at least 2; 16 make the spread of a pixel accurate to a fifth.
        seed: of the kernels.
        factor: calibration, c.
        floor: calibration, f, in the units of `display`.
        mask: 1 where pixels are trusted.
        display: into the values in which the spread is wanted, from linear light.

    Raises:
        ConfigError: fewer than two kernels, a factor that is not above 0, or an error that is not known.
    """
    if not (0 < factor < math.inf and 0 <= floor < math.inf):
        raise ConfigError(f"the calibration of a spread is a factor above 0 and a floor of at least 0, got {factor}, {floor}")
    kernels = drawn_kernels(kernel, error, count, seed)
    mean, squares, seen, start = torch.zeros_like(y), torch.zeros_like(y), 0, None
    for first in range(0, count, TOGETHER):
        canvas = Canvas.of(y, kernels[first : first + TOGETHER], mask)
        solution = total_variation(canvas, weight, STEPS, start=start)
        start = solution.x[:1]
        # Welford's update: sums of squares of nearly equal numbers would cancel
        for image in display(canvas.picture(solution.x)):
            seen += 1
            step = image - mean
            mean = mean + step / seen
            squares = squares + step * (image - mean)
    return factor * (squares / (count - 1) + floor**2).sqrt()


spread_map = bootstrap_std
"""The same by its earlier name."""
