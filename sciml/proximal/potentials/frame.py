"""A convex potential that shrinks grouped frame coefficients, with the exact slope of the identity far out.

    psi(y) = 1/2 ||y||^2 - eps/2 ||y - 1/2||^2 - e(y),     e(y) = sum over levels, groups k and positions p of phi_k(q_k(p)),
    q = M (t * t),   t = W u_l,   u_0 = y,   u_{l+1} = u_l halved,     M >= 0,  W without mean,
    phi'(q) = nu/4 (1 - (z - 1) / ((z - 1)^2 + d^2)^(1/2)),   z = q / tau^2,
    f(y) = y - eps (y - 1/2) - sum over levels of S^T W^T( (M^T 2 phi'(q)) * t )

Every coefficient is attenuated by a gate g = 2 phi' that depends on the energy of its groups: about 1 where the energy is that of
noise, 0 well above tau^2. This is hard thresholding of groups made smooth, in a translation-invariant frame of several scales;
eps apart, means and large coefficients pass unchanged. e + eps/2 ||. - 1/2||^2 is the Moreau envelope of R.

Proof of convexity for any weights. phi is increasing and concave in q, and q is a sum of squares of t. With m_k the row of M,

    Hess_t phi_k = diag(m_k) g_k + 4 phi_k'' (m_k * t)(m_k * t)^T <= diag(m_k) g_k(0),     as phi'' <= 0 and g falls from g(0).

Hence Hess e <= W^T diag(M^T g(0)) W, summed over the levels. Its largest value over all images of all sizes is a maximum over
frequencies, because the banks are closed under the symmetries of the square and the boundary mirrors
(`sciml.proximal.potentials.regularizer`). All nu are scaled at every evaluation so that this value is 1 - eps - m. Therefore

    Hess psi >= m: the modulus is m;
    e >= 0, so psi(y) <= 1/2 ||y||^2 - eps/2 ||y - 1/2||^2: the slope at infinity is 1 - eps < 1;
    R(x) = psi*(x) - 1/2 ||x||^2 >= e(x) + eps/2 ||x - 1/2||^2 (y = x in the supremum): bounded below and coercive.

With `boost` the gates fall to -b_k g_k(0), 0 < b_k < 1, before the scaling. The bound on the Hessian then holds with
(1 - b_k) g_k(0), e may fall like a quadratic, and the slope at infinity exceeds 1: f is a proximal operator still, but R need
not be bounded below, so that such a network serves for denoising only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.potentials.filter_bank import FilterBank
from sciml.proximal.potentials.potential import Levels, Points, Potential, Values
from sciml.proximal.potentials.regularizer import (
    REFERENCE_SIGMA,
    Conditioned,
    Level,
    largest_symbol,
    linear_weights,
)
from sciml.proximal.settings.structures import FramePotential
from sciml.runtime.errors import ConfigError

# a pair of coefficients of noise has a mean energy of 2 variances; the gate starts half closed at 2.5 times that
THRESHOLD, CORNER, BOOST = math.sqrt(5.0), 0.4, 0.3


@dataclass(frozen=True)
class GateBank(FilterBank):
    """One level at stated noise levels: `nu` is the gates' weight, `eta` the width d of their edge, `inverse_tau` is 1 / tau^2.

    Attributes:
        floor: b g(0), which is subtracted from the gates; 0 without boost.
    """

    floor: Float[Tensor, "batch group 1"]

    def slope(self, q: Tensor) -> Tensor:
        """Return the gates g(q) = 2 phi'(q) = nu/2 (1 - (z - 1) / ((z - 1)^2 + d^2)^(1/2)) - b g(0)."""
        beyond = q * self.inverse_tau - 1
        return self.nu * (0.5 - 0.5 * beyond * torch.rsqrt(beyond.square() + self.eta.square())) - self.floor

    def potential(self, q: Tensor) -> Tensor:
        """Return phi(q) = nu tau^2 / 4 (z + r(0) - r(z)) - b g(0) q / 2,  r(z) = ((z - 1)^2 + d^2)^(1/2)."""
        # r(0) - r(z) = z (2 - z) / (r(0) + r(z)): nothing cancels near 0
        z = q * self.inverse_tau
        first, here = (1 + self.eta.square()).sqrt(), ((z - 1).square() + self.eta.square()).sqrt()
        return q * (0.25 * self.nu * (2 + first + here - z) / (first + here) - 0.5 * self.floor)

    def at_zero(self) -> Float[Tensor, "batch group 1"]:
        """Return g(0), the largest value of the gates."""
        return self.slope(torch.zeros_like(self.nu))


