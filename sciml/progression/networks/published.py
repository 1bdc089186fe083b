"""The authors' files to one model file, checked by decoding a brain."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sciml.progression.cohorts.grids import GRIDS, grid_of
from sciml.progression.courses.course import CourseModel
from sciml.progression.networks.convert import PUBLISHED_RANGE, convert_autoencoder, convert_course, convert_denoiser
from sciml.progression.networks.model_files import ForecastModel, write_model
from sciml.progression.settings.networks import PUBLISHED_AUTOENCODER, PUBLISHED_UNET, AutoencoderConfig, UNetConfig
from sciml.runtime.errors import ConfigError, NumericalError
from sciml.runtime.files import digest_file, write_json
from sciml.runtime.sources import source_digest

if TYPE_CHECKING:
    from sciml.progression.networks.autoencoder import Autoencoder

log = logging.getLogger(__name__)
LEAST_PSNR_DB = 25.0


def convert_weights(
    autoencoder_file: Path,
    unet_file: Path,
    controlnet_file: Path,
    output: Path,
    *,
    courses: Mapping[str, Path] | None = None,
    latent_scale: float | None = None,
    check: np.ndarray | None = None,
    grid: str = "1.5mm",
    networks: tuple[AutoencoderConfig, UNetConfig] = (PUBLISHED_AUTOENCODER, PUBLISHED_UNET),
) -> list[Path]:
    """Write the model file and a card beside it, `<output>.json`.

    Args:
        autoencoder_file: state dict of the autoencoder.
        unet_file: state dict of the diffusion model.
        controlnet_file: state dict of the ControlNet.
        output: model file, `.safetensors`.
        courses: parameter files of the course models, by diagnosis.
        latent_scale: what the latents were multiplied by when the diffusion model was trained. The files do not say; 1 is
            taken, with a warning, where nothing is given.
        check: brain on the grid with values in [0, 1], shape (x, y, z); the MNI152 template by default.
        grid: that the networks work on.
        networks: settings of the published networks.

    Raises:
        ConfigError: the scale is not finite or not above 0.
        FormatError: a file holds other weights, or a matrix the wrong way round.
        NumericalError: the autoencoder does not give the brain back, or a weight or an output of a network is not finite.
    """
    if latent_scale is not None and not (math.isfinite(latent_scale) and latent_scale > 0):
        raise ConfigError(
            f"--latent-scale is {latent_scale:g}: latents were multiplied by a finite number above 0, near 1 as a rule"
        )
    if latent_scale is None:
        latent_scale = 1.0
        log.warning("the factor that the latents were trained with is not in the files: 1 is taken; give it with --latent-scale")
    autoencoder = convert_autoencoder(autoencoder_file, latent_scale, networks[0])
    brain = _template() if check is None else check
    quality = reconstruction_psnr(autoencoder, brain)
    if not quality >= LEAST_PSNR_DB:
        raise NumericalError(
            f"the converted autoencoder gives a brain back with {quality:.1f} dB, expected at least {LEAST_PSNR_DB:g}: "
            "the file is of another network, or the image is not on its grid"
        )
    denoiser = convert_denoiser(unet_file, controlnet_file, networks[1])
    fitted: dict[str, CourseModel] = {"logistic_mixed": convert_course(courses)} if courses else {}
    sources = [autoencoder_file, unet_file, controlnet_file, *(courses or {}).values()]
    about: dict[str, Any] = {
        "from": {path.name: digest_file(path) for path in sources},
        "reconstruction_psnr_db": round(quality, 2),
        "latent_scale": latent_scale,
        "network": networks[0].model_dump(mode="json"),
    }
    model = ForecastModel(
        output.stem,
        grid_of(grid),
        autoencoder,
        denoiser,
        PUBLISHED_RANGE,
        fitted,
    )
    write_model(output, model, about, config={}, seed=0, inputs={}, source_digest=source_digest(__name__), cpu_minutes=0.0)
    card = output.with_suffix(".json")
    latent = autoencoder.latent_shape(model.grid.shape)
    write_json(card, {**about, "grid": grid, "image": model.grid.shape, "latent": latent, "weights": digest_file(output)})
    return [output, card]


@torch.no_grad()
def reconstruction_psnr(autoencoder: Autoencoder, brain: np.ndarray) -> float:
    """Return the PSNR in dB of D(E(x)) where x is above 0."""
    image = torch.from_numpy(np.ascontiguousarray(brain, dtype=np.float32))[None, None]
    error = (autoencoder.image(autoencoder.latent(image)) - image)[image > 0]
    return float(-10 * error.square().mean().log10())


def _template() -> np.ndarray:
    from sciml.progression.simulation.anatomy import build_anatomy, mni_template

    t1 = build_anatomy(mni_template(), GRIDS["1.5mm"]).t1
    return t1 / t1.max()
