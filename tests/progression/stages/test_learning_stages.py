"""The stages of the training, end to end on a made-up cohort: resume, frozen parts, no leak from test people, one model file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_learning import autoencoder_config, budget, control_config, diffusion_config, write_tiny_cohort

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.forecasting.pair_predictions import pairs_of
from sciml.progression.forecasting.training_pairs import PairBatches, encode_split, measured_change_sd
from sciml.progression.networks.model_files import load_model, read_autoencoder, read_denoiser
from sciml.progression.networks.parts import assemble
from sciml.progression.settings.models import FitCourseConfig, PredictConfig
from sciml.progression.settings.networks import FORMS, FormConfig
from sciml.progression.stages import fit_course, predict, train_autoencoder, train_controlnet, train_diffusion
from sciml.runtime.errors import ConfigError, FormatError
from sciml.runtime.files import load_tensors, read_json
from sciml.training import weights_digest
from sciml.training.signals import TrainingInterrupted

LINEAR = FitCourseConfig(kinds=("no_change", "linear_population", "huber"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    cohort = write_tiny_cohort(folder / "cohort")
    train_autoencoder.run(autoencoder_config(), cohort.folder, folder / "autoencoder")
    weights = folder / "autoencoder" / "autoencoder.safetensors"
    for name, form in FORMS.items():
        train_diffusion.run(diffusion_config(form, name), cohort.folder, weights, folder / "diffusion")
    fit_course.run(LINEAR, cohort.folder, folder / "course")
    train_controlnet.run(
        control_config(), cohort.folder, weights, folder / "diffusion" / "official.safetensors", folder / "control"
    )
    return folder


def test_the_autoencoder_knows_the_scale_of_its_latents(study):
    autoencoder, about = read_autoencoder(study / "autoencoder" / "autoencoder.safetensors")
    cohort = write_tiny_cohort(study / "again")
    _, scale, _ = read_denoiser(study / "diffusion" / "residual.safetensors")
    table = encode_split(autoencoder, cohort, "train", scale, "cpu", flip=True)
    plain = table.latents[0]
    torch.testing.assert_close(plain.mean((0, 2, 3, 4)), torch.zeros(3), atol=2e-3, rtol=0)
    torch.testing.assert_close(plain.std((0, 2, 3, 4), correction=0), torch.ones(3), atol=2e-3, rtol=0)
    assert float(autoencoder.change_sd) == pytest.approx(measured_change_sd(table), rel=1e-5)
    assert table.latents.shape[0] == 2
    assert not torch.equal(table.latents[0], table.latents[1])
    # the people it learned from, nobody else
    assert set(about["inputs"]) == {"s0", "s1", "s2"}
    history = (study / "autoencoder" / "history.csv").read_text().splitlines()
    assert "validation_brain_psnr_db" in history[0]


def test_the_unet_is_the_same_before_and_after_the_controlnet_is_trained(study):
    before, after = (load_tensors(study / part / "official.safetensors")[0] for part in ("diffusion", "control"))
    assert len(before) > 50
    assert all(np.array_equal(value, after[name]) for name, value in before.items())
    added = [name for name in after if name.startswith("control.")]
    assert added
    zero = [name for name in added if "controlnet_down_blocks" in name and name.endswith("weight")]
    assert any(np.abs(after[name]).max() > 0 for name in zero)


def test_one_file_holds_a_model_and_parts_that_do_not_fit_are_refused(study, tmp_path):
    parts = study / "autoencoder" / "autoencoder.safetensors", study / "course" / "course.safetensors"
    made = assemble(tmp_path / "residual.safetensors", "tiny", parts[0], study / "diffusion" / "residual.safetensors", parts[1])
    model = load_model(made)
    assert (model.name, model.grid.name, set(model.courses)) == ("tiny", "4.5mm", {"no_change", "linear_population", "huber"})
    assert set(model.about["inputs"]) == {"s0", "s1", "s2"}
    denoiser, scale, _ = read_denoiser(study / "diffusion" / "residual.safetensors")
    # in half precision, but for what was measured
    assert all(
        torch.equal(value.half().float(), model.denoiser.state_dict()[name]) for name, value in denoiser.state_dict().items()
    )
    encoder = read_autoencoder(parts[0])[0]
    assert torch.equal(encoder.latent_sd, model.autoencoder.latent_sd)
    assert made.stat().st_size < 0.6 * sum(path.stat().st_size for path in (*parts, study / "diffusion" / "residual.safetensors"))
    np.testing.assert_array_equal(scale.low, model.scale.low)
    official = assemble(tmp_path / "o.safetensors", "o", parts[0], study / "control" / "official.safetensors", parts[1])
    assert load_model(official).denoiser.control is not None
    with pytest.raises(ConfigError, match="has no ControlNet yet; run `train-controlnet`"):
        assemble(tmp_path / "x.safetensors", "x", parts[0], study / "diffusion" / "official.safetensors", parts[1])
    with pytest.raises(FormatError, match="holds autoencoder, expected a model"):
        load_model(parts[0])
    with pytest.raises(ConfigError, match="there is no model absent"):
        load_model("absent")
    with pytest.raises(ConfigError, match="no course model 'logistic_mixed'"):
        model.course("logistic_mixed")


def test_every_way_to_forecast_is_tried_on_every_pair(study, tmp_path):
    parts = study / "autoencoder" / "autoencoder.safetensors", study / "course" / "course.safetensors"
    made = {
        name: [assemble(tmp_path / f"{name}.safetensors", name, parts[0], study / source / f"{name}.safetensors", parts[1])]
        for name, source in (("residual", "diffusion"), ("official", "control"))
    }
    how = {"samples": 2, "steps": 5, "course": "linear_population"}
    variants = {
        "main": {"how": how, "keep_chains": True},
        "draws": {"how": how, "volumes": "draws"},
        "zero_gap": {"how": how, "zero_gap": True},
        "one": {"how": how | {"samples": 1}},
        "true": {"how": how, "volumes": "truth"},
        "unscaled": {"how": how, "unscaled": True},
        "official": {"form": "official", "how": how | {"decoding": "direct"}},
    }
    config = PredictConfig.model_validate({"variants": variants})
    predict.run(config, study / "cohort", made, tmp_path / "out")
    found = {name: load_tensors(tmp_path / "out" / f"{name}.safetensors")[0] for name in variants}
    pairs = read_json(tmp_path / "out" / "pairs.json")
    assert [(pair["start"], pair["followup"], pair["history"]) for pair in pairs] == [(0, 1, 1), (0, 2, 1), (1, 2, 2)]
    assert found["main"]["images"].shape == (3, 40, 48, 40)
    assert found["main"]["chain_images"].shape == (2, 3, 40, 48, 40)
    assert found["main"]["counts"].tolist() == [1, 2, 0]
    # the first of two chains is the only chain of the other
    np.testing.assert_allclose(found["main"]["latent_errors"][:, 0], found["one"]["latent_errors"][:, 0], rtol=1e-5)
    cohort = Cohort(study / "cohort")
    truth = np.array([pair.followup.volumes_ml for pair in pairs_of(cohort, "test")])
    np.testing.assert_allclose(found["true"]["volumes_ml"], truth)
    assert not np.allclose(found["main"]["volumes_ml"], truth)
    np.testing.assert_allclose(found["draws"]["volumes_ml"], found["main"]["volumes_ml"], rtol=0.02)
    start = np.array([pair.start.volumes_ml for pair in pairs_of(cohort, "test")])
    np.testing.assert_allclose(found["zero_gap"]["volumes_ml"], start)
    # asked for A itself, the truth is the start
    assert not found["zero_gap"]["latent_errors"][:, -1].any()
    assert not np.array_equal(found["unscaled"]["images"], found["main"]["images"])
    assert not (tmp_path / "out.partial").exists()
    with pytest.raises(ConfigError, match="no model of the form 'official' is given; given are residual"):
        predict.run(config, study / "cohort", {"residual": made["residual"]}, tmp_path / "out")


def test_latents_of_another_autoencoder_are_refused(study, tmp_path):
    train_autoencoder.run(autoencoder_config(seed=1), study / "cohort", tmp_path)
    other, course = tmp_path / "autoencoder.safetensors", study / "course" / "course.safetensors"
    with pytest.raises(ConfigError, match="latents of another autoencoder"):
        assemble(tmp_path / "x.safetensors", "x", other, study / "diffusion" / "residual.safetensors", course)
    with pytest.raises(ConfigError, match="latents of another autoencoder"):
        train_controlnet.run(control_config(), study / "cohort", other, study / "diffusion" / "official.safetensors", tmp_path)


def test_a_changed_test_person_changes_no_byte_of_what_was_learned(study, tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort", change_of_test=0.3)
    train_autoencoder.run(autoencoder_config(), cohort.folder, tmp_path / "autoencoder")
    weights = tmp_path / "autoencoder" / "autoencoder.safetensors"
    assert weights.read_bytes()[:100] == (study / "autoencoder" / "autoencoder.safetensors").read_bytes()[:100]
    assert weights_digest(weights) == weights_digest(study / "autoencoder" / "autoencoder.safetensors")
    train_diffusion.run(diffusion_config(FORMS["residual"], "residual"), cohort.folder, weights, tmp_path / "diffusion")
    fit_course.run(LINEAR, cohort.folder, tmp_path / "course")
    for part in ("diffusion/residual", "course/course"):
        arrays = [load_tensors(base / f"{part}.safetensors") for base in (tmp_path, study)]
        assert arrays[0][0].keys() == arrays[1][0].keys()
        assert weights_digest(tmp_path / f"{part}.safetensors") == weights_digest(study / f"{part}.safetensors")
        # the ranges of the covariates are in the metadata
        assert arrays[0][1]["extra"].get("covariates") == arrays[1][1]["extra"].get("covariates")
        assert arrays[0][1]["inputs"] == arrays[1][1]["inputs"]


def test_a_stopped_training_ends_in_the_same_weights(study, tmp_path, monkeypatch):
    config = diffusion_config(FORMS["residual"], "residual", budget=budget(steps=4))
    weights = study / "autoencoder" / "autoencoder.safetensors"
    train_diffusion.run(config, study / "cohort", weights, tmp_path / "whole")
    original = PairBatches.batch

    def stopping(self, step):
        if step == 2:
            raise KeyboardInterrupt
        return original(self, step)

    monkeypatch.setattr(PairBatches, "batch", stopping)
    with pytest.raises((KeyboardInterrupt, TrainingInterrupted)):
        train_diffusion.run(config, study / "cohort", weights, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "residual.safetensors.partial").is_dir()
    monkeypatch.undo()
    train_diffusion.run(config, study / "cohort", weights, tmp_path / "stopped")
    assert weights_digest(tmp_path / "stopped" / "residual.safetensors") == weights_digest(
        tmp_path / "whole" / "residual.safetensors"
    )
    other = diffusion_config(FORMS["residual"], "residual", budget=budget(steps=4), seed=1)
    train_diffusion.run(other, study / "cohort", weights, tmp_path / "other")
    assert weights_digest(tmp_path / "other" / "residual.safetensors") != weights_digest(
        tmp_path / "whole" / "residual.safetensors"
    )


def test_pairs_are_of_one_person_in_order_and_a_function_of_the_step(study):
    autoencoder, _ = read_autoencoder(study / "autoencoder" / "autoencoder.safetensors")
    _, scale, _ = read_denoiser(study / "diffusion" / "residual.safetensors")
    cohort = write_tiny_cohort(study / "pairs")
    table = encode_split(autoencoder, cohort, "train", scale, "cpu", flip=False)
    assert len(table.pairs) == 9
    for start, followup in table.pairs:
        assert table.visits[start].subject == table.visits[followup].subject
        assert table.visits[start].age_years < table.visits[followup].age_years
    form = FormConfig()
    batches = PairBatches(table, form, 16, seed=3, zero_gap_share=0.5)
    first, again, other = batches.batch(5), batches.batch(5), batches.batch(6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["start"], other["start"])
    same = [torch.equal(a, b) for a, b in zip(first["start"], first["followup"], strict=True)]
    assert 2 < sum(same) < 14
    # where nothing changes, the change of the covariates is zero too
    assert float(first["context"][same][:, 8:].abs().max()) == 0
    alone = PairBatches(table, form, 16, seed=3, any_visit=True).batch(0)
    assert torch.equal(alone["start"], alone["followup"])
