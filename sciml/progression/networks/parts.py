"""The parts of a model, each in a file of its own while it is made, joined to one file; arrays alone, no network is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from sciml.runtime.errors import ConfigError, FormatError
from sciml.training.weight_files import read_weight_file, write_weight_file

# numbers of the autoencoder that are measured, not learned
SCALES = ("latent_mean", "latent_sd", "change_sd")


def read_part(
    path: Path | str, kind: Literal["autoencoder", "denoiser", "course"]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the metadata of a part's file.

    Raises:
        FormatError: the file is damaged or holds something else.
    """
    arrays, metadata = read_weight_file(path)
    if metadata["extra"].get("part") != kind:
        raise FormatError(f"{path} holds {metadata['extra'].get('part', 'something else')}, expected a {kind} of this family")
    return arrays, metadata


def assemble(path: Path, name: str, autoencoder: Path, denoiser: Path, courses: Path) -> Path:
    """Join the three parts to one model file, the weights of the networks in half precision: half the size, forecasts alike.

    Raises:
        ConfigError: the denoiser was trained on latents of another autoencoder, or a ControlNet is missing.
    """
    first, first_about = read_part(autoencoder, "autoencoder")
    second, second_about = read_part(denoiser, "denoiser")
    third, third_about = read_part(courses, "course")
    if second_about["extra"]["autoencoder"] != first_about["weights_digest"]:
        raise ConfigError(f"{denoiser} was trained on latents of another autoencoder than {autoencoder}; train it anew")
    if second_about["extra"]["form"]["anatomy"] == "controlnet" and not second_about["extra"]["control"]:
        raise ConfigError(f"{denoiser} has no ControlNet yet; run `train-controlnet` and join its weights")
    parts = [first_about, second_about, third_about]
    arrays = {
        f"{name}/{key}": value if key in SCALES else value.astype(np.float16)
        for name, weights in (("autoencoder", first), ("denoiser", second))
        for key, value in weights.items()
    }
    arrays |= {f"course/{key}": value for key, value in third.items()}
    extra = {**first_about["extra"], **second_about["extra"], "part": "model", "name": name}
    write_weight_file(
        path,
        arrays,
        config={kind: about["config"] for kind, about in zip(("autoencoder", "denoiser", "course"), parts, strict=True)},
        seed=second_about["seed"],
        inputs={key: value for about in parts for key, value in about["inputs"].items()},
        source_digest=second_about["source_digest"],
        cpu_minutes=sum(float(about["cpu_minutes"]) for about in parts),
        extra=extra,
    )
    return path
