"""What is left: the estimated residual beside the true one, and how much like noise the misfit is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy import signal, stats

from sciml.deblurring.page.drawing import BLUE, QUIET, style
from sciml.deblurring.page.numbers import cell_title, error_words, pair_words
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, Pair, Row, SetResults
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.imaging.operators.kernels import Kernel
from sciml.report.graphics.drawing import panels, plain, signed_picture
from sciml.report.reportlets import Column, Figure, Reportlet, Table, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MODELS = ("warp", "kernel", "both")
LAGS = 10
# of the residual's pictures, in units of the noise
LIMIT = 5.0
MOST_POINTS = 4000


def residual_reportlets(test: SetResults) -> Iterator[Reportlet]:
    """Yield the residual of one pair, its misfit, and the table over all pairs."""
    row = median_row(test)
    if row is not None:
        pair = test.pair(row)
        yield residual_figure(pair)
        yield whiteness_figure(pair)
    table = residual_table(test)
    if table is not None:
        yield table


def median_row(test: SetResults) -> Row | None:
    """Return the turned pair whose residual by the default correlates in the middle of all; None where none was corrected."""
    rows = [row for row in test.of("rotation") if _correlation(row) is not None]
    ordered = sorted(rows, key=lambda row: _correlation(row) or 0.0)
    return ordered[len(ordered) // 2] if ordered else None


def _correlation(row: Row) -> float | None:
    found = row.residuals.get(DEFAULT_MODEL)
    return None if found is None else found.correlation


def residual_figure(pair: Pair) -> Figure:
    """Return the true residual, the estimated one, and one against the other."""
    sigma = pair.problem.sigma
    true = pair.truth.residual(pair.problem.given) / sigma
    found = pair.residuals[DEFAULT_MODEL] / sigma
    scores = pair.row.residuals[DEFAULT_MODEL]

    def draw(axes: Sequence[Axes], figure: Drawing) -> None:
        for one, image, title in zip(
            axes[:2], (true, found), (r"true $(k - \hat{k}) * x$", f"estimated, {DEFAULT}"), strict=True
        ):
            one.imshow(signed_picture(image, LIMIT), interpolation="nearest")
            one.set_title(title, fontsize=10)
            one.set_axis_off()
        step = max(1, true.size // MOST_POINTS)
        axes[2].plot(true.ravel()[::step], found.ravel()[::step], ".", markersize=2, alpha=0.5, color=BLUE)
        ends = np.array([-1, 1]) * float(max(np.abs(true).max(), np.abs(found).max()))
        axes[2].plot(ends, ends, color=QUIET, linewidth=0.9, linestyle="--")
        plain(axes[2], "true (\u03c3)", "estimated (\u03c3)", f"correlation {scores.correlation:.2f}")
        axes[2].set_aspect("equal", "box")
        figure.get_layout_engine().set(h_pad=0.12)  # pyright: ignore

    return Figure(
        "The residual: true and estimated",
        panels(3, (10.6, 4.0), draw),
        f"{pair_words(pair.row)}: of the turned pairs that were corrected, the one with the middle correlation. In units of the "
        f"noise, from \u2212{LIMIT:g} (orange) over 0 (white) to {LIMIT:g} (purple); the line is equality. True rms "
        f"{scores.true_rms:.2f} \u03c3, estimated {scores.rms:.2f} \u03c3.",
        f"True and estimated residual side by side, and a scatter with correlation {scores.correlation:.2f}.",
    )


def residual_table(test: SetResults) -> Table | None:
    """Return size and correlation of the residuals by kernel error and error model."""
    rows: list[dict[str, Value]] = []
    models = [model for model in MODELS if any(model in row.residuals for row in test.rows)]
    if not models:
        return None
    for error in test.errors:
        members = [row for row in test.rows if row.error == error]
        row: dict[str, Value] = {"error": error_words(error), "pairs": len(members)}
        row["true"] = float(np.mean([one.kernels["none"].blur_rms for one in members]))
        for model in models:
            found = [one.residuals[model] for one in members if model in one.residuals]
            known = [one.correlation for one in found if one.correlation is not None]
            row[f"rms {model}"] = float(np.mean([one.rms for one in found])) if found else "not run"
            row[f"count {model}"] = len(known)
            row[f"correlation {model}"] = float(np.mean(known)) if known else "no residual"
        rows.append(row)
    columns = [Column("error", "given kernel"), Column("pairs", "pairs"), Column("true", "true rms", "\u03c3", None, 2)]
    for model in models:
        columns += [
            Column(f"rms {model}", f"{model}: rms", "\u03c3", None, 2),
            Column(f"correlation {model}", f"{model}: correlation", "", None, 2),
            Column(f"count {model}", f"{model}: pairs with one"),
        ]
    return Table(
        "Residual: estimated against true, test pairs",
        columns,
        rows,
        "r = (k \u2212 k\u0302) * x by total variation and each error model's kernel. Correlations are means over the pairs that "
        "have an estimate and a true residual; a kernel that was kept, and an exact one, has none. rms: means over all pairs.",
    )


def misfit(pair: Pair, cell: str, kernel: Kernel) -> np.ndarray:
    """Return (y - k * x) / sigma where the whole neighbourhood lies inside the picture."""
    margin = len(kernel) // 2
    height, width = pair.problem.picture.shape
    blurred = signal.fftconvolve(pair.pictures[cell].astype(np.float64), kernel, mode="valid")
    y = pair.problem.picture[margin : height - margin, margin : width - margin]
    return (y - blurred) / pair.problem.sigma


def autocorrelation(image: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """Return the correlation of neighbours at 1 to `lags` pixels, the mean of down and right."""
    centred = image - image.mean()
    power = float(np.mean(centred**2))
    found = [
        (np.mean(centred[lag:] * centred[:-lag]) + np.mean(centred[:, lag:] * centred[:, :-lag])) / 2
        for lag in range(1, lags + 1)
    ]
    return np.array(found) / power


def misfits(pair: Pair) -> dict[str, np.ndarray]:
    """Return the misfit of the given kernel, the default and the oracle."""
    prior = parted(DEFAULT)[0]
    kernels = {GIVEN: pair.problem.given, DEFAULT: pair.kernels[DEFAULT_MODEL], f"{prior}/{TRUE}": pair.truth.kernel}
    return {cell: misfit(pair, cell, kernel) for cell, kernel in kernels.items() if cell in pair.pictures}


def whiteness_figure(pair: Pair) -> Figure:
    """Return the autocorrelation of the misfit with the band of white noise, and its histogram against the normal one."""
    found = misfits(pair)
    # the mean of two directions of N products each
    band = 1.96 / np.sqrt(2 * min(image.size for image in found.values()))
    lags = np.arange(1, LAGS + 1)

    def draw(axes: Sequence[Axes], figure: Drawing) -> None:
        axes[0].axhspan(-band, band, color="#cccccc", alpha=0.6, label="95 % band of white noise", linewidth=0)
        places = np.linspace(-5, 5, 201)
        for cell, image in found.items():
            axes[0].plot(lags, autocorrelation(image), label=cell_title(cell), **style(cell))  # pyright: ignore[reportArgumentType]
            heights, edges = np.histogram(image, bins=41, range=(-5.125, 5.125), density=True)
            axes[1].plot((edges[1:] + edges[:-1]) / 2, heights, **{**style(cell), "marker": ""})  # pyright: ignore[reportArgumentType]
        axes[1].fill_between(places, stats.norm.pdf(places), color="#cccccc", alpha=0.6, linewidth=0)
        plain(axes[0], "distance (pixels)", "autocorrelation", "misfit y \u2212 k * x")
        plain(axes[1], "misfit (\u03c3)", "density", "histogram; grey: N(0, 1)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False, fontsize=8)  # pyright: ignore

    sizes = ", ".join(f"{cell_title(cell)} {np.sqrt(np.mean(image**2)):.2f} \u03c3" for cell, image in found.items())
    nearest = ", ".join(f"{cell_title(cell)} {autocorrelation(image)[0]:+.2f}" for cell, image in found.items())
    return Figure(
        "How much like noise the misfit is",
        panels(2, (10.6, 3.9), draw),
        f"{pair_words(pair.row)}. Pixels whose whole neighbourhood lies inside the picture. Root mean square: {sizes}. The "
        "smaller misfit is not the better picture: only the oracle's tells what is left at best.",
        f"Autocorrelation and histogram of the misfit. Autocorrelation of neighbours: {nearest}.".replace("-", "\u2212"),
    )
