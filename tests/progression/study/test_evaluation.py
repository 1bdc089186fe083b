"""The table of the study: known forecasts have known scores, on every group of pairs."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_learning import autoencoder_config, diffusion_config, write_tiny_cohort

from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.forecasting.pair_predictions import pairs_of
from sciml.progression.networks.model_files import load_model
from sciml.progression.networks.parts import assemble
from sciml.progression.settings.models import AblationConfig, EvaluateConfig, FitCourseConfig, PredictConfig
from sciml.progression.settings.networks import FORMS, FormConfig
from sciml.progression.stages import evaluate as evaluate_stage
from sciml.progression.stages import fit_course, predict, publish, train_autoencoder, train_diffusion
from sciml.progression.study.evaluation import Method, averaging, chain_coverage, evaluate, lowest_frequencies, spearman
from sciml.progression.study.results import Metrics
from sciml.progression.study.trajectories import Trajectories
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import load_tensors
from sciml.runtime.results import read_result
from sciml.settings import load


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("evaluation") / "cohort", splits=("train", "train", "test", "test", "test"))


@pytest.fixture(scope="module")
def truth(cohort):
    return evaluate_stage.truth_of(cohort, pairs_of(cohort, "test"))


def test_every_switch_between_the_forms_is_studied_alone():
    config = AblationConfig()
    official, residual = FORMS["official"], FORMS["residual"]
    for form, other in ((official, residual), (residual, official)):
        name = "official" if form is official else "residual"
        changed = [one for key, one in config.forms.items() if key.startswith(f"{name}_with_")]
        assert len(changed) == 4
        for one in changed:
            switched = [key for key in FormConfig.model_fields if getattr(one, key) != getattr(form, key)]
            assert len(switched) == 1
            assert getattr(one, switched[0]) == getattr(other, switched[0])
    assert len(config.variants()) == 2 * len(config.forms) == 20
    settings = load("cpu", ["progression.learning.control.budget.steps=400"])
    slices = [settings.progression.train_diffusion_config(settings, name) for name in ("residual", "short_residual")]
    assert slices[1].budget == slices[0].budget.model_copy(update={"steps": 600})
    assert slices[1].form == slices[0].form
    # no longer than the study's
    controls = [settings.progression.train_control_config(settings, name) for name in ("official", "short_official")]
    assert controls[1].budget == controls[0].budget
    with pytest.raises(ConfigError, match="no form is called 'other'; the settings have residual, official"):
        settings.progression.train_diffusion_config(settings, "other")


def test_pairs_fall_into_groups(truth):
    groups = truth.groups()
    assert {name: int(members.sum()) for name, members in groups.items()} == {
        "all": 9, "3 y and more": 3, "CN": 3, "MCI": 3, "AD": 3, "below 2 y": 6, "2 to 4 y": 3, "1 visit": 6,
        "2 visits and more": 3,
    }  # fmt: skip


def test_the_truth_is_perfect_and_no_change_has_no_skill(truth, cohort):
    start = cohort.images(pair.start for pair in truth.pairs)[:, 0]
    better = (start + truth.clean) / 2
    methods = [
        Method("no_change", "baseline", np.zeros_like(truth.changes), start),
        Method("half", "model", truth.changes / 2, better),
        Method("truth", "ceiling", truth.changes),
    ]
    found = evaluate(methods, truth, "no_change", np.random.default_rng(0))
    ventricle = {name: found[name].changes["ventricle"]["all"] for name in ("no_change", "half", "truth")}
    assert ventricle["truth"].skill == 1
    assert ventricle["no_change"].skill == 0
    assert ventricle["half"].skill == pytest.approx(0.5)
    assert ventricle["half"].slope == pytest.approx(0.5)
    assert ventricle["half"].correlation == pytest.approx(1)
    # half of the way is half of the error: 6 dB
    gain = found["half"].gain_db["3 y and more"]
    assert gain.mean == pytest.approx(20 * np.log10(2), abs=0.05)
    assert gain.low <= gain.mean <= gain.high
    assert found["no_change"].gain_db["all"].mean == 0
    assert found["truth"].gain_db is None
    assert found["truth"].brain_volume_error["hippocampus"] == pytest.approx(0, abs=1e-12)
    assert set(found["half"].changes["csf"]) == set(truth.groups())


def test_the_law_of_averaging_is_read_off():
    counts = np.array([1, 2, 4, 8, 0])
    errors = 0.5 + 2.0 / np.where(counts == 0, np.inf, counts) + np.where(counts == 0, 3.5, 0)
    found = averaging(counts, np.tile(errors, (6, 1)), np.stack([np.arange(6), -np.arange(6)], axis=1))
    assert found.squared_bias == pytest.approx(0.5)
    assert found.variance == pytest.approx(2.0)
    assert found.no_change_mse == pytest.approx(4.0)
    assert found.chains == [1, 2, 4, 8]
    assert found.relative(found.error_of(4)) == pytest.approx(0.25)
    assert found.error_of(16) is None
    assert found.spearman_spread_error == pytest.approx(-1)


def test_a_cosine_code_keeps_the_lowest_frequencies():
    side = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    smooth = 2 + np.broadcast_to(side[:, None, None], (8, 8, 8))
    np.testing.assert_allclose(lowest_frequencies(smooth, 4), smooth, atol=1e-12)
    np.testing.assert_allclose(lowest_frequencies(smooth, 1), 2, atol=1e-12)
    noise = np.random.default_rng(0).normal(size=(8, 8, 8))
    np.testing.assert_allclose(lowest_frequencies(noise, 512), noise, atol=1e-12)


def test_chains_that_spread_as_they_err_cover_the_truth(truth):
    random = np.random.default_rng(0)
    centre = truth.changes + 0.05 * random.normal(size=truth.changes.shape)
    fair = chain_coverage(centre + 0.05 * random.normal(size=(200, *centre.shape)), truth)
    narrow = chain_coverage(centre + 0.001 * random.normal(size=(200, *centre.shape)), truth)
    assert np.mean([one.coverage_2sd for one in fair.values()]) > 0.85
    assert np.mean([one.coverage_2sd for one in narrow.values()]) < 0.3
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 25.0])) == pytest.approx(1)
    assert np.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_trajectories_tell_bends_and_wrong_turns():
    with pytest.raises(ValueError, match="expected years in even steps"):
        EvaluateConfig(trajectory_years=(1, 2, 4))
    years = np.arange(1, 6)
    # ventricles bend by one point a year^2; everything else is a straight line, the hippocampus's in the wrong direction
    read = np.zeros((2, 6, len(REGIONS)))
    read[..., REGIONS.index("ventricle")] = 0.005 * np.arange(6) ** 2
    read[..., REGIONS.index("hippocampus")] = 0.03 * np.arange(6)
    read[..., REGIONS.index("white_matter")] = -0.02 * np.arange(6)
    scores = Trajectories(years, (), read, 0 * read).scores()
    ventricle, hippocampus = scores["ventricle"], scores["hippocampus"]
    assert ventricle.second_difference_points == pytest.approx(1)
    assert hippocampus.second_difference_points == pytest.approx(0, abs=1e-9)
    assert ventricle.told_second_difference_points == hippocampus.told_second_difference_points == 0
    assert (ventricle.right_direction, hippocampus.right_direction, scores["white_matter"].right_direction) == (1, 0, 1)


@pytest.mark.slow
def test_the_stage_writes_every_method_with_its_scores(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort")
    other = write_tiny_cohort(tmp_path / "calibration", splits=("calibration",) * 4)
    train_autoencoder.run(autoencoder_config(), cohort.folder, tmp_path)
    train_diffusion.run(
        diffusion_config(FORMS["residual"], "residual"), cohort.folder, tmp_path / "autoencoder.safetensors", tmp_path
    )
    kinds = FitCourseConfig(kinds=("no_change", "linear_population"))
    fit_course.run(kinds, cohort.folder, tmp_path)
    parts = [tmp_path / f"{name}.safetensors" for name in ("autoencoder", "residual", "course")]
    model = assemble(tmp_path / "model.safetensors", "tiny", *parts)
    how = {"samples": 2, "steps": 5, "course": "linear_population"}
    variants = {
        "main": {"how": how},
        "draws": {"how": how, "volumes": "draws", "keep_chains": True},
        "zero_gap": {"how": how, "zero_gap": True},
        "direct": {"how": how | {"decoding": "direct"}},
    }
    predict.run(
        PredictConfig.model_validate({"variants": variants}), cohort.folder, {"residual": [model]}, tmp_path / "predictions"
    )
    # variants that sample alike share their chains: as if each had been sampled alone
    single = {"one": {"how": how | {"samples": 1, "decoding": "direct"}}}
    for name, group in (("alone", single), ("among", single | {"more": {"how": how}})):
        predict.run(PredictConfig.model_validate({"variants": group}), cohort.folder, {"residual": [model]}, tmp_path / name)
    alone, among = (load_tensors(tmp_path / name / "one.safetensors")[0] for name in ("alone", "among"))
    np.testing.assert_allclose(alone["images"], among["images"], atol=2e-3)
    np.testing.assert_array_equal(alone["counts"], among["counts"])
    config = EvaluateConfig(course="linear_population", population_field=False, prescribed=False)
    evaluate_stage.run(config, cohort.folder, other.folder, model, tmp_path / "predictions", tmp_path / "evaluate")
    metrics = read_result(tmp_path / "evaluate" / "metrics.json", Metrics)
    assert set(metrics.methods) == {
        "no_change", "no_change_denoised", "autoencoder_only", "course_linear_population", "scan_itself", "decoded_truth",
        "decoded_true_change", "main", "draws", "direct",
    }  # fmt: skip
    assert set(metrics.zero_gap_points) == set(REGIONS)
    assert set(metrics.calibration) == {"draws"}
    assert metrics.averaging["main"].chains == [1, 2]
    assert (metrics.pairs, metrics.people) == (3, 1)
    changes, _ = load_tensors(tmp_path / "evaluate" / "changes.safetensors")
    assert changes["main"].shape == changes["truth"].shape == (3, len(REGIONS))
    # the rates by diagnosis that the model is told are straight lines; the one test person is forecast for six years
    assert changes["trajectories"].shape == changes["trajectories_told"].shape == (1, 7, len(REGIONS))
    yearly = metrics.trajectories.regions["ventricle"]
    assert yearly.told_second_difference_points == pytest.approx(0, abs=1e-9)
    assert yearly.second_difference_points > 0
    densities, middles = np.array(metrics.autoencoder.latent_densities), np.array(metrics.autoencoder.latent_middles)
    assert len(densities) == len(metrics.autoencoder.latent_sd)
    np.testing.assert_allclose(densities.sum(axis=1) * (middles[1] - middles[0]), 1)
    weights, card = publish.run(model, tmp_path / "evaluate" / "metrics.json", "mine", tmp_path / "package")
    assert load_model(weights).name == "tiny"
    text = card.read_text()
    assert "Not for clinical use" in text
    assert "hippocampus: correlation with the true change" in text
    with pytest.raises(ConfigError, match="is of other pairs than test; predict again"):
        evaluate_stage.run(
            config.model_copy(update={"every": 2}), cohort.folder, other.folder, model, tmp_path / "predictions", tmp_path / "x"
        )
