"""Ways in which an estimated kernel is wrong, as seeded functions from a kernel to a kernel.

One text names an error or several in a row: `rotation:10`, `rotation:7+scale:0.9+smoothing:0.4`. A number that begins with `~`
is drawn: `rotation:~8` turns by a normal angle of standard deviation 8 degrees, `scale:~0.1` scales by exp(0.1 normal), and
every other one is the absolute value of a normal draw. So the same text serves a study with fixed errors and the draws of a
bootstrap over a stated uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sciml.deblurring.kernels.canonical import embedded
from sciml.deblurring.kernels.names import biased
from sciml.deblurring.kernels.warp import sampled, warped
from sciml.imaging.operators.kernels import LARGEST, Kernel
from sciml.runtime.errors import ConfigError

__all__ = ["ERRORS", "biased", "perturbed", "warped"]

CUT = 1e-3
SUPPORT = 0.01
Rng = np.random.Generator


def rotation(kernel: Kernel, generator: Rng, degrees: float) -> Kernel:
    """Turn about the middle, counter-clockwise; in a larger square where a corner would be cut."""
    return warped(_roomy(kernel, math.sqrt(2)), angle_degrees=degrees)


def scale(kernel: Kernel, generator: Rng, factor: float) -> Kernel:
    """Scale about the middle, smoothed before it shrinks; in a larger square where it outgrows its own."""
    return warped(_roomy(kernel, max(factor, 1)), scale=factor)


def smoothing(kernel: Kernel, generator: Rng, pixels: float) -> Kernel:
    """Convolve with a Gaussian of this standard deviation; in a larger square where it spreads beyond its own."""
    _check("a smoothing", pixels, pixels >= 0)
    return warped(_wider(kernel, 3 * pixels), width=pixels)


def truncation(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    """Set to zero what is below a fraction of the maximum."""
    _check("a truncation", fraction, 0 <= fraction < 1)
    return np.where(kernel < fraction * kernel.max(), 0, kernel)


def noise(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    """Add normal noise on the support and its neighbours, its deviation a fraction of the maximum; clipped at zero."""
    return np.where(_support(kernel), _noisy(kernel, generator, fraction), kernel)


def noise_everywhere(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    """Add normal noise on the whole square: the most harmful error and the least realistic."""
    return _noisy(kernel, generator, fraction)


def dropout(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    """Set each pixel to zero with this probability, the brightest excepted."""
    _check("a dropout", fraction, 0 <= fraction <= 1)
    kept = generator.random(kernel.shape) >= fraction
    return np.where(kept | (kernel == kernel.max()), kernel, 0)


def stray(kernel: Kernel, generator: Rng, fraction: float, height: float = 0.1) -> Kernel:
    """Add light at a fraction of all pixels: |normal| times `height` times the maximum."""
    _check("a fraction of stray pixels", fraction, 0 <= fraction <= 1)
    chosen = generator.random(kernel.shape) < fraction
    return kernel + chosen * np.abs(generator.normal(size=kernel.shape)) * height * kernel.max()


def shift(kernel: Kernel, generator: Rng, rows: float, columns: float | None = None) -> Kernel:
    """Move down and right by fractions of a pixel (spline interpolation), or by one distance in a random direction."""
    if columns is None:
        direction = generator.uniform(0, 2 * math.pi)
        rows, columns = rows * math.sin(direction), rows * math.cos(direction)
    return sampled(_wider(kernel, max(abs(rows), abs(columns))), np.eye(2), -np.array([rows, columns]), 0.0)


def crop(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    """Keep the central fraction of rows and columns, as an estimate with too small a support does; the rest is zero."""
    _check("a crop", fraction, 0 < fraction <= 1)
    reach = round((fraction * kernel.shape[0] - 1) / 2)
    away = np.abs(np.arange(kernel.shape[0]) - kernel.shape[0] // 2) > max(reach, 0)
    return np.where(away[:, None] | away, 0, kernel)


@dataclass(frozen=True)
class _Error:
    """An error model and how its first number is drawn when only its spread is given."""

    apply: Callable[..., Kernel]
    most: int = 1
    draw: Callable[[float], float] = abs


ERRORS = {
    "rotation": _Error(rotation, draw=float),
    "scale": _Error(scale, draw=math.exp),
    "smoothing": _Error(smoothing),
    "truncation": _Error(truncation),
    "noise": _Error(noise),
    "noise-everywhere": _Error(noise_everywhere),
    "dropout": _Error(dropout),
    "stray": _Error(stray, most=2),
    "shift": _Error(shift, most=2),
    "crop": _Error(crop),
}
"""Degrees, factors, pixels or fractions: see the function of each. `exact` is the kernel itself."""


def perturbed(kernel: Kernel, text: str, generator: np.random.Generator, recentre: bool = False) -> Kernel:
    """Return the kernel with an error: odd, square, non-negative, sum 1.

    The errors of `text` act from left to right. The size stays, or grows where turning, scaling, smoothing or moving would
    cut more than 0.1 % of the light: `sciml.deblurring.kernels.canonical.embedded` brings the true kernel to it.

    An error that takes light from one side, truncation above all, moves the centre of mass, in camera shakes often by a pixel
    or more. By default the kernel stays where the true one is, so that the plain PSNR of a result means something.

    Args:
        kernel: canonical.
        text: `NAME:NUMBER` with names of `ERRORS`, joined by `+`, or `exact`; `stray` takes the fraction of pixels and their
            height, `shift` a distance, or rows and columns.
        generator: source of randomness; equal states give equal kernels.
        recentre: move it by whole pixels to its centre of mass, as `canonicalise` does with any kernel that a user gives.

    Raises:
        ConfigError: an unknown name, a number out of range, or nothing left of the kernel.
    """
    size = kernel.shape[0]
    for part in [] if text == "exact" else text.split("+"):
        name, numbers, drawn = _parsed(part, text)
        if drawn:
            numbers[0] = ERRORS[name].draw(numbers[0] * float(generator.normal()))
        kernel = np.maximum(ERRORS[name].apply(kernel, generator, *numbers), 0)
        if not kernel.sum() > 0:
            raise ConfigError(f"the error {part!r} leaves nothing of the kernel: take a smaller one")
        kernel = _trimmed(kernel / kernel.sum(), size)
    return _trimmed(_recentred(kernel), size) if recentre else kernel


def _parsed(part: str, text: str) -> tuple[str, list[float], bool]:
    name, _, rest = part.strip().partition(":")
    if name not in ERRORS:
        raise ConfigError(f"there is no kernel error {name!r} in {text!r}: known are exact, {', '.join(ERRORS)}")
    try:
        numbers = [float(number) for number in rest.removeprefix("~").split(",")]
    except ValueError as error:
        raise ConfigError(f"the kernel error {part!r} is written {name}:NUMBER, or {name}:~SPREAD to draw it") from error
    if len(numbers) > ERRORS[name].most or not np.isfinite(numbers).all():
        raise ConfigError(f"the kernel error {part!r} takes at most {ERRORS[name].most} finite number(s), got {len(numbers)}")
    return name, numbers, rest.startswith("~")


def _check(what: str, value: float, right: bool) -> None:
    if not right:
        raise ConfigError(f"{what} of {value:g} is out of range for an error of a kernel")


def _noisy(kernel: Kernel, generator: Rng, fraction: float) -> Kernel:
    _check("a noise", fraction, fraction >= 0)
    return np.maximum(kernel + fraction * kernel.max() * generator.normal(size=kernel.shape), 0)


def _support(kernel: Kernel) -> NDArray[np.bool_]:
    """Return where the kernel is above 1 % of its maximum, and the neighbours of that."""
    return np.asarray(ndimage.binary_dilation(kernel > SUPPORT * kernel.max(), np.ones((3, 3))), dtype=bool)


def _roomy(kernel: Kernel, factor: float) -> Kernel:
    """Return the kernel in a square that holds it enlarged by the factor, one pixel for interpolation besides."""
    return _wider(kernel, (factor - 1) * kernel.shape[0] / 2 + 1)


def _wider(kernel: Kernel, margin: float) -> Kernel:
    _check("a margin of pixels", margin, margin <= LARGEST)
    return embedded(kernel, kernel.shape[0] + 2 * math.ceil(margin))


def _trimmed(kernel: Kernel, least: int) -> Kernel:
    """Return the middle of the kernel, at least `least` wide and wide enough to lose no more than 0.1 % of the light."""
    for size in range(least, kernel.shape[0], 2):
        margin = (kernel.shape[0] - size) // 2
        middle = kernel[margin:-margin, margin:-margin]
        if middle.sum() >= 1 - CUT:
            return middle / middle.sum()
    if kernel.shape[0] > LARGEST:
        raise ConfigError(f"with this error the kernel is {kernel.shape[0]} pixels wide, at most {LARGEST}")
    return kernel


def _recentred(kernel: Kernel) -> Kernel:
    """Return the kernel moved by whole pixels to its centre of mass, in a larger square if light would leave it."""
    offset = np.array(ndimage.center_of_mass(kernel)) - kernel.shape[0] // 2
    move = -np.where(np.abs(offset) > 0.5, np.rint(offset), 0).astype(int)
    if not move.any():
        return kernel
    return np.roll(np.pad(kernel, np.abs(move).max()), tuple(move), (0, 1))
