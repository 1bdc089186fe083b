"""That f is the proximal operator of R and R its regulariser: invariants I1 to I5, I9 and I10.

They hold for any weights, trained or not (Gribonval and Nikolova 2020; Fang, Buchanan and Sulam, ICLR 2024), so that none can be
passed by training; all are measured in float64 through the network's public functions.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from sciml.proximal.certificates.subject import Invariant, Subject, at_least, at_most, relative
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.network import Images
from sciml.proximal.optimise.inversion import inner

FAR, RELAXATION, SCALE = 3.0, 0.6, 2.0
WEIGHTS = (0.1, 0.5, 0.9)


def points(subject: Subject) -> dict[str, Images]:
    """Return where Jacobians are taken: where little, much and all of the image is far above the noise."""
    return {
        "the picture": subject.y,
        "a flat image": 0.5 + 1e-3 * subject.sigma * subject.normal(1, "flat"),
        f"noise of standard deviation {FAR:g}": FAR * subject.normal(1, "far"),
    }


def derivative(subject: Subject, y: Images) -> Tensor:
    """Return Q^T J Q at one image: by differentiating f itself (explicit form), or from the product (implicit form)."""
    network, q = subject.network, subject.directions
    products = torch.empty_like(q)
    for part in subject.chunks(len(q)):
        v = q[part]
        if isinstance(network, ExplicitNetwork):
            point = y.repeat(len(v), *[1] * len(subject.shape)).requires_grad_()
            with torch.enable_grad():
                products[part] = torch.autograd.grad(network.training_forward(point, subject.sigma), point, v)[0]
        else:
            products[part] = network.jacobian_product(y, v, subject.sigma)
    return subject.compress(products)


def jacobians(subject: Subject) -> Iterator[Invariant]:
    """I1 and I2: the Jacobian is symmetric, is what `jacobian_product` says, and is bounded as declared."""
    network, explicit = subject.network, isinstance(subject.network, ExplicitNetwork)
    asymmetry, lowest, where_lowest, highest = 0.0, torch.inf, "", 0.0
    places = points(subject)
    # each product of the implicit form is a linear system: one point there, R1 has the others
    for where, y in places.items() if explicit else [("the picture", subject.y)]:
        matrix = derivative(subject, y)
        asymmetry = max(asymmetry, float((matrix - matrix.T).norm() / matrix.norm()))
        values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)
        if not float(values[0]) >= lowest:
            lowest, where_lowest = float(values[0]), where
        highest = max(highest, float(values[-1]))
    full = len(subject.directions) == subject.y.numel()
    span = "the full Jacobian" if full else f"{len(subject.directions)} random directions"
    yield at_most(
        "I1",
        "Jacobian is symmetric",
        asymmetry,
        1e-12 * subject.loose,
        f"||J - J^T|| / ||J||, {span}",
        subject.negative_weights(),
    )

    worst = 0.0
    for where in ("the picture", f"noise of standard deviation {FAR:g}"):
        y, d = places[where], subject.normal(1, "difference")
        product, errors = network.jacobian_product(y, d, subject.sigma), []
        # error of the fourth order in h, as long as h is below the width of the corners of f, which training sharpens
        for h in (1e-3 * subject.sigma, 1e-4 * subject.sigma, 1e-5 * subject.sigma):
            ends = network(torch.cat([y + k * h * d for k in (-2, -1, 1, 2)]), subject.sigma)
            slope = (ends[:1] - 8 * ends[1:2] + 8 * ends[2:3] - ends[3:]) / (12 * h)
            errors.append(relative(slope, product))
        worst = max(worst, min(errors))
    yield at_most("I1b", "product J v is the derivative of f", worst, 1e-6, "finite differences of f, near and far")

    name = "Jacobian is at least the declared modulus" if explicit else "Jacobian is at least 1 / (1 + L)"
    witness = "; ".join(filter(None, (f"eigenvalue {lowest:.4g} at {where_lowest}", subject.negative_weights())))
    note = f"smallest eigenvalue {lowest:.4g}, largest {highest:.4g}, bound {subject.modulus:.4g}; f need not be nonexpansive"
    yield at_least("I2", name, lowest - subject.modulus, -1e-10 * subject.loose, note, witness)

    count = min(subject.count, 120) if explicit else 12
    a, b = (FAR * subject.normal(count, s) for s in ("pair a", "pair b"))
    third = count // 3
    # close to each other at faint pictures and far out, so that single corners of f are seen; and far from each other
    faint = subject.wide(torch.logspace(-2, 0, third, dtype=torch.float64))
    a[:third] = faint * (subject.y + 0.1 * a[:third])
    apart = torch.logspace(-3, 0, 2 * third, dtype=torch.float64)[
        torch.randperm(2 * third, generator=torch.Generator().manual_seed(0))
    ]
    b[: 2 * third] = a[: 2 * third] + subject.wide(apart) * b[: 2 * third] / FAR
    ends = network(torch.cat([a, b]), subject.sigma)
    change, step = ends[:count] - ends[count:], a - b
    bend = inner(change, step) - subject.modulus * inner(step, step)
    # a change far below f itself is lost in rounding
    size = inner(change, change).sqrt() + 1e-4 * inner(ends[:count], ends[:count]).sqrt()
    size = (size * inner(step, step).sqrt()).clamp(min=1e-12)
    yield at_least(
        "I2b",
        "f is strongly monotone between pairs of points, near and far",
        float((bend / size).min()),
        -1e-10 * subject.loose,
        f"<f(a) - f(b), a - b> - m ||a - b||^2 over ||f(a) - f(b)|| ||a - b||, {count} pairs",
        subject.negative_weights(),
    )


def optimality(subject: Subject) -> Iterator[Invariant]:
    """I3 and I10: no competitor has a smaller prox objective, for f, its relaxation and its scaling.

    With x = f(y):  1/2 ||c - y||^2 + R(c) >= 1/2 ||x - y||^2 + R(x)  for all c. Competitors are c = f(u), where R is known
    without inversion; the implicit form knows R everywhere and its objective is (1 - rho)-strongly convex, which is asked for.
    """
    network, y, sigma = subject.network, subject.y, subject.sigma
    x, r = subject.evaluated
    explicit = isinstance(network, ExplicitNetwork)
    count = subject.count if explicit else 16
    u = y + subject.scales(count) * subject.normal(count, "competitors")
    c, rc = network.evaluate(u, sigma)
    margin = _cost(c, y, rc) - _cost(x, y, r)
    rounding = 1e-12 * subject.loose * max(1.0, float(inner(y, y)))
    note = f"{count} competitors f(y + s noise), s from 1e-3 to 3"
    if not explicit:
        near = x + subject.scales(subject.count) * subject.normal(subject.count, "near")
        bent = 0.5 * (1 - subject.weak_convexity) * inner(near - x, near - x)
        margin = torch.cat([margin, _cost(near, y, network.prior(near, sigma)) - _cost(x, y, r) - bent])
        note = f"{subject.count} competitors x + s noise less (1 - rho) / 2 ||c - x||^2, s from 1e-3 to 3, and {count} f(u)"
    yield at_least("I3", "no competitor beats the prox", float(margin.min()), -rounding, note, subject.negative_weights())

    # f_t = t f + (1 - t) Id is the gradient of t psi + (1 - t)/2 ||.||^2
    def relaxed(points: Images, denoised: Images, values: Tensor) -> tuple[Images, Tensor]:
        psi = inner(points, denoised) - inner(denoised, denoised) / 2 - values
        moved = RELAXATION * denoised + (1 - RELAXATION) * points
        psi = RELAXATION * psi + (1 - RELAXATION) / 2 * inner(points, points)
        return moved, inner(points, moved) - inner(moved, moved) / 2 - psi

    (moved, value), (rivals, rival_values) = relaxed(y, x, r), relaxed(u, c, rc)
    lead = (_cost(rivals, y, rival_values) - _cost(moved, y, value)).min()
    # s f(. / s) is the prox of s^2 R(. / s)
    some = count if explicit else 8
    u = torch.cat([y, y + subject.scales(some) * subject.normal(some, "scaled")]) / SCALE
    c, rc = network.evaluate(u, sigma)
    costs = _cost(SCALE * c, y, SCALE**2 * rc)
    lead = torch.minimum(lead, (costs[1:] - costs[0]).min())
    yield at_least(
        "I10",
        "relaxation and scaling are proximal operators too",
        float(lead),
        -rounding,
        f"competitors of {RELAXATION:g} f + {1 - RELAXATION:g} Id and of {SCALE:g} f(. / {SCALE:g})",
        subject.negative_weights(),
    )


def round_trips(subject: Subject) -> Iterator[Invariant]:
    """I4 and I5: f and its inverse undo each other, and grad R = f^-1 - Id is the derivative of R."""
    network, sigma = subject.network, subject.sigma
    x, r = subject.evaluated
    other = network(0.5 + 0.3 * subject.normal(1, "other"), sigma)
    # the range of f is convex, so it holds the middle of two values
    middle = (x + other) / 2
    found = network.prior_values(torch.cat([x, middle]), sigma)
    back = relative(found.point[:1], subject.y)
    forth = relative(network(found.point[1:], sigma), middle)
    yield at_most(
        "I4",
        "f and its inverse undo each other",
        max(back, forth) if back == back and forth == forth else torch.nan,
        1e-10 * subject.loose,
        f"f^-1(f(y)) = y to {back:.1e}, f(f^-1(x)) = x to {forth:.1e}",
        subject.negative_weights(),
    )
    scale = max(abs(float(r)), 1e-3)
    fenchel = abs(float(found.value[0] - r)) / scale
    single = copy.deepcopy(network).float()
    narrow = middle.float()
    wide = copy.deepcopy(single).double().prior(narrow.double(), sigma)
    promoted = float((single.prior(narrow, sigma).double() - wide).abs() / wide.abs().clamp(min=1e-3))
    yield at_most("I4b", "R by inversion equals R at f(y)", fenchel, 1e-8, "Fenchel's equality, relative")
    yield at_most(
        "I4c", "R of float32 images has the precision of float64", promoted, 1e-5, "relative difference to the network in float64"
    )

    at, d = x + 0.1 * (middle - x), subject.normal(1, "slope")
    d, h = d / d.norm(), 1e-3 * subject.sigma
    r1, r2, r3, r4 = network.prior(torch.cat([at + k * h * d for k in (-2, -1, 1, 2)]), sigma).tolist()
    gradient = network.prior_gradient(at, sigma)
    gap = abs((r1 - 8 * r2 + 8 * r3 - r4) / (12 * h) - float(inner(gradient, d)))
    size = max(1e-2, float(gradient.norm()))
    yield at_most("I5", "gradient of R is its finite difference", gap / size, 1e-5, "along a random direction, over ||grad R||")


def weighted(subject: Subject) -> Iterator[Invariant]:
    """I9: the prox of w R for other weights, x - v + w grad R(x) = 0 and no competitor is better."""
    network, v, sigma = subject.network, subject.y, subject.sigma
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    x = network.prox(v.repeat(3, *[1] * len(subject.shape)), weights, sigma)
    prior = network.prior_values(x, sigma)
    best = inner(x - v, x - v) / 2 + weights * prior.value
    each = max(5, subject.count // 3)
    lead = torch.inf
    for index, weight in enumerate(weights):
        noise = subject.scales(each) * subject.normal(each, f"weighted {index}")
        if isinstance(network, ExplicitNetwork):
            c, rc = network.evaluate(prior.point[[index]] + noise, sigma)
        else:
            c = x[[index]] + noise
            rc = network.prior(c, sigma)
        lead = min(lead, float((inner(c - v, c - v) / 2 + weight * rc - best[index]).min()))
    rounding = 1e-12 * subject.loose * max(1.0, float(inner(v, v)))
    name = f"prox of w R for w = {', '.join(f'{w:g}' for w in WEIGHTS)}: no competitor is better"
    yield at_least("I9", name, lead, -rounding, f"{each} competitors a weight", subject.negative_weights())
    left = x - v + subject.wide(weights) * (prior.point - x)
    yield at_most(
        "I9b",
        "prox of w R is stationary",
        float((inner(left, left) / inner(v, v)).max().sqrt()),
        1e-10 * subject.loose,
        "||x - v + w grad R(x)|| / ||v||",
    )


def _cost(c: Images, y: Images, values: Tensor) -> Tensor:
    return inner(c - y, c - y) / 2 + values
