"""Solvers with a known kernel: shrinkages against brute force, masks, invariances, and agreement with independent solvers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import data

from sciml.deblurring.solvers.peers import hyper_laplacian, richardson_lucy
from sciml.deblurring.solvers.splitting import masked_admm, shrink_count, shrink_magnitude_two_thirds, shrink_two_thirds
from sciml.formats.image import srgb_to_linear
from sciml.imaging.metrics import psnr
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake
from sciml.imaging.solvers.classical import tv
from sciml.runtime.errors import ConfigError, DataError, ShapeError

SIGMA = 0.01
SOLVERS = {"hyper-laplacian": (hyper_laplacian, 0.3), "lucy": (richardson_lucy, 0.05)}


def problem(size: int = 72, width: int = 13, sigma: float = SIGMA) -> tuple[torch.Tensor, torch.Tensor, ValidBlur]:
    """A real crop in linear light, its blurred and noisy picture, and the blur."""
    side = size + width - 1
    sharp = srgb_to_linear(data.camera()[100 : 100 + 2 * side, 170 : 170 + 2 * side] / 255.0)
    sharp = sharp.reshape(side, 2, side, 2).mean((1, 3))
    x = torch.from_numpy(sharp).double()[None, None]
    physics = ValidBlur(camera_shake(width, np.random.default_rng(3)), (size, size), torch.float64)
    noise = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x, physics.A(x) + sigma * noise, physics


def quality(estimate: torch.Tensor, x: torch.Tensor, physics: ValidBlur) -> float:
    return psnr(physics.crop(estimate)[0, 0].numpy(), physics.crop(x)[0, 0].numpy(), 1)


@pytest.mark.parametrize("t", [1e-3, 0.1, 1.0, 30.0])
def test_two_thirds_shrinkage_is_the_minimiser_that_brute_force_finds(t):
    jump = 2 * (2 * t / 3) ** 0.75
    v = torch.cat([torch.linspace(-6, 6, 61, dtype=torch.float64) * jump, torch.tensor([0.0, 1e6 * jump], dtype=torch.float64)])
    found = shrink_two_thirds(v, t)

    def cost(w: torch.Tensor) -> torch.Tensor:
        return (w - v[:, None]) ** 2 / 2 + t * w.abs() ** (2 / 3)

    grid = v[:, None] * torch.linspace(0, 1, 20001, dtype=torch.float64)
    assert (cost(found[:, None])[:, 0] <= cost(grid).amin(1) * (1 + 1e-12) + 1e-15).all()
    kept = found != 0
    # stationary: w - v + 2/3 t sign(w) |w|^(-1/3) = 0
    slope = found - v + 2 / 3 * t * found.sign() * found.abs().clamp(min=1e-300) ** (-1 / 3)
    torch.testing.assert_close(slope[kept], torch.zeros_like(slope[kept]), atol=1e-9 * float(v.abs().max()), rtol=0)
    assert kept.tolist() == (v.abs() > jump).tolist()
    torch.testing.assert_close(shrink_two_thirds(v, 0.0), v)


def test_two_thirds_shrinkage_in_single_precision_keeps_its_accuracy():
    v = torch.linspace(-50, 50, 1001)
    torch.testing.assert_close(shrink_two_thirds(v, 0.7), shrink_two_thirds(v.double(), 0.7).float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shrink", "phi"),
    [
        (shrink_magnitude_two_thirds, lambda r: r ** (2 / 3)),
        (shrink_count, lambda r: (r > 0).double()),
    ],
)
def test_joint_shrinkages_keep_the_direction_and_minimise_over_the_length(shrink, phi):
    v = torch.randn(2, 1, 3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for t in (0.1, 1.0):
        found = shrink(v, t)
        length, size = (part.square().sum((0, 2)).sqrt() for part in (found, v))
        torch.testing.assert_close(found * size[None, :, None], v * length[None, :, None])
        lengths = size[..., None] * torch.linspace(0, 1, 10001, dtype=torch.float64)
        best = ((lengths - size[..., None]) ** 2 / 2 + t * phi(lengths)).amin(-1)
        assert ((length - size) ** 2 / 2 + t * phi(length) <= best + 1e-12).all()


def test_hyper_laplacian_beats_no_prior_and_is_near_total_variation():
    x, y, physics = problem()
    sparse = quality(hyper_laplacian(y, physics, SIGMA, 0.15), x, physics)
    assert sparse > quality(hyper_laplacian(y, physics, SIGMA, 1e-4), x, physics) + 3
    assert sparse > psnr(y[0, 0].numpy(), physics.crop(x)[0, 0].numpy(), 1) + 3
    assert sparse > quality(tv(y, physics, 0.1 * SIGMA), x, physics) - 1


def test_weights_do_not_depend_on_the_grey_scale():
    _, y, physics = problem(40)
    solver, weight = SOLVERS["hyper-laplacian"]
    scaled = solver(7 * y, physics, 7 * SIGMA, weight)
    torch.testing.assert_close(scaled, 7 * solver(y, physics, SIGMA, weight), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SOLVERS)
def test_masked_pixels_do_not_matter_and_are_filled_from_their_neighbours(name):
    x, y, physics = problem(48)
    solver, weight = SOLVERS["hyper-laplacian"]
    mask = torch.ones_like(y)
    mask[..., 20:24, 20:24] = 0
    clipped = torch.where(mask > 0, y, 1.0)
    result = solver(clipped, physics, SIGMA, weight, mask)
    torch.testing.assert_close(solver(y, physics, SIGMA, weight, mask), result)
    assert quality(result, x, physics) > quality(solver(clipped, physics, SIGMA, weight), x, physics) + 1


def test_richardson_lucy_keeps_sign_and_flux_and_lowers_the_poisson_deviance():
    _, y, physics = problem(48)
    mask = torch.ones_like(y)
    mask[..., 5:9, 30:40] = 0
    light = y.clamp(min=0)
    deviances = []
    for updates in (1, 2, 3, 5, 8, 13, 21, 34):
        x = richardson_lucy(y, physics, SIGMA, 1 / updates, mask)
        blurred = physics.A(x)
        assert float(x.min()) >= 0
        assert float((mask * blurred).sum()) == pytest.approx(float((mask * light).sum()), rel=1e-4)
        deviances.append(float((mask * (torch.special.xlogy(light, light / blurred) - light + blurred)).sum()))
    assert all(after < before for before, after in pairwise(deviances))


def test_richardson_lucy_leaves_a_constant_as_it_is_up_to_the_frame():
    _, y, physics = problem(40)
    constant = torch.full_like(y, 0.3)
    torch.testing.assert_close(richardson_lucy(constant, physics, SIGMA, 0.02), torch.full(physics.canvas, 0.3).to(y)[None, None])


def test_colour_channels_share_their_edges_but_not_their_masks():
    _, y, physics = problem(40)
    y = torch.cat([y, 0.5 * y, 1 - y], 1)
    y[:, 1, 10, 10] = 0.99
    mask = (y < 0.98).to(y)
    for solver, weight in SOLVERS.values():
        x = solver(y, physics, SIGMA, weight, mask)
        assert x.shape == (1, 3, *physics.canvas) and bool(x.isfinite().all())


@pytest.mark.parametrize("name", SOLVERS)
def test_bad_input_is_refused_in_words(name):
    _, y, physics = problem(40)
    solver, weight = SOLVERS["hyper-laplacian"]
    with pytest.raises(ConfigError, match="weight"):
        solver(y, physics, SIGMA, 0.0)
    with pytest.raises(ShapeError, match="pictures of"):
        solver(y[..., 1:], physics, SIGMA, weight)
    with pytest.raises(ShapeError, match="mask"):
        solver(y, physics, SIGMA, weight, torch.ones(3, 3))
    with pytest.raises(DataError, match="finite"):
        solver(torch.where(y == y.max(), torch.nan, y), physics, SIGMA, weight)


def test_sigma_must_be_above_zero():
    _, y, physics = problem(40)
    for sigma in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="sigma"):
            masked_admm(y, physics, sigma, 0.1, shrink_magnitude_two_thirds)
