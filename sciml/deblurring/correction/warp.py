"""Correct a kernel by a few numbers: turn, scale and width, found by what it predicts.

    k(angle, s, v) = the kernel turned by the angle, scaled by s and smoothed by the variance v (sharpened where v < 0),
    minimise  E(k(angle, s, v)) + PENALTY (rho(angle / 10 deg) + rho(log s / 0.12) + rho(v / 0.5 px^2)) + BIAS max(0, v)

E is the held-out misfit of `sciml.deblurring.correction.held_out_misfit`, and rho(t) is t^2 up to 2, then 4 + 8 log(t / 2): far
numbers cost little more than half as far ones. BIAS makes up for what E grants to smoother kernels: with the exact one it still
falls by about that much a square pixel (validation photographs). A coarse grid of angles and scales, to which far angles are
added, is followed by parabolas through neighbours along each number, with shrinking steps. Scales far from 1 are tried too, of
elongated kernels also along their axis alone; where one of them is better than the whole grid, the search starts from that kernel
first. The given kernel is kept unless the best one predicts clearly better.

Of a smooth picture E falls with any kernel that is larger: what is left out is then as smooth as what was seen. Such a picture is
told by the given kernel, which leaves hardly more than the noise unexplained: E - 2 log sigma below .16. There no kernel is made
more than 1.2 times as large; and nowhere one more than twice as large that predicts less than 10 % better. Chosen on crops of 35
training and validation photographs with kernels of their own: of 70 whose given kernel was near, the image lost more than .3 dB
in 11 %, up to 26 dB, and .42 dB on the mean without these rules; with them in 3 %, up to 1.1 dB, and it gained .41 dB; 35 that
were far off gained 3.4 dB in place of 2.8. Of 10 kernels made more than twice as large 8 were wrong, with gains of 2 to 7 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from sciml.deblurring.correction.held_out_misfit import HeldOut
from sciml.deblurring.kernels.canonical import embedded
from sciml.deblurring.kernels.warp import covariance, stretched, trimmed, warped, with_room
from sciml.imaging.operators.kernels import Kernel

Numbers = Float[np.ndarray, " three"]
# degrees, log of the scale, variance in square pixels
TYPICAL = np.array([10.0, 0.12, 0.5])
LEAST, MOST = np.array([-42.0, math.log(0.7), -0.35]), np.array([42.0, math.log(1.4), 1.5])
PENALTY, BIAS = 2e-3, 0.05
FAR = (0.4, 0.5, 0.63, 0.8, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0)
# of the standard deviations along both axes of a kernel, from which on it may be a line
ELONGATED = 2.0
ANGLES, SCALES = (-16, -12, -8, -4, 0, 4, 8, 12, 16), (0.87, 1.0, 1.15)
FAR_ANGLES = (-40, -34, -28, -22, 22, 28, 34, 40)
SHRINK = 0.6
# scale above which a kernel is enlarged, and the least E - 2 log sigma of the given one for which it is
ENLARGED, UNEXPLAINED = 1.2, 0.16
# a kernel that is so many times as large, or larger, has to predict by so much better
MUCH_LARGER, MUCH_BETTER = 2.0, 0.1


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
        refused: scale of the best kernel where it predicts clearly better and was refused as larger; else 0.
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
    refused: float = 0.0


def corrected(kernel: Kernel, numbers: Numbers) -> Kernel:
    """Return the kernel of three numbers (degrees, log scale, variance); zeros return it unchanged."""
    angle, log_scale, variance = (float(value) for value in numbers)
    result = warped(kernel, angle, math.exp(log_scale), math.sqrt(max(0.0, variance)))
    if variance < 0:
        # k - |v| / 2 Laplacian k, the inverse of a small smoothing to first order
        result = np.maximum(result + variance / 2 * ndimage.laplace(result, mode="constant"), 0)
        result = result / result.sum()
    return result


def fit_warp(kernel: Kernel, evidence: HeldOut, sigma: float, margin: float = 0.01) -> Warp:
    """Return the correction that predicts held-out pixels best.

    Args:
        kernel: odd.
        evidence: of the picture.
        sigma: standard deviation of its noise.
        margin: least fall of the held-out misfit, as a share, for which the given kernel is given up; the number that needs
            both sides of the width has to fall by as much once more.
    """
    search = _Search(with_room(kernel), evidence)
    grid = [np.array([float(angle), math.log(scale), 0.0]) for angle in ANGLES for scale in SCALES]
    grid += [np.array([float(angle), 0.0, 0.0]) for angle in FAR_ANGLES]
    searches, far = [search], _far_scale(kernel, evidence)
    if far is not None and far[1] < search.at(grid).min():
        searches.insert(0, _Search(with_room(far[2]), evidence, math.log(far[0])))
    found = []
    for search in searches:
        found.append(_fitted(kernel, search, grid, sigma, margin))
        if not found[-1].kept:
            return found[-1]
    return max(found, key=lambda warp: warp.gain)


def _fitted(kernel: Kernel, search: _Search, grid: list[Numbers], sigma: float, margin: float) -> Warp:
    """Return the correction of a kernel that one search ends at.

    Args:
        kernel: the given one.
        search: around that kernel or a scaled one.
        grid: numbers to begin with.
        sigma: as for `fit_warp`.
        margin: as for `fit_warp`.
    """
    values = search.at(grid)
    order = np.argsort(values)
    second = next(i for i in order[1:] if np.any(np.abs(grid[i] - grid[order[0]]) > (5, 0.1, 1)))
    place, value = min(
        (search.refined(grid[i], float(values[i]), np.array([2.0, 0.07, 0.0])) for i in (order[0], second)),
        key=lambda pair: pair[1],
    )
    wider = search.refined(place, value, np.array([1.0, 0.04, 0.2]))
    if value - wider[1] > margin:
        place, value = wider
    size = max(len(search.kernel), len(kernel))
    given = float(search.evidence([embedded(kernel, size)])[0])
    angle, log_scale, variance = place + np.array([0.0, search.log_scale, 0.0])
    gain, best, tried = 1 - math.exp(value - given), corrected(search.kernel, place), search.evidence.count
    larger = log_scale > math.log(ENLARGED) and given - 2 * math.log(sigma) < UNEXPLAINED
    larger |= log_scale > math.log(MUCH_LARGER) and gain < MUCH_BETTER
    if gain < margin or larger:
        refused = math.exp(log_scale) if gain >= margin else 0.0
        return Warp(kernel, best, 0.0, 1.0, 0.0, max(0.0, gain), True, tried, refused)
    return Warp(best, best, angle, math.exp(log_scale), variance, gain, False, tried)


def _far_scale(kernel: Kernel, evidence: HeldOut) -> tuple[float, float, Kernel] | None:
    """Return the best scale far from 1, the objective there and the kernel; None where none fits into half of the picture."""
    most = min(evidence.y.shape[-2:]) // 2
    spreads = np.sqrt(np.linalg.eigvalsh(covariance(kernel)))
    makers = [warped, stretched] if spreads[1] > ELONGATED * spreads[0] else [warped]
    made = {}
    for scale in FAR:
        if scale * len(trimmed(kernel)) <= most:
            roomy = embedded(kernel, len(kernel) + 2 * math.ceil(max(0.0, scale - 1) * len(kernel) / 2))
            made |= {(scale, maker.__name__): trimmed(maker(roomy, scale=scale)) for maker in makers}
    if not made:
        return None
    size = max(len(each) for each in made.values())
    values = evidence([embedded(each, size) for each in made.values()])
    total = {key: float(value) + PENALTY * _rho(math.log(key[0]) / TYPICAL[1]) for key, value in zip(made, values, strict=True)}
    best = min(total, key=total.__getitem__)
    return best[0], total[best], made[best]


def _rho(t: float) -> float:
    return 4 + 8 * math.log(abs(t) / 2) if abs(t) > 2 else t * t


class _Search:
    """E with its penalty at three numbers, each computed once; `log_scale` is what the kernel has been scaled by already."""

    def __init__(self, kernel: Kernel, evidence: HeldOut, log_scale: float = 0.0) -> None:
        self.kernel, self.evidence, self.log_scale = kernel, evidence, log_scale
        self.known: dict[tuple[float, ...], float] = {}

    def at(self, places: list[Numbers]) -> Float[np.ndarray, " place"]:
        """Return the objective at each place."""
        keys = [tuple(np.round(place, 5)) for place in places]
        fresh = {key: place for key, place in zip(keys, places, strict=True) if key not in self.known}
        if fresh:
            values = self.evidence([corrected(self.kernel, place) for place in fresh.values()])
            for (key, place), value in zip(fresh.items(), values, strict=True):
                sizes = (place + np.array([0.0, self.log_scale, 0.0])) / TYPICAL
                self.known[key] = float(value) + PENALTY * sum(_rho(float(size)) for size in sizes) + BIAS * max(0.0, place[2])
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
