"""Whether the model explains the data: the residual beside the noise, by frame and by wave number, and what is odd in it.

The residual's Fourier coefficients R_k of a frame with n_s seen points have the variance s^2 n_s where it is noise. Waves up to
the last that stands out of the noise are the signal's; there an error of the model shows. With
nu = 2 (number of these waves) - (number of fitted parameters) degrees of freedom

    chi^2 = 2 / s^2  sum over frames and these waves of |R_k|^2 / n_s

has a chi-square distribution if the noise s is known. If not, s comes from the waves beyond, and chi^2 / nu has an F
distribution.
Hidden points couple the waves, so that fewer of them are independent: with M the projection of the seen points onto the waves,
nu is multiplied by (tr M)^2 / (number of waves tr M^2) (Satterthwaite, Biometrics 1946).

The closure's own error (`sciml.active_fluid.closures.discrepancy`) leaves a misfit too, whose expected size is known: a misfit
that the noise does not explain is put down to the closure up to twice that size, and to the model beyond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import NDArray
from scipy import stats

from sciml.active_fluid.inference.wiener import Filtered, whole_numbers

# probability below which the noise does not explain the misfit
MIN_P_VALUE = 0.01
# misfit beyond the noise over the field, below which the model explains the data whatever the noise
MIN_SYSTEMATIC = 1e-3
# misfit over the expected one of the closure beyond which the closure does not explain it
MAX_CLOSURE_RATIO = 2.0
# step across the edges over the largest step inside beyond which fields are not periodic: of 300 random periodic fields none
# passes 1.07, of 300 parts of larger ones 299 pass this
MAX_EDGE_RATIO = 1.25
# misfit of the last frame over that of the median one beyond which it is named
MAX_FRAME_RATIO = 2.0


@dataclass(frozen=True)
class Goodness:
    """How well a fit explains its data.

    Attributes:
        chi_square: of the waves of the signal.
        degrees: degrees of freedom.
        p_value: probability of so large a misfit from noise alone.
        by_frame: root mean square of the residual's waves of the signal in each frame, in units of the noise.
        by_wave: the same at each whole wave number (waves in the side) from 0 on, over all frames and waves.
        systematic: root mean square of the misfit beyond noise over that of the data; 0 where there is none.
        closure: the same as expected of the closure's error; None where its size is not known.
        edge: largest step of m1 across the edges over the largest one inside, root mean squares over a line; about 1 or less of a
            periodic field.
        verdict: `noise`, `closure`, `not periodic` or `model`: what explains the misfit; the last two are warnings.
        sentence: the verdict in words.
    """

    chi_square: float
    degrees: float
    p_value: float
    by_frame: tuple[float, ...]
    by_wave: tuple[float, ...]
    systematic: float
    closure: float | None
    edge: float
    verdict: str
    sentence: str

    @property
    def is_warning(self) -> bool:
        """Whether estimates and intervals should not be trusted."""
        return self.verdict in ("model", "not periodic")


def goodness(
    data: Complex[np.ndarray, "frames n n"],
    seen: Float[np.ndarray, "frames n n"],
    fitted: Complex[np.ndarray, "frames n n"],
    state: Filtered,
    noise_std: float | None,
    used: float,
    left: Float[np.ndarray, "terms data"] | None,
    moments: Float[np.ndarray, "terms terms"] | None,
) -> Goodness:
    """Return how well a fit explains its data.

    Args:
        data: m1 at the points of the data's grid, 0 where not seen.
        seen: 1 where seen, else 0.
        fitted: m1 of the model there.
        state: filtered data.
        noise_std: root mean square of the noise at a point where it is known.
        used: effective number of real parameters of the fit.
        left: what the fit leaves of the closure's terms at the model's points.
        moments: < kappa kappa' > of the closure's error; None where it is not known.
    """
    number = data.shape[-1]
    residual = (fitted - data) * seen
    kx, ky = whole_numbers(number)
    shells = np.rint(np.hypot(kx, ky)).astype(int)
    shown = seen.sum((1, 2))
    power = np.abs(np.fft.fft2(residual)) ** 2 / shown[:, None, None]
    inside = _signal(state, shells, number)
    share = _independent(seen, inside)
    free = 2 * share * float(inside.sum())
    nu = max(free - used, 1.0)
    within, beyond = float(power[inside].sum()), float(power[~inside].sum())
    if noise_std is not None:
        square = noise_std**2
        chi_square = share * 2 * within / square
        p_value = float(stats.chi2.sf(chi_square, nu))
    else:
        outside = 2 * share * float((~inside).sum())
        square = 2 * share * beyond / outside
        chi_square = share * 2 * within / max(square, 1e-300)
        p_value = float(stats.f.sf(chi_square / nu, nu, outside))
    noise = math.sqrt(max(square, 1e-300))
    excess = max(share * within - square * nu / 2, 0.0) / share
    size = math.sqrt(float(np.sum(np.abs(data) ** 2)))
    systematic = math.sqrt(excess) / size if p_value < MIN_P_VALUE else 0.0
    closure = None
    if left is not None and moments is not None:
        # < |sum_i kappa_i left_i|^2 > = tr( left left' < kappa kappa' > )
        closure = math.sqrt(float(np.sum((left @ left.T) * moments))) / size
    by_frame = [math.sqrt(float(p[i].mean())) / noise for p, i in zip(power, inside, strict=True)]
    count = np.bincount(shells.ravel()) * len(data)
    by_wave = np.sqrt(np.bincount(shells.ravel(), power.sum(0).ravel()) / count) / noise
    edge = edge_ratio(data, seen)
    verdict, sentence = _verdict(p_value, systematic, closure, edge, by_frame)
    return Goodness(
        *(chi_square, nu, p_value, tuple(by_frame), tuple(float(v) for v in by_wave[: number // 2 + 1])),
        *(systematic, closure, edge, verdict, sentence),
    )


def _signal(state: Filtered, shells: NDArray[np.int64], number: int) -> NDArray[np.bool_]:
    """Return where waves of each frame are the signal's: up to the last shell above a tenth of the noise."""
    side = state.variances.shape[-1]
    mine = np.rint(np.hypot(*whole_numbers(side))).astype(int)
    floor = 0.1 * state.noise**2 / number**2
    reach = [int(mine[one > floor].max(initial=3)) for one in state.variances]
    kx, ky = whole_numbers(number)
    kept = np.maximum(np.abs(kx), np.abs(ky)) < number / 3
    return np.array([(shells <= last) & kept for last in reach])


