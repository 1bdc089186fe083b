"""Trainings in bfloat16: what is rounded is the arithmetic, by no more than eight bits say, and never the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_learning import AUTOENCODER, UNET
from torch import nn

from sciml.progression.forecasting.diffusion import noise_levels
from sciml.progression.forecasting.training_pairs import DenoisingStep
from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.settings.networks import FORMS
from sciml.training import TrainingConfig, step
from sciml.training.state import TrainingState

# the spacing of bfloat16 at 1: a number is rounded by at most half of it, relatively
SPACING = 2**-7


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def autoencoder() -> tuple[nn.Module, Any, Any]:
    torch.manual_seed(0)
    changes = {"adversarial_weight": 0.1, "discriminator_layers": 1, "discriminator_channels": 8}
    return AdversarialPair(AUTOENCODER.model_copy(update=changes)), autoencoder_step, drawn(2, 1, 32, 32, 32).sigmoid()


def denoiser(form: str) -> Callable[[], tuple[nn.Module, Any, Any]]:
    def made() -> tuple[nn.Module, Any, Any]:
        torch.manual_seed(0)
        network = Denoiser(FORMS[form], UNET)
        with torch.no_grad():  # the last layer begins at zero
            for number, weight in enumerate(network.parameters()):
                weight.add_(0.05 * drawn(*weight.shape, seed=number))
        context = network.unet.get_parameter("down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight").shape[1]
        start = drawn(4, 3, 8, 8, 8)
        batch = {"start": start, "followup": start.flip(0), "context": drawn(4, context), "start_age": torch.full((4,), 0.7)}
        return network, DenoisingStep(noise_levels(network.form.prediction), 1.0), batch

    return made


@pytest.mark.parametrize("make", [autoencoder, denoiser("residual"), denoiser("official")], ids=["autoencoder", *FORMS])
def test_bfloat16_agrees_within_its_error(make, monkeypatch, tmp_path):
    monkeypatch.setattr(step, "has_bfloat16_units", lambda: True)
    losses, slopes = [], []
    for half in (False, True):
        network, loss_step, batch = make()
        config = TrainingConfig(steps=1, bfloat16_on_cpu=half, clip_norm=None)
        state = TrainingState(network, config, 0, {})
        values = step.optimise(state, loss_step, batch, torch.Generator().manual_seed(1), 1e-3, config, Path(tmp_path))
        losses.append(values["loss"])
        weights = list(network.parameters())
        assert {weight.dtype for weight in weights} == {torch.float32}
        slopes.append(torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None]))
    error = float((slopes[1] - slopes[0]).norm() / slopes[0].norm())
    assert abs(losses[1] / losses[0] - 1) < SPACING
    assert 0 < error < 4 * SPACING
