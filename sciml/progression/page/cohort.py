"""The simulated cohort on the page: who is in it, what they look like, and how exactly the truth is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.progression.cohorts.accuracy import Accuracy, Explained
from sciml.progression.cohorts.cohort import Cohort, Visit
from sciml.progression.cohorts.planes import axial, coronal
from sciml.progression.cohorts.regions import DIAGNOSES, REGIONS, TISSUES, TITLES
from sciml.progression.page.claims import judged
from sciml.progression.page.style import DIAGNOSIS_COLOURS, DIAGNOSIS_TITLES, label_picture
from sciml.report.goals import Goal
from sciml.report.graphics.drawing import panels, plain, signed_picture
from sciml.report.reportlets import Check, Claim, Column, Figure, Reportlet, Scrubber, Table
from sciml.report.words import spread_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VOLUME_GOAL_PERCENT, POSE_GOAL_MM = 0.3, 1.0
DRAWN = ("ventricle", "hippocampus", "thalamus")
CHANGE_LIMIT, GROWTH_LIMIT = 0.3, 0.5
# 50 to 70
EXPLAINED_GOAL_PERCENT = (60.0, 10.0)
EXPLAINED = {
    "volumes": "the true volumes, no pattern",
    "expected": "and the pattern's part that follows from age, sex, diagnosis, shape and pace",
    "lasting": "and the subject's own part that lasts from the first visit on",
    "motion": "everything that moves; the rest are lesions",
}


def cohort_claims(accuracy: Accuracy) -> Iterator[Claim]:
    """Yield the claims about the simulator."""
    text = "Simulated volumes: largest distance of any region from its target, all subjects and visits"
    worst = max(accuracy.volume_error.worst.values())
    text += f" ({accuracy.subjects} subjects, {accuracy.visits} scans)"
    yield judged(Goal(text, "goal of this project, at most", "%", at_most=VOLUME_GOAL_PERCENT), worst)
    least = accuracy.atrophy_determinant.least
    if accuracy.explained is not None:
        found = accuracy.explained
        text = f"True change of the images over three years and more: share that volumes explain ({found.n} subjects, standard "
        text += f"deviation {100 * found.spread['volumes']:.0f} %)"
        goal = Goal(text, "goal of this project", "%", within=EXPLAINED_GOAL_PERCENT, reference="50 to 70")
        yield judged(goal, 100 * found.mean["volumes"])
    text = "Nothing folds: least Jacobian determinant of the map from any visit to the start"
    yield judged(Goal(text, "goal of this project, above", at_least=0, strict=True), least)


def cohort_checks(accuracy: Accuracy) -> Iterator[Check]:
    """Yield the certificates of the simulator, region by region."""
    for region in TISSUES:
        worst = accuracy.volume_error.worst[region]
        text = "measured volume against its target, the worst visit"
        passed = worst <= VOLUME_GOAL_PERCENT
        yield Check(f"volume on target: {TITLES[region]}", round(worst, 4), VOLUME_GOAL_PERCENT, passed, "%", text)
    made = ((accuracy.atrophy_determinant, "atrophy"), (accuracy.anatomy_determinant, "subjects' own anatomy"))
    for least, what in ((determinants.least, what) for determinants, what in made):
        text = "at the corners of all voxels, so that linear interpolation between them folds nowhere"
        yield Check(f"least determinant: {what}", round(least, 3), 0, least > 0, "", text)
    if (left := accuracy.registered) is not None:
        text = f"visits on another scanner after registration, mean {left.mean:.2f}, before {left.away:.1f} ({left.n} visits)"
        yield Check("pose left, the worst visit", round(left.worst, 2), POSE_GOAL_MM, left.worst <= POSE_GOAL_MM, "mm", text)


def cohort_reportlets(cohort: Cohort, accuracy: Accuracy) -> Iterator[Reportlet]:
    """Yield pictures and tables of a cohort."""
    yield _people_table(cohort)
    yield _accuracy_table(accuracy)
    if accuracy.explained is not None:
        yield _explained_table(accuracy.explained)
    yield _trajectories(cohort)
    if shown := _shown_person(cohort):
        yield _slices(cohort, shown)


def _people_table(cohort: Cohort) -> Table:
    rows = []
    for diagnosis in DIAGNOSES:
        people = [visits for visits in cohort.subjects().values() if visits[0].diagnosis == diagnosis]
        if not people:
            continue
        row: dict[str, Any] = {
            "diagnosis": DIAGNOSIS_TITLES[diagnosis],
            "people": len(people),
            "women": sum(visits[0].sex == "F" for visits in people),
            "age": spread_over([visits[0].age_years for visits in people]),
            "years": spread_over([visits[-1].age_years - visits[0].age_years for visits in people]),
        }
        for region in ("ventricle", "hippocampus"):
            row[f"{region}_ml"] = spread_over([visits[0].volume_ml(region) for visits in people])
            row[f"{region}_rate"] = spread_over(
                [rate for visits in people if (rate := yearly_change(visits, region)) is not None]
            )
        rows.append(row)
    columns = [
        Column("diagnosis", "diagnosis"), Column("people", "subjects"), Column("women", "women"),
        Column("age", "age at the first visit", "years", None, 1), Column("years", "followed for", "years", None, 1),
        *(
            column
            for region in ("ventricle", "hippocampus")
            for column in (
                Column(f"{region}_ml", TITLES[region], "ml", None, 1),
                Column(f"{region}_rate", f"change of the {TITLES[region]}", "% a year", None, 2),
            )
        ),
    ]  # fmt: skip
    return Table("The cohort", columns, rows, "Mean and standard deviation over subjects. All subjects are simulated.")


def yearly_change(visits: Sequence[Visit], region: str) -> float | None:
    """Return 100 d ln V / dt from the first to the last visit, or None where no time passes."""
    years = visits[-1].age_years - visits[0].age_years
    return 100 * float(np.log(visits[-1].volume_ml(region) / visits[0].volume_ml(region))) / years if years > 0 else None


def _accuracy_table(accuracy: Accuracy) -> Table:
    error = accuracy.volume_error
    rows = [{"region": TITLES[name], "mean": error.mean[name], "worst": error.worst[name]} for name in TISSUES]
    return Table(
        "How exactly volumes are known",
        [Column("region", "region"), Column("mean", "mean distance", "%", None, 3), Column("worst", "worst", "%", None, 3)],
        rows,
        f"Distance of the measured volume from its target over {accuracy.visits} scans. Scores use the measured volumes, "
        "so what is left here enters no score.",
    )


def _explained_table(found: Explained) -> Table:
    rows = [
        {"told": title, "mean": 100 * found.mean[name], "spread": 100 * found.spread[name]}
        | {kind: 100 * shares[name] for kind, shares in found.by_diagnosis.items()}
        for name, title in EXPLAINED.items()
    ]
    columns = [
        Column("told", "the flow is told"), Column("mean", "mean", "%", None, 0),
        Column("spread", "standard deviation", "%", None, 0),
        *(Column(kind, DIAGNOSIS_TITLES[kind], "%", None, 0) for kind in DIAGNOSES if kind in found.by_diagnosis),
    ]  # fmt: skip
    return Table(
        "What explains the true change",
        columns,
        rows,
        f"Share of the squared change of the noise-free image over three years and more ({found.n} subjects), when the first "
        "image is moved by the flow to the true volumes of the later one. A model can learn the second row, and the third from "
        "earlier scans; nobody can know the rest.",
    )


def _trajectories(cohort: Cohort) -> Figure:
    def draw(axes: Sequence[Axes], _: Any) -> None:
        for one, region in zip(axes, DRAWN, strict=True):
            for visits in cohort.subjects().values():
                ages, volumes = [v.age_years for v in visits], [v.volume_ml(region) for v in visits]
                one.plot(ages, volumes, color=DIAGNOSIS_COLOURS[visits[0].diagnosis], linewidth=1, alpha=0.7)
            plain(one, "age in years", "ml", TITLES[region])
        for diagnosis, colour in DIAGNOSIS_COLOURS.items():
            axes[0].plot([], [], color=colour, label=diagnosis)
        axes[0].legend(fontsize=8, frameon=False)

    return Figure(
        "True volumes over age",
        panels(len(DRAWN), (9.6, 3.2), draw),
        "One line a subject, through the visits. CN cognitively normal, MCI mild cognitive impairment, AD Alzheimer's disease.",
        "three diagrams of regional volumes over age with one line a subject, coloured by diagnosis",
    )


def _shown_person(cohort: Cohort) -> tuple[Visit, ...]:
    people = list(cohort.subjects("test").values()) or list(cohort.subjects().values())
    ill = [visits for visits in people if visits[0].diagnosis == "AD" and len(visits) > 1]
    return max(ill, key=lambda visits: visits[-1].age_years - visits[0].age_years, default=())


def _slices(cohort: Cohort, visits: Sequence[Visit]) -> Scrubber:
    first, last = visits[0], visits[-1]
    before, after = (cohort.image(visit)[0] for visit in (first, last))
    change = signed_picture(cohort.clean(last)[0] - cohort.clean(first)[0], CHANGE_LIMIT)
    shown: dict[str, np.ndarray] = {
        f"first visit, {first.age_years:.0f} years": before,
        f"last visit, {last.age_years:.0f} years": after,
        "change": change,
        "labels at the last visit": label_picture(cohort.labels(last)),
    }
    if cohort.has("shift"):
        shown["local growth"] = signed_picture(_growth(cohort, last) - _growth(cohort, first), GROWTH_LIMIT)
    if cohort.has("lesions"):
        shown["lesions at the last visit"] = cohort.lesions(last)[0]
    front, height = cohort.grid.shape[1], cohort.grid.shape[2]
    planes = [("coronal", coronal, round(front * share)) for share in (0.42, 0.5, 0.58, 0.66)]
    planes += [("axial", axial, round(height * share)) for share in (0.35, 0.45, 0.55)]
    names = ", ".join(f"{TITLES[region]} {word}" for region, word in zip(REGIONS, _COLOUR_WORDS, strict=True))
    return Scrubber(
        f"A simulated subject with {DIAGNOSIS_TITLES['AD']}",
        {title: [cut(volume, index) for _, cut, index in planes] for title, volume in shown.items()},
        [f"{plane}, slice {index}" for plane, _, index in planes],
        f"{first.subject}. The change is that of the images without bias and noise: orange darker, purple brighter, full colour "
        f"at {CHANGE_LIMIT} of an intensity scale on which white matter has 0.8. Labels: {names}. Local growth: ln of the local "
        f"change of volume between both visits, orange smaller, purple larger, full colour at {GROWTH_LIMIT}. The subject's "
        "right is on the left.",
        "slices of a simulated brain",
    )


def _growth(cohort: Cohort, visit: Visit) -> np.ndarray:
    """Return ln of the local change of volume since the start, 0 outside the brain, (D, H, W)."""
    places = cohort.shift(visit) + np.indices(cohort.grid.shape)
    jacobian = np.stack([np.stack(np.gradient(axis)) for axis in places])
    determinants = np.linalg.det(np.moveaxis(jacobian, (0, 1), (-2, -1)))
    return np.where(cohort.mask(visit)[0], -np.log(np.maximum(determinants, 1e-3)), 0.0)


_COLOUR_WORDS = ("light blue", "vermilion", "pink", "green", "grey", "white", "dark blue")