def _independent(seen: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Return (tr M)^2 / (number tr M^2) of the first frame, M = P S P / mean of S with P the projection onto the waves."""
    if seen.all():
        return 1.0
    # tr M^2 = sum over pairs of waves of |S_(k - k')|^2, a correlation of the set of waves with itself
    mask, waves = seen[0], inside[0].astype(float)
    spectrum = np.abs(np.fft.fft2(mask) / mask.sum()) ** 2
    pairs = np.fft.ifft2(np.abs(np.fft.fft2(waves)) ** 2).real
    return float(waves.sum() / max(np.sum(pairs * spectrum), waves.sum()))


def edge_ratio(data: NDArray[np.complex128], seen: NDArray[np.float64]) -> float:
    """Return the largest root mean square step across the edges over the largest one inside; 0 where the edges are hidden.

    Of a periodic field the line across the edge is one like any other, so that the ratio hardly passes 1.
    """
    worst = 0.0
    for axis in (1, 2):
        both = seen * np.roll(seen, -1, axis)
        steps = np.abs(np.roll(data, -1, axis) - data) ** 2 * both
        other = tuple(a for a in range(3) if a != axis)
        number = both.sum(other)
        lines = np.sqrt(steps.sum(other) / np.maximum(number, 1))
        if number[-1] and number[:-1].any():
            worst = max(worst, float(lines[-1] / max(lines[:-1].max(), 1e-300)))
    return worst


def _verdict(p_value: float, systematic: float, closure: float | None, edge: float, by_frame: list[float]) -> tuple[str, str]:
    if edge > MAX_EDGE_RATIO:
        return "not periodic", (
            f"The fields do not close on themselves: they step {edge:.1f} times more across their edges than anywhere inside. "
            "They are a part of a larger flow, which the model on a periodic square cannot follow: do not trust the estimates."
        )
    if p_value >= MIN_P_VALUE:
        return "noise", f"The model explains the data up to their noise (p = {p_value:.2g})."
    if systematic < MIN_SYSTEMATIC:
        return "noise", f"The model explains the data but for {100 * systematic:.2g} % of the field (p = {p_value:.1g})."
    found = f"Beyond the noise (p = {p_value:.1g}) {100 * systematic:.2g} % of the field is left unexplained"
    if closure is not None and systematic <= MAX_CLOSURE_RATIO * closure:
        return "closure", (
            f"{found}, of the size that the closure's error leaves ({100 * closure:.2g} %), which the intervals hold."
        )
    beside = "" if closure is None else f", where the closure's error would leave {100 * closure:.2g} %"
    last = by_frame[-1] / max(float(np.median(by_frame)), 1e-300)
    where = ", most of it in the last frame" if last > MAX_FRAME_RATIO else ""
    return "model", (
        f"{found}{where}{beside}: the model is wrong for these data (parameters that drift in time, another equation, noise that "
        "is not independent from point to point), and the intervals do not hold its error."
    )
