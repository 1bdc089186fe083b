"""A subject's labels carried by the least-energy flow to volumes that are asked for, age after age."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.simulation.anatomy import nearest_inside
from sciml.progression.simulation.atrophy import Atrophy, StepSettings
from sciml.runtime.errors import NumericalError, ShapeError

Measure = Callable[[np.ndarray], np.ndarray]

# of finer labels: how far a volume may be from what was asked for, in ln, in how many rounds, and what counts as no change
FINE_TOLERANCE, ROUNDS, LEAST_CHANGE = 0.005, 8, 0.004


class LabelledBrain:
    """A subject's labels on the grid as a function of place, for the flow of `Atrophy`.

    Args:
        labels: fractions (regions, D, H, W).
        mask: the brain, bool (D, H, W).

    Raises:
        ShapeError: labels and mask are not on one grid.
    """

    def __init__(self, labels: np.ndarray, mask: np.ndarray) -> None:
        if labels.shape != (len(REGIONS), *mask.shape):
            raise ShapeError(f"labels have shape {labels.shape}: expected {(len(REGIONS), *mask.shape)}")
        shares = np.asarray(labels, np.float64) + 1e-9
        # beyond the brain as at the nearest voxel inside, so that they sum to 1 wherever they are looked up
        self.shares = (shares / shares.sum(axis=0))[(slice(None), *nearest_inside(mask))]
        self.mask = mask

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the labels at places (3, n) in voxels, (regions, n)."""
        return np.stack([ndimage.map_coordinates(share, points, order=1, mode="nearest") for share in self.shares])


class VolumeFlow:
    """The flow of a subject's labels to volumes that are asked for.

    Volumes are those of the labels on the grid, or of finer ones where a measure is given: a flow found on coarse voxels moves a
    region's own border a little more or less than its share of the voxels. What is asked of the grid is then changed until the
    finer labels read the volumes, ln of it by the factor k of each region:

        k <- k + (ln asked ratio - ln read ratio) / ln asked ratio

    Args:
        labels: at A, fractions (regions, D, H, W).
        mask: the brain, connected, bool (D, H, W).
        measure: map back to A (3, D, H, W) -> V_B / V_A of every region but the last, of finer labels.
    """

    def __init__(self, labels: np.ndarray, mask: np.ndarray, measure: Measure | None = None) -> None:
        self.brain, self.mask, self.measure = LabelledBrain(labels, mask), mask, measure
        self._factor = np.ones(len(REGIONS) - 1)

    def maps(self, ratios: np.ndarray, motions: Sequence[np.ndarray] | None = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield for each age the map back to A, (3, D, H, W) in voxels, and V_B / V_A of all regions as they are read.

        The flow goes on from age to age, so that a subject's maps are one motion; with motions each age has a flow of its own,
        which begins at the motion: y = exp(v) o (flow to the volumes).

        Args:
            ratios: V_B / V_A of every region but the last, (ages, regions - 1), in order of age.
            motions: for each age the displacement exp(v) - id that comes first, (3, D, H, W), in voxels.

        Raises:
            NumericalError: the skull has no room for it, or the finer labels do not read the volumes.
        """
        atrophy = Atrophy(self.mask, self.brain, StepSettings())
        begun = atrophy.volumes
        for number, ratio in enumerate(np.asarray(ratios)):
            if motions is not None:
                atrophy.back = np.indices(self.mask.shape) + motions[number]
                atrophy.labels = self.brain(atrophy.back[:, self.mask])
            before, asked = (atrophy.back, atrophy.labels), np.log(ratio)
            for _ in range(ROUNDS):
                atrophy.back, atrophy.labels = before
                atrophy.advance(begun[:-1] * np.exp(self._factor * asked))
                read = atrophy.volumes / begun
                if self.measure is None:
                    break
                read = self.measure(atrophy.back)
                missed = asked - np.log(read[:-1])
                if np.abs(missed).max() < FINE_TOLERANCE:
                    break
                moves = np.abs(asked) > LEAST_CHANGE
                self._factor = np.where(moves, self._factor + missed / np.where(moves, asked, 1.0), self._factor)
            else:
                worst = int(np.abs(missed).argmax())
                raise NumericalError(
                    f"the volume of {REGIONS[worst]} misses what was asked for by {100 * abs(missed[worst]):.1f} % in the labels "
                    f"of the scan, after {ROUNDS} rounds: is it labelled alike on the grid?"
                )
            yield atrophy.back, read


def map_to_volumes(labels: np.ndarray, mask: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return the map back to A under which every region but the fluid has changed as asked, (3, D, H, W) in voxels.

    Args:
        labels: at A, fractions (regions, D, H, W).
        mask: the brain.
        ratios: V_B / V_A of every region but the last.

    Raises:
        NumericalError: the skull has no room for it.
    """
    return next(VolumeFlow(labels, mask).maps(np.asarray(ratios)[None]))[0]


def warp(image: np.ndarray, back: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return an image looked up at the places of a map, 0 outside the mask; cubic, for little blur.

    A map that moves nothing gives the image itself.
    """
    if np.array_equal(back, np.indices(mask.shape)):
        return np.asarray(image)
    moved = ndimage.map_coordinates(np.asarray(image, np.float64), back, order=3, mode="nearest")
    return np.where(mask, moved, 0.0).clip(0)
