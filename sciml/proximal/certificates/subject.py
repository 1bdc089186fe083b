"""A network under test: its copy in float64, where it is tested, and what a test returns."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import Images, LearnedProximalNetwork
from sciml.proximal.optimise.inversion import inner
from sciml.runtime.errors import ConfigError, ShapeError

TOLERANCE, ITERATIONS = 1e-13, 3000
# the prox of the implicit form is solved, not computed: its rounding level is this much higher
SOLVED = 100.0
FULL, DIRECTIONS, CHUNK = 256, 48, 40_000
Comparison = Literal["<=", ">=", "n/a"]


@dataclass(frozen=True)
class Invariant:
    """One property that holds for any weights of a correct network, and what was measured.

    Attributes:
        id: `I1` to `I11` with a letter where there are several parts, `R1` to `R4` for the bounds of a learned regulariser.
        name: what is tested, as a phrase.
        value: what was measured; None where nothing could be.
        threshold: what `value` is compared with.
        comparison: `<=`, `>=`, or `n/a` where the property does not exist for this network.
        passed: whether it holds; true where it does not apply.
        note: how it was measured, or why it does not apply.
        witness: what shows the failure: a weight, a point or an error; empty where the property holds.
    """

    id: str
    name: str
    value: float | None
    threshold: float | None
    comparison: Comparison
    passed: bool
    note: str = ""
    witness: str = ""


def at_most(id: str, name: str, value: float, threshold: float, note: str = "", witness: str = "") -> Invariant:
    """Return whether value <= threshold; NaN fails, and the witness is kept only then."""
    passed = value <= threshold
    return Invariant(id, name, value, threshold, "<=", passed, note, "" if passed else witness or _found(value))


def at_least(id: str, name: str, value: float, threshold: float, note: str = "", witness: str = "") -> Invariant:
    """Return whether value >= threshold; NaN fails, and the witness is kept only then."""
    passed = value >= threshold
    return Invariant(id, name, value, threshold, ">=", passed, note, "" if passed else witness or _found(value))


def not_applicable(id: str, name: str, reason: str) -> Invariant:
    """Return an invariant that does not exist for this network."""
    return Invariant(id, name, None, None, "n/a", True, reason)


def _found(value: float) -> str:
    return f"measured {value:.3g}"


def relative(a: Tensor, b: Tensor) -> float:
    """Return ||a - b|| / ||b||, the largest over the batch."""
    return float((inner(a - b, a - b).sqrt() / inner(b, b).sqrt().clamp(min=1e-12)).max())


class Subject:
    """A float64 copy of a network and the points at which it is tested.

    Args:
        network: either form; it is left alone. One with a guide is tested with its thresholds fixed for `y`.
        size: rows and columns of the test images; enlarged to the least that the network takes.
        sigma: noise level; None: the network's default.
        seed: seed of the random points.

    Attributes:
        network: the copy.
        shape: (channel, *space) of an image, (length,) of a vector.
        loose: factor on thresholds of rounding, 1 or 100.
        modulus: declared lower bound of the Jacobian.
        weak_convexity: declared rho of the implicit form; 1 for the explicit form.
        smoothness: declared bound of the Hessian of R of the implicit form; None for the explicit form.
        y: a smooth picture from about -0.1 to 1.1 with noise, one image.
        count: number of competitors; 250 unless the images are large.
    """

    def __init__(self, network: LearnedProximalNetwork | GuidedNetwork, size: int, sigma: float | None, seed: int) -> None:
        if size < 2:
            raise ConfigError(f"the test images have at least 2 pixels a side, got {size}")
        given = copy.deepcopy(network).double().eval().requires_grad_(False)
        self.network: LearnedProximalNetwork = given.base if isinstance(given, GuidedNetwork) else given
        self.sigma = network.default_sigma if sigma is None else float(sigma)
        self.seed = seed
        if isinstance(self.network, ImplicitNetwork):
            self.network.tolerance, self.network.iterations = TOLERANCE, ITERATIONS
            windows = [w for level in self.network.config.windows for w in level]
            # all levels but the last must be even
            factor = 2 ** (len(self.network.config.windows) - 1)
            self.shape = (network.channels, *[_fitting(size, max(windows), factor)] * 2)
            proved = self.network.certificate(self.sigma)
            self.weak_convexity, self.smoothness = proved.weak_convexity or 0.0, proved.smoothness or math.inf
            self.loose, self.modulus = SOLVED, 1 / (1 + self.smoothness)
        elif isinstance(self.network, ExplicitNetwork):
            self.network.tile = None
            psi = self.network.potential
            levels = len(getattr(psi.config, "windows", ((),)))
            side = _fitting(size, psi.smallest, 2 ** max(0, levels - 1))
            # a volume of that side would be slow
            side = max(psi.smallest, min(side, 5)) if psi.dimensions == 3 else side
            self.shape = (network.channels, *(psi.size or (side,) * psi.dimensions))
            self.loose, self.modulus, self.weak_convexity, self.smoothness = 1.0, psi.modulus, 1.0, None
        else:
            raise ConfigError(f"a learned proximal network is implicit or explicit, got {type(network).__name__}")
        self.count = max(16, min(250, CHUNK // math.prod(self.shape)))
        self.y = self._picture()[None] + self.sigma * self.normal(1, "noise")
        if isinstance(given, GuidedNetwork):
            self.network = given.fixed(given.base(self.y, self.sigma), self.sigma)

    @cached_property
    def evaluated(self) -> tuple[Images, Float[Tensor, " batch"]]:
        """f(y) and R(f(y))."""
        return self.network.evaluate(self.y, self.sigma)

    def normal(self, count: int, stream: str) -> Images:
        """Return `count` images of standard normal numbers; equal streams of one seed are equal."""
        generator = torch.Generator().manual_seed(self.seed * 7919 + sum(ord(c) * 31**i for i, c in enumerate(stream)) % 2**31)
        return torch.randn(count, *self.shape, generator=generator, dtype=torch.float64)

    def scales(self, count: int) -> Tensor:
        """Return `count` lengths from 1e-3 to 3, ready to broadcast."""
        return 10 ** torch.linspace(-3, math.log10(3), count, dtype=torch.float64).reshape(-1, *[1] * len(self.shape))

    def wide(self, values: Tensor) -> Tensor:
        """Return one number an image, ready to broadcast."""
        return values.reshape(-1, *[1] * len(self.shape))

    @cached_property
    def directions(self) -> Images:
        """Orthonormal directions: all unit vectors, or some random ones where the images have more than 256 values."""
        n = math.prod(self.shape)
        if n <= FULL:
            return torch.eye(n, dtype=torch.float64).reshape(n, *self.shape)
        columns = self.normal(DIRECTIONS, "directions").reshape(DIRECTIONS, n).T
        return torch.linalg.qr(columns)[0].T.reshape(DIRECTIONS, *self.shape)

    def compress(self, products: Images) -> Float[Tensor, "direction direction"]:
        """Return Q^T B for products B = J Q with all directions Q."""
        return self.directions.flatten(1) @ products.flatten(1).T

    def chunks(self, count: int) -> Iterable[slice]:
        """Yield slices of a batch that fit in memory."""
        step = max(1, CHUNK // math.prod(self.shape))
        return (slice(first, min(count, first + step)) for first in range(0, count, step))

    def negative_weights(self) -> str:
        """Return which weights break the convexity of psi, tensor by tensor; empty where none does."""
        if not isinstance(self.network, ExplicitNetwork):
            return ""
        return "; ".join(
            f"weight potential.{name} is {value:.3g} at {list(index)}"
            for name, index, value in self.network.potential.negative_weights()
        )

    def _picture(self) -> Tensor:
        picture = torch.full(self.shape, 0.5, dtype=torch.float64)
        waves = torch.ones(self.shape, dtype=torch.float64)
        for axis, (length, pace) in enumerate(zip(self.shape, (0.7, 0.55, 0.8, 0.45), strict=False)):
            places = torch.arange(length, dtype=torch.float64).reshape(-1, *[1] * (len(self.shape) - axis - 1))
            waves = waves * torch.cos(pace * places)
        return picture + 0.6 * waves


def _fitting(size: int, smallest: int, factor: int) -> int:
    """Return the least multiple of `factor` that is at least both sizes.

    Raises:
        ShapeError: the multiple is far larger than asked for.
    """
    side = -(-max(size, smallest) // factor) * factor
    if side > 4 * max(size, smallest):
        raise ShapeError(f"a network of these levels takes {side} pixels a side, more than the {size} of the test images")
    return side
