"""The page of the study: complete from artefacts, and honest about what has not run."""

from __future__ import annotations

import html
import json
import re
import shutil

import numpy as np
import pytest
from tiny_learning import autoencoder_config, budget, diffusion_config

from sciml.progression.config import PageConfig
from sciml.progression.networks.parts import assemble
from sciml.progression.page.ablations import ablation_tables
from sciml.progression.page.results import read_study
from sciml.progression.page.style import LABEL_COLOURS, outlined
from sciml.progression.settings.models import AblationConfig, EvaluateConfig, FitCourseConfig, FitMotionConfig, PredictConfig
from sciml.progression.settings.networks import FORMS
from sciml.progression.stages import ablate_report, evaluate, fit_course, fit_motion, predict, train_autoencoder, train_diffusion
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
    # volumes on target, how much they explain (of the phantom, whose share is no goal), nothing folds
    assert (statuses[-3], statuses[-1]) == ("met", "met")
    assert set(statuses[:-3]) == {"not run"}
    assert "What explains the true change" in text
    assert "local growth" in text


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
    # three pairs a step, for a loss by amount of noise
    config = diffusion_config(FORMS["residual"], "residual", budget=budget(batch_size=3))
    train_diffusion.run(config, cohort, autoencoder, results / "diffusion" / "residual")
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
    variants["draws"] = {"how": how, "volumes": "draws", "keep_chains": True}
    predict.run(PredictConfig.model_validate({"variants": variants}), cohort, {"residual": [model]}, results / "predictions")
    fit_motion.run(FitMotionConfig(), cohort, results / "course" / "course.safetensors", results / "motion")
    config, flow = EvaluateConfig(course="linear_population"), results / "motion" / "flow.safetensors"
    evaluate.run(config, cohort, results / "calibration", model, results / "predictions", results / "evaluate", flow=flow)
    return results


@pytest.mark.slow
def test_the_page_of_a_whole_study_has_a_number_for_every_claim(compared, tmp_path):
    run(PageConfig(tier="ci"), compared, tmp_path / "progression.html")
    assert check_page(tmp_path / "progression.html") == []
    claims = json.loads((tmp_path / "progression.report.json").read_text())["claims"]
    numbers = {claim["text"]: claim["ours"] for claim in claims}
    # the tiny cohort has no pair of three years and no second person of a diagnosis, and the smallest data no real brain; there
    # are no tables, whose intervals are tested elsewhere
    unknown = [text for text, number in numbers.items() if number is None]
    known = ("3 years", "within a diagnosis", "Colin27", "90 % intervals", "Interval score")
    assert all(any(part in text for part in known) for text in unknown), unknown
    text = (tmp_path / "progression.html").read_text()
    for words in (
        "All ways to forecast", "Changes region by region", "Averaging over chains", "Forecast and true changes",
        "Volumes from volumes alone", "Latents: error, chains and cost", "Does the spread of the chains tell the error?",
        "What the autoencoder keeps", "The worst forecasts", "spread of the chains", "Training of the autoencoder: decoded scans",
        "what their samples are worth", "loss of the residual form",
    ):  # fmt: skip
        assert words in text, words
    assert "One change at a time" not in text


@pytest.mark.slow
def test_shipped_weights_leave_no_curves_of_training(compared, tmp_path):
    shutil.copytree(compared, tmp_path / "progression")
    for history in (tmp_path / "progression").glob("**/history.csv"):
        history.unlink()
    run(PageConfig(tier="ci"), tmp_path / "progression", tmp_path / "progression.html")
    text = (tmp_path / "progression.html").read_text()
    left_out = re.search("Not run, and therefore not shown: ([^.]*)[.]", text)
    assert left_out and "trainings" in left_out[1]
    assert "Training of the" not in text


