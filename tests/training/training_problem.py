"""A small training problem with every source of randomness, also run as a program that tests can kill.

python training_problem.py FOLDER SETTINGS [die CALL | die-writing | slow]
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sciml.training import RandomCrops, TrainingConfig, train

IMAGES = [np.random.default_rng(7).random((20, 24), dtype=np.float32) for _ in range(3)]


def make_model() -> nn.Module:
    """Convolutions with dropout (global generator), batch statistics (buffers) and a frozen part."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.ReLU(), nn.Conv2d(4, 1, 1))
    model[4].bias.requires_grad_(False)
    return model


def loss_step(model, clean, generator):
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
    loss = (model(noisy) - clean).square().mean()
    return loss, {"psnr": -10 * torch.log10(loss.detach())}


def config(**changes) -> TrainingConfig:
    settings = {"steps": 23, "learning_rate": 0.01, "warmup_steps": 4, "ema_decay": 0.9, "weight_decay": 0.01}
    settings |= {"log_every_steps": 4, "checkpoint_every_steps": 5, "validate_every_steps": 7, "clip_norm": 0.5}
    return TrainingConfig.model_validate(settings | changes)


def validate(model, generator):
    x = torch.rand(2, 1, 8, 8, generator=generator)
    return {"loss": (model(x) - x).square().mean()}


def run(folder, *, model=None, step=loss_step, prefetch=2, **changes):
    """Train on the problem and return (model, result)."""
    model = make_model() if model is None else model
    with RandomCrops(IMAGES, 8, batch_size=2, seed=11, prefetch=prefetch) as crops:
        return model, train(model, step, crops, config(**changes), folder=folder, seed=5, validate=validate)


def weights_bytes(model: nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def main() -> None:
    folder, changes, mode = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
    calls = 0

    def die_half_way(path, content):
        if calls > 5:
            path.open("wb").write(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_bytes(path, content)

    write_bytes = Path.write_bytes
    if mode == ["die-writing"]:
        Path.write_bytes = die_half_way

    def step(model, clean, generator):
        nonlocal calls
        calls += 1
        if mode[:1] == ["die"] and calls == int(mode[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        if mode[:1] == ["slow"]:
            if calls == 9:
                (folder / "ready").touch()
            time.sleep(0.02)
        return loss_step(model, clean, generator)

    run(folder, step=step, **changes)


if __name__ == "__main__":
    main()
