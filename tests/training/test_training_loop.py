"""What one step does, by hand-computed values."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from sciml.runtime.errors import ConfigError, ShapeError
from sciml.training import TrainingConfig, learning_rate_at, train
from sciml.training.average import WeightAverage


class Steps:
    """Batches that are the step itself, nested as deep as the loop allows."""

    def batch(self, step):
        return {"x": (np.float32([step]), [torch.tensor([float(step)])]), "step": step}


class Scale(nn.Module):
    def __init__(self, value=1.0):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([value]))


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("constant", 0, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("constant", 4, [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]),
        # 0.2 + 0.8 (1 + cos(π j / 4)) / 2, j = 0 ... 3
        ("cosine", 4, [0.25, 0.5, 0.75, 1.0, 1.0, 0.882842712, 0.6, 0.317157288]),
        # 0.2 + 0.8 (1 + cos(π j / 8)) / 2
        ("cosine", 0, [1.0, 0.969551813, 0.882842712, 0.753073373, 0.6, 0.446926627, 0.317157288, 0.230448187]),
    ],
)
def test_schedule_table(schedule, warmup, expected):
    config = TrainingConfig(steps=8, learning_rate=1.0, schedule=schedule, warmup_steps=warmup, final_learning_rate=0.2)
    assert [learning_rate_at(config, step) for step in range(8)] == pytest.approx(expected)


def test_cosine_ends_at_the_final_rate():
    assert learning_rate_at(TrainingConfig(steps=8, final_learning_rate=1e-5), 8) == pytest.approx(1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 5, "learning_rate": -1},
        {"steps": 5, "learning_rate": float("nan")},
        {"steps": 5, "warmup_steps": 5},
        {"steps": 5, "final_learning_rate": 1.0},
        {"steps": 5, "betas": (0.9, 1.0)},
        {"steps": 5, "ema_decay": 1.0},
        {"steps": 5, "cpu_minutes": 0},
        {"steps": 5, "epochs": 3},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate(wrong)


def test_average_by_hand():
    # a: 1, then 2 and 4; decays min(0.15, 1/10) = 0.1 and min(0.15, 2/11) = 0.15
    # 0.1 * 1 + 0.9 * 2 = 1.9;  0.15 * 1.9 + 0.85 * 4 = 3.685
    model = Scale(1.0)
    model.register_buffer("count", torch.tensor(0))
    average = WeightAverage(model, 0.15)
    for step, (value, expected) in enumerate([(2.0, 1.9), (4.0, 3.685)]):
        with torch.no_grad():
            model.a.fill_(value)
            model.count.fill_(step + 1)
        average.update(model, step)
        assert float(average.tensors["a"]) == pytest.approx(expected)
    assert int(average.tensors["count"]) == 2
    with average.applied(model):
        assert model.a.item() == pytest.approx(3.685)
    assert model.a.item() == 4.0


def test_first_adam_step_is_the_learning_rate(tmp_path):
    # From zero moments AdamW moves each weight by learning rate * sign(gradient), decayed by 1 - rate * decay.
    model = Scale(1.0)
    config = TrainingConfig(steps=1, learning_rate=0.1, schedule="constant", weight_decay=0.5)
    train(model, lambda m, batch, g: (3 * m.a.sum(), {}), Steps(), config, folder=tmp_path, seed=0)
    assert model.a.item() == pytest.approx(1 * (1 - 0.1 * 0.5) - 0.1, abs=1e-6)


def test_gradient_norm_is_recorded_before_clipping_and_gradients_are_clipped(tmp_path):
    seen = []
    model = Scale(2.0)

    def after_step(m):
        seen.append(float(m.a.grad))
        m.a.clamp_(min=1.95)

    config = TrainingConfig(steps=2, learning_rate=0.1, clip_norm=0.5, log_every_steps=1)
    result = train(
        model, lambda m, b, g: (3 * m.a.sum(), {"bad": math.inf}), Steps(), config, folder=tmp_path, seed=0, after_step=after_step
    )
    assert seen == pytest.approx([0.5, 0.5], rel=1e-5)
    assert model.a.item() == pytest.approx(1.95)  # the projection held
    lines = result.history.read_text().splitlines()
    assert lines[0] == "step,loss,gradient_norm,learning_rate"  # what is never finite has no column
    assert lines[1].split(",")[2] == "3.0"


def test_batches_arrive_whole_and_in_order(tmp_path):
    seen = []

    def loss_step(model, batch, generator):
        array, (tensor,) = batch["x"]
        assert isinstance(array, torch.Tensor)
        seen.append((float(array), float(tensor), batch["step"]))
        return model.a.sum(), {}

    train(Scale(), loss_step, Steps(), TrainingConfig(steps=4), folder=tmp_path, seed=0)
    assert seen == [(k, k, k) for k in range(4)]


def test_validation_sees_the_average_in_evaluation_mode_and_the_same_numbers(tmp_path):
    model, seen = Scale(1.0), []

    def validate(m, generator):
        seen.append((m.training, torch.is_grad_enabled(), float(torch.rand((), generator=generator))))
        return {"a": m.a.sum()}

    config = TrainingConfig(
        steps=2, learning_rate=0.1, schedule="constant", ema_decay=0.5, validate_every_steps=1, clip_norm=None
    )
    result = train(model, lambda m, b, g: (m.a.sum(), {}), Steps(), config, folder=tmp_path, seed=0, validate=validate)
    assert seen == [(False, False, seen[0][2])] * 2
    assert model.training
    # a: 1, 0.9, 0.8; average 0.1 + 0.9 * 0.9 = 0.91, then 2/11 * 0.91 + 9/11 * 0.8
    values = [float(line.rsplit(",", 1)[1]) for line in result.history.read_text().splitlines()[1:]]
    assert values == pytest.approx([0.91, (2 * 0.91 + 9 * 0.8) / 11], rel=1e-5)
    assert model.a.item() == pytest.approx(values[-1])  # the result is the average


def test_wrong_calls_are_refused(tmp_path):
    config = TrainingConfig(steps=1)
    with pytest.raises(ShapeError, match=r"loss of shape \[2\]"):
        train(Scale(), lambda m, b, g: (m.a.repeat(2), {}), Steps(), config, folder=tmp_path, seed=0)
    for device, message in [("cuda", "the model is on cpu"), ("meta", "expected cpu or cuda")]:
        with pytest.raises(ConfigError, match=message):
            train(Scale(), lambda m, b, g: (m.a.sum(), {}), Steps(), config, folder=tmp_path, seed=0, device=device)
    frozen = Scale().requires_grad_(False)
    with pytest.raises(ConfigError, match="no parameter to train"):
        train(frozen, lambda m, b, g: (m.a.sum(), {}), Steps(), config, folder=tmp_path, seed=0)


def test_log_has_one_line_every_few_seconds(tmp_path, capsys, monkeypatch):
    from sciml.training import progress

    now = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    train(Scale(), lambda m, b, g: (m.a.sum(), {}), Steps(), TrainingConfig(steps=20), folder=tmp_path, seed=0)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) < 12
    assert lines[0].startswith("step ") and "CPU min used" in lines[0]
    assert lines[-1].startswith("training ended: all steps done (20 of 20 steps")


def test_terminal_shows_a_bar(tmp_path, capsys, monkeypatch):
    import sys

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    train(Scale(), lambda m, b, g: (m.a.sum(), {}), Steps(), TrainingConfig(steps=3), folder=tmp_path, seed=0)
    assert "training ended: all steps done" in capsys.readouterr().err


@pytest.mark.gpu
def test_bfloat16_on_a_gpu(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    model, seen = nn.Linear(4, 4).cuda(), []

    def loss_step(m, batch, generator):
        out = m(torch.rand(2, 4, device="cuda", generator=generator))
        seen.append(out.dtype)
        return out.float().square().mean(), {}

    config = TrainingConfig(steps=3, bfloat16_on_gpu=True, ema_decay=0.9)
    train(model, loss_step, Steps(), config, folder=tmp_path, seed=0, device="cuda")
    assert seen == [torch.bfloat16] * 3 and model.weight.dtype == torch.float32
