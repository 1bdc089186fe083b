"""Random operators of each kind of task, for training and validation through the solver.

    deblur: valid blur by a Gaussian of width .8 to 2.5, a disk of radius 1 to 3.5, camera shake; noise .005 to .05
    ct:     parallel beam, as dense as 20 to 90 views at 256 pixels; noise .001 to .004 of the maximum
    mri:    Cartesian rows, acceleration 3 to 9, with a smooth random phase; noise .005 to .02 of the maximum

Each operator is built once, with what a solver needs of it: column norm and spectrum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators import kernels
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.linear import LinearPhysics
from sciml.imaging.operators.mri import MRI, cartesian_mri, smooth_phase
from sciml.imaging.operators.physics import Noise, column_norm
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.solvers.classical import first_guess
from sciml.proximal.reconstruction.operators import normal_spectrum
from sciml.runtime.seeds import Seeds
from sciml.training.processes import drawn

Inverse = Literal["deblur", "ct", "mri"]
Images = Float[Tensor, "batch channel height width"]
DARKEST = 0.1
NOISE_RANGE = {"deblur": (0.005, 0.05), "ct": (0.001, 0.004), "mri": (0.005, 0.02)}


@dataclass(frozen=True)
class RandomProblem:
    """One operator with what its solver needs.

    Attributes:
        physics: A with norm at most 1.
        column_norm: root mean square norm of its columns.
        spectrum: about the diagonal of A^T A in the cosine basis.
        noise_range: standard deviations or fractions that noise is drawn from.
    """

    physics: LinearPhysics
    column_norm: float
    spectrum: Float[Tensor, "1 1 height width"]
    noise_range: tuple[float, float]

    def truth(self, clean: Images, generator: torch.Generator) -> Images:
        """Return what is measured: for MR the picture with a smooth random phase as real and imaginary parts."""
        if not isinstance(self.physics, MRI):
            return clean
        phase = smooth_phase((clean.shape[-2], clean.shape[-1]), generator).to(clean)
        return torch.cat([clean * torch.cos(phase), clean * torch.sin(phase)], 1)

    def measure(self, truth: Images, generator: torch.Generator, share: float | None = None) -> tuple[Tensor, Tensor]:
        """Return the measurement and the standard deviation of its noise, one an image.

        Args:
            truth: pictures as the method `truth` returns them.
            generator: source of the noise and its level.
            share: place in the range of noise levels, 0 to 1; drawn for each image otherwise.
        """
        low, high = (math.log(level) for level in self.noise_range)
        place = generator.device
        shares = torch.full((len(truth),), share or 0.0)
        if share is None:
            shares = drawn(torch.rand, (len(truth),), generator=generator, device=place)
        level = torch.exp(low + (high - low) * shares).to(truth)
        clean = self.physics.A(truth)
        relative = {ParallelBeam: "measurement", MRI: "image"}.get(type(self.physics), "absolute")
        unit = Noise(1.0, relative, isinstance(self.physics, MRI))
        # a crop of background alone still has the noise of its scan
        sigma = level * unit.of(truth if relative == "image" else clean).clamp(min=DARKEST)
        noise = drawn(torch.randn, clean.shape, generator=generator, device=place).to(clean)
        if isinstance(self.physics, MRI):
            noise = noise * self.physics.mask
        return clean + sigma.reshape(-1, *[1] * (clean.ndim - 1)) * noise, sigma

    def start(self, y: Tensor) -> Images:
        """Return the usual first guess."""
        return first_guess(y, self.physics)

    def scored(self, x: Images) -> Images:
        """Return what the loss looks at: the part inside the picture for a blur."""
        return self.physics.crop(x) if isinstance(self.physics, ValidBlur) else x


def random_problems(kind: Inverse, size: int, count: int, seed: int, device: str = "cpu") -> list[RandomProblem]:
    """Return `count` operators for images of size x size, the same for the same seed.

    For a blur `size` is that of the canvas, larger than the picture by the kernel.
    """
    random = np.random.default_rng(Seeds(seed)("operators", kind, size))
    found = []
    for index in range(count):
        physics = _MAKERS[kind](size, index, random, device)
        like = torch.zeros(1, 2 if isinstance(physics, MRI) else 1, size, size, device=device)
        found.append(RandomProblem(physics, column_norm(physics, like), normal_spectrum(physics, like), NOISE_RANGE[kind]))
    return found


def _blur(size: int, index: int, random: np.random.Generator, device: str) -> LinearPhysics:
    # a disk, two Gaussians, which leave the least to work with, and two camera shakes of every five
    shape = index % 5
    if shape == 0:
        kernel = kernels.disk(random.uniform(1.0, 3.5))
    elif shape < 3:
        kernel = kernels.gaussian(random.uniform(0.8, 2.5), 11)
    else:
        kernel = kernels.camera_shake(int(random.choice([13, 15, 17, 19])), random)
    inside = size - 2 * (len(kernel) // 2)
    return ValidBlur(kernel, (inside, inside), device=device)


def _scan(size: int, index: int, random: np.random.Generator, device: str) -> LinearPhysics:
    views = max(6, round(math.exp(random.uniform(math.log(20), math.log(90))) * size / 256))
    offset = random.uniform(0, 180 / views)
    return ParallelBeam((size, size), [offset + 180 * view / views for view in range(views)], device=device)


def _magnet(size: int, index: int, random: np.random.Generator, device: str) -> LinearPhysics:
    acceleration = math.exp(random.uniform(math.log(3), math.log(9)))
    return cartesian_mri((size, size), acceleration, 0.08, int(random.integers(2**31)), device)


_MAKERS = {"deblur": _blur, "ct": _scan, "mri": _magnet}
