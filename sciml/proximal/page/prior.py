"""What the learned priors know: R of digits and photographs along corruptions, detection, posterior covariance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sciml.proximal.page.figures import band_figure, heat, points_figure, strip_figure
from sciml.proximal.page.results import Part
from sciml.proximal.study.prior_results import (
    Covariance,
    DigitNumbers,
    Humps,
    Landscapes,
    PriorNumbers,
    SliceDetection,
    WrongSigma,
)
from sciml.report.graphics.drawing import enlarged, signed_picture
from sciml.report.reportlets import Column, Curve, Figure, Gallery, Reportlet, Table, Value
from sciml.report.words import minus

PATHS = {"noise": "noise, standard deviation", "blur": "blur, pixels", "mixing": "share of another picture"}
SHOWN_DIGITS = 2
GROUPS = {"head": "head, test subject", "abdomen": "abdomen", "noisy": "head, noisy"}


def digit_reportlets(digits: Part[DigitNumbers]) -> Iterator[Reportlet]:
    """Yield strips of digits with R, the paths of all digits, the tables and the targets."""
    numbers, arrays = digits.numbers, digits.arrays
    sigma = digits.record.config["sigma"]
    strips = []
    for name in PATHS:
        levels, values, images = (arrays[f"{name}.{key}"] for key in ("levels", "R", "images"))
        for index in range(min(SHOWN_DIGITS, len(images))):
            strips.append((name, images[index], levels.tolist(), changes(values[:, index])))
    yield Figure(
        "Prior of digits: R of one picture as it is corrupted",
        strip_figure(strips),
        "Test digits; below each picture R less its value at the left end of the row. Published network, trained at sigma "
        f"{sigma:g} on the digits that pip brings. R compares pictures within this network only.",
        "Rows of handwritten digits along noise, blur and mixing, with the value of the regulariser.",
    )
    shown = [
        (PATHS[name], arrays[f"{name}.levels"].tolist(), arrays[f"{name}.R"] - from_zero(arrays[f"{name}.R"])) for name in PATHS
    ]
    yield Figure(
        "Prior of digits: R of all test digits",
        band_figure(shown, "R less that of the clean digit"),
        f"{arrays['noise.R'].shape[1]} digits for noise and blur, pairs for mixing; thin lines are single digits, at most 60. "
        "The thick line is the median, the band the quartiles.",
        "Three panels of R over noise, blur and mixing: single digits, median and quartiles.",
    )
    yield path_table("Prior of digits: R along corruptions", numbers.prior, 3)
    yield digit_table(numbers)


def from_zero(values: np.ndarray) -> np.ndarray:
    """Return R at the first level of each picture, as a row."""
    return values[:1]


def changes(values: np.ndarray) -> list[str]:
    """Return R of one picture less its first value, as texts."""
    return ["R = 0" if index == 0 else minus(f"{value - values[0]:+.3g}") for index, value in enumerate(values)]


def path_table(title: str, prior: Landscapes, digits: int) -> Table:
    """Return median and quartiles of R at each level, and the share of pictures that rose since the level before."""
    rows: list[dict[str, Value]] = []
    for name, path in prior.paths().items():
        for index, level in enumerate(path.levels):
            row: dict[str, Value] = {"path": name, "level": float(level)}
            for key in ("lower_quartile", "median", "upper_quartile"):
                # +inf, outside the range of f, is stored as null
                row[key] = value if (value := getattr(path, key)[index]) is not None else "outside"
            row["rises"] = 100 * path.share_rising_at_each_step[index - 1] if index else "start"
            row["outside"] = 100 * path.share_outside[index]
            rows.append(row)
    columns = [
        Column("path", "corruption"),
        Column("level", "level", "", None, 3),
        Column("lower_quartile", "lower quartile of R", "", None, digits),
        Column("median", "median", "", None, digits),
        Column("upper_quartile", "upper quartile", "", None, digits),
        Column("rises", "pictures that rose", "%", None, 0),
        Column("outside", "outside the range of f", "%", None, 0),
    ]
    return Table(title, columns, rows, "Levels as in the figure; only differences of R within one network mean something.")


def digit_table(numbers: DigitNumbers) -> Table:
    """Return the stages of the training of the digits, with how many digits count in the matching loss."""
    rows: list[dict[str, Value]] = []
    for row in numbers.training:
        rows.append(
            {
                "stage": row.loss if row.gamma is None else f"{row.loss}, gamma {row.gamma:g}",
                "steps": row.steps,
                "psnr": row.denoised_psnr,
                "weight": "not defined" if row.mean_weight is None else row.mean_weight,
                "share": "not defined" if row.effective_share is None else row.effective_share,
                "zero": 100 * row.zero_share,
            }
        )
    columns = [
        Column("stage", "stage"), Column("steps", "steps"), Column("psnr", "validation PSNR", "dB", None, 2),
        Column("weight", "mean weight in the last loss", "", None, 3), Column("share", "effective share of digits", "", None, 3),
        Column("zero", "non-negative weights at 0", "%", None, 1),
    ]  # fmt: skip
    test = numbers.test
    caption = (
        f"{numbers.parameters:,} parameters; test digits {test.noisy_psnr:.2f} -> {test.denoised_psnr:.2f} dB. The "
        "weight is exp(-mse / gamma^2) at the last gamma: near 1 for every digit the matching loss is the squared error, and "
        "the network learns the mean, not the MAP."
    )
    return Table("Prior of digits: training", columns, rows, caption)


def prior_reportlets(prior: Part[PriorNumbers]) -> Iterator[Reportlet]:
    """Yield R of photographs along corruptions, detection, covariance and a wrong noise level, those that are there."""
    numbers, arrays = prior.numbers, prior.arrays
    photographs, network, sigma = numbers.photographs, numbers.photo_network, numbers.sigma
    shown_at = int(arrays["strip.noise"][:, 0].std((1, 2)).argmax())
    strips = [
        (name, arrays[f"strip.{name}"][shown_at], path.levels, changes(arrays[f"{name}.R"][:, shown_at]))
        for name, path in photographs.paths().items()
    ]
    yield Figure(
        f"Prior of photographs: R a pixel of one picture, {network}",
        strip_figure(strips, side=1.7, dpi=100),
        f"{photographs.names[shown_at]}; below each picture R a pixel less its value at the left end of the row, "
        f"noise level {sigma:g}. Local filters find smooth pictures likely: R rises with noise and falls with blur, "
        "as total variation does.",
        "Rows of a photograph along noise, blur and mixing with another, with the value of the regulariser.",
    )
    shown = []
    for name, path in photographs.paths().items():
        values = arrays[f"{name}.R"]
        shown.append((PATHS[name], path.levels, values - from_zero(values)))
    yield Figure(
        f"Prior of photographs: R a pixel of all test pictures, {network}",
        band_figure(shown, "R a pixel, less the start"),
        f"{len(photographs.names)} test photographs: thin lines single pictures, thick line the median, band the "
        "quartiles. " + hump_words(photographs.mixing.humps),
        "Three panels of R over noise, blur and mixing: single photographs, median and quartiles.",
    )
    yield path_table("Prior of photographs: R a pixel along corruptions", photographs, 5)
    yield from detection_reportlets(numbers.detection, arrays, numbers.ct_network)
    yield from covariance_reportlets(numbers.covariance, arrays, network, sigma)
    yield robustness_table(numbers.wrong_sigma, network, sigma)


def hump_words(humps: Humps | None) -> str:
    """Return in words what mixing says about convexity."""
    if humps is None:
        return ""
    return (
        f"R of an equal mixture is above the mean of both ends for {100 * humps.above_chord:.0f} % of the pairs, which no "
        f"convex R allows, and above both ends for {100 * humps.above_ends:.0f} %."
    )


def detection_reportlets(found: SliceDetection, arrays: Mapping[str, np.ndarray], network: str) -> Iterator[Reportlet]:
    """Yield pictures, distributions and the table of how well R tells other slices from those of a head."""
    groups = found.groups()
    names = sorted((name for name in groups if f"detection.{name}.R" in arrays), key=lambda name: (name not in GROUPS, name))
    titles = {name: group_title(name) for name in names}
    notes = {titles[name]: f"AUROC {area:.2f}" for name in names if (area := groups[name].auroc) is not None}
    yield Gallery(
        f"R as a detector: slices of CT, {network}",
        {titles[name]: enlarged(arrays[f"detection.{name}.image"]) for name in names},
        "The middle slice of every group. An AUROC of 0.5 tells nothing, 1 and 0 tell all.",
        "a CT slice",
        notes,
    )
    yield Figure(
        "R as a detector: distributions",
        points_figure({titles[name]: arrays[f"detection.{name}.R"] for name in names}, "R a pixel", found.reference.median),
        f"R a pixel of every slice, one row a group; the dashed line is the median of {found.reference.slices} validation "
        "slices.",
        "Histograms of the regulariser of CT slices by group.",
    )
    rows: list[dict[str, Value]] = []
    for name, group in groups.items():
        if name == "head":
            continue
        areas = {key: getattr(group, key) for key in ("auroc", "auroc_two_sided", "auroc_total_variation")}
        numbers: dict[str, Value] = {key: "not run" if area is None else area for key, area in areas.items()}
        rows.append({"group": group_title(name), **numbers, "verdict": str(group.verdict or group.absent)})
    columns = [
        Column("group", "slices against heads"), Column("auroc", "AUROC of R", "", None, 3),
        Column("auroc_two_sided", "of the distance from the median", "", None, 3),
        Column("auroc_total_variation", "of total variation", "", None, 3), Column("verdict", "what it means"),
    ]  # fmt: skip
    yield Table(
        "R as a detector", columns, rows, f"{found.slices} slices of a head that no training has seen, against as many others."
    )


def group_title(name: str) -> str:
    """Return what a group of slices is."""
    return GROUPS.get(name) or f"head, FBP of {name.rpartition('_')[2]} views"


def covariance_reportlets(found: Covariance, arrays: Mapping[str, np.ndarray], network: str, sigma: float) -> Iterator[Reportlet]:
    """Yield the leading directions of the posterior, its standard deviations beside the errors, and the calibration."""
    deviation, error = arrays["covariance.deviation"][0], np.abs(arrays["covariance.error"][0])
    limit = float(max(np.quantile(error, 0.99), deviation.max(), 1e-6))
    pictures = {name: enlarged(arrays[f"covariance.{name}"][0]) for name in ("truth", "noisy", "denoised")}
    pictures["predicted deviation"] = enlarged(heat(deviation, limit))
    pictures["size of the error"] = enlarged(heat(error, limit))
    calibration, directions = found.calibration, found.directions
    yield Gallery(
        f"Posterior of one crop: where {network} is unsure",
        pictures,
        f"Cov[x | y] = sigma^2 J at sigma {sigma:g}: predicted standard deviation and size of the error on one scale, 0 to "
        f"{limit:.3f}. The error of a pixel is one draw, so it is speckled where the prediction is smooth.",
        "a crop of a validation photograph",
    )
    axes = arrays["covariance.directions"]
    shares = [f"{100 * share:.1f} % of the variance" for share in directions.share_of_total]
    labels = [f"direction {index + 1}" for index in range(len(axes))]
    yield Gallery(
        "Posterior of one crop: leading directions",
        {label: enlarged(signed_picture(image)) for label, image in zip(labels, axes, strict=True)},
        "Eigenvectors of the covariance: what the network takes for the likeliest mistakes. Zero is white, the signs are "
        "orange and violet. "
        f"Largest relative residual of an eigenvector: {max(directions.residual):.1e}.",
        "an eigenvector of the posterior covariance",
        dict(zip(labels, shares, strict=False)),
    )
    rows = [
        {"predicted": row.predicted**0.5, "rms": getattr(row, key) ** 0.5, "line": words}
        for key, words in (("observed", "observed"), ("predicted", "perfect"))
        for row in calibration.bins
        if row.predicted > 0
    ]
    ratio, coverage = calibration.ratio, 100 * calibration.coverage_95
    yield Curve(
        "Posterior: predicted deviation and observed error", rows, "predicted", "rms", "line",
        "predicted standard deviation of a pixel", "root mean square error",
        f"Pixels of validation crops ({found.crops}) in ten groups by predicted variance. Mean squared error over mean "
        f"variance {ratio:.2f}; {coverage:.1f} % of the errors are within 1.96 deviations (a Gaussian: 95 %); correlation "
        f"{calibration.correlation:.2f}, of at most {calibration.ceiling:.2f} for true deviations of this spread.",
        "Observed error over predicted deviation, with the diagonal.",
    )  # fmt: skip


def robustness_table(found: WrongSigma, network: str, sigma: float) -> Table:
    """Return what a wrong noise level costs."""
    right = next((row.psnr for row in found.rows if abs(row.factor - 1) < 1e-9), None)
    rows: list[dict[str, Value]] = [{"given": "not denoised", "psnr": found.noisy_psnr, "change": "no level given"}]
    for row in found.rows:
        change = row.psnr - right if right is not None else "right level not run"
        rows.append({"given": f"{row.factor:g} times the true level", "psnr": row.psnr, "change": change})
    columns = [
        Column("given", "noise level given"), Column("psnr", "mean PSNR", "dB", "up", 2),
        Column("change", "change against the right level", "dB", None, 2),
    ]  # fmt: skip
    caption = f"Denoising of {found.photographs} test photographs with {network} at a true sigma of {sigma:g}."
    return Table("A wrong noise level", columns, rows, caption)
