"""A fully convolutional convex potential that starts as frame shrinkage, for images and volumes of any size.

    v = y - 1/2,   t = W v,   z_1 = (M t^2 + e^2)^(1/2),   z_{l+1} = s_d(P_l z_l + U_l t - b_l),   l = 1 ... L - 2
    psi(y) = <1/2, y> + m/2 ||v||^2 + sum over channels and positions of  g A(s_d(P z_{L-1} + U t - b))
    s_d(s) = (s + (s^2 + 4 d^2)^(1/2)) / 2,     A(q) = T^2 ((1 + q^2 / T^2)^(1/2) - 1)

W are filters under half-sample symmetric extension of the image, M and P are non-negative, U is free, and e, d, b, g depend on
sigma. Convex: z_1 is a weighted norm of a linear map; s_d and A on q >= 0 are convex and nondecreasing; P, g >= 0. So

    psi - m/2 ||y||^2 is convex for any weights: the modulus is m;
    |s_d(s)| <= |s| + d and A(q) <= T q, so psi - m/2 ||y||^2 grows at most linearly: the slope at infinity is m < 1 too.

All functions are algebraic and smooth, so f = grad psi is smooth and R definable. At the start W is the cosine basis of a patch,
scaled to a tight frame (W^T W = I, up to the border, as the basis is even or odd), M, P are near the identity and U = 0:
f(y) - 1/2 then shrinks each response towards 0 by about b, and leaves the mean of a patch as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.config import ConvolutionalPotential
from sciml.proximal.potential import Levels, NonNegative, Points, Potential, Terms, Values
from sciml.runtime.errors import ConfigError, ShapeError

THRESHOLD, SMOOTHING, CORNER = 1.6, 0.5, 0.2


def cosine_basis(size: int) -> Float[Tensor, "frequency sample"]:
    """Return the orthonormal DCT-II as rows."""
    samples = torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi * samples[:, None] * (samples[None] + 0.5) / size) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows


def extend(y: Tensor, radius: int, dimensions: int) -> Tensor:
    """Mirror the last `dimensions` axes at their edges, the edge sample repeated: x[-1 - i] = x[i]."""
    if radius == 0:
        return y
    for axis in range(-dimensions, 0):
        n = y.shape[axis]
        y = torch.cat([y.narrow(axis, 0, radius).flip(axis), y, y.narrow(axis, n - radius, radius).flip(axis)], axis)
    return y


class Conditioned(NamedTuple):
    """The numbers of one noise level, shaped to broadcast over maps (batch, channel, *space)."""

    smoothing: Tensor
    corners: list[Tensor]
    thresholds: list[Tensor]
    gain: Tensor


class Convolutional(Potential):
    """The potential of the module's head.

    Args:
        config: windows, layers, modulus, noise knots.
        generator: not used: the start is the same for all seeds.

    Raises:
        ConfigError: an even window, or knots that do not ascend.
    """

    kind = "convolutional"

    def __init__(self, config: ConvolutionalPotential, generator: torch.Generator) -> None:
        super().__init__()
        knots = config.sigma_knots
        if config.window % 2 == 0 or config.mixing_window % 2 == 0:
            raise ConfigError(f"window and mixing_window must be odd, got {config.window} and {config.mixing_window}")
        if list(knots) != sorted(set(knots)) or knots[0] <= 0:
            raise ConfigError(f"sigma_knots must be positive and ascend, got {knots}")
        self.config, self.channels, self.dimensions = config, config.channels, config.dimensions
        d, c, k, r = config.dimensions, config.channels, config.window, config.mixing_window
        self.radius = k // 2 + (config.layers - 1) * (r // 2)
        self.smallest = max(k // 2, r // 2, 1)
        basis = cosine_basis(c)
        for _ in range(d):
            basis = torch.kron(basis, cosine_basis(k))
        count = len(basis)
        # each pixel is in k^d patches: this scale makes the frame tight, and white noise of std sigma has std `unit` sigma in t
        self.unit = k ** (-d / 2)
        self.filters = nn.Parameter((basis * self.unit).float().reshape(count, c, *[k] * d))
        own = torch.eye(count)
        self.pooling = NonNegative((own + 0.003 * (1 - own)).square(), "square")
        mixing = torch.full((count, count, *[r] * d), 0.01)
        mixing[(slice(None), slice(None), *[r // 2] * d)] = own + 0.01 * (1 - own)
        steps = config.layers - 1
        self.mixing = nn.ModuleList(NonNegative(mixing.square(), "square") for _ in range(steps))
        self.skips = nn.ParameterList(torch.zeros(count, count) for _ in range(steps))
        table = torch.zeros(count, len(knots))
        self.log_smoothing = nn.Parameter(table + math.log(SMOOTHING))
        self.log_corner = nn.ParameterList(table + math.log(CORNER) for _ in range(steps))
        # the mean over a patch, one filter a channel of the basis, is not shrunk; nor do the inner layers at the start
        shrunk = torch.ones(count)
        shrunk[:: k**d] = 0
        self.threshold = nn.ParameterList(table.clone() for _ in range(steps - 1))
        self.threshold.append(nn.Parameter(table + THRESHOLD * shrunk[:, None]))
        self.log_gain = nn.Parameter(table + math.log(1 - config.modulus))

    @property
    def modulus(self) -> float:
        """m, by construction."""
        return self.config.modulus

    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return m: everything else grows at most linearly (the module's head)."""
        return self.config.modulus

    def hats(self, sigma: Levels) -> Float[Tensor, "batch knot"]:
        """Return the weights of linear interpolation in log sigma between the knots, constant beyond them."""
        knots = torch.tensor(self.config.sigma_knots, dtype=sigma.dtype, device=sigma.device).log()
        if len(knots) == 1:
            return torch.ones(len(sigma), 1, dtype=sigma.dtype, device=sigma.device)
        place = sigma.log().clamp(knots[0], knots[-1])[:, None]
        low = torch.searchsorted(knots[1:-1].contiguous(), place, right=True)
        share = (place - knots[low]) / (knots[low + 1] - knots[low])
        hats = torch.zeros(len(sigma), len(knots), dtype=sigma.dtype, device=sigma.device)
        return hats.scatter(1, low, 1 - share).scatter(1, low + 1, share)

    def at(self, sigma: Levels) -> Conditioned:
        """Return everything that depends on the noise level; thresholds, corners and smoothing scale with it."""
        if bool((sigma == sigma[0]).all()):
            sigma = sigma[:1]
        hats = self.hats(sigma)
        scale = (sigma * self.unit)[:, None]

        def shaped(values: Tensor) -> Tensor:
            return values.reshape(*values.shape, *[1] * self.dimensions)

        return Conditioned(
            shaped((scale * (hats @ self.log_smoothing.T).exp()).square()),
            [shaped(4 * (scale * (hats @ table.T).exp()).square()) for table in self.log_corner],
            [shaped(scale * (hats @ table.T)) for table in self.threshold],
            shaped((hats @ self.log_gain.T).exp()),
        )

    def density(self, y: Points, sigma: Levels) -> Terms:
        """Return psi's term at each position.

        Raises:
            ShapeError: the image is smaller than the filters reach.
        """
        if min(y.shape[2:]) < self.smallest:
            raise ShapeError(
                f"images of {tuple(y.shape[2:])} are smaller than the reach {self.smallest} of the filters; pad them"
            )
        at, config = self.at(sigma), self.config
        convolve = F.conv2d if self.dimensions == 2 else F.conv3d
        v = y - 0.5
        t = convolve(extend(v, config.window // 2, self.dimensions), self.filters)
        ones = [1] * self.dimensions
        z = (convolve(t.square(), self.pooling().reshape(*self.pooling.raw.shape, *ones)) + at.smoothing).sqrt()
        for mixing, skip, corner, threshold in zip(self.mixing, self.skips, at.corners, at.thresholds, strict=True):
            z = convolve(extend(z, config.mixing_window // 2, self.dimensions), mixing())
            s = z + convolve(t, skip.reshape(*skip.shape, *ones)) - threshold
            z = (s + (s.square() + corner).sqrt()) / 2
        # A(q) = q^2 / (1 + (1 + q^2 / T^2)^(1/2)), in which nothing cancels
        q = z.square()
        terms = at.gain * q / (1 + (1 + q / config.saturation**2).sqrt())
        return terms.sum(1) + (0.5 * y + 0.5 * config.modulus * v.square()).sum(1)

    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y), the sum over positions."""
        return self.density(y, sigma).flatten(1).sum(1)
