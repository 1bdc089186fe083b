"""How the default was chosen: validation pairs, tuned weights, the margin of the evidence, and what evidence tells of gains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from sciml.deblurring.config import LEARNED
from sciml.deblurring.page.default import gain_table
from sciml.deblurring.page.drawing import BLUE, ORANGE, QUIET
from sciml.deblurring.page.numbers import Difference, cell_title, is_oracle
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, SetResults, StudyResults
from sciml.deblurring.page.tables import difference_table
from sciml.deblurring.settings.grid import DEFAULT, RIDGE_MARGIN, WARP_MARGIN
from sciml.report.graphics.drawing import panels, plain
from sciml.report.reportlets import Column, Curve, Figure, Reportlet, Table, Text, Value
from sciml.report.words import percent, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

TUNED_CURVES = ("tv", LEARNED)
TICKS = (1, 2, 5, 10, 20, 50)


def choice_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the choice in words, its tables and curves, and the evidence against the gain."""
    validation = study.sets.get("validation")
    yield Text("How the default was chosen", reading(study))
    if validation is not None:
        yield difference_table(validation)
        yield gain_table(validation)
    if study.weights:
        yield weight_table(study)
        curve = weight_curve(study)
        if curve is not None:
            yield curve
    figure = evidence_figure([one for name in ("validation", "test") if (one := study.sets.get(name)) is not None])
    if figure is not None:
        yield figure


def reading(study: StudyResults) -> str:
    """Return the choice in sentences."""
    words = (
        "All settings were chosen on validation pairs alone: other photographs, other kernels, other errors. The weight of "
        "every cell is the one with the best mean PSNR there. A corrected kernel is taken only if held-out pixels are predicted "
        f"{percent(WARP_MARGIN, 0)} better (three numbers) or {percent(RIDGE_MARGIN, 1)} better (pixel by pixel); "
        "otherwise the given one is "
        "kept."
    )
    validation = study.sets.get("validation")
    if validation is None:
        return f"{words} In this run the validation pairs were not evaluated."
    means = {
        cell: found.mean
        for cell in validation.cells
        if not is_oracle(cell) and (found := Difference.of(validation.rows, cell, GIVEN)) is not None
    }
    best = max(means, key=means.__getitem__)
    if best == DEFAULT:
        end = f"It has the largest mean gain over {GIVEN} of all cells there, {signed(means[best])} dB."
    else:
        end = (
            f"Its mean gain over {GIVEN} there is {signed(means.get(DEFAULT, 0.0))} dB; the largest has {best} with "
            f"{signed(means[best])} dB."
        )
    return f"{words}\n\nShipped is **{DEFAULT}**. {end}"


def weight_table(study: StudyResults) -> Table:
    """Return the chosen weight of every cell, and whether it lies at an end of those that were tried."""
    rows: list[dict[str, Value]] = []
    for prior, models in study.weights.items():
        for model, found in models.items():
            tried = [weight for weight, _ in found.curve]
            at_end = len(tried) > 1 and found.weight in (tried[0], tried[-1])
            rows.append(
                {
                    "cell": cell_title(f"{prior}/{model}"),
                    "weight": found.weight,
                    "psnr": found.psnr,
                    "tried": f"{len(tried)}, {tried[0]:.3g} to {tried[-1]:.3g}",
                    "end": "at the end of them" if at_end else "inside",
                }
            )
    columns = [
        Column("cell", "image prior / error model"), Column("weight", "weight", "", None, 3),
        Column("psnr", "validation PSNR at it", "dB", None, 2), Column("tried", "weights tried"), Column("end", "the best lies"),
    ]  # fmt: skip
    counts = sorted({record.notes["pairs"] for record in study.tunings})
    return Table(
        "Tuned weights",
        columns,
        rows,
        f"Chosen on {', '.join(map(str, counts))} validation pairs, all cells of a prior on the same ones.",
        "Weights are in units of the noise times the norm of the kernel; hyper-laplacian and richardson-lucy have units of their "
        "own.",
    )


def weight_curve(study: StudyResults) -> Curve | None:
    """Return validation PSNR over the weight of the priors of the grid."""
    rows = [
        {"weight": weight, "psnr": value, "cell": cell_title(f"{prior}/{model}")}
        for prior in TUNED_CURVES
        for model, found in study.weights.get(prior, {}).items()
        if model != "both"
        for weight, value in found.curve
    ]
    if not rows:
        return None
    return Curve(
        "Validation PSNR over the weight",
        rows,
        "weight",
        "psnr",
        "cell",
        "weight (units of the noise times the kernel's norm)",
        "mean PSNR (dB)",
        "The weight at the top of a line is the one that its cell has on this page.",
        "Mean validation PSNR over the weight, one line a cell.",
        log_x=True,
    )


def evidence_figure(sets: Sequence[SetResults]) -> Figure | None:
    """Return the gain of PSNR against the fall of the held-out misfit, of every pair whose kernel was changed."""
    found = []
    for one in sets:
        rows = [row for row in one.rows if row.step.of(DEFAULT_MODEL).by]
        gains = Difference.of(rows, DEFAULT, GIVEN)
        if gains is not None:
            falls = np.array([100 * row.step.of(DEFAULT_MODEL).gain for row in rows])
            found.append((one.name, falls, gains.gains, len(one.rows)))
    if not found:
        return None

    def draw(axes: Sequence[Axes], figure: Drawing) -> None:
        for (name, falls, gains, _), colour, marker in zip(found, (ORANGE, BLUE), "^o", strict=False):
            axes[0].plot(falls, gains, marker, color=colour, markersize=4.5, alpha=0.75, linestyle="none", label=f"{name} pairs")
        axes[0].axhline(0, color="#000000", linewidth=0.9)
        axes[0].axvline(100 * WARP_MARGIN, color=QUIET, linewidth=0.9, linestyle="--", label="margin")
        axes[0].set_xscale("log")
        axes[0].set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes[0].minorticks_off()
        plain(axes[0], "fall of the held-out misfit (%)", f"gain of {DEFAULT} over {GIVEN} (dB)")
        axes[0].legend(frameon=False, fontsize=8)

    words, alts = [], []
    for name, falls, gains, count in found:
        below = int((gains < 0).sum())
        rank = f", rank correlation {signed(_rank_correlation(falls, gains))}" if len(gains) > 2 else ""
        words.append(f"{name}: {len(gains)} of {count} kernels were changed, {below} of these lost{rank}")
        alts.append(f"{name} pairs {gains.mean():.2f} dB on the mean".replace("-", "\u2212"))
    return Figure(
        "Does the evidence tell of a gain?",
        panels(1, (7.6, 4.0), draw),
        f"Each mark is a pair whose kernel was changed. {'; '.join(words)}. The misfit is that of pixels that the restoration "
        "has not seen; the truth takes no part in it. Kernels that were kept have no gain and are not drawn.",
        f"Scatter of PSNR gains over the fall of the held-out misfit: {', '.join(alts)}.",
    )


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(stats.spearmanr(first, second)[0])  # pyright: ignore[reportArgumentType]
