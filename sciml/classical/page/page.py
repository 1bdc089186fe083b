"""The page of the classical reconstruction study, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.classical.config import ReportConfig
from sciml.classical.page.claims import claims
from sciml.classical.page.tasks import metric_tables, shown_variant, task_pictures, tuning_curves
from sciml.datasets.cards import card, data_text
from sciml.imaging.tasks.catalogue import METHODS, TASKS, methods_for
from sciml.imaging.tasks.paragraphs import PARAGRAPHS
from sciml.imaging.tasks.records import Checks as CheckNumbers
from sciml.imaging.tasks.records import OperatorCheck
from sciml.imaging.tasks.results import TaskResults, read_results, volumes
from sciml.report.reportlets import Check, Checks
from sciml.report.study import Comparison, StudyPage, Tab, range_check
from sciml.report.words import counted, used_data
from sciml.runtime.provenance import read_record
from sciml.runtime.results import read_result

QUESTION = (
    "How well do classical methods restore real photographs, CT and MR slices, with every parameter found on other data than "
    "is reported? They are what every learned method of this workbench is compared with."
)
READING = """Every method's one parameter is found on validation pictures of other photographs and other subjects than the test
pictures, by the rule in the methods text; nothing is chosen on test data. PSNR and SSIM are computed on values in [0, 1].
A spread is the standard deviation over test pictures, not an error of the mean.

CT slices of one subject are alike, so their spread says little about other subjects."""


def study_page(config: ReportConfig, results: Path) -> StudyPage:
    """Return the page of the study.

    Args:
        config: tier and tasks of the run.
        results: results folder of the study.
    """
    tasks = read_results(results, config.tasks)
    checks = read_result(results / "check" / "checks.json", CheckNumbers)
    records = [record for task in tasks for record in task.records]
    checked = read_record(results / "check")
    ranked = [found for task in tasks if (found := best_of(task))]
    tabs = [Tab(TASKS[task.task].title, [*task_pictures(task), *metric_tables(task), *tuning_curves(task)]) for task in tasks]
    certificates = [*(as_check(check) for check in checks.checks), *(range_check(one.task, one.open_ended()) for one in tasks)]
    return StudyPage(
        "imaging",
        "Classical reconstruction",
        QUESTION,
        config.tier,
        answer(ranked),
        picture=tabs[0].items[0],
        numbers=[best.number() for best in ranked[:6]],
        claims=list(claims(tasks, checks)),
        tabs=[Tab(tabs[0].title, tabs[0].items[1:]), *tabs[1:]],
        checks=[Checks(certificates)],
        reading=READING,
        records=[checked, *records],
        paragraphs={**PARAGRAPHS, "imaging.check": check_text},
        closing=[data_text([checked, *records])],
        limits=list(limits(tasks)),
        data=card(used_data(records)),
        data_tier=config.data_tier,
    )


def best_of(task: TaskResults) -> Comparison | None:
    """Return the best method of a task beside the next best, at the variant that is shown; None where all are exact."""
    label = task.variants[shown_variant(task)].label
    rows = {METHODS[name].title: row for name in methods_for(task.task) if (row := task.row(label, name))}
    found = {name: [value for value in row.psnr.values if value is not None] for name, row in rows.items()}
    values = {name: psnrs for name, psnrs in found.items() if len(psnrs) == rows[name].psnr.n}
    return Comparison.of(f"{TASKS[task.task].title}, {label}", values)


def answer(ranked: Sequence[Comparison]) -> str:
    """Return which method is best, in how many tasks, and where its lead is largest and smallest."""
    if not ranked:
        return "No method was compared in this run."
    winners = [best.ours for best in ranked]
    winner = max(dict.fromkeys(winners), key=winners.count)
    first, *others = sorted((best for best in ranked if best.ours == winner), key=lambda best: -best.lead)
    head = f"{winner[0].upper()}{winner[1:]} is the best method in {winners.count(winner)} of {counted(len(ranked), 'task')}"
    tail = f", and smallest in {others[-1].text}: {others[-1].words()}" if others else ""
    pictures = counted(first.value.n, "test picture")
    return f"{head}. Its lead over the next best is largest in {first.text}: {first.words()} on {pictures}{tail}."


def as_check(check: OperatorCheck) -> Check:
    """Return a check of `checks.json` as a reportlet's."""
    return Check(check.name, check.value, check.tolerance, check.passed, "", check.explanation)


def check_text(_parameters: Mapping[str, Any]) -> str:
    """Return the methods paragraph of the stage `check`."""
    return (
        "Every operator was checked by its adjoint, its norm and what it does to known pictures, filtered back-projection also "
        "beside that of scikit-image [@vanderwalt2014]."
    )


def limits(results: Sequence[TaskResults]) -> Iterator[str]:
    """Yield the study's limits as sentences."""
    tested = {task.task: task.variants[0].test.cases for task in results}
    counts = [f"{name} {len(cases)} of {', '.join(volumes(cases))}" for name, cases in tested.items()]
    yield f"Tested pictures and slices: {'; '.join(counts)}. The spreads do not cover other scanners or bodies."
    yield (
        "Measurements are simulated from real images with the physics that reconstructs them; only the noise is unknown to the "
        "methods. Real scanners differ."
    )
    yield "CT is parallel-beam in two dimensions with Gaussian noise; no beam hardening, scatter or photon statistics."
    yield "MR is single-coil and retrospectively undersampled from magnitude images with a simulated phase."
    yield "Total variation stops after 100 iterations: with few views or angles the image is not fully converged."
