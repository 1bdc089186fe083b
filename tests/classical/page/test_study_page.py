"""The page of the study from artefacts made by the stages on small synthetic pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from imaging_problems import blocks

from sciml.classical.config import CheckConfig, EvaluateConfig, ReportConfig
from sciml.classical.stages import check, evaluate, measure, reconstruct, report
from sciml.imaging.tasks.cases import Case
from sciml.imaging.tasks.studies import MeasureConfig, ReconstructConfig, SolveConfig, TuneConfig
from sciml.report.check import check_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json

VARIANTS = {
    "denoise": {"sigma 0.1": {"sigma": 0.1}, "<script>alert(1)</script>": {"sigma": 0.05}},
    "inpaint": {"nothing missing": {"keep": 1.0, "sigma": 0.0}},
}


def run_task(root: Path, task: str) -> None:
    config = MeasureConfig(
        task=task, size=(32, 32), variants=VARIANTS[task], validation_images=1, test_images=2, data_tier="ci", seed=0
    )
    every = {"methods": None}
    reconstruct.run(ReconstructConfig(measure=config, tune=TuneConfig(**every), solve=SolveConfig(**every)), root / task)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results")
    source = root / "source.bin"
    source.write_bytes(b"pixels")

    def synthetic(experiment, role, count, size, tier, own=()):
        return [
            Case(f"camera[{index}]", array, float(index)) for index, array in enumerate(blocks(*size, batch=count).numpy()[:, 0])
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "cases", synthetic)
        patch.setattr(measure, "local_path", lambda name: source)
        check.run(CheckConfig(data_tier="ci", seed=0, size=(32, 32)), root / "check")
        for task in VARIANTS:
            run_task(root, task)
        evaluate.run(EvaluateConfig(tasks=tuple(VARIANTS)), root, root)
    return root


def write(results: Path, page: Path, *tasks: str) -> tuple[str, dict]:
    report.run(ReportConfig(tier="ci", data_tier="ci", tasks=tasks), results, page)
    return page.read_text(), read_json(page.with_name("imaging.report.json"))


def test_the_page_is_sound_and_exact_reconstructions_and_hostile_labels_stand_on_it(results, tmp_path):
    html, record = write(results, tmp_path / "imaging.html", "denoise", "inpaint")
    assert check_page(tmp_path / "imaging.html") == []
    assert "exact" in html and "<script>alert(1)</script>" not in html
    assert "not installed" in html or "BM3D" in html
    assert all(row["passed"] for row in record["checks"] if not row["name"].endswith("tuning"))


def test_only_the_tasks_of_the_run_are_shown(results, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(results, root)
    (root / "denoise" / "tune" / "provenance.json").unlink()  # what an earlier, broken run may have left
    html, _ = write(root, tmp_path / "imaging.html", "inpaint")
    assert "Inpainting" in html and "Gaussian denoising" not in html.split("Metrics")[-1]


def test_a_task_that_was_not_evaluated_is_named(results, tmp_path):
    with pytest.raises(DataError, match="deblur holds no evaluated task"):
        write(results, tmp_path / "imaging.html", "deblur")


def test_a_parameter_at_the_end_of_its_range_fails_a_check(results, tmp_path):
    root = tmp_path / "results"
    shutil.copytree(results, root)
    parameters = read_json(root / "denoise" / "tune" / "parameters.json")
    parameters["sigma 0.1"]["tv"]["bracketed"] = False
    write_json(root / "denoise" / "tune" / "parameters.json", parameters)
    _, record = write(root, tmp_path / "imaging.html", "denoise")
    assert {row["name"]: row["passed"] for row in record["checks"]}["denoise: tuning"] is False


def test_methods_text_has_the_parameters_of_the_run(results, tmp_path):
    html, _ = write(results, tmp_path / "imaging.html", "denoise")
    methods = html[html.index('id="methods"') :]
    assert "32 x 32 pixels" in methods and "sigma 0.05" in methods and "camera" in methods
