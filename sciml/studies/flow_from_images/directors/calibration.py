"""What the structure tensor is worth: scale, gain, offset and noise, found on movies of known flows and never on those judged.

A microscope's blur weakens the texture, more along one direction than along the other: pictures of one movie show a factor of
the order and an offset more, the same in all of its frames. With m the tensor's order of movie i, t the truth, P the points of
the grid and n the frames; means over k are over the waves that are sought,

    g_i = <m, t> / <m, m>,    b_i = < g_i m - t >,    e = g_i m - t - b_i
    ln g = mean_i ln g_i,     tau^2 = var_i ln g_i,   o^2 = mean_i |b_i|^2
    s^2 = P < |e_k|^2 >,      f^2 = < |sum_t e_k(t)|^2 > / ( n < |e_k|^2 > )

tau and o are the priors of contrast and offset that an inference seeks in a movie of its own. s is the white noise of the power
of the error, which is what an inference that believes in white noise is told. The texture moves with the liquid, so that errors
of frames are alike: their sum is f times what it would be if they were independent, and so is the part of an interval that comes
from noise.
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
FEWEST = 2
"""Movies of a calibration: of one the spread of gains is not known."""
Seen = tuple[Complex[np.ndarray, "frames grid grid"], Bool[np.ndarray, "frames grid grid"]]


@dataclass(frozen=True)
class Shown:
    """What one movie of a known flow shows: sums over the points that were seen, and what is left with a gain of its own.

    Attributes:
        both: <m, t>.
        found: <m, m>.
        truth: <t, t>.
        offset: b_i.
        noise_std: s of this movie.
        whole_std: s f of this movie.
    """

    both: float
    found: float
    truth: float
    offset: complex
    noise_std: float
    whole_std: float

    @property
    def gain(self) -> float:
        """g_i."""
        return self.both / self.found


@dataclass(frozen=True)
class Calibration:
    """What is known of the structure tensor.

    Attributes:
        width_px: of the wider Gaussian.
        gain: g.
        gain_std: tau, standard deviation of the logarithm of a movie's own gain.
        offset_std: o, root mean square of a movie's own complex offset of m1.
        noise_std: s, root mean square of complex noise of m1 at a point.
        alike: f, 1 where errors of frames are independent, and at most the root of their number.
        error: relative root mean square error on the movies of the calibration.
        movies: what each of them shows.
    """

    width_px: float
    gain: float
    gain_std: float
    offset_std: float
    noise_std: float
    alike: float
    error: float
    movies: tuple[Shown, ...]

    def order(self, pictures: Float[np.ndarray, "frames x y"], grid: int) -> Seen:
        """Return m1 of pictures laid as fields (x, y), and where it was seen."""
        found, seen = seen_order(pictures, self.width_px, grid)
        return self.gain * found, seen

    def without(self, place: int) -> Calibration:
        """Return the calibration by all movies but one, which can then be judged by it.

        Raises:
            DataError: too few movies are left.
        """
        _check(len(self.movies) - 1)
        return _together(self.width_px, self.movies[:place] + self.movies[place + 1 :])


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
    """Return the width of the least error, with gain, offset and noise.

    Args:
        pictures: movies of the calibration, each laid as fields (x, y).
        truths: m1 of each on the grid.

    Raises:
        DataError: fewer than two movies, or a texture that is flat everywhere or shows nothing of the truth.
    """
    _check(len(pictures))
    tried = [
        _together(width, tuple(_shown(movie, truth, width) for movie, truth in zip(pictures, truths, strict=True)))
        for width in WIDTHS_PX
    ]
    return min(tried, key=lambda one: one.error)


def _check(movies: int) -> None:
    if movies < FEWEST:
        raise DataError(f"{movies} movies of known flows: a calibration needs at least {FEWEST}")


def _shown(movie: np.ndarray, truth: np.ndarray, width: float) -> Shown:
    order, seen = seen_order(movie, width, truth.shape[-1])
    m, t = order[seen], truth[seen]
    both, found = float(np.vdot(m, t).real), float(np.vdot(m, m).real)
    if not both > 0:
        raise DataError("the texture of a movie of the calibration is flat or shows other directors than its flow")
    error = both / found * order - truth
    offset = complex(error[seen].mean())
    each, whole = white_noise(error - offset, seen)
    return Shown(both, found, float(np.vdot(t, t).real), offset, each, whole)


def _together(width: float, movies: tuple[Shown, ...]) -> Calibration:
    logs = np.log([one.gain for one in movies])
    gain = float(np.exp(logs.mean()))
    both, found, truth = (sum(getattr(one, name) for one in movies) for name in ("both", "found", "truth"))
    each, whole = (float(np.sqrt(np.mean([getattr(one, name) ** 2 for one in movies]))) for name in ("noise_std", "whole_std"))
    return Calibration(
        width_px=width,
        gain=gain,
        gain_std=float(logs.std(ddof=1)),
        offset_std=float(np.sqrt(np.mean([abs(one.offset) ** 2 for one in movies]))),
        noise_std=each,
        alike=max(whole / each, 1.0),
        error=float(np.sqrt(max(gain**2 * found - 2 * gain * both + truth, 0) / truth)),
        movies=movies,
    )
