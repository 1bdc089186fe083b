"""Classical methods: they solve the problem they state, improve on the start, and beat each other where they should."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
import torch
from imaging_problems import PHOTOS, blocks, generator, psnr_db, random

from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import gaussian
from sciml.imaging.operators.physics import Identity, Noise
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.priors import TotalVariation
from sciml.imaging.solvers import classical
from sciml.imaging.solvers.tuning import METHODS, mean_psnr, methods_for, solve, tune
from sciml.imaging.solvers.wavelets import WaveletSparsity
from sciml.imaging.tasks.cases import cases
from sciml.imaging.tasks.task import TASKS, task
from sciml.runtime.errors import ConfigError, NumericalError

PAIRS = [(name, method) for name in TASKS for method in methods_for(name) if METHODS[method].package is None]


def problem(name: str, size: tuple[int, int] = (32, 40), batch: int = 2, **options):
    built = task(name, size, **options)
    truth = blocks(*built.canvas, batch=batch)
    return built, truth, built.measure(truth, generator(0))


def middle(method: str) -> float:
    grid = METHODS[method].grid
    return grid[len(grid) // 2] if grid else 0.0


def real_pictures(experiment: str, role: str, count: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(np.stack([case.array for case in cases(experiment, role, count, size, "ci")]))[:, None]


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_each_method_improves_on_the_start(name, method):
    built, truth, y = problem(name, (48, 48), **({"sigma": 0.02, "kernel_size": 13} if name == "deblur" else {}))
    found = solve(METHODS[method], y, built.physics, middle(method))
    assert found.shape[0] == 2 and bool(found.isfinite().all()) and found.dtype == torch.float32
    first = built.physics.A_adjoint(y) if name != "deblur" else classical.first_guess(y, built.physics)
    if method != "zero-filled":
        assert mean_psnr(built, found, truth) > mean_psnr(built, first, truth) + 0.5


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_a_batch_equals_its_members_one_by_one(name, method):
    built, _, y = problem(name, (20, 24))
    together = built.picture(solve(METHODS[method], y, built.physics, middle(method)))
    for index in range(len(y)):
        alone = built.picture(solve(METHODS[method], y[index : index + 1], built.physics, middle(method)))
        # members stop together, so an iterative method may take some more steps in a batch
        assert float((together[index : index + 1] - alone).abs().mean()) < 2e-3


@pytest.mark.parametrize("name", ["deblur", "ct-sparse", "mri-cs", "inpaint"])
@pytest.mark.parametrize("prior", [TotalVariation(), WaveletSparsity(shifts=1)], ids=["tv", "wavelet"])
def test_the_objective_falls_to_that_of_a_long_run(name, prior):
    # the canvas is 48 x 48 for the blur and 32 x 32 otherwise: the wavelet prox is exact on multiples of 16
    built, _, y = problem(name, (30, 30) if name == "deblur" else (32, 32), batch=1)
    weight = float(classical.noise_weight(y, built.physics)[0])
    costs = []

    def cost(x):
        return float(0.5 * (built.physics.A(x) - y).square().sum() + weight * prior.value(x)[0])

    classical.proximal_gradient(y, built.physics, prior, weight, on_iteration=lambda _, x: costs.append(cost(x)))
    best = cost(classical.proximal_gradient(y, built.physics, prior, weight, iterations=300, tolerance=0))
    # wavelets under a blur converge slowly: the blur leaves high frequencies to the prior alone
    slow = name == "deblur" and isinstance(prior, WaveletSparsity)
    assert costs[-1] <= best * (1.25 if slow else 1.01)
    assert costs[-1] < cost(classical.first_guess(y, built.physics))
    # restarts keep it from climbing; the inexact inner prox of total variation leaves some tenths of a percent
    assert costs[-1] <= min(costs) * 1.005


def test_denoising_is_one_exact_prox():
    built, _, y = problem("denoise")
    torch.testing.assert_close(classical.tv(y, built.physics, 0.1), TotalVariation().prox(y, 0.1))
    one_each = torch.tensor([0.05, 0.2])
    torch.testing.assert_close(classical.tv(y, built.physics, one_each), TotalVariation().prox(y, one_each))


def test_the_iteration_agrees_with_the_prox_where_the_operator_is_trivial():
    # a blur with a point kernel is the identity, but goes through the iteration
    y = blocks(24, 24) + 0.1 * random(1, 1, 24, 24, dtype=torch.float32)
    exact = TotalVariation(iterations=3000, tolerance=1e-10).prox(y, 0.1)
    iterated = classical.proximal_gradient(y, ValidBlur(np.ones((1, 1)), (24, 24)), TotalVariation(), 0.1, 300, tolerance=1e-7)
    torch.testing.assert_close(iterated, exact, rtol=0, atol=2e-3)


def test_no_weight_solves_the_normal_equations():
    physics = ParallelBeam((12, 12), tuple(np.arange(0, 180, 6)), dtype=torch.float64)
    x = random(1, 1, 12, 12)
    found = classical.proximal_gradient(physics.A(x), physics, TotalVariation(), 0.0, 600, tolerance=0)
    torch.testing.assert_close(physics.A(found), physics.A(x), rtol=0, atol=1e-3)


def test_the_default_weight_is_the_noise_that_reaches_the_gradient():
    built, truth, y = problem("ct-sparse", (48, 48), batch=1)
    noise = y - built.physics.A(truth)
    assert float(classical.noise_weight(y, built.physics)[0]) == pytest.approx(
        float(built.physics.A_adjoint(noise).std()), rel=0.15
    )
    assert psnr_db(classical.tv(y, built.physics), truth) > psnr_db(classical.fbp(y, built.physics), truth)


def test_steps_are_reported_and_stop_at_the_tolerance():
    built, _, y = problem("inpaint", (24, 24), batch=1)
    steps = []
    classical.proximal_gradient(y, built.physics, TotalVariation(), 0.02, 7, on_iteration=lambda step, _: steps.append(step))
    assert steps == list(range(1, 8))
    steps.clear()
    classical.proximal_gradient(
        y, built.physics, TotalVariation(), 0.02, 500, tolerance=1e-2, on_iteration=lambda step, _: steps.append(step)
    )
    assert len(steps) < 100


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (classical.fbp, "denoise"),
        (classical.wiener, "ct-sparse"),
        (classical.richardson_lucy, "denoise"),
        (classical.non_local_means, "deblur"),
    ],
)
def test_a_method_for_other_physics_says_so(method, name):
    built, _, y = problem(name, batch=1)
    with pytest.raises(ConfigError, match=f"{method.__name__} works on .* not on {type(built.physics).__name__}"):
        method(y, built.physics)


def test_a_default_weight_needs_a_noise_level():
    with pytest.raises(ConfigError, match="noise_level"):
        classical.tv(torch.zeros(1, 1, 16, 16), Identity())


@pytest.mark.parametrize("name", ["deblur", "ct-sparse", "inpaint", "mri-cs"])
def test_not_a_number_in_the_data_is_a_numerical_error(name):
    built, _, y = problem(name, batch=1)
    y[..., 3, 3] = float("nan")
    with pytest.raises(NumericalError, match="diverged at step 1"):
        classical.tv(y, built.physics, 0.1)


def test_an_operator_above_norm_one_is_named_when_it_diverges():
    class Twice(ValidBlur):
        def A(self, x, **kwargs):
            return 3 * super().A(x)

        def A_adjoint(self, y, **kwargs):
            return 3 * super().A_adjoint(y)

    physics = Twice(gaussian(1.0, 5), (16, 16))
    with pytest.raises(NumericalError, match="norm of the operator above 1"):
        classical.proximal_gradient(random(1, 1, 16, 16, dtype=torch.float32), physics, TotalVariation(), 0.01, 500, tolerance=0)


def test_a_missing_extra_names_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    built, _, y = problem("denoise", batch=1)
    with pytest.raises(ConfigError, match=r"sciml-workbench\[nonfree\].*non-commercial"):
        classical.bm3d(y, built.physics)


@pytest.mark.skipif(importlib.util.find_spec("bm3d") is None, reason="the extra nonfree is not installed")
def test_bm3d_denoises():
    built, truth, y = problem("denoise", (64, 64), batch=1)
    assert psnr_db(classical.bm3d(y, built.physics), truth) > psnr_db(y, truth) + 5


@pytest.mark.parametrize("method", [classical.wiener, classical.richardson_lucy])
@pytest.mark.parametrize("kernel_size", [1, 5, 13])
def test_deconvolutions_return_the_canvas_without_a_shift(method, kernel_size):
    kernel = gaussian(1.2, kernel_size)
    physics = ValidBlur(kernel, (40, 33))
    physics.noise_level = Noise(0.0)
    truth = blocks(*physics.canvas)
    found = method(physics.A(truth), physics)
    assert found.shape == truth.shape
    errors = {
        shift: float((found.roll(shift, (2, 3)) - truth)[..., 8:-8, 8:-8].square().mean())
        for shift in [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    }
    assert min(errors, key=lambda shift: errors[shift]) == (0, 0)


def test_tv_beats_filtered_backprojection_at_24_views_on_a_real_slice(need_data):
    need_data("ct_cranium")
    truth = real_pictures("imaging-ct", "test", 2, (128, 128))
    built = task("ct-sparse", (128, 128), views=24)
    y = built.measure(truth, generator(0))
    tv = mean_psnr(built, solve(METHODS["tv"], y, built.physics, 1.0), truth)
    assert tv > mean_psnr(built, classical.fbp(y, built.physics), truth) + 3


@pytest.mark.slow
def test_tv_beats_the_classical_deconvolutions_on_real_photographs(need_data):
    need_data("kodim23", "monarch", "barbara", "perched-osprey")
    built = task("deblur", (128, 128), sigma=0.02)
    scores = {}
    validation = real_pictures("imaging-photos", "validation", 2, built.canvas)
    truth = real_pictures("imaging-photos", "test", 7, built.canvas)[4:]
    measured = {id(x): built.measure(x, generator(seed)) for seed, x in enumerate((validation, truth))}
    for name in ("tv", "wiener", "richardson-lucy"):
        value = tune(METHODS[name], built, measured[id(validation)], validation).value
        scores[name] = mean_psnr(built, solve(METHODS[name], measured[id(truth)], built.physics, value), truth)
    assert scores["tv"] > scores["wiener"] + 0.3
    assert scores["tv"] > scores["richardson-lucy"] + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_denoising_figures_on_nine_photographs(need_data, seed):
    need_data(*PHOTOS)
    truth = real_pictures("imaging-photos", "test", 9, (256, 256))
    built = task("denoise", sigma=0.1)
    y = built.measure(truth, generator(seed))

    def quality(x):
        return [psnr(a[0], b[0], 1) for a, b in zip(built.picture(x).numpy(), truth.numpy(), strict=True)]

    # the oracle knows the truth of each picture and takes the best weight for it
    oracle = np.max([quality(classical.tv(y, built.physics, weight)) for weight in (0.06, 0.07, 0.075, 0.08, 0.09)], axis=0)
    assert float(np.mean(oracle)) == pytest.approx(27.9, abs=0.1)
    assert float(np.mean(quality(classical.non_local_means(y, built.physics)))) == pytest.approx(28.25, abs=0.1)
