"""Forecasts that need no network: what a learned one has to beat.

* **no change**: the image at A itself;
* **no change, denoised**: the same without its noise, by the filter that is best on validation subjects: a network that removes
  noise would else win without knowing anything of time;
* **population field**: the mean motion of training subjects with the diagnosis, times the years;
* **prescribed volumes**: the simulator's own flow on the subject's labels at A, to the volumes that a course model expects. On
  simulated subjects it is the same physics as the truth, without what no volume tells;
* **true motion**: A moved as it truly was, which no forecast can know: the ceiling of whatever moves A.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.cohort import Cohort, Split, Visit
from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.flow.maps import between
from sciml.progression.flow.volumes import map_to_volumes, warp
from sciml.progression.study.scores import brain_psnr
from sciml.runtime.errors import DataError

SMOOTHINGS_VOXELS = (0.2, 0.3, 0.4, 0.5)
VARIATION_WEIGHTS = (0.003, 0.006, 0.012, 0.025)
MEANS_STRENGTHS = (0.01, 0.02, 0.03)
FIELD_STEPS_A_YEAR = 1.0


Filter = Callable[[np.ndarray], np.ndarray]
"""An image (D, H, W) -> one without noise."""


def filters() -> dict[str, Filter]:
    """Return the filters that are compared, by name: none, Gaussian, total variation, non-local means."""
    found: dict[str, Filter] = {"none": _as_it_is}
    found |= {f"Gaussian {width:g} voxels": partial(ndimage.gaussian_filter, sigma=width) for width in SMOOTHINGS_VOXELS}
    found |= {f"total variation {weight:g}": partial(_total_variation, weight=weight) for weight in VARIATION_WEIGHTS}
    found |= {f"non-local means {strength:g}": partial(_non_local_means, strength=strength) for strength in MEANS_STRENGTHS}
    return found


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image


def _total_variation(image: np.ndarray, weight: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image.astype(np.float64), weight=weight)


def _non_local_means(image: np.ndarray, strength: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(image.astype(np.float64), patch_size=3, patch_distance=2, h=strength, fast_mode=True)


def choose_filter(cohort: Cohort, split: Split = "validation") -> tuple[str, dict[str, float]]:
    """Return the filter whose no-change forecasts are best, and the PSNR in dB of all.

    Args:
        cohort: with images without noise.
        split: subjects who choose; never those of the test.

    Raises:
        DataError: the split has no pair of visits.
    """
    pairs = cohort.pairs(split)
    if not pairs:
        raise DataError(f"{cohort.folder} has no pair of visits in {split}: nothing to choose a filter by")
    starts = {(first.subject, first.number): cohort.image(first)[0] for first, _ in pairs}
    truths = {(later.subject, later.number): (cohort.truth(later)[0], cohort.mask(later)[0]) for _, later in pairs}
    scores = {}
    for name, denoise in filters().items():
        forecasts = {key: denoise(image) for key, image in starts.items()}
        scores[name] = float(
            np.mean(
                [
                    brain_psnr(forecasts[first.subject, first.number], *truths[later.subject, later.number])
                    for first, later in pairs
                ]
            )
        )
    return max(scores, key=scores.__getitem__), scores


def prescribed_forecast(image: np.ndarray, labels: np.ndarray, mask: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the image at A moved to the expected volumes; the same image where nothing changes.

    Args:
        image: at A, (D, H, W).
        labels: at A, (regions, D, H, W).
        mask: the brain.
        ratios: expected V_B / V_A of every region but the last.
    """
    if np.allclose(ratios, 1, rtol=0, atol=1e-12):
        return np.asarray(image)
    return warp(image, map_to_volumes(labels, mask, ratios), mask)


@dataclass(frozen=True)
class PopulationField:
    """The mean motion of subjects with a diagnosis.

    Attributes:
        velocity: by diagnosis, (3, D, H, W): how far the place moves, from which what is at a voxel comes, in voxels a year.
        people: who went into each mean.
    """

    velocity: Mapping[str, np.ndarray]
    people: Mapping[str, int]

    def forecast(self, image: np.ndarray, mask: np.ndarray, diagnosis: str, years: float) -> np.ndarray:
        """Return the image at A moved along the mean field for some years.

        Raises:
            DataError: no training subject had the diagnosis.
        """
        if diagnosis not in self.velocity:
            raise DataError(f"nobody with {diagnosis} went into the mean field; there are {', '.join(self.velocity)}")
        steps = max(1, round(years * FIELD_STEPS_A_YEAR))
        grid = np.indices(mask.shape, dtype=np.float64)
        # y(x) <- y(x + v dt), a step a year
        back = grid.copy()
        origin = grid + self.velocity[diagnosis] * (years / steps)
        for _ in range(steps):
            shifts = back - grid
            back = origin + np.stack([ndimage.map_coordinates(axis, origin, order=1, mode="nearest") for axis in shifts])
        return warp(image, back, mask)


def fit_population_field(cohort: Cohort, split: Split = "train") -> PopulationField:
    """Return the mean field of a cohort.

    A subject's field is the flow that moves the labels at the first visit to the volumes of the last one, over the years between.

    Args:
        cohort: with labels; it lies in MNI space, so that one subject's voxel is the other's.
        split: subjects to learn from.
    """
    fields: dict[str, list[np.ndarray]] = {}
    for visits in cohort.subjects(split).values():
        first, last = visits[0], visits[-1]
        if last.age_years > first.age_years:
            fields.setdefault(first.diagnosis, []).append(_yearly_field(cohort, first, last))
    known = [diagnosis for diagnosis in DIAGNOSES if diagnosis in fields]
    return PopulationField(
        {diagnosis: np.mean(fields[diagnosis], axis=0) for diagnosis in known},
        {diagnosis: len(fields[diagnosis]) for diagnosis in known},
    )


def _yearly_field(cohort: Cohort, first: Visit, last: Visit) -> np.ndarray:
    ratios = np.array(last.volumes_ml)[:-1] / np.array(first.volumes_ml)[:-1]
    mask = cohort.mask(first)[0]
    back = map_to_volumes(cohort.labels(first), mask, ratios)
    return (back - np.indices(mask.shape)) / (last.age_years - first.age_years)


def true_motion_forecast(cohort: Cohort, start: Visit, followup: Visit) -> np.ndarray:
    """Return the image at A moved by the true motion to B: a ceiling of all that move A; simulated cohorts only."""
    mask = cohort.mask(start)[0]
    back = np.indices(mask.shape) + between(cohort.shift(start), cohort.shift(followup))
    return warp(cohort.image(start)[0], back, mask)


def volume_ratios(volumes_ml: np.ndarray, start: Visit) -> np.ndarray:
    """Return V_B / V_A of every region but the last, of expected volumes (regions,) at B."""
    return np.asarray(volumes_ml)[:-1] / np.array(start.volumes_ml)[:-1]


def filtered(images: Sequence[np.ndarray] | np.ndarray, name: str) -> np.ndarray:
    """Return images (n, 1, *grid) through a filter of `filters`."""
    denoise = filters()[name]
    return np.stack([denoise(image[0])[None] for image in images]).astype(np.float32)