class GateLevel(Level):
    """Parameters of one resolution: filters, mixing, and each gate's threshold, weight, edge and boost at each noise knot."""

    def __init__(self, windows: tuple[int, ...], gain: float, channels: int, knots: int, boost: bool) -> None:
        super().__init__(windows, gain, channels, knots, 1.0)
        del self.log_eta, self.tail
        table = torch.zeros_like(self.log_nu)
        with torch.no_grad():
            # the base class starts at half the noise of a coefficient
            self.log_tau.add_(math.log(2 * THRESHOLD))
            if gain > 1:
                # the finer level shares its low frequencies and should keep most of the others
                self.log_nu.sub_(1.0)
        self.log_corner = nn.Parameter(table + math.log(CORNER))
        self.boost = nn.Parameter(table + math.log(BOOST / (1 - BOOST))) if boost else None

    def bank(self, at_knots: Float[Tensor, "batch knot"], scale: Float[Tensor, "batch 1"]) -> GateBank:
        """Return the level at noise levels, its weights not scaled yet; tau is proportional to the noise level."""
        filters = self.closed_filters()
        nothing = filters.new_zeros(len(at_knots), self.log_nu.shape[0], 1)
        plain = GateBank(
            filters=filters,
            mixing=self.closed_mixing(),
            nu=self.of_group(self.log_nu, at_knots).exp()[..., None],
            eta=self.of_group(self.log_corner, at_knots).exp()[..., None],
            inverse_tau=(self.of_group(self.log_tau, at_knots).exp() * scale).pow(-2)[..., None],
            inverse_tail=nothing,
            correlations=autocorrelations(filters),
            floor=nothing,
        )
        if self.boost is None:
            return plain
        return replace(plain, floor=torch.sigmoid(self.of_group(self.boost, at_knots))[..., None] * plain.at_zero())


def autocorrelations(filters: Float[Tensor, "channel filter window window"]) -> Float[Tensor, "channel filter lag lag"]:
    """Return sum over p of w(p) w(p + lag) for all lags, the spectrum of |w(omega)|^2."""
    size = 2 * filters.shape[-1]
    power = torch.fft.rfft2(filters, s=(size, size)).abs().square()
    return torch.fft.fftshift(torch.fft.irfft2(power, s=(size, size)), dim=(-2, -1))[..., 1:, 1:]


class Frame(Potential):
    """The potential of the module's head, for any number of channels.

    Images have any size from the largest window on with two levels; every further level needs another factor 2 in both sides. The
    channels are first turned by the orthonormal cosine transform (mean and differences); each then has its own filters, and the
    mixing lets the energy of one open the gates of another.

    Args:
        config: channels, windows of each level, modulus, eps = 1 - `slope`, boost, noise knots.
        generator: not used: the start is the same for all seeds.

    Raises:
        ConfigError: even windows, or modulus and slope that leave nothing to shrink.

    Example:
        >>> psi = Frame(FramePotential())
        >>> y = torch.full((1, 1, 9, 12), 0.5)
        >>> bool((psi.gradient(y, torch.tensor([0.1])) - y).abs().max() < 1e-6)
        True
    """

    kind = "frame"

    def __init__(self, config: FramePotential, generator: torch.Generator | None = None) -> None:
        super().__init__()
        windows = [w for level in config.windows for w in level]
        if not windows or any(w % 2 == 0 or w < 3 for w in windows):
            raise ConfigError(f"windows must be odd and at least 3, got {config.windows}")
        if config.modulus >= config.slope:
            raise ConfigError(f"the modulus {config.modulus:g} must be below the slope at infinity {config.slope:g}")
        self.config, self.channels, self.smallest = config, config.channels, max(windows)
        self.levels = nn.ModuleList(
            GateLevel(level, 1.0 if index == 0 else 1.6, config.channels, len(config.sigma_knots), config.boost)
            for index, level in enumerate(config.windows)
        )

    @property
    def modulus(self) -> float:
        """m, by construction."""
        return self.config.modulus

    @torch.no_grad()
    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return 1 - eps, for images of every size; with boost a value of at least 1, that of the steepest knot."""
        if not self.config.boost:
            return self.config.slope
        knots = next(self.parameters()).new_tensor(self.config.sigma_knots)
        banks = self.at(knots).banks
        return max(1.0, self.config.slope + float(largest_symbol(list(banks), [bank.floor for bank in banks]).max()))  # pyright: ignore[reportAttributeAccessIssue]

    def at(self, sigma: Levels) -> Conditioned:
        """Return e at noise levels, scaled so that Hess e <= 1 - eps - m."""
        if bool((sigma == sigma[0]).all()):
            sigma = sigma[:1]
        at_knots, scale = linear_weights(sigma, self.config.sigma_knots), (sigma / REFERENCE_SIGMA)[:, None]
        levels: list[GateLevel] = list(self.levels)  # pyright: ignore[reportAssignmentType]
        banks = [level.bank(at_knots, scale) for level in levels]
        steepest = largest_symbol(list(banks), [bank.at_zero() for bank in banks])
        factor = ((self.config.slope - self.config.modulus) / steepest)[:, None, None]
        scaled = tuple(replace(bank, nu=bank.nu * factor, floor=bank.floor * factor) for bank in banks)
        bound = steepest * factor.flatten()
        return Conditioned(scaled, bound, bound)

    def value(self, y: Points, sigma: Levels) -> Values:
        """Return psi(y) of each image."""
        return self.value_and_gradient(y, sigma)[0]

    def gradient(self, y: Points, sigma: Levels) -> Points:
        """Return f(y) in closed form."""
        return self._both(y, sigma, False)[1]

    def value_and_gradient(self, y: Points, sigma: Levels) -> tuple[Values, Points]:
        """Return psi(y) and f(y)."""
        return self._both(y, sigma, True)

    def _both(self, y: Points, sigma: Levels, with_value: bool) -> tuple[Values, Points]:
        """Return psi(y) (only where asked for) and f(y)."""
        eps = 1 - self.config.slope
        energy, slope = self.at(sigma).value_and_gradient(y, with_value)
        value = 0.5 * (y.square() - eps * (y - 0.5).square()).sum((1, 2, 3)) - energy if with_value else energy
        return value, y - eps * (y - 0.5) - slope
