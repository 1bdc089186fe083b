"""The page of the classical reconstruction study, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.classical.page.claims import claims
from sciml.classical.page.tasks import metric_tables, task_pictures, tuning_curves
from sciml.datasets.card import card
from sciml.imaging.tasks.paragraphs import PARAGRAPHS
from sciml.imaging.tasks.results import TaskResults, read_results, volumes
from sciml.report.methods import register
from sciml.report.parts import data_gallery, range_check, stage_parameters, used_data
from sciml.report.reportlets import Check, Checks, Limits, Methods, Provenance, Reportlet, Text, Verdict
from sciml.runtime.files import read_json


def reportlets(folder: Path, tasks: Sequence[str], data_tier: str) -> list[Reportlet]:
    """Return everything that the page shows.

    Args:
        folder: results folder of the study.
        tasks: names of the tasks of the run.
        data_tier: data tier of the run.
    """
    register(PARAGRAPHS)
    results = read_results(folder, tasks)
    checks = read_json(folder / "check" / "checks.json")
    items: list[Reportlet] = [Verdict(list(claims(results, checks))), Text("How to read this page", READING)]
    for task in results:
        items += task_pictures(task)
        items += metric_tables(task)
        items += tuning_curves(task)
    items.append(
        Checks(
            [*(as_check(check) for check in checks["checks"]), *(range_check(task.task, task.open_ended()) for task in results)]
        )
    )
    records = [record for task in results for record in task.records]
    items.append(data_gallery(card(used_data(records))))
    items.append(Methods([{"stage": record["stage"], "parameters": stage_parameters(record)} for record in records]))
    items.append(Provenance([read_json(folder / "check" / "provenance.json"), *records]))
    items.append(Limits(limits(results, data_tier)))
    return items


READING = """Every method's one parameter is found on validation pictures of other photographs and other persons than the test
pictures, by the rule in the methods text; nothing is chosen on test data. PSNR and SSIM are computed on values in [0, 1].
A spread is the standard deviation over test pictures, not an error of the mean.

CT slices of one person are alike, so their spread says little about other persons."""


def as_check(check: Mapping[str, Any]) -> Check:
    """Return a check of `checks.json` as a reportlet's."""
    return Check(check["name"], check["value"], check["tolerance"], check["passed"], "", check["explanation"])


def limits(results: Sequence[TaskResults], data_tier: str) -> list[str]:
    """Return the study's limits as sentences."""
    tested = {task.task: task.variants[0]["test"]["cases"] for task in results}
    counts = [f"{name} {len(cases)} of {', '.join(volumes(cases))}" for name, cases in tested.items()]
    items = [
        f"Tested pictures and slices: {'; '.join(counts)}. The spreads do not cover other scanners or bodies.",
        "Measurements are simulated from real images with the physics that reconstructs them; only the noise is unknown to the "
        "methods. Real scanners differ.",
        "CT is parallel-beam in two dimensions with Gaussian noise; no beam hardening, scatter or photon statistics.",
        "MR is single-coil and retrospectively undersampled from magnitude images with a simulated phase.",
        "Total variation stops after 100 iterations: with few views or angles the image is not fully converged.",
    ]
    if data_tier in ("ci", "pip"):
        items.append("This run used the smallest data: few pictures, small sizes; its numbers only show that everything works.")
    return items
