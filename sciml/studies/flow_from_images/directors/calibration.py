"""What the structure tensor is worth: scale, gain and noise, found on movies of known flows and never on those that are judged.

    g = <m*, t> / <m*, m*>,    e = g m - t,    s^2 = P < |e_k|^2 >,    f^2 = < |sum_t e_k(t)|^2 > / ( n < |e_k|^2 > )

with m the tensor's order, t the truth, P the points of the grid and n the frames; means are over the waves that are sought. s is
the white noise of the power of the error, which is what an inference that believes in white noise is told. The texture moves with
the liquid, so that errors of frames are alike: their sum is f times what it would be if they were independent, and so is the part
of an interval that comes from noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from sciml.runtime.errors import DataError
from sciml.studies.flow_from_images.directors.tensor import seen_order

WIDTHS_PX = (3.0, 4.0, 6.0, 8.0, 10.0, 12.0)
"""Widths that are tried."""
Seen = tuple[Complex[np.ndarray, "frames grid grid"], Bool[np.ndarray, "frames grid grid"]]


@dataclass(frozen=True)
class Calibration:
    """What is known of the structure tensor.

    Attributes:
        width_px: of the wider Gaussian.
        gain: g.
        noise_std: s, root mean square of complex noise of m1 at a point.
        alike: f, 1 where errors of frames are independent, and at most the root of their number.
        error: relative root mean square error on the movies of the calibration.
    """

    width_px: float
    gain: float
    noise_std: float
    alike: float
    error: float

    def order(self, pictures: Float[np.ndarray, "frames x y"], grid: int) -> Seen:
        """Return m1 of pictures laid as fields (x, y), and where it was seen."""
        found, seen = seen_order(pictures, self.width_px, grid)
        return self.gain * found, seen


def relative_error(found: Seen, truth: Complex[np.ndarray, "frames grid grid"]) -> float:
    """Return the root mean square of the error over that of the truth, where it was seen."""
    order, seen = found
    return float(np.sqrt(np.mean(np.abs((order - truth)[seen]) ** 2) / np.mean(np.abs(truth[seen]) ** 2)))


def white_noise(
    error: Complex[np.ndarray, "frames grid grid"], seen: Bool[np.ndarray, "frames grid grid"]
) -> tuple[float, float]:
    """Return s of an error, in the waves below a third of the grid, and s f: that of the sum of all frames over the root of n."""
    grid = error.shape[-1]
    waves = np.abs(np.rint(np.fft.fftfreq(grid, 1 / grid)))
    kept = np.maximum(waves[:, None], waves) < grid / 3
    found = np.fft.fft2(np.where(seen, error, 0)) / np.sqrt(np.maximum(seen.sum((1, 2)), 1))[:, None, None]
    each, whole = np.mean(np.abs(found[:, kept]) ** 2), np.mean(np.abs(found.sum(0)[kept]) ** 2) / len(error)
    return float(np.sqrt(each)), float(np.sqrt(whole))


def calibrated(
    pictures: Sequence[Float[np.ndarray, "frames x y"]], truths: Sequence[Complex[np.ndarray, "frames grid grid"]]
) -> Calibration:
    """Return the width of the least error, its gain and noise.

    Args:
        pictures: movies of the calibration, each laid as fields (x, y).
        truths: m1 of each on the grid.

    Raises:
        DataError: no movie, or a texture that is flat everywhere.
    """
    if not pictures:
        raise DataError("a calibration needs at least one movie of a known flow")
    tried = [_tried(width, pictures, truths) for width in WIDTHS_PX]
    return min(tried, key=lambda one: one.error)


def _tried(width: float, pictures: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> Calibration:
    found = [seen_order(movie, width, truth.shape[-1]) for movie, truth in zip(pictures, truths, strict=True)]
    m = np.concatenate([order[seen] for order, seen in found])
    t = np.concatenate([truth[seen] for (_, seen), truth in zip(found, truths, strict=True)])
    if not m.size:
        raise DataError("the texture of every movie of the calibration is flat: it shows no directors")
    gain = float(np.vdot(m, t).real / np.vdot(m, m).real)
    error = float(np.sqrt(np.mean(np.abs(gain * m - t) ** 2) / np.mean(np.abs(t) ** 2)))
    sizes = [white_noise(gain * order - truth, seen) for (order, seen), truth in zip(found, truths, strict=True)]
    each, whole = np.sqrt(np.mean(np.square(sizes), 0))
    return Calibration(width, gain, float(each), max(float(whole / each), 1.0), error)
