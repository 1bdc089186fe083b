"""A cohort of tables without images: the volumes of many subjects, exactly and cheaply.

The volumes of a subject follow from what `draw_subject` says and from those of the template under its anatomy: with L_K the
labels of the template, M the voxels that the skull fills half or more, and phi of `subjects`,

    V_K(0) = sum_{x in M} L_K(phi(x)) |voxel|,    V_K(t) = V_K(0) exp(early_K + change_K(t)),                            (1)

for all tissues; the outer fluid takes the balance of the skull's fixed content. The simulator of images moves the labels until
they have these volumes, so that both agree to its tolerance of 0.05 %. (1) is evaluated on the 4.5 mm grid whatever the grid
of the study.

A test subject lives once under the mixture of laws of the settings, and once more under each law alone, by the same seeds: same
anatomy, ages, and factors of its rates. CN and MCI take turns where a law is `converting`.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from sciml.datasets import local_path
from sciml.progression.cohorts.cohort import Visit, write_cohort
from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import TEMPLATE_DATA, Law, SimulateTablesConfig, SimulationConfig
from sciml.progression.simulation.anatomy import Anatomy, build_anatomy, connected_parts, mni_template
from sciml.progression.simulation.subjects import MIDDLE_MM, WARP_GRID, Subject, draw_subject
from sciml.runtime.files import digest_file
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
LAWS: tuple[Law, ...] = ("constant", "accelerating", "decelerating", "converting", "stepwise")
LOG_EVERY = 200
# fewer subjects take less time than another process to start
FEWEST_SHARED = 60
Life = tuple[str, str, tuple[Visit, ...]]
MIXTURE = "mixture"
"""The group of those whose law was drawn by its share; the other groups are called as their law."""


def simulate_tables(config: SimulateTablesConfig, folder: Path, processes: int = 1) -> list[Path]:
    """Write `cohort.json` and `visits.csv`; `about.laws` and `about.groups` give the law and the group of each subject.

    The result does not depend on the number of processes.

    Args:
        config: how many subjects, and how they age.
        folder: of the cohort.
        processes: subjects at a time.
    """
    sources = [local_path(name) for name in (*TEMPLATE_DATA, config.atlas)]
    visits, laws, groups = [], {}, {}
    for number, (group, law, seen) in enumerate(draw_tables(config, Seeds(config.seed), processes), start=1):
        visits += seen
        laws[seen[0].subject], groups[seen[0].subject] = law, group
        if number % LOG_EVERY == 0:
            log.info("%d courses of volumes", number)
    about = {
        "kind": "tables",
        "config": config.model_dump(mode="json"),
        "inputs": {path.name: digest_file(path) for path in sources},
        "laws": laws,
        "groups": groups,
    }
    return write_cohort(folder, WARP_GRID, visits, about)


def draw_tables(config: SimulateTablesConfig, seeds: Seeds, processes: int = 1) -> Iterator[Life]:
    """Yield the group, the law and the visits of every subject; those of training and validation are all of the mixture.

    Args:
        config: how many subjects, and how they age.
        seeds: of the run.
        processes: subjects at a time.
    """
    everybody = [(split, number) for split, count in config.subjects.items() for number in range(count)]
    lives = partial(_lives, config, build_anatomy(mni_template(config.atlas), WARP_GRID), seeds)
    if processes == 1 or len(everybody) < FEWEST_SHARED:
        yield from chain.from_iterable(map(lives, everybody))
        return
    shares = [everybody[start::processes] for start in range(processes)]
    # a forked copy of a process with threads may hang
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(_all_lives, [lives] * processes, shares))
    for place in range(len(everybody)):
        yield from found[place % processes][place // processes]


def _all_lives(lives: Callable[[tuple[str, int]], list[Life]], subjects: Sequence[tuple[str, int]]) -> list[list[Life]]:
    return [lives(one) for one in subjects]


def _lives(config: SimulateTablesConfig, anatomy: Anatomy, seeds: Seeds, who: tuple[str, int]) -> list[Life]:
    """Return the lives of one subject: under the mixture, and of a test subject under each law alone."""
    split, number = who
    # other names, and so other seeds, than those of any cohort of images
    name = f"volumes-{split}-{number:03d}"
    settings = SimulationConfig(subjects={split: config.subjects[split]}, people=config.people, atrophy=config.atrophy)  # type: ignore[index, dict-item]
    subject = draw_subject(settings, number, name, split, seeds)
    start = first_volumes(subject, anatomy)
    found = [(MIXTURE, subject.law.law, visits_of(subject, start))]
    for law in LAWS if split == "test" else ():
        alone = settings.people.model_copy(update={"laws": {law: 1.0}})
        other = settings.model_copy(update={"people": alone})
        turn = number % (len(DIAGNOSES) - 1) if law == "converting" else number
        again = draw_subject(other, turn, name, split, seeds, subject.shift_mm)
        found.append((law, law, visits_of(again, start, f"{name}-{law}")))
    return found


def first_volumes(subject: Subject, anatomy: Anatomy) -> np.ndarray:
    """Return V(0) of (1) in ml, before the first visit's atrophy, (regions,)."""
    nodes = np.indices(WARP_GRID.shape, dtype=np.float64).reshape(3, -1) * WARP_GRID.spacing_mm + WARP_GRID.affine[:3, 3:]
    middle = MIDDLE_MM[:, None]
    # phi at the nodes of the grid on which its shift is drawn
    places = middle + subject.size[:, None] * (nodes + subject.shift_mm.reshape(3, -1) - middle)
    labels, share, _ = anatomy.look_up(places)
    inside = share.reshape(WARP_GRID.shape) >= 0.5
    parts = connected_parts(inside)
    skull = (parts == np.bincount(parts[inside]).argmax()).reshape(-1)
    return labels[:, skull].sum(axis=1) * WARP_GRID.voxel_ml


def visits_of(subject: Subject, start: np.ndarray, name: str = "") -> tuple[Visit, ...]:
    """Return the visits of a subject with the volumes of (1).

    Args:
        subject: who.
        start: V(0) in ml, (regions,).
        name: another than the subject's.
    """
    tissues = start[:-1] * np.exp(subject.early + subject.changes)
    volumes = np.column_stack([tissues, start.sum() - tissues.sum(axis=1)])
    rows = zip(subject.ages_years, subject.diagnoses, volumes.tolist(), strict=True)
    return tuple(
        Visit(name or subject.name, number, subject.split, age, subject.sex, diagnosis, tuple(row))  # type: ignore[arg-type]
        for number, (age, diagnosis, row) in enumerate(rows)
    )
