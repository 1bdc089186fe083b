"""Denoising in colour: pictures, metrics, rivals and their tuning, networks channel by channel, the stage and its section."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from page_artefacts import write_colour

from sciml.datasets import split
from sciml.datasets.manifest import local_path
from sciml.imaging.metrics import psnr
from sciml.imaging.priors import TotalVariation
from sciml.imaging.tasks.records import CurvePoint
from sciml.proximal.config import ColourConfig, PageConfig
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.page.colour import parameter_words, quality_table, runs_table, slider
from sciml.proximal.page.methods import PARAGRAPHS
from sciml.proximal.page.page import missing, tabs
from sciml.proximal.page.results import read_study
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.proximal.stages import colour as stage
from sciml.proximal.study import colour
from sciml.proximal.study.results import ColourLevel, ColourNumbers, ColourScores, PictureQuality, TunedParameter
from sciml.report.methods import methods_text
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import read_record
from sciml.runtime.results import read_result
from sciml.settings import load
from sciml.training import save_weights


def fetched() -> bool:
    try:
        return all(local_path(name).is_file() for role in ("test", "validation") for name in split("proximal-photos", role, "ci"))
    except DataError:
        return False


needs_data = pytest.mark.skipif(not fetched(), reason="photographs are not fetched")


def weights(folder, channels, inputs=None):
    torch.manual_seed(channels)
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),), channels=channels))
    path = folder / f"net{channels}.safetensors"
    extra = {"network": network.describe()}
    save_weights(
        path, network, config={}, seed=0, inputs=inputs or {}, source_digest="", cpu_minutes=0.0, extra=extra
    )  # fmt: skip
    return path


@pytest.fixture
def noisy():
    """A colour picture of flat areas whose edges lie at the same place in all channels, and noise of 0.1."""
    truth = torch.full((2, 3, 24, 24), 0.2)
    truth[:, 0, :, 12:], truth[:, 1, :, 12:], truth[1, 2, 12:, :] = 0.8, 0.6, 0.7
    return truth, truth + 0.1 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))


@needs_data
def test_test_photographs_are_colour_and_grey_ones_are_left_out():
    x, names = colour.colour_photographs("test", 20, 64, "default")
    assert x.shape == (9, 3, 64, 64) and x.dtype == np.float32 and "camera" not in names
    assert set(names) == set(split("proximal-photos", "test")) - {"camera"}
    assert x.min() >= 0 and x.max() <= 1
    few, first = colour.colour_photographs("test", 2, 64, "ci")
    assert first == names[:2] and np.array_equal(few, x[:2])
    assert colour.colour_photographs("validation", 3, 64, "pip")[0].shape == (0, 3, 64, 64)


def test_a_grey_picture_stored_in_three_channels_is_grey():
    grey = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    stored = np.repeat(grey[..., None], 3, axis=-1)
    assert not colour.is_colour(grey) and not colour.is_colour(stored)
    assert colour.is_colour(stored * np.array([1.0, 0.8, 0.6], dtype=np.float32))


def test_metrics_count_all_channels_and_agree_with_grey_ones():
    random = np.random.default_rng(0)
    truth = random.random((3, 16, 16)).astype(np.float32)
    estimate = (truth + 0.1 * random.standard_normal(truth.shape)).astype(np.float32)
    clipped = estimate.clip(0, 1)
    assert colour.colour_psnr(estimate, truth) == pytest.approx(-10 * np.log10(np.mean((clipped - truth) ** 2)), abs=1e-4)
    grey = np.repeat(truth[:1], 3, axis=0)
    assert colour.colour_psnr(grey + 0.1 * (0.5 - grey), grey) == pytest.approx(
        psnr((grey + 0.1 * (0.5 - grey))[0], grey[0], 1), abs=1e-4
    )
    from skimage.metrics import structural_similarity

    expected = structural_similarity(
        truth, clipped, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert colour.colour_ssim(estimate, truth) == pytest.approx(expected, abs=1e-6)


def test_one_rival_parts_the_channels_and_the_others_do_not(noisy):
    _, y = noisy
    changed = y.clone()
    changed[:, 0] = changed[:, 0].flip(-1)
    for name, rival in colour.RIVALS.items():
        before, after = rival.clean(y, 0.1, rival.first), rival.clean(changed, 0.1, rival.first)
        assert before.shape == y.shape and before.dtype == y.dtype
        assert torch.equal(before[:, 1:], after[:, 1:]) == (name == "tv-channels"), name


def test_total_variation_of_each_channel_is_the_exact_prox(noisy):
    _, y = noisy
    prox = TotalVariation(iterations=2000, tolerance=1e-8)
    exact = prox.prox(y.flatten(0, 1)[:, None].double(), 0.1).view(y.shape)
    assert float((colour.channelwise_variation(y, 0.1, 1.0) - exact).abs().max()) < 0.02


def test_joint_total_variation_of_a_grey_picture_is_the_grey_one(noisy):
    _, y = noisy
    grey = y[:, :1]
    joint = colour.joint_variation(grey.repeat(1, 3, 1, 1), 0.1, 1.0)
    # three equal channels have sqrt(3) times the variation and three times the data term
    alone = TotalVariation(iterations=1000).prox(grey, 0.1 / 3**0.5)
    assert torch.allclose(joint, joint[:, :1].expand_as(joint)) and torch.allclose(joint[:, :1], alone, atol=2e-3)


def test_tuning_finds_the_best_value_and_says_when_there_is_nothing_to_tune_on(noisy):
    truth, y = noisy
    peak = colour.Rival("peak", "x", 1.0, lambda y, sigma, value: y * 0 + truth + 0.1 * np.log(value / 3.3))
    found = colour.tuned(peak, y, truth + 1e-3, 0.1)
    assert found.value == pytest.approx(3.3, rel=0.1) and found.bracketed
    endless = colour.Rival("endless", "x", 1.0, lambda y, sigma, value: truth + 0.1 / (1 + value))
    assert len(colour.tuned(endless, y, truth, 0.1).curve) <= colour.REACH + 3
    assert colour.tuned(peak, y[:0], truth[:0], 0.1).curve == {}
    assert colour.tuned(peak, y[:0], truth[:0], 0.1).value == peak.first


def test_a_grey_network_takes_each_channel_alone(noisy):
    _, y = noisy
    network = ImplicitNetwork(RegularizerConfig(windows=((3,),)))
    found, run = stage.denoised(network, y, 0.1)
    each = torch.cat([network.solve(y[:, k : k + 1], 0.1, tolerance=1e-6).x for k in range(3)], 1)
    assert torch.allclose(found, each, atol=2e-3)
    grey = y[:1, :1].repeat(1, 3, 1, 1)
    same = stage.denoised(network, grey, 0.1)[0]
    assert torch.allclose(same[:, 0], same[:, 1], atol=1e-5) and torch.allclose(same[:, 0], same[:, 2], atol=1e-5)
    assert run.certified == [True, True] and "minimiser" in run.reason and min(run.gradients) > 0


def test_the_shipped_network_is_certified_and_keeps_grey_pictures_grey(noisy):
    truth, _ = noisy
    network = LearnedProximalNetwork.load("photo-colour")
    grey = truth[:1, :1] + 0.1 * torch.randn(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    found, run = stage.denoised(network, grey.repeat(1, 3, 1, 1), 0.1)
    assert run.certified == [True]
    # it was trained on grey pictures too, but not on grey noise: the channels part by far less than the noise
    assert float((found - found.mean(1, keepdim=True)).abs().max()) < 0.05


def level_of(**base: float) -> ColourLevel:
    quality = {name: PictureQuality(mean=value, std=0.7, n=2, values=[value, value + 1]) for name, value in base.items()}
    methods = {name.replace("_", "-"): ColourScores(psnr=one, ssim=one, above_tv=0) for name, one in quality.items()}
    return ColourLevel(sigma=0.1, methods=methods, tuned={}, runs={})


def test_reading_follows_the_numbers():
    for ahead, says in ((1.0, "gain the networks 1.00"), (-0.5, "lose the networks 0.50"), (0.01, "by less than 0.05 dB")):
        words = colour.reading([level_of(tv_channels=28, tv=29, nlm=29.5, grey=30, colour=30 + ahead)], "c", "g")
        assert says in words and "gain total variation 1.00 dB" in words
        assert f"better on {2 * (ahead > 0)} of 2 pictures" in words
    words = colour.reading([level_of(tv_channels=28, tv=29, nlm=40, grey=30, colour=31)], "c", "g")
    assert "below non-local means (better on 0 of 2)" in words


@needs_data
def test_stage_writes_what_it_documents(tmp_path):
    config = ColourConfig(data_tier="ci", sigmas=(0.1, 0.2), photographs=2, validation_photographs=1, size=32)
    stage.run(config, weights(tmp_path, 3), weights(tmp_path, 1), tmp_path / "colour")
    numbers = read_result(tmp_path / "colour" / "colour.json", ColourNumbers)
    assert [level.sigma for level in numbers.levels] == [0.1, 0.2] and len(numbers.pictures) == 2
    keys = {key for key, _ in numbers.titles}
    for level in numbers.levels:
        assert set(level.methods) == keys and set(level.tuned) == set(colour.RIVALS)
        assert (level.methods["tv"].psnr.mean or 0) > (level.methods["noisy"].psnr.mean or 0) + 3
        assert level.methods["tv"].above_tv == 0 and level.runs["colour"].certified == [True, True]
    arrays, _ = load_tensors(tmp_path / "colour" / "pictures.safetensors")
    assert set(arrays) == {"truth", *(f"{index}.{key}" for index in (0, 1) for key in keys)}
    x, names = colour.colour_photographs("test", 2, 32, "ci")
    case = names.index(numbers.shown)
    np.testing.assert_array_equal(arrays["truth"], np.moveaxis(x[case], 0, -1))
    value = colour.colour_psnr(np.moveaxis(arrays["1.colour"], -1, 0), x[case])
    assert value == pytest.approx(numbers.levels[1].methods["colour"].psnr.values[case], abs=1e-3)
    record = read_record(tmp_path / "colour")
    assert record.stage == "proximal.colour" and "noise/test/0.2" in record.seeds
    assert len(tabs(read_study(tmp_path, page()))["Colour"]) == 4


@needs_data
def test_stage_refuses_other_networks(tmp_path):
    config = ColourConfig(data_tier="ci", photographs=1, validation_photographs=1, size=32)
    with pytest.raises(ConfigError, match="expects 3"):
        stage.run(config, weights(tmp_path, 1), weights(tmp_path, 1), tmp_path)
    with pytest.raises(DataError, match="trained on sail"):
        stage.run(config, weights(tmp_path, 3, {"sail": "0"}), weights(tmp_path, 1), tmp_path)


def page():
    return PageConfig.model_validate({"tier": "demo", "data_tier": "default", "tasks": (), "trained": ()})


def test_the_section_is_shown_where_the_stage_ran_and_named_where_not(tmp_path):
    assert "colour photographs" in missing(read_study(tmp_path, page()), page())
    write_colour(tmp_path)
    study = read_study(tmp_path, page())
    assert "colour photographs" not in missing(study, page())
    assert [item.title for item in tabs(study)["Colour"]] == [
        "Colour photographs: what they show",
        "Colour photographs: noise 0.1",
        "Colour photographs",
        "Colour photographs: certificates",
    ]
    assert [record.stage for record in study.records()] == ["proximal.colour"]
    stages = [("proximal.colour", {**ColourConfig().model_dump(), "sigmas": [0.05, 0.1]})]
    text, cited = methods_text(stages, PARAGRAPHS)
    assert "sigma 0.05 and 0.1" in text and {"chambolle2004", "bresson2008"} <= set(cited)


def test_slider_shows_colours_and_the_scores_of_its_picture(tmp_path):
    write_colour(tmp_path)
    found = read_study(tmp_path, page()).colour
    assert found is not None
    pictures, table, runs = slider(found.numbers, found.arrays), quality_table(found.numbers), runs_table(found.numbers)
    np.testing.assert_array_equal(pictures.pictures["truth"], found.arrays["truth"])
    assert pictures.notes["photo-colour"] == "33.00 dB" and "total variation, each channel alone" not in pictures.pictures
    assert (
        list(pictures.pictures)[-2:] == ["photo-colour", "truth"] and len(pictures.error_maps or ()) == len(pictures.pictures) - 1
    )
    assert [row["above"] for row in table.rows] == ["0 of 2", "0 of 2", "is the measure", "2 of 2", "2 of 2", "2 of 2"]
    assert [row["certified"] for row in runs.rows] == ["2 of 2"] * 2


def test_parameter_words():
    found = TunedParameter(parameter="h / sigma", value=0.5, bracketed=False, curve=[])
    assert parameter_words(None) == "none" and parameter_words(found) == "h / sigma 0.5"
    assert "end of the search" in parameter_words(found.model_copy(update={"curve": [CurvePoint(value=0.5, psnr_db=30)]}))


@pytest.mark.parametrize("tier", ["ci", "demo", "cpu"])
def test_slice_takes_tier_and_tolerance_of_the_run(tier):
    settings = load(tier, ["proximal.tolerance=0.002"])
    found = settings.proximal.colour_config(settings)
    assert (found.data_tier, found.tolerance) == (settings.data_tier, 0.002)
