"""The study of untrained networks: what is returned beside the warm start, and a stage that never shows a fit the truth."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, sharp
from scipy import ndimage

from sciml.deblurring.config import default_sets
from sciml.deblurring.dip.blend import SHARES, blended, misfits
from sciml.deblurring.dip.blur import CircularBlur
from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.dip.objective import Objective
from sciml.deblurring.dip.stopping import CombinedRule, IterationState, held_out_pixels
from sciml.deblurring.dip.warm import warm_fit
from sciml.deblurring.settings.structures import (
    DIP_PAIRS,
    DipCell,
    DipConfig,
    DipStudyConfig,
    StopConfig,
    dip_ablations,
    dip_cells,
)
from sciml.deblurring.solvers.image import map_estimate, natural_weight
from sciml.deblurring.stages import dip as stage
from sciml.deblurring.study import dip
from sciml.deblurring.study.blurring import MARGIN
from sciml.deblurring.study.dip import Scorer, fit_of, scores_of, seed_scores
from sciml.deblurring.study.pairs import Problem, Truth, load_problems, load_truths
from sciml.deblurring.study.results import ResidualScores, TunedWeight
from sciml.deblurring.study.scores import display_psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel, line
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import load_tensors, read_json, save_tensors
from sciml.runtime.results import write_result

KERNEL, GIVEN, SIZE = line(7.0, 20.0, 9), line(7.0, 35.0, 9), 32
QUICK = DipConfig(
    network="tiny", iterations=8, ramp_iterations=2, stop=StopConfig(look_every=2, window=4, held_out=0.2, ends=False)
)


def quick(**changes: object) -> DipConfig:
    return DipConfig.model_validate(QUICK.model_dump() | changes)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- pixels, boundary, rule ---


def test_held_out_squares_are_whole_and_of_the_wanted_share():
    drawn = held_out_pixels((90, 61), 0.2, seeded(), block=3)[0, 0]
    assert float(drawn.float().mean()) == pytest.approx(0.2, abs=0.03)
    whole = drawn[:, :60].reshape(30, 3, 20, 3).float().mean((1, 3))
    assert set(whole.flatten().tolist()) == {0.0, 1.0}


def test_the_circular_blur_wraps_and_has_its_adjoint():
    kernel = np.zeros((5, 5))
    kernel[:, 1], kernel[4, 1:4] = 1.0, 2.0
    kernel /= kernel.sum()
    blur = CircularBlur(kernel, (12, 9), torch.float64)
    x, y = (torch.randn(1, 2, 12, 9, generator=seeded(seed), dtype=torch.float64) for seed in (0, 1))
    expected = [ndimage.convolve(channel, kernel, mode="wrap") for channel in x[0].numpy()]
    assert np.allclose(blur.A(x)[0], expected, atol=1e-13)
    assert torch.allclose(blur.with_kernel(x, blur.kernel), blur.A(x), atol=1e-13)
    assert float((blur.A(x) * y).sum()) == pytest.approx(float((x * blur.A_adjoint(y)).sum()), rel=1e-12)


def test_a_rule_that_does_not_end_the_fit_decides_the_same():
    config = {"patience": 20, "smoothing": 0.0, "held_out": 0.1, "look_every": 10, "discrepancy": None}
    rules = [CombinedRule(StopConfig.model_validate(config | {"ends": ends}), 80) for ends in (True, False)]
    for iteration, value in zip(range(10, 90, 10), (5, 4, 3, 3.5, 3.6, 2, 1, 0.5), strict=True):
        for rule in rules:
            if rule.reason is None:
                rule.see(IterationState(iteration, torch.zeros(1, 1, 2, 2), 2.0, value))
    assert [rule.chosen for rule in rules] == [30, 30] and [rule.seen for rule in rules] == [50, 80]
    assert rules[0].reason == rules[1].reason != None  # noqa: E711
    again = CombinedRule(StopConfig.model_validate(config | {"ends": False}), 80)
    again.restore(*rules[1].state())
    assert (again.chosen, again.reason) == (30, rules[1].reason)


# --- mixture with the start ---


def scene() -> tuple[torch.Tensor, torch.Tensor]:
    return blurred(KERNEL, SIZE)


def test_the_mixture_is_the_best_of_all_shares_on_the_held_out_pixels():
    y, _ = scene()
    objective = Objective(y, GIVEN, 0.01, quick(mode="residual"))
    apart = held_out_pixels((SIZE, SIZE), 0.3, seeded())
    start = map_estimate(y, GIVEN, "tv", sigma=0.01)
    means = {
        "image": start + 0.1 * torch.randn(start.shape, generator=seeded(1)),
        "residual": 3 * (y - objective.blurred(start)),
    }
    blend = blended(objective, start, means, apart)
    errors = {}
    for share in SHARES:
        left = y - ValidBlur(GIVEN, (SIZE, SIZE)).A(start + share * (means["image"] - start)) - share * means["residual"]
        errors[share] = float(left[apart].square().mean().sqrt()) / 0.01
    assert blend.share == min(errors, key=errors.__getitem__) not in (0.0, 1.0)
    assert blend.after == pytest.approx(errors[blend.share], rel=1e-5) and blend.before == pytest.approx(errors[0.0], rel=1e-5)
    assert blend.gain == pytest.approx(1 - blend.after / blend.before)
    assert torch.allclose(blend.means["residual"], blend.share * means["residual"])
    nothing = blended(objective, start, {**means, "image": means["image"] * math.nan}, apart)
    assert nothing.share == 0.0 and nothing.gain == 0.0


def test_held_out_misfit_never_rises_and_a_gain_that_is_not_reached_returns_the_start():
    y, _ = scene()
    apart, start = held_out_pixels((SIZE, SIZE), 0.2, seeded()), map_estimate(y, GIVEN, "tv", sigma=0.01)
    # after four steps what they are worth is within rounding of nothing, after thirty it is not
    for least, back in ((0.0, False), (0.9, True)):
        config = quick(mode="residual", least_gain=least, offset_rate=0.1, iterations=4 if back else 30)
        found = untrained(y, GIVEN, 0.01, config, start, generator=seeded(), held_out=apart)
        objective = Objective(y, GIVEN, 0.01, config)
        zero = {"image": start}
        after = {"image": found.canvas} | ({} if found.residual is None else {"residual": found.residual})
        before, now = (misfits(objective, means, apart)[1] for means in (zero, after))
        assert found.fell_back == back and found.share == (0.0 if back else pytest.approx(found.share)) and now <= before
        assert found.network.shape == found.canvas.shape and not found.network.equal(start)


def test_a_warm_fit_begins_at_all_pixels_and_returns_there():
    y, _ = scene()
    weight = natural_weight(GIVEN, 0.01)
    seen = []
    back = warm_fit(y, GIVEN, 0.01, weight, quick(least_gain=0.9), 0, on_image=lambda x, r, s: seen.append(x))
    whole = map_estimate(y, GIVEN, "tv", weight)
    assert back.fit.fell_back and back.image.equal(whole) and not back.begun_at.equal(whole)
    assert [x.shape for x in seen] == [whole.shape] * 4
    kept = warm_fit(y, GIVEN, 0.01, weight, quick(least_gain=None), 0)
    assert torch.allclose(kept.image, (whole + kept.fit.canvas - kept.begun_at).clamp(0, 1))


# --- the study ---


def pairs_file(path: Path, spoilt: bool = False) -> Path:
    """Write one scene with two given kernels in the form of the simulate stage."""
    canvas = sharp(SIZE + 2 * MARGIN)[0, 0].float().numpy()
    inner = canvas[MARGIN - 4 : MARGIN + SIZE + 4, MARGIN - 4 : MARGIN + SIZE + 4]
    clean = ValidBlur(KERNEL, (SIZE, SIZE)).A(torch.from_numpy(inner.copy())[None, None])
    y = (clean + 0.01 * torch.randn(clean.shape, generator=seeded()))[0, 0].numpy()
    tensors = {
        "scene.0.canvas": canvas * np.float32(np.nan if spoilt else 1),
        "scene.0.y": y,
        "scene.0.kernel": KERNEL,
        "pair.0.given": KERNEL,
        "pair.1.given": GIVEN,
    }
    notes = {
        "scenes": [{"photograph": "boxes", "kernel": "line"}],
        "pairs": [{"scene": 0, "error": "exact"}, {"scene": 0, "error": "turned"}],
        "sigma": 0.01,
        "margin": MARGIN,
        "boundary": "valid",
    }
    save_tensors(path, tensors, notes)
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    kernels: dict[str, Kernel] = {"0.warp": KERNEL, "1.warp": line(7.0, 22.0, 9)}
    save_tensors(tmp_path / "kernels.safetensors", kernels, {"photograph": "boxes"})
    write_result(tmp_path / "weights.json", WEIGHTS["tv"])
    return {
        "pairs": pairs_file(tmp_path / "pairs.safetensors"),
        "kernels": tmp_path / "kernels.safetensors",
        "weights": tmp_path / "weights.json",
    }


CELLS = {
    "none/cold": DipCell(start="none", fit=quick(mode="none", iterations=4)),
    "residual/warm": DipCell(fit=quick(mode="residual", iterations=4, least_gain=None)),
    "residual/corrected": DipCell(
        start="corrected", fit=quick(mode="residual", iterations=4), pairs=("boxes line turned",), seeds=1
    ),
}
STUDY = DipStudyConfig(pairs=("boxes line turned", "elsewhere line exact"), seeds=2, cells=CELLS, shown=("boxes line turned",))


def test_the_stage_scores_every_fit_and_goes_on_where_it_was_interrupted(files, tmp_path, monkeypatch):
    whole = stage.run(STUDY, photograph="boxes", output=tmp_path / "whole", **files)
    table = read_json(whole[0])
    assert len(table["runs"]) == 2 * 2 + 1 and set(table["baselines"]) == {"boxes line turned"}
    for row in table["runs"]:
        assert row["gap"] == pytest.approx(row["psnr_oracle"] - row["psnr_network"]) and row["gap"] >= -1e-9
        assert row["iterations"] == 4 and set(row["stops"]) == {"held-out", "discrepancy", "variance"}
        assert ("residual" in row) == row["cell"].startswith("residual")
        if row["fell_back"]:
            assert row["psnr"] == row["psnr_start"]
        model = "warp" if row["cell"].endswith("corrected") else "none"
        assert row["psnr_start"] == pytest.approx(table["baselines"][row["pair"]][f"tv/{model}"], abs=0.1)
    assert {(row["pair"], row["cell"], row["count"]) for row in table["seeds"]} == {
        ("boxes line turned", cell, 2) for cell in ("none/cold", "residual/warm")
    }
    assert set(table["curves"]) == {"boxes line turned"} and set(table["curves"]["boxes line turned"]) == set(CELLS)
    arrays, _ = load_tensors(whole[1])
    assert {name for name in arrays if "residual/warm" in name} == {
        f"boxes line turned/residual/warm/{kind}" for kind in ("image", "start", "network", "residual", "artefact", "spread")
    } - ({"boxes line turned/residual/warm/artefact"} if QUICK.artefact_weight is None else set())

    fits, once = [], stage.fit_of

    def dying(*arguments):
        if len(fits) == 3:
            raise KeyboardInterrupt
        fits.append(arguments)
        return once(*arguments)

    monkeypatch.setattr(stage, "fit_of", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.run(STUDY, photograph="boxes", output=tmp_path / "part", **files)
    monkeypatch.setattr(stage, "fit_of", lambda *arguments: (fits.append(arguments), once(*arguments))[1])
    again = stage.run(STUDY, photograph="boxes", output=tmp_path / "part", **files)
    assert len(fits) == len(table["runs"])
    assert again[1].read_bytes() == whole[1].read_bytes()


def test_no_fit_sees_the_truth(tmp_path, monkeypatch):
    assert not {"truth", "sharp"} & set(inspect.signature(fit_of).parameters)
    results = []
    for spoilt in (False, True):
        path = pairs_file(tmp_path / f"{spoilt}.safetensors", spoilt)
        problem, truth = load_problems(path)[1], load_truths(path)[1]
        assert bool(np.isnan(truth.picture).all()) == spoilt
        with monkeypatch.context() as patch:
            if spoilt:
                # a picture of NaN has no score
                patch.setattr(dip, "display_psnr", lambda light, wanted: math.nan)
                patch.setattr(dip, "residual_scores", lambda *_: ResidualScores(rms=0.0, true_rms=0.0))
            for cell in CELLS.values():
                arrays, row = stage._fitted(problem, truth, {"none": GIVEN, "warp": KERNEL}, WEIGHTS, cell, 0)
                results.append((arrays, row["chosen"], row["share"], row["reason"]))
    for one, other in zip(results[:3], results[3:], strict=True):
        assert one[1:] == other[1:] and set(one[0]) == set(other[0])
        assert all(array.tobytes() == other[0][name].tobytes() for name, array in one[0].items())


WEIGHTS = {"tv": {model: TunedWeight(weight=0.75, psnr=30.0, curve=[]) for model in ("none", "warp", "true")}}


def test_scores_are_those_of_the_pictures():
    y, truth = scene()
    problem = Problem(y[0, 0].numpy(), GIVEN, 0.01, "boxes", "line", "turned")
    canvas = np.pad(truth[0, 0].numpy(), MARGIN, mode="edge")
    scorer = Scorer(Truth(canvas, KERNEL, MARGIN))
    fit = fit_of(problem, GIVEN, 0.75, CELLS["residual/warm"], 3, scorer)
    row = scores_of(fit, scorer, problem, GIVEN)
    true = truth[0, 0].numpy()
    assert row["psnr"] == display_psnr(fit.picture[0, 0].numpy(), true)
    assert row["psnr_network"] == dict(scorer.curve)[row["chosen"]]
    assert row["psnr_oracle"] == max(value for _, value in scorer.curve) and row["psnr_last"] == scorer.curve[-1][1]
    assert set(row["residual"]) == {"rms", "true_rms", "correlation"}


def test_spread_over_seeds_is_ranked_against_the_error():
    truth = Truth(np.full((56 + 2 * MARGIN,) * 2, 0.5), KERNEL, MARGIN)
    scale = np.kron(np.linspace(0.01, 0.2, 64).reshape(8, 8), np.ones((7, 7)))
    generator = np.random.default_rng(0)
    pictures = [0.5 + scale * (1 + 0.2 * generator.standard_normal(scale.shape)) for _ in range(4)]
    row = seed_scores(pictures, truth)
    assert (row.rank_correlation or 0) > 0.8 and row.rms_spread < row.rms_error
    assert seed_scores([pictures[0]] * 2, truth).rank_correlation is None


def test_what_is_shown_meanwhile_is_what_would_be_returned():
    y, _ = scene()
    weight, shown = natural_weight(GIVEN, 0.01), []
    config = quick(mode="residual", offset_rate=0.1, residual_rate=0.05, stop={"look_every": 8, "held_out": 0.2, "window": 16})
    found = warm_fit(y, GIVEN, 0.01, weight, config, 1, on_image=lambda x, r, s: shown.append((x, r, s)))
    x, residual, snapshot = shown[-1]
    change = snapshot.canvas - found.begun_at
    share = float(((x - found.start) * change).sum() / change.square().sum())
    # the end tries tenths
    assert 0 <= share <= 1 and abs(share - found.fit.share) <= 0.06
    assert residual is not None and torch.allclose(residual, share * snapshot.residual, atol=0.02)


def test_a_pair_that_is_not_in_the_file_is_named(files, tmp_path):
    config = STUDY.model_copy(update={"pairs": ("boxes line upside-down",)})
    with pytest.raises(ConfigError, match="'boxes line upside-down' is not in"):
        stage.run(config, photograph="boxes", output=tmp_path / "out", **files)


def test_the_pairs_of_the_study_are_of_the_test_set_and_spread_over_it():
    grid = default_sets()["test"]
    parts = [name.split(" ") for name in DIP_PAIRS]
    assert len(set(DIP_PAIRS)) == 12
    assert {photograph for photograph, _, _ in parts} == set(grid.photographs)
    assert {kernel for _, kernel, _ in parts} == set(grid.kernels) and {error for *_, error in parts} <= set(grid.errors)
    assert not any(kernel.startswith("disk") and error == "rotation:10" for _, kernel, error in parts)
    for cell in (*dip_cells().values(), *dip_ablations().values()):
        names = [name.split(" ") for name in cell.pairs or ()]
        assert all(p in grid.photographs and k in grid.kernels and e in grid.errors for p, k, e in names)
        assert not cell.fit.stop.ends
