"""Stage `ablate-report`: the page of what each term of a fit of untrained networks is worth."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.deblurring.config import PageConfig
from sciml.deblurring.page.dip import cell_table, paired, runs_of
from sciml.deblurring.page.methods import PARAGRAPHS
from sciml.deblurring.page.results import Extra, read_dip
from sciml.deblurring.study.results import DipResult
from sciml.report.page import write_page
from sciml.report.reportlets import Column
from sciml.report.study import Ablation, StudyPage, Tab, ablation_page
from sciml.report.words import spread_over
from sciml.runtime.errors import DataError

REFERENCE = "reference"
QUESTION = "What is each term of a fit of untrained networks worth: the error model, the likelihood, the start, the boundary?"
LIMITS = (
    "Few pairs and one seed: differences below about 0.1 dB mean nothing.",
    "The networks alone are compared, before they are mixed with the picture that they start from; all have one budget of steps.",
    "The pairs are those of the test set: nothing was chosen by this page.",
)
COLUMNS = (
    Column("gain", "PSNR against the reference", "dB", None, 2),
    Column("psnr", "networks alone", "dB", "up", 2),
    Column("worst", "worst pair", "dB", None, 2),
)


def run(config: PageConfig, results: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the run.
        results: folder of the ablations, one folder a photograph.
        output: the page, `.html`.

    Raises:
        DataError: no fit has been made.
    """
    found = read_dip(results)
    if found is None:
        raise DataError(f"{results} holds no fit; run the ablations first: make ablations FAMILY=deblurring")
    reference = float(np.mean([one.psnr_network for one in runs_of(found, REFERENCE)]))
    fits = cell_table(
        found,
        "All fits. What is returned is the start with that share of the networks' change that held-out pixels ask for.",
    )
    page = StudyPage(
        "deblurring-ablations",
        "Deblurring with a rough kernel: terms of the untrained networks",
        QUESTION,
        config.tier,
        f"The reference reaches {reference:.2f} dB.",
        tabs=[Tab("All fits", [fits])],
        records=found.records,
        paragraphs=PARAGRAPHS,
        limits=LIMITS,
    )
    caption = "The reference is the residual mode from total variation with the given kernel; one thing is changed at a time."
    return [write_page(ablation_page(page, ablations(found), COLUMNS, "What each term is worth", caption), output)]


def ablations(found: Extra[DipResult]) -> list[Ablation]:
    """Return what each change does to the PSNR of the networks alone, pair by pair against the reference, which comes first."""
    names = dict.fromkeys(run.cell for run in found.numbers.runs)
    made = []
    for cell in sorted(names, key=lambda name: name != REFERENCE):
        own, gains = float(np.mean([run.psnr_network for run in runs_of(found, cell)])), paired(found, cell, REFERENCE)
        changed = {"gain": "reference"} if cell == REFERENCE else {"gain": spread_over(gains), "worst": float(gains.min())}
        made.append(Ablation(cell, cell, REFERENCE, {"psnr": own, **changed}))
    return made