@pytest.fixture(scope="module")
def ablated(compared, tmp_path_factory):
    """The same folder with the table of two forms and of a third that none of the study's names describes."""
    results = tmp_path_factory.mktemp("ablated") / "progression"
    shutil.copytree(compared, results)
    shutil.copytree(results / "diffusion" / "residual", results / "diffusion" / "short_residual")
    record = results / "diffusion" / "short_residual" / "provenance.json"
    record.write_text(record.read_text().replace('"name": "residual"', '"name": "short_residual"'))
    forms = dict.fromkeys(("residual_with_anatomy", "short_residual", "mine"), FORMS["residual"])
    how = {"samples": 8, "steps": 5, "course": "linear_population"}
    variants = AblationConfig.model_validate({"forms": forms, "how": how}).variants()
    model, folder = results / "models" / "residual.safetensors", results / "ablate"
    config = PredictConfig(split="validation", variants=variants)
    predict.run(config, results / "cohort", {form: [model] for form in forms}, folder / "predictions")
    config = EvaluateConfig(split="validation", course="linear_population", population_field=False, prescribed=False)
    evaluate.run(config, results / "cohort", results / "calibration", model, folder / "predictions", folder)
    return results


@pytest.mark.slow
def test_ablations_have_a_table_on_both_pages(ablated, tmp_path):
    run(PageConfig(tier="ci"), ablated, tmp_path / "progression.html")
    ablate_report.run(PageConfig(tier="ci"), ablated, tmp_path / "ablations.html")
    texts = [(tmp_path / name).read_text() for name in ("progression.html", "ablations.html")]
    for name, text in zip(("progression.html", "ablations.html"), texts, strict=True):
        assert check_page(tmp_path / name) == []
        assert "One change at a time" in text
    # what trained the ablations is none of the study's methods
    assert "Diffusion model 'short_residual'" not in html.unescape(texts[0])
    assert "Diffusion model 'short_residual'" in html.unescape(texts[1])
    assert "loss of the short_residual form" not in texts[0]


@pytest.mark.slow
def test_each_form_of_the_ablations_has_a_row_for_each_decoding(ablated):
    ablations = read_study(ablated).ablations
    assert ablations is not None
    tables = ablation_tables(ablations)
    assert [table.title.rpartition("against ")[2] for table in tables] == ["the residual form", "mine"]
    rows = [row for table in tables for row in table.rows]
    found = [(row["change"], row["decoding"]) for row in rows]
    forms = ("nothing", "start by ControlNet", "mine")
    assert found == [(form, kind) for form in forms for kind in ("residual", "direct")]
    # one model under three names
    assert len({row["m_8"] for row in rows}) == 1
    assert rows[0]["gain"] != rows[1]["gain"]


def test_without_ablations_their_page_says_what_to_run(phantom_results, tmp_path):
    with pytest.raises(DataError, match="make ablations FAMILY=progression"):
        ablate_report.run(PageConfig(tier="ci"), phantom_results, tmp_path / "ablations.html")


def test_an_outline_runs_where_a_region_begins():
    region = np.zeros((40, 48))
    region[10:20, 20:30] = 1
    picture = outlined(np.full((40, 48), 0.5), {"ventricle": region})
    marked = (picture == LABEL_COLOURS["ventricle"]).all(axis=-1)
    factor = picture.shape[0] // 48
    # upright: the second axis up, the first from right to left
    rows, columns = np.nonzero(marked)
    assert abs(rows.min() - (48 - 30) * factor) <= factor // 2
    assert abs(columns.max() - (40 - 10) * factor) <= factor // 2
    assert not marked[(48 - 25) * factor, (40 - 15) * factor]


@pytest.mark.slow
def test_the_flow_to_true_like_volumes_leads_the_table(compared):
    metrics = read_json(compared / "evaluate" / "metrics.json")
    psnr = {name: each["psnr_by_group_db"]["all"] for name, each in metrics["methods"].items() if each["images"]}
    # volumes explain a part of the change
    assert psnr["prescribed_volumes"] > psnr["no_change"] + 0.2
    assert psnr["true_motion"] > psnr["prescribed_volumes"] + 1
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
        code, out, error = sciml_command("progression", "report", results, "--out", place)
        assert code == 0, error
        assert place in out
        assert check_page(tmp_path / place) == []
        if place == "beside.html":
            (results / "predictions").rename(results / "evaluate" / "predictions")
    code, _, error = sciml_command("progression", "report", tmp_path / "nothing", "other.html")
    assert code == 2
    assert "no such file" in error
