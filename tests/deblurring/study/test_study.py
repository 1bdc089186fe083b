"""The study from photographs to scores; nothing but scores and tuning sees the truth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sciml.deblurring.config import (
    Config,
    CorrectConfig,
    PairSet,
    RestoreConfig,
    SimulateSetConfig,
    SpreadConfig,
    TunePriorConfig,
    default_sets,
)
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.restoration.deblur import deblur
from sciml.deblurring.settings.grid import cells
from sciml.deblurring.solvers.image import natural_weight
from sciml.deblurring.stages import correct
from sciml.deblurring.stages.calibrate import calibrate_spreads
from sciml.deblurring.stages.evaluate import score_set
from sciml.deblurring.stages.restore import restore_pairs
from sciml.deblurring.stages.simulate import simulate_set
from sciml.deblurring.stages.spread import map_spreads
from sciml.deblurring.stages.tune import tune_prior
from sciml.deblurring.study.blurring import MARGIN, ROUNDING, simulate, wrong_kernel
from sciml.deblurring.study.cells import circular, picture_of, read_weights, solve_cell, weight_of
from sciml.deblurring.study.pairs import load_problems, load_truths
from sciml.imaging.operators.convolution import ValidBlur
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError
from sciml.runtime.files import load_tensors, read_json, save_tensors

SIZE, PRIORS = 64, ("tv", "richardson-lucy", "tv-circular")
SETTINGS = PairSet(kernels=("motion:9,30",), errors=("exact", "rotation:20"), size=SIZE)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A whole study of one photograph and one kernel, tuned on itself: what is tested is the machinery."""
    folder = tmp_path_factory.mktemp("study")
    settings = SimulateSetConfig(**{**SETTINGS.model_dump(), "photographs": ("camera",)}, name="test", seed=1)
    (pairs,) = simulate_set(settings, folder / "simulate")
    kernels, steps = correct.run(CorrectConfig(seed=1), pairs, "camera", folder / "correct")
    weights = {}
    for prior, grid in zip(PRIORS, ((0.5, 1.0), (0.05, 0.1), (1.0,)), strict=True):
        config = TunePriorConfig(prior=prior, models=models_of(prior), weights=grid, pairs=2)
        (weights[prior],) = tune_prior(config, pairs, [kernels], folder / f"tune-{prior}")
    config = RestoreConfig(cells=None, priors=PRIORS)
    (pictures,) = restore_pairs(config, pairs, "camera", kernels, weights, folder / "restore")
    (scores,) = score_set(pairs, [pictures], [kernels], folder / "evaluate")
    (spreads,) = map_spreads(SpreadConfig(count=4), pairs, "camera", kernels, weights["tv"], folder / "spread")
    part = (pairs, [pictures], [spreads])
    (numbers,) = calibrate_spreads(*part, *part, folder / "calibrate")
    return SimpleNamespace(
        folder=folder, pairs=pairs, kernels=kernels, steps=steps, weights=weights, pictures=pictures, scores=scores,
        spreads=spreads, numbers=numbers,
    )  # fmt: skip


def models_of(prior: str) -> tuple[str, ...]:
    return tuple(cell.rpartition("/")[2] for cell in cells([prior]))


def simulated(folder: Path, **changes: object) -> Path:
    settings = SETTINGS.model_copy(update=changes)
    simulate(settings, ("camera",), 0, folder / "pairs.safetensors")
    return folder / "pairs.safetensors"


