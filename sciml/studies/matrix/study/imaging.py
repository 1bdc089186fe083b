"""The matrix of imaging: all trials as rows of tasks and columns of methods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from sciml.imaging.tasks.catalogue import BUILT_IN, METHODS, is_installed
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds
from sciml.studies.matrix.config import CompareConfig, takes_part
from sciml.studies.matrix.settings.rows import FURTHER, NETWORKS, PRIOR, ROWS
from sciml.studies.matrix.study.contest import contest, front
from sciml.studies.matrix.study.results import Cell, ColumnFacts, RowResult, Section, Trial, Trials

NOTE = "PSNR of every method on the same cases, with the same noise, in this run"


def columns(used: Iterable[str] = ()) -> list[ColumnFacts]:
    """Return every method, in the order of the page: classical ones, those of a user's own, learned ones, the priors that ran."""
    own = {name: "imaging" if name in BUILT_IN else "" for name in METHODS}
    found = [ColumnFacts(name=name, title=METHODS[name].title, family=family) for name, family in own.items()]
    found += [ColumnFacts(name=name, title=one.title, family=one.family) for name, one in FURTHER.items()]
    priors = dict.fromkeys(name for name in used if name.startswith(PRIOR))
    return found + [ColumnFacts(name=name, title=f"prior {name.removeprefix(PRIOR)}", family="imaging") for name in priors]


def imaging(config: CompareConfig, jobs: Sequence[Trials]) -> Section:
    """Return the matrix of all trials.

    Args:
        config: rows of the run.
        jobs: what the jobs wrote.

    Raises:
        DataError: the methods of a row were not run on the same cases.
    """
    trials = [trial for job in jobs for trial in job.trials]
    shown = columns(trial.method for trial in trials)
    rows = [_row(config, name, [one for one in trials if one.row == name], shown) for name in config.rows]
    # methods of many tasks come first
    used = Counter(cell.method for row in rows for cell in row.cells if cell.mean is not None)
    kept = sorted((column for column in shown if used[column.name]), key=lambda column: -used[column.name])
    place = {column.name: index for index, column in enumerate(kept)}
    rows = [
        row.model_copy(
            update={"cells": sorted((one for one in row.cells if one.method in place), key=lambda one: place[one.method])}
        )
        for row in rows
    ]
    title = "Imaging: every task by every method"
    return Section(name="imaging", title=title, metric="PSNR", unit="dB", larger=True, note=NOTE, columns=kept, rows=rows)


def _row(config: CompareConfig, name: str, trials: Sequence[Trial], shown: Sequence[ColumnFacts]) -> RowResult:
    by_method: dict[str, list[Trial]] = {}
    for trial in trials:
        by_method.setdefault(trial.method, []).append(trial)
    subjects = {trial.case: trial.subject for trial in trials}
    seeds = {trial.seed for trial in trials}
    for method, found in by_method.items():
        if {(one.case, one.seed) for one in found} != {(case, seed) for case in subjects for seed in seeds}:
            raise DataError(f"{method} was not run on the cases of the other methods of {name}: run its job again")
    values = {method: _by_case(found) for method, found in by_method.items()}
    judged = contest(values, subjects, Seeds(config.seed)("bootstrap", name))
    costs = {method: median(one.cpu_s for one in found) for method, found in by_method.items()}
    best = front({method: judged.standings[method].mean for method in values}, costs)
    cells = []
    for column in shown:
        found = by_method.get(column.name)
        if found is None:
            cells.append(Cell(method=column.name, absent=_reason(config, name, column.name)))
            continue
        memory = [one.memory_mib for one in found if one.memory_mib is not None]
        cells.append(
            Cell(
                method=column.name,
                **vars(judged.standings[column.name]),
                front=column.name in best,
                ssim=fmean(one.ssim for one in found),
                wall_s=median(one.wall_s for one in found),
                cpu_s=costs[column.name],
                memory_mib=median(memory) if memory else None,
                certified=fmean(one.certified for one in found),
            )
        )
    return RowResult(
        name=name,
        title=ROWS[name].title,
        operator="exact" if ROWS[name].exact else "roughly known",
        cases=len(subjects),
        subjects=len({*subjects.values()}),
        seeds=len(seeds),
        leader=judged.leader,
        words=judged.words,
        cells=cells,
    )


def _by_case(trials: Sequence[Trial]) -> dict[str, float]:
    """Return the PSNR of every case, averaged over its seeds (DataError where one is infinite)."""
    found: dict[str, list[float]] = {}
    for trial in sorted(trials, key=lambda one: one.case):
        if trial.psnr_db is None:
            raise DataError(f"{trial.method} returns an exact copy in {trial.row}: its PSNR is infinite and has no mean")
        found.setdefault(trial.case, []).append(trial.psnr_db)
    return {case: fmean(values) for case, values in found.items()}


def _reason(config: CompareConfig, row: str, method: str) -> str:
    """Return why a method has no numbers in a row; empty where it does not apply."""
    task = ROWS[row].task
    applies = task in METHODS[method].tasks if method in METHODS else method.startswith(PRIOR)
    if method in FURTHER:
        applies = method in NETWORKS[task] if FURTHER[method].group == "learned" else bool(ROWS[row].kernel_error)
    if not applies:
        return ""
    if not takes_part(row, method, config.left_out):
        return "left out at this size"
    return "not run" if method not in METHODS or is_installed(METHODS[method]) else "not installed"
