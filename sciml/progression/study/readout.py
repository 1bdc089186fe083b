"""The linear change readout: how much each region changed, from the difference of two images.

A small change θ_K of ln V of region K moves what the start's labels mark along the least-energy flow v_K of `atrophy`; the image
then changes by θ_K J_K,

    (1)  J_K = d/dθ image(x - θ v_K),    d = x_B - x_A ~ Σ_K θ_K J_K

with d and J smoothed. Near region r, in windows p_s (its label at A, smoothed by s = 1.5 and 2.5 voxels), all θ are fitted at
once, so that the neighbours' changes are told apart from its own,

    (2)  θ^(s) = argmin_θ Σ_x p_s (d - Σ_K θ_K J_K)² + μ Σ_K θ_K² Σ_x p_s J_K²

(1) is coarse where a voxel holds several regions and where much changes, so a ridge regression maps those numbers to the change,

    (3)  ln(V_r,B / V_r,A) = w_r . (θ^(1.5), θ^(2.5)),    w_r = (F^T F + λ n)^-1 F^T y_r    (columns of F scaled to unit length)

over the n pairs (first visit, later visit) of subjects whose regions change independently: the hippocampus cannot be read off the
ventricles, neither by place nor by habit. All of it is linear in d, and no difference is no change. The error on those left out
is the floor of what can be measured. Images of another kind (those of an autoencoder) need a readout of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.cohort import Cohort, Split, Visit
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.flow.volumes import LabelledBrain
from sciml.progression.simulation.atrophy import Atrophy, sample_faces
from sciml.progression.simulation.neumann import ClosedDomain
from sciml.progression.study.results import ChangeScore
from sciml.progression.study.scores import change_score
from sciml.runtime.errors import DataError, ShapeError

SMOOTHING_VOXELS = 0.7
WINDOWS_VOXELS = (1.5, 2.5)
# a window ends at this many of its widths
WINDOW_REACH = 2.0
DAMPING = 0.1
STEP = 0.1
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FOLDS = 6


class Neighbourhoods:
    """Equations (1) and (2) of one visit: what a change of each region would look like there.

    Args:
        image: at A, (D, H, W).
        labels: at A, fractions (regions, D, H, W).
        mask: the brain, bool (D, H, W).
    """

    def __init__(self, image: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> None:
        self.mask = mask
        self.responses = responses(image, labels, mask)[:, mask]
        windows = [ndimage.gaussian_filter(labels, (0, s, s, s), truncate=WINDOW_REACH)[:, mask] for s in WINDOWS_VOXELS]
        # (regions, widths, voxels)
        self.windows = np.stack(windows, axis=1).astype(np.float32)
        gram = np.einsum("rsx,ix,jx->rsij", self.windows, self.responses, self.responses, optimize=True).astype(np.float64)
        own = np.einsum("rsii->rsi", gram)
        # a window without anything that could move reads no change
        self._inverse = np.linalg.pinv(gram + DAMPING * own[..., None] * np.eye(len(TISSUES)), hermitian=True)

    def features(self, differences: np.ndarray) -> np.ndarray:
        """Return θ of (2) of smoothed differences (n, D, H, W): (n, regions, widths * tissues)."""
        inside = differences[:, self.mask]
        right = np.einsum("rsx,ix,nx->nrsi", self.windows, self.responses, inside, optimize=True)
        found = np.einsum("rsij,nrsj->nrsi", self._inverse, right.astype(np.float64))
        return found.reshape(len(differences), len(REGIONS), -1)


def responses(image: np.ndarray, labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return J of (1), smoothed, float32 (tissues, D, H, W)."""
    atrophy, domain = Atrophy(mask, LabelledBrain(labels, mask)), ClosedDomain(mask)
    points = np.argwhere(mask).T.astype(np.float64)
    spline = ndimage.spline_filter(np.asarray(image, np.float64), order=3, mode="nearest")
    found = np.zeros((len(TISSUES), *mask.shape))
    for tissue, volume in enumerate(atrophy.volumes[:-1]):
        change = np.zeros(len(TISSUES))
        change[tissue] = volume
        shift = STEP * sample_faces(domain.solve(atrophy.source(change), 1e-3).faces, points)
        ahead, behind = (
            ndimage.map_coordinates(spline, points - sign * shift, order=3, mode="nearest", prefilter=False) for sign in (1, -1)
        )
        found[tissue][mask] = (ahead - behind) / (2 * STEP)
    return smoothed(found)


