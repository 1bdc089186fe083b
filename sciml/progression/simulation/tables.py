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

from collections.abc import Iterator

import numpy as np

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.regions import DIAGNOSES
from sciml.progression.config import Law, SimulationConfig, TablesConfig
from sciml.progression.simulation.anatomy import Anatomy, connected_parts
from sciml.progression.simulation.subjects import MIDDLE_MM, WARP_GRID, Subject, draw_subject
from sciml.runtime.seeds import Seeds

LAWS: tuple[Law, ...] = ("constant", "accelerating", "decelerating", "converting", "stepwise")
MIXTURE = "mixture"
"""The group of those whose law was drawn by its share; the other groups are called as their law."""


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
    inside = anatomy.look_up(anatomy.inside[None], places)[0].reshape(WARP_GRID.shape) >= 0.5
    parts = connected_parts(inside)
    skull = (parts == np.bincount(parts[inside]).argmax()).reshape(-1)
    return anatomy.look_up(anatomy.labels, places[:, skull]).sum(axis=1) * WARP_GRID.voxel_ml


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
