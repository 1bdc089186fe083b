"""The page of the study of deblurring with a rough kernel, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sciml.datasets.cards import data_text
from sciml.deblurring.config import BIASES, PageConfig
from sciml.deblurring.page.choice import choice_reportlets
from sciml.deblurring.page.claims import PRIOR, claims
from sciml.deblurring.page.default import default_reportlets
from sciml.deblurring.page.dip import dip_reportlets
from sciml.deblurring.page.drawing import SERIES
from sciml.deblurring.page.methods import PARAGRAPHS
from sciml.deblurring.page.numbers import Difference, gap_closed, is_oracle, values
from sciml.deblurring.page.photo import photo_reportlets
from sciml.deblurring.page.pictures import picture_reportlets
from sciml.deblurring.page.residual import residual_reportlets
from sciml.deblurring.page.results import GIVEN, REFINED, SetResults, StudyResults, read_study
from sciml.deblurring.page.spread import spread_reportlets
from sciml.deblurring.page.sweeps import published_text, sweep_reportlets, sweep_table
from sciml.deblurring.page.tables import SMALL_SETS, main_tables, small_table
from sciml.deblurring.settings.grid import DEFAULT, TRUE
from sciml.report.reportlets import Reportlet, Slider
from sciml.report.study import Number, StudyPage, Tab, absent, tier_of
from sciml.report.words import counted, percent
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import read_record

QUESTION = (
    "A kernel of blur is never known exactly. How much of what its error costs can be won back from the blurred picture alone, "
    "by correcting the kernel, and by which image prior?"
)
ORACLE = f"{PRIOR}/{TRUE}"
READING = f"""A cell is an image prior and an error model, `prior/error`. The error model decides about the kernel: `none`
takes it as given, `warp` turns, scales and smooths it by three numbers, `kernel` refines it pixel by pixel, `both` does one after
the other. `true` was given the true kernel: an oracle, the measure of what a wrong kernel costs.

`{DEFAULT}` is shipped. `{GIVEN}` and `{REFINED}` are what it has to beat. No solver sees a truth; everything was chosen on
validation pairs of other photographs with other kernels.

PSNR is of display values with a data range of 1, over the whole picture. Gains are differences on the same pair. Brackets hold
the 95 % bootstrap interval of a mean; it takes pairs for independent, and those of one photograph are alike. A disk that is
turned is the same disk: such pairs count as exact in what is said of turned kernels. \u03c3 is
the standard deviation of the noise."""


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier and sets of the run.
        results: results folder of the study.

    Raises:
        DataError: the test pairs have not been evaluated.
    """
    study = read_study(results, config)
    found = tabs(study)
    # the pair with the median gain opens the page
    median = next((one for one in found["Pictures"] if isinstance(one, Slider) and "median" in one.title), None)
    return StudyPage(
        "deblurring",
        "Deblurring with a rough kernel",
        QUESTION,
        config.tier,
        answer(study.test),
        picture=median,
        numbers=list(numbers(study.test)),
        claims=list(claims(study)),
        tabs=[Tab(title, left) for title, items in found.items() if (left := [one for one in items if one is not median])],
        reading=READING,
        records=list(study.records()),
        paragraphs=PARAGRAPHS,
        closing=[data_text(study.records()), published_text(study)],
        limits=list(limits(study)),
        missing=missing(study, config),
        data_tier=config.data_tier,
        series=SERIES,
    )


def tabs(study: StudyResults) -> dict[str, list[Reportlet]]:
    """Return the reportlets by topic, in the order of the questions."""
    return {
        "Gain by kernel error": [*default_reportlets(study.test), *main_tables(study.test)],
        "Pictures": list(picture_reportlets(study.test)),
        "Robustness": list(sweeps(study)),
        "Residual": list(residual_reportlets(study.test)),
        "Choice of the default": list(choice_reportlets(study)),
        "Spreads": list(spread_reportlets(study.test, study.calibration)) if study.calibration is not None else [],
        "Untrained networks": list(dip_reportlets(study.dip)) if study.dip is not None else [],
        "A real photograph": list(photo_reportlets(study.photo)) if study.photo is not None else [],
    }


