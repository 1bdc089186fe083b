"""The network that removes noise from a latent, told the covariates and shown the latent of the start.

`concatenation`: one UNet sees the noisy latent and z_A side by side. `controlnet`: a UNet knows subjects in general; a
ControlNet, a copy of its encoder that sees z_A and the start's age, adds to its skip connections through convolutions that
begin at zero, so that an untrained ControlNet changes nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from sciml.progression.cohorts.covariates import context_width
from sciml.progression.networks.monai_parts import monai_alone
from sciml.progression.settings.networks import FormConfig, UNetConfig
from sciml.runtime.errors import ConfigError

Latent = Float[Tensor, "batch channel x y z"]


class Denoiser(nn.Module):
    """eps or v of a noisy latent, given time, context, and the start's latent and age.

    Args:
        form: what is predicted, from what.
        network: widths of the UNet, and of the ControlNet.
        latent_channels: of z.
        with_control: build the ControlNet of a form that has one; without it the UNet alone is trained.
    """

    def __init__(self, form: FormConfig, network: UNetConfig, latent_channels: int = 3, with_control: bool = True) -> None:
        with monai_alone():
            from monai.networks.nets.controlnet import ControlNet
            from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet

        super().__init__()
        self.form, self.config, self.latent_channels = form, network, latent_channels
        beside = latent_channels if form.anatomy == "concatenation" else 0
        body: dict[str, Any] = {
            "spatial_dims": 3,
            "num_res_blocks": (network.residual_blocks,) * len(network.channels),
            "channels": network.channels,
            "attention_levels": network.attention,
            "norm_num_groups": network.groups,
            "norm_eps": 1e-6,
            "resblock_updown": True,
            "num_head_channels": network.head_channels,
            "with_conditioning": True,
            "transformer_num_layers": 1,
            "cross_attention_dim": context_width(form),
            "upcast_attention": True,
        }
        self.unet = DiffusionModelUNet(in_channels=latent_channels + beside, out_channels=latent_channels, **body)
        self.control: nn.Module | None = None
        if form.anatomy == "controlnet" and with_control:
            self.control = ControlNet(
                in_channels=latent_channels,
                # z_A and the age at the start
                conditioning_embedding_in_channels=latent_channels + 1,
                conditioning_embedding_num_channels=network.channels[:1],
                **body,
            )

    def forward(self, noisy: Latent, times: Tensor, context: Tensor, start: Latent, start_age: Tensor) -> Latent:
        """Return the prediction for latents whose sides the network can halve (see `pad`).

        Args:
            noisy: z_t.
            times: t in 0..999, shape (batch,).
            context: shape (batch, width).
            start: standardised latent of the start, z_A.
            start_age: age at the start / 100, shape (batch,).
        """
        token = context[:, None]
        if self.form.anatomy == "concatenation":
            return self.unet(x=torch.cat([noisy, start], dim=1), timesteps=times, context=token)
        if self.control is None:
            return self.unet(x=noisy, timesteps=times, context=token)
        age = start_age[:, None, None, None, None].expand(-1, 1, *start.shape[2:]).to(start)
        down, middle = self.control(x=noisy, timesteps=times, context=token, controlnet_cond=torch.cat([start, age], dim=1))
        return self.unet(
            x=noisy,
            timesteps=times,
            context=token,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
        )

    def start_control(self) -> None:
        """Copy the UNet's encoder into the ControlNet and freeze the UNet, as the third phase of the training begins.

        Raises:
            ConfigError: this form has no ControlNet.
        """
        if self.control is None:
            raise ConfigError(f"a model with anatomy {self.form.anatomy!r} has no ControlNet to train")
        own = self.control.state_dict()
        shared = {name: value for name, value in self.unet.state_dict().items() if name in own}
        self.control.load_state_dict(shared, strict=False)
        self.unet.requires_grad_(False)


def pad(latent: Latent, multiple: int) -> Latent:
    """Return the latent with zeros around it, as many before as behind or one fewer, so that `multiple` divides its sides."""
    widths = []
    for side in reversed(latent.shape[2:]):
        missing = -side % multiple
        widths += [missing // 2, missing - missing // 2]
    return functional.pad(latent, widths)


def crop(latent: Latent, shape: tuple[int, ...]) -> Latent:
    """Return the middle of a padded latent; undoes `pad` for a latent of that (x, y, z)."""
    for axis, side in enumerate(shape, start=2):
        latent = latent.narrow(axis, (latent.shape[axis] - side) // 2, side)
    return latent
