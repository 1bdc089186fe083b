"""A learned weakly convex regulariser: groups of filter responses under saturating potentials.

    R_sigma(x) = sum over levels l, groups k and positions p of  phi_k( q_k(p) ),
    q = M (t * t),  t = W u_l,  u_0 = x, u_{l+1} = u_l halved,
    phi(q) = nu tau^2 (sqrt(1 + q / tau^2) - 1) - eta tau'^2 (sqrt(1 + q / tau'^2) - 1),  tau' = r tau nu / eta,  0 < r < 1.

phi is a difference of two Charbonnier functions of the norm of a group: quadratic at 0, flatter beyond tau, its slope falling
back towards nu tau (1 - r) beyond tau', never negative. With s = sigma / 0.1, tau is proportional to s, which makes
R_sigma(x) = s^2 R(x / s) up to what nu, eta, tau and r learn to depend on sigma.

Bounds, for every image of every size (a Charbonnier function of a vector has a Hessian between 0 and the identity):

    -rho I <= Hess R <= D,    rho = max over frequencies of the symbol with eta in place of the potentials, D the same with nu,
    symbol_l(w) = sum_i (M^T c)_i |w_i(w)|^2  +  symbol_{l+1}(2 w) a(w_1) a(w_2) / 4

where a bounds the share of each alias of the halving. Colours are turned to mean and differences first, by an orthonormal
transform that changes no bound. All eta are scaled so that rho <= `weak_convexity` < 1 and all nu so
that D <= `curvature`, at every evaluation: the bounds hold for any weights. The form goes back to weakly convex ridge
regularisers (Goujon, Neumayer and Unser, SIAM J. Imaging Sci. 2024); groups, levels and the exact bound are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.potentials import symmetric
from sciml.proximal.potentials.filter_bank import FilterBank, Images
from sciml.proximal.potentials.filters import Closure, fourier_bank
from sciml.proximal.settings.structures import RegularizerConfig
from sciml.runtime.errors import ShapeError

REFERENCE_SIGMA = 0.1
GRID = 256
FILTER_SCALE = 0.15
NOTHING = 1e-20


class Level(nn.Module):
    """Parameters of one resolution: filters of each channel, mixing into groups, and the potentials at each noise knot."""

    def __init__(self, windows: tuple[int, ...], gain: float, channels: int, knots: int, curvature: float) -> None:
        super().__init__()
        bank = fourier_bank(windows)
        self.window, self.channels = max(windows), channels
        self.count, self.pairs = len(bank), len(bank) // 2
        self.closure = Closure.of(bank)
        # one learning rate suits all parameters when the small filters are stored larger
        self.filters = nn.Parameter((bank * gain / FILTER_SCALE).repeat(channels, 1, 1, 1))
        # squares of these mix energies: a pair makes a group, with a little of all others
        own = torch.eye(channels * self.pairs).repeat_interleave(2, 1)
        self.mixing = nn.Parameter(own + 0.03 * (1 - own))
        per_group = (channels * self.pairs, knots)
        noise = gain * REFERENCE_SIGMA * bank.flatten(1).norm(dim=1)[::2].repeat(channels)
        self.log_tau = nn.Parameter((0.5 * noise).log()[:, None].repeat(1, knots))
        self.log_nu = nn.Parameter(torch.full(per_group, math.log(curvature)))
        self.log_eta = nn.Parameter(torch.zeros(per_group))
        self.tail = nn.Parameter(torch.ones(per_group))

    def closed_filters(self) -> Float[Tensor, "channel filter window window"]:
        """Return the filters of each channel, closed under the symmetries and without mean."""
        return torch.stack([self.closure.mean_filters(w) for w in self.filters]) * FILTER_SCALE

    def closed_mixing(self) -> Float[Tensor, "group all_filters"]:
        """Return the non-negative mixing of the energies of all channels into groups."""
        blocks = self.mixing.square().reshape(self.channels, self.pairs, self.channels, self.count).transpose(1, 2)
        mixing = self.closure.mean_mixing(blocks).transpose(1, 2).reshape(self.mixing.shape)
        # training drives most of them to 0: squares below the normal floats make products ten times as slow, and change no sum
        return torch.where(mixing > NOTHING, mixing, 0)

    def of_group(self, values: Tensor, at_knots: Float[Tensor, "batch knot"]) -> Float[Tensor, "batch group"]:
        """Return one number a group for each noise level, closed under the symmetries."""
        at = at_knots @ values.T
        return self.closure.mean_pairs(at.reshape(len(at_knots), self.channels, self.pairs)).flatten(1)


def linear_weights(sigma: Float[Tensor, " batch"], sigma_knots: Sequence[float]) -> Float[Tensor, "batch knot"]:
    """Return the weights of linear interpolation in log sigma, constant beyond the outer knots."""
    knots = torch.tensor(sigma_knots, dtype=sigma.dtype, device=sigma.device).log()
    if len(knots) == 1:
        return torch.ones(len(sigma), 1, dtype=sigma.dtype, device=sigma.device)
    at = sigma.log().clamp(knots[0], knots[-1])
    left = (torch.searchsorted(knots, at, right=True) - 1).clamp(0, len(knots) - 2)
    share = ((at - knots[left]) / (knots[left + 1] - knots[left]))[:, None]
    one_hot = F.one_hot(left, len(knots)).to(sigma)
    return one_hot * (1 - share) + one_hot.roll(1, 1) * share


class WeaklyConvexRegularizer(nn.Module):
    """R, its gradient, its Hessian and its bounds, for images of any size.

    Args:
        config: windows of each level, channels, noise knots, limits of the curvature.

    Example:
        >>> R = WeaklyConvexRegularizer(RegularizerConfig())
        >>> at = R.at(torch.tensor([0.1]))
        >>> float(at.value(torch.full((1, 1, 16, 16), 0.5)))
        0.0
    """

    def __init__(self, config: RegularizerConfig) -> None:
        super().__init__()
        self.config = config
        families = sum(len(windows) for windows in config.windows)
        self.levels = nn.ModuleList(
            Level(windows, 1.0 if index == 0 else 1.6, config.channels, len(config.sigma_knots), 5.0 / families)
            for index, windows in enumerate(config.windows)
        )

    def at(self, sigma: Float[Tensor, " batch"]) -> Conditioned:
        """Return R_sigma for one noise level, or one an image of the batch, with both bounds enforced."""
        levels: list[Level] = list(self.levels)  # pyright: ignore[reportAssignmentType]
        at_knots, scale = linear_weights(sigma, self.config.sigma_knots), (sigma / REFERENCE_SIGMA)[:, None]
        banks, ratios = [], []
        for level in levels:
            filters = level.closed_filters()
            size = 2 * level.window
            power = torch.fft.rfft2(filters, s=(size, size)).abs().square()
            correlations = torch.fft.fftshift(torch.fft.irfft2(power, s=(size, size)), dim=(-2, -1))[..., 1:, 1:]
            tau = level.of_group(level.log_tau, at_knots).exp() * scale
            banks.append(
                FilterBank(
                    filters=filters,
                    mixing=level.closed_mixing(),
                    nu=level.of_group(level.log_nu, at_knots).exp()[..., None],
                    eta=level.of_group(level.log_eta, at_knots).exp()[..., None],
                    inverse_tau=tau.pow(-2)[..., None],
                    inverse_tail=torch.empty(0),
                    correlations=correlations,
                )
            )
            ratios.append(torch.sigmoid(level.of_group(level.tail, at_knots))[..., None])
        weak = largest_symbol(banks, [bank.eta for bank in banks])
        steep = largest_symbol(banks, [bank.nu for bank in banks])
        soften = (self.config.weak_convexity / weak).clamp(max=1)[:, None, None]
        lower = (self.config.curvature / steep).clamp(max=1)[:, None, None]
        final = []
        for bank, ratio in zip(banks, ratios, strict=True):
            nu, eta = bank.nu * lower, bank.eta * soften
            # tau' = r tau nu / eta
            tail = bank.inverse_tau * (eta / (ratio * nu)).square()
            final.append(FilterBank(bank.filters, bank.mixing, nu, eta, bank.inverse_tau, tail, bank.correlations))
        return Conditioned(tuple(final), weak * soften[:, 0, 0], steep * lower[:, 0, 0])


def _symbol(
    banks: list[FilterBank] | tuple[FilterBank, ...], coefficients: list[Tensor], frequencies: tuple[Tensor, Tensor]
) -> Tensor:
    """Return the bounding symbol of all levels: symbol_l(w) + symbol_{l+1}(2w) a(w_1) a(w_2) / 4."""
    total = banks[0].symbol(coefficients[0], frequencies)
    if len(banks) > 1:
        finer = _symbol(banks[1:], coefficients[1:], (2 * frequencies[0], 2 * frequencies[1]))
        gains = [symmetric.aliased_gain(f) for f in frequencies]
        total = total + finer * (gains[0][:, None] * gains[1]) / 4
    return total


def largest_symbol(banks: list[FilterBank], coefficients: list[Tensor]) -> Float[Tensor, " batch"]:
    """Return an upper bound of the symbol over ALL frequencies and channels.

    The symbol is an even trigonometric polynomial of some degree d in each variable; on N equally spaced points of the circle its
    largest value is missed by a factor of at most 1 / cos(pi d / N) a variable (Ehlich and Zeller, Math. Z. 1964).
    """
    degree = banks[-1].filters.shape[-1] - 1
    for bank in reversed(banks[:-1]):
        degree = max(bank.filters.shape[-1] - 1, 2 * degree + 4)
    grid = torch.linspace(0, math.pi, GRID + 1, dtype=banks[0].filters.dtype, device=banks[0].filters.device)
    missed = math.cos(math.pi * degree / (2 * GRID)) ** -2
    return _symbol(banks, coefficients, (grid, grid)).amax((1, 2, 3)) * missed


@dataclass(frozen=True)
class Conditioned:
    """R_sigma at stated noise levels, with the bounds of its Hessian.

    Attributes:
        banks: the levels.
        weak_convexity: rho a noise level, R + rho/2 ||.||^2 is convex.
        smoothness: largest value of D a noise level, the Lipschitz constant of the gradient (rho is smaller).
    """

    banks: tuple[FilterBank, ...]
    weak_convexity: Float[Tensor, " batch"]
    smoothness: Float[Tensor, " batch"]

    def stretched(self, stretches: Sequence[Float[Tensor, "batch group rows columns"]]) -> Conditioned:
        """Return R with phi(s q) / s for phi(q) at each group and position, s > 0 given for each level; the bounds stay.

        A Charbonnier function of a vector has a Hessian between 0 and the identity whatever its threshold.
        """
        banks = [replace(bank, stretch=stretch) for bank, stretch in zip(self.banks, stretches, strict=True)]
        return replace(self, banks=tuple(banks))

    def value(self, x: Images) -> Float[Tensor, " batch"]:
        """Return R(x) for each image."""
        return sum(
            self._sum(bank.potential(bank.energies(t)), period)
            for bank, (t, period, _) in zip(self.banks, self._responses(x), strict=True)
        )  # pyright: ignore[reportReturnType]

    def gradient(self, x: Images) -> Images:
        """Return the gradient of R: sum over levels of S^T P^T W^T ( (M^T 2 phi'(q)) * t )."""
        return self.value_and_gradient(x, False)[1]

    def value_and_gradient(self, x: Images, with_value: bool = True) -> tuple[Float[Tensor, " batch"], Images]:
        """Return R(x) for each image (zeros without `with_value`) and the gradient."""
        value, parts = x.new_zeros(len(x)), []
        for bank, (u, period) in zip(self.banks, self._pyramid(x), strict=True):
            share, part = bank.value_and_gradient(u, period, with_value)
            value = value + share
            parts.append(part)
        return value, self._collect(parts, x)

    def directional(self, x: Images, v: Images) -> Tensor:
        """Return sum over the batch of <v, gradient of R(x)>, differentiable in the parameters at the cost of two responses."""
        total = x.new_zeros(())
        for bank, (t, period, _), (w, _, _) in zip(self.banks, self._responses(x), self._responses(v), strict=True):
            slope = self._weighted(bank.slope(bank.energies(t)), period)
            total = total + (slope * (bank.mixing @ (t * w).sum(1))).sum()
        return total

    def hessian(self, x: Images) -> Hessian:
        """Return the Hessian of R at x, as a product with images."""
        places = []
        for bank, (t, period, size) in zip(self.banks, self._responses(x), strict=True):
            slope, bend = (self._weighted(values, period) for values in bank.slope_and_bend(bank.energies(t)))
            places.append((t, bank.mixing.T @ slope, bend, period, size))
        return Hessian(self, places)

    def upper_symbol(self, size: tuple[int, int]) -> Float[Tensor, "batch channel height width"]:
        """Return D on the frequencies of this size: Hess R <= DCT^T D DCT, over rows, columns and (last) channels."""
        return _symbol(self.banks, [bank.nu for bank in self.banks], self._frequencies(size)).clamp(min=0)

    def typical_symbol(self, x: Images) -> Float[Tensor, "batch channel height width"]:
        """Return the symbol of the half-quadratic majoriser of R at x with weights averaged over positions.

        phi is concave in q, so R(z) <= R(x) + sum 1/2 (2 phi'(q(x))) (q(z) - q(x)): its Hessian is W^T a W, a = M^T 2 phi'(q(x)).
        """
        weights = [
            bank.slope(bank.energies(t)).mean(-1, keepdim=True)
            for bank, (t, _, _) in zip(self.banks, self._responses(x), strict=True)
        ]
        return _symbol(self.banks, weights, self._frequencies((x.shape[-2], x.shape[-1]))).clamp(min=0)

    def _frequencies(self, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        rows, columns = (
            torch.arange(n, dtype=self.smoothness.dtype, device=self.smoothness.device) * (math.pi / n) for n in size
        )
        return rows, columns

    def _pyramid(self, x: Images) -> list[tuple[Images, tuple[int, int]]]:
        """Return the image of each level with its period."""
        channels, window = self.banks[0].filters.shape[0], self.banks[0].filters.shape[-1]
        if x.ndim != 4 or x.shape[1] % channels or min(x.shape[-2:]) < window:
            raise ShapeError(
                f"this prior takes images of shape (batch, {channels}, height, width) of at least {window} x {window} pixels, "
                f"got {tuple(x.shape)}"
            )
        stretch = self.banks[0].stretch
        if stretch is not None and (len(stretch) not in (1, len(x)) or stretch.shape[-2:] != x.shape[-2:]):
            raise ShapeError(
                f"the thresholds of this prior were fixed for {len(stretch)} images of {tuple(stretch.shape[-2:])} pixels, got "
                f"{tuple(x.shape)}"
            )
        u, period = symmetric.across_channels(x, channels), (2 * x.shape[-2], 2 * x.shape[-1])
        found = [(u, period)]
        for _ in self.banks[1:]:
            rows, columns = self._reductions(u, period)
            u, period = rows @ u @ columns.T, (period[0] // 2, period[1] // 2)
            found.append((u, period))
        return found

    def _responses(self, x: Images) -> list[tuple[Tensor, tuple[int, int], tuple[int, int]]]:
        return [
            (bank.respond(u, period), period, (u.shape[-2], u.shape[-1]))
            for bank, (u, period) in zip(self.banks, self._pyramid(x), strict=True)
        ]

    def _collect(self, parts: list[Tensor], like: Tensor) -> Images:
        """Return the sum of the levels' gradients brought back to the image: g_l + S^T g_{l+1}."""
        total = parts[-1]
        for index in range(len(parts) - 2, -1, -1):
            rows, columns = self._reductions(like, (2 * like.shape[-2] >> index, 2 * like.shape[-1] >> index))
            total = parts[index] + rows.T @ total @ columns
        return symmetric.across_channels(total, self.banks[0].filters.shape[0], back=True)

    @staticmethod
    def _reductions(like: Tensor, period: tuple[int, int]) -> tuple[Tensor, Tensor]:
        rows, columns = (symmetric.reduction(n, like.dtype, str(like.device)) for n in period)
        return rows, columns

    @staticmethod
    def _weighted(values: Tensor, period: tuple[int, int]) -> Tensor:
        """Weight positions on the axis of an odd period by one half."""
        counted = symmetric.multiplicities(period, values)
        return values if counted is None else values * counted.flatten()

    def _sum(self, values: Tensor, period: tuple[int, int]) -> Float[Tensor, " batch"]:
        return self._weighted(values, period).sum((1, 2))


@dataclass(frozen=True)
class Hessian:
    """Hess R at one point; `product` costs as much as one gradient."""

    at: Conditioned
    places: list[tuple[Tensor, Tensor, Tensor, tuple[int, int], tuple[int, int]]]

    def product(self, v: Images) -> Images:
        """Return Hess R v = sum over levels of W^T( a * Wv + (M^T (d slope/dq * M (2 t * Wv))) * t )."""
        parts = []
        for bank, (w, _, _), (t, slope, bend, period, size) in zip(
            self.at.banks, self.at._responses(v), self.places, strict=True
        ):
            change = bank.mixing.T @ (bend * (bank.mixing @ (2 * t * w).sum(1)))
            parts.append(bank.gather(slope.unsqueeze(1) * w + change.unsqueeze(1) * t, period, size))
        return self.at._collect(parts, v)
