"""The Bingham distribution on the sphere by quadrature, and the fit of its fourth moments that `bingham` holds.

With the axes of D in the order of its eigenvalues, Psi = exp(-b2 p_2^2 - b3 p_3^2) / Z, b3 >= b2 >= 0. About the third axis the
angle is integrated by Bessel functions: with r = 1 - p_3^2 and s = b2 r / 2 each average is one integral over p_3,

    Z = 4 pi int_0^1 exp(-b3 p_3^2 - s) I0(s) dp_3,   <p_3^2> = (4 pi / Z) int p_3^2 exp(-b3 p_3^2 - s) I0(s) dp_3,   ...

Gauss and Legendre's rule takes it to rounding for every b2 and b3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import special

from sciml.active_fluid.three.bingham import EXPONENTS

NODES = 240
# passes of the fit: of the weighted denominator, and of the weights that even out the error
PASSES = 20

Column = Float[np.ndarray, "samples axes"]


class Moments(NamedTuple):
    """Moments of Bingham distributions of density 1 in their own axes.

    Attributes:
        second: (samples, 3), the eigenvalues of D, falling.
        fourth: (samples, 3), S_2233, S_1133 and S_1122; the others follow from S : I = D.
    """

    second: Column
    fourth: Column


def moments_of(b2: Float[np.ndarray, " samples"], b3: Float[np.ndarray, " samples"]) -> Moments:
    """Return the moments of distributions exp(-b2 p_2^2 - b3 p_3^2), b3 >= b2 >= 0, to 13 digits."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    b2, b3 = np.asarray(b2, np.float64)[:, None], np.asarray(b3, np.float64)[:, None]
    # beyond 9 standard deviations there is nothing
    z = np.minimum(1, 9 / np.sqrt(np.maximum(b3, 1e-300))) * (nodes + 1) / 2
    measure = weights * np.exp(-b3 * z**2)
    r = 1 - z**2
    s = r * b2 / 2
    i0, i1 = special.ive(0, s), special.ive(1, s)
    # I0 - I2 = 2 I1 / s
    i02 = np.where(s > 1e-8, 2 * i1 / np.maximum(s, 1e-300), 1.0)
    along, across = r * (i0 + i1) / 2, r * (i0 - i1) / 2
    mean = lambda f: (measure * f).sum(1) / (measure * i0).sum(1)  # noqa: E731
    second = np.stack([mean(along), mean(across), mean(z**2 * i0)], 1)
    fourth = np.stack([mean(z**2 * across), mean(z**2 * along), mean(r**2 * i02 / 8)], 1)
    return Moments(second, fourth)


def triangle(count: int = 30, most: float = 1e6) -> Moments:
    """Return moments all over the triangle of eigenvalues: isotropic, uniaxial, planar and fully aligned rods among them."""
    b3 = np.concatenate([np.linspace(0, 12, count), np.geomspace(12.5, most, 2 * count)])
    share = np.concatenate([(1 - np.cos(np.linspace(0, np.pi, 25))) / 2, np.geomspace(1e-4, 0.5, 10)])
    inside = np.stack([np.outer(b3, share).ravel(), np.repeat(b3, len(share))])
    edge = np.stack(np.meshgrid(np.append(0, np.geomspace(0.05, most, 40)), np.geomspace(20, most, count))).reshape(2, -1)
    return moments_of(*np.concatenate([inside, edge[:, edge[0] <= edge[1]]], 1))


def products(a: Column, b: Column) -> Column:
    """Return components 2233, 1133, 1122 of the traceless part of the symmetrised product of two diagonal tensors."""
    i, j = [1, 0, 0], [2, 2, 1]
    once = (a * b.sum(1, keepdims=True) + b * a.sum(1, keepdims=True) + 4 * a * b) / 6
    twice = once.sum(1, keepdims=True)
    return (a[:, i] * b[:, j] + b[:, i] * a[:, j]) / 6 - (once[:, i] + once[:, j]) / 7 + twice / 35


def fitted() -> Float[np.ndarray, "four terms"]:
    """Return the polynomials of `sciml.active_fluid.three.bingham`, coefficients of the same terms.

    Linear least squares of numerators - exact denominator, divided by the denominator of the pass before (Sanathanan and Koerner,
    IEEE Trans. Autom. Control 1963), with weights that grow where the error is large (Lawson).
    """
    second, fourth = triangle()
    q = second - 1 / 3
    square = q**2 - (q**2).sum(1, keepdims=True) / 3
    bases = [products(q, q), 2 * products(q, square), products(square, square)]
    # the traceless part of S: S_iijj - (q_i + q_j) / 7 - 1 / 15
    exact = fourth + q / 7 - 1 / 15
    x, y = 3 * (1 - (second**2).sum(1)) / 2, 27 * second.prod(1)
    terms = np.stack([x**i * y**j for i, j in EXPONENTS], 1)
    denominator, weights, best = np.ones(len(x)), np.ones(len(x)), (np.inf, np.empty(0))
    for _ in range(PASSES):
        scale = weights / denominator
        rows = [
            np.concatenate([*(base[:, [k]] * terms for base in bases), -exact[:, [k]] * terms[:, 1:]], 1) * scale[:, None]
            for k in range(3)
        ]
        matrix, right = np.concatenate(rows), np.concatenate([exact[:, k] * scale for k in range(3)])
        columns = np.linalg.norm(matrix, axis=0)
        found = np.linalg.lstsq(matrix / columns, right, rcond=1e-15)[0] / columns
        parts = np.insert(found, 3 * terms.shape[1], 1.0).reshape(4, -1)
        *numerators, denominator = (terms @ parts.T).T
        value = sum(base * top[:, None] for base, top in zip(bases, numerators, strict=True)) / denominator[:, None]
        error = np.abs(value - exact).max(1)
        if error.max() < best[0] and denominator.min() > 0:
            best = float(error.max()), parts
        weights = weights * (error / error.max() + 1e-2) ** 0.35
        weights /= weights.mean()
    return best[1]
