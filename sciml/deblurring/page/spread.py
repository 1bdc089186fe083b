"""Maps of spreads: where a picture depends on the kernel's error, held against where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.deblurring.page.numbers import error_words, pair_words
from sciml.deblurring.page.pictures import ERROR_LIMIT, LEAST_SIDE
from sciml.deblurring.page.results import Extra, SetResults
from sciml.deblurring.settings.grid import DEFAULT
from sciml.deblurring.study.metrics import Calibration
from sciml.deblurring.study.results import CalibrationResult
from sciml.deblurring.study.scores import display
from sciml.report.graphics.drawing import enlarged
from sciml.report.pictures import error_map
from sciml.report.reportlets import Column, Curve, Gallery, Reportlet, Table, Value
from sciml.report.words import percent, spread_over


def spread_reportlets(test: SetResults, calibration: Extra[CalibrationResult]) -> Iterator[Reportlet]:
    """Yield map and error of one pair, the deciles, and the table of coverage."""
    numbers = calibration.numbers
    gallery = map_gallery(test, numbers)
    if gallery is not None:
        yield gallery
    yield coverage_table(numbers)
    yield decile_curve(numbers)


def map_gallery(test: SetResults, numbers: CalibrationResult) -> Gallery | None:
    """Return the calibrated map and the error of the pair with the middle rank correlation, on one scale."""
    ordered = sorted(numbers.test, key=lambda found: found.rank_correlation)
    chosen = ordered[len(ordered) // 2]
    row = next((row for row in test.rows if pair_words(row) == pair_words(chosen)), None)
    spread = None if row is None else test.spread(row)
    if row is None or spread is None:
        return None
    pair, calibration = test.pair(row), Calibration(numbers.factor, numbers.floor)
    picture, truth = display(pair.pictures[DEFAULT]), display(pair.truth.picture)
    two = error_map(2 * calibration(spread), np.zeros_like(spread), ERROR_LIMIT)
    pictures = {f"restored, {DEFAULT}": picture, "\u00b1 2 spreads": two, "error": error_map(picture, truth, ERROR_LIMIT)}
    return Gallery(
        "Spread beside error",
        {name: enlarged(image, LEAST_SIDE) for name, image in pictures.items()},
        f"{pair_words(row)}: of all test pairs the one with the middle rank correlation, {chosen.rank_correlation:.2f}. Both "
        f"maps on one scale, black 0 to yellow {ERROR_LIMIT:g} in display values; the spread times two, after "
        f"calibration.",
        "a restored photograph, how far it depends on the kernel, and how wrong it is",
    )


def coverage_table(numbers: CalibrationResult) -> Table:
    """Return coverage and rank correlation by kernel error on test pairs, and of both roles."""
    groups = [("all validation pairs", numbers.validation)]
    errors = dict.fromkeys(row.error for row in numbers.test)
    groups += [(error_words(error), [row for row in numbers.test if row.error == error]) for error in errors]
    groups.append(("all test pairs", numbers.test))
    rows: list[dict[str, Value]] = []
    for words, members in groups:
        row: dict[str, Value] = {"error": words, "pairs": len(members)}
        row["rank"] = spread_over([one.rank_correlation for one in members])
        row["before"] = spread_over([100 * one.coverage_before for one in members])
        row["after"] = spread_over([100 * one.coverage for one in members])
        row["least"] = 100 * min(one.coverage for one in members)
        row["spread"] = float(np.mean([one.rms_spread for one in members]))
        row["wrong"] = float(np.mean([one.rms_error for one in members]))
        rows.append(row)
    columns = [
        Column("error", "given kernel"), Column("pairs", "pairs"), Column("rank", "rank correlation with the error", "", None, 2),
        Column("before", "within \u00b1 2 spreads before", "%", None, 1), Column("after", "after", "%", None, 1),
        Column("least", "least of a pair", "%", None, 1), Column("spread", "rms spread, after", "", None, 3),
        Column("wrong", "rms error", "", None, 3),
    ]  # fmt: skip
    return Table(
        "Coverage and rank correlation of the maps",
        columns,
        rows,
        f"A floor of {numbers.floor:g}, for what the kernel does not explain, and a factor of {numbers.factor:.2f} were "
        f"fitted on validation pairs so that {percent(numbers.level, 0)} of all pixels there lie within \u00b1 2 spreads. Rank "
        "correlation: Spearman's, of spread and absolute error on blocks of 7 x 7 pixels. Display values.",
        "They make the average right, not each pair: where the restoration is biased, the spread does not know.",
    )


def decile_curve(numbers: CalibrationResult) -> Curve:
    """Return rms error over rms spread in tenths of the pixels."""
    rows = [
        {"spread": spread, "error": error, "pairs": f"{role} pairs"}
        for role, deciles in (("validation", numbers.validation_deciles), ("test", numbers.test_deciles))
        for spread, error in deciles
    ]
    ends = [numbers.test_deciles[place] for place in (0, -1)]
    top = max(spread for spread, _ in (*numbers.validation_deciles, *numbers.test_deciles))
    rows += [{"spread": place, "error": place, "pairs": "error = spread"} for place in (0.0, top)]
    return Curve(
        "Error over spread, in tenths of the pixels",
        rows,
        "spread",
        "error",
        "pairs",
        "rms spread after calibration (display values)",
        "rms error (display values)",
        "Pixels are sorted by their spread and parted into ten equal groups. A map that knew everything would "
        "lie on the line of equality.",
        f"Error rises from {ends[0][1]:.3f} where the spread is {ends[0][0]:.3f} to {ends[1][1]:.3f} where it is "
        f"{ends[1][0]:.3f}.",
    )
