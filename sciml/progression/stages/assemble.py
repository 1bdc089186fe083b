"""Stage `assemble`: the three parts of a model to one file."""

from __future__ import annotations

from pathlib import Path

from sciml.progression.networks.model_files import assemble


def run(name: str, autoencoder: Path, denoiser: Path, course: Path, output: Path) -> list[Path]:
    """Write the model file.

    Args:
        name: of the model.
        autoencoder: weights of `train-autoencoder`.
        denoiser: weights of `train-diffusion` or `train-controlnet`.
        course: models of `fit-course`.
        output: model file, `.safetensors`.
    """
    return [assemble(output, name, autoencoder, denoiser, course)]
