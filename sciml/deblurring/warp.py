"""Correct a kernel by a few numbers: turn, scale and width, found by what it predicts.

    k(angle, s, v) = the kernel turned by the angle, scaled by s and smoothed by the variance v (sharpened where v < 0),
    minimise  E(k(angle, s, v)) + PENALTY ((angle / 10 deg)^2 + (log s / 0.12)^2 + (v / 0.5 px^2)^2)

E is the held-out misfit of `sciml.deblurring.evidence`. A coarse grid of angles and scales comes first, then parabolas through
neighbours along each number, with shrinking steps. The given kernel is kept unless the best one predicts clearly better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from sciml.deblurring.evidence import HeldOut
from sciml.deblurring.kernel_warp import warped
from sciml.imaging.kernels import Kernel

Numbers = Float[np.ndarray, " three"]
# degrees, log of the scale, variance in square pixels
TYPICAL = np.array([10.0, 0.12, 0.5])
LEAST, MOST = np.array([-25.0, math.log(0.7), -0.35]), np.array([25.0, math.log(1.4), 1.5])
PENALTY = 2e-3
ANGLES, SCALES = (-16, -12, -8, -4, 0, 4, 8, 12, 16), (0.87, 1.0, 1.15)
SHRINK = 0.6


@dataclass(frozen=True)
class Warp:
    """A correction of a kernel.

    Attributes:
        kernel: the corrected kernel, or the given one where it was kept.
        best: the one that predicts best, kept or not.
        angle_degrees: counter-clockwise.
        scale: above 1 enlarges.
        variance: of the smoothing in square pixels; negative where the kernel was sharpened.
        gain: fall of the held-out misfit against the given kernel, as a share of it.
        kept: whether the given kernel was kept.
        tried: kernels that were restored with.
    """

    kernel: Kernel
    best: Kernel
    angle_degrees: float
    scale: float
    variance: float
    gain: float
    kept: bool
    tried: int


def corrected(kernel: Kernel, numbers: Numbers) -> Kernel:
    """Return the kernel of three numbers (degrees, log scale, variance); zeros return it unchanged."""
    angle, log_scale, variance = (float(value) for value in numbers)
    result = warped(kernel, angle, math.exp(log_scale), math.sqrt(max(0.0, variance)))
    if variance < 0:
        # k - |v| / 2 Laplacian k, the inverse of a small smoothing to first order
        result = np.maximum(result + variance / 2 * ndimage.laplace(result, mode="constant"), 0)
        result = result / result.sum()
    return result


def fit_warp(kernel: Kernel, evidence: HeldOut, margin: float = 0.01) -> Warp:
    """Return the correction that predicts held-out pixels best.

    Args:
        kernel: odd, with room for what a turn or a larger scale moves outwards (`sciml.deblurring.kernels.embedded`).
        evidence: of the picture.
        margin: least fall of the held-out misfit, as a share, for which the given kernel is given up; the number that needs
            both sides of the width has to fall by as much once more.
    """
    search = _Search(kernel, evidence)
    given = search.at([np.zeros(3)])[0]
    grid = [np.array([float(angle), math.log(scale), 0.0]) for angle in ANGLES for scale in SCALES]
    values = search.at(grid)
    order = np.argsort(values)
    second = next(i for i in order[1:] if np.any(np.abs(grid[i] - grid[order[0]]) > (5, 0.1, 1)))
    found = min(
        (search.refined(grid[i], float(values[i]), np.array([2.0, 0.07, 0.0])) for i in (order[0], second)),
        key=lambda pair: pair[1],
    )
    wider = search.refined(found[0], found[1], np.array([1.0, 0.04, 0.2]))
    if found[1] - wider[1] > margin:
        found = wider
    gain = 1 - math.exp(found[1] - given)
    kept = gain < margin
    numbers = np.zeros(3) if kept else found[0]
    best = corrected(kernel, found[0])
    return Warp(
        kernel if kept else best, best, numbers[0], math.exp(numbers[1]), numbers[2], max(0.0, gain), kept, len(search.known)
    )


class _Search:
    """E with its penalty at three numbers, each computed once."""

    def __init__(self, kernel: Kernel, evidence: HeldOut) -> None:
        self.kernel, self.evidence = kernel, evidence
        self.known: dict[tuple[float, ...], float] = {}

    def at(self, places: list[Numbers]) -> Float[np.ndarray, " place"]:
        """Return the objective at each place."""
        keys = [tuple(np.round(place, 5)) for place in places]
        fresh = {key: place for key, place in zip(keys, places, strict=True) if key not in self.known}
        if fresh:
            values = self.evidence([corrected(self.kernel, place) for place in fresh.values()])
            for (key, place), value in zip(fresh.items(), values, strict=True):
                self.known[key] = float(value + PENALTY * np.square(place / TYPICAL).sum())
        return np.array([self.known[key] for key in keys])

    def refined(self, place: Numbers, value: float, step: Numbers, rounds: int = 4) -> tuple[Numbers, float]:
        """Return a better place with its value; numbers whose step is 0 stay."""
        free = [i for i in range(3) if step[i]]
        for _ in range(rounds):
            around = [self._moved(place, i, sign * step[i]) for i in free for sign in (-1, 1)]
            values = self.at(around)
            move = np.zeros(3)
            for n, i in enumerate(free):
                low, high = around[2 * n][i] - place[i], around[2 * n + 1][i] - place[i]
                move[i] = _least(low, high, values[2 * n] - value, values[2 * n + 1] - value)
            places = [*around, *(np.clip(place + share * move, LEAST, MOST) for share in (1.0, 0.5))]
            values = self.at(places)
            best = int(values.argmin())
            if values[best] < value:
                place, value = places[best], float(values[best])
            step = step * SHRINK
        return place, value

    @staticmethod
    def _moved(place: Numbers, index: int, by: float) -> Numbers:
        result = place.copy()
        result[index] = np.clip(result[index] + by, LEAST[index], MOST[index])
        return result


def _least(low: float, high: float, rise_low: float, rise_high: float) -> float:
    """Return where a parabola through 0 and both neighbours is least, at most half a step beyond them."""
    if low == 0 or high == 0:
        other, rise = (high, rise_high) if low == 0 else (low, rise_low)
        return other if rise < 0 else 0.0
    bend = (rise_low / low - rise_high / high) / (low - high)
    slope = rise_low / low - bend * low
    where = -slope / (2 * bend) if bend > 0 else (low if rise_low < rise_high else high)
    return float(np.clip(where, 1.5 * low, 1.5 * high))
