"""Any linear physics of deepinv, in any units: certified, and the same result whatever the scale of A, y and the picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from deepinv.physics import (
    Blur,
    Denoising,
    Downsampling,
    Inpainting,
    LinearPhysics,
    MultiCoilMRI,
    SinglePixelCamera,
    Tomography,
    stack,
)
from deepinv.utils import TensorList
from reconstruction_problems import implicit, normal

from sciml.proximal.reconstruction.reconstruct import Reconstruction, reconstruct
from sciml.runtime.errors import ConfigError, ShapeError

SIDE, NOISE = 16, 0.02
SIZE: Any = (1, SIDE, SIDE)


def picture() -> torch.Tensor:
    rows, columns = torch.linspace(0, 1, SIDE, dtype=torch.float64)[:, None], torch.linspace(0, 1, SIDE, dtype=torch.float64)
    return (0.4 + 0.3 * torch.sin(5 * rows) * torch.cos(4 * columns) + 0.2 * (columns > 0.6))[None, None]


def mask(share: float) -> torch.Tensor:
    return (torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(3), dtype=torch.float64) < share).double()


def low_pass() -> LinearPhysics:
    """A diagonal operator in the Fourier domain."""
    across, along = torch.fft.fftfreq(SIDE, dtype=torch.float64), torch.fft.rfftfreq(SIDE, dtype=torch.float64)
    gain = torch.exp(-20 * (across[:, None].square() + along.square()))

    def apply(x: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.fft.irfft2(torch.fft.rfft2(x) * gain, s=(SIDE, SIDE))

    return LinearPhysics(A=apply, A_adjoint=apply)


def dense() -> LinearPhysics:
    """A pair of functions of a user's own: a random matrix."""
    matrix = normal(SIDE * SIDE // 2, SIDE * SIDE) / SIDE
    return LinearPhysics(
        A=lambda x, **_: (x.flatten(1) @ matrix.T)[:, None, None],
        A_adjoint=lambda y, **_: (y.flatten(1) @ matrix).reshape(-1, 1, SIDE, SIDE),
    )


def coils() -> MultiCoilMRI:
    at = torch.linspace(-1, 1, SIDE, dtype=torch.float64)
    maps = [torch.exp(-((at[:, None] - row).square() + (at - column).square()) / 2) for row in (-1, 1) for column in (-1, 1)]
    lines = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    lines[:, :, ::2] = lines[:, :, 6:10] = 1
    return MultiCoilMRI(mask=lines, coil_maps=torch.stack(maps)[None].to(torch.complex128), img_size=(2, SIDE, SIDE))


def tomography(fan_beam: bool) -> LinearPhysics:
    return Tomography(angles=30, img_width=SIDE, fan_beam=fan_beam, normalize=True)


FILTER = torch.ones(1, 1, 5, 5, dtype=torch.float64) / 25
OPERATORS: dict[str, Callable[[], Any]] = {
    "dense": dense,
    "inpainting": lambda: Inpainting(img_size=SIZE, mask=mask(0.6)),
    **{
        f"blur-{padding}": lambda padding=padding: Blur(filter=FILTER, padding=padding)
        for padding in ("valid", "circular", "replicate", "reflect", "constant")
    },
    "super-resolution": lambda: Downsampling(img_size=SIZE, factor=2, filter=FILTER),
    "single-pixel": lambda: SinglePixelCamera(
        m=SIDE * SIDE // 2, img_size=SIZE, fast=True, rng=torch.Generator().manual_seed(0), dtype=torch.float64
    ),
    "parallel-beam": lambda: tomography(False),
    "fan-beam": lambda: tomography(True),
    "coils": coils,
    "low-pass": low_pass,
    "stack": lambda: stack(low_pass(), Inpainting(img_size=SIZE, mask=mask(0.5))),
    "denoising": Denoising,
}


def solved(physics: LinearPhysics, scale: float, name: str) -> tuple[Reconstruction, LinearPhysics, Any]:
    times = LinearPhysics(
        A=lambda x, **_: scale * physics.A(x), A_adjoint=lambda y, **_: scale * physics.A_adjoint(y)
    )  # an operator whose class says nothing
    single = name in ("parallel-beam", "fan-beam")
    x = picture().float() if single else picture()
    clean = times.A(torch.cat([x, 0 * x], 1) if name == "coils" else x)
    parts: Any = clean if isinstance(clean, TensorList) else [clean]
    noisy = [part + scale * NOISE * normal(*part.shape, seed=4 + i).to(part) for i, part in enumerate(parts)]
    y: Any = TensorList(noisy) if isinstance(clean, TensorList) else noisy[0]
    network = implicit().float() if single else implicit()
    return reconstruct(y, times, network, scale * NOISE), times, y


@pytest.mark.parametrize("name", OPERATORS)
def test_any_operator_is_certified_whatever_its_scale(name):
    physics, network = OPERATORS[name](), implicit()
    found, times, y = solved(physics, 1.0, name)
    assert found.certificate.certified, found.certificate.reason
    # the objective of the user's own operator, evaluated apart
    left = [made - part for made, part in zip(_parts(times.A(found.image)), _parts(y), strict=True)]
    data = sum(0.5 * float(part.square().sum()) for part in left)
    prior = float(network.at(found.sigma.double(), found.image.double()).value(found.image.double())[0].detach())
    assert float(found.objective[-1]) == pytest.approx(data + float(found.weight) * prior, rel=1e-5)
    exact = found.image.dtype == torch.float64
    for scale in (5.0, 1e-3):
        other = solved(physics, scale, name)[0]
        assert other.certificate.certified, other.certificate.reason
        torch.testing.assert_close(other.image, found.image, rtol=0, atol=1e-6 if exact else 1e-4)
        assert float(other.objective[-1]) == pytest.approx(scale**2 * float(found.objective[-1]), rel=1e-6 if exact else 1e-4)
        assert other.operator_norm == pytest.approx(scale * found.operator_norm, rel=1e-4)


def _parts(y):
    return [y] if isinstance(y, torch.Tensor) else list(y)


@pytest.mark.parametrize("solver", ["variational", "pgd"])
def test_the_units_of_the_picture_are_named_and_change_nothing(solver):
    physics, network = dense(), implicit()
    x = picture()
    y = physics.A(x) + NOISE * normal(1, 1, 1, SIDE * SIDE // 2, seed=5)
    plain = reconstruct(y, physics, network, NOISE, solver=solver, tolerance=1e-3)
    # x' = -20 + 255 x on the scale from -20 to 235
    shifted = 255 * y + physics.A(torch.full_like(x, -20.0))
    other = reconstruct(shifted, physics, network, 255 * NOISE, solver=solver, tolerance=1e-3, data_range=(-20.0, 235.0))
    torch.testing.assert_close((other.image + 20) / 255, plain.image, rtol=0, atol=1e-6)
    assert float(other.objective[-1]) == pytest.approx(255**2 * float(plain.objective[-1]), rel=1e-6)
    left = physics.A(other.image) - shifted
    value = network.at(plain.sigma, plain.image).value(plain.image).detach()
    assert float(other.objective[-1]) == pytest.approx(float(0.5 * left.square().sum() + other.weight * value), rel=1e-6)
    assert other.certificate.certified == plain.certificate.certified
    with pytest.raises(ConfigError, match="data_range"):
        reconstruct(y, physics, network, NOISE, data_range=(1.0, 1.0))


def test_other_units_without_a_word_are_warned_of_and_arrays_of_numpy_are_named():
    physics, network = Denoising(), implicit()
    with pytest.warns(UserWarning, match="data_range"):
        reconstruct(255 * picture(), physics, network, 25.0, sigma=0.1, iterations=2)
    with pytest.raises(ShapeError, match="from_numpy"):
        reconstruct(picture().numpy(), physics, network, 0.1)  # pyright: ignore[reportArgumentType]


def test_a_run_without_limit_goes_on_by_guarded_steps_where_it_halts(monkeypatch):
    from sciml.proximal.optimise import minimize

    physics, network = dense(), implicit()
    y = physics.A(picture()) + NOISE * normal(1, 1, 1, SIDE * SIDE // 2, seed=5)
    monkeypatch.setattr(minimize, "PATIENCE", 3)
    monkeypatch.setattr(minimize, "PROGRESS", math.inf)
    found = reconstruct(y, physics, network, NOISE)
    assert found.certificate.certified, found.certificate.reason
    values = torch.stack(found.objective)
    assert len(values) > 4
    allowed = found.certificate.numbers["allowed_rise"]
    assert allowed is not None
    assert float((values[1:] - values[:-1]).max()) <= allowed
