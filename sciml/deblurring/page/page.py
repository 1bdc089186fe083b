"""The page of the study of deblurring with a rough kernel, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sciml.deblurring.config import BIASES, PageConfig
from sciml.deblurring.page import methods  # noqa: F401 (registers the methods text)
from sciml.deblurring.page.choice import choice_reportlets
from sciml.deblurring.page.claims import claims
from sciml.deblurring.page.default import default_reportlets
from sciml.deblurring.page.dip import dip_reportlets
from sciml.deblurring.page.photo import photo_reportlets
from sciml.deblurring.page.pictures import picture_reportlets
from sciml.deblurring.page.residual import residual_reportlets
from sciml.deblurring.page.results import GIVEN, REFINED, StudyResults, read_study
from sciml.deblurring.page.spread import spread_reportlets
from sciml.deblurring.page.sweeps import sweep_reportlets, sweep_table
from sciml.deblurring.page.tables import SMALL_SETS, main_tables, small_table
from sciml.deblurring.settings.grid import DEFAULT
from sciml.report.reportlets import Limits, Methods, Provenance, Reportlet, Text, Verdict

READING = f"""A cell is an image prior and an error model, `prior/error`. The error model decides about the kernel: `none`
takes it as given, `warp` turns, scales and smooths it by three numbers, `kernel` refines it pixel by pixel, `both` does one after
the other. `true` was told the true kernel: an oracle, the measure of what a wrong kernel costs.

`{DEFAULT}` is shipped. `{GIVEN}` and `{REFINED}` are what it has to beat. No solver sees a truth; everything was chosen on
validation pairs of other photographs with other kernels.

PSNR is of display values with a data range of 1, over the whole picture. Gains are differences on the same pair. Brackets hold
the 95 % bootstrap interval of a mean; it takes pairs for independent, and those of one photograph are alike. A disk that is
turned is the same disk: such pairs count as exact in what is said of turned kernels. \u03c3 is
the standard deviation of the noise."""


def reportlets(config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier and sets of the run.
        results: results folder of the study.

    Raises:
        DataError: the test pairs have not been evaluated.
    """
    study = read_study(results, config)
    items: list[Reportlet] = [Verdict(list(claims(study))), Text("How to read this page", READING)]
    items += parts(study)
    records = list(study.records())
    items.append(Methods([{"stage": record["stage"], "parameters": dict(record["config"])} for record in records]))
    items.append(Provenance(records))
    items.append(Limits(list(limits(study, config))))
    return items


def parts(study: StudyResults) -> Iterator[Reportlet]:
    """Yield what the stages have made, in the order of the questions."""
    yield from default_reportlets(study.test)
    yield from main_tables(study.test)
    yield from picture_reportlets(study.test)
    yield from sweep_reportlets(study)
    table = sweep_table(study)
    if table is not None:
        yield table
    for name, title in SMALL_SETS.items():
        if name in study.sets:
            yield small_table(study.sets[name], title)
    yield from residual_reportlets(study.test)
    yield from choice_reportlets(study)
    if study.calibration is not None:
        yield from spread_reportlets(study.test, study.calibration)
    if study.dip is not None:
        yield from dip_reportlets(study.dip)
    if study.photo is not None:
        yield from photo_reportlets(study.photo)


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
        *(name for name, part in parts.items() if part is None),
    ]


def limits(study: StudyResults, config: PageConfig) -> Iterator[str]:
    """Yield what the page does not show, as sentences."""
    if absent := missing(study, config):
        yield f"Not run, and therefore not shown: {', '.join(absent)}."
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
    if config.data_tier in ("ci", "pip"):
        yield "This run used the smallest data: few pictures; its numbers only show that everything works."
