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
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sciml.datasets import local_path
from sciml.progression.cohorts.cohort import Visit, write_cohort
from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import TEMPLATE_DATA, Law, SimulateTablesConfig, SimulationConfig, TablesConfig
from sciml.progression.simulation.anatomy import Anatomy, build_anatomy, connected_parts, mni_template
from sciml.progression.simulation.subjects import MIDDLE_MM, WARP_GRID, Subject, draw_subject
from sciml.runtime.files import digest_file
from sciml.runtime.seeds import Seeds

log = logging.getLogger(__name__)
LAWS: tuple[Law, ...] = ("constant", "accelerating", "decelerating", "converting", "stepwise")
LOG_EVERY = 200
MIXTURE = "mixture"
"""The group of those whose law was drawn by its share; the other groups are called as their law."""


def simulate_tables(config: SimulateTablesConfig, folder: Path) -> list[Path]:
    """Write `cohort.json` and `visits.csv`; `about.laws` and `about.groups` give the law and the group of each subject.

    Args:
        config: how many subjects, and how they age.
        folder: of the cohort.
    """
    sources = [local_path(name) for name in (*TEMPLATE_DATA, config.atlas)]
    anatomy = build_anatomy(mni_template(config.atlas), WARP_GRID)
    visits, laws, groups = [], {}, {}
    for number, (group, law, seen) in enumerate(draw_tables(config, anatomy, Seeds(config.seed)), start=1):
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


def draw_tables(config: TablesConfig, anatomy: Anatomy, seeds: Seeds) -> Iterator[tuple[str, str, tuple[Visit, ...]]]:
    """Yield the group, the law and the visits of every subject; those of training and validation are all of the mixture.

    Args:
        config: how many subjects, and how they age.
        anatomy: built for the 4.5 mm grid.
        seeds: of the run.
    """
    for split, count in config.subjects.items():
        for number in range(count):
            # other names, and so other seeds, than those of any cohort of images
            name = f"volumes-{split}-{number:03d}"
            settings = SimulationConfig(subjects={split: count}, people=config.people, atrophy=config.atrophy)
            subject = draw_subject(settings, number, name, split, seeds)
            start = first_volumes(subject, anatomy)
            yield MIXTURE, subject.law.law, visits_of(subject, start)
            for law in LAWS if split == "test" else ():
                alone = settings.people.model_copy(update={"laws": {law: 1.0}})
                other = settings.model_copy(update={"people": alone})
                turn = number % (len(DIAGNOSES) - 1) if law == "converting" else number
                again = draw_subject(other, turn, name, split, seeds, subject.shift_mm)
                yield law, law, visits_of(again, start, f"{name}-{law}")


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