def test_a_picture_is_the_blurred_truth_with_noise_and_the_residual_of_the_given_kernel_closes_the_balance(study):
    for problem, truth in zip(load_problems(study.pairs), load_truths(study.pairs), strict=True):
        spare = truth.margin - len(problem.given) // 2
        inner = truth.canvas[spare:-spare, spare:-spare].astype(np.float64)
        blur = ValidBlur(problem.given, (SIZE, SIZE), torch.float64)
        # y = k^ * x + (k - k^) * x + n
        noise = (
            problem.y[0, 0].numpy() - blur.A(torch.from_numpy(inner)[None, None])[0, 0].numpy() - truth.residual(problem.given)
        )
        assert noise.std() == pytest.approx(0.01, rel=0.05)
        assert abs(noise.mean()) < 5e-4
    exact, turned = load_truths(study.pairs)[0], load_problems(study.pairs)[1]
    assert np.abs(exact.residual(exact.kernel)).max() < 1e-12
    assert exact.residual(turned.given).std() > 0.01


def test_pairs_of_one_scene_share_picture_and_noise_and_seeds_repeat(tmp_path):
    (tmp_path / "again").mkdir()
    first, second = (simulated(folder) for folder in (tmp_path, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes()
    one, other = load_problems(first)
    assert torch.equal(one.y, other.y)
    assert not np.array_equal(one.given, other.given[1:-1, 1:-1])


def test_a_circular_picture_goes_on_from_its_other_side_and_noise_free_ones_are_rounded(tmp_path):
    path = simulated(tmp_path, boundary="circular", noise=0.0, errors=("exact",))
    (problem,), (truth,) = load_problems(path), load_truths(path)
    transfer = np.fft.fft2(np.roll(np.pad(truth.kernel, (0, SIZE - len(truth.kernel))), (-(len(truth.kernel) // 2),) * 2, (0, 1)))
    wanted = np.fft.ifft2(np.fft.fft2(truth.picture) * transfer).real
    assert np.abs(problem.y[0, 0].numpy() - wanted).max() <= 0.5 / 255 + 1e-6
    assert problem.sigma == pytest.approx(ROUNDING)
    assert np.abs(problem.y.numpy() * 255 - np.round(problem.y.numpy() * 255)).max() < 1e-4


@pytest.mark.parametrize(
    ("error", "wanted"), [("bias:length=-4", "motion:5,30"), ("bias:angle=10", "motion:9,40"), ("exact", "motion:9,30")]
)
def test_a_bias_changes_one_number_of_a_named_kernel(error, wanted):
    true = read_kernel("motion:9,30").kernel
    assert np.array_equal(wrong_kernel("motion:9,30", true, error, 0), read_kernel(wanted).kernel)


@pytest.mark.parametrize("error", ["bias:length", "bias:radius=1", "bias:length=-9", "wobble:3"])
def test_an_error_that_does_not_exist_is_refused(error):
    with pytest.raises(ConfigError):
        wrong_kernel("motion:9,30", read_kernel("motion:9,30").kernel, error, 0)


def test_test_photographs_cannot_be_tuned_on_nor_sets_be_swapped(tmp_path):
    with pytest.raises(ConfigError, match="camera is no validation photograph"):
        simulated(tmp_path, role="validation")
    sets = default_sets()
    with pytest.raises(ValidationError, match="only the set validation tunes"):
        Config(sets={**sets, "test": sets["validation"]})
    with pytest.raises(ValidationError, match="missing"):
        Config(sets={"test": sets["test"]})


def test_no_set_of_the_study_shares_a_photograph_or_a_kernel_with_validation():
    sets = default_sets()
    tuned = sets.pop("validation")
    for name, one in sets.items():
        assert one.role == "test", name
        assert not set(one.kernels) & set(tuned.kernels), name


def test_a_photograph_that_is_too_small_and_a_kernel_without_room_are_refused(tmp_path):
    with pytest.raises(ShapeError, match="smaller size"):
        simulated(tmp_path, size=600)
    with pytest.raises(ShapeError, match=f"{2 * MARGIN + 1}"):
        simulated(tmp_path, kernels=("gaussian:20",))


@pytest.mark.slow
def test_kernels_and_pictures_are_made_without_the_truth(study, tmp_path):
    tensors, notes = load_tensors(study.pairs)
    blind = {name: np.full_like(array, np.nan) if name.endswith(".canvas") else array for name, array in tensors.items()}
    blinder = {name: np.full_like(array, np.nan) if ".kernel" in name else array for name, array in blind.items()}
    save_tensors(tmp_path / "blind.safetensors", blind, notes)
    save_tensors(tmp_path / "blinder.safetensors", blinder, notes)
    blinder_pairs, config = tmp_path / "blinder.safetensors", CorrectConfig(seed=1, errors=("none", "warp", "kernel"))
    kernels, _ = correct.run(config, blinder_pairs, "camera", tmp_path / "correct")
    found, whole = load_tensors(kernels)[0], load_tensors(study.kernels)[0]
    assert {name for name in whole if not name.endswith(".both")} == set(found)
    assert all(array.tobytes() == whole[name].tobytes() for name, array in found.items())
    config = RestoreConfig(cells=None, priors=PRIORS)
    blind_pairs = tmp_path / "blind.safetensors"
    (pictures,) = restore_pairs(config, blind_pairs, "camera", study.kernels, study.weights, tmp_path / "restore")
    assert pictures.read_bytes() == study.pictures.read_bytes()
    weights = study.weights["tv"]
    (maps,) = map_spreads(SpreadConfig(count=4), blinder_pairs, "camera", study.kernels, weights, tmp_path / "spread")
    assert maps.read_bytes() == study.spreads.read_bytes()


def test_a_cell_is_what_deblur_returns_for_the_same_picture(study):
    problem = load_problems(study.pairs)[1]
    pictures, _ = load_tensors(study.pictures)
    weight = weight_of(read_weights({"tv": study.weights["tv"]}), "tv", "none")
    found = deblur(problem.y[0, 0].numpy(), problem.given, problem.sigma, error="none", weight=weight)
    assert np.abs(found.image - pictures["1.tv/none"]).max() < 1e-6


def test_the_turned_kernel_is_turned_back_and_the_scores_say_so(study):
    exact, turned = read_json(study.scores)
    assert turned["kernels"]["warp"]["ncc"] > turned["kernels"]["none"]["ncc"] + 0.1
    assert turned["kernels"]["warp"]["blur_rms"] < 0.5 * turned["kernels"]["none"]["blur_rms"]
    assert turned["cells"]["tv/warp"]["psnr"] > turned["cells"]["tv/none"]["psnr"] + 1
    assert turned["residuals"]["warp"]["correlation"] > 0.8
    assert turned["step"]["warp"]["warp"][0] == pytest.approx(-20, abs=3)
    assert exact["kernels"]["none"]["blur_rms"] == 0
    for row in (exact, turned):
        assert row["cells"]["tv/true"]["psnr"] > row["blurred"]["psnr"] + 2
        for scores in row["cells"].values():
            assert scores["psnr_best_shift"] > 0
            assert 0 < scores["ssim"] <= 1


def test_the_circular_boundary_costs_decibels_with_the_exact_kernel(study):
    exact = read_json(study.scores)[0]["cells"]
    assert exact["tv/none"]["psnr"] > exact["tv-circular/none"]["psnr"] + 2


def test_the_circular_solver_minimises_its_objective_on_circular_data():
    generator = torch.Generator().manual_seed(0)
    x = torch.zeros(1, 1, 32, 32)
    x[..., 8:20, 5:25] = 1.0
    kernel = read_kernel("gaussian:1").kernel
    transfer = torch.fft.fft2(torch.roll(torch.nn.functional.pad(torch.from_numpy(kernel), (0, 25, 0, 25)), (-3, -3), (0, 1)))
    y = torch.fft.ifft2(torch.fft.fft2(x.double()) * transfer).real.float()
    noisy = y + 0.01 * torch.randn(y.shape, generator=generator)
    found = circular(noisy, kernel, natural_weight(kernel, 0.01))
    assert float((found - x).square().mean()) < 0.2 * float((noisy - x).square().mean())


def test_tuning_keeps_the_weight_of_the_largest_mean_and_the_whole_curve(study):
    found = read_json(study.weights["tv"])
    assert set(found) == {"none", "warp", "kernel", "both", "true"}
    for model in found.values():
        assert model["psnr"] == max(value for _, value in model["curve"])
        assert [weight for weight, _ in model["curve"]] == [0.5, 1.0]


def test_an_interrupted_stage_goes_on(study, tmp_path, monkeypatch):
    config, seen = CorrectConfig(seed=1, errors=("none", "kernel")), []
    whole, _ = correct.run(config, study.pairs, "camera", tmp_path / "whole")

    def stopped(problem, config, *, made=correct.corrections):
        if seen:
            raise KeyboardInterrupt
        seen.append(problem.name)
        return made(problem, config)

    monkeypatch.setattr(correct, "corrections", stopped)
    with pytest.raises(KeyboardInterrupt):
        correct.run(config, study.pairs, "camera", tmp_path / "correct")
    monkeypatch.undo()
    again = []
    monkeypatch.setattr(correct, "corrections", lambda p, c, made=correct.corrections: again.append(p.name) or made(p, c))
    kernels, _ = correct.run(config, study.pairs, "camera", tmp_path / "correct")
    assert len(again) == 1
    assert again[0] not in seen
    assert kernels.read_bytes() == whole.read_bytes()


def test_the_calibration_covers_its_own_pictures(study):
    found = read_json(study.numbers)
    every = [row["coverage"] for row in found["validation"]]
    assert np.mean(every) == pytest.approx(0.95, abs=1e-3)
    assert found["test"] == found["validation"]
    assert [spread for spread, _ in found["test_deciles"]] == sorted(spread for spread, _ in found["test_deciles"])


def test_what_is_not_there_is_said(study, tmp_path):
    with pytest.raises(ConfigError, match="no cell 'tv/magic'"):
        cells(PRIORS, ("tv/magic",))
    with pytest.raises(DataError, match="run the tune stage again"):
        weight_of({}, "tv", "warp")
    save_tensors(tmp_path / "other.safetensors", {"a": np.zeros(3)}, {})
    with pytest.raises(FormatError, match="no pairs"):
        load_problems(tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="no pair to tune on"):
        tune_prior(TunePriorConfig(prior="tv", models=("none",), weights=(1.0,), pairs=1), study.pairs, [], tmp_path / "tune")


def test_every_prior_of_the_grid_fills_the_canvas_and_weights_scale_with_the_noise(study):
    problem = load_problems(study.pairs)[0]
    for prior in ("tv", "hyper-laplacian", "richardson-lucy", "tv-circular"):
        x = solve_cell(problem.y, problem.given, problem.sigma, prior, 0.1 if prior != "richardson-lucy" else 0.2)
        assert picture_of(x, problem.y).shape == problem.y.shape
        assert bool(torch.isfinite(x).all())
    scaled = solve_cell(0.5 * problem.y, problem.given, 0.5 * problem.sigma, "tv", 0.75)
    assert torch.allclose(scaled, 0.5 * solve_cell(problem.y, problem.given, problem.sigma, "tv", 0.75), atol=1e-5)


def test_settings_of_every_stage_can_be_sliced():
    from sciml.settings import load, slice_of

    settings = load("cpu")
    assert '"prior":"tv"' in slice_of(settings, "deblurring", "tune")
    assert '"both"' in slice_of(settings, "deblurring", "correct", "test")
    assert '"both"' not in slice_of(settings, "deblurring", "correct", "radius")
    assert '"spread":null' in slice_of(settings, "deblurring", "restore", "radius")
    assert '"spread":{' in slice_of(settings, "deblurring", "restore", "test")
    for stage in ("simulate", "evaluate", "photo", "report"):
        assert slice_of(settings, "deblurring", stage).startswith("{")
    with pytest.raises(ConfigError, match="no pair_set 'nothing'"):
        slice_of(settings, "deblurring", "correct", "nothing")