def smoothed(images: np.ndarray) -> np.ndarray:
    """Return images (n, 1, D, H, W) or (n, D, H, W) smoothed by 0.7 voxels, float32 (n, D, H, W)."""
    images = images.reshape(-1, *images.shape[-3:])
    return ndimage.gaussian_filter(images.astype(np.float32), (0, *[SMOOTHING_VOXELS] * 3))


def neighbourhoods(cohort: Cohort, visits: Sequence[Visit]) -> list[Neighbourhoods]:
    """Return the neighbourhoods of visits; visits that repeat share theirs.

    Raises:
        DataError: the cohort has no labels.
    """
    if not cohort.has("labels"):
        raise DataError(f"{cohort.folder} has no labels: changes of regions cannot be read off its images")
    found: dict[tuple[str, int], Neighbourhoods] = {}
    for visit in visits:
        key = visit.subject, visit.number
        if key not in found:
            found[key] = Neighbourhoods(cohort.image(visit)[0], cohort.labels(visit), cohort.mask(visit)[0])
    return [found[visit.subject, visit.number] for visit in visits]


@dataclass(frozen=True)
class ChangeReadout:
    """A fitted readout.

    Attributes:
        weights: w_r of (3), (regions, features).
        ridges: λ of each region, chosen on subjects left out.
        floor: errors on subjects left out, by region.
    """

    weights: np.ndarray
    ridges: tuple[float, ...]
    floor: Mapping[str, ChangeScore]

    def change(self, places: Sequence[Neighbourhoods], before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return ln(V_B / V_A) of every region, (n, regions).

        Args:
            places: of the visits at A.
            before: images at A, (n, 1, *grid).
            after: images at B.
        """
        return np.einsum("nrf,rf->nr", change_features(places, before, after), self.weights)


def change_features(places: Sequence[Neighbourhoods], before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return θ of (2) for pairs of images (n, 1, *grid): (n, regions, features)."""
    if before.shape != after.shape or len(places) != len(before):
        raise ShapeError(f"images have shapes {before.shape} and {after.shape}, for {len(places)} visits: expected pairs")
    differences = smoothed(after - before)
    return np.concatenate([place.features(one[None]) for place, one in zip(places, differences, strict=True)])


def calibration_pairs(cohort: Cohort, split: Split = "calibration") -> list[tuple[Visit, Visit]]:
    """Return the pairs that readouts are fitted to: everybody's first visit with each later one.

    Raises:
        DataError: fewer than three subjects.
    """
    pairs = [(first, later) for first, later in cohort.pairs(split) if first.number == 0]
    if len(people := {first.subject for first, _ in pairs}) < 3:
        raise DataError(f"{cohort.folder} has {len(people)} subjects in {split} with two visits; at least 3 needed")
    return pairs


def fit_readout(pairs: Sequence[tuple[Visit, Visit]], features: np.ndarray) -> ChangeReadout:
    """Fit a readout.

    Args:
        pairs: of `calibration_pairs`, with volumes.
        features: of their images, `change_features`.
    """
    logs = [np.log([visit.volumes_ml for visit in side]) for side in zip(*pairs, strict=True)]
    changes = logs[1] - logs[0]
    names = sorted({first.subject for first, _ in pairs})
    fold = np.array([names.index(first.subject) % min(FOLDS, len(names)) for first, _ in pairs])
    weights, ridges, floor = [], [], {}
    for index, region in enumerate(REGIONS):
        own, target = features[:, index], changes[:, index]
        ridge, left_out = _choose(own, target, fold)
        weights.append(_ridge(own, target, ridge))
        ridges.append(ridge)
        floor[region] = change_score(left_out, target)
    return ChangeReadout(np.stack(weights), tuple(ridges), floor)


def _choose(features: np.ndarray, target: np.ndarray, fold: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the λ of least error on subjects left out, and the predictions there."""
    found = []
    for ridge in RIDGES:
        predicted = np.empty_like(target)
        for number in np.unique(fold):
            out = fold == number
            predicted[out] = features[out] @ _ridge(features[~out], target[~out], ridge)
        found.append((float(np.square(predicted - target).mean()), ridge, predicted))
    _, ridge, predicted = min(found, key=lambda one: one[0])
    return ridge, predicted


def _ridge(features: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    # (3)
    size = np.sqrt(np.square(features).mean(axis=0)) + 1e-12
    scaled = features / size
    gram = scaled.T @ scaled + ridge * len(scaled) * np.eye(scaled.shape[1])
    return np.linalg.solve(gram, scaled.T @ target) / size
