"""What a reconstruction has to know of its operator A: its norm, whether the adjoint is one, and its spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sciml.imaging.operators.linear import LinearPhysics, Physics
from sciml.imaging.operators.physics import Identity, column_norm
from sciml.proximal.optimise.minimize import Images
from sciml.runtime.errors import ConfigError, NumericalError

MARGIN = 1.02
ADJOINT_GAP = {torch.float32: 1e-4, torch.float64: 1e-10}
FLOOR = 0.02
# of the largest response to a pixel that the smallest must have, for A to count as the same everywhere
ALIKE = 0.5


@dataclass(frozen=True)
class OperatorFacts:
    """Measured facts of A for images of one size.

    Attributes:
        linear: whether the physics is linear; if not, the other numbers are NaN.
        norm_squared: an upper estimate of ||A||^2, from Lanczos' method, raised by 2 %.
        column_norm: root mean square norm of the columns of A.
        adjoint_gap: relative error of <A x, v> = <x, A^T v> for random x and v.
        smallest_squared: a lower bound of the squared singular values on the image space; 1 for A = I, otherwise 0.
    """

    linear: bool
    norm_squared: float
    column_norm: float
    adjoint_gap: float
    smallest_squared: float


def inspect_operator(physics: Physics, like: Images) -> OperatorFacts:
    """Return the facts of A for images as `like`.

    Raises:
        ConfigError: the adjoint fails the dot test, or A is zero.
        NumericalError: A gives NaN or infinity.
    """
    if not isinstance(physics, LinearPhysics):
        return OperatorFacts(False, math.nan, math.nan, math.nan, 0.0)
    probe = probe_images(physics, like)
    gap, allowed = adjoint_gap(physics, probe), ADJOINT_GAP.get(like.dtype, 1e-2)
    if not gap <= allowed:
        raise ConfigError(
            f"A_adjoint of {type(physics).__name__} is not the adjoint of A: <A x, v> and <x, A^T v> differ by {gap:.1e} of "
            f"their size, at most {allowed:.0e} is allowed in {str(like.dtype).removeprefix('torch.')}; correct the physics"
        )
    if isinstance(physics, Identity):
        return OperatorFacts(True, 1.0, 1.0, gap, 1.0)
    norm = norm_squared(physics, probe)
    if norm == 0:
        raise ConfigError(f"{type(physics).__name__} maps every image to zero: there is nothing to reconstruct from")
    return OperatorFacts(True, norm, column_norm(physics, probe), gap, 0.0)


def probe_images(physics: LinearPhysics, like: Images) -> Images:
    """Return one image as `like`; the whole batch where the physics has parameters of its own for each image."""
    measured = physics.A(like[:1])
    if not isinstance(measured, Tensor):
        raise ConfigError(f"{type(physics).__name__} gives a {type(measured).__name__}, a reconstruction takes one tensor")
    return like[:1] if len(measured) == 1 else like


def adjoint_gap(physics: LinearPhysics, like: Images, probes: int = 4) -> float:
    """Return the larger relative error of two dot tests with fixed random images.

    v independent of x, |<A x, v> - <x, A^T v>| in the root mean square over `probes` draws, finds errors anywhere; v = A x,
    |<A x, A x> - <x, A^T A x>|, is sharp for errors of scale.

    Raises:
        NumericalError: A gives NaN or infinity.
    """
    generator = torch.Generator().manual_seed(0)
    difference, size, gap = 0.0, 0.0, 0.0
    for _ in range(probes):
        x = torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)
        image = physics.A(x)
        v = torch.randn(image.shape, generator=generator, dtype=torch.float64).to(image)
        left, right = _inner(image, v), _inner(x, physics.A_adjoint(v))
        difference, size = difference + (left - right) ** 2, size + left**2
        own = _inner(image, image)
        gap = max(gap, abs(own - _inner(x, physics.A_adjoint(image))) / max(own, 1e-300))
    found = max(gap, math.sqrt(difference / max(size, 1e-300)))
    if not math.isfinite(found):
        raise NumericalError(f"{type(physics).__name__} gives NaN or infinity for a finite image")
    return found


def norm_squared(physics: LinearPhysics, like: Images, steps: int = 40) -> float:
    """Return an upper estimate of ||A||^2, the largest eigenvalue of A^T A, by Lanczos' method.

    The largest Ritz value t comes with a residual r, and A^T A has an eigenvalue in [t - r, t + r]. Steps are taken until
    r < 0.2 % of t; the result is (t + r) 1.02, where the 2 % cover what the start did not see.

    Raises:
        NumericalError: A gives NaN or infinity.
    """
    generator = torch.Generator().manual_seed(0)
    # most operators let the mean of an image pass best, so the start is mostly constant
    q = 1 + 0.3 * torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like)
    q = q / q.norm()
    before, coupling = torch.zeros_like(q), 0.0
    diagonal: list[float] = []
    off: list[float] = []
    top, residual = 0.0, math.inf
    for _ in range(min(steps, q.numel())):
        image = physics.A_adjoint(physics.A(q)) - coupling * before
        diagonal.append(_inner(image, q))
        image = image - diagonal[-1] * q
        coupling = math.sqrt(_inner(image, image))
        if not math.isfinite(coupling):
            raise NumericalError(f"{type(physics).__name__} gives NaN or infinity for a finite image")
        matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
        if off:
            matrix += torch.diag(torch.tensor(off, dtype=torch.float64), 1) + torch.diag(
                torch.tensor(off, dtype=torch.float64), -1
            )
        values, vectors = torch.linalg.eigh(matrix)
        top, residual = float(values[-1]), coupling * abs(float(vectors[-1, -1]))
        if residual <= 2e-3 * top or coupling <= 1e-12 * top:
            break
        off.append(coupling)
        before, q = q, image / coupling
    return (top + residual) * MARGIN


def normal_spectrum(physics: LinearPhysics, like: Images) -> Float[Tensor, "1 1 height width"]:
    """Return about the diagonal of A^T A in the cosine basis, for a preconditioner; no bound.

        a(w) = sum over lags d of r(d) cos(w_1 d_1) cos(w_2 d_2),    r = A^T A delta,  delta one pixel

    with a floor at 2 % of the mean, so that it never divides by nothing. r is that of the middle of the image where A is nearly
    the same everywhere. Where it is not, as of a mask, only the mean of the spectrum is known.
    """
    height, width = like.shape[-2:]
    mean = column_norm(physics, probe_images(physics, like)) ** 2
    point = torch.zeros_like(probe_images(physics, like))
    responses = []
    for row, column in ((height // 2, width // 2), (height // 3, width // 2), (height // 2, width // 3 + 1)):
        point.zero_()[:, 0, row, column] = 1
        responses.append(physics.A_adjoint(physics.A(point))[:, 0].mean(0))
    sizes = [float(response.square().sum().sqrt()) for response in responses]
    if min(sizes) < ALIKE * max(sizes):
        return like.new_full((1, 1, height, width), mean)
    rows, columns = (_cosines(n, like) for n in (height, width))
    return (rows @ responses[0] @ columns.T).clamp(min=FLOOR * mean)[None, None]


def _cosines(size: int, like: Tensor) -> Tensor:
    frequency = torch.arange(size, dtype=torch.float64) * (math.pi / size)
    lag = torch.arange(size, dtype=torch.float64) - size // 2
    return torch.cos(frequency[:, None] * lag).to(like)


def _inner(a: Tensor, b: Tensor) -> float:
    return float((a.double() * b.double()).sum())
