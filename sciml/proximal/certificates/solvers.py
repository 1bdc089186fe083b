"""That the convergence theorems' inequalities hold with this f and R: invariants I6, I7 and I11.

All reconstructions here are written out with f and R(f(.)) alone, as in Fang, Buchanan and Sulam (ICLR 2024); A blurs every axis
by [1, 2, 1] / 4, or hides every second value.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from sciml.proximal.certificates.subject import Invariant, Subject, at_least, at_most
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.optimise.inversion import inner

STEPS, PENALTIES = (0.5, 0.99), (1.05, 2.1)
LONG_RUN, WILD, GROWTH = 1000, 10.0, 10.0


class Blur:
    """A with A^T = A: [1, 2, 1] / 4 along each axis, zero beyond the ends."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        axes = shape[1:] or shape
        self.matrices = [torch.eye(n, dtype=torch.float64) / 2 for n in axes]
        for matrix in self.matrices:
            matrix.diagonal(1).fill_(0.25)
            matrix.diagonal(-1).fill_(0.25)
        pairs = [torch.linalg.eigh(matrix) for matrix in self.matrices]
        self.bases = [vectors for _, vectors in pairs]
        self.values = torch.ones((), dtype=torch.float64)
        for values, _ in pairs:
            self.values = self.values[..., None] * values
        self.norm = float(self.values.abs().max())

    def __call__(self, x: Images) -> Images:
        """Return A x."""
        return _along(x, self.matrices)

    def solve(self, right: Images, rho: Tensor) -> Images:
        """Return (A^T A + rho)^-1 right, by the eigenvectors of A."""
        spectrum = _along(right, [basis.T for basis in self.bases])
        return _along(spectrum / (self.values.square() + rho), self.bases)


