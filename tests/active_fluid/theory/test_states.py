"""Initial states: lifting, tensors, resampling, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import special

from sciml.active_fluid.solvers.initial import initial_moments
from sciml.active_fluid.theory.states import (
    AMPLE_TOLERANCE,
    lifted,
    modes_needed,
    order_of_tensor,
    random_state,
    resampled,
    tensor_of_order,
)
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def test_a_random_state_is_that_of_its_seed_and_of_rods():
    state = random_state(32, 5, amplitude=3.0)
    np.testing.assert_array_equal(state, random_state(32, 5, amplitude=3.0))
    assert np.abs(state - random_state(32, 6, amplitude=3.0)).max() > 0.1
    assert np.abs(state).max() <= 0.9 + 1e-12
    coefficients = np.abs(np.fft.fft2(random_state(32, 5, most=2)))
    assert coefficients[3:-2].max() < 1e-12 * coefficients.max()


def test_lifted_moments_are_those_of_bingham_s_distribution_by_quadrature():
    lam, angle, density = 4.0, 0.7, 1.3
    theta = 2 * np.pi * np.arange(400) / 400
    psi = np.exp(lam * np.cos(2 * (theta - angle)))
    psi *= density / psi.mean()
    exact = np.array([np.mean(psi * np.exp(2j * n * theta)) for n in range(9)])
    np.testing.assert_allclose(lifted(np.full((1, 1), exact[1]), 8, np.full((1, 1), density))[:, 0, 0], exact, atol=1e-12)


def test_lifted_rods_without_order_have_no_higher_moment():
    moments = lifted(np.zeros((2, 2), complex), 5)
    np.testing.assert_array_equal(moments[0], 1)
    np.testing.assert_array_equal(moments[1:], 0)


@pytest.mark.parametrize(("zeta", "least", "most"), [(1.0, 17, 27), (17.0, 70, 110)])
def test_the_modes_asked_are_those_of_the_rule(zeta, least, most):
    # sqrt(2 lambda ln(1 / tolerance)), lambda = zeta / (2 d_r)
    assert least <= modes_needed(zeta, 0.05) <= least + 1
    assert most <= modes_needed(zeta, 0.05, AMPLE_TOLERANCE) <= most + 2


@pytest.mark.parametrize("zeta", [0.25, 1.0, 5.0, 17.0])
def test_the_modes_asked_resolve_the_sharpest_alignment(zeta):
    lam = zeta / (2 * 0.05)
    fall = special.ive(modes_needed(zeta, 0.05), lam) / special.ive(0, lam)
    assert fall < 1e-5


def test_tensor_and_moments_are_the_same_thing():
    generator = np.random.default_rng(0)
    density, m1 = 1 + 0.1 * generator.standard_normal((4, 4)), random_state(16, 0)[:4, :4]
    tensor = tensor_of_order(m1, density)
    np.testing.assert_allclose(np.trace(tensor), density, atol=1e-15)
    # one rod at an angle: D = p p, m1 = exp(2 i angle)
    rod = np.array([np.cos(0.4), np.sin(0.4)])
    np.testing.assert_allclose(tensor_of_order(np.exp(0.8j)[None, None])[..., 0, 0], np.outer(rod, rod), atol=1e-15)
    back = order_of_tensor(tensor)
    np.testing.assert_allclose(back[0], density)
    np.testing.assert_allclose(back[1], m1)


def test_resampling_keeps_waves_and_values():
    fine, coarse = random_state(48, 1), random_state(24, 1)
    np.testing.assert_allclose(resampled(coarse, 48), fine, atol=1e-14)
    np.testing.assert_allclose(resampled(fine, 24), coarse, atol=1e-14)
    x = np.arange(16) * 2 * np.pi / 16
    nyquist = np.cos(8 * x)[:, None] * np.ones(16) + 0j
    assert np.abs(resampled(nyquist, 32)).max() < 1e-14


def test_every_form_of_an_initial_state_is_read():
    m1 = random_state(16, 0, amplitude=0.3)
    density = 1 + 0.2 * np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * np.ones(16)
    both = np.stack([density, m1])
    forms = [
        {"m1": m1, "density": density},
        {"D": tensor_of_order(m1, density)},
        {"D": tensor_of_order(m1, density), "density": density},
        tensor_of_order(m1, density),
        xr.Dataset({"m1": (("time", "x", "y"), np.stack([0 * m1, m1])), "density": (("x", "y"), density)}),
    ]
    for form in forms:
        np.testing.assert_allclose(initial_moments(form, 16, None), both, atol=1e-14)
        np.testing.assert_allclose(initial_moments(form, 16, 8), lifted(m1, 8, density), atol=1e-13)
    moments = lifted(m1, 8)
    np.testing.assert_allclose(initial_moments(moments, 16, 8), moments)
    np.testing.assert_allclose(initial_moments(m1, 32, None)[1], resampled(m1, 32))


def spoiled(value: complex, cell: tuple[int, int] = (3, 5)) -> np.ndarray:
    m1 = random_state(16, 0)
    m1[cell] = value
    return m1


WRONG = {
    "too much order": (spoiled(0.9 + 0.9j), DataError, r"\|m1\| is 1\.27279 .* cell \(3, 5\).*eigenvalue -0\.136"),
    "not finite": (spoiled(np.nan), DataError, "not finite"),
    "not square": (np.zeros((16, 18), complex), ShapeError, r"\(16, 18\).*square"),
    "whole numbers": (np.zeros((16, 16), int), ShapeError, "int64"),
    "a trace": (
        {"D": tensor_of_order(spoiled(0.1), 1.0), "density": np.ones((16, 16)) + 0.1 * (np.arange(16) == 7)},
        DataError,
        r"tr D differs from the density by 0\.1 at cell \(0, 7\)",
    ),
    "D with a negative eigenvalue": (tensor_of_order(spoiled(1.5)), DataError, r"cell \(3, 5\).*eigenvalue -0\.25"),
    "D not symmetric": (
        tensor_of_order(spoiled(0.1)) + np.eye(2)[::-1][:, :, None, None] * [[[1]], [[-1]]] * 0.1,
        DataError,
        "symm",
    ),
    "a density of 0": ({"m1": spoiled(0), "density": np.ones((16, 16)) - spoiled(1.0).real.round()}, DataError, r"cell \(3, 5\)"),
    "moments for the coarse solver": (np.zeros((9, 16, 16), complex), ShapeError, "coarse solver"),
    "no field": ({"m3": spoiled(0)}, ShapeError, "one of m1, D"),
    "another shape of the density": ({"m1": spoiled(0), "density": np.ones(16)}, ShapeError, "agree"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_rods_can_have_is_refused_with_its_place(name):
    given, kind, words = WRONG[name]
    with pytest.raises(kind, match=words) as caught:
        initial_moments(given, 16, None)
    assert "\n" not in str(caught.value)


def test_moments_of_no_distribution_and_too_sharp_ones_are_refused():
    moments = lifted(random_state(16, 0), 8)
    with pytest.raises(ShapeError, match="8 modes takes 9"):
        initial_moments(moments[:-1], 16, 8)
    moments[2, 4, 6] = -0.999
    with pytest.raises(DataError, match=r"1 - \|m1\|\^2 by .* cell \(4, 6\)"):
        initial_moments(moments, 16, 8)
    with pytest.raises(DataError, match=r"last of 8 modes .* cell \(3, 5\).*more modes"):
        initial_moments(spoiled(0.99), 16, 8)


@pytest.mark.parametrize("points", [15, 14, 0])
def test_a_grid_that_is_odd_or_small_is_refused(points):
    with pytest.raises(ConfigError, match="even number of at least 16"):
        random_state(points, 0)
