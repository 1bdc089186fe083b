"""Pictures of pairs that a rule has chosen: any two restorations, their errors, their kernels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.deblurring.config import LEARNED
from sciml.deblurring.kernels.canonical import embedded
from sciml.deblurring.page.numbers import Difference, error_words, is_oracle, pair_words
from sciml.deblurring.page.results import DEFAULT_MODEL, GIVEN, REFINED, Pair, Row, SetResults
from sciml.deblurring.settings.grid import DEFAULT, TRUE, parted
from sciml.deblurring.study.scores import display
from sciml.report.graphics.drawing import enlarged
from sciml.report.pictures import error_map
from sciml.report.reportlets import Gallery, Reportlet, Scrubber, Slider
from sciml.report.words import signed

ERROR_LIMIT = 0.2
SHOWN = (GIVEN, REFINED, DEFAULT, f"{LEARNED}/{DEFAULT_MODEL}")
ORACLE = f"{parted(DEFAULT)[0]}/{TRUE}"
LEAST_SIDE = 256


def telling_rows(test: SetResults) -> dict[str, Row]:
    """Return the pairs that are shown, chosen by the gain of the default over the given kernel alone."""
    found = Difference.of(test.rows, DEFAULT, GIVEN)
    if found is None:
        return {}
    order = np.argsort(found.gains, kind="stable")
    places = {"largest gain": order[-1], "median gain": order[len(order) // 2], "least gain": order[0]}
    return {words: test.rows[int(place)] for words, place in places.items()}


def typical_rows(test: SetResults) -> dict[str, Row]:
    """Return by kernel error the pair whose gain is the middle one."""
    chosen = {}
    for error in test.errors:
        found = Difference.of([row for row in test.rows if row.error == error], DEFAULT, GIVEN)
        if found is not None:
            order = np.argsort(found.gains, kind="stable")
            chosen[error] = found.rows[int(order[len(order) // 2])]
    return chosen


def picture_reportlets(test: SetResults) -> Iterator[Reportlet]:
    """Yield sliders of the telling pairs, their kernels, and one typical pair for each kernel error."""
    for words, row in telling_rows(test).items():
        pair = test.pair(row)
        yield slider(words, pair)
        yield kernel_gallery(words, pair)
    yield scrubber(test)


def shown(pair: Pair, *more: str) -> dict[str, np.ndarray]:
    """Return the pictures of a pair in display values, those of further cells and the truth last."""
    pictures = {"blurred": display(pair.problem.picture)}
    pictures |= {label(cell): display(pair.pictures[cell]) for cell in (*SHOWN, *more) if cell in pair.pictures}
    return {**pictures, "truth": display(pair.truth.picture)}


def label(cell: str) -> str:
    """Return a cell's name below a picture."""
    return f"{cell} (oracle)" if is_oracle(cell) else cell


def slider(words: str, pair: Pair) -> Slider:
    """Return any two pictures of a pair with error maps on the scale of the whole page."""
    pictures, row = shown(pair), pair.row
    truth = pictures["truth"]
    notes = {label(cell): f"{row.cells[cell].psnr:.2f} dB" for cell in SHOWN if cell in row.cells}
    maps = {name: error_map(picture, truth, ERROR_LIMIT) for name, picture in pictures.items() if name != "truth"}
    gain = row.cells[DEFAULT].psnr - row.cells[GIVEN].psnr
    return Slider(
        f"The pair with the {words}: {signed(gain)} dB",
        {name: enlarged(picture, LEAST_SIDE) for name, picture in pictures.items()},
        f"{pair_words(row)}; of all test pairs the one with the {words} of {DEFAULT} over {GIVEN}. "
        f"{' '.join(row.step.of(DEFAULT_MODEL).sentences)} Every pixel is repeated, nothing is smoothed. All error maps of "
        "the page have one scale.",
        pair_words(row),
        {name: enlarged(picture, LEAST_SIDE) for name, picture in maps.items()},
        ERROR_LIMIT,
        notes={"blurred": f"{row.blurred.psnr:.2f} dB", **notes},
    )


def kernel_gallery(words: str, pair: Pair) -> Gallery:
    """Return the true, the given and the corrected kernel of a pair, enlarged on one scale of grey."""
    kernels = {"true": pair.truth.kernel, "given": pair.problem.given, "corrected": pair.kernels[DEFAULT_MODEL]}
    size = max(len(kernel) for kernel in kernels.values())
    brightest = max(float(kernel.max()) for kernel in kernels.values())
    scores = {"given": pair.row.kernels["none"], "corrected": pair.row.kernels[DEFAULT_MODEL]}
    return Gallery(
        f"Kernels of the pair with the {words}",
        {name: enlarged(embedded(kernel, size) / brightest) for name, kernel in kernels.items()},
        "Brightness is in proportion to the kernel's values. NCC: correlation with the true kernel, 1 is equal. rms: of "
        "(k \u2212 k\u0302) * x in units of the noise, which tells the damage better.",
        f"a kernel of {pair_words(pair.row)}",
        {name: f"NCC {found.ncc:.2f}, rms {found.blur_rms:.2f} \u03c3" for name, found in scores.items()},
    )


def scrubber(test: SetResults) -> Scrubber:
    """Return one typical pair for each kernel error, all methods side by side."""
    chosen = {error: test.pair(row) for error, row in typical_rows(test).items()}
    series: dict[str, list[np.ndarray]] = {}
    names = []
    for error, pair in chosen.items():
        gain = pair.row.cells[DEFAULT].psnr - pair.row.cells[GIVEN].psnr
        names.append(
            f"{error_words(error)} ({pair_words(pair.row).rpartition(error_words(error))[0].strip(', ')}): {signed(gain)} dB"
        )
        for name, picture in shown(pair, ORACLE).items():
            series.setdefault(name, []).append(picture)
    return Scrubber(
        "One pair for each kernel error",
        series,
        names,
        f"For each error the pair whose gain of {DEFAULT} over {GIVEN} is the middle one; the gain stands beside the name.",
        "a restored photograph",
    )
