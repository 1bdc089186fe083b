"""Small networks for one and two dimensions, where the exact answer of every loss is known, and their training.

What differs from the published recipe: weights that must not be negative are the softplus of free numbers, the gradient is in
closed form, the samples are scrambled Sobol points, the matching loss is divided by gamma, the weights are averaged and the
learning rate falls along a cosine in every stage.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sciml.proximal.learning.curriculum import Curriculum, run_schedule
from sciml.proximal.potentials.potential import Levels, NonNegative, Potential
from sciml.proximal.settings.structures import MatchingStage, SmallPotential
from sciml.proximal.study.analytic import Points, Prior, Values
from sciml.runtime.seeds import Seeds

POOL = 1 << 16


class Small(Potential):
    """A shallow convex potential with a gradient in closed form.

        z_1 = W_1 y + b_1,   z_{l+1} = P_l s(z_l) + W_{l+1} y + b_{l+1},   P_l >= 0,   s(t) = log(1 + e^t)
        psi(y) = a^T s(z_L) + 1/2 ||B y||^2 + <c, y>,   a >= 0
        u_L = a s'(z_L),   u_l = P_l^T u_{l+1} s'(z_l),   f(y) = sum_l W_l^T u_l + B^T B y + c

    Args:
        config: dimension, units of each layer and the extent of the data.
        generator: draws the start: steps of f spread over the data, its slope about 1/2.
    """

    kind = "small"
    dimensions = 0

    def __init__(self, config: SmallPotential, generator: torch.Generator) -> None:
        super().__init__()
        self.config, self.channels = config, config.dimension
        dimension, reach = config.dimension, config.reach
        sharpness = 8.0 / reach**0.5 if dimension == 1 else 4.0
        skips, offsets, paths = [], [], []
        for level, width in enumerate(config.widths):
            direction = torch.randn(width, dimension, generator=generator)
            direction = sharpness * direction / direction.norm(dim=1, keepdim=True)
            skips.append(nn.Parameter(direction))
            offsets.append(nn.Parameter(sharpness * reach * (2 * torch.rand(width, generator=generator) - 1)))
            if level:
                below = config.widths[level - 1]
                paths.append(NonNegative(torch.rand(width, below, generator=generator) / below, "softplus"))
        self.skips, self.offsets, self.paths = nn.ParameterList(skips), nn.ParameterList(offsets), nn.ModuleList(paths)
        top = config.widths[-1]
        self.top = NonNegative(torch.full((top,), reach / (top * sharpness)), "softplus")
        self.quadratic = nn.Parameter(math.sqrt(0.1) * torch.eye(dimension))
        self.shift = nn.Parameter(torch.zeros(dimension))

    @property
    def modulus(self) -> float:
        """Least eigenvalue of B^T B."""
        return float(torch.linalg.eigvalsh(self.quadratic.detach().T.double() @ self.quadratic.detach().double())[0].clamp(min=0))

    def slope_at_infinity(self, size: tuple[int, ...]) -> float:
        """Return the largest eigenvalue of B^T B: all other terms grow linearly."""
        return float(torch.linalg.matrix_norm(self.quadratic.detach().double(), 2).square())

    def _levels(self, y: Points) -> list[Tensor]:
        levels = [F.linear(y, self.skips[0], self.offsets[0])]
        for path, skip, offset in zip(self.paths, self.skips[1:], self.offsets[1:], strict=True):
            levels.append(F.linear(F.softplus(levels[-1], 1.0, 40.0), path()) + F.linear(y, skip, offset))
        return levels

    def value(self, y: Points, sigma: Levels | None = None) -> Values:
        """Return psi(y), y of shape (batch, dimension); one network, one noise level."""
        steps = F.softplus(self._levels(y)[-1], 1.0, 40.0) @ self.top()
        return steps + 0.5 * (y @ self.quadratic.T).square().sum(1) + y @ self.shift

    def gradient(self, y: Points, sigma: Levels | None = None) -> Points:
        """Return f(y) in closed form."""
        levels = self._levels(y)
        u = self.top() * levels[-1].sigmoid()
        f = torch.addmm(self.shift, y, self.quadratic.T @ self.quadratic) + u @ self.skips[-1]
        for level in range(len(levels) - 2, -1, -1):
            u = (u @ self.paths[level]()) * levels[level].sigmoid()
            f = f + u @ self.skips[level]
        return f


class SobolPairs:
    """Noisy and clean samples from scrambled Sobol points: `batch(step)` -> (y, x), float32, shapes (batch, dimension).

    Consecutive blocks of a power of two are nets themselves; after 65,536 points the sequence is scrambled anew.

    Args:
        prior: what x is drawn from.
        sigma: noise standard deviation.
        batch_size: a power of two up to 65,536.
        seed: master seed.
    """

    def __init__(self, prior: Prior, sigma: float, batch_size: int, seed: int) -> None:
        self.prior, self.sigma, self.size, self.seeds = prior, sigma, batch_size, Seeds(seed)
        self._round, self._pairs = -1, (torch.empty(0), torch.empty(0))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the pair of a step."""
        number, position = divmod(step * self.size, POOL)
        if number != self._round:
            self._round, self._pairs = number, self._draw(number)
        y, x = (part[position : position + self.size] for part in self._pairs)
        return y, x

    def _draw(self, number: int) -> tuple[Tensor, Tensor]:
        columns = self.prior.uniforms + self.prior.dimension
        engine = torch.quasirandom.SobolEngine(columns, scramble=True, seed=self.seeds("sobol", number) % 2**31)
        points = engine.draw(POOL, dtype=torch.float64).clamp(1e-9, 1 - 1e-9)
        x = self.prior.sample(points[:, : self.prior.uniforms])
        y = x + self.sigma * torch.special.ndtri(points[:, self.prior.uniforms :])
        return y.float(), x.float()


