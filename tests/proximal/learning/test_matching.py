"""The matching loss against numbers by hand and finite differences, its schedule, and its stop where it teaches nothing."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from sciml.proximal.learning.curriculum import run_schedule
from sciml.proximal.learning.matching import VanishedWeights, gamma_per_pixel, l1_loss, matching_loss, mse_loss, stage_loss
from sciml.proximal.settings.structures import MatchingStage, Schedule, matching_schedule
from sciml.runtime.errors import ConfigError, ShapeError


def example():
    x = torch.zeros(3, 1, 1, 2, dtype=torch.float64)
    f = torch.tensor([[0.1, 0.1], [0.3, -0.1], [0.0, 0.6]], dtype=torch.float64).reshape(3, 1, 1, 2)
    return f, x


def test_values_by_hand():
    # mean squared errors 0.01, 0.05, 0.18; gamma^2 = 0.04
    weights = [math.exp(-0.25), math.exp(-1.25), math.exp(-4.5)]
    f, x = example()
    found = matching_loss(f, x, 0.2, "none")
    assert float(found.loss) == pytest.approx(1 - sum(weights) / 3, abs=1e-14)
    assert float(found.mean_weight) == pytest.approx(sum(weights) / 3, abs=1e-14)
    assert float(found.effective_size) == pytest.approx(sum(weights) ** 2 / sum(w * w for w in weights), abs=1e-12)
    assert float(found.rmse) == pytest.approx(math.sqrt(0.08), abs=1e-14)
    assert float(matching_loss(f, x, 0.2, "density").loss) == pytest.approx(float(found.loss) / 0.2)
    assert float(matching_loss(f, x, 0.2, "residual").loss) == pytest.approx(float(found.loss) * 0.04)
    assert float(mse_loss(f, x).loss) == pytest.approx(0.08)
    assert float(l1_loss(f, x).loss) == pytest.approx(1.2 / 6)


@pytest.mark.parametrize("scaling", ["none", "density", "residual"])
def test_gradient_is_the_weighted_residual_and_the_finite_difference(scaling):
    f, x = example()
    f.requires_grad_()
    gamma, h = 0.2, 1e-6
    (gradient,) = torch.autograd.grad(matching_loss(f, x, gamma, scaling).loss, f)
    scale = {"none": 1, "density": 1 / gamma, "residual": gamma**2}[scaling]
    weights = torch.exp(-f.detach().square().mean((1, 2, 3), keepdim=True) / gamma**2)
    torch.testing.assert_close(gradient, scale * 2 / (gamma**2 * 2) * weights * f.detach() / 3)
    for index in ((0, 0, 0, 0), (1, 0, 0, 1), (2, 0, 0, 1)):
        step = torch.zeros_like(x)
        step[index] = h
        ends = [float(matching_loss(f.detach() + sign * step, x, gamma, scaling).loss) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(float(gradient[index]), rel=1e-6)


def test_small_errors_keep_their_digits():
    x = torch.zeros(1, 1, dtype=torch.float32)
    assert float(matching_loss(x + 1e-5, x, 1.0, "none").loss) == pytest.approx(1e-10, rel=1e-4)


def test_residual_scaling_tends_to_the_squared_error():
    f, x = (part / 100 for part in example())
    assert float(matching_loss(f, x, 2.0, "residual").loss) == pytest.approx(float(mse_loss(f, x).loss), rel=1e-4)


def test_a_gamma_for_the_whole_image_is_refused_and_can_be_converted(caplog):
    f, x = example()
    with pytest.raises(ConfigError, match="RMSE per pixel"):
        matching_loss(f, x, 17.7)
    with pytest.raises(ConfigError, match="expected above 0"):
        matching_loss(f, x, 0.0)
    with pytest.raises(ValidationError, match="gamma_per_pixel"):
        MatchingStage(loss="matching", gamma=2.24, steps=1, learning_rate=1e-3)
    with caplog.at_level(logging.INFO):
        assert gamma_per_pixel(0.08 * 28, 28 * 28) == pytest.approx(0.08)
    assert "0.08 per pixel" in caplog.text
    with pytest.raises(ConfigError):
        gamma_per_pixel(100.0, 4)


def test_shapes_must_agree():
    with pytest.raises(ShapeError, match="one shape"):
        mse_loss(torch.zeros(2, 1), torch.zeros(2, 2))


def test_vanished_weights_say_so():
    f, x = example()
    with pytest.raises(VanishedWeights, match=r"gamma 0\.01 is too small for the current RMSE 0\.283"):
        matching_loss(f, x, 0.01)


def test_schedules_go_from_coarse_to_fine():
    adapter = TypeAdapter(Schedule)
    plan = matching_schedule((0.5, 0.1), 10, 1e-3, 20, 1e-2)
    assert [stage.gamma for stage in plan] == [None, 0.5, 0.1]
    assert adapter.validate_python([stage.model_dump() for stage in plan]) == plan
    with pytest.raises(ValidationError, match="coarse to fine"):
        adapter.validate_python(tuple(reversed(plan)))
    with pytest.raises(ValidationError, match="one stage at least"):
        adapter.validate_python(())
    with pytest.raises(ValidationError, match="gamma is None"):
        MatchingStage(loss="matching", steps=1, learning_rate=1.0)
    with pytest.raises(ValidationError, match=r"gamma is 0\.1 for the loss mse"):
        MatchingStage(loss="mse", gamma=0.1, steps=1, learning_rate=1.0)


def test_a_stage_takes_its_loss():
    f, x = example()
    stages = {name: MatchingStage(loss=name, steps=1, learning_rate=1.0) for name in ("mse", "l1")}
    assert stage_loss(stages["mse"], f, x).loss == mse_loss(f, x).loss
    assert stage_loss(stages["l1"], f, x).loss == l1_loss(f, x).loss
    matching = MatchingStage(loss="matching", gamma=0.5, steps=1, learning_rate=1.0)
    assert stage_loss(matching, f, x, "none").loss == matching_loss(f, x, 0.5, "none").loss


class Far:
    """A truth that a network of one weight cannot reach at a small gamma."""

    def batch(self, step):
        y = torch.linspace(-1, 1, 16)[:, None]
        return y, torch.where(torch.arange(16)[:, None] % 2 == 0, y + 0.5, y - 0.5)


def test_the_schedule_stops_early_and_keeps_the_last_good_weights(tmp_path):
    model = torch.nn.Linear(1, 1)
    plan = (
        MatchingStage(loss="l1", steps=3, learning_rate=1e-2),
        MatchingStage(loss="matching", gamma=1.0, steps=3, learning_rate=1e-2),
        MatchingStage(loss="matching", gamma=0.05, steps=3, learning_rate=1e-2),
    )
    kept = []

    def remember(index, model):
        kept.append({name: value.clone() for name, value in model.state_dict().items()})

    def denoise(model, y):
        return 0 * model(y) + y

    ended = run_schedule(model, plan, Far(), denoise, folder=tmp_path, seed=0, after_stage=remember)
    assert ended.completed == 2
    assert ended.reason == "gamma 0.05 is too small for the current RMSE 0.5 per pixel; last good gamma 1"
    assert len(kept) == 2
    for name, value in model.state_dict().items():
        assert torch.equal(value, kept[-1][name])
