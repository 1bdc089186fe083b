"""The registry of reconstruction tasks: each one physics + noise + data split + metric, under a name.

    y = A x + n

Every random part is seeded: kernel, mask and phase by `seed` (part of the task), the noise by the caller's generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators import kernels
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.linear import Linear
from sciml.imaging.operators.mri import MRI, cartesian_mri, smooth_phase
from sciml.imaging.operators.physics import Identity, Inpainting, Noise, noise_of, random_inpainting
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.tasks.catalogue import TASKS, resolve_options
from sciml.runtime.errors import ConfigError, ShapeError
from sciml.runtime.seeds import Seeds

MOST_VIEWS = 10_000
Picture = Float[Tensor, "batch 1 height width"]


@dataclass(frozen=True)
class Task:
    """One reconstruction problem at one image size.

    Attributes:
        name: registered name.
        options: resolved options, JSON values.
        size: height and width of the picture that is measured and scored.
        physics: linear physics with norm at most 1 and its `noise_level`.
        seed: seed of the random parts of the physics.
        experiment: name in `data/splits.yaml` of the data that the task is studied on.
    """

    name: str
    options: Mapping[str, Any]
    size: tuple[int, int]
    physics: Linear
    seed: int
    experiment: str

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width of the truth that `measure` takes: larger than `size` by the kernel for a valid blur."""
        return self.physics.canvas if isinstance(self.physics, ValidBlur) else self.size

    def measure(self, x: Picture, generator: torch.Generator) -> Tensor:
        """Return y = A x + n for a batch of pictures in [0, 1].

        Args:
            x: pictures of size `canvas`; for MR the magnitude, to which the task's smooth random phase is given.
            generator: source of the noise.

        Raises:
            ShapeError: `x` is not (batch, 1, *canvas).
        """
        if x.ndim != 4 or x.shape[1] != 1 or tuple(x.shape[-2:]) != self.canvas:
            raise ShapeError(f"task {self.name} measures pictures of shape (batch, 1, {self.canvas}), got {tuple(x.shape)}")
        if isinstance(self.physics, MRI):
            phase = smooth_phase(self.size, torch.Generator().manual_seed(Seeds(self.seed)("phase"))).to(x)
            x = torch.cat([x * torch.cos(phase), x * torch.sin(phase)], dim=1)
        clean = self.physics.A(x)
        level = noise_of(self.physics)
        sigma = level.of(x if level.relative_to == "image" else clean)
        # drawn on the processor, so that every device measures the same
        noise = torch.randn(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        if isinstance(self.physics, MRI | Inpainting):
            noise = noise * self.physics.mask  # unmeasured entries stay exactly zero
        return clean + sigma.reshape(-1, 1, 1, 1) * noise

    def picture(self, x: Tensor, clip: bool = True) -> Picture:
        """Return what is shown and scored: the magnitude for MR, the part inside the picture for a blur, clipped to [0, 1]."""
        if isinstance(self.physics, MRI):
            x = x.square().sum(1, keepdim=True).sqrt() if x.shape[1] == 2 else x
        if isinstance(self.physics, ValidBlur) and tuple(x.shape[-2:]) == self.canvas:
            x = self.physics.crop(x)
        return x.clamp(0, 1) if clip else x


def _denoise(size: tuple[int, int], seed: int, device: str, sigma: float) -> tuple[Linear, Noise]:
    return Identity(), Noise(sigma)


def _deblur(
    size: tuple[int, int], seed: int, device: str, kernel: str, kernel_size: int, width: float, sigma: float
) -> tuple[Linear, Noise]:
    makers = {
        "shake": lambda: kernels.camera_shake(kernel_size, np.random.default_rng(Seeds(seed)("kernel"))),
        "gaussian": lambda: kernels.gaussian(width, kernel_size),
        "disk": lambda: kernels.disk(width, kernel_size),
        "line": lambda: kernels.line(width, 30.0, kernel_size),
    }
    if kernel not in makers:
        raise ConfigError(f"deblur has kernels {', '.join(makers)}, not {kernel!r}")
    return ValidBlur(makers[kernel](), size, device=device), Noise(sigma)


def _tomography(
    size: tuple[int, int], seed: int, device: str, views: int, range_degrees: float, noise: float
) -> tuple[Linear, Noise]:
    if not 1 <= views <= MOST_VIEWS:
        raise ConfigError(f"a scan has 1 to {MOST_VIEWS} views, got {views}")
    if not 0 < range_degrees <= 360:
        raise ConfigError(f"the views of a scan span more than 0 and at most 360 degrees, got range_degrees={range_degrees:g}")
    return ParallelBeam(size, [range_degrees * view / views for view in range(views)], device=device), Noise(noise, "measurement")


def _magnetic_resonance(
    size: tuple[int, int], seed: int, device: str, acceleration: float, centre_fraction: float, noise: float
) -> tuple[Linear, Noise]:
    return cartesian_mri(size, acceleration, centre_fraction, Seeds(seed)("mask"), device), Noise(
        noise, "image", complex_valued=True
    )


def _inpaint(size: tuple[int, int], seed: int, device: str, keep: float, sigma: float) -> tuple[Linear, Noise]:
    return random_inpainting(size, keep, Seeds(seed)("mask"), device), Noise(sigma)


_BUILD: dict[str, Callable[..., tuple[Linear, Noise]]] = {
    "denoise": _denoise,
    "deblur": _deblur,
    "ct-sparse": _tomography,
    "ct-limited": _tomography,
    "mri-cs": _magnetic_resonance,
    "inpaint": _inpaint,
}


def task(name: str, size: tuple[int, int] = (256, 256), seed: int = 0, device: str = "cpu", **options: Any) -> Task:
    """Return a registered task.

    Args:
        name: one of `TASKS`: denoise, deblur, ct-sparse, ct-limited, mri-cs, inpaint.
        size: height and width of the pictures that are measured.
        seed: seed of kernel, mask and phase.
        device: where the physics lives, `cpu` or `cuda`.
        **options: overrides of the kind's defaults, for instance `views=24` or `sigma=25 / 255`.

    Raises:
        ConfigError: unknown name or option, or a value of the wrong type or sign.

    Example:
        >>> import torch
        >>> sharp = torch.rand(1, 1, 64, 64)
        >>> noisy = task("denoise", size=(64, 64), sigma=0.05).measure(sharp, torch.Generator().manual_seed(0))
        >>> noisy.shape
        torch.Size([1, 1, 64, 64])
    """
    if name not in TASKS:
        raise ConfigError(f"no task is called {name!r}; there are {', '.join(TASKS)}")
    kind = TASKS[name]
    resolved = resolve_options(name, options)
    if len(size) != 2 or min(size) < 16:
        raise ConfigError(f"task {name} needs a picture of at least 16 x 16 pixels, got {size}")
    physics, noise = _BUILD[name]((int(size[0]), int(size[1])), seed, device, **resolved)
    physics.noise_level = noise
    return Task(name, resolved, (int(size[0]), int(size[1])), physics, seed, kind.experiment)
