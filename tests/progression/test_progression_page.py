"""The page of the study: complete from artefacts, and honest about what has not run."""

from __future__ import annotations

import json
import shutil

import pytest
from tiny_learning import autoencoder_config, diffusion_config

from sciml.progression.config import PageConfig
from sciml.progression.model_files import assemble
from sciml.progression.models import FORMS, EvaluateConfig, FitCourseConfig, PredictConfig
from sciml.progression.stages import evaluate, fit_course, predict, train_autoencoder, train_diffusion
from sciml.progression.stages.report import run
from sciml.report.check import check_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json


def test_the_page_shows_the_cohort_and_says_that_it_is_no_patient(phantom_results, tmp_path):
    run(PageConfig(tier="ci"), phantom_results, tmp_path / "progression.html")
    assert check_page(tmp_path / "progression.html") == []
    text = (tmp_path / "progression.html").read_text()
    assert "Not for clinical use" in text
    record = json.loads((tmp_path / "progression.report.json").read_text())
    statuses = [claim["status"] for claim in record["claims"]]
    assert statuses[-2:] == ["reproduced", "reproduced"]
    assert set(statuses[:-2]) == {"not run"}


def test_without_a_cohort_the_page_says_what_to_run(tmp_path):
    with pytest.raises(DataError, match="make demo FAMILY=progression"):
        run(PageConfig(tier="ci"), tmp_path, tmp_path / "progression.html")


@pytest.fixture(scope="module")
def compared(phantom_results, tmp_path_factory):
    """The results folder of a whole study with tiny networks."""
    results = tmp_path_factory.mktemp("study") / "progression"
    for name in ("cohort", "calibration"):
        shutil.copytree(phantom_results / name, results / name)
    cohort = results / "cohort"
    train_autoencoder.run(autoencoder_config(), cohort, results / "autoencoder")
    autoencoder = results / "autoencoder" / "autoencoder.safetensors"
    train_diffusion.run(diffusion_config(FORMS["residual"], "residual"), cohort, autoencoder, results / "diffusion" / "residual")
    fit_course.run(FitCourseConfig(kinds=("no_change", "linear_population")), cohort, results / "course")
    model = assemble(
        results / "models" / "residual.safetensors",
        "tiny",
        autoencoder,
        results / "diffusion" / "residual" / "residual.safetensors",
        results / "course" / "course.safetensors",
    )
    how = {"samples": 8, "steps": 5, "course": "linear_population"}
    variants = {"main": {"how": how}, "zero_gap": {"how": how, "zero_gap": True}, "direct": {"how": how | {"decoding": "direct"}}}
    predict.run(PredictConfig.model_validate({"variants": variants}), cohort, {"residual": model}, results / "predictions")
    config = EvaluateConfig(course="linear_population")
    evaluate.run(config, cohort, results / "calibration", model, results / "predictions", results / "evaluate")
    return results


@pytest.mark.slow
def test_the_page_of_a_whole_study_has_a_number_for_every_claim(compared, tmp_path):
    run(PageConfig(tier="ci"), compared, tmp_path / "progression.html")
    assert check_page(tmp_path / "progression.html") == []
    claims = json.loads((tmp_path / "progression.report.json").read_text())["claims"]
    numbers = {claim["text"]: claim["ours"] for claim in claims}
    # the tiny cohort has no pair of three years and no second person of a diagnosis
    unknown = [text for text, number in numbers.items() if number is None]
    assert all("3 years" in text or "within a diagnosis" in text for text in unknown), unknown
    text = (tmp_path / "progression.html").read_text()
    for words in ("All ways to forecast", "Changes region by region", "Averaging over chains", "Forecast and true changes"):
        assert words in text


@pytest.mark.slow
def test_the_flow_to_true_like_volumes_leads_the_table(compared):
    metrics = read_json(compared / "evaluate" / "metrics.json")
    psnr = {name: each["psnr_by_group_db"]["all"] for name, each in metrics["methods"].items() if each["images"]}
    assert psnr["prescribed_volumes"] > psnr["no_change"] + 1
    assert psnr["no_change_denoised"] > psnr["no_change"]
    assert metrics["methods"]["prescribed_volumes"]["changes"]["hippocampus"]["all"]["skill"] > 0.3


@pytest.mark.slow
def test_test_people_choose_nothing(compared, tmp_path):
    """Leakage by mutation: another test person, the same filter, readouts and autoencoder."""
    shutil.copytree(compared, tmp_path / "progression")
    subjects = tmp_path / "progression" / "cohort" / "subjects"
    shutil.copy(subjects / "test-001.safetensors", subjects / "test-000.safetensors")
    results, config = (
        tmp_path / "progression",
        EvaluateConfig(course="linear_population", population_field=False, prescribed=False),
    )
    places = results / "models" / "residual.safetensors", results / "predictions", tmp_path / "out"
    evaluate.run(config, results / "cohort", results / "calibration", *places)
    before, after = read_json(compared / "evaluate" / "metrics.json"), read_json(tmp_path / "out" / "metrics.json")
    assert after["filter"] == before["filter"]
    assert after["readout_floor"] == before["readout_floor"]
    assert after["methods"]["no_change"]["images"] != before["methods"]["no_change"]["images"]


@pytest.mark.slow
def test_the_command_finds_forecasts_beside_or_below_the_table(compared, tmp_path, sciml_command):
    shutil.copytree(compared, tmp_path / "progression")
    results = tmp_path / "progression"
    for place in ("beside.html", "below.html"):
        code, out, error = sciml_command("progression", "report", results, place)
        assert code == 0, error
        assert place in out
        assert check_page(tmp_path / place) == []
        if place == "beside.html":
            (results / "predictions").rename(results / "evaluate" / "predictions")
    code, _, error = sciml_command("progression", "report", tmp_path / "nothing", "other.html")
    assert code == 2
    assert "holds no simulated cohort" in error
