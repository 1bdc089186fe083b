"""The linear change readout: how much each region changed, from the difference of two images.

With d the smoothed difference of two scans of one person, looked at near region r only (a diagonal 0/1 matrix M_r),

    (1)  ln(V_r,B / V_r,A) = w_r . M_r d,    w_r = M_r D^T (D M_r D^T + lambda t I)^-1 y_r,    t = trace(D M_r D^T) / n,

ridge regression over n pairs of scans in its dual form (D: one difference a row). There is no constant: no difference is no
change, and the change from B to A is minus that from A to B. It is fitted to people whose regions change independently, and
looks at one region's neighbourhood, so that it cannot read the hippocampus off the ventricles. Its own error, on people left
out, is the floor of what can be measured with it. Images of another kind (those of an autoencoder) need a readout of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from sciml.progression.cohort import Cohort, Split, Visit
from sciml.progression.grids import Grid, grid_of
from sciml.progression.regions import REGIONS
from sciml.progression.scores import ChangeScore, change_score
from sciml.runtime.errors import DataError, FormatError, ShapeError
from sciml.runtime.files import load_tensors, save_tensors

FORMAT = "sciml-readout-1"
SMOOTHING_VOXELS = 0.7
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
FOLDS = 6
# a voxel belongs to a region's neighbourhood where this share of people have some of it there, or near such a voxel
LEAST_SHARE = 0.02
REACH_VOXELS = 2


@dataclass(frozen=True)
class ChangeReadout:
    """A fitted readout.

    Attributes:
        weights: w_r of (1), (regions, *grid), 0 outside the neighbourhood.
        grid: of the images.
        ridges: lambda of each region, chosen on people left out.
        floor: errors on people left out, by region.
    """

    weights: np.ndarray
    grid: Grid
    ridges: tuple[float, ...]
    floor: Mapping[str, ChangeScore]

    def change(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return ln(V_B / V_A) of every region, (n, regions).

        Args:
            before: images at A, (n, 1, *grid).
            after: images at B.
        """
        if before.shape != after.shape or before.shape[-3:] != self.grid.shape:
            raise ShapeError(f"images have shapes {before.shape} and {after.shape}: expected pairs on {self.grid.shape}")
        difference = smoothed(after - before).reshape(len(before), -1)
        return difference @ self.weights.reshape(len(REGIONS), -1).T


def smoothed(images: np.ndarray) -> np.ndarray:
    """Return images (n, 1, *grid) smoothed by 0.7 voxels, (n, *grid), float32."""
    images = images.reshape(-1, *images.shape[-3:])
    return ndimage.gaussian_filter(images.astype(np.float32), (0, *[SMOOTHING_VOXELS] * 3))


def fit_readout(cohort: Cohort, split: Split = "calibration", images: np.ndarray | None = None) -> ChangeReadout:
    """Fit a readout to all pairs of visits of a split.

    Args:
        cohort: with labels and volumes.
        split: the people.
        images: in place of the scans, (visits, 1, *grid), in the order of `cohort.select(split)`: what an autoencoder makes of
            them, for instance.

    Raises:
        DataError: too few people, or no labels.
    """
    visits, people = cohort.select(split), cohort.subjects(split)
    if len(people) < 3 or not cohort.has("labels"):
        raise DataError(
            f"{cohort.folder} has {len(people)} people in {split}, with labels: {cohort.has('labels')}; at least 3 needed"
        )
    pictures = smoothed(cohort.images(visits) if images is None else images)
    place = {(visit.subject, visit.number): index for index, visit in enumerate(visits)}
    pairs = np.array([[place[v.subject, v.number] for v in pair] for pair in cohort.pairs(split)])
    logs = np.log(cohort.volumes(visits))
    changes = logs[pairs[:, 1]] - logs[pairs[:, 0]]
    names = sorted(people)
    fold = np.array([names.index(visits[first].subject) % min(FOLDS, len(names)) for first, _ in pairs])
    flat = pictures.reshape(len(pictures), -1)
    weights, ridges, floor = [], [], {}
    for region, near in zip(REGIONS, neighbourhoods(cohort, visits), strict=True):
        places = np.flatnonzero(near)
        local = flat[:, places]
        differences = local[pairs[:, 1]] - local[pairs[:, 0]]
        target = changes[:, REGIONS.index(region)]
        ridge, left_out = _choose(differences @ differences.T, target, fold)
        solution = np.zeros(flat.shape[1], np.float32)
        solution[places] = differences.T @ _dual(differences @ differences.T, target, ridge)
        weights.append(solution.reshape(cohort.grid.shape))
        ridges.append(ridge)
        floor[region] = change_score(left_out, target)
    return ChangeReadout(np.stack(weights), cohort.grid, tuple(ridges), floor)


def neighbourhoods(cohort: Cohort, visits: Sequence[Visit]) -> np.ndarray:
    """Return the voxels near each region, bool (regions, *grid)."""
    mean = np.zeros((len(REGIONS), *cohort.grid.shape), np.float32)
    for visit in visits:
        mean += cohort.labels(visit)
    ball = ndimage.generate_binary_structure(3, 1)
    return np.stack([ndimage.binary_dilation(share / len(visits) > LEAST_SHARE, ball, REACH_VOXELS) for share in mean])


def _choose(gram: np.ndarray, target: np.ndarray, fold: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the lambda of least error on people left out, and the predictions there."""
    found = []
    for ridge in RIDGES:
        predicted = np.empty_like(target)
        for number in np.unique(fold):
            out = fold == number
            predicted[out] = gram[np.ix_(out, ~out)] @ _dual(gram[np.ix_(~out, ~out)], target[~out], ridge)
        found.append((float(np.square(predicted - target).mean()), ridge, predicted))
    _, ridge, predicted = min(found, key=lambda one: one[0])
    return ridge, predicted


def _dual(gram: np.ndarray, target: np.ndarray, ridge: float) -> np.ndarray:
    return np.linalg.solve(gram + ridge * np.trace(gram) / len(gram) * np.eye(len(gram)), target)


def save_readout(path: Path, readout: ChangeReadout, about: Mapping[str, Any]) -> None:
    """Write a readout with its errors."""
    metadata = {
        "format": FORMAT, "grid": readout.grid.name, "regions": list(REGIONS), "ridges": list(readout.ridges),
        "floor": {region: score.__dict__ for region, score in readout.floor.items()}, "about": dict(about),
    }  # fmt: skip
    save_tensors(path, {"weights": readout.weights}, metadata)


def load_readout(path: Path) -> ChangeReadout:
    """Read a readout.

    Raises:
        FormatError: it is none.
    """
    arrays, metadata = load_tensors(path)
    if metadata.get("format") != FORMAT or metadata.get("regions") != list(REGIONS):
        raise FormatError(f"{path} is no readout of this version: its format is {metadata.get('format')!r}")
    floor = {region: ChangeScore(**score) for region, score in metadata["floor"].items()}
    return ChangeReadout(arrays["weights"], grid_of(metadata["grid"]), tuple(metadata["ridges"]), floor)
