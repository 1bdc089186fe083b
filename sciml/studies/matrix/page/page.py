"""The page of the matrix, from its artefacts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sciml.datasets.cards import card, data_text
from sciml.report.pictures import error_map
from sciml.report.reportlets import Check, Checks, Column, Reportlet, Slider, Table, Text
from sciml.report.study import Number, StudyPage, Tab
from sciml.report.words import counted, sequence, used_data
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import read_record
from sciml.runtime.results import read_result
from sciml.studies.matrix.config import ReportConfig
from sciml.studies.matrix.page.fields import matrix as shown_matrix
from sciml.studies.matrix.page.fields import titles_of, verdicts
from sciml.studies.matrix.page.methods import PARAGRAPHS
from sciml.studies.matrix.page.pareto import pareto
from sciml.studies.matrix.settings.rows import ROWS
from sciml.studies.matrix.study.closures import equal_error
from sciml.studies.matrix.study.contest import LEVEL
from sciml.studies.matrix.study.results import Matrix, Section, Trials

QUESTION = (
    "Which method of the workbench should be taken for a task, what does it cost, and is its lead more than chance? "
    "Every task by every method that solves it, on the same cases with the same noise."
)
READING = """A row is a task, a column a method. A field says the mean over cases, its 95 % interval over subjects, and on
what share of the cases the method does worse than the row's leader.

**Winners.** The leader is compared with every other method of its row, subject by subject: crops of one photograph and
slices of one person count once. Only where each of these tests rejects, after Holm's correction over the row, is the leader
marked as the winner. A row of few subjects cannot give a p-value that small, whatever the methods do; then nothing is
marked and the row says so.

**Cases** are chosen by a rule that looks at no picture and at no result; parameters are tuned on other photographs and
other persons. Rows with a roughly known operator measure with one operator and tell the methods another.

**Times** are those of one process with one thread; memory is by how much the process grew at most while a method ran,
without what it keeps between calls, such as the weights of a network.

