"""Stage `train-controlnet`: how a start steers a diffusion model that stays as it is, in a ControlNet beside it."""

from __future__ import annotations

from pathlib import Path

import torch

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.networks.model_files import read_autoencoder, read_denoiser
from sciml.progression.settings.models import TrainControlConfig
from sciml.progression.stages.train_diffusion import Job
from sciml.runtime.errors import ConfigError
from sciml.runtime.seeds import Seeds


def run(
    config: TrainControlConfig, cohort: Path, autoencoder: Path, diffusion: Path, output: Path, device: str = "cpu"
) -> list[Path]:
    """Write `<name>.safetensors` and `history.csv`: the denoiser with its ControlNet; the UNet stays as it was, bit for bit.

    Args:
        config: of the training.
        cohort: folder of the cohort whose training subjects are learned from.
        autoencoder: weights of `train-autoencoder`.
        diffusion: weights of `train-diffusion`.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: the diffusion model was trained on latents of another autoencoder, or its form has no ControlNet.
    """
    encoder, about = read_autoencoder(autoencoder)
    trained, scale, trained_about = read_denoiser(diffusion)
    if trained_about["extra"]["autoencoder"] != about["weights_digest"]:
        raise ConfigError(f"{diffusion} was trained on latents of another autoencoder than {autoencoder}; train it anew")
    seed = Seeds(config.seed)("progression", "controlnet", config.name)
    torch.manual_seed(seed)
    denoiser = Denoiser(trained.form, trained.config, trained.latent_channels)
    denoiser.unet.load_state_dict(trained.unet.state_dict())
    denoiser.start_control()
    job = Job(
        "progression.train_controlnet", __name__, config, Cohort(cohort), encoder, about["weights_digest"], scale, seed, device
    )
    return job.run(denoiser, output, 0.0, False, autoencoder, diffusion)
