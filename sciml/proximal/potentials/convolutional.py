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

from sciml.proximal.potentials.potential import Levels, NonNegative, Points, Potential, Terms, Values
from sciml.proximal.potentials.regularizer import linear_weights
from sciml.proximal.settings.structures import ConvolutionalPotential
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


def extend_adjoint(g: Tensor, radius: int, dimensions: int) -> Tensor:
    """Return the adjoint of `extend`: what lies beyond an edge is added to its mirror image."""
    if radius == 0:
        return g
    for axis in range(-dimensions, 0):
        n = g.shape[axis] - 2 * radius
        before, inside, after = g.split([radius, n, radius], axis)
        g = inside.clone()
        g.narrow(axis, 0, radius).add_(before.flip(axis))
        g.narrow(axis, n - radius, radius).add_(after.flip(axis))
    return g


class Conditioned(NamedTuple):
    """e^2, 4 d^2, b and g at the noise levels, shaped to broadcast over maps (batch, channel, *space)."""

    smoothing: Tensor
    corners: list[Tensor]
    thresholds: list[Tensor]
    gain: Tensor


class Responses(NamedTuple):
    """What the layers gave for one batch: v, t, z_1, the slopes of all s_d, z_L, (1 + z_L^2 / T^2)^(1/2) and the gain g."""

    v: Tensor
    t: Tensor
    norms: Tensor
    slopes: list[Tensor]
    last: Tensor
    root: Tensor
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

    def at(self, sigma: Levels) -> Conditioned:
        """Return everything that depends on the noise level; thresholds, corners and smoothing scale with it."""
        if bool((sigma == sigma[0]).all()):
            sigma = sigma[:1]
        shares = linear_weights(sigma, self.config.sigma_knots)
        scale = (sigma * self.unit)[:, None]

        def shaped(values: Tensor) -> Tensor:
            return values.reshape(*values.shape, *[1] * self.dimensions)

        return Conditioned(
            shaped((scale * (shares @ self.log_smoothing.T).exp()).square()),
            [shaped(4 * (scale * (shares @ table.T).exp()).square()) for table in self.log_corner],
            [shaped(scale * (shares @ table.T)) for table in self.threshold],
            shaped((shares @ self.log_gain.T).exp()),
        )

    def density(self, y: Points, sigma: Levels) -> Terms:
        """Return psi's term at each position.

        Raises:
            ShapeError: the image is smaller than the filters reach.
        """
        return self._density(self._respond(y, self.at(sigma)))

    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y), the sum over positions."""
        return self.density(y, sigma).flatten(1).sum(1)

    def gradient(self, y: Points, sigma: Levels) -> Points:
        """Return f(y) in closed form: the chain rule of the module's head, about half the time of automatic differentiation."""
        return self._gradient(self._respond(y, self.at(sigma)))

    def value_and_gradient(self, y: Points, sigma: Levels) -> tuple[Values, Points]:
        """Return psi(y) and f(y) in closed form."""
        responses = self._respond(y, self.at(sigma))
        return self._density(responses).flatten(1).sum(1), self._gradient(responses)

    def density_and_gradient(self, y: Points, sigma: Levels) -> tuple[Terms, Points]:
        """Return psi's term at each position and f(y) in closed form."""
        responses = self._respond(y, self.at(sigma))
        return self._density(responses), self._gradient(responses)

    def _respond(self, y: Points, at: Conditioned) -> Responses:
        """Run all layers and keep what the gradient needs."""
        if min(y.shape[2:]) < self.smallest:
            raise ShapeError(
                f"images of {tuple(y.shape[2:])} are smaller than the reach {self.smallest} of the filters; pad them"
            )
        v = y - 0.5
        t = self._convolve(extend(v, self.config.window // 2, self.dimensions), self.filters)
        norms = _mix(self.pooling(), t.square()).add_(at.smoothing).sqrt_()
        z, slopes = norms, []
        for mixing, skip, corner, threshold in zip(self.mixing, self.skips, at.corners, at.thresholds, strict=True):
            extended = extend(z, self.config.mixing_window // 2, self.dimensions)
            s = self._convolve(extended, mixing()).add_(_mix(skip, t)).sub_(threshold)
            # s_d(s) = (s + r) / 2 and s_d'(s) = s_d(s) / r with r = (s^2 + 4 d^2)^(1/2)
            r = torch.addcmul(corner, s, s).sqrt_()
            z = (s + r).mul_(0.5)
            slopes.append(z / r)
        root = torch.addcmul(torch.ones_like(at.gain), z, z, value=self.config.saturation**-2).sqrt_()
        return Responses(v, t, norms, slopes, z, root, at.gain)

    def _density(self, at: Responses) -> Terms:
        # A(q) = q^2 / (1 + (1 + q^2 / T^2)^(1/2)), in which nothing cancels; <1/2, y> = <1/2, v> + a constant that is kept
        terms = at.gain * at.last.square() / (1 + at.root)
        return terms.sum(1) + (0.5 * (at.v + 0.5) + 0.5 * self.config.modulus * at.v.square()).sum(1)

    def _gradient(self, at: Responses) -> Points:
        # A'(q) = q / (1 + q^2 / T^2)^(1/2)
        g, through_skips = at.gain * at.last / at.root, torch.zeros_like(at.t)
        for mixing, skip, slope in zip(reversed(self.mixing), reversed(self.skips), reversed(at.slopes), strict=True):
            g = g * slope
            through_skips = through_skips + _mix(skip.T, g)
            g = extend_adjoint(self._convolve_adjoint(g, mixing()), self.config.mixing_window // 2, self.dimensions)
        # d z_1 / d t = M^T (g / z_1) t, since z_1^2 = M t^2 + e^2
        g = torch.addcmul(through_skips, at.t, _mix(self.pooling().T, g / at.norms))
        return (
            0.5
            + self.config.modulus * at.v
            + extend_adjoint(self._convolve_adjoint(g, self.filters), self.config.window // 2, self.dimensions)
        )

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight) if self.dimensions == 2 else F.conv3d(x, weight)

    def _convolve_adjoint(self, g: Tensor, weight: Tensor) -> Tensor:
        if self.dimensions == 3:
            return F.conv_transpose3d(g, weight)
        if weight.shape[1] > 4:
            return F.conv_transpose2d(g, weight)
        # towards few channels one product and a fold is several times faster
        size, window = g.shape[2:], weight.shape[2:]
        patches = torch.bmm(weight.flatten(1).T.expand(len(g), -1, -1), g.flatten(2))
        return F.fold(patches, (size[0] + window[0] - 1, size[1] + window[1] - 1), window)


def _mix(weight: Float[Tensor, "out inside"], x: Tensor) -> Tensor:
    """Return a 1 x 1 convolution; a batched product, as a broadcast one would copy the maps."""
    return torch.bmm(weight.expand(len(x), -1, -1), x.flatten(2)).reshape(len(x), -1, *x.shape[2:])
