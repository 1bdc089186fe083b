"""Symmetric tensors in three dimensions, each component once.

A second-order one has the components xx, yy, zz, xy, xz, yz; a fourth-order one, symmetric in all indices, xxxx, xxxy, ..., zzzz.
They come as stacks of fields or as lists of them. Products are written out by component: compiled, they are one loop over the
grid's points.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

Second = Float[Array, "six *space"]
Fields = Sequence[Array]

AXES = range(3)
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
PLACE = ((0, 3, 4), (3, 1, 5), (4, 5, 2))
QUADS = tuple(combinations_with_replacement(AXES, 4))


def parts(stack: Array) -> list[Array]:
    """Return the components of a stack, (component, ...): unlike indices, a split is turned into one stack by reverse mode."""
    return [one[0] for one in jax.lax.split(stack, [1] * len(stack))]


def full(second: Second) -> Float[Array, "3 3 *space"]:
    """Return all nine components of a tensor of six."""
    six = parts(second)
    return jnp.stack([jnp.stack([six[n] for n in row]) for row in PLACE])


def packed(tensor: Float[Array, "3 3 *space"]) -> Second:
    """Return the six components of the symmetric part."""
    return jnp.stack(symmetric(tensor))


def symmetric(tensor: Float[Array, "3 3 *space"]) -> list[Array]:
    """Return the list of the six components of the symmetric part."""
    nine = [parts(row) for row in parts(tensor)]
    return [nine[i][j] if i == j else (nine[i][j] + nine[j][i]) / 2 for i, j in PAIRS]


def product(a: Fields, b: Fields) -> list[Array]:
    """Return the six components of a . b of two tensors with the same axes, whose product is symmetric."""
    terms = [[a[PLACE[i][k]] * b[PLACE[k][j]] for k in AXES] for i, j in PAIRS]
    return [one + two + three for one, two, three in terms]


def trace(a: Fields) -> Array:
    """Return the sum of the diagonal."""
    return a[0] + a[1] + a[2]


def plus(a: Fields, b: Fields, scale_a: Array | float = 1.0, scale_b: Array | float = 1.0) -> list[Array]:
    """Return scale_a a + scale_b b."""
    return [scale_a * one + scale_b * other for one, other in zip(a, b, strict=True)]


def shifted(a: Fields, number: Array | float) -> list[Array]:
    """Return a + number I."""
    return [one + number if n < 3 else one for n, one in enumerate(a)]


def symmetrised(pairs: Sequence[tuple[Fields, Fields]], rest: Fields) -> list[Array]:
    """Return the fifteen components of the sum of {A B} over pairs, and of {I R}.

    {A B} is the mean of A_ij B_km over all orders of the indices: a sixth of the sum of A_I B_J + B_I A_J over the three ways to
    part ijkm into I and J.
    """
    sums: dict[tuple[int, int], Array] = {}
    for first, second in combinations_with_replacement(range(6), 2):
        terms = [a[first] * b[second] + b[first] * a[second] for a, b in pairs]
        terms += [rest[other] for other, one in ((second, first), (first, second)) if one < 3]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        sums[first, second] = total
    found = []
    for i, j, k, m in QUADS:
        ways = ((PLACE[i][j], PLACE[k][m]), (PLACE[i][k], PLACE[j][m]), (PLACE[i][m], PLACE[j][k]))
        one, two, three = (sums[min(way), max(way)] for way in ways)
        found.append((one + two + three) / 6)
    return found


def contracted(fourth: Fields, second: Fields) -> list[Array]:
    """Return the six components of S : T, sum over k and m of S_ijkm T_km."""
    twice = [*second[:3], *(2 * one for one in second[3:])]
    found = []
    for pair in PAIRS:
        total = fourth[QUADS.index(tuple(sorted((*pair, 0, 0))))] * twice[0]
        for other, one in zip(PAIRS[1:], twice[1:], strict=True):
            total = total + fourth[QUADS.index(tuple(sorted((*pair, *other))))] * one
        found.append(total)
    return found


def eigenvalues(second: Fields) -> Array:
    """Return the eigenvalues (3, ...), falling, by the cosines of a third of an angle (no gradient where two of them meet)."""
    middle = trace(second) / 3
    q = shifted(second, -middle)
    square = product(q, q)
    # lambda = middle + 2 p cos(phi + 2 pi n / 3),  p^2 = tr Q.Q / 6,  cos 3 phi = tr Q.Q.Q / (6 p^3)
    p = jnp.sqrt(trace(square) / 6)
    angle = jnp.arccos(jnp.clip(trace(product(square, q)) / (6 * jnp.maximum(p, 1e-30) ** 3), -1, 1)) / 3
    return middle + 2 * p * jnp.cos(angle + 2 * jnp.pi / 3 * jnp.array([0, 2, 1]).reshape(3, *[1] * angle.ndim))
