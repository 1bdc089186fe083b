"""Untrained networks: what they add to the picture that they start from, what the residual network adds, where the rule stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sciml.deblurring.page.drawing import BLUE, ORANGE, RED, SKY
from sciml.deblurring.page.numbers import error_words, kernel_words, pair_words
from sciml.deblurring.page.results import Extra
from sciml.deblurring.study.results import DipResult, FitScores, Points
from sciml.deblurring.study.scores import display
from sciml.report.graphics.drawing import INK, enlarged, panels, plain, signed_picture
from sciml.report.reportlets import Column, Figure, Gallery, Reportlet, Table, Value
from sciml.report.words import spread_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MAIN = ("none/cold", "none/warm", "residual/cold", "residual/warm")
COLOURS: Mapping[str, str] = dict(zip(MAIN, (ORANGE, RED, SKY, BLUE), strict=True))
RULES = {"held-out": "held-out pixels", "discrepancy": "discrepancy", "variance": "windowed variance"}
CURVES = {"discrepancy": "misfit (\u03c3)", "held-out": "held-out misfit", "variance": "windowed variance", "psnr": "PSNR (dB)"}
# of the residual's pictures, in display values of linear light
RESIDUAL_LIMIT = 0.05


def runs_of(dip: Extra[DipResult], cell: str) -> list[FitScores]:
    """Return the fits of a cell."""
    return [run for run in dip.numbers.runs if run.cell == cell]


def by_pair(runs: Sequence[FitScores], value: str) -> dict[str, float]:
    """Return the mean over seeds of a value, by pair."""
    pairs = dict.fromkeys(run.pair for run in runs)
    return {pair: float(np.mean([getattr(run, value) for run in runs if run.pair == pair])) for pair in pairs}


def paired(dip: Extra[DipResult], cell: str, rival: str, value: str = "psnr_network") -> np.ndarray:
    """Return one cell less another, means over seeds, pair by pair; empty where one did not run."""
    ours, theirs = by_pair(runs_of(dip, cell), value), by_pair(runs_of(dip, rival), value)
    return np.array([ours[pair] - theirs[pair] for pair in ours if pair in theirs])


def dip_reportlets(dip: Extra[DipResult]) -> Iterator[Reportlet]:
    """Yield curves and pictures of a shown pair, and the tables."""
    for pair, curves in list(dip.numbers.curves.items())[:1]:
        yield curve_figure(dip, pair, curves)
    for pair in dip.numbers.curves:
        gallery = picture_gallery(dip, pair)
        if gallery is not None:
            yield gallery
    yield cell_table(dip)
    yield pair_table(dip)
    yield rule_table(dip)


CELLS = (
    "Cells run on different pairs: compare within a row, or see the table by pair. none, residual, kernel, both: what "
    "explains the kernel's error. cold: from nothing; warm: from total variation with the given kernel; corrected: with the "
    "kernel of the default. official: what the released program minimises. plain: without total variation."
)


def cell_table(dip: Extra[DipResult], text: str = CELLS) -> Table:
    """Return, for each way of fitting, what it returns, against its start and against the best of its run."""
    rows: list[dict[str, Value]] = []
    for cell in dict.fromkeys(run.cell for run in dip.numbers.runs):
        runs = runs_of(dip, cell)
        gains = np.array(list(by_pair(runs, "psnr").values())) - np.array(list(by_pair(runs, "psnr_start").values()))
        networks = np.array(list(by_pair(runs, "psnr_network").values()))
        residuals = [run.residual.correlation for run in runs if run.residual and run.residual.correlation is not None]
        seeds = [one for one in dip.numbers.seeds if one.cell == cell]
        ranks = [one.networks.rank_correlation for one in seeds if one.networks.rank_correlation is not None]
        rows.append(
            {
                "cell": cell,
                "pairs": len(gains),
                "fits": len(runs),
                "start": float(np.mean([run.psnr_start for run in runs])),
                "returned": float(np.mean([run.psnr for run in runs])),
                "network": float(networks.mean()),
                "gain": spread_over(gains),
                "worst": min(run.psnr - run.psnr_start for run in runs),
                "kept": f"{sum(run.fell_back for run in runs)} of {len(runs)}",
                "gap": float(np.mean([run.gap for run in runs])),
                "most": max(run.gap for run in runs),
                "correlation": float(np.mean(residuals)) if residuals else "no residual",
                "rank": float(np.mean(ranks)) if ranks else "one seed",
                "seconds": float(np.mean([run.seconds for run in runs])),
            }
        )
    columns = [
        Column("cell", "error model / start"), Column("pairs", "pairs"), Column("fits", "fits"),
        Column("start", "total variation, same kernel", "dB", None, 2), Column("returned", "returned", "dB", None, 2),
        Column("network", "networks alone", "dB", None, 2), Column("gain", "returned less total variation", "dB", None, 2),
        Column("worst", "worst fit", "dB", None, 2), Column("kept", "returned the start"),
        Column("gap", "best of the run less the chosen one", "dB", None, 2), Column("most", "largest", "dB", None, 2),
        Column("correlation", "residual: correlation with the true one", "", None, 2),
        Column("rank", "spread over seeds: rank correlation with the error", "", None, 2),
        Column("seconds", "time a fit", "s", None, 0),
    ]  # fmt: skip
    return Table(
        "Untrained networks",
        columns,
        rows,
        text,
        "Networks alone: the running mean that the rule chose, before it is mixed with the start. The best of a run is known to "
        "the truth alone.",
    )


def pair_table(dip: Extra[DipResult]) -> Table:
    """Return PSNR of the four main cells pair by pair beside total variation."""
    rows: list[dict[str, Value]] = []
    means = {cell: by_pair(runs_of(dip, cell), "psnr") for cell in (*MAIN, "none/corrected", "residual/corrected")}
    for pair, baselines in dip.numbers.baselines.items():
        run = next((run for run in dip.numbers.runs if run.pair == pair), None)
        if run is None or not any(pair in found for found in means.values()):
            continue
        row: dict[str, Value] = {"pair": pair_words(run)}
        row |= {name: float(value) for name, value in baselines.items()}
        row |= {cell: found.get(pair, "not run") for cell, found in means.items() if found}
        rows.append(row)
    keys = dict.fromkeys(key for row in rows for key in row if key != "pair")
    titles = {"blurred": "blurred", "tv/true": "tv/true (oracle)"}
    columns = [Column("pair", "pair"), *(Column(key, titles.get(key, key), "dB", None, 2) for key in keys)]
    return Table(
        "Untrained networks, pair by pair",
        columns,
        rows,
        "PSNR of what is returned, mean over seeds; total variation with the given (tv/none), the corrected (tv/warp) and the "
        "true kernel.",
    )


def rule_table(dip: Extra[DipResult]) -> Table:
    """Return what each stop rule alone would have cost against the best of the run."""
    runs = [run for run in dip.numbers.runs if run.cell in MAIN]
    rows: list[dict[str, Value]] = []
    for name, words in RULES.items():
        found = [(run, run.stops[name]) for run in runs if name in run.stops]
        costs = [run.psnr_oracle - stop.psnr for run, stop in found if stop.psnr is not None]
        rows.append(_rule_row(words, costs, len(found)))
    rows.append(_rule_row("the last iteration", [run.psnr_oracle - run.psnr_last for run in runs], len(runs)))
    rows.append(_rule_row("all together, as shipped", [run.gap for run in runs], len(runs)))
    columns = [
        Column("rule", "rule"), Column("stopped", "fits that it would have stopped"),
        Column("mean", "best of the run less there", "dB", None, 2), Column("most", "largest", "dB", None, 2),
    ]  # fmt: skip
    return Table(
        "Where each stop rule would have stopped",
        columns,
        rows,
        f"Over the {len(runs)} fits of {', '.join(MAIN)}. No rule sees the truth; the best of a run is an oracle.",
    )


def _rule_row(words: str, costs: Sequence[float], count: int) -> dict[str, Value]:
    return {
        "rule": words,
        "stopped": f"{len(costs)} of {count}",
        "mean": float(np.mean(costs)) if costs else "never",
        "most": max(costs) if costs else "never",
    }


def curve_figure(dip: Extra[DipResult], pair: str, curves: Mapping[str, Mapping[str, Points]]) -> Figure:
    """Return misfit, held-out misfit, variance and PSNR over the iterations of one pair, the chosen iteration marked."""
    cells = [cell for cell in MAIN if cell in curves]
    chosen = {run.cell: run for run in dip.numbers.runs if run.pair == pair and run.seed == 0}

    def draw(axes: Sequence[Axes], figure: Drawing) -> None:
        for one, (key, title) in zip(axes, CURVES.items(), strict=True):
            plain(one, "iteration", title)
            for cell in cells:
                points = curves[cell].get(key) or []
                if not points:
                    continue
                places, values = np.array(points, dtype=float).T
                one.plot(places, values, color=COLOURS[cell], linewidth=1.5, label=cell)
                at = chosen[cell].chosen
                one.plot([at], [np.interp(at, places, values)], "o", color=COLOURS[cell], markersize=6, markeredgecolor=INK)
                if key == "psnr":
                    best = chosen[cell].oracle_at
                    one.plot([best], [chosen[cell].psnr_oracle], "*", color=COLOURS[cell], markersize=11, markeredgecolor=INK)
            if key in ("held-out", "variance"):
                one.set_yscale("log")
        handles, labels = axes[-1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)

    about = next(run for run in dip.numbers.runs if run.pair == pair)
    return Figure(
        "Untrained networks along the iterations",
        panels(2, (10.6, 6.4), draw, rows=2),
        f"{pair_words(about)}, the first seed. Circle: the iteration that the rule chose. Star: the best one, known to the truth "
        "alone. PSNR is that of the networks' running mean.",
        "Four panels over the iterations: misfit, held-out misfit, windowed variance and PSNR, one line a cell.",
    )


def picture_gallery(dip: Extra[DipResult], pair: str, cell: str = "residual/warm") -> Gallery | None:
    """Return start, networks, returned picture, residual, artefact term and spread over seeds of a shown pair."""
    arrays = {
        kind: dip.arrays.get(f"{pair}/{cell}/{kind}") for kind in ("start", "network", "image", "residual", "artefact", "spread")
    }
    run = next((run for run in runs_of(dip, cell) if run.pair == pair), None)
    if run is None or arrays["image"] is None:
        return None
    names = {"start": "total variation", "network": "networks alone", "image": "returned"}
    pictures = {words: display(array) for kind, words in names.items() if (array := arrays[kind]) is not None}
    signs = {"residual": "residual", "artefact": "artefact term"}
    pictures |= {words: signed_picture(a, RESIDUAL_LIMIT) for kind, words in signs.items() if (a := arrays[kind]) is not None}
    if arrays["spread"] is not None:
        pictures["spread over seeds"] = np.clip(arrays["spread"] / max(float(arrays["spread"].max()), 1e-9), 0, 1)
    return Gallery(
        f"Untrained networks: {pair_words(run)}",
        {words: enlarged(image, 256) for words, image in pictures.items()},
        f"Cell {cell}, the first seed. Residual and artefact term from \u2212{RESIDUAL_LIMIT} (orange) to {RESIDUAL_LIMIT} "
        "(purple) in linear light; the spread on a scale of its own.",
        f"a restored photograph or a part of the model, {kernel_words(run.kernel)}, {error_words(run.error)}",
        {
            "total variation": f"{run.psnr_start:.2f} dB",
            "networks alone": f"{run.psnr_network:.2f} dB",
            "returned": f"{run.psnr:.2f} dB",
        },
    )