Columns lead to the page of their family; filters hide what does not fit."""
# half the sides of the shown part of a picture, in pixels
SHOWN = 64
ERROR_LIMIT = 0.1


def study_page(config: ReportConfig, results: Path) -> StudyPage:
    """Return the page of the study.

    Args:
        config: tier and data of the run.
        results: results folder of the study.
    """
    found = read_result(results / "compare" / "matrix.json", Matrix)
    section = found.sections[0]
    folders = [results / name for name in found.jobs]
    records = [read_record(folder) for folder in (*folders, results / "compare")]
    jobs = [read_result(folder / "trials.json", Trials) for folder in folders]
    return StudyPage(
        "matrix",
        "The benchmark matrix",
        QUESTION,
        config.tier,
        answer(section),
        picture=pareto(section, section.rows[:4], "Quality against time, the first rows"),
        numbers=list(numbers(section)),
        tabs=[
            Tab("Imaging", [shown_matrix(section, section.model_dump_json()), verdicts(section)]),
            Tab("Cost", [cost_table(section), pareto(section)]),
            Tab("Pictures", list(sliders(section, folders))),
            *(Tab(one.title.partition(":")[0], list(others(one))) for one in found.sections[1:]),
            Tab("Parameters", list(parameters(found, section))),
        ],
        checks=[Checks(list(checks(found, jobs)))],
        reading=READING,
        records=records,
        paragraphs=PARAGRAPHS,
        closing=[data_text(records)],
        limits=list(limits(section)),
        missing=found.missing,
        data=card(used_data(records)),
        data_tier=config.data_tier,
        topic="all families",
    )


def answer(section: Section) -> str:
    """Return how often a winner is marked, and which method leads where, in one or two sentences."""
    titles = titles_of(section.columns)
    won = [row for row in section.rows if any(cell.winner for cell in row.cells)]
    leads = Counter(titles[row.leader] for row in section.rows if row.leader)
    ranked = [f"{name} ({count})" for name, count in leads.most_common()]
    head = f"The best mean of {counted(len(section.rows), 'row')} has: {sequence(ranked, '; ')}."
    if won:
        marked = sequence([f"{row.title} ({titles[row.leader or '']})" for row in won], "; ")
        return f"{head} The lead is significant against every other method in {len(won)}: {marked}."
    most = max(row.subjects for row in section.rows)
    return f"{head} No row has a significant winner; the largest has {counted(most, 'subject')}."


def numbers(section: Section) -> Iterator[Number]:
    """Yield the leaders of the first six rows beside the next best."""
    titles = titles_of(section.columns)
    for row in section.rows[:6]:
        ranked = sorted((cell for cell in row.cells if cell.mean is not None), key=lambda cell: -(cell.mean or 0))
        if not ranked:
            continue
        best, rival = ranked[0], ranked[1] if len(ranked) > 1 else None
        interval = None if best.low is None or best.high is None else (best.low, best.high)
        yield Number(
            f"{row.title}: {titles[best.method]}",
            best.mean,
            section.unit,
            interval,
            titles[rival.method] if rival else "",
            rival.mean if rival else None,
        )


def cost_table(section: Section) -> Table:
    """Return quality, times, memory and certificates of every method in every row."""
    titles = titles_of(section.columns)
    columns = [
        Column("row", "Row"),
        Column("method", "Method"),
        Column("mean", section.metric, section.unit, "up", 2),
        Column("ssim", "SSIM", "", "up", 3),
        Column("wall", "Wall time", "s", "down", 3),
        Column("cpu", "CPU time", "s", "down", 3),
        Column("memory", "Memory growth", "MiB", "down", 1),
        Column("certified", "Certified", "% of trials"),
    ]
    rows = [
        {
            "row": row.title,
            "method": titles[cell.method],
            "mean": cell.mean,
            "ssim": cell.ssim,
            "wall": cell.wall_s,
            "cpu": cell.cpu_s,
            "memory": "not measured on this system" if cell.memory_mib is None else cell.memory_mib,
            "certified": None if cell.certified is None else round(100 * cell.certified),
        }
        for row in section.rows
        for cell in row.cells
        if cell.mean is not None
    ]
    note = "Median over the trials of a row; one process, one thread. The growth is of the resident memory at its peak."
    return Table("What every method costs", columns, rows, note=note, group="row")


def sliders(section: Section, folders: Sequence[Path]) -> Iterator[Slider]:
    """Yield the first case of every row, by every method, with its error."""
    titles = titles_of(section.columns)
    pictures = {}
    for folder in folders:
        pictures |= load_tensors(folder / "pictures.safetensors")[0]
    for row in section.rows:
        truth = _middle(pictures[f"{row.name}/"])
        found = {
            titles[cell.method]: _middle(pictures[f"{row.name}/{cell.method}"]) for cell in row.cells if cell.mean is not None
        }
        yield Slider(
            row.title,
            {**found, "truth": truth},
            "The middle of the first case, at its first noise seed.",
            f"the middle of the first case of {row.title}",
            error_maps={name: error_map(picture, truth, ERROR_LIMIT) for name, picture in found.items()},
            error_limit=ERROR_LIMIT,
        )


def _middle(picture: np.ndarray) -> np.ndarray:
    top, left = (max(side // 2 - SHOWN, 0) for side in picture.shape)
    return picture[top : top + 2 * SHOWN, left : left + 2 * SHOWN]


def others(section: Section) -> Iterator[Reportlet]:
    """Yield the matrix of codecs or closures, what it means at equal error, and its picture."""
    yield shown_matrix(section, section.model_dump_json())
    yield verdicts(section)
    if section.name == "closures" and (sentences := equal_error(section)):
        yield Text("At equal error", "\n".join(f"- {one}" for one in sentences))
    yield pareto(section)


def parameters(found: Matrix, section: Section) -> Iterator[Reportlet]:
    """Yield the tuned parameters, and why results are certified or not."""
    titles = titles_of(section.columns)
    rows = [
        {"row": ROWS[one.row].title, "method": titles[one.method], "parameter": one.parameter, "value": one.value}
        for one in found.tuned
        if one.method in titles
    ]
    if rows:
        columns = [Column("row", "Row"), Column("method", "Method"), Column("parameter", "Parameter"), Column("value", "Value")]
        yield Table("Parameters found on validation data", columns, rows)
    reasons = [{"method": titles[name], "reason": reason} for name, reason in found.reasons.items() if name in titles]
    yield Table(
        "Certificates", [Column("method", "Method"), Column("reason", "Why its last result is certified, or not")], reasons
    )


def checks(found: Matrix, jobs: Sequence[Trials]) -> Iterator[Check]:
    """Yield that no case was tuned on, and that a winner is marked only where every test of its row rejects."""
    tuned = {name.partition("[")[0] for job in jobs for names in job.validation.values() for name in names}
    subjects = {one.case.partition("[")[0] for job in jobs for one in job.trials} | {
        one.subject for job in jobs for one in job.trials
    }
    shared = tuned & subjects
    yield Check(
        "subjects that parameters were tuned on", len(shared), 0, not shared, "", "of all photographs, volumes and persons"
    )
    won = [row for section in found.sections for row in section.rows if any(cell.winner for cell in row.cells)]
    rivals = [cell for row in won for cell in row.cells if cell.mean is not None and not cell.winner]
    loose = sum(cell.p is None or cell.p >= LEVEL for cell in rivals)
    yield Check("rivals of a marked winner that are not rejected", loose, 0, not loose, "", f"winners in {len(won)} rows")


def limits(section: Section) -> Iterator[str]:
    """Yield the limits as sentences."""
    yield (
        "Measurements are simulated from real pictures with the operator that the row names; real cameras and scanners differ."
    )
    few = [row for row in section.rows if row.subjects < 2]
    if few:
        yield f"One subject in {sequence([row.title for row in few], '; ')}: a lead there says nothing about other subjects."
    yield "Learned networks are those shipped; the explicit form's CT network is far from these noise levels and left out."
    left = [
        f"{titles_of(section.columns)[cell.method]} in {row.title}" for row in section.rows for cell in row.cells if cell.absent
    ]
    if left:
        yield f"Not run: {'; '.join(left)}."
