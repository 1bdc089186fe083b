"""That a network is built as its proofs assume: signs and modulus, patches and tiles (I2, I8), bounds of R (R1 to R4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from sciml.proximal.certificates.prox import derivative
from sciml.proximal.certificates.subject import Invariant, Subject, at_least, at_most, not_applicable, relative
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.optimise.minimize import cosine_filter
from sciml.proximal.potentials.filters import SYMMETRIES
from sciml.proximal.potentials.frame import Frame
from sciml.proximal.potentials.regularizer import Conditioned

# potentials that are a quadratic plus terms of linear growth: far out, nothing but the quadratic is left
LINEAR_GROWTH = ("dense", "published", "convolutional", "small")
TILE = 5
SYMMETRY = "closed under the eight symmetries of the square"


def signs(subject: Subject) -> Iterator[Invariant]:
    """I2c and I2d: weights that must not be negative are not, and the declared modulus is the one that is there."""
    network = subject.network
    names = ("no weight breaks the convexity of psi", "declared modulus is all of the quadratic part")
    if not isinstance(network, ExplicitNetwork):
        yield not_applicable("I2c", names[0], "the implicit form has no weights of a fixed sign")
        yield not_applicable("I2d", names[1], "the implicit form declares bounds instead: R1 to R3")
        return
    psi = network.potential
    if not psi.constrained():
        yield not_applicable("I2c", names[0], "all weights are free: positive quantities are squares or exponentials of them")
    else:
        worst = min(value for _, _, value in [*psi.negative_weights(), ("", (), 0.0)])
        count = sum(module().numel() for module in psi.constrained().values())
        yield at_least("I2c", names[0], worst, 0.0, f"{count} weights that must not be negative", subject.negative_weights())
    if psi.kind not in LINEAR_GROWTH:
        yield not_applicable("I2d", names[1], "the modulus is met at one frequency only, which an image need not hold")
        return
    far = derivative(subject, 1e8 * subject.normal(1, "farthest"))
    excess = float(torch.linalg.eigvalsh((far + far.T) / 2)[0]) - psi.modulus
    yield at_most(
        "I2d", names[1], excess, 0.1 * psi.modulus + 1e-7, "smallest eigenvalue of J at noise of deviation 1e8, less the modulus"
    )


def pieces(subject: Subject) -> Iterator[Invariant]:
    """I8: f is the gradient of the potential summed over patches or positions, and tiles give the same f and J."""
    network, sigma = subject.network, subject.sigma
    names = ("f is the gradient of the summed potential", "tiles give the whole image's f and J")
    if not isinstance(network, ExplicitNetwork):
        yield not_applicable("I8", names[0], "the implicit form has no formula for psi; R3c tests the gradient of R")
        yield not_applicable("I8b", names[1], "f of the implicit form depends on the whole image")
        return
    y = torch.cat([subject.y, 3 * subject.normal(1, "patches")])
    levels = torch.full((2,), sigma, dtype=torch.float64)
    with torch.enable_grad():
        point = y.clone().requires_grad_()
        (slope,) = torch.autograd.grad(network.potential.value(point, levels).sum(), point)
    patched = getattr(network.config, "patch_stride", None)
    how = "potential summed over overlapping patches" if patched else "one potential"
    yield at_most("I8", names[0], relative(network(y, sigma), slope), 1e-12, f"{how}, by automatic differentiation")
    if network.potential.radius is None:
        yield not_applicable("I8b", names[1], "this potential is no sum over positions and is computed in one piece")
        return
    v = subject.normal(2, "tiles")
    whole = network(y, sigma), network.jacobian_product(y, v, sigma)
    network.tile = TILE
    try:
        parts = network(y, sigma), network.jacobian_product(y, v, sigma)
    finally:
        network.tile = None
    gap = max(relative(a, b) for a, b in zip(parts, whole, strict=True))
    yield at_most("I8b", names[1], gap, 1e-12, f"tiles of {TILE} pixels with their halo")


def bounds(subject: Subject) -> Iterator[Invariant]:
    """R1 to R4: -rho <= Hess R <= D <= L, its derivatives, and closure under the eight symmetries of the square."""
    network = subject.network
    if isinstance(network, ImplicitNetwork):
        yield from _curvature(subject, network)
    elif not (isinstance(network, ExplicitNetwork) and isinstance(network.potential, Frame)):
        return
    yield _symmetries(subject)


def _curvature(subject: Subject, network: ImplicitNetwork) -> Iterator[Invariant]:
    at = network.at(subject.sigma, subject.y)
    rho, smooth = subject.weak_convexity, subject.smoothness or math.inf
    yield at_most("R2b", "rho is below 1, so the prox is unique", rho, 1 - 1e-6, "declared for images of every size")
    calm = subject.y.mean() + 1e-3 * (subject.y - subject.y.mean())
    places = (0.0 * calm, calm, network(subject.y, subject.sigma), subject.y, 3 * subject.normal(1, "far"))
    hessians = [_matrix(subject, at.hessian(x).product) for x in places]
    eigenvalues = torch.cat([torch.linalg.eigvalsh((h + h.T) / 2) for h in hessians])
    lowest, highest = float(eigenvalues.min()), float(eigenvalues.max())
    rounding = 1e-10 * max(1.0, smooth)
    note = f"eigenvalues {lowest:.4g} to {highest:.4g} at {len(places)} images"
    yield at_least("R1", "Hess R is at least -rho", lowest + rho, -rounding, note, f"eigenvalue {lowest:.4g} below -{rho:.4g}")

    # the bound itself: the same sums with the concave parts' curvature eta at every position
    nothing = torch.zeros_like(subject.y)
    concave = replace(at, banks=tuple(replace(b, nu=b.eta, eta=torch.zeros_like(b.eta)) for b in at.banks))
    largest = float(torch.linalg.eigvalsh(_matrix(subject, concave.hessian(nothing).product))[-1])
    yield at_most(
        "R2",
        "concave parts add up to at most rho",
        largest - rho,
        rounding,
        f"{largest:.4g} of {rho:.4g} on images of this size",
        f"{largest:.4g}, declared {rho:.4g}",
    )
    yield from _majorant(subject, at, hessians, highest)
    yield _derivatives(subject, at, places)


def _majorant(subject: Subject, at: Conditioned, hessians: list[Tensor], highest: float) -> Iterator[Invariant]:
    """R3: D - Hess R is positive semidefinite, D diagonal in the cosine basis of rows, columns and channels; D <= L."""
    height, width = subject.shape[1:]
    smooth = subject.smoothness or math.inf
    symbol = at.upper_symbol((height, width))
    majorant = _matrix(subject, cosine_filter(symbol[:1]))
    convex = replace(at, banks=tuple(replace(b, eta=torch.zeros_like(b.eta)) for b in at.banks))
    steepest = _matrix(subject, convex.hessian(torch.zeros_like(subject.y)).product)
    slack = min(float(torch.linalg.eigvalsh(majorant - (h + h.T) / 2)[0]) for h in (*hessians, steepest))
    tolerance = 1e-10 * max(1.0, smooth)
    yield at_least(
        "R3", "Hess R is below its bound D in the cosine basis", slack, -tolerance, "smallest eigenvalue of D - Hess R"
    )
    top = max(float(symbol.max()), highest)
    yield at_most("R3b", "D is at most the declared L", top - smooth, tolerance, f"largest {top:.4g}, declared {smooth:.4g}")


def _derivatives(subject: Subject, at: Conditioned, places: tuple[Images, ...]) -> Invariant:
    """R3c: gradient and Hessian of R, written out, are what automatic differentiation gives."""
    x, v = torch.cat(places[2:]), subject.normal(len(places) - 2, "derivatives")
    with torch.enable_grad():
        point = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(at.value(point).sum(), point, create_graph=True)
        (curve,) = torch.autograd.grad(slope, point, v)
    gap = max(relative(at.gradient(x), slope.detach()), relative(at.hessian(x).product(v), curve))
    return at_most("R3c", "gradient and Hessian of R are its derivatives", gap, 1e-10, "automatic differentiation of R, twice")


def _symmetries(subject: Subject) -> Invariant:
    """R4: f (g y) = g f(y) and the filters are closed up to sign, for the eight symmetries g of the square."""
    network, y = subject.network, subject.y
    if isinstance(network, ImplicitNetwork):
        at = network.at(subject.sigma, y)
        if at.banks[0].stretch is not None:
            return not_applicable("R4", SYMMETRY, "the thresholds follow one picture")
    else:
        assert isinstance(network, ExplicitNetwork) and isinstance(network.potential, Frame)
        at = network.potential.at(torch.tensor([subject.sigma], dtype=torch.float64))
    turned = [g(y) for g in SYMMETRIES]
    gap = relative(network(torch.cat(turned), subject.sigma), torch.cat([g(network(y, subject.sigma)) for g in SYMMETRIES]))
    open_filters, witness = 0.0, ""
    for level, bank in enumerate(at.banks):
        for channel, filters in enumerate(bank.filters):
            flat = filters.flatten(1)
            for g in SYMMETRIES:
                image = g(filters).flatten(1)
                distance = torch.minimum(_distances(image, flat), _distances(image, -flat)).amin(1)
                missed = distance / flat.norm(dim=1).clamp(min=1e-12)
                if float(missed.max()) > open_filters:
                    open_filters = float(missed.max())
                    witness = f"level {level}, channel {channel}, filter {int(missed.argmax())} has no mirror image in the bank"
    return at_most(
        "R4",
        SYMMETRY,
        max(gap, open_filters) if gap == gap else math.nan,
        1e-10 * subject.loose,
        f"f(g y) = g f(y) to {gap:.1e}, filters to {open_filters:.1e}",
        witness if open_filters > gap else "",
    )


def _matrix(subject: Subject, product: Callable[[Images], Images]) -> Tensor:
    """Return Q^T B Q of a linear map B."""
    q = subject.directions
    return subject.compress(torch.cat([product(q[part]) for part in subject.chunks(len(q))]))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Return ||a_i - b_j||, without the cancellation of ||a||^2 + ||b||^2 - 2 <a, b>."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
