"""Total variation with unknown boundary against an independent solver, and what must not change it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, inside, psnr, rng, sharp

from sciml.datasets.loaders import load_photo
from sciml.datasets.manifest import is_present, record
from sciml.deblurring.solvers.image import MaskedBlur, map_estimate, natural_weight, noise_unit, quasi_newton
from sciml.deblurring.solvers.tv import Canvas, differences, differences_adjoint, total_variation, weight_map
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, disk, gaussian, line
from sciml.imaging.priors import Certificate, TotalVariation
from sciml.imaging.solvers.admm import total_variation_admm
from sciml.runtime.errors import ConfigError, NumericalError, ShapeError

KERNEL = camera_shake(13, rng(2))


def objective(x: torch.Tensor, y: torch.Tensor, kernel: np.ndarray, weight: float) -> float:
    """F of a canvas image in float64, with the terms of the shared package."""
    x, y = x.double(), y.double()
    misfit = ValidBlur(kernel, tuple(y.shape[-2:]), torch.float64).A(x) - y
    return float(0.5 * misfit.square().sum() + weight * TotalVariation().value(x).sum())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_objective_is_that_of_an_independent_solver(channels):
    y, _ = blurred(KERNEL, 40, channels=channels)
    weight = natural_weight(KERNEL, 0.01)
    start = torch.nn.functional.pad(y, (6,) * 4, mode="replicate")
    other = total_variation_admm(y, ValidBlur(KERNEL, (40, 40)), weight, start, 250, 0.0)
    canvas = Canvas.of(y, KERNEL)
    found = canvas.crop(total_variation(canvas, weight, 200, 0.0).x)
    assert objective(found, y, KERNEL, weight) == pytest.approx(objective(other, y, KERNEL, weight), rel=1e-3)
    assert (inside(found, KERNEL) - inside(other, KERNEL)).square().mean().sqrt() < 2e-3


def test_the_objective_falls_late_and_60_steps_are_enough():
    y, _ = blurred(KERNEL, 48)
    canvas, weight = Canvas.of(y, KERNEL), natural_weight(KERNEL, 0.01)
    values = [float(total_variation(canvas, weight, steps, 0.0).objective) for steps in (30, 40, 60, 100, 300)]
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in pairwise(values))
    assert values[2] == pytest.approx(values[-1], rel=1e-3)


def test_what_it_reports_is_what_it_returns():
    y, _ = blurred(KERNEL, 48)
    canvas = Canvas.of(y, KERNEL)
    found = total_variation(canvas, 1e-3, 40)
    assert float(found.misfit) == pytest.approx(float(canvas.misfit(found.x)), rel=1e-4)
    steps = differences(found.x).square().sum((0, 2)).sqrt()[:, None] * weight_map(canvas)
    assert float(found.variation) == pytest.approx(float(steps.sum()), rel=1e-4)
    assert float(found.objective) == pytest.approx(0.5 * float(found.misfit) + 1e-3 * float(found.variation), rel=1e-5)


def test_the_blur_and_the_differences_are_those_of_their_names():
    x = sharp(60)
    kernel = np.zeros((5, 5))
    kernel[0, 1:3] = kernel[1, 1] = 1 / 3  # no symmetry: a flip would show
    canvas = Canvas.of(x[..., 2:-2, 2:-2].contiguous(), kernel)
    wide = torch.zeros(1, 1, *canvas.length, dtype=torch.float64)
    wide[..., :60, :60] = x
    np.testing.assert_allclose(canvas.picture(canvas.blurred(wide)), ValidBlur(kernel, (56, 56), torch.float64).A(x), atol=1e-12)
    p = torch.randn(2, 1, 1, 60, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float((differences(x) * p).sum()) == pytest.approx(float((x * differences_adjoint(p)).sum()), abs=1e-9)


@pytest.mark.parametrize("factor", [0.05, 255.0])
def test_scaling_picture_and_noise_scales_the_result(factor):
    y, _ = blurred(KERNEL, 48)
    one = map_estimate(y, KERNEL, "tv", sigma=0.01)
    other = map_estimate(factor * y, KERNEL, "tv", sigma=factor * 0.01)
    assert (other / factor - one).abs().max() < 1e-4


def test_flipping_picture_and_kernel_flips_the_result():
    # forward differences make the variation itself depend a little on the direction
    y, truth = blurred(KERNEL, 64)
    one = inside(map_estimate(y, KERNEL, "tv", sigma=0.01), KERNEL)
    other = inside(map_estimate(y.flip(-1), KERNEL[:, ::-1].copy(), "tv", sigma=0.01), KERNEL).flip(-1)
    assert abs(psnr(one, truth) - psnr(other, truth)) < 0.3
    transposed = inside(map_estimate(y.transpose(-1, -2).contiguous(), KERNEL.T.copy(), "tv", sigma=0.01), KERNEL)
    assert (one - transposed.transpose(-1, -2)).abs().max() < 1e-4


def test_masked_pixels_have_no_say_and_are_filled_in():
    y, truth = blurred(KERNEL, 64)
    mask = torch.ones(64, 64)
    mask[20:28, 30:36] = 0
    spoilt = y.clone()
    spoilt[..., 20:28, 30:36] = 1.0
    one, other = (map_estimate(each, KERNEL, "tv", sigma=0.01, mask=mask, start=None) for each in (y, spoilt))
    whole = map_estimate(y, KERNEL, "tv", sigma=0.01)
    assert (one - other).square().mean().sqrt() < 5e-3
    assert psnr(inside(one, KERNEL), truth) > psnr(inside(whole, KERNEL), truth) - 0.5
    assert psnr(inside(map_estimate(spoilt, KERNEL, "tv", sigma=0.01), KERNEL), truth) < psnr(inside(other, KERNEL), truth) - 2


def test_many_kernels_at_once_are_restored_as_one_by_one():
    y, _ = blurred(KERNEL, 48, channels=3)
    kernels = np.stack([KERNEL, KERNEL[::-1], line(9, 30, 13)])
    together = total_variation(Canvas.of(y, kernels), 1e-3, 30, 0.0)
    for index, kernel in enumerate(kernels):
        alone = total_variation(Canvas.of(y, kernel), 1e-3, 30, 0.0)
        torch.testing.assert_close(together.x[index], alone.x[0], atol=2e-5, rtol=0)
        assert float(together.objective[index]) == pytest.approx(float(alone.objective), rel=1e-4)


def test_an_invertible_blur_without_noise_is_undone():
    kernel = gaussian(0.6)
    y, truth = blurred(kernel, 64, sigma=0.0)
    assert psnr(inside(map_estimate(y, kernel, "tv", 1e-6), kernel), truth) > 45


def circular_variation(y: torch.Tensor, kernel: np.ndarray, weight: float) -> torch.Tensor:
    """The same minimisation with the picture taken as periodic: a canvas of its own size, all of which is seen."""
    size = (int(y.shape[-2]), int(y.shape[-1]))
    padded = torch.zeros(size)
    padded[: len(kernel), : len(kernel)] = torch.from_numpy(kernel)
    transfer = torch.fft.rfft2(padded.roll((-(len(kernel) // 2),) * 2, (0, 1)))[None, None]
    return total_variation(Canvas(y, transfer, torch.ones_like(y), y, size, size, 0), weight, 200).x


def test_the_valid_boundary_beats_a_circular_one_on_a_real_crop():
    if not is_present(record("casa-mila")):
        pytest.skip("the photograph is not fetched")
    light = load_photo("casa-mila", 8, grey=True, linear=True).array[104:250, 248:394]
    kernel = camera_shake(19, rng(2))
    x = torch.from_numpy(light)[None, None].double()
    blur = ValidBlur(kernel, (128, 128), torch.float64)
    y = blur.A(x)
    y = (y + 0.01 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).float()
    truth, weight = blur.crop(x).float(), natural_weight(kernel, 0.01)
    valid, circular = (
        [psnr(each(factor * weight), truth) for factor in (0.3, 1, 3, 10, 30, 100)]
        for each in (
            lambda w: inside(map_estimate(y, kernel, "tv", w), kernel),
            lambda w: circular_variation(y, kernel, w),
        )
    )
    assert valid[1] > circular[1] + 4
    assert max(valid) > max(circular) + 4


class Quadratic:
    """R = 1/2 ||x||^2 with everything in closed form."""

    def value(self, x):
        return 0.5 * x.square().sum((1, 2, 3))

    def gradient(self, x):
        return x

    def prox(self, v, weight):
        return v / (1 + weight)

    def certificate(self):
        return Certificate(0.0, 1.0, True, True, "a square")


def test_the_quasi_newton_solver_finds_the_minimiser_of_normal_equations():
    kernel, weight = gaussian(0.8), 0.05
    y, _ = blurred(kernel, 9)
    mask = (torch.rand(9, 9, generator=torch.Generator().manual_seed(1)) > 0.2).float()
    blur = MaskedBlur(kernel, y.double(), mask)
    units = torch.eye(np.prod(blur.canvas), dtype=torch.float64).reshape(-1, 1, *blur.canvas)
    columns = (mask * blur.A(units)).flatten(1)
    wanted = torch.linalg.solve(columns @ columns.T + weight * torch.eye(len(columns)), columns @ (mask * y).double().flatten())
    start = torch.zeros(1, 1, *blur.canvas, dtype=torch.float64)
    found = quasi_newton(y.double(), blur, Quadratic(), weight, start, 400, 0.0)
    torch.testing.assert_close(found.flatten(), wanted, atol=1e-5, rtol=0)
    by_prox = Quadratic()
    by_prox.certificate = lambda: Certificate(0.0, None, True, True, "its smoothness unknown")
    torch.testing.assert_close(map_estimate(y.double(), kernel, by_prox, weight, mask), found, atol=5e-3, rtol=0)


def test_the_natural_weight_is_that_of_the_noise_in_the_gradient():
    y = torch.randn(1, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    seen = inside(ValidBlur(KERNEL, (200, 200)).A_adjoint(0.02 * y), KERNEL)
    assert noise_unit(KERNEL, 0.02) == pytest.approx(float(seen[..., 6:-6, 6:-6].std()), rel=0.03)
    assert natural_weight(KERNEL, 0.02) < noise_unit(KERNEL, 0.02)


def test_equal_calls_give_equal_bytes():
    y, _ = blurred(disk(2.5), 48, channels=3)
    one, other = (map_estimate(y, disk(2.5), "tv", sigma=0.01).numpy().tobytes() for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"weight": 0.0}, ConfigError, "weight of a prior is above 0"),
        ({"weight": None}, ConfigError, "standard deviation, above 0"),
        ({"weight": None, "sigma": math.nan}, ConfigError, "standard deviation, above 0"),
        ({"prior": "nothing"}, ConfigError, "no prior is called"),
        ({"start": torch.zeros(1, 1, 48, 48)}, ShapeError, "start is an image on the canvas"),
        ({"kernel": np.ones((4, 4)) / 16}, ShapeError, "odd kernels"),
        ({"y": torch.zeros(2, 1, 48, 48)}, ShapeError, "one picture"),
        ({"y": torch.full((1, 1, 48, 48), math.nan)}, NumericalError, "NaN"),
    ],
)
def test_bad_input_is_told(change, error, message):
    y, _ = blurred(KERNEL, 48)
    given = {"y": y, "kernel": KERNEL, "weight": 1e-3} | change
    with pytest.raises(error, match=message):
        map_estimate(**given)
