"""The objective of untrained networks: every term against an independent computation, and its gradients."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from dip_scenes import configured, random, seeded
from scipy.fft import dctn, idctn
from scipy.optimize import minimize

from sciml.deblurring.dip.objective import (
    RESIDUAL_WEIGHT,
    CosineTransform,
    LearnableBlur,
    Objective,
    huber,
    simplex_projection,
    soft,
    unsaturated,
)
from sciml.imaging.operators.kernels import disk, line
from sciml.imaging.priors import TotalVariation

# --- pieces ---


@pytest.mark.parametrize("size", [(8, 8), (7, 12), (1, 5)])
def test_cosine_transform_is_scipys_and_its_transpose_inverts_it(size):
    u = random(2, 3, *size)
    transform = CosineTransform(size, u)
    c = transform(u)
    assert np.allclose(c, dctn(u.numpy(), axes=(-2, -1), norm="ortho"), atol=1e-13)
    assert np.allclose(transform.adjoint(c), u, atol=1e-13)
    assert np.allclose(transform.adjoint(u), idctn(u.numpy(), axes=(-2, -1), norm="ortho"), atol=1e-13)


@pytest.mark.parametrize("size", [(8, 8), (7, 12)])
def test_released_transform_is_a_rotated_fourier_transform_and_orthonormal(size):
    u = random(1, 1, *size)
    transform = CosineTransform(size, u, released=True)
    assert np.allclose(transform.adjoint(transform(u)), u, atol=1e-13)

    def along_last(a):
        # what the helper computes: the real part of the turned FFT of the samples in their own order
        n = a.shape[-1]
        c = 2 * (np.fft.fft(a) * np.exp(-1j * math.pi * np.arange(n) / (2 * n))).real
        return c / np.where(np.arange(n) == 0, 2 * math.sqrt(n), 2 * math.sqrt(n / 2))

    expected = along_last(along_last(u.numpy()).swapaxes(-1, -2)).swapaxes(-1, -2)
    assert np.allclose(transform(u), expected, atol=1e-13)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_soft_threshold_is_the_minimiser_on_a_grid(threshold):
    grid = np.linspace(-3, 3, 6001)
    for u in np.linspace(-2, 2, 41):
        best = grid[np.argmin(0.5 * (grid - u) ** 2 + threshold * np.abs(grid))]
        assert float(soft(torch.tensor(u), threshold)) == pytest.approx(best, abs=1e-3)


def test_huber_is_the_integral_of_the_clipped_line():
    t = torch.linspace(-4, 4, 81, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(huber(t).sum(), t)
    assert torch.allclose(slope, t.detach().clamp(-1.345, 1.345))
    assert float(huber(torch.zeros(()))) == 0


def test_simplex_projection_is_the_nearest_kernel():
    for seed in range(3):
        v = random(3, 3, seed=seed) * 0.4
        p = simplex_projection(v)
        assert float(p.min()) >= 0 and float(p.sum()) == pytest.approx(1, abs=1e-12)
        found = minimize(
            lambda q, v=v: float(np.sum((q - v.numpy().ravel()) ** 2)),
            np.full(9, 1 / 9),
            bounds=[(0, None)] * 9,
            constraints={"type": "eq", "fun": lambda q: q.sum() - 1},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert np.allclose(p.numpy().ravel(), found.x, atol=1e-5)
        assert torch.allclose(simplex_projection(p), p, atol=1e-14)


def test_learnable_blur_is_the_valid_blur_and_flips_nothing():
    kernel = np.zeros((5, 5))
    kernel[:, 1], kernel[4, 1:4] = 1.0, 2.0
    kernel /= kernel.sum()
    blur = LearnableBlur(kernel, (11, 8), dtype=torch.float64)
    x = random(1, 2, 15, 12)
    assert torch.allclose(blur.with_kernel(x, blur.kernel), blur.A(x), atol=1e-13)
    direct = torch.nn.functional.conv2d(x.transpose(0, 1), blur.kernel.flip(0, 1)[None, None]).transpose(0, 1)
    assert torch.allclose(blur.with_kernel(x, blur.kernel), direct, atol=1e-13)


def test_saturated_pixels_are_those_at_the_top_of_any_channel():
    y = torch.full((1, 3, 2, 2), 0.5)
    y[0, 2, 0, 1] = 1.0
    assert unsaturated(y).tolist() == [[[[True, False], [True, True]]]]


# --- gradients of the whole objective ---


def objective(mode: str, fit: str = "l2", **weights: float):
    config = configured(mode=mode, fit=fit, **weights)
    y, mask = 0.5 + 0.2 * random(1, 2, 9, 8), (random(1, 1, 9, 8, seed=3) > -1).double()
    built = Objective(y, disk(1.5), 0.05, config, mask)
    point = {
        "x": 0.5 + 0.2 * random(1, 2, *built.blur.canvas, seed=4),
        "residual": 0.1 * random(1, 2, 9, 8, seed=5),
        "correction": 0.02 * random(*built.kernel.shape, seed=6),
    }
    if not built.has_residual:
        point.pop("residual")
    if not built.has_kernel:
        point.pop("correction")
    return built, point


CASES = [
    ("none", "l2"),
    ("none", "huber"),
    ("none", "l1_dct"),
    ("residual", "l2"),
    ("residual", "huber"),
    ("kernel", "l2"),
    ("kernel", "l1_dct"),
    ("both", "l2"),
    ("official", "l2"),
]


@pytest.mark.parametrize(("mode", "fit"), CASES)
def test_gradient_of_every_term_by_finite_differences(mode, fit):
    # without h, whose alternating step is tested below: it is held fixed and no function of the point
    built, point = objective(mode, fit, artefact_weight=None)
    leaves = {name: value.clone().requires_grad_() for name, value in point.items()}
    terms = built(**leaves)
    expected = (
        {"likelihood", "variation"}
        | ({"residual"} if built.has_residual else set())
        | ({"kernel"} if built.has_kernel else set())
    )
    assert set(terms.values) == expected
    for term, value in terms.values.items():
        gradients = torch.autograd.grad(value, list(leaves.values()), retain_graph=True, allow_unused=True)
        for index, (name, gradient) in enumerate(zip(leaves, gradients, strict=True)):
            if (term, name) == ("kernel", "x"):
                continue  # the ridge is in units of the image's edges, which are held fixed
            direction, step = random(*point[name].shape, seed=10 + index), 1e-6
            ends = [built(**(point | {name: point[name] + sign * step * direction})).values[term] for sign in (1, -1)]
            slope = 0.0 if gradient is None else float((gradient * direction).sum())
            assert float(ends[0] - ends[1]) / (2 * step) == pytest.approx(slope, rel=2e-5, abs=1e-7), (term, name)


def test_values_of_the_terms_are_those_of_the_formula():
    built, point = objective("both", artefact_weight=None)
    values, n = built(**point).values, 2 * 9 * 8
    kernel = (built.kernel + point["correction"]).flip(0, 1)[None, None]
    blurred = torch.nn.functional.conv2d(point["x"].transpose(0, 1), kernel).transpose(0, 1)
    e = built.y - blurred - point["residual"]
    d = np.stack([np.diff(point["x"], axis=-2, append=point["x"][..., -1:, :]), np.diff(point["x"], append=point["x"][..., -1:])])
    assert float(values["likelihood"]) == pytest.approx(float((built.mask * e / 0.05).square().sum()) / (2 * n))
    weight = 0.2 * math.sqrt(np.square(disk(1.5)).sum())
    assert float(values["variation"]) == pytest.approx(weight / 0.05 / n * float(np.sqrt((d**2).sum((0, 2))).sum()))
    assert float(values["residual"]) == pytest.approx(RESIDUAL_WEIGHT / 0.05 / n * float(point["residual"].abs().sum()))
    ridge = 10 * (d**2).sum() / (2 * 0.05**2 * n) * float(point["correction"].square().sum())
    assert float(values["kernel"]) == pytest.approx(ridge)


def test_artefact_step_is_the_exact_minimum_and_its_gradient_that_of_the_minimum():
    config = configured(mode="residual", artefact_weight=1.5)
    y = 0.5 + 0.2 * random(1, 1, 9, 8)
    built = Objective(y, disk(1.5), 0.05, config)
    x = (0.5 + 0.2 * random(1, 1, *built.blur.canvas, seed=4)).requires_grad_()

    def minimum(x):
        u = dctn((y - built.blur.A(x)).detach().numpy()[0, 0] / 0.05, norm="ortho")
        # min over c of 1/2 (u - c)^2 + tau |c| is Huber's function of u with its knee at tau
        return float(np.where(np.abs(u) <= 1.5, u**2 / 2, 1.5 * np.abs(u) - 1.5**2 / 2).sum()) / y.numel()

    terms = built(x)
    fit = terms.values["likelihood"] + terms.values["artefact"]
    assert float(fit.detach()) == pytest.approx(minimum(x), rel=1e-12)
    assert terms.artefact is not None and not terms.artefact.requires_grad
    (gradient,) = torch.autograd.grad(fit, x)
    direction, step = random(*x.shape, seed=7), 1e-6
    with torch.no_grad():
        difference = (minimum(x + step * direction) - minimum(x - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-5)


def test_artefact_step_never_rises_where_pixels_are_unseen():
    config = configured(mode="residual", artefact_weight=1.0)
    y, mask = 0.5 + 0.2 * random(1, 1, 12, 12), (random(1, 1, 12, 12, seed=3) > -0.5).double()
    built = Objective(y, disk(1.5), 0.05, config, mask)
    x, h, totals = torch.full((1, 1, *built.blur.canvas), 0.5, dtype=torch.float64), None, []
    for _ in range(60):
        terms = built(x, artefact=h)
        h = terms.artefact
        totals.append(float(terms.total))
    assert all(after <= before + 1e-12 for before, after in pairwise(totals))
    assert totals[-1] < totals[0] - 1e-3


def test_objective_does_not_change_with_the_scale_of_light():
    built, point = objective("both", artefact_weight=2.0)
    dark = Objective(built.y / 8, disk(1.5), 0.05 / 8, built.config, built.mask)
    scaled = {name: value / (1 if name == "correction" else 8) for name, value in point.items()}
    for name, value in built(**point).values.items():
        assert float(dark(**scaled).values[name]) == pytest.approx(float(value), rel=1e-12), name


def test_weights_do_not_depend_on_the_size():
    config, values = configured(mode="residual"), []
    for size in (64, 128):
        y, x = 0.1 * torch.randn(1, 1, size, size, generator=seeded()), torch.rand(1, 1, size + 8, size + 8, generator=seeded(1))
        residual = 0.02 * torch.randn(y.shape, generator=seeded(2))
        values.append(Objective(y, line(7.0, 20.0, 9), 0.01, config)(x, residual).values)
    for name in ("likelihood", "residual", "artefact"):
        assert float(values[0][name]) == pytest.approx(float(values[1][name]), rel=0.05), name
    # the canvas is larger than the picture by a fixed margin; a pixel of it weighs the same
    shares = [size**2 / (size + 8) ** 2 for size in (64, 128)]
    assert float(values[0]["variation"]) * shares[0] == pytest.approx(float(values[1]["variation"]) * shares[1], rel=0.05)


def test_total_variation_is_the_shared_one():
    built, point = objective("none")
    x = point["x"].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(built(x).values["variation"], x)
    weight = 0.2 * float(built.kernel.norm())
    assert torch.allclose(gradient, weight / (0.05 * 144) * TotalVariation().gradient(x.detach()), atol=1e-12)
