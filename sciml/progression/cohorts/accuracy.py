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


class Explained(Result):
    """Shares of the true change of the images over three years and more, by what explains them (`simulation.explained`).

    Told are `volumes`; beside them the `expected` part of the pattern, which follows from age, sex, diagnosis, shape and pace;
    beside them the `lasting` part, all that stays from the first visit on; `motion`: everything that moves.

    Attributes:
        unit: share.
        n: subjects of the test split, or all where there is none, who were seen so late.
        mean: over subjects.
        spread: standard deviation over subjects.
        by_diagnosis: means over the subjects of a diagnosis at the first visit.
    """

    unit: Literal["1"]
    n: int
    mean: dict[str, float]
    spread: dict[str, float]
    by_diagnosis: dict[str, dict[str, float]]


class Registered(Result):
    """Visits on another scanner than the first, registered to the first visit: root mean square distances over the brain.

    Attributes:
        unit: millimetres.
        n: visits.
        away: mean before registration.
        mean: mean of what is left after it.
        worst: largest of what is left.
    """

    unit: Literal["mm"]
    n: int
    away: float
    mean: float
    worst: float


class Accuracy(Result):
    """How exactly a simulated cohort keeps to its law.

    Attributes:
        subjects: in the cohort.
        visits: of all of them.
        volume_error: measured volumes against targets.
        atrophy_determinant: of the map from a visit to the first one.
        anatomy_determinant: of the map from a subject to the template.
        explained: how much of the change volumes and parts of the pattern explain; None where nobody was asked.
        registered: what registration leaves of the pose in other scanners; None where there are none.
    """

    subjects: int
    visits: int
    volume_error: VolumeErrors
    atrophy_determinant: Determinants
    anatomy_determinant: Determinants
    explained: Explained | None = None
    registered: Registered | None = None