def sweeps(study: StudyResults) -> Iterator[Reportlet]:
    """Yield what a wrong kernel of growing size costs, and the smaller sets."""
    yield from sweep_reportlets(study)
    if (table := sweep_table(study)) is not None:
        yield table
    for name, title in SMALL_SETS.items():
        if name in study.sets:
            yield small_table(study.sets[name], title)


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no set has been simulated there.
    """
    paths = sorted(results.glob("*/simulate/provenance.json"))
    if not paths:
        raise DataError(f"{results} holds no set of pairs: give the results folder of the study, such as results/cpu/deblurring")
    data_tier = read_record(paths[0].parent).config.get("data_tier", "default")
    return PageConfig(tier=tier_of(results), data_tier=data_tier, sets=tuple(path.parent.parent.name for path in paths))


def rival_of(test: SetResults) -> str | None:
    """Return the strongest cell beside the default that was not given the true kernel, by the mean over all pairs."""
    others = [cell for cell in test.cells if cell != DEFAULT and not is_oracle(cell)]
    return max(others, key=lambda cell: float(values(test.rows, cell).mean()), default=None)


def answer(test: SetResults) -> str:
    """Return what the default gains over the given kernel and over its strongest rival, and how much of the gap it closes."""
    found = Difference.of(test.rows, DEFAULT, GIVEN)
    if found is None:
        return f"{DEFAULT} was not compared with the given kernel in this run."
    gap = gap_closed(test.rows, DEFAULT, GIVEN, ORACLE)
    closed = "" if gap is None else f", {percent(gap, 0)} of what the true kernel would gain"
    head = (
        f"Correcting the kernel by its turn, scale and smoothing ({DEFAULT}) gains {found.words()} dB over the given kernel on "
        f"{counted(len(test.rows), 'pair')}{closed}."
    )
    rival = rival_of(test)
    if rival is None or (other := Difference.of(test.rows, DEFAULT, rival)) is None:
        return head
    below = f"it is below that one in {counted(other.losses, 'pair')}"
    return f"{head} Against its strongest rival, {rival}: {other.words()} dB; {below}."


def numbers(test: SetResults) -> Iterator[Number]:
    """Yield quality, gains, the share of the gap that is closed, the worst pair and the time."""
    found = Difference.of(test.rows, DEFAULT, GIVEN)
    rival = rival_of(test)
    if found is None or rival is None:
        return
    mean, theirs = (float(values(test.rows, cell).mean()) for cell in (DEFAULT, rival))
    yield Number(f"PSNR of {DEFAULT}, all pairs", mean, "dB", None, rival, theirs)
    given = float(values(test.rows, GIVEN).mean())
    yield Number("Gain over the given kernel", found.mean, "dB", found.interval, GIVEN, given)
    if (other := Difference.of(test.rows, DEFAULT, rival)) is not None and rival != GIVEN:
        yield Number(f"Gain over {rival}", other.mean, "dB", other.interval)
    if (gap := gap_closed(test.rows, DEFAULT, GIVEN, ORACLE)) is not None:
        oracle = float(values(test.rows, ORACLE).mean())
        yield Number("Share of the gap to the true kernel that is closed", 100 * gap, "%", None, f"{ORACLE}: {oracle:.2f} dB")
    yield Number("Worst pair against the given kernel", found.worst, "dB")
    if DEFAULT in test.seconds and rival in test.seconds:
        yield Number("Time of a restoration", test.seconds[DEFAULT], "s", None, rival, test.seconds[rival])


def missing(study: StudyResults, config: PageConfig) -> list[str]:
    """Return what the run lacks."""
    parts: dict[str, Any] = {
        "tuned weights": study.weights or None,
        "maps of spreads": study.calibration,
        "untrained networks, the published method": study.dip,
        "a real photograph with unknown blur": study.photo,
    }
    return [
        *(f"the pairs {n}" for n in config.sets if n not in study.sets),
        *absent(parts),
    ]


def limits(study: StudyResults) -> Iterator[str]:
    """Yield what the page does not show, as sentences."""
    test = study.test
    yield (
        f"The numbers are of {len(test.photographs)} photographs ({', '.join(test.photographs)}), {len(test.kernels)} kernels "
        "and one draw of the noise a scene. Intervals do not cover other photographs: soft ones gain less, since a kernel's "
        "correction needs edges."
    )
    yield (
        "The published tables are not reproduced: they rest on the photographs of Levin et al. and Lai et al. with estimated "
        "kernels, which are not at hand, and on a PSNR of another definition. Only the published figure of robustness is shown, "
        "read by eye."
    )
    yield (
        "Turn, scale and smoothing are the errors that the warp can undo, so the test favours it. Truncation, noise, missing and "
        "stray pixels are outside its family."
    )
    yield "Blur is one convolution for the whole picture, in linear light, with Gaussian noise; the solvers know the noise level."
    yield "Pictures are small crops in grey: larger ones have more edges to judge a kernel by, and take longer."
    yield "Clipped highlights, compression, colour and blur that changes over the picture take no part in these numbers."
    if any(f"{word}-circular" in study.sets for word in BIASES):
        yield (
            "The curves with circular blur and no noise are an inverse crime, there to be held against the literature alone. The "
            "solvers do not make use of the circular boundary."
        )
