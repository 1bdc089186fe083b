"""Tables and curves: parameters, order, archives, forecasts, budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sciml.report.reportlets import Column, Curve, Reportlet, Table, Text, Value
from sciml.report.words import percent, spread_over
from sciml.studies.flow_from_images.config import TRUE_FRAMES
from sciml.studies.flow_from_images.page.data import StudyData, title_of
from sciml.studies.flow_from_images.study.results import PARAMETERS
from sciml.studies.flow_from_images.study.scores import Coverage, budget, coverage, errors, forecasts, half_width

SYMBOLS = {"alpha": "\u03b1", "zeta": "\u03b6"}


def coverage_words(found: Coverage) -> str:
    """Return a coverage with its interval: `5 of 8 (24 to 91 %)`."""
    low, high = found.interval
    return f"{found.held} of {found.count} ({percent(low, 0)} to {percent(high, 0)})" if found.count else "truth not known"


def percents(values: list[float]) -> Value:
    """Return mean and spread in percent."""
    return spread_over(100 * value for value in values) or "truth not known"


def parameter_table(data: StudyData) -> Table:
    """Return errors, widths and coverage of every combination, with the measured and with a guessed noise."""
    rows: list[dict[str, Value]] = []
    for name in data.combinations:
        for noise in ("measured", "guessed"):
            fits = data.of(name, noise)
            if not fits:
                continue
            row: dict[str, Value] = {"name": title_of(name), "noise": "added" if name == TRUE_FRAMES else noise}
            for key in PARAMETERS:
                half = half_width(fits, key)
                row |= {key: percents(errors(fits, key)), f"{key} half": None if half is None else 100 * half.mean}
                row[f"{key} factor"] = data.factors[name][key] if noise == "measured" else 1.0
            rows.append({**row, "covered": coverage_words(coverage(fits)), "fitted": len(fits)})
    columns = [Column("name", "frames"), Column("noise", "noise told")]
    for key in PARAMETERS:
        columns += [
            Column(key, f"error of {SYMBOLS[key]}", "%", "down", 1),
            Column(f"{key} half", f"half-width of {SYMBOLS[key]}", "%", None, 1),
            Column(f"{key} factor", "widened", "times", None, 2),
        ]
    return Table(
        "Parameters of every combination",
        [
            *columns,
            Column("covered", "90 % intervals that hold the truth (95 % interval of the share)"),
            Column("fitted", "movies"),
        ],
        rows,
        "Mean and standard deviation over movies of the relative error's size. Measured: the noise is the error of the structure "
        "tensor on movies of other flows, gain and offset free; guessed: 2 % of the frames, what the family's own study has. "
        "Widened: so that the intervals of the calibrating movies hold.",
        ""
        if not data.lost
        else f"Not fitted: {'; '.join(f'{key}: {why}' for key, why in data.lost.items())}. Where a movie that calibrates is "
        "lost, intervals of its combination are promised less than 90 %.",
    )


def estimate_table(data: StudyData) -> Table:
    """Return every fit."""
    rows: list[dict[str, Value]] = []
    for fit in data.rows:
        row: dict[str, Value] = {"name": title_of(fit.combination), "case": fit.case, "noise": fit.noise, "told": fit.noise_std}
        for key in PARAMETERS:
            one = fit.estimate(key)
            row |= {key: one.value, f"{key} low": one.low, f"{key} high": one.high}
            row |= {f"{key} truth": "not known" if one.truth is None else one.truth}
        rows.append({**row, "verdict": fit.verdict, "converged": "yes" if fit.converged else "no"})
    columns = [
        Column("name", "frames"),
        Column("case", "movie"),
        Column("noise", "noise told"),
        Column("told", "its size", "", None, 3),
    ]
    for key in PARAMETERS:
        columns += [Column(f"{key} truth", f"true {SYMBOLS[key]}", "", None, 2), Column(key, SYMBOLS[key], "", None, 3)]
        columns += [Column(f"{key} low", "from", "", None, 3), Column(f"{key} high", "to", "", None, 3)]
    return Table("Every fit", [*columns, Column("verdict", "misfit explained by"), Column("converged", "converged")], rows)


def order_table(data: StudyData) -> Table:
    """Return what the structure tensor makes of every combination."""
    rows: list[dict[str, Value]] = []
    for name, found in data.orientations.items():
        judged = [case for case in found.cases if case.role != "calibration"]
        row: dict[str, Value] = {
            "name": title_of(name),
            "width": found.width_px,
            "noise": found.noise.noise_std,
            "cal": 100 * found.error,
            "alike": found.noise.alike,
            "gain": 100 * found.noise.gain_std,
            "offset": found.noise.offset_std,
        }
        row["error"] = percents([one.error for one in judged if one.error is not None])
        row["angle"] = spread_over(one.angle_deg for one in judged if one.angle_deg is not None) or "truth not known"
        row["hidden"] = spread_over(100 * one.hidden for one in judged)
        rows.append(row)
    columns = [
        Column("name", "frames"),
        Column("error", "error of m1", "%", "down", 1),
        Column("angle", "error of the director", "degrees", "down", 1),
        Column("cal", "error on the calibration", "%", None, 1),
        Column("noise", "noise passed on", "", None, 3),
        Column("alike", "frames alike", "times", None, 2),
        Column("gain", "gain differs by", "%", None, 0),
        Column("offset", "offset", "", None, 3),
        Column("width", "scale", "px", None, 0),
        Column("hidden", "flat, not seen", "%", None, 1),
    ]
    return Table(
        "The order of the rods from pictures",
        columns,
        rows,
        "Scale, gain, offset and noise are found on movies of other flows. The error is relative, over movies that are judged.",
    )


def archive_table(data: StudyData) -> Table:
    """Return size and error of every archive."""
    rows: list[dict[str, Value]] = [
        {"name": one.archive, "bits": one.bits_a_pixel, "share": 12 / one.bits_a_pixel, "error": one.error_counts}
        for one in data.archives.values()
    ]
    columns = [
        Column("name", "archive"),
        Column("bits", "size", "bits a pixel", "down", 2),
        Column("share", "smaller than 12 bits", "times", "up", 1),
        Column("error", "error", "counts", "down", 1),
    ]
    return Table("Archives", columns, rows, "Root mean square error in counts of 12 bits; the frames' own noise is about 40.")


def forecast_curve(data: StudyData) -> Iterator[Reportlet]:
    """Yield the error of the forecast over time beside persistence; nothing where no truth is known."""
    rows: list[dict[str, Any]] = []
    for name in data.combinations:
        times, ahead, held = forecasts(data.of(name))
        if not times:
            continue
        rows += [
            {"time": time, "error": float(e), "frames": title_of(name)} for time, e in zip(times, ahead.mean(0), strict=True)
        ]
        if name in (TRUE_FRAMES, data.blurred):
            label = f"persistence, {title_of(name)}"
            rows += [{"time": time, "error": float(e), "frames": label} for time, e in zip(times, held.mean(0), strict=True)]
    if rows:
        yield Curve(
            "Forecast beyond the last frame",
            rows,
            "time",
            "error",
            "frames",
            "time beyond the last frame",
            "relative error of m1",
            "Means over movies. Persistence holds the fitted last frame. Fields with nothing in common: about 1.4.",
            "errors of forecasts and of persistence over time beyond the last frame",
        )


def budget_reportlets(data: StudyData) -> Iterator[Reportlet]:
    """Yield the error budget, or why there is none."""
    found = {key: one for key in PARAMETERS if (one := budget(data.rows, key))}
    if not found:
        yield Text("Error budget", "A budget needs a full grid of at least two archives and two sharpenings.")
        return
    first = next(iter(found.values()))
    rows: list[dict[str, Value]] = []
    for key, one in found.items():
        shares = {" and ".join(links): one.share(links) for links in one.shares[0]}
        cells = {name: None if share is None else _percent(share) for name, share in shares.items()}
        rows.append({"name": SYMBOLS[key], **cells, "movement": spread_over(one.movement)})
    names = [column for column in rows[0] if column not in ("name", "movement")]
    yield Table(
        "Error budget: which link moves the estimate",
        [
            Column("name", "parameter"),
            *(Column(name, name if "and" not in name else "both together", "%", None, 0) for name in names),
            Column("movement", "movement over half the interval", "", None, 2),
        ],
        rows,
        f"Shares of the variance of the estimate over the grid of {', '.join(first.archives)} with "
        f"{', '.join(first.sharpenings)}; mean and standard deviation over {len(first.shares)} movies. Movement: standard "
        "deviation of the estimate over the grid in units of the half-width of its 90 % interval.",
    )


def _percent(share: Any) -> Value:
    return type(share)(100 * share.mean, None if share.std is None else 100 * share.std, share.n)
