"""The study's table: every way to forecast on the same pairs, as images and as changes of volumes.

Changes of volumes are read from images by a readout of the right kind (`readout.ChangeReadout`): one fitted to scans for
whatever is made of scans, one fitted to what the autoencoder makes of them for whatever was decoded. Methods without images
give volumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, Real
from scipy import fft

from sciml.progression.cohorts.regions import DIAGNOSES, REGIONS
from sciml.progression.forecasting.pair_predictions import Pair
from sciml.progression.study.results import (
    Averaging,
    ChainCoverage,
    ChangeScore,
    Gain,
    ImageScores,
    Kind,
    MeanScore,
    MethodScores,
)
from sciml.progression.study.scores import brain_psnr, brain_ssim, brain_volume_error, grouped_change_scores, subject_interval

GAPS = ((0.0, 2.0, "below 2 y"), (2.0, 4.0, "2 to 4 y"), (4.0, np.inf, "4 y and more"))
LONG_YEARS = 3.0
ALL, LONG = "all", "3 y and more"
Changes = Float[np.ndarray, "pairs regions"]


@dataclass(frozen=True)
class Method:
    """One way to forecast, on all pairs.

    Attributes:
        name: key in tables.
        kind: `baseline`, `model`, `ablation` or `ceiling`.
        changes: ln(V^_B / V_A); read from the images where there are any.
        images: of B; None where only volumes are forecast.
    """

    name: str
    kind: Kind
    changes: Changes
    images: Float[np.ndarray, "pairs x y z"] | None = None


@dataclass(frozen=True)
class Truth:
    """What the forecasts are compared with.

    Attributes:
        pairs: questions.
        clean: follow-ups without bias and noise.
        noisy: follow-ups as scanned.
        masks: brains of the follow-ups.
        start_ml: volumes at A in ml.
        followup_ml: volumes at B in ml.
    """

    pairs: Sequence[Pair]
    clean: Float[np.ndarray, "pairs x y z"]
    noisy: Float[np.ndarray, "pairs x y z"]
    masks: Bool[np.ndarray, "pairs x y z"]
    start_ml: Float[np.ndarray, "pairs regions"]
    followup_ml: Float[np.ndarray, "pairs regions"]
    changes: Changes = field(init=False)
    subjects: tuple[str, ...] = field(init=False)
    gaps: Float[np.ndarray, " pairs"] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", np.log(self.followup_ml / self.start_ml))
        object.__setattr__(self, "subjects", tuple(pair.start.subject for pair in self.pairs))
        object.__setattr__(self, "gaps", np.array([pair.gap_years for pair in self.pairs]))

    def groups(self) -> dict[str, Bool[np.ndarray, " pairs"]]:
        """Return which pairs belong to each group: all, by diagnosis, by gap, by visits given."""
        diagnoses = np.array([pair.start.diagnosis for pair in self.pairs])
        visits = np.array([len(pair.history) for pair in self.pairs])
        found = {ALL: np.ones(len(diagnoses), dtype=bool), LONG: self.gaps >= LONG_YEARS}
        found |= {name: diagnoses == name for name in DIAGNOSES}
        found |= {name: (self.gaps >= low) & (self.gaps < high) for low, high, name in GAPS}
        found |= {"1 visit": visits == 1, "2 visits and more": visits > 1}
        return {name: members for name, members in found.items() if members.any()}


def image_scores(method: Method, truth: Truth) -> dict[str, Float[np.ndarray, " pairs"]]:
    """Return scores of each pair: in the brain against clean and scanned follow-ups, and over the whole volume as published."""
    if method.images is None:
        return {}
    rows = [
        {
            "psnr_db": brain_psnr(image, clean, mask),
            "psnr_scanned_db": brain_psnr(image, noisy, mask),
            "ssim": brain_ssim(image, clean, mask),
            "whole_psnr_db": brain_psnr(image, noisy, np.ones_like(mask)),
            "whole_ssim": brain_ssim(image, noisy),
            "whole_mse": float(np.square(image.astype(float) - noisy).mean()),
        }
        for image, clean, noisy, mask in zip(method.images.astype(np.float32), truth.clean, truth.noisy, truth.masks, strict=True)
    ]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def evaluate(methods: Sequence[Method], truth: Truth, reference: str, random: np.random.Generator) -> dict[str, MethodScores]:
    """Return the scores of all methods by name; gains over the reference have 95 % intervals.

    Args:
        methods: on the same pairs.
        truth: of them.
        reference: method with images that gains are against, with intervals over subjects.
        random: of the bootstrap.
    """
    groups = truth.groups()
    scored = {method.name: image_scores(method, truth) for method in methods}
    found: dict[str, MethodScores] = {}
    for method in methods:
        images = scored[method.name]
        volume_errors = brain_volume_error(truth.start_ml * np.exp(method.changes), truth.followup_ml, truth.start_ml)
        entry = MethodScores(
            kind=method.kind,
            images=ImageScores(
                **{
                    name: MeanScore(mean=_mean(values), sd=float(np.std(values)), n=len(values))
                    for name, values in images.items()
                }
            ),
            changes=_change_scores(method, truth, groups),
            brain_volume_error=dict(zip(REGIONS, volume_errors.mean(axis=0).tolist(), strict=True)),
        )
        if images:
            psnr = images["psnr_db"]
            gain = psnr - scored[reference]["psnr_db"]
            gains = gains_by_group(gain, truth, random)
            by_group = {name: _mean(psnr[members]) for name, members in groups.items()}
            entry = entry.model_copy(update={"psnr_by_group_db": by_group, "gain_db": gains})
        found[method.name] = entry
    return found


def gains_by_group(gain: Real[np.ndarray, " pairs"], truth: Truth, random: np.random.Generator) -> dict[str, Gain]:
    """Return the mean of a difference by group of pairs, with its interval over subjects."""
    return {
        name: _with_interval(gain[members], [truth.subjects[i] for i in np.flatnonzero(members)], random)
        for name, members in truth.groups().items()
    }


def _change_scores(method: Method, truth: Truth, groups: Mapping[str, np.ndarray]) -> dict[str, dict[str, ChangeScore]]:
    by_region: dict[str, dict[str, ChangeScore]] = {region: {} for region in REGIONS}
    for name, members in groups.items():
        count = int(members.sum())
        scores = grouped_change_scores(method.changes[members], truth.changes[members], [name] * count)
        for region in REGIONS:
            by_region[region][name] = scores[region]["all"]
    return by_region


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values[np.isfinite(values)])) if np.isfinite(values).any() else float("nan")


def _with_interval(values: np.ndarray, subjects: Sequence[str], random: np.random.Generator) -> Gain:
    finite = np.isfinite(values)
    if not finite.any():
        return Gain(mean=float("nan"), low=float("nan"), high=float("nan"), n=0)
    low, high = subject_interval(values[finite], [s for s, good in zip(subjects, finite, strict=True) if good], random)
    return Gain(mean=float(values[finite].mean()), low=low, high=high, n=int(finite.sum()))


def averaging(
    counts: Int[np.ndarray, " counts"],
    errors: Float[np.ndarray, "pairs counts"],
    spread_errors: Real[np.ndarray, "pairs 2"],
) -> Averaging:
    """Return the latent error against the number of chains with the fit bias^2 + variance / m.

    Args:
        counts: m of each column; 0 is no change.
        errors: mean squared latent errors.
        spread_errors: mean deviation of the chains and mean absolute error of their mean.
    """
    means = dict(zip(counts.tolist(), errors.mean(axis=0).tolist(), strict=True))
    chains = np.array([count for count in means if count])
    measured = np.array([means[count] for count in chains])
    if len(chains) > 1:
        bias, variance = np.linalg.lstsq(np.stack([np.ones(len(chains)), 1 / chains], axis=1), measured, rcond=None)[0].tolist()
    else:
        bias, variance = float("nan"), float("nan")
    return Averaging(
        chains=chains.tolist(),
        latent_mse=measured.tolist(),
        no_change_mse=means.get(0, float("nan")),
        squared_bias=bias,
        variance=variance,
        spearman_spread_error=spearman(*spread_errors.T),
    )


def chain_coverage(changes: Float[np.ndarray, "chains pairs regions"], truth: Truth) -> dict[str, ChainCoverage]:
    """Return how often the truth lies within two standard deviations of the chains, and whether spread tells error.

    Args:
        changes: of each chain.
        truth: of the pairs.
    """
    mean, sd = changes.mean(axis=0), changes.std(axis=0, ddof=1)
    error = np.abs(mean - truth.changes)
    return {
        region: ChainCoverage(
            coverage_2sd=float((error[:, column] < 2 * sd[:, column]).mean()),
            mean_sd_points=100 * float(sd[:, column].mean()),
            mean_error_points=100 * float(error[:, column].mean()),
            spearman=spearman(sd[:, column], error[:, column]),
        )
        for column, region in enumerate(REGIONS)
    }


def spearman(first: Real[np.ndarray, " n"], second: Real[np.ndarray, " n"]) -> float:
    """Return the rank correlation of two lists; NaN where one is constant."""
    one, other = (np.argsort(np.argsort(values)).astype(float) for values in (first, second))
    constant = np.ptp(first) == 0 or np.ptp(second) == 0
    return float("nan") if constant else float(np.corrcoef(one, other)[0, 1])


def lowest_frequencies(image: Float[np.ndarray, "x y z"], count: int) -> Float[np.ndarray, "x y z"]:
    """Return an image from its `count` cosine coefficients of lowest frequency: a code as long as the autoencoder's.

    Args:
        image: of any size.
        count: kept coefficients; those of equal frequency at the limit are left out.
    """
    frequency = sum(axis**2 for axis in np.meshgrid(*[np.arange(side) / side for side in image.shape], indexing="ij"))
    kept = frequency < np.sort(frequency, axis=None)[count] if count < image.size else np.ones(image.shape, dtype=bool)
    return np.asarray(fft.idctn(np.asarray(fft.dctn(image, norm="ortho")) * kept, norm="ortho"))
