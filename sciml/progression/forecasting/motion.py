"""Where within its regions a brain will go on changing: what earlier scans of the same subject say, and how sure that is.

The flow to the volumes leaves a velocity v that volumes do not tell. Between two earlier scans it is found by registration; what
it says of the years ahead is learned. With T the cosine transform of v on a coarse grid, bands b of its frequencies, and s the
share of brain tissue that is lost (the volumes say it, ahead too),

    (1)  E[T v_ahead] = s_ahead m,   m = sum_f x_f d_f,   x = (1, diagnosis, age, sex, diagnosis x age)
    (2)  E[T v_ahead | T v_before] = s_ahead (m + g_b s_before / (s_before^2 + k^2) (T v_before - s_before m))

(1) is who the subject is, by ridge regression in the lower bands, and all that there is for one visit. What earlier scans show
beside it goes on by (2): the gain g_b falls with the frequency, for fine motion is noise of the registration or does not last; k
is the loss below which the past says little.

What is left is as large as it was for the training subjects,

    (3)  T v_ahead = mean + s_ahead sd_b e,   e white noise,

with one sd_b for subjects with earlier scans and one for those without. Draws follow (3), so their spread is that of what is not
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.fft import dctn, idctn

from sciml.progression.cohorts.grids import FIELD_OF_VIEW_MM, Grid
from sciml.progression.cohorts.regions import DIAGNOSIS_CODES, REGIONS, SEX_CODES
from sciml.progression.flow.registration import register
from sciml.progression.flow.volumes import map_to_volumes
from sciml.progression.forecasting.forecast import ImagedVisit
from sciml.runtime.errors import DataError

COARSE = Grid("9mm", 9.0)
# upper ends of the bands but the last, cycles a mm
BANDS = (0.006, 0.012, 0.018, 0.025, 0.035)
# in how many of them who a subject is says something, and the ridge, in parts of what one subject adds
LOWEST, RIDGE = 5, 16.0
SHRINKAGES = (0.0, 0.003, 0.006, 0.01, 0.015, 0.02, 0.03)
# the loss of a time in which nearly nothing was lost, for what is divided by it
LEAST_LOSS = 0.003
LOST = [REGIONS.index("grey_matter"), REGIONS.index("white_matter")]
AXES = (1, 2, 3)


@dataclass(frozen=True)
class Motion:
    """What volumes do not tell of a subject's motion between two visits.

    Attributes:
        velocity_mm: v on `COARSE`, (3, 20, 24, 20), in mm over the whole time.
        loss: s, the share of grey and white matter lost in that time.
    """

    velocity_mm: np.ndarray
    loss: float


def tissue_loss(before_ml: np.ndarray, after_ml: np.ndarray) -> float:
    """Return the share of grey and white matter that is lost, at least 0."""
    before, after = (float(np.asarray(volumes)[LOST].sum()) for volumes in (before_ml, after_ml))
    return max(0.0, 1 - after / before)


def registered_motion(first: ImagedVisit, later: ImagedVisit, grid: Grid) -> Motion:
    """Return the motion between two visits that the flow to the later volumes leaves.

    Raises:
        DataError: labels or masks are missing.
    """
    if first.labels is None or first.mask is None or later.mask is None:
        raise DataError(f"subject {first.visit.subject} lacks labels or a mask: a motion is found beside the flow to volumes")
    volumes = [np.asarray(one.visit.volumes_ml) for one in (first, later)]
    back = map_to_volumes(first.labels, first.mask, (volumes[1] / volumes[0])[:-1])
    velocity = register(first.image, later.image, later.mask, back - np.indices(grid.shape))
    return Motion(pooled(velocity * grid.spacing_mm, later.mask, grid), tissue_loss(*volumes))


def pooled(fields: np.ndarray, mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Return fields (3, *grid) on `COARSE`: means over the brain's part of each of its voxels, 0 where it has none."""
    factor = round(COARSE.spacing_mm / grid.spacing_mm)
    shape = [part for side in COARSE.shape for part in (side, factor)]

    def mean(field: np.ndarray) -> np.ndarray:
        return np.where(mask, field, 0.0).reshape(shape).mean(axis=(1, 3, 5))

    share = mean(np.ones(mask.shape))
    return np.stack([mean(field) / np.maximum(share, 0.05) for field in fields]).astype(np.float32)


