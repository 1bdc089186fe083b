"""What can be wrong with weights whose names and shapes are right, and how much of it can be found.

* A value that is not finite is found by name.
* A network whose output is not finite is found by running it once: autoencoder, UNet and ControlNet each.
* A square matrix that was transposed has the right shape. It is found where it still has the strides of its transpose, and where
  the ControlNet has the same weight: training starts it as a copy of the UNet's encoder, and each of its matrices W_c remains
  more like W_u than like its transpose,

      corr(W_c, W_u) > corr(W_c, W_u^T)                                                                     (1)

  Not found is a matrix of the UNet's decoder half that was transposed and copied: no other weight says how it should lie, and
  exchanging one alone changes the error of the noise by less than its own scatter. Attention to the covariates is to one token,
  whose query has no effect at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sciml.runtime.errors import FormatError, NumericalError

if TYPE_CHECKING:
    from torch import Tensor

    from sciml.progression.networks.denoiser import Denoiser

# two weights of n values that have nothing in common have correlations of standard deviation 1 / sqrt(n), straight and turned
CLEAR_DEVIATIONS = 8.0


def check_finite(state: Mapping[str, Tensor], where: Path | str) -> None:
    """Refuse weights with a value that is not finite.

    Args:
        state: tensors by name.
        where: the file, for the message.

    Raises:
        NumericalError: with the first such name and how many of its values.
    """
    for name, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            bad = int((~torch.isfinite(value)).sum())
            raise NumericalError(f"{where}: weight {name} has {bad} values of {value.numel()} that are not finite: it is damaged")


def check_strides(state: Mapping[str, Tensor], where: Path | str) -> None:
    """Refuse matrices that were stored transposed: the weights of a network are contiguous.

    Raises:
        FormatError: with the name.
    """
    for name, value in state.items():
        if value.ndim == 2 and not value.is_contiguous():
            raise FormatError(f"{where}: weight {name} is stored as the transpose of a matrix; save it as the network has it")


def check_alike(unet: Mapping[str, Tensor], control: Mapping[str, Tensor], where: str) -> None:
    """Refuse a UNet and its ControlNet one of which has a square weight transposed, equation (1).

    Args:
        unet: tensors by name.
        control: the same of the ControlNet.
        where: both files, for the message.

    Raises:
        FormatError: with the first such name.
    """
    for name, first in unet.items():
        second = control.get(name)
        if second is None or second.shape != first.shape or not is_square(first):
            continue
        straight, turned = _correlation(second, first), _correlation(second, first.transpose(0, 1))
        if turned > straight + CLEAR_DEVIATIONS / math.sqrt(first.numel()):
            raise FormatError(
                f"{where}: weight {name} of one is like the transpose of the other's (correlation {turned:.2f}, as it stands "
                f"{straight:.2f}): one of the two files has it transposed"
            )


def is_square(value: Tensor) -> bool:
    """Say whether a weight keeps its shape when its first two axes are exchanged."""
    return value.ndim >= 2 and value.shape[0] == value.shape[1] > 1


@torch.no_grad()
def exercise(denoiser: Denoiser, where: str) -> None:
    """Run the UNet and the ControlNet once on a small latent of noise and refuse an output that is not finite.

    Args:
        denoiser: complete.
        where: the files, for the message.

    Raises:
        NumericalError: with the network.
    """
    from sciml.progression.cohorts.covariates import context_width

    random = torch.Generator().manual_seed(0)
    side = denoiser.config.multiple * 2
    noisy = torch.randn(1, denoiser.latent_channels, side, side, side, generator=random)
    token = torch.full((1, 1, context_width(denoiser.form)), 0.5)
    time = torch.tensor([500])
    beside = 2 if denoiser.form.anatomy == "concatenation" else 1
    found = {"UNet": [denoiser.unet(x=noisy.repeat(1, beside, 1, 1, 1), timesteps=time, context=token)]}
    if denoiser.control is not None:
        shown = torch.cat([noisy, torch.full_like(noisy[:, :1], 0.7)], dim=1)
        down, middle = denoiser.control(x=noisy, timesteps=time, context=token, controlnet_cond=shown)
        found["ControlNet"] = [*down, middle]
    for name, outputs in found.items():
        if not all(bool(torch.isfinite(one).all()) for one in outputs):
            raise NumericalError(f"{where}: the {name} answers with values that are not finite: its weights are damaged")


def _correlation(first: Tensor, second: Tensor) -> float:
    stacked = torch.stack([first.float().flatten(), second.float().flatten()])
    return float(torch.nan_to_num(torch.corrcoef(stacked)[0, 1]))
