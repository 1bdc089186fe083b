"""`accuracy.json` beside a simulated cohort: how well its volumes were reached."""

from __future__ import annotations

from typing import Literal

from sciml.runtime.results import Result


class VolumeErrors(Result):
    """Distance of measured volumes from their targets.

    Attributes:
        unit: percent.
        direction: smaller is better.
        n: visits.
        mean: over visits, by tissue.
        worst: of all visits, by tissue.
    """

    unit: Literal["%"]
    direction: Literal["down"]
    n: int
    mean: dict[str, float]
    worst: dict[str, float]


class Determinants(Result):
    """Jacobian determinants at the corners of all voxels.

    Attributes:
        unit: a ratio of volumes.
        least: of all subjects; above 0 where nothing folds.
        most: of all subjects.
    """

    unit: Literal["1"]
    least: float
    most: float


class Accuracy(Result):
    """How exactly a simulated cohort keeps to its law.

    Attributes:
        subjects: in the cohort.
        visits: of all of them.
        volume_error: measured volumes against targets.
        atrophy_determinant: of the map from a visit to the first one.
        anatomy_determinant: of the map from a subject to the template.
    """

    subjects: int
    visits: int
    volume_error: VolumeErrors
    atrophy_determinant: Determinants
    anatomy_determinant: Determinants
