"""Uncertainty on the page: of the moved scan, what averaging chains gains and costs, and whether their spread tells the error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.cohorts.regions import TITLES as REGION_TITLES
from sciml.progression.page.results import MAIN, Forecasts, title_of
from sciml.progression.study.results import ChainCoverage, FlowScores
from sciml.report.reportlets import Column, Curve, Reportlet, Table, Value

MANY = "chains_16"
FIT_POINTS = 12
# expected of a normal spread
WITHIN_2SD = 95


def averaging_reportlets(found: Forecasts) -> Iterator[Reportlet]:
    """Yield how often intervals of the moved scan hold, curve and table of averaging, and the tables of calibration."""
    if found.metrics.flow is not None:
        yield _moved(found.metrics.flow)
    if (curve := _curve(found)) is not None:
        yield curve
    yield _table(found)
    for name, regions in (found.metrics.calibration or {}).items():
        yield _calibration(name, regions)


def _moved(flow: FlowScores) -> Table:
    rows: list[dict[str, Value]] = [
        {
            "group": group,
            "held": None if share.mean is None else 100 * share.mean,
            "interval": "" if share.low is None or share.high is None else f"{100 * share.low:.0f} to {100 * share.high:.0f}",
            "n": share.n,
        }
        for group, share in flow.held.items()
    ]
    columns = [
        Column("group", "pairs"), Column("held", "voxels held by 90 % intervals", "%", None, 1),
        Column("interval", "95 % interval"), Column("n", "n", "", None, 0),
    ]  # fmt: skip
    return Table(
        "How far the moved scan may be from the truth: whether its intervals hold", columns, rows,
        "Share of the brain's voxels whose true value lies within 1.645 of the forecast's standard deviations, mean over pairs, "
        "with its interval over subjects. The standard deviation is made of the spread of the draws, the slope of the image "
        "and the years ahead, by a law fitted to validation subjects.",
        f"Root mean square over the brain, white matter being 0.8: standard deviation {flow.spread:.4f}, of the draws alone "
        f"{flow.spread_of_draws:.4f}, error {flow.error:.4f}.",
    )  # fmt: skip


def _curve(found: Forecasts) -> Curve | None:
    name = MANY if MANY in found.metrics.averaging else MAIN
    entry = found.metrics.averaging[name]
    bias, variance = (entry.relative(part) for part in (entry.squared_bias, entry.variance))
    if bias is None or variance is None:
        return None
    rows = [
        {"chains": count, "error": entry.relative(error), "of": title_of(name)}
        for count, error in zip(entry.chains, entry.latent_mse, strict=True)
    ]
    rows += [
        {"chains": count, "error": bias + variance / count, "of": "fit"}
        for count in np.geomspace(1, entry.chains[-1], FIT_POINTS).round(3).tolist()
    ]
    return Curve(
        "Averaging over chains", rows, "chains", "error", "of", "chains m", "squared error of the latent / that of no change",
        "The mean of the latents of m chains against the latent of the true follow-up. Fit: "
        f"{bias:.3f} + {variance:.3f} / m, a squared bias and a variance by least "
        "squares. Below 1 the forecast is nearer than the first scan's latent.",
        "squared error of the latent over the number of chains, measured and fitted", log_x=True,
    )  # fmt: skip


def _table(found: Forecasts) -> Table:
    rows = []
    notes = found.record.notes.items()
    seconds = {name: note["cpu_seconds"] / len(found.pairs) for name, note in notes if note.get("own_chains")}
    for name in found.methods:
        entry = found.metrics.averaging.get(name)
        if entry is None:
            continue
        row: dict[str, Value] = {
            "method": title_of(name),
            "chains": entry.chains[-1],
            "one": entry.relative(entry.latent_mse[0]),
            "all": entry.relative(entry.latent_mse[-1]),
            "bias": entry.relative(entry.squared_bias),
            "variance": entry.relative(entry.variance),
            "spearman": entry.spearman_spread_error,
            "seconds": seconds.get(name),
        }
        rows.append(row)
    columns = [
        Column("method", "forecast"), Column("chains", "chains"), Column("one", "error of one chain", "", "down", 3),
        Column("all", "of the mean of all", "", "down", 3), Column("bias", "squared bias", "", None, 3),
        Column("variance", "variance of a chain", "", None, 3),
        Column("spearman", "spread against error", "rank correlation", None, 2),
        Column("seconds", "CPU time of a forecast", "s", "down", 2),
    ]  # fmt: skip
    return Table(
        "Latents: error, chains and cost",
        columns,
        rows,
        "Squared errors of the latent in parts of that of no change; squared bias and variance are those of the fit under "
        "Curves, where there are several chains. Spread against error: over pairs, the mean deviation of the chains with "
        "the mean error of their mean. CPU time on the machine of this run, with coding and decoding; what shares the "
        "chains of another row has none of its own.",
        "Decoding plays no part here: a form decoded in two ways has one latent.",
    )


def _calibration(name: str, regions: Mapping[str, ChainCoverage]) -> Table:
    rows = [
        {
            "region": REGION_TITLES[region],
            "coverage": 100 * regions[region].coverage_2sd,
            "sd": regions[region].mean_sd_points,
            "error": regions[region].mean_error_points,
            "spearman": regions[region].spearman,
        }
        for region in REGIONS
    ]
    columns = [
        Column("region", "region"), Column("coverage", "truth within 2 sd", "% of pairs", None, 0),
        Column("sd", "mean sd of the chains", "points", None, 2), Column("error", "mean error of their mean", "points", None, 2),
        Column("spearman", "sd against error", "rank correlation", None, 2),
    ]  # fmt: skip
    return Table(
        f"Does the spread of the chains tell the error? ({title_of(name)})",
        columns,
        rows,
        f"Changes of ln V read off the image of each chain. A spread that tells the whole error has the truth within 2 standard "
        f"deviations for about {WITHIN_2SD} % of the pairs; fewer: the forecast is surer than it should be.",
        "The error holds that of the readout too, of which the chains know nothing.",
    )
