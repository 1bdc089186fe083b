"""The explicit form: a convex psi is learned, the network is its gradient (Fang, Buchanan and Sulam, ICLR 2024).

    f(y) = grad psi(y) = prox_R(y),                R = psi* - 1/2 ||.||^2
    R(f(y)) = <y, f(y)> - 1/2 ||f(y)||^2 - psi(y)                                     (Fenchel's equality, no inversion)
    R(x) = <y, x> - 1/2 ||x||^2 - psi(y),  grad R(x) = y - x,  with f(y) = x           (found by Newton's method, in float64)
    prox_{w R}(v) = f(u),  (1 - w) f(u) + w u = v                                      (the same solver)

psi - m/2 ||.||^2 is convex, so the Jacobian of f is symmetric and at least m. f need not be nonexpansive, nor R convex:
R + 1/2 ||.||^2 is convex, being psi*.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.priors import Certificate, per_image
from sciml.proximal.networks.network import Images, LearnedProximalNetwork, PriorValues, Sigma
from sciml.proximal.optimise.inversion import Solution, check_curvature, inner, newton
from sciml.proximal.potentials import tiling
from sciml.proximal.potentials.kinds import build_potential, parse_potential
from sciml.proximal.potentials.potential import Potential
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ShapeError
from sciml.runtime.settings import StageConfig


class ExplicitNetwork(LearnedProximalNetwork, form="explicit"):
    """A learned convex potential; its gradient is the proximal operator.

    Images with a multiple of the potential's channels are treated group by group, R being the sum over the groups. Vectors of
    shape (batch, length) and volumes of shape (batch, channel, slices, rows, columns) work where the potential is made for them.

    Args:
        config: settings of the potential; their `kind` chooses it.
        sigma_range: noise levels of the training.
        default_sigma: noise level that is meant when none is given.
        seed: start of the weights.

    Attributes:
        potential: psi.
        tile: rows, columns and slices of a tile with which large images are computed; None: in one piece. The result is the same.
    """

    def __init__(
        self,
        config: StageConfig,
        sigma_range: tuple[float, float] = (0.01, 0.3),
        default_sigma: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.potential: Potential = build_potential(config, seed)
        self.channels = self.potential.channels
        self.sigma_range, self.default_sigma = sigma_range, default_sigma
        self.tile: int | None = None

    def forward(self, y: Images, sigma: Sigma | None = None) -> Images:
        """Return f_sigma(y), without graph; `y` is left alone."""
        y = self.check_images(y)
        if self.tile is not None:
            return self._value_and_gradient(y, sigma)[1]
        with torch.no_grad():
            parts, levels = self._split(y, self.levels(sigma, y))
            return self._in(y.dtype).gradient(parts, levels).reshape(y.shape)

    def training_forward(self, y: Images, sigma: Sigma | None = None) -> Images:
        """Return f_sigma(y) with the graph of the parameters; in grad mode a loss of it can be differentiated."""
        parts, levels = self._split(y, self.levels(sigma, y))
        with torch.enable_grad():
            return self.potential.gradient(parts, levels).reshape(y.shape)

    @torch.no_grad()
    def evaluate(self, y: Images, sigma: Sigma | None = None) -> tuple[Images, Float[Tensor, " batch"]]:
        """Return f(y) and R(f(y)) by Fenchel's equality.

        Its terms are larger than R by orders of magnitude, so they are computed in float64.
        """
        y = self.check_images(y)
        exact = y.double()
        value, x = self._value_and_gradient(exact, sigma)
        return x.to(y.dtype), (inner(exact, x) - inner(x, x) / 2 - value).to(y.dtype)

    def potential_values(self, y: Images, sigma: Sigma | None = None) -> Float[Tensor, " batch"]:
        """Return psi(y) of each image."""
        return self._value_and_gradient(self.check_images(y), sigma)[0]

    def prior_values(self, x: Images, sigma: Sigma | None = None) -> PriorValues:
        """Return R(x), computed in float64 through y with f(y) = x.

        R is +inf and `outside` is true where no such y was found: x is outside the range of f, as far as floating point can tell,
        and `residual` says by how much f fell short.
        """
        x = self.check_images(x)
        found = self.invert(x, sigma)
        wide, groups = x.double(), len(found.value) // len(x)
        point = found.point.reshape(x.shape)
        value = inner(point, wide) - inner(wide, wide) / 2 - found.value.reshape(-1, groups).sum(1)
        outside = ~found.converged.reshape(-1, groups).all(1)
        value = torch.where(outside, torch.inf, value)
        residual = found.residual.reshape(-1, groups).amax(1)
        return PriorValues(value.to(x.dtype), outside, residual.to(x.dtype), point.to(x.dtype))

    def prior_value_and_gradient(self, x: Images, sigma: Sigma | None = None) -> tuple[Float[Tensor, " batch"], Images]:
        """Return R(x) and f^-1(x) - x.

        Raises:
            NumericalError: an image is outside the range of f.
        """
        found = self.prior_values(x, sigma)
        if bool(found.outside.any()):
            first = int(found.outside.nonzero()[0])
            raise NumericalError(
                f"image {first} is outside the range of f, where R is infinite: the inversion stopped at a relative residual of "
                f"{float(found.residual[first]):.1e}"
            )
        return found.value, found.point - x

    def invert(self, x: Images, sigma: Sigma | None = None) -> Solution:
        """Return y with f(y) = x, in float64, one entry for each group of channels of each image."""
        x = self.check_images(x).double()
        parts, levels = self._split(x, self.levels(sigma, x))
        return newton(self._in(torch.float64), parts, torch.zeros_like(levels), levels)

    def prox(self, v: Images, weight: Sigma, sigma: Sigma | None = None) -> Images:
        """Return argmin_x 1/2 ||x - v||^2 + weight R(x) = f(u) with (1 - weight) f(u) + weight u = v.

        Raises:
            NumericalError: not solved, or a weight above 1 with curvature of f at which the minimiser need not be unique.
        """
        v = self.check_images(v)
        lam = per_image(weight, v.double()).flatten()
        if bool((lam == 0).all()):
            return v.clone()
        if bool((lam == 1).all()):
            return self(v, sigma)
        wide = v.double()
        parts, levels = self._split(wide, self.levels(sigma, wide))
        weights = lam.repeat_interleave(len(parts) // len(v))
        potential = self._in(torch.float64)
        # a weight of 0 asks for v itself: solved at weight 1, where the start u = v is the solution, and replaced below
        solved = torch.where(weights == 0, 1.0, weights)
        found = newton(potential, parts, solved, levels)
        check_curvature(potential, found, solved, levels)
        if not bool(found.converged.all()):
            raise NumericalError(
                f"the prox of weight {float(weights.max()):g} has a relative residual of {float(found.residual.max()):.1e} after "
                f"{int(found.iterations.max())} Newton steps; take a weight between 0 and 1"
            )
        x = found.image.reshape(v.shape)
        return torch.where(lam.reshape(-1, *[1] * (v.ndim - 1)) == 0, wide, x).to(v.dtype)

    def jacobian_product(self, y: Images, v: Images, sigma: Sigma | None = None) -> Images:
        """Return J v, the Hessian of psi at y times v."""
        y = self.check_images(y)
        if v.shape != y.shape:
            raise ShapeError(f"the direction has shape {tuple(v.shape)}, the images {tuple(y.shape)}; they must be equal")
        potential = self._in(y.dtype)
        parts, levels = self._split(y, self.levels(sigma, y))
        directions = v.detach().to(y.dtype).reshape(parts.shape)
        if self.tile is not None:
            return tiling.jacobian_product(potential, parts, directions, levels, self.tile).reshape(y.shape)
        return potential.expand(parts, levels).product(directions).reshape(y.shape)

    def certificate(self, sigma: Sigma | None = None) -> Certificate:
        """Return what the construction proves for these weights, for all images and noise levels.

        The modulus m bounds the Hessian of R, J^-1 - I, by -1 and 1/m - 1; the slope at infinity below 1 bounds R from below.
        """
        self.check_weights("this network")
        modulus, slope = self.potential.modulus, self.slope_at_infinity()
        reason = f"f is the gradient of a convex potential of modulus {modulus:g}, whose slope at infinity is at most {slope:.4g}"
        return Certificate(
            weak_convexity=1.0,
            smoothness=max(1.0, 1 / modulus - 1) if modulus > 0 else None,
            bounded_below=slope < 1,
            exact_prox=True,
            reason=reason,
        )

    def slope_at_infinity(self, size: tuple[int, ...] | None = None) -> float:
        """Return c with psi(y) <= c/2 ||y||^2 + a ||y|| + b; a reconstruction needs c < 1."""
        return self.potential.slope_at_infinity(size or self.potential.size or (256,) * self.potential.dimensions)

    def check_weights(self, where: str) -> None:
        """Refuse weights that are not finite, or that break the convexity of psi.

        Raises:
            DataError: names the tensor and the first index.
        """
        super().check_weights(where)
        for name, index, value in self.potential.negative_weights():
            raise DataError(
                f"{where}: weight potential.{name} is {value:.3g} at {list(index)}, but psi needs weights of 0 and more; "
                "`sciml proximal repair` sets negative weights to 0 and certifies the network again"
            )

    def project_(self) -> None:
        """Set negative weights to 0; training by projection calls this after each step."""
        self.potential.project_()

    def repair_(self) -> int:
        """Set negative weights to 0 and return how many tensors had some; f becomes another network, to be tested again."""
        found = len(self.potential.negative_weights())
        self.potential.project_()
        return found

    def describe(self) -> dict[str, Any]:
        """Return form, settings of the potential and noise levels."""
        return {
            "form": self.form,
            "potential": self.config.model_dump(mode="json"),
            "sigma_range": list(self.sigma_range),
            "default_sigma": self.default_sigma,
        }

    @staticmethod
    def from_description(description: Mapping[str, Any]) -> ExplicitNetwork:
        """Return the untrained network of `describe`.

        Raises:
            ConfigError: something is missing or wrong.
        """
        try:
            low, high = (float(level) for level in description["sigma_range"])
            default = float(description["default_sigma"])
            settings = dict(description["potential"])
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"the description of an explicit network is incomplete: {type(error).__name__} {error}") from error
        return ExplicitNetwork(parse_potential(settings), (low, high), default)

    def check_images(self, x: Tensor, what: str = "the images") -> Images:
        """Return `x` without graph; raises as the base class, and for a size that the potential does not take."""
        space = self.potential.dimensions
        if x.ndim != 2 + space or x.shape[1] == 0 or x.shape[1] % self.channels or x.numel() == 0:
            axes = ", ".join(("slices", "rows", "columns")[3 - space :])
            raise ShapeError(f"{what} have shape {tuple(x.shape)}, expected (batch, {self.channels}{', ' if axes else ''}{axes})")
        if not x.dtype.is_floating_point:
            raise ShapeError(f"{what} are {x.dtype}, expected real floats with values about [0, 1]")
        size, smallest = self.potential.size, self.potential.smallest
        if size is not None and tuple(x.shape[2:]) != size:
            raise ShapeError(
                f"{what} are {tuple(x.shape[2:])}, this network takes {size} only; give it patch_stride for images of any size"
            )
        if space and min(x.shape[2:]) < smallest:
            raise ShapeError(f"{what} are {tuple(x.shape[2:])}, smaller than the reach {smallest} of the filters; pad them")
        x = x.detach()
        if not bool(x.isfinite().all()):
            position = tuple((~x.isfinite()).nonzero()[0].tolist())
            raise DataError(f"{what} hold {float(x[position])} at index {position}")
        return x

    def _split(self, y: Images, levels: Float[Tensor, " batch"]) -> tuple[Images, Float[Tensor, " batch"]]:
        """Return each group of channels as an image of its own."""
        groups = y.shape[1] // self.channels
        return y.reshape(-1, self.channels, *y.shape[2:]), levels.repeat_interleave(groups)

    def _in(self, dtype: torch.dtype) -> Potential:
        """Return psi in a type; a copy where it is another than the weights'."""
        if next(self.potential.parameters()).dtype == dtype:
            return self.potential
        return copy.deepcopy(self.potential).to(dtype).requires_grad_(False)

    @torch.no_grad()
    def _value_and_gradient(self, y: Images, sigma: Sigma | None) -> tuple[Float[Tensor, " batch"], Images]:
        potential = self._in(y.dtype)
        parts, levels = self._split(y, self.levels(sigma, y))
        if self.tile is not None:
            value, gradient = tiling.value_and_gradient(potential, parts, levels, self.tile)
        else:
            value, gradient = potential.value_and_gradient(parts, levels)
        return value.reshape(len(y), -1).sum(1), gradient.reshape(y.shape)
