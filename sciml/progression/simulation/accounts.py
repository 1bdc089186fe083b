"""What is written down of each simulated subject, and the accuracy of a cohort that follows from it."""

from __future__ import annotations

import csv
import io
import logging
from typing import Any

import numpy as np

from sciml.progression.cohorts.accuracy import Accuracy, Determinants, Explained, Registered, VolumeErrors
from sciml.progression.cohorts.regions import DIAGNOSES, TISSUES
from sciml.progression.simulation.simulator import Life

log = logging.getLogger(__name__)

ACCURACY_COLUMNS = ("subject", "visit", "diagnosis", "region", "target_ml", "measured_ml", "error_percent")


def life_notes(life: Life) -> dict[str, Any]:
    """Return what is kept of a subject beside its arrays, JSON values."""
    return {
        "visits": [
            [one.subject, one.number, one.split, one.age_years, one.sex, one.diagnosis, list(one.volumes_ml)]
            for one in life.visits
        ],
        "targets_ml": life.targets_ml.tolist(),
        "determinants": life.determinants.tolist(),
        "warp_determinants": life.warp_determinants.tolist(),
        "lesions_ml": list(life.lesions_ml),
        "scanners": list(life.scanners),
        "poses_mm": [list(pose) for pose in life.poses_mm],
        "explained": life.explained,
    }


def worst_error(notes: dict[str, Any]) -> float:
    """Return the largest distance of a subject's volumes from their targets, in parts of these."""
    return float(np.abs(_errors(notes)).max())


def _errors(notes: dict[str, Any]) -> np.ndarray:
    """Return measured over target volume minus 1, (visits, tissues)."""
    measured = np.array([visit[-1] for visit in notes["visits"]])[:, : len(TISSUES)]
    return measured / np.array(notes["targets_ml"]) - 1


def accuracy_table(people: list[dict[str, Any]]) -> str:
    """Return `accuracy.csv`: target and measured volume of every region at every visit."""
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(ACCURACY_COLUMNS)
    for notes in people:
        errors = _errors(notes)
        for visit, targets, wrong in zip(notes["visits"], notes["targets_ml"], errors, strict=True):
            subject, number, _, _, _, diagnosis, volumes = visit
            for index, region in enumerate(TISSUES):
                table.writerow(
                    [
                        subject,
                        number,
                        diagnosis,
                        region,
                        f"{targets[index]:.6f}",
                        f"{volumes[index]:.6f}",
                        f"{100 * wrong[index]:.5f}",
                    ]
                )
    return rows.getvalue()


def accuracy_of(people: list[dict[str, Any]]) -> Accuracy:
    """Return `accuracy.json` of the notes of all subjects."""
    errors = np.concatenate([100 * np.abs(_errors(notes)) for notes in people])
    determinants = np.concatenate([notes["determinants"] for notes in people])
    warps = np.array([notes["warp_determinants"] for notes in people])
    return Accuracy(
        subjects=len(people),
        visits=len(errors),
        volume_error=VolumeErrors(
            unit="%",
            direction="down",
            n=len(errors),
            mean=dict(zip(TISSUES, errors.mean(axis=0).tolist(), strict=True)),
            worst=dict(zip(TISSUES, errors.max(axis=0).tolist(), strict=True)),
        ),
        atrophy_determinant=Determinants(unit="1", least=float(determinants[:, 0].min()), most=float(determinants[:, 1].max())),
        anatomy_determinant=Determinants(unit="1", least=float(warps[:, 0].min()), most=float(warps[:, 1].max())),
        explained=_explained(people),
        registered=_registered(people),
    )


def _registered(people: list[dict[str, Any]]) -> Registered | None:
    poses = np.array([pose for notes in people for pose in notes["poses_mm"]])
    if not len(poses):
        return None
    away, left = poses.mean(axis=0)
    return Registered(unit="mm", n=len(poses), away=float(away), mean=float(left), worst=float(poses[:, 1].max()))


def _explained(people: list[dict[str, Any]]) -> Explained | None:
    found = [(notes["visits"][0][5], notes["explained"]) for notes in people if notes["explained"]]
    if not found:
        return None
    names = list(found[0][1])

    def mean(shares: list[dict[str, float]]) -> dict[str, float]:
        return {name: float(np.mean([share[name] for share in shares])) for name in names}

    every = [shares for _, shares in found]
    spread = {name: float(np.std([share[name] for share in every])) for name in names}
    kinds = [kind for kind in DIAGNOSES if any(kind == one for one, _ in found)]
    told = 100 * mean(every)["volumes"], 100 * spread["volumes"], len(every)
    log.info("volumes explain %.0f +- %.0f %% of the change over three years and more (%d subjects)", *told)
    return Explained(
        unit="1",
        n=len(every),
        mean=mean(every),
        spread=spread,
        by_diagnosis={kind: mean([shares for one, shares in found if one == kind]) for kind in kinds},
    )
