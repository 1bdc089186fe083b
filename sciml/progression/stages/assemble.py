"""Stage `assemble`: the three parts of each model to one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sciml.progression.networks.parts import assemble, read_part
from sciml.runtime.errors import ConfigError


def run(autoencoder: Path, denoiser: Mapping[str, Sequence[Path]], course: Path, output: Path) -> list[Path]:
    """Write `<form>.safetensors` of each form, a model called `<form>-<grid>`.

    Args:
        autoencoder: weights of `train-autoencoder`.
        denoiser: by form the weights of `train-diffusion` or, where it has a ControlNet, of `train-controlnet`.
        course: models of `fit-course`.
        output: output folder.

    Raises:
        ConfigError: parts do not belong together, or a form has two denoisers.
    """
    if several := [form for form, files in denoiser.items() if len(files) > 1]:
        raise ConfigError(f"the form {several[0]!r} is given {len(denoiser[several[0]])} denoisers, expected one")
    grid = read_part(autoencoder, "autoencoder")[1]["extra"]["grid"]
    return [
        assemble(output / f"{form}.safetensors", f"{form}-{grid}", autoencoder, file, course)
        for form, (file,) in denoiser.items()
    ]
