"""Stage `simulate-tables`: a cohort of volumes without images, for the courses and their intervals."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from sciml.datasets import local_path
from sciml.progression.cohorts.cohort import write_cohort
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.config import TEMPLATE_DATA, SimulateTablesConfig
from sciml.progression.simulation.anatomy import build_anatomy, mni_template
from sciml.progression.simulation.tables import draw_tables
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
GRID = GRIDS["4.5mm"]
LOG_EVERY = 100


def run(config: SimulateTablesConfig, output: Path) -> list[Path]:
    """Write `cohort.json` and `visits.csv`; `about.laws` and `about.groups` give the law and the group of each subject.

    Args:
        config: how many subjects, and how they age.
        output: output folder.
    """
    sources = [local_path(name) for name in (*TEMPLATE_DATA, config.atlas)]
    recorder = Recorder("progression.simulate_tables", config.model_dump(mode="json"), sources)
    begun, seeds = time.process_time(), Seeds(config.seed)
    anatomy = build_anatomy(mni_template(config.atlas), GRID)
    visits, laws, groups = [], {}, {}
    for number, (group, law, seen) in enumerate(draw_tables(config, anatomy, seeds), start=1):
        visits += seen
        laws[seen[0].subject], groups[seen[0].subject] = law, group
        if number % LOG_EVERY == 0:
            log.info("%d courses", number)
    about = {
        "kind": "tables",
        "config": config.model_dump(mode="json"),
        "inputs": {path.name: digest_file(path) for path in sources},
        "laws": laws,
        "groups": groups,
    }
    written = write_cohort(output, GRID, visits, about)
    recorder.notes = {"courses": len(laws), "cpu_seconds": round(time.process_time() - begun, 2)}
    recorder.write(output / "provenance.json", written)
    return written
