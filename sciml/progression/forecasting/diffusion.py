"""Noise levels, training targets, and the deterministic sampler with averaging over chains.

    z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps,    v_t = sqrt(abar_t) eps - sqrt(1 - abar_t) z_0          (1)
    z_s = sqrt(abar_s) z^_0 + sqrt(1 - abar_s) eps^                             (DDIM, eta = 0)              (2)

1000 times, sqrt(beta) linear from sqrt(0.0015) to sqrt(0.0205). The levels are MONAI's. With n steps the times are 999, 999 -
1000/n, ... so that the last step ends at abar = 1 and each step ends where the next begins: MONAI's own times for n < 1000 are
spread from 999 to 0, while its step always goes down by 1000 // n, so that the network would be told another noise level than
the latent has.

Averaging over m chains estimates the mean of z_0 given everything known: its squared error is bias^2 + variance / m.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from sciml.progression.networks.denoiser import Latent
from sciml.progression.networks.monai_parts import monai_alone
from sciml.runtime.errors import ConfigError

TIMES = 1000
# chains that a network sees at once, by kind of device: a processor's cache holds no more, and the numbers are the same
CHAINS_AT_ONCE = {"cpu": 16, "cuda": 64}
LEVELS: dict[str, Any] = {
    "num_train_timesteps": TIMES,
    "schedule": "scaled_linear_beta",
    "beta_start": 0.0015,
    "beta_end": 0.0205,
}
Prediction = Literal["v_prediction", "epsilon"]
Network = Callable[[Latent, Tensor], Latent]


def noise_levels(prediction: Prediction) -> Any:
    """Return MONAI's scheduler of (1), for training."""
    with monai_alone():
        from monai.networks.schedulers.ddpm import DDPMScheduler

    return DDPMScheduler(prediction_type=prediction, **LEVELS)


def target_of(levels: Any, clean: Latent, noise: Latent, times: Tensor) -> Latent:
    """Return what the network is to predict: eps, or v of (1)."""
    return noise if levels.prediction_type == "epsilon" else levels.get_velocity(clean, noise, times)


def ddim(prediction: Prediction, steps: int) -> Any:
    """Return MONAI's DDIM scheduler with times that fit its steps.

    Raises:
        ConfigError: `steps` does not divide 1000.
    """
    with monai_alone():
        from monai.networks.schedulers.ddim import DDIMScheduler

    if steps < 1 or TIMES % steps:
        raise ConfigError(f"steps is {steps}, expected a divisor of {TIMES}: 5, 10, 20, 25, 50 ...")
    scheduler = DDIMScheduler(prediction_type=prediction, clip_sample=False, **LEVELS)
    scheduler.set_timesteps(steps)
    scheduler.timesteps = torch.arange(TIMES - 1, -1, -(TIMES // steps))
    return scheduler


@torch.no_grad()
def denoise(network: Network, scheduler: Any, noise: Latent, clamp: float | None = None) -> Latent:
    """Return z_0 of each chain that starts at `noise`, by (2).

    Args:
        network: (z_t, times of shape (batch,)) -> eps or v.
        scheduler: of `ddim`.
        noise: z at t = 999.
        clamp: largest |z^_0| inside a step; None leaves it alone.
    """
    latent = noise
    for time in scheduler.timesteps.tolist():
        output = network(latent, torch.full((len(latent),), time, device=latent.device))
        if clamp is not None:
            output = _clamped(scheduler, output, latent, time, clamp)
        latent, _ = scheduler.step(output, time, latent)
    return latent


def _clamped(scheduler: Any, output: Latent, latent: Latent, time: int, clamp: float) -> Latent:
    """Return the prediction whose z^_0 is the clamped one, with the same z_t."""
    kept = scheduler.alphas_cumprod[time].to(latent)
    signal, spread = kept.sqrt(), (1 - kept).sqrt()
    if scheduler.prediction_type == "epsilon":
        clean = ((latent - spread * output) / signal).clamp(-clamp, clamp)
        return (latent - signal * clean) / spread
    clean = (signal * latent - spread * output).clamp(-clamp, clamp)
    return (signal * latent - clean) / spread


@dataclass(frozen=True)
class Averaged:
    """Latents of m chains and what they say together.

    Attributes:
        chains: shape (m, batch, channel, x, y, z).
    """

    chains: Tensor

    @property
    def mean(self) -> Latent:
        """Return the estimate of the mean of z_0, shape (batch, channel, x, y, z)."""
        return self.chains.mean(0)

    @property
    def deviation(self) -> Latent:
        """Return sqrt(sum (z - mean)^2 / m), the uncertainty map."""
        return self.chains.std(0, correction=0)


def average(
    network: Callable[[Latent, Tensor, Tensor], Latent],
    scheduler: Any,
    shape: tuple[int, ...],
    samples: int,
    seeds: list[int],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    clamp: float | None = None,
    together: int | None = None,
) -> Averaged:
    """Run m chains for each case, several at a time.

    The noise of chain j of a case depends on the case's seed and j alone: not on the batch, on m or on the other cases.

    Args:
        network: (z_t, times, rows) -> prediction; row = chain * cases + case says which entry of the whole (batch,) each is.
        scheduler: of `ddim`.
        shape: (channel, x, y, z) of one latent.
        samples: m.
        seeds: one a case.
        device: of the network.
        dtype: of the latents.
        clamp: see `denoise`.
        together: chains at a time; `CHAINS_AT_ONCE` by default.
    """
    if samples < 1:
        raise ConfigError(f"samples is {samples}, expected at least 1")
    noise = torch.stack([chain_noise(seed, samples, shape, dtype) for seed in seeds], dim=1).flatten(0, 1)
    rows = torch.arange(len(noise))
    parts = []
    at_once = together or CHAINS_AT_ONCE[torch.device(device).type]
    for first in range(0, len(rows), at_once):
        part = slice(first, first + at_once)
        chosen = rows[part].to(device)
        parts.append(denoise(lambda z, t, chosen=chosen: network(z, t, chosen), scheduler, noise[part].to(device), clamp))
    return Averaged(torch.cat(parts).reshape(samples, len(seeds), *shape))


def chain_noise(seed: int, samples: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the first m noises of a case, shape (m, *shape): the first chains are the same for any m."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randn(shape, generator=generator, dtype=dtype) for _ in range(samples)])