def on_grid(fields_mm: np.ndarray, grid: Grid) -> np.ndarray:
    """Return fields (3, 20, 24, 20) of `COARSE` in mm at the voxels of a grid, linear between, (3, *grid) in its voxels."""
    places = (np.indices(grid.shape) + 0.5) * (grid.spacing_mm / COARSE.spacing_mm) - 0.5
    return np.stack([ndimage.map_coordinates(axis, places, order=1, mode="nearest") for axis in fields_mm]) / grid.spacing_mm


@dataclass(frozen=True)
class MotionModel:
    """Equations (1) to (3).

    Attributes:
        gain: g of (2), (bands,).
        shrinkage: k.
        directions: d of (1), (features, 3, coefficients of the lowest bands), mm.
        known_sd: sd of subjects with earlier scans, (bands,), mm.
        unknown_sd: of subjects without.
    """

    gain: np.ndarray
    shrinkage: float
    directions: np.ndarray
    known_sd: np.ndarray
    unknown_sd: np.ndarray

    def expected(self, before: Motion | None, who: np.ndarray, loss: float) -> np.ndarray:
        """Return the mean of v ahead, (3, 20, 24, 20) in mm.

        Args:
            before: of earlier scans; None for one visit.
            who: x of (1), of `features`.
            loss: s ahead.
        """
        mean = _mean(self.directions, who)
        if before is None:
            return _fields(loss * mean)
        return _fields(loss * (mean + self.gain[_bands()] * _carried(_beside(before, mean), self.shrinkage)))

    def unknown(self, before: Motion | None, random: np.random.Generator) -> np.ndarray:
        """Return a draw of what is not known, for a loss of 1, (3, 20, 24, 20) in mm."""
        deviation = self.unknown_sd if before is None else self.known_sd
        return _fields(deviation[_bands()] * random.normal(size=(3, *COARSE.shape)))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned, by name."""
        return {
            "gain": self.gain, "shrinkage": np.array(self.shrinkage), "directions": self.directions,
            "known_sd": self.known_sd, "unknown_sd": self.unknown_sd,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> MotionModel:
        """Return the model that `arrays` described."""
        parts = arrays["directions"], arrays["known_sd"], arrays["unknown_sd"]
        return cls(arrays["gain"], float(arrays["shrinkage"]), *parts)


def features(age_years: float, sex: str, diagnosis: str) -> np.ndarray:
    """Return x of (1), (5,): of the visit that is forecast from, with the diagnosis that is assumed."""
    ill, age = DIAGNOSIS_CODES[diagnosis] - 0.5, (age_years - 71) / 6.5
    return np.array([1.0, ill, age, SEX_CODES[sex] - 0.5, ill * age])


def fit_motion(people: Sequence[tuple[np.ndarray, Motion, Motion, Motion]]) -> MotionModel:
    """Fit a motion model; every pair counts alike, whatever its motion, and k is the one that leaves least.

    Args:
        people: of each `features`, the motion before and ahead of one visit, and the whole of both.

    Raises:
        DataError: there are none.
    """
    if not people:
        raise DataError("nobody has three visits with labels: how a motion goes on cannot be learned")
    directions, rest = _fit_alone([(who, whole) for who, _, _, whole in people])
    known = []
    for who, before, ahead, _ in people:
        mean = _mean(directions, who)
        known.append((_beside(before, mean), _beside(ahead, mean)))
    found = [_fit_known(known, shrinkage) for shrinkage in SHRINKAGES]
    left = [sum(np.square(_error(pair, gain, k)).sum() / _energy(pair[1]) for pair in known) for gain, k in found]
    gain, shrinkage = found[int(np.argmin(left))]
    left_out = [(_error(pair, gain, shrinkage), pair[1].loss) for pair in known]
    return MotionModel(gain, shrinkage, directions, _deviation(left_out), _deviation(rest))


def _mean(directions: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Return m of (1), (3, 20, 24, 20)."""
    waves = np.zeros((3, *COARSE.shape))
    waves[:, _bands() < LOWEST] = np.einsum("f,fcn->cn", who, directions)
    return waves


