"""What the autoencoder is trained to minimise, alone or against a discriminator.

    L_G = w_1 |x^ - x|_1 + w_2 |x^ - x|^2 + w_g |grad x^ - grad x|_1 + w_KL KL + w_a mean (C(x^) - 1)^2                (1)
    L_C = w_a / 2 [ mean C(x^)^2 + mean (C(x) - 1)^2 ]                                                                (2)
    KL  = sum over the latent of (mu^2 + s^2 - ln s^2 - 1) / 2, mean over the batch

Norms are means over voxels. In (1) the discriminator's weights are constants and in (2) the image x^ is one, so that one backward
pass of L_G + L_C gives each network the gradient of its own loss and nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sciml.progression.networks.autoencoder import Autoencoder, Volume
from sciml.progression.networks.monai_parts import monai_alone
from sciml.progression.settings.networks import AutoencoderConfig
from sciml.training.processes import drawn


class AdversarialPair(nn.Module):
    """An autoencoder, and the discriminator that it is trained against where the settings want one.

    Args:
        config: of network and loss.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.autoencoder = Autoencoder(config)
        self.discriminator: nn.Module | None = None
        if config.adversarial_weight > 0:
            with monai_alone():
                from monai.networks.nets.patchgan_discriminator import PatchDiscriminator

            self.discriminator = PatchDiscriminator(
                spatial_dims=3,
                channels=config.discriminator_channels,
                in_channels=1,
                out_channels=1,
                num_layers_d=config.discriminator_layers,
            )


def generator_loss(pair: AdversarialPair, images: Volume, noise: Volume) -> tuple[Tensor, Volume, dict[str, Tensor]]:
    """Return L_G of (1), the decoded images and the terms for the history."""
    config = pair.config
    decoded, mean, sd = pair.autoencoder(images, noise)
    difference = decoded - images
    absolute, squared = difference.abs().mean(), difference.square().mean()
    divergence = 0.5 * (mean.square() + sd.square() - 2 * sd.log() - 1).sum() / len(images)
    loss = config.l1_weight * absolute + config.squared_weight * squared + config.kl_weight * divergence
    terms = {"l1": absolute.detach(), "mse": squared.detach(), "kl": divergence.detach()}
    if config.gradient_weight > 0:
        slopes = torch.stack([difference.diff(dim=axis).abs().mean() for axis in (2, 3, 4)]).mean()
        loss = loss + config.gradient_weight * slopes
        terms["gradient"] = slopes.detach()
    if pair.discriminator is not None:
        constants = {name: value.detach() for name, value in pair.discriminator.named_parameters()}
        judged = (functional_call(pair.discriminator, constants, (decoded,))[-1] - 1).square().mean()
        loss = loss + config.adversarial_weight * judged
        terms["adversarial"] = judged.detach()
    return loss, decoded, terms


def discriminator_loss(pair: AdversarialPair, images: Volume, decoded: Volume) -> Tensor:
    """Return L_C of (2); 0 without a discriminator."""
    if pair.discriminator is None:
        return images.new_zeros(())
    fake, real = pair.discriminator(decoded.detach())[-1], pair.discriminator(images)[-1]
    return pair.config.adversarial_weight * 0.5 * (fake.square().mean() + (real - 1).square().mean())


def autoencoder_step(model: Any, images: Volume, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
    """Return L_G + L_C for one batch; a loss step of the training loop."""
    shape = (len(images), *model.autoencoder.latent_shape(tuple(images.shape[2:])))
    noise = drawn(torch.randn, shape, generator=generator, device=images.device)
    loss, decoded, terms = generator_loss(model, images, noise)
    against = discriminator_loss(model, images, decoded)
    if model.discriminator is not None:
        terms["discriminator"] = against.detach()
    return loss + against, terms
