"""Claims about what must hold whatever the accuracy: growth rates, realisable moments, bounded runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.active_fluid.report_goals import AT_LEAST, AT_MOST, RATE_ERROR, SAMPLES, SIDE, SLACK, UNTIL, Status, kept, met
from sciml.active_fluid.report_results import Row, StudyResults
from sciml.active_fluid.report_style import point_words, thousands, title_of
from sciml.report.reportlets import Claim

RATES = ("cross", "parallel")


def physics_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the claims; `not run` where a stage has not run."""
    yield from rate_claims(study)
    yield from realisable_claims(study)
    yield from bounded_claims(study)


def rate_error(row: Row, way: str) -> float:
    """Return the largest difference of a row's rates from the formula.

    Args:
        row: of `theory`.
        way: `operator`, the linearised right-hand side, or `in_run`, a run.
    """
    pairs = [(row[f"{name}_{way}"], row[name]) for name in RATES]
    if way == "operator" and row.get("density_operator") is not None:
        pairs.append((row["density_operator"], row["density"]))
    return float(np.max([np.nan if found is None else abs(found - exact) for found, exact in pairs]))


def worst_rates(rows: list[Row], way: str) -> tuple[float, Row]:
    """Return the largest difference of rows, NaN counting as the largest, and its row."""
    errors = [rate_error(row, way) for row in rows]
    place = int(np.argmax([np.inf if np.isnan(error) else error for error in errors]))
    return errors[place], rows[place]


def rate_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the largest error of a growth rate in runs, for the kinetic theory and for the closures."""
    for words, kinetic in (("Kinetic solver", True), ("Coarse solver with every closure", False)):
        text = f"{words}: growth rates of runs from weak waves against the dispersion relation, largest difference"
        rows = [row for row in study.rates if (row["model"] == "kinetic") == kinetic]
        if not rows:
            yield Claim(text, None, RATE_ERROR, AT_MOST, "1 / time")
            continue
        value, row = worst_rates(rows, "in_run")
        operator, _ = worst_rates(rows, "operator")
        models = list(dict.fromkeys(title_of(one["model"]) for one in rows))
        said = (
            f"{text} ({len(rows)} cases{'' if kinetic else ': ' + ', '.join(models)}; worst: "
            f"{'' if kinetic else title_of(row['model']) + ', '}{point_words((row['alpha'], row['zeta']))}, wave {row['n_x']}; "
            f"of the linearised equations {operator:.1e})"
        )
        yield Claim(said, float(f"{value:.3g}"), RATE_ERROR, AT_MOST, "1 / time", kept(value, RATE_ERROR))


def realisable_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the least slack of the learned closure on random inputs."""
    text = "Learned closure on random inputs: least slack of |m2 \u2212 m1\u00b2| \u2264 1 \u2212 |m1|\u00b2, 0 to rounding"
    if study.stability is None:
        yield Claim(text, None, SLACK, AT_LEAST)
        return
    samples, least = study.stability["samples"], study.stability["least_slack"]
    value = np.nan if least is None else float(least)
    few = "" if samples >= SAMPLES else f"; the goal asks {thousands(SAMPLES)}"
    said = f"{text} ({thousands(samples)} inputs, orders up to 1 \u2212 1e\u22129, flows up to 1e6{few})"
    yield Claim(said, float(f"{value:.3g}"), SLACK, AT_LEAST, "", met(value, SLACK, None, samples >= SAMPLES))


def bounded_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield how many long runs over the box stayed bounded, of the learned closure."""
    text = "Learned closure: share of the long runs all over the box that stay bounded to the end"
    rows = [row for row in (study.stability or {"rows": []})["rows"] if row["closure"] == "learned"]
    if study.stability is None or not rows:
        yield Claim(text, None, 1.0, AT_LEAST)
        return
    until = study.stability["until"]
    good = [row for row in rows if is_bounded(row, until)]
    large = len(rows) >= SIDE**2 and until >= UNTIL
    short = "" if large else f"; the goal asks {SIDE} x {SIDE} points to t = {UNTIL:g}"
    largest = max((row.get("largest_order") or 0.0 for row in rows), default=0.0)
    said = f"{text} ({len(good)} of {len(rows)} to t = {until:g}, largest order {largest:.3f}{short})"
    share = len(good) / len(rows)
    status: Status = met(share, 1.0, None, large)
    yield Claim(said, round(share, 3), 1.0, AT_LEAST, "", status)


def is_bounded(row: Row, until: float) -> bool:
    """Return whether a long run came to its end with an order of at most 1."""
    order = row.get("largest_order")
    return not row["stopped"] and row["reached"] >= until - 1e-6 and order is not None and order <= 1
