"""Reconstruction: known minimisers, the denoiser as a special case, certificates and bad inputs."""

from __future__ import annotations

import math

import pytest
import torch
from deepinv.physics import MRI, Physics
from reconstruction_problems import Gaussian, Matrix, WrongAdjoint, implicit, matrix, normal

from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import gaussian
from sciml.imaging.operators.mri import cartesian_mask
from sciml.imaging.operators.physics import Identity, Inpainting, Noise, random_inpainting
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.proximal.reconstruction import variational
from sciml.proximal.reconstruction.operators import adjoint_gap, inspect_operator, norm_squared, normal_spectrum
from sciml.proximal.reconstruction.reconstruct import reconstruct
from sciml.runtime.errors import ConfigError, DataError, NumericalError, ScimlError, ShapeError


def images(batch: int = 1, size: tuple[int, int] = (24, 24), channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Return smooth blobs with an edge."""
    rows = torch.linspace(0, 1, size[0], dtype=torch.float64)[:, None]
    columns = torch.linspace(0, 1, size[1], dtype=torch.float64)
    x = 0.4 + 0.3 * torch.sin(5 * rows) * torch.cos(4 * columns) + 0.2 * (columns > 0.6)
    return x.expand(batch, channels, *size) + 0.02 * normal(batch, channels, *size, seed=seed)


def blur(size: tuple[int, int] = (24, 24)) -> ValidBlur:
    physics = ValidBlur(gaussian(1.0, 5), size, dtype=torch.float64)
    physics.noise_level = Noise(0.03)  # pyright: ignore[reportArgumentType]
    return physics


def measured(physics, x: torch.Tensor, noise: float = 0.03) -> torch.Tensor:
    clean = physics.A(x)
    return clean + noise * normal(*clean.shape, seed=9)


def test_with_the_identity_it_is_the_denoiser():
    physics, network = Identity(img_size=(1, 16, 16)), implicit()
    y = images(2, (16, 16)) + 0.1 * normal(2, 1, 16, 16, seed=4)
    levels = torch.tensor([0.1, 0.05], dtype=torch.float64)
    result = reconstruct(y, physics, network, levels, tolerance=1e-10, iterations=2000)
    torch.testing.assert_close(result.image, network(y, levels), rtol=0, atol=1e-8)
    assert result.certificate.certified
    assert "global minimiser" in result.certificate.reason
    assert result.weight.tolist() == [1.0, 1.0]
    # the bound on the distance holds against a more exact solution
    rough = reconstruct(y, physics, network, levels, tolerance=1e-3)
    distance = (rough.image - result.image).flatten(1).norm(dim=1).max()
    bound = rough.certificate.numbers["distance_bound"]
    assert bound is not None
    assert float(distance) <= bound + 1e-8


def test_it_finds_what_long_gradient_descent_finds():
    # a matrix close to the identity: F is strongly convex and the minimiser unique
    physics = Matrix(0.2 * matrix(64) + torch.eye(64, dtype=torch.float64))
    network, y = implicit(), measured(physics, images(1, (8, 8)), 0.1)
    result = reconstruct(y, physics, network, 0.1, weight=0.4, tolerance=1e-9, iterations=3000)
    assert result.converged
    at, x = network.at(result.sigma, y), physics.A_adjoint(y)
    with torch.no_grad():
        step = 1 / (result.operator_norm**2 + float(result.weight * at.smoothness))
        for _ in range(2500):
            x = x - step * (physics.A_adjoint(physics.A(x) - y) + result.weight * at.gradient(x))
    torch.testing.assert_close(result.image, x, rtol=0, atol=1e-6)
    c = math.sqrt(float(physics.matrix.square().sum()) / 64)
    assert float(result.sigma) == pytest.approx(0.1 / c, rel=0.05)
    assert float(result.weight) == pytest.approx(0.4 * c**2, rel=0.1)


def test_the_preconditioner_never_changes_the_minimiser(monkeypatch):
    physics, network = blur((14, 14)), implicit()
    y = measured(physics, images(1, physics.canvas))
    found = [reconstruct(y, physics, network, tolerance=1e-9, iterations=3000)]
    # wildly wrong spectra: too small, too large
    for spectrum in (1e-3, 30.0):
        monkeypatch.setattr(variational, "normal_spectrum", lambda p, x, s=spectrum: torch.full_like(x[:1, :1], s))
        found.append(reconstruct(y, physics, network, tolerance=1e-9, iterations=6000))
    for one in found:
        assert one.converged
        values = torch.stack(one.objective)
        assert float((values[1:] - values[:-1]).max()) <= 1e-12 * float(values.max())
        torch.testing.assert_close(one.image, found[0].image, rtol=0, atol=1e-5)


def test_a_batch_is_its_images_and_a_trace_is_kept():
    physics, network, calls = blur(), implicit(), []
    y = measured(physics, images(3, physics.canvas))
    together = reconstruct(
        y, physics, network, tolerance=1e-7, iterations=2000, on_iteration=lambda n, x, f: calls.append((n, float(f[0])))
    )
    alone = reconstruct(y[1:2], physics, network, tolerance=1e-7, iterations=2000)
    torch.testing.assert_close(together.image[1:2], alone.image, rtol=0, atol=1e-4)
    assert together.image.shape[-2:] == physics.canvas
    assert len(together.objective) == len(calls) == together.iterations + 1 == len(together.changes) + 1
    assert calls[-1][1] == float(together.objective[-1][0])


@pytest.mark.parametrize("kind", ["mri", "tomography", "inpainting"])
def test_other_physics_converge_with_a_certificate(kind):
    network, size = implicit(), (24, 24)
    if kind == "mri":
        mask = torch.from_numpy(cartesian_mask(size, 2.0, 0.2, 1)).double()
        physics, channels = MRI(mask=mask.expand(1, 2, *size).clone(), img_size=(2, *size)), 2
    elif kind == "tomography":
        physics, channels = ParallelBeam(size, [15.0 * k for k in range(12)], dtype=torch.float64), 1
    else:
        physics, channels = Inpainting(random_inpainting(size, 0.6, 1).mask[0].double()), 1
    y = measured(physics, images(1, size, channels), 0.02)
    result = reconstruct(y, physics, network, 0.02, tolerance=1e-5, iterations=2000)
    assert result.certificate.certified, result.certificate.reason
    assert result.image.shape == (1, channels, *size)


def test_the_noise_of_the_physics_is_the_default():
    physics, network = blur(), implicit()
    y = measured(physics, images(1, physics.canvas))
    assert torch.equal(reconstruct(y, physics, network).image, reconstruct(y, physics, network, 0.03).image)


def test_an_unfinished_or_unbounded_run_is_not_certified():
    physics = blur()
    y = measured(physics, images(1, physics.canvas))
    short = reconstruct(y, physics, implicit(), iterations=3)
    assert not short.certificate.certified
    assert "relative residual" in short.certificate.reason
    physics = Matrix(matrix())
    unbounded = reconstruct(physics.A(images(1, (8, 8))), physics, Gaussian(bounded=False))
    assert not unbounded.certificate.certified
    assert "3.49" in unbounded.certificate.reason


class Squares(Physics):
    """A nonlinear physics."""

    def A(self, x, **kwargs):
        return x.square()

    def A_vjp(self, x, v):
        return 2 * x * v


def test_a_nonlinear_physics_runs_without_certificate():
    x = 0.5 + 0.1 * normal(1, 1, 8, 8)
    result = reconstruct(x.square(), Squares(), Gaussian(), 0.001, step=0.1, start=torch.full_like(x, 0.5), sigma=0.1)
    assert "nonlinear" in result.certificate.reason
    assert not result.certificate.certified
    torch.testing.assert_close(result.image, x, rtol=0, atol=0.02)


def test_operator_facts_match_dense_algebra():
    physics = Matrix(matrix())
    like = images(1, (8, 8))
    exact = float(torch.linalg.matrix_norm(physics.matrix, 2)) ** 2
    assert exact <= norm_squared(physics, like) <= 1.03 * exact
    assert adjoint_gap(physics, like) < 1e-13
    assert adjoint_gap(WrongAdjoint(matrix()), like) > 1e-3
    facts = inspect_operator(blur((32, 32)), images(1, (36, 36)))
    assert 0.98 <= facts.norm_squared <= 1.021


def test_the_spectrum_is_the_diagonal_in_the_cosine_basis():
    # a symmetric kernel far from the border: the diagonal of A^T A in the cosine basis is |k(w)|^2
    kernel = torch.as_tensor(gaussian(0.8, 5))
    physics = ValidBlur(gaussian(0.8, 5), (60, 60), dtype=torch.float64)
    spectrum = normal_spectrum(physics, torch.zeros(1, 1, *physics.canvas, dtype=torch.float64))[0, 0]
    lags = torch.arange(-2, 3, dtype=torch.float64)
    phases = torch.cos(torch.arange(64, dtype=torch.float64)[:, None] * math.pi / 64 * lags)
    exact = (phases @ kernel.double() @ phases.T).square()
    above = exact > 0.02 * float(kernel.square().sum())
    torch.testing.assert_close(spectrum[above], exact[above], rtol=0, atol=1e-12)
    assert float(spectrum.min()) > 0


def shaped(*shape: int) -> torch.Tensor:
    return torch.full(shape, 0.5, dtype=torch.float64)


@pytest.mark.parametrize(
    ("error", "words", "change"),
    [
        (ShapeError, "does not fit", {"y": shaped(1, 1, 1, 39)}),
        (ShapeError, "float", {"y": torch.ones(1, 1, 1, 40, dtype=torch.int16)}),
        (ShapeError, "not empty", {"y": torch.empty(0)}),
        (DataError, r"nan at index \(0, 0, 0, 7\)", {"y": shaped(1, 1, 1, 40).index_fill(3, torch.tensor(7), math.nan)}),
        (ConfigError, "noise_std", {"noise_std": -0.1}),
        (ConfigError, "noise_std", {"noise_std": [0.1, 0.2]}),
        (ConfigError, "weight", {"weight": 0.0}),
        (ConfigError, "weight", {"weight": -1.0}),
        (ConfigError, "sigma", {"sigma": 0.0}),
        (ConfigError, "solver", {"solver": "fista"}),
        (ConfigError, "explicit form", {"solver": "variational"}),
        (ConfigError, "step", {"step": -1.0}),
        (ConfigError, "tolerance", {"tolerance": 0.0}),
        (ConfigError, "iteration", {"iterations": 0}),
        (ConfigError, "differ by", {"physics": WrongAdjoint(matrix())}),
        (ConfigError, "maps every image to zero", {"physics": Matrix(torch.zeros(40, 64, dtype=torch.float64))}),
        (ConfigError, "nonlinear", {"physics": Squares(), "start": shaped(1, 1, 1, 40), "step": None}),
        (DataError, "start of the reconstruction", {"physics": Matrix(matrix() * math.inf)}),
        (NumericalError, "NaN", {"physics": Matrix(matrix() * math.inf), "start": shaped(1, 1, 8, 8)}),
    ],
)
def test_bad_inputs_are_refused_in_one_line(error, words, change):
    settings = {"y": shaped(1, 1, 1, 40), "physics": Matrix(matrix()), "network": Gaussian(), "noise_std": 0.1} | change
    with pytest.raises(ScimlError, match=words) as caught:
        reconstruct(**settings)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, error)


def test_levels_far_from_training_and_no_noise_are_warned_of():
    physics, network = Matrix(matrix()), Gaussian()
    y = physics.A(images(1, (8, 8)))
    with pytest.warns(UserWarning, match="noise_std is 0"):
        assert reconstruct(y, physics, network, 0.0, iterations=60).image.isfinite().all()
    with pytest.warns(UserWarning, match="far from its training"):
        reconstruct(y, physics, network, 0.1, sigma=3.0, iterations=60)


def test_a_network_in_single_precision_serves_data_in_double():
    physics, network = blur(), implicit().float()
    y = measured(physics, images(1, physics.canvas))
    assert reconstruct(y, physics, network).image.dtype == torch.float64
    assert next(network.parameters()).dtype == torch.float32
