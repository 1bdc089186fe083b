"""The autoencoder: image to latent and back, with the scale of its latents stored beside its weights.

The network is MONAI's `AutoencoderKL`. On small grids the image is first unshuffled, so that blocks of 2 x 2 x 2 voxels become
channels: more width for the same time. The latent of an image is the mean of the posterior, never a sample. Everything downstream
works on standardised latents,

    z = (mu - m) / k,    m, k = mean and standard deviation by channel over the training images,          (1)

and on standardised changes (z_B - z_A) / s. m, k, s are buffers: a network without them is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.progression.networks.monai_parts import monai_alone
from sciml.progression.settings.networks import AutoencoderConfig
from sciml.runtime.errors import ConfigError, ShapeError

Volume = Float[Tensor, "batch channel x y z"]


class Autoencoder(nn.Module):
    """E and D around a latent of few channels.

    Args:
        config: of the network.

    Example:
        latent = autoencoder.latent(images)          # (batch, 3, 10, 12, 10) at 4.5 mm
        images = autoencoder.image(latent)
    """

    latent_mean: Tensor
    latent_sd: Tensor
    change_sd: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        with monai_alone():
            from monai.networks.nets.autoencoderkl import AutoencoderKL

        super().__init__()
        self.config = config
        voxels, levels = config.unshuffle**3, len(config.channels)
        self.network = AutoencoderKL(
            spatial_dims=3,
            in_channels=voxels,
            out_channels=voxels,
            num_res_blocks=(config.residual_blocks,) * levels,
            channels=config.channels,
            attention_levels=(False,) * levels,
            latent_channels=config.latent_channels,
            norm_num_groups=config.groups,
            norm_eps=1e-6,
            with_encoder_nonlocal_attn=False,
            with_decoder_nonlocal_attn=False,
        )
        if config.initial_sd is not None:
            # a posterior of sd 1 drowns the latent of a short training: begin with a narrow one, the same everywhere
            spread = cast(nn.Conv3d, self.network.quant_conv_log_sigma.conv)
            nn.init.zeros_(spread.weight)
            nn.init.constant_(cast(Tensor, spread.bias), 2 * math.log(config.initial_sd))
        channels = (config.latent_channels, 1, 1, 1)
        # standard deviations of 0: not measured yet
        self.register_buffer("latent_mean", torch.zeros(channels))
        self.register_buffer("latent_sd", torch.zeros(channels))
        self.register_buffer("change_sd", torch.zeros(()))

    def encode(self, images: Volume) -> tuple[Volume, Volume]:
        """Return mean and standard deviation of the posterior, not standardised."""
        factor = self.config.factor
        if any(side % factor for side in images.shape[2:]):
            raise ShapeError(f"an image of {list(images.shape[2:])} voxels; every side must be a multiple of {factor}")
        return self.network.encode(unshuffle(images.flip(2) if self.config.mirrored else images, self.config.unshuffle))

    def decode(self, codes: Volume) -> Volume:
        """Return the image of a code that is not standardised."""
        images = shuffle(self.network.decode(codes), self.config.unshuffle)
        return images.flip(2) if self.config.mirrored else images

    def forward(self, images: Volume, noise: Volume) -> tuple[Volume, Volume, Volume]:
        """Return image, mean and sd of the posterior, decoded from mean + sd * noise."""
        mean, sd = self.encode(images)
        return self.decode(mean + sd * noise), mean, sd

    def latent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape (channels, x, y, z) of the latent of an image of that many voxels."""
        return self.config.latent_channels, *(side // self.config.factor for side in shape)

    @torch.no_grad()
    def latent(self, images: Volume) -> Volume:
        """Return standardised latents, equation (1)."""
        self.check_scale()
        return (self.encode(images)[0] - self.latent_mean) / self.latent_sd

    @torch.no_grad()
    def image(self, latents: Volume) -> Volume:
        """Return the images of standardised latents."""
        self.check_scale()
        return self.decode(latents * self.latent_sd + self.latent_mean)

    @torch.no_grad()
    def measure_scale(self, batches: Iterable[Volume]) -> None:
        """Measure m and k of (1) over all images of the batches and keep them.

        Raises:
            ConfigError: a channel of the latent does not vary.
        """
        totals = count = 0
        for images in batches:
            codes = self.encode(images)[0].double()
            totals = totals + torch.stack([codes.sum((0, 2, 3, 4)), codes.square().sum((0, 2, 3, 4))])
            count += codes[:, 0].numel()
        if not isinstance(totals, Tensor):
            raise ConfigError("the scale of the latents cannot be measured without images")
        mean, square = totals / count
        variance = square - mean.square()
        if bool((variance <= 1e-12).any()):
            raise ConfigError(
                f"a channel of the latent is constant (variances {variance.tolist()}); train the autoencoder longer"
            )
        self.latent_mean.copy_(mean.reshape(self.latent_mean.shape))
        self.latent_sd.copy_(variance.sqrt().reshape(self.latent_sd.shape))

    def check_scale(self) -> None:
        """Refuse a network whose latents were never measured.

        Raises:
            ConfigError: the scale is missing.
        """
        if not bool((self.latent_sd > 0).all()):
            raise ConfigError(
                "the scale of the autoencoder's latents is unknown; call measure_scale with the training images, or use weights "
                "of `train-autoencoder`, which holds it"
            )


def unshuffle(images: Volume, factor: int) -> Volume:
    """Return blocks of factor^3 voxels as channels: (b, c, x, y, z) -> (b, c factor^3, x / factor, y / factor, z / factor)."""
    batch, channels, x, y, z = images.shape
    blocks = images.reshape(batch, channels, x // factor, factor, y // factor, factor, z // factor, factor)
    return blocks.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * factor**3, x // factor, y // factor, z // factor)


def shuffle(blocks: Volume, factor: int) -> Volume:
    """Return the image of blocks; undoes `unshuffle`."""
    batch, channels, x, y, z = blocks.shape
    parts = blocks.reshape(batch, channels // factor**3, factor, factor, factor, x, y, z)
    return parts.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(batch, channels // factor**3, x * factor, y * factor, z * factor)
