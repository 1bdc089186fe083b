"""Stage `evaluate`: the error budget of all chains."""

from __future__ import annotations

from pathlib import Path

from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result
from sciml.studies.scan_to_forecast.chain.records import Case
from sciml.studies.scan_to_forecast.config import EvaluateConfig
from sciml.studies.scan_to_forecast.study.budget import (
    by_key,
    coverages,
    head_budget,
    qualities,
    refusals,
    subject_moves,
    untouched_percent,
    whole_grid,
)
from sciml.studies.scan_to_forecast.study.results import Budget, Chains


def run(config: EvaluateConfig, cases: list[Path], chains: list[Path], output: Path) -> list[Path]:
    """Write `budget.json`.

    Args:
        config: the levels of the links.
        cases: cases.json of each group.
        chains: chains.json of each acquisition.
        output: output folder.
    """
    recorder = Recorder("scan_to_forecast.evaluate", config.model_dump(mode="json"), [*cases, *chains])
    groups = {path.parent.parent.name: read_result(path, dict[str, Case]) for path in cases}
    files: dict[str, list[Chains]] = {group: [] for group in groups}
    for path in chains:
        files[path.parents[2].name].append(read_result(path, Chains))
    found = {group: by_key(each) for group, each in files.items()}
    regions, moves = head_budget(config.head, found["head"]) if config.head and "head" in found else ([], [])
    people = config.subjects and found.get("subjects")
    untouched = [untouched_percent(one) for one in found.values()]
    budget = Budget(
        regions=regions,
        moves=moves,
        chains=sum(len(one) for one in found.values()),
        refused=[line for group, one in found.items() for line in refusals(group, one)],
        left_out=whole_grid(config.head, found["head"])[1] if config.head and "head" in found else [],
        quality=[row for group, one in found.items() for row in qualities(group, one)],
        subject_moves=subject_moves(config.subjects, groups["subjects"], people, config.seed)
        if config.subjects and people
        else [],
        coverage=coverages(groups["subjects"], people, config.seed) if people else [],
        archived=[row for one in files.get("head", []) for row in one.archived],
        untouched_percent=max((one for one in untouched if one is not None), default=None),
    )
    write_result(output / "budget.json", budget)
    recorder.seeds = {"master": config.seed}
    recorder.write(output / "provenance.json", [output / "budget.json"])
    return [output / "budget.json", output / "provenance.json"]
