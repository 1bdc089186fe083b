"""Whole training stages on the pretended GPU: validation, averages, checkpoints and files too; the processor's history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from device_cases import draws
from other_device import DEVICE, other_device
from PIL import Image
from tiny_learning import autoencoder_config, control_config, diffusion_config, write_tiny_cohort
from tiny_models import FACTS, make_model, texture

from sciml.compression.codecs.model_files import save_model
from sciml.compression.fitting.pools import FOLDER
from sciml.compression.settings.stages import FitConfig, TrainConfig, TrainNeuralConfig
from sciml.compression.stages import train as train_codec
from sciml.compression.stages import train_neural
from sciml.datasets import manifest
from sciml.progression.forecasting.diffusion import CHAINS_AT_ONCE
from sciml.progression.settings.networks import FORMS
from sciml.progression.stages import train_autoencoder, train_controlnet, train_diffusion
from sciml.proximal.settings.models import TrainConfig as PriorConfig
from sciml.proximal.settings.structures import PeerConfig, RegularizerConfig, SolverSchedule
from sciml.proximal.stages import train as train_prior
from sciml.training import loop, step

Stage = Callable[[Path, str], list[Path]]


def prior(network: PeerConfig | RegularizerConfig, task: str = "denoise") -> Stage:
    config = PriorConfig.model_validate(
        {
            "name": "small", "domain": "photo-grey", "task": task, "network": network, "steps": 3, "cpu_minutes": 5.0,
            "crop_size": 32, "batch_size": 2, "validation_crops": 2, "validations": 1, "operators": 2, "data_tier": "ci",
            "seed": 3, "schedule": SolverSchedule(solver_steps=(4, 4, 4), adjoint_steps=(2, 2, 2)),
        }
    )  # fmt: skip
    return lambda folder, device: train_prior.run(config, None, folder, device)


def brains(folder: Path, device: str) -> list[Path]:
    cohort = folder / "cohort"
    write_tiny_cohort(cohort)
    encoder, first = train_autoencoder.run(autoencoder_config(), cohort, folder / "a", device)
    _, second = train_diffusion.run(diffusion_config(FORMS["residual"], "residual"), cohort, encoder, folder / "b", device)
    whole, _ = train_diffusion.run(diffusion_config(FORMS["official"], "official"), cohort, encoder, folder / "c", device)
    _, third = train_controlnet.run(control_config(), cohort, encoder, whole, folder / "d", device)
    return [first, second, third]


def pictures(folder: Path) -> str:
    """Write pictures to learn from, in one place for both devices, since crops follow names; return the experiment they are."""
    folder.mkdir(exist_ok=True)
    for number in range(6):
        Image.fromarray(texture(128, 128, 3, number).astype(np.uint8)).save(folder / f"{number}.png")
    return f"{FOLDER}{folder}"


def decoder(folder: Path, device: str) -> list[Path]:
    save_model(folder / "base.safetensors", make_model(3), **FACTS)
    data = FitConfig(
        domain="photo", data_tier="ci", seed=7, experiment=pictures(folder.parent / "own"), crop_size=128, crops={1.0: 1}
    )
    sizes = {"width": 8, "depth": 1, "coded_at": (0.5,), "crop_size": 32, "batch": 2, "steps": 2}
    return train_codec.run(TrainConfig(domain="photo", data=data, **sizes), folder / "base.safetensors", folder / "out", device)


def cascade(folder: Path, device: str) -> list[Path]:
    sizes = {"cascade": {"width": 8, "words": (4, 8, 16)}, "crops": {1.0: 2}, "crop_size": 64, "part": 64, "batch": 2, "steps": 4}
    config = TrainNeuralConfig(
        **sizes, revive_every=2, domain="mine", experiment=pictures(folder.parent / "own"), data_tier="ci", seed=3
    )
    return train_neural.run(config, folder / "out", device)


STAGES: dict[str, Stage] = {
    "peer": prior(PeerConfig(width=4, depth=3)),
    "prior": prior(RegularizerConfig()),
    "tuned prior": prior(RegularizerConfig(), "deblur"),
    "brains": brains,
    "decoder": decoder,
    "cascade": cascade,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_a_training_elsewhere_has_the_same_history(name, tmp_path, monkeypatch, need_data):
    if "prior" in name or name == "peer":
        need_data(*manifest.tier_ids("ci"))
    monkeypatch.setattr(loop, "DEVICES", ("cpu", DEVICE.type))
    monkeypatch.setitem(CHAINS_AT_ONCE, DEVICE.type, CHAINS_AT_ONCE["cpu"])
    monkeypatch.setattr(step, "has_bfloat16_units", lambda: False)
    monkeypatch.setattr(loop, "step_generator", lambda seed, purpose, step, device: draws(device))
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    wanted = [path for path in STAGES[name](here, "cpu") if path.name == "history.csv"]
    with other_device() as device:
        found = [path for path in STAGES[name](elsewhere, str(device)) if path.name == "history.csv"]
    assert wanted
    for one, other in zip(found, wanted, strict=True):
        assert one.read_bytes() == other.read_bytes()