def gradient(model: nn.Module, y: Points) -> Points:
    """Return f(y) of a potential that knows one noise level only."""
    assert isinstance(model, Potential)
    return model.gradient(y, y.new_ones(len(y)))


def train_small(
    potential: Potential,
    prior: Prior,
    sigma: float,
    schedule: tuple[MatchingStage, ...],
    *,
    folder: Path,
    seed: int,
    batch_size: int = 2048,
    ema_decay: float | None = 0.999,
    after_stage: Callable[[int, nn.Module], None] | None = None,
    identity: dict[str, object] | None = None,
) -> Curriculum:
    """Train a potential in place on samples of a prior; resumable, see `run_schedule`.

    Args:
        potential: `Small`, or the published fully connected network.
        prior: what to learn.
        sigma: noise standard deviation.
        schedule: losses, falling gammas, steps and learning rates.
        folder: checkpoints and histories.
        seed: seed of the samples.
        batch_size: samples a step, a power of two.
        ema_decay: decay of the averaged weights; None keeps the last ones.
        after_stage: called after each stage with its index and the potential.
        identity: JSON values that also decide the result.
    """
    projects = bool(potential.constrained()) and any(part.signs == "project" for part in potential.constrained().values())
    return run_schedule(
        potential,
        schedule,
        SobolPairs(prior, sigma, batch_size, seed),
        gradient,
        folder=folder,
        seed=seed,
        settings={"ema_decay": ema_decay, "checkpoint_every_steps": 2000, "log_every_steps": 200},
        after_step=(lambda model: model.project_()) if projects else None,  # pyright: ignore[reportCallIssue]
        after_stage=after_stage,
        identity={"sigma": sigma, "batch_size": batch_size, **(identity or {})},
    )


def learned_prior(potential: Potential, y: Points) -> tuple[Points, Values, Values]:
    """Return f(y), psi(y) and R(f(y)) = <y, f> - 1/2 ||f||^2 - psi(y), in float64.

    Args:
        potential: trained; its own weights stay in their type.
        y: points, float64.
    """
    import copy

    double = copy.deepcopy(potential).double()
    with torch.no_grad():
        levels = y.new_ones(len(y))
        f, psi = double.gradient(y, levels).detach(), double.value(y, levels).detach()
    return f, psi, (y * f).sum(1) - 0.5 * f.square().sum(1) - psi


def relative_error(found: Points, exact: Points) -> Float[Tensor, ""]:
    """Return ||found - exact|| / ||exact|| over all points, the root mean square ratio."""
    return (found - exact).norm() / exact.norm()