def _along(x: Images, matrices: list[Tensor]) -> Images:
    for offset, matrix in enumerate(matrices):
        axis = x.ndim - len(matrices) + offset
        x = (x.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return x


def descent(subject: Subject) -> Iterator[Invariant]:
    """I6: x+ = f(x - step grad h(x)), with F = h + R / step, drops by (1 / (2 step) - ||A||^2 / 2) ||x+ - x||^2 at least."""
    network, blur, count = subject.network, Blur(subject.shape), 40 if isinstance(subject.network, ExplicitNetwork) else 15
    step = torch.tensor(STEPS, dtype=torch.float64) / blur.norm**2
    y = (blur(subject.y) + 0.02 * subject.normal(1, "data")).repeat(len(step), *[1] * len(subject.shape))
    x, value, drop, rise = blur(y), None, math.inf, -math.inf
    for _ in range(count):
        following, prior = network.evaluate(x - subject.wide(step) * blur(blur(x) - y), subject.sigma)
        residual = blur(following) - y
        value_next = inner(residual, residual) / 2 + prior / step
        if value is not None:
            move = inner(following - x, following - x)
            size = value_next.abs().clamp(min=1)
            drop = _least(drop, (value - value_next - (0.5 / step - 0.5 * blur.norm**2) * move) / size)
            rise = max(rise, float((value_next - value).max()))
        x, value = following, value_next
    yield at_least(
        "I6",
        "proximal gradients lower F by the theorem's amount",
        drop,
        -1e-10,
        f"{count} steps of {STEPS[0]:g} and {STEPS[1]:g} / ||A||^2 on a blur; largest rise of F {rise:.1e}",
        subject.negative_weights(),
    )


def lagrangian(subject: Subject) -> Iterator[Invariant]:
    """I7: ADMM in the order prox, smooth, dual never raises its augmented Lagrangian for a penalty above ||A||^2."""
    network, blur, count = subject.network, Blur(subject.shape), 40 if isinstance(subject.network, ExplicitNetwork) else 15
    rho = torch.tensor(PENALTIES, dtype=torch.float64) * blur.norm**2
    y = (blur(subject.y) + 0.02 * subject.normal(1, "data")).repeat(len(rho), *[1] * len(subject.shape))
    x, rise, value = blur(y), -math.inf, None
    u = -blur(blur(x) - y) / subject.wide(rho)
    for _ in range(count):
        z, prior = network.evaluate(x + u, subject.sigma)
        x = blur.solve(blur(y) + subject.wide(rho) * (z - u), subject.wide(rho).reshape(-1, *[1] * (z.ndim - 1)))
        u = u + x - z
        residual, gap = blur(x) - y, x - z
        # the weight of R is rho, so that its prox is f
        value_next = inner(residual, residual) / 2 + rho * prior + rho * (inner(u, gap) + inner(gap, gap) / 2)
        if value is not None:
            rise = -_least(-rise, (value - value_next) / value_next.abs().clamp(min=1))
        value = value_next
    yield at_most(
        "I7",
        "ADMM never raises its augmented Lagrangian",
        rise,
        1e-10,
        f"{count} steps, penalties {PENALTIES[0]:g} and {PENALTIES[1]:g} ||A||^2 on a blur",
        subject.negative_weights(),
    )


def boundedness(subject: Subject) -> Iterator[Invariant]:
    """I11: f grows slower than the identity, so that a reconstruction stays bounded where A sees nothing."""
    network, sigma = subject.network, subject.sigma
    if isinstance(network, ExplicitNetwork):
        declared = network.slope_at_infinity(subject.shape[1:] or None)
        yield at_most(
            "I11",
            "declared slope at infinity is below 1",
            declared,
            1 - 1e-9,
            "then R has a minimum; a network above 1 serves for denoising only",
        )
        far = 1e8
        d = torch.cat([subject.normal(4, "outwards"), torch.ones(1, *subject.shape, dtype=torch.float64)])
        d = d / subject.wide(inner(d, d).sqrt())
        ends = network(far * d, sigma)
        measured = float(inner(ends, ends).sqrt().max()) / far
        yield at_most(
            "I11b",
            "f does not outgrow its declared slope at infinity",
            measured - declared,
            1e-4,
            f"||f(u)|| / ||u|| at {far:.0e}",
        )
    else:
        value = float(network.prior(WILD * subject.normal(8, "wild"), sigma).min())
        flat = float(network.prior(torch.full((1, *subject.shape), 0.5, dtype=torch.float64), sigma).abs())
        yield at_least(
            "I11", "R is never negative", min(value, -flat), -1e-12, "noise of standard deviation 10; 0 at flat images"
        )
    yield _long_run(subject)


def _long_run(subject: Subject) -> Invariant:
    """I11c: the largest norm that x+ = f(x - step A^T (A x - y)) takes, over what the growth of f allows.

    With ||f(u)|| <= c ||u|| + G the iterates stay below (c step ||y|| + G) / (1 - c) or their start. c is declared, G measured.
    The implicit form has R >= 0 and no slope; its iterates are compared with their data.
    """
    network, shape = subject.network, subject.shape
    mask = (torch.arange(math.prod(shape)) % 2 == 0).reshape(shape).double()
    y = WILD * subject.normal(2, "long run")
    y[0] = 0
    x = y + (1 - mask) * 0.5
    scale = inner(y, y).sqrt().clamp(min=math.sqrt(math.prod(shape)))
    step, note = 0.98, "the norm of the data"
    if isinstance(network, ImplicitNetwork):
        # the bounds of R take longer than a step, and are always the same
        at, network = network.at(subject.sigma, y), copy.copy(network)
        vars(network)["at"] = lambda sigma, like: at
    else:
        assert isinstance(network, ExplicitNetwork)
        slope = network.slope_at_infinity(shape[1:] or None)
        u = torch.cat([10.0**k * subject.normal(4, f"reach {k}") for k in range(5)])
        rest = network(u, subject.sigma) - slope * u
        reach = float(inner(rest, rest).sqrt().max())
        allowed = (slope * step * scale + reach) / (1 - slope) if slope < 1 else torch.full_like(scale, 0.0)
        scale, note = torch.maximum(scale, allowed), f"the bound by the slope {slope:.4g} and the rest {reach:.3g} of f"
    largest, count = 0.0, 0
    while count < LONG_RUN:
        v, count = x - step * mask * (x - y), count + 1
        if isinstance(network, ImplicitNetwork):
            following = network.solve(v, subject.sigma, 1.0, x, 1e-3, 2000).x
        else:
            following = network(v, subject.sigma)
        largest = max(largest, float((inner(following, following).sqrt() / scale).max()))
        change = float((inner(following - x, following - x).sqrt() / scale).max())
        x = following
        # at rest it stays where it is; beyond the bound by far it has failed
        if change < 1e-9 or not largest <= 1e3 * GROWTH:
            break
    return at_most(
        "I11c",
        "proximal gradients stay bounded where A sees nothing",
        largest,
        GROWTH,
        f"largest norm over {note}, {LONG_RUN} steps (stopped after {count}), data 0 and noise of deviation {WILD:g}",
        subject.negative_weights(),
    )


def _least(known: float, values: Tensor) -> float:
    """Return the smallest of what is known and new values; NaN stays."""
    value = float(values.min())
    return value if math.isnan(value) or value < known else known
