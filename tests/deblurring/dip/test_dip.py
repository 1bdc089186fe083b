"""The loop that fits untrained networks: modes, seeds, checkpoints, held-out pixels, fall-back, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from dip_scenes import QUICK, configured, scene, seeded

from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.settings.structures import DipConfig, StopConfig
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import line
from sciml.imaging.solvers.admm import total_variation_admm
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def rms(picture: torch.Tensor, canvas: torch.Tensor) -> float:
    margin = (canvas.shape[-1] - picture.shape[-1]) // 2
    return float((picture - canvas[..., margin:-margin, margin:-margin]).square().mean().sqrt())


@pytest.mark.parametrize("mode", ["none", "residual", "kernel", "both", "official"])
def test_every_mode_runs_in_colour_and_at_odd_sizes(mode):
    x, y, kernel = scene(33, channels=3)
    y = y[..., :27]
    result = untrained(y, kernel, 0.01, configured(mode=mode, least_gain=None), x[..., :35], generator=seeded())
    assert not result.fell_back and result.iterations == 12 and result.chosen in (3, 6, 9, 12)
    assert result.image.shape == y.shape and result.canvas.shape == (1, 3, 41, 35)
    assert bool(result.image.isfinite().all()) and float(result.image.min()) >= 0 and float(result.image.max()) <= 1
    assert (result.residual is not None) == (mode in ("residual", "both", "official"))
    assert (result.artefact is not None) == (mode in ("residual", "both"))
    assert result.kernel.min() >= 0 and result.kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(result.kernel, kernel, atol=1e-7) == (mode not in ("kernel", "both"))
    assert [iteration for iteration, _ in result.curves["loss"]] == [3, 6, 9, 12]
    assert set(result.curves) >= {"held-out", "discrepancy", "variance", "likelihood", "variation"}


@pytest.mark.parametrize("fit", ["huber", "l1_dct"])
def test_robust_likelihoods_need_no_artefact_term(fit):
    _, y, kernel = scene(24)
    result = untrained(y, kernel, 0.01, configured(fit=fit, iterations=3), generator=seeded())
    assert result.artefact is None and result.residual is not None and "artefact" not in result.curves


def same(one, other) -> bool:
    pairs = [(one.canvas, other.canvas), (one.residual, other.residual), (one.artefact, other.artefact)]
    return (
        all((a is None and b is None) or a.equal(b) for a, b in pairs)
        and np.array_equal(one.kernel, other.kernel)
        and (one.curves, one.reason, one.chosen, one.iterations, one.would_stop)
        == (other.curves, other.reason, other.chosen, other.iterations, other.would_stop)
    )


def test_one_seed_one_result():
    x, y, kernel = scene(24)
    config = configured(mode="both", least_gain=None)
    runs = [untrained(y, kernel, 0.01, config, x, generator=seeded(seed)) for seed in (1, 1, 2)]
    assert same(runs[0], runs[1]) and not runs[0].canvas.equal(runs[2].canvas)


@pytest.mark.parametrize(("stop_at", "warm"), [(3, "fit"), (9, "offset"), (9, None)])
def test_a_stopped_fit_goes_on_to_the_same_bytes(tmp_path, stop_at, warm):
    x, y, kernel = scene(24)
    config, start = configured(mode="both", least_gain=None, warm_start=warm or "fit"), x if warm else None
    whole = untrained(y, kernel, 0.01, config, start, generator=seeded())

    def stop(snapshot):
        return snapshot.iteration == stop_at

    part = untrained(y, kernel, 0.01, config, start, generator=seeded(), folder=tmp_path, on_iteration=stop)
    assert part.reason == f"stopped by the caller at {stop_at}" and part.iterations == stop_at
    assert same(untrained(y, kernel, 0.01, config, start, generator=seeded(), folder=tmp_path), whole)
    # a finished fit is read, not made again
    assert same(untrained(y, kernel, 0.01, config, start, generator=seeded(), folder=tmp_path), whole)


def test_a_killed_fit_goes_on_from_its_last_checkpoint(tmp_path):
    x, y, kernel = scene(24)
    config = configured(least_gain=None)
    whole = untrained(y, kernel, 0.01, config, x, generator=seeded())

    def die(snapshot):
        if snapshot.iteration == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        untrained(y, kernel, 0.01, config, x, generator=seeded(), folder=tmp_path, on_iteration=die)
    assert same(untrained(y, kernel, 0.01, config, x, generator=seeded(), folder=tmp_path), whole)


def test_a_checkpoint_of_another_fit_is_refused(tmp_path):
    _, y, kernel = scene(24)
    untrained(y, kernel, 0.01, configured(iterations=3), generator=seeded(), folder=tmp_path)
    with pytest.raises(ConfigError, match="another run: sigma"):
        untrained(y, kernel, 0.02, configured(iterations=3), generator=seeded(), folder=tmp_path)
    with pytest.raises(ConfigError, match=r"config\.tv_weight"):
        untrained(y, kernel, 0.01, configured(iterations=3, tv_weight=1.0), generator=seeded(), folder=tmp_path)


def test_masked_pixels_are_never_read():
    x, y, kernel = scene(24)
    mask = torch.ones(1, 1, 24, 24)
    mask[..., 5:9, 10:16] = 0
    spoilt = y.clone()
    spoilt[..., 5:9, 10:16] = 1.0
    config = configured(least_gain=None)
    runs = [untrained(each, kernel, 0.01, config, x, mask, generator=seeded()) for each in (y, spoilt)]
    assert same(*runs) and not runs[0].fell_back


def test_held_out_pixels_are_never_fitted():
    _, y, kernel = scene(24)
    apart = torch.rand(1, 1, 24, 24, generator=seeded(5)) < 0.2
    config = configured(stop=StopConfig(look_every=3, window=6, patience=100, discrepancy=None).model_dump())
    spoilt = torch.where(apart, torch.ones_like(y), y)
    runs = [untrained(each, kernel, 0.01, config, generator=seeded(), held_out=apart) for each in (y, spoilt)]
    losses = [run.curves["loss"] for run in runs]
    assert losses[0] == losses[1] and runs[0].curves["held-out"] != runs[1].curves["held-out"]


def test_hooks_get_copies():
    x, y, kernel = scene(24)

    def spoil(snapshot):
        snapshot.image.fill_(math.nan)
        snapshot.residual.fill_(math.nan)
        snapshot.kernel.fill(math.nan)

    config = configured(mode="both", least_gain=None)
    spoilt = untrained(y, kernel, 0.01, config, x, generator=seeded(), on_iteration=spoil)
    assert same(spoilt, untrained(y, kernel, 0.01, config, x, generator=seeded()))


def test_a_start_that_is_not_finite_falls_back_to_the_blurred_picture():
    x, y, kernel = scene(24)
    result = untrained(y, kernel, 0.01, QUICK, torch.full_like(x, math.nan), generator=seeded())
    assert result.fell_back and result.reason.startswith("fell back to the blurred picture: the loss is nan")
    assert result.image.equal(y) and result.residual is None


@pytest.mark.parametrize("changes", [{"warm_rate": 1e30}, {"residual_rate": 1e30}])
def test_a_fit_that_diverges_returns_the_warm_start(changes):
    x, y, kernel = scene(24)
    result = untrained(y, kernel, 0.01, configured(**changes), x, generator=seeded())
    assert result.fell_back and result.reason.startswith("fell back to the warm start")
    assert result.canvas.equal(x) and np.allclose(result.kernel, kernel, atol=1e-7) and result.chosen == 0


def test_a_fit_that_gains_too_little_on_held_out_pixels_returns_the_start():
    x, y, kernel = scene(24)
    # the start is the truth itself, and few pixels are held out: chance makes a small gain
    result = untrained(y, kernel, 0.01, configured(mode="none", least_gain=0.3), x, generator=seeded())
    assert result.fell_back and "held-out misfit" in result.reason and result.canvas.equal(x)


def test_a_warm_start_is_taken_over_and_kept():
    x, y, kernel = scene(24)
    config = configured(mode="none", start_iterations=120, warm_rate=1e-3, least_gain=None, jitter=0.0)
    errors = {}
    for name, start in (("warm", x), ("cold", None)):
        seen: list[float] = []
        untrained(y, kernel, 0.01, config, start, generator=seeded(), on_iteration=lambda s, e=seen: e.append(rms(s.image, x)))
        errors[name] = seen
    assert errors["warm"][0] < 0.3 * errors["cold"][0]
    assert max(errors["warm"]) < 1.2 * errors["warm"][0]


def test_an_offset_begins_at_the_warm_start_itself():
    x, y, kernel = scene(24)
    config = configured(mode="residual", warm_start="offset", offset_rate=1e-2, iterations=6, least_gain=None)
    seen: list[float] = []
    result = untrained(y, kernel, 0.01, config, x, generator=seeded(), on_iteration=lambda s: seen.append(rms(s.image, x)))
    assert result.iterations == 6 and seen[0] < 1e-3 < 0.05 < rms(y, x)
    assert float(result.canvas.min()) >= 0 and float(result.canvas.max()) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("turned", [0.0, 25.0])
def test_the_residual_is_zero_for_the_exact_kernel_and_follows_the_truth_for_a_wrong_one(turned):
    x, y, kernel = scene(40, kernel=line(9.0, 20.0, 13))
    given = line(9.0, 20.0 + turned, 13)
    blur = ValidBlur(given, (40, 40))
    mirrored = torch.nn.functional.pad(y, (6,) * 4, mode="reflect")
    start = total_variation_admm(y, blur, 2e-3, mirrored, 60).clamp(0, 1)
    stop = StopConfig(discrepancy=None, patience=1000)
    fit = {"warm_start": "fit", "iterations": 300, "start_iterations": 300, "tv_weight": 0.6}
    config = DipConfig.model_validate({"network": "tiny", "least_gain": None, "stop": stop, **fit})
    result = untrained(y, given, 0.01, config, start, generator=seeded())
    assert result.residual is not None
    size = float(result.residual.square().mean().sqrt()) / 0.01
    if not turned:
        assert size <= 0.3
        return
    true = ValidBlur(kernel, (40, 40)).A(x) - blur.A(x)
    assert 0.2 <= size / (float(true.square().mean().sqrt()) / 0.01) <= 2
    assert np.corrcoef(result.residual.flatten(), true.flatten())[0, 1] >= 0.3
    assert rms(result.image, x) < rms(start[..., 6:-6, 6:-6], x)


def test_what_is_refused():
    x, y, kernel = scene(24)
    with pytest.raises(ConfigError, match="sigma"):
        untrained(y, kernel, 0.0, QUICK, generator=seeded())
    with pytest.raises(ShapeError, match="one picture"):
        untrained(y[0], kernel, 0.01, QUICK, generator=seeded())
    with pytest.raises(ShapeError, match="canvas"):
        untrained(y, kernel, 0.01, QUICK, y, generator=seeded())
    with pytest.raises(ShapeError, match="mask"):
        untrained(y, kernel, 0.01, QUICK, x, torch.ones(24, 24), generator=seeded())
    with pytest.raises(DataError, match="saturated"):
        untrained(y, kernel, 0.01, QUICK, x, torch.zeros(1, 1, 24, 24), generator=seeded())
    with pytest.raises(DataError, match="NaN"):
        untrained(y * math.nan, kernel, 0.01, QUICK, x, generator=seeded())
