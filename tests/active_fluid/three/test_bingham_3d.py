"""Bingham's closure in three dimensions: against the distribution itself, all over the triangle of eigenvalues."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import ortho_group

from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.three.bingham import COEFFICIENTS, EXPONENTS, coefficients, fourth_moments
from sciml.active_fluid.three.bingham_fit import fitted, moments_of, triangle
from sciml.active_fluid.three.tensors import QUADS, contracted, eigenvalues, full, packed


def closed(d):
    """Return S of D, both as stacks."""
    return jnp.stack(fourth_moments(list(d)))


fourth = jax.jit(closed)


def diagonal(second: np.ndarray) -> np.ndarray:
    """Return the six components of tensors of these eigenvalues (samples, 3)."""
    return np.concatenate([second.T, np.zeros_like(second.T)])


def whole(fifteen: np.ndarray) -> np.ndarray:
    """Return all 81 components."""
    return np.array([fifteen[QUADS.index(tuple(sorted(index)))] for index in np.ndindex(3, 3, 3, 3)]).reshape(
        3, 3, 3, 3, *fifteen.shape[1:]
    )


def in_own_axes(moments) -> np.ndarray:
    """Return xxxx, yyyy, zzzz, yyzz, xxzz, xxyy."""
    s = moments.fourth
    return np.stack([*(moments.second - (s.sum(1, keepdims=True) - s)).T, *s.T])


PICKED = [QUADS.index(index) for index in ((0,) * 4, (1,) * 4, (2,) * 4, (1, 1, 2, 2), (0, 0, 2, 2), (0, 0, 1, 1))]


def test_the_exact_moments_are_those_of_a_sum_over_the_sphere():
    z, weight = np.polynomial.legendre.leggauss(200)
    phi = 2 * np.pi * (np.arange(400) + 0.5) / 400
    root = np.sqrt(1 - z**2)[:, None]
    p2 = np.stack([(root * np.cos(phi)) ** 2, (root * np.sin(phi)) ** 2, np.repeat(z[:, None] ** 2, 400, 1)])
    for b2, b3 in ((0.0, 0.0), (1.0, 3.0), (0.0, 40.0), (60.0, 60.0), (20.0, 300.0)):
        # the second axis is the one of the rule, so that nothing is integrated as the module does it
        x = p2[[0, 2, 1]]
        density = weight[:, None] * np.exp(-b2 * x[1] - b3 * x[2])
        density /= density.sum()
        found = moments_of(np.array([b2]), np.array([b3]))
        np.testing.assert_allclose(found.second[0], (density * x).sum((1, 2)), atol=1e-13)
        pairs = np.stack([x[1] * x[2], x[0] * x[2], x[0] * x[1]])
        np.testing.assert_allclose(found.fourth[0], (density * pairs).sum((1, 2)), atol=1e-13)


def test_the_closure_is_exact_to_four_in_ten_millions_over_the_whole_triangle():
    random = np.random.default_rng(0)
    b3 = np.concatenate([random.uniform(0, 15, 3000), 10 ** random.uniform(0, 7, 6000)])
    share = np.concatenate([random.uniform(0, 1, 4500), 10 ** random.uniform(-7, 0, 4500)])
    others, wide = moments_of(b3 * share, b3), triangle()
    # near isotropic, aligned, planar: all there
    assert wide.second[:, 0].max() > 1 - 1e-5 and (wide.second[:, 2] < 1e-5).any()
    exact = np.concatenate([in_own_axes(wide), in_own_axes(others)], 1)
    d = diagonal(np.concatenate([wide.second, others.second]))
    with working():
        s = np.asarray(fourth(jnp.asarray(3 * d)) / 3)
    assert np.abs(s[PICKED] - exact).max() < 4e-7
    assert np.abs(s[np.setdiff1d(np.arange(15), PICKED)]).max() < 1e-15
    single = fourth(jnp.asarray(d, jnp.float32))
    assert single.dtype == jnp.float32 and np.abs(single - s).max() < 1e-6


def test_the_fit_is_the_one_that_the_module_can_make_anew():
    x, y = np.random.default_rng(0).uniform(0, 1, (2, 50))
    terms = np.stack([x**i * y**j for i, j in EXPONENTS], 1)
    made, held = terms @ fitted().T, terms @ np.array(COEFFICIENTS).T
    np.testing.assert_allclose(made[:, :3] / made[:, 3:], held[:, :3] / held[:, 3:], rtol=1e-3)
    with working():
        np.testing.assert_allclose(jnp.stack(coefficients(x, y)), (held[:, :3] / held[:, 3:]).T, rtol=1e-10)
    # no pole, not even where an eigenvalue is negative by much more than a run may have it
    own = np.stack(np.meshgrid(*[np.linspace(-0.03, 1.06, 300)] * 2)).reshape(2, -1)
    own = np.concatenate([own, 1 - own.sum(0, keepdims=True)])[:, 1 - own.sum(0) >= -0.03]
    x, y = 3 * (1 - (own**2).sum(0)) / 2, 27 * own.prod(0)
    assert sum(c * x**i * y**j for c, (i, j) in zip(COEFFICIENTS[3], EXPONENTS, strict=True)).min() > 0.6


def test_it_keeps_the_trace_and_turns_with_the_rods():
    random = np.random.default_rng(1)
    a = random.standard_normal((3, 3, 40))
    d = np.einsum("ikn,jkn->ijn", a, a)
    with working():
        s = whole(np.asarray(fourth(packed(jnp.asarray(d)))))
        np.testing.assert_allclose(np.einsum("ijkkn->ijn", s), d, atol=1e-14 * np.abs(d).max())
        for turn in ortho_group.rvs(3, size=3, random_state=2):
            turned = np.einsum("ai,bj,ijn->abn", turn, turn, d)
            expected = np.einsum("ai,bj,ck,dl,ijkln->abcdn", turn, turn, turn, turn, s)
            np.testing.assert_allclose(whole(np.asarray(fourth(packed(jnp.asarray(turned))))), expected, atol=3e-13)
        t = random.standard_normal((3, 3, 40))
        t = t + t.swapaxes(0, 1)
        found = full(jnp.stack(contracted(fourth(packed(jnp.asarray(d))), packed(jnp.asarray(t)))))
        np.testing.assert_allclose(found, np.einsum("ijkln,kln->ijn", s, t), atol=1e-12)
        np.testing.assert_allclose(
            eigenvalues(list(packed(jnp.asarray(d)))),
            np.linalg.eigvalsh(d.transpose(2, 0, 1)).T[::-1],
            atol=1e-13 * np.abs(d).max(),
        )


def test_gradients_exist_where_eigenvalues_meet_and_on_the_edges():
    own = [(1 / 3, 1 / 3, 1 / 3), (0.6, 0.2, 0.2), (0.45, 0.45, 0.1), (0.5, 0.3, 0.2), (0.7, 0.3, 0.0), (1.0, 0.0, 0.0)]
    with working():
        d = jnp.asarray(diagonal(np.array(own)))
        ways = jnp.repeat(jnp.eye(6)[..., None], len(own), 2)
        pushed = jax.jit(lambda way: jax.jvp(closed, (d,), (way,))[1])
        slopes = jnp.stack([pushed(way) for way in ways])
        weights = jnp.asarray(np.random.default_rng(0).standard_normal((15, 1)))
        reverse = jax.jit(jax.grad(lambda d: jnp.sum(weights * closed(d))))(d)
        assert np.isfinite(reverse).all()
        np.testing.assert_allclose(reverse, jnp.sum(weights * slopes, 1), rtol=1e-9, atol=1e-9)
        h, inside = 1e-5, slice(0, 4)
        for n in range(6):
            step = h * ways[n]
            np.testing.assert_allclose(
                slopes[n, :, inside], ((fourth(d + step) - fourth(d - step)) / (2 * h))[:, inside], atol=1e-7
            )
