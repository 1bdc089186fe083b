"""Scores of forecasts: images in the brain, volumes, and above all the change of volumes.

(1)  MAE_TBV = 100 |V^ - V| / (brain volume at A)             the published error, blind to small regions
(2)  relative error = 100 |V^ / V - 1|
(3)  change error = 100 |ln(V^ / V_A) - ln(V / V_A)|          in points, close to percent
(4)  skill = 1 - (mean change error) / (that of no change)    0: as good as no change, 1: perfect
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.study.results import ChangeScore
from sciml.runtime.errors import ShapeError

SSIM_SIGMA, SSIM_RADIUS = 1.5, 3
SSIM_CONSTANTS = (0.01**2, 0.03**2)
BRAIN = [REGIONS.index(region) for region in REGIONS if region != "csf"]


def change_score(predicted: np.ndarray, true: np.ndarray) -> ChangeScore:
    """Return the score of predicted changes of ln V against the true ones, both (n,)."""
    predicted, true = np.asarray(predicted, float), np.asarray(true, float)
    if predicted.shape != true.shape or predicted.ndim != 1 or not len(true):
        raise ShapeError(f"changes have shapes {predicted.shape} and {true.shape}: expected two of one length above 0")
    error, nothing = np.abs(predicted - true).mean(), np.abs(true).mean()
    varies = true.std() > 1e-9
    return ChangeScore(
        n=len(true),
        mean_error_points=100 * float(error),
        bias_points=100 * float((predicted - true).mean()),
        correlation=float(np.corrcoef(predicted, true)[0, 1]) if varies and predicted.std() > 1e-9 else float("nan"),
        slope=float(np.polyfit(true, predicted, 1)[0]) if varies else float("nan"),
        skill=1 - float(error / nothing) if nothing > 0 else float("nan"),
    )


def grouped_change_scores(predicted: np.ndarray, true: np.ndarray, groups: Sequence[str]) -> dict[str, dict[str, ChangeScore]]:
    """Return scores by region and group, with the group `all` first.

    Args:
        predicted: changes of ln V, (n, regions).
        true: the same.
        groups: of each pair, for instance its diagnosis or its gap.
    """
    labels = np.asarray(groups)
    members = {"all": np.ones(len(labels), bool), **{str(name): labels == name for name in dict.fromkeys(groups)}}
    return {
        region: {name: change_score(predicted[who, index], true[who, index]) for name, who in members.items()}
        for index, region in enumerate(REGIONS)
    }


def brain_volume_error(predicted_ml: np.ndarray, true_ml: np.ndarray, start_ml: np.ndarray) -> np.ndarray:
    """Return (1), (n, regions), of volumes (n, regions); the brain is everything but the outer fluid."""
    return 100 * np.abs(predicted_ml - true_ml) / start_ml[:, BRAIN].sum(axis=1, keepdims=True)


def relative_error(predicted_ml: np.ndarray, true_ml: np.ndarray) -> np.ndarray:
    """Return (2), in the shape of the volumes."""
    return 100 * np.abs(predicted_ml / true_ml - 1)


def brain_psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Return the PSNR in dB over the voxels of a mask, for a data range of 1."""
    _same(image, truth, mask)
    error = float(np.square(np.asarray(image, float)[mask] - truth[mask]).mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def brain_ssim(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return the mean structural similarity over a mask, or over everything.

    A volume that is mostly background scores high whatever is in it: the mask matters.

    Args:
        image: (D, H, W).
        truth: (D, H, W).
        mask: bool (D, H, W).
    """
    similarity = ssim_map(image, truth)
    return float((similarity if mask is None else similarity[mask]).mean())


def ssim_map(image: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the structural similarity at every voxel, (D, H, W).

    Local means with a Gaussian of 1.5 voxels in a window of 7, data range 1.
    """
    _same(image, truth, truth)

    def local(field: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.gaussian_filter(field, SSIM_SIGMA, radius=SSIM_RADIUS))

    one, other = np.asarray(image, float), np.asarray(truth, float)
    mean_one, mean_other = local(one), local(other)
    variances = local(one**2) - mean_one**2 + local(other**2) - mean_other**2
    covariance = local(one * other) - mean_one * mean_other
    first, second = SSIM_CONSTANTS
    similarity = (2 * mean_one * mean_other + first) * (2 * covariance + second)
    return similarity / ((mean_one**2 + mean_other**2 + first) * (variances + second))


def subject_interval(
    values: Sequence[float] | np.ndarray,
    subjects: Sequence[str],
    random: np.random.Generator,
    statistic: Callable[[np.ndarray], float] = np.mean,  # type: ignore[assignment]
    draws: int = 1000,
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a statistic, subjects drawn with all their pairs (Efron 1979).

    Args:
        values: one a pair, or (pairs, columns); for two methods their differences.
        subjects: of each pair.
        random: draws the subjects.
        statistic: of the values of a draw; the mean by default. Draws in which it is not finite are left out.
        draws: number of resamplings.
    """
    values = np.asarray(values, float)
    names = list(dict.fromkeys(subjects))
    places = [np.flatnonzero(np.asarray(subjects) == name) for name in names]
    found = [
        statistic(values[np.concatenate([places[i] for i in random.integers(len(names), size=len(names))])]) for _ in range(draws)
    ]
    known = [value for value in found if np.isfinite(value)]
    if not known:
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def smoothness(logs: np.ndarray) -> float:
    """Return the mean |second difference| of ln V along trajectories (n, ages) at even steps, in points."""
    return 100 * float(np.abs(np.diff(logs, 2, axis=-1)).mean())


def _same(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> None:
    if not image.shape == truth.shape == mask.shape:
        raise ShapeError(f"image, truth and mask have shapes {image.shape}, {truth.shape}, {mask.shape}: expected one")
