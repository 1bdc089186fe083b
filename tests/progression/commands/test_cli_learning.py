"""The commands of the learned parts: from a cohort to a model, its forecasts and its table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from tiny_learning import GRID, write_tiny_cohort

from sciml.runtime.files import save_tensors

COURSES = 'progression.learning.course.kinds=["no_change", "linear_population", "huber"]'
OVERRIDES = [
    COURSES,
    "progression.learning.autoencoder.budget.steps=3",
    "progression.learning.forms.residual.budget.steps=3",
    *(f"progression.learning.variants.{name}.how.course=huber" for name in ("main", "draws", "zero_gap")),
]
SMALL = ["--tier", "ci", *(word for override in OVERRIDES for word in ("--set", override))]
CONVERT = ("convert-weights", "m.safetensors", "--autoencoder", "a", "--unet", "b", "--controlnet", "c")


@pytest.fixture
def cohorts(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort")
    other = write_tiny_cohort(tmp_path / "calibration", splits=("calibration",) * 4)
    return cohort.folder, other.folder


@pytest.mark.slow
def test_a_model_is_made_used_and_judged(sciml_command, cohorts, tmp_path):
    cohort, calibration = cohorts

    def ran(*words: object) -> str:
        code, out, error = sciml_command("progression", *words)
        assert code == 0, error
        return out

    ran("train-autoencoder", cohort, "--out", tmp_path / "a", *SMALL)
    autoencoder = tmp_path / "a" / "autoencoder.safetensors"
    ran("train-diffusion", cohort, "--autoencoder", autoencoder, "--out", tmp_path / "d", *SMALL)
    ran("fit-course", cohort, "--out", tmp_path / "c", *SMALL)
    parts = {
        "autoencoder": autoencoder,
        "denoiser": tmp_path / "d/residual.safetensors",
        "course": tmp_path / "c/course.safetensors",
    }
    model = tmp_path / "mine.safetensors"
    ran("assemble", "--out", model, *(word for name, path in parts.items() for word in (f"--{name}", path)))
    asked = ["--model", model, "--course", "huber", "--samples", 2, "--steps", 5, "--seed", 3]
    ran("forecast", cohort, "--out", tmp_path / "f", "--subject", "s4", "--years", 2, "--years", 4, *asked)
    image = nibabel.load(tmp_path / "f" / "s4" / "trajectory.nii.gz")
    assert image.shape == (*GRID.shape, 3)
    np.testing.assert_allclose(image.affine, GRID.affine)
    with (tmp_path / "f" / "s4" / "volumes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    assert all(float(row["low_ml"]) <= float(row["volume_ml"]) <= float(row["high_ml"]) for row in rows)
    told = json.loads((tmp_path / "f" / "s4" / "forecast.json").read_text())
    assert told["diagnosis"] == "MCI"
    assert "Not for clinical use" in told["notes"][0]
    ran("evaluate", cohort, "--calibration", calibration, "--model", model, "--out", tmp_path / "e", *SMALL)
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert {"main", "draws", "no_change", "course_huber"} <= set(metrics["methods"])
    # a person who cannot be forecast is named, the others are written
    code, _, error = sciml_command(
        "progression", "forecast", cohort, "--out", tmp_path / "g", "--subject", "s3", "--subject", "s4", "--age", 78, *asked
    )
    assert code == 3
    assert "1 of 2 subjects were not forecast: s4: asked for ages [78.0]" in error
    assert (tmp_path / "g" / "s3" / "trajectory.nii.gz").exists()


MISTAKES = [
    (("forecast", "cohort", "--out", "f", "--model", "none"), "there is no model none: shipped are mni-4p5mm"),
    (("forecast", "cohort", "--out", "f", "--steps", 7), "expected a divisor of 1000"),
    (("forecast", "cohort", "--out", "f", "--diagnosis", "sick"), "diagnosis"),
    ((*CONVERT, "--course", "x"), "--course"),
    ((*CONVERT[:3], "absent", *CONVERT[4:]), "no such file: absent"),
    (
        ("train-diffusion", "cohort", "--autoencoder", "a.safetensors", "--out", "d", "--form", "other"),
        "no form is called 'other'",
    ),
]


def test_mistakes_are_told_in_one_line(sciml_command, cohorts):
    for name in "abc":
        Path(name).touch()
    save_tensors("a.safetensors", {"x": np.zeros(1)})
    wrong = []
    for words, message in MISTAKES:
        code, _, error = sciml_command("progression", *words)
        if code != 2 or message not in error or "Traceback" in error:
            wrong.append((words, code, error))
    assert not wrong