def _beside(motion: Motion, mean: np.ndarray) -> Motion:
    """Return what a motion has beside s m."""
    return Motion(motion.velocity_mm - _fields(motion.loss * mean), motion.loss)


def _fit_alone(alone: Sequence[tuple[np.ndarray, Motion]]) -> tuple[np.ndarray, list[tuple[np.ndarray, float]]]:
    """Return d of (1), and what it leaves of each motion, with its loss."""
    low = _bands() < LOWEST
    weight = np.array([1 / _energy(motion) for _, motion in alone])
    told = np.stack([who * motion.loss for who, motion in alone])
    waves = np.stack([_waves(motion.velocity_mm) for _, motion in alone])
    gram = (told * weight[:, None]).T @ told
    gram += RIDGE * gram.diagonal().max() / len(alone) * np.eye(told.shape[1])
    wanted = np.einsum("nf,n,ncx->fcx", told, weight, waves[..., low])
    directions = np.linalg.solve(gram, wanted.reshape(told.shape[1], -1)).reshape(wanted.shape)
    waves[..., low] -= np.einsum("nf,fcx->ncx", told, directions)
    return directions, [(rest, motion.loss) for rest, (_, motion) in zip(waves, alone, strict=True)]


def _fit_known(known: Sequence[tuple[Motion, Motion]], shrinkage: float) -> tuple[np.ndarray, float]:
    """Return g of (2) by least squares in each band, with k."""
    upper, lower = np.zeros(len(BANDS) + 1), np.zeros(len(BANDS) + 1)
    for before, ahead in known:
        told, came = _carried(before, shrinkage) * ahead.loss, _waves(ahead.velocity_mm)
        upper += _by_band(told * came) / _energy(ahead)
        lower += _by_band(told * told) / _energy(ahead)
    return upper / np.maximum(lower, 1e-12), shrinkage


def _error(pair: tuple[Motion, Motion], gain: np.ndarray, shrinkage: float) -> np.ndarray:
    before, ahead = pair
    return _waves(ahead.velocity_mm) - gain[_bands()] * _carried(before, shrinkage) * ahead.loss


def _deviation(errors: Sequence[tuple[np.ndarray, float]]) -> np.ndarray:
    """Return sd of (3) in each band: errors over losses, by their sums, for where little is lost the registration is noise."""
    squares = sum(_by_band(error * error) for error, _ in errors)
    return np.sqrt(squares / (3 * _by_band(np.ones(COARSE.shape)[None]) * sum(loss**2 for _, loss in errors)))


def _carried(before: Motion, shrinkage: float) -> np.ndarray:
    loss = max(before.loss, LEAST_LOSS)
    return _waves(before.velocity_mm) * (loss / (loss**2 + shrinkage**2))


def _energy(motion: Motion) -> float:
    return float(np.square(motion.velocity_mm).sum()) + 1e-12


def _waves(fields: np.ndarray) -> np.ndarray:
    return np.asarray(dctn(np.asarray(fields, np.float64), axes=AXES, norm="ortho"))


def _fields(waves: np.ndarray) -> np.ndarray:
    return np.asarray(idctn(waves, axes=AXES, norm="ortho"))


def _by_band(waves: np.ndarray) -> np.ndarray:
    return np.bincount(_bands().ravel(), waves.sum(axis=0).ravel(), len(BANDS) + 1)


def _bands() -> np.ndarray:
    """Return the band of each coefficient, (20, 24, 20)."""
    lines = [np.arange(side) / (2 * size) for side, size in zip(COARSE.shape, FIELD_OF_VIEW_MM, strict=True)]
    frequency = np.sqrt(sum(axis**2 for axis in np.meshgrid(*lines, indexing="ij")))
    return np.digitize(frequency, BANDS)
