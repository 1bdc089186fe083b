"""Stage `prepare`: a user's own images as a cohort."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from sciml.progression.cohorts.grids import grid_of
from sciml.progression.config import PrepareConfig
from sciml.progression.scans.preparation import Reading, prepare_cohort
from sciml.progression.scans.segmentation import code_table
from sciml.progression.scans.tables import read_table, split_warnings, warnings_of, with_splits
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)


def run(config: PrepareConfig, table: Path, output: Path) -> list[Path]:
    """Write a cohort folder and `warnings.json`.

    Args:
        config: grid, codes, splits and how images are read.
        table: CSV file or BIDS folder.
        output: folder of the cohort.

    Raises:
        DataError: a row or an image cannot be used, with file and line.
    """
    recorder = Recorder("progression.prepare", config.model_dump(mode="json"), [table] if table.is_file() else [])
    codes = code_table(config.codes)
    rows = read_table(table, config.coding, config.diagnosis)
    seeds = Seeds(config.seed)
    people = sorted({row.subject for row in rows if row.split is None})
    order = np.random.default_rng(seeds("split")).permutation(people).tolist()
    rows = with_splits(rows, config.shares, order)
    reading = Reading(config.register_to, config.allow_skull)
    found = [
        *warnings_of(rows),
        *split_warnings(rows),
        *prepare_cohort(rows, output, grid_of(config.grid), reading, codes, config.synthseg, str(table)),
    ]
    for warning in found:
        log.warning("%s", warning)
    write_json(output / "warnings.json", found)
    paths = [output / name for name in ("cohort.json", "visits.csv", "warnings.json")]
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", [*paths, output / "subjects"])
    return paths
