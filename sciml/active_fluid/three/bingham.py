"""The Bingham closure in three dimensions, as a rational function of a tensor.

    Psi_B(p) = exp(B : p p) / Z,   B such that <p p> = D,   S = <p p p p>

(Bingham, Ann. Stat. 1974; Chaubal and Leal, J. Rheol. 1998 for its use as a closure.) With density 1, Q = D - I / 3, its square
without trace Q' = Q.Q - tr(Q.Q) I / 3 and {A B} for the mean of A_ij B_kl over all orders of the indices, every such S is

    S = X + 6/7 {I (D - X : I)} - 3/35 (1 - tr(X : I)) {I I},   X = a {Q Q} + 2 b {Q Q'} + e {Q' Q'}

with a, b, e functions of the two invariants x = 3 e_2(D) and y = 27 det D, both from 0 to 1. So S turns with D and S : I = D,
whatever these are; no eigenvectors are needed, and gradients exist where eigenvalues meet. Each of a, b, e is a polynomial of
degree 5 over a common one, fitted to quadrature (`sciml.active_fluid.three.bingham_fit.fitted`): S is within 4e-7 of the exact
one for all D, isotropic, planar or aligned.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from sciml.active_fluid.three.tensors import Fields, plus, product, shifted, symmetrised, trace

# filled by `fitted()`: a, b, e and what divides them; terms 1, y, x, y^2, x y, x^2, ..., x^5
# fmt: off
COEFFICIENTS: tuple[tuple[float, ...], ...] = (
    (2.10929450303, -26.170429495, -10.8315217569, 245.616780858, -27.0014967625, 64.3012618167, -870.647885344,
     582.021503233, -638.179463155, -62.4244741876, 1011.3570253, -523.545671291, 1710.31408794, -868.550126224,
     587.372734911, -1.17493158294, 292.183443169, -135.769975607, 268.356712051, -36.9113630167, 81.9801142442),
    (-1.32819545175, 16.3180072697, 5.56128089006, -161.217997654, 25.486437582, -35.9123443021, 532.948351701,
     -431.263826741, 525.160328093, 30.267850354, -599.285741913, 120.80436459, -1369.74273937, 703.601324972,
     -552.029906378, -39.1562727892, -145.661061656, 238.042134783, -149.480277286, 4.44843667536, 0.00518271891197),
    (-2.01448549304, 23.6038260712, 10.7918570098, -194.223777282, 48.9753127194, -54.7263260277, 566.606828433,
     -473.811205139, 265.924344057, -33.6588918663, -486.901670928, 1065.73829806, -326.181827446, -19.7564546322,
     122.820650555, 179.482261368, -140.70052401, -174.769771467, 157.10857405, -21.9587054848, 0.0482673267536),
    (1, -12.3779984209, -4.59185955854, 112.794714047, -21.4849292637, 28.1748401478, -414.713440215, 393.358081872,
     -278.309433561, -9.89203185155, 407.921068064, -619.233181651, 887.370957768, -834.331830179, 220.324731178,
     321.179185984, 641.608797906, 379.043468946, 869.604852197, -188.133503741, 422.685542243),
)
# fmt: on
DEGREE = 5
# rods have no invariant below 0; a little beyond, where rounding may come, the closure goes on smoothly
LEAST = -0.03
# powers of x and y of each term
EXPONENTS = tuple((i, total - i) for total in range(DEGREE + 1) for i in range(total + 1))


def coefficients(x: Array, y: Array) -> list[Array]:
    """Return a, b and e of the invariants 3 e_2 and 27 e_3, which count as `LEAST` where they are below it."""
    x, y = jnp.where(x < LEAST, LEAST, x), jnp.where(y < LEAST, LEAST, y)
    *tops, bottom = [_polynomial(row, x, y) for row in COEFFICIENTS]
    return [top / bottom for top in tops]


def fourth_moments(second: Fields) -> list[Array]:
    """Return the fifteen components of S = <p p p p> of the six of D = <p p>, of any density, without units.

    Components are in the order of `sciml.active_fluid.three.tensors`.
    """
    density = trace(second)
    unit = [one / density for one in second]
    q = shifted(unit, -1 / 3)
    square = product(q, q)
    i2 = trace(square)
    # e_2 = (1 - tr D.D) / 2 with tr D.D = 1/3 + tr Q.Q;   e_3 = 1/27 - tr Q.Q / 6 + tr Q.Q.Q / 3
    a, b, e = coefficients(1 - 1.5 * i2, 1 - 4.5 * i2 + 9 * trace(product(square, q)))
    square = shifted(square, -i2 / 3)
    # X = {Q M} + {Q' N},  M = a Q + b Q',  N = b Q + e Q',  X : I = 2/3 (Q.M + Q'.N)
    m, n = plus(q, square, a, b), plus(q, square, b, e)
    twice = plus(product(q, m), product(square, n), 2 / 3, 2 / 3)
    # S = {Q M} + {Q' N} + {I R}
    rest = shifted(plus(unit, twice, 6 / 7, -6 / 7), -3 / 35 * (1 - trace(twice)))
    return [density * one for one in symmetrised([(q, m), (square, n)], rest)]


def _polynomial(row: tuple[float, ...], x: Array, y: Array) -> Array:
    """Return the sum of row[..] x^i y^j by Horner's rule in x, and in y within."""
    value = jnp.zeros_like(x)
    for i in reversed(range(DEGREE + 1)):
        inner = jnp.full_like(x, row[EXPONENTS.index((i, DEGREE - i))])
        for j in reversed(range(DEGREE - i)):
            inner = inner * y + row[EXPONENTS.index((i, j))]
        value = value * x + inner
    return value
