"""The input-convex networks of Fang, Buchanan and Sulam (ICLR 2024), fully connected and convolutional.

    z_1 = s(W_1 y),   z_{l+1} = s(P_l z_l + W_{l+1} y_l + b_{l+1}),   P_l >= 0,      s(t) = log(1 + exp(beta t)) / beta
    psi(y) = p^T z_L + alpha ||y||^2,   p >= 0          (the fully connected network adds w^T y + b)

y_l is y, resized bilinearly to the size of the input of layer l. s is convex and nondecreasing, so psi is convex; the strong
convexity of psi is m = 2 alpha. s grows like t, so psi - alpha ||y||^2 grows linearly and the slope at infinity is 2 alpha too.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.potentials.potential import Levels, NonNegative, Points, Potential, Values
from sciml.proximal.settings.structures import DensePotential, PublishedPotential
from sciml.runtime.errors import ConfigError


def softplus(t: Tensor, beta: float) -> Tensor:
    """Return log(1 + exp(beta t)) / beta; linear only where float64 (beta t > 40) or float32 (20) cannot tell it from t."""
    return F.softplus(t, beta, 40.0 if t.dtype == torch.float64 else 20.0)


def uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> Tensor:
    """Return numbers uniform in +-1/sqrt(fan_in)."""
    return (2 * torch.rand(shape, generator=generator) - 1) / math.sqrt(fan_in)


class Affine(nn.Module):
    """Free weights and biases of a linear layer or a convolution."""

    def __init__(self, shape: tuple[int, ...], generator: torch.Generator, bias: bool = True) -> None:
        super().__init__()
        fan_in = math.prod(shape[1:])
        self.weight = nn.Parameter(uniform(shape, fan_in, generator))
        self.bias = nn.Parameter(uniform(shape[:1], fan_in, generator)) if bias else None

    def forward(self, y: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        """Return W y + b for vectors or images."""
        if self.weight.ndim == 2:
            return F.linear(y, self.weight, self.bias)
        return F.conv2d(y, self.weight, self.bias, stride, padding)


class Dense(Potential):
    """The fully connected network; 10,502 parameters in the published 1-D example.

    Its non-negative weights start at half of |uniform(+-1/sqrt(fan_in))|, or at its positive part under projection, which is what
    the published default start is after its first projection.
    """

    kind = "dense"
    dimensions = 0

    def __init__(self, config: DensePotential, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels
        width = config.width
        self.first = Affine((width, config.channels), generator, bias=False)
        shapes = [(width, width)] * config.hidden + [(1, width)]
        self.path = nn.ModuleList(NonNegative(self._start(shape, generator), config.signs) for shape in shapes)
        self.skips = nn.ModuleList(Affine((shape[0], config.channels), generator) for shape in shapes)

    def _start(self, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        start = uniform(shape, shape[1], generator)
        return start.clamp(min=0) if self.config.signs == "project" else start.abs() / 2

    @property
    def modulus(self) -> float:
        """2 alpha."""
        return 2 * self.config.alpha

    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return 2 alpha: softplus layers grow linearly."""
        return 2 * self.config.alpha

    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y), y of shape (batch, channels)."""
        z = softplus(self.first(y), self.config.beta)
        for position, (path, skip) in enumerate(zip(self.path, self.skips, strict=True)):
            z = F.linear(z, path()) + skip(y)
            if position + 1 < len(self.path):
                z = softplus(z, self.config.beta)
        return z[:, 0] + self.config.alpha * y.square().sum(1)


class Published(Potential):
    """The convolutional network, for images of one size; 317,056 parameters for digits, 7,175,297 for grey 128 x 128.

    Non-negative weights start at exp(N(-10, 0.1)). With `patch_stride` images of any size are covered by overlapping patches:

        Psi(y) = (stride / patch)^2 sum_i psi(P_i Z y),

    Z pads by zeros so that every pixel lies in as many patches. Psi is convex with the modulus of psi, since the sum of all
    P_i^T P_i is (patch / stride)^2 times the identity.
    """

    kind = "published"

    def __init__(self, config: PublishedPotential, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.channels = config, config.channels
        stride = config.patch_stride
        if stride is not None and any(n % stride for n in config.size):
            raise ConfigError(f"patch_stride {stride} must divide the patch {config.size[0]} x {config.size[1]}")
        self.size = config.size if stride is None else None
        sizes = [config.size]
        for step in config.strides:
            sizes.append(((sizes[-1][0] + step - 1) // step, (sizes[-1][1] + step - 1) // step))
        # the size of each layer's input, to which y is resized for the skips
        self.inputs = sizes[1:]
        c, width, head = config.channels, config.width, config.head
        self.first = Affine((width, c, 3, 3), generator, bias=config.biases)
        shapes = [(width, width, 3, 3)] * (len(config.strides) - 1) + [(head, width, *sizes[-1])]
        self.path = nn.ModuleList(NonNegative(self._start(shape, generator), config.signs) for shape in shapes)
        self.skips = nn.ModuleList(Affine((shape[0], c, *shape[2:]), generator) for shape in shapes)
        self.last = NonNegative(self._start((1, head), generator), config.signs)
        self.offset = nn.Parameter(torch.zeros(1)) if config.biases else None

    @staticmethod
    def _start(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        return (torch.randn(shape, generator=generator) * 0.1 - 10).exp()

    @property
    def modulus(self) -> float:
        """2 alpha."""
        return 2 * self.config.alpha

    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return 2 alpha: softplus layers grow linearly."""
        return 2 * self.config.alpha

    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y), y of shape (batch, channels, rows, columns)."""
        if self.config.patch_stride is None:
            return self._one(y)
        patches, share = self._patches(y)
        return self._one(patches).reshape(len(y), -1).sum(1) * share

    def _patches(self, y: Points) -> tuple[Tensor, float]:
        size, stride = self.config.size, self.config.patch_stride or 1
        # whole strides first, then patch - stride on each side: every pixel is in (patch / stride)^2 patches
        pads = [(n - stride, n - stride + (-length) % stride) for n, length in zip(size, y.shape[-2:], strict=True)]
        padded = F.pad(y, (*pads[1], *pads[0]))
        windows = padded.unfold(2, size[0], stride).unfold(3, size[1], stride)
        return windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, y.shape[1], *size), stride**2 / math.prod(size)

    def _one(self, y: Float[Tensor, "batch channel rows columns"]) -> Values:
        beta, strides = self.config.beta, self.config.strides
        z = softplus(self.first(y, strides[0], 1), beta)
        for position, (path, skip) in enumerate(zip(self.path, self.skips, strict=True)):
            size = self.inputs[position]
            resized = y if y.shape[-2:] == size else F.interpolate(y, size=size, mode="bilinear", align_corners=False)
            is_head = position + 1 == len(self.path)
            step, padding = (1, 0) if is_head else (strides[position + 1], 1)
            z = F.conv2d(z, path(), None, step, padding) + skip(resized, step, padding)
            z = softplus(z, beta)
        value = F.linear(z.flatten(1), self.last(), self.offset)[:, 0]
        return value + self.config.alpha * y.square().sum((1, 2, 3))


def digits(size: int = 28, width: int = 64, **changes: object) -> PublishedPotential:
    """Return the settings of the published digit network by its rules for another size or width."""
    return PublishedPotential.model_validate({"size": (size, size), "width": width, **changes})


def photographs(size: int = 128, channels: int = 1, width: int = 256, **changes: object) -> PublishedPotential:
    """Return the settings of the published photograph and tomography network (128 x 128)."""
    values = {"size": (size, size), "channels": channels, "width": width, "strides": (1, 2, 1, 2, 1, 2), "biases": True}
    return PublishedPotential.model_validate({**values, "beta": 100.0, "alpha": 1e-6, **changes})
