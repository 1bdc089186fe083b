"""Stage `ablate-report`: the page of what each term of a fit of untrained networks is worth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sciml.deblurring.config import PageConfig
from sciml.deblurring.page import methods  # noqa: F401 (registers the methods text)
from sciml.deblurring.page.dip import cell_table, paired, runs_of
from sciml.deblurring.page.numbers import spread_of
from sciml.deblurring.page.results import Extra, read_dip
from sciml.report.page import Page, write_page
from sciml.report.reportlets import Column, Limits, Methods, Provenance, Reportlet, Table, Value
from sciml.runtime.errors import DataError

REFERENCE = "reference"
QUESTION = "What is each term of a fit of untrained networks worth: the error model, the likelihood, the start, the boundary?"
LIMITS = (
    "Few pairs and one seed: differences below about 0.1 dB mean nothing.",
    "The networks alone are compared, before they are mixed with the picture that they start from; all have one budget of steps.",
    "The pairs are those of the test set: nothing was chosen by this page.",
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
    title = "Deblurring with a rough kernel: terms of the untrained networks"
    page = Page("deblurring-ablations", title, QUESTION, config.tier, list(reportlets(found)))
    return [write_page(page, output)]


def reportlets(found: Extra) -> Iterator[Reportlet]:
    """Yield the differences to the reference, the table of all fits, methods, provenance and limits."""
    yield differences(found)
    yield cell_table(
        found,
        "All fits. What is returned is the start with that share of the networks' change that held-out pixels ask for.",
    )
    yield Methods([{"stage": record["stage"], "parameters": record["config"]} for record in found.records[:1]])
    yield Provenance(found.records)
    yield Limits(LIMITS)


def differences(found: Extra) -> Table:
    """Return what each change does to the PSNR of the networks alone, pair by pair against the reference."""
    rows: list[dict[str, Value]] = []
    names = dict.fromkeys(run["cell"] for run in found.numbers["runs"])
    for cell in sorted(names, key=lambda name: name != REFERENCE):
        gains = paired(found, cell, REFERENCE)
        own = float(np.mean([run["psnr_network"] for run in runs_of(found, cell)]))
        rows.append(
            {
                "cell": cell,
                "psnr": own,
                "gain": "reference" if cell == REFERENCE else spread_of(gains),
                "worst": None if cell == REFERENCE else float(gains.min()),
            }
        )
    columns = [
        Column("cell", "changed"), Column("psnr", "networks alone", "dB", "up", 2),
        Column("gain", "against the reference", "dB", None, 2), Column("worst", "worst pair", "dB", None, 2),
    ]  # fmt: skip
    text = "The reference is the residual mode from total variation with the given kernel; one thing is changed at a time."
    return Table("What each term is worth", columns, rows, text)
