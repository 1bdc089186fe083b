"""The authors' weights: plain state dicts of their networks, checked key by key, into one model file of this workbench.

The published files are state dicts of monai-generative's classes. MONAI's own networks have the same tensors under other names
in a few places, so conversion is a change of names:

    autoencoder            decoder.blocks.N.conv.conv.*    ->  decoder.blocks.N.postconv.conv.*
    UNet and ControlNet    ....attnN.to_out.0.*            ->  ....attnN.out_proj.*

Files with either set of names are taken. A key that is missing or extra, or a shape that differs, is refused by name: MONAI's
own loader accepts a network without output projections in silence, and its numbers are then wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.formats.decoding import check_download
from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.cohorts.regions import CONDITIONED
from sciml.progression.courses.curves import CurveParameters
from sciml.progression.courses.logistic import LogisticMixed
from sciml.progression.settings.networks import FORMS, PUBLISHED_AUTOENCODER, PUBLISHED_UNET, AutoencoderConfig, UNetConfig
from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import read_json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sciml.progression.networks.autoencoder import Autoencoder
    from sciml.progression.networks.denoiser import Denoiser

RENAMED = (
    (re.compile(r"^(decoder\.blocks\.\d+)\.conv\.conv\."), r"\1.postconv.conv."),
    (re.compile(r"\.(attn[12])\.to_out\.0\."), r".\1.out_proj."),
)
# voxels of 1 mm^3 over the published training split, in the order of CONDITIONED
PUBLISHED_RANGE = CovariateScale(
    np.array([370_876, 5_006, 1_462, 323_328, 10_404]) / 1000, np.array([744_801, 13_955, 5_828, 696_723, 191_374]) / 1000
)


def read_state_dict(path: Path | str) -> dict[str, Tensor]:
    """Read a torch file of tensors by name; nothing in it is executed.

    Raises:
        DataError: the file is missing.
        FormatError: the file holds something else than tensors by name.
    """
    import pickle

    import torch

    if not Path(path).is_file():
        raise DataError(f"no such file: {path}")
    check_download(Path(path))
    try:
        found = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FormatError(f"{path} is no torch file of plain tensors: {first}") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise FormatError(f"{path} holds {type(found).__name__}, expected tensors by name; save model.state_dict()")
    return {str(name).removeprefix("module."): value for name, value in found.items()}


def renamed(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: Path | str) -> dict[str, Tensor]:
    """Return a state dict under MONAI's names, float32.

    Args:
        state: under the old or the new names.
        expected: of the network that it is for.
        where: the file, for messages.

    Raises:
        FormatError: a key is missing or extra, or a shape differs.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        new = name
        # a name that the network has as it stands is not touched
        if name not in expected:
            for old, put in RENAMED:
                new = old.sub(put, new)
        found[new] = value
    for name, value in expected.items():
        if name not in found:
            raise FormatError(f"{where} lacks the weight {name} {list(value.shape)}; it is of another network or incomplete")
        if found[name].shape != value.shape:
            raise FormatError(f"{where}: weight {name} has shape {list(found[name].shape)}, expected {list(value.shape)}")
    if extra := sorted(set(found) - set(expected)):
        raise FormatError(f"{where} has the weight {extra[0]}, which the network lacks; it is of another network")
    return {name: found[name].float() for name in expected}


def convert_autoencoder(
    path: Path | str, latent_scale: float = 1.0, config: AutoencoderConfig = PUBLISHED_AUTOENCODER
) -> Autoencoder:
    """Return the autoencoder of a published file.

    Args:
        path: state dict.
        latent_scale: what its latents were multiplied by when the diffusion model was trained; the file does not say.
        config: of the network.
    """
    import torch

    from sciml.progression.networks.autoencoder import Autoencoder

    with torch.device("meta"):
        model = Autoencoder(config)
    _adopt(model.network, path)
    channels = (config.latent_channels, 1, 1, 1)
    model.latent_mean = torch.zeros(channels)
    model.latent_sd = torch.full(channels, 1 / latent_scale)
    # the published model predicts the follow-up itself, so its changes have no scale
    model.change_sd = torch.zeros(())
    return model.eval()


def convert_denoiser(unet: Path | str, controlnet: Path | str, config: UNetConfig = PUBLISHED_UNET) -> Denoiser:
    """Return the denoiser of two published files.

    Args:
        unet: state dict of the diffusion model.
        controlnet: state dict of the ControlNet.
        config: of both.

    Raises:
        FormatError: a key, a shape or the orientation of a matrix is wrong.
        NumericalError: a weight or an output of either network is not finite.
    """
    import torch

    from sciml.progression.networks.denoiser import Denoiser
    from sciml.progression.networks.self_check import check_alike, exercise

    with torch.device("meta"):
        model = Denoiser(FORMS["official"], config)
    _adopt(model.unet, unet)
    if model.control is not None:
        _adopt(model.control, controlnet)
        check_alike(model.unet.state_dict(), model.control.state_dict(), f"{unet} and {controlnet}")
    exercise(model.eval(), f"{unet} and {controlnet}")
    return model


def convert_course(paths: Mapping[str, Path | str]) -> LogisticMixed:
    """Return the course model of published parameter files, one a diagnosis, with the regions of `CONDITIONED`.

    Raises:
        FormatError: a parameter is missing or has another length.
    """
    for path in paths.values():
        if Path(path).is_file():
            check_download(Path(path))
    populations = {diagnosis: _population(read_json(path), path) for diagnosis, path in paths.items()}
    falling = np.array([region != "ventricle" for region in CONDITIONED])
    return LogisticMixed(CONDITIONED, np.stack([PUBLISHED_RANGE.low, PUBLISHED_RANGE.high]), falling, populations, False)


def _population(content: Any, where: Path | str) -> CurveParameters:
    import torch

    known = content.get("parameters", {}) if isinstance(content, dict) else {}

    def given(*names: str) -> np.ndarray:
        for name in names:
            if known.get(name) is not None:
                return np.asarray(known[name], dtype=float)
        raise FormatError(f"{where} has none of the parameters {', '.join(names)}; expected a logistic course model")

    # files of the first and the second generation: g and v0 are logarithms in both
    log_g, log_v = given("log_g_mean", "log_g", "g"), given("log_v0_mean", "log_v0", "v0")
    mixing = np.atleast_2d(given("mixing_matrix")).T
    if not len(log_g) == len(log_v) == len(mixing) == len(CONDITIONED):
        raise FormatError(f"{where} has {len(log_g)} features, expected {len(CONDITIONED)}: {', '.join(CONDITIONED)}")
    noise = np.broadcast_to(given("noise_std").reshape(-1), log_g.shape)
    values = (log_g, log_v, _scalar(given("tau_mean")), np.log(_scalar(given("tau_std"))), np.log(_scalar(given("xi_std"))))
    tensors = [torch.as_tensor(np.array(value)) for value in (*values, mixing, np.log(noise))]
    return CurveParameters(*tensors)


def _scalar(value: np.ndarray) -> np.ndarray:
    return value.reshape(-1)[0]


def _adopt(network: nn.Module, path: Path | str) -> None:
    from sciml.progression.networks.self_check import check_finite, check_strides

    state = read_state_dict(path)
    check_strides(state, path)
    weights = renamed(state, network.state_dict(), path)
    check_finite(weights, path)
    network.load_state_dict(weights, assign=True)
