"""MR operators: adjoints, norms, and what several coils add."""

from __future__ import annotations

import pytest
import torch

from sciml.imaging.operators.mri import MRI, MultiCoilMRI, cartesian_mask, cartesian_mri, coil_sensitivities
from sciml.runtime.errors import ConfigError, ShapeError

SIZE = (24, 20)


def coils(acceleration: float, number: int) -> MultiCoilMRI:
    mask = torch.from_numpy(cartesian_mask(SIZE, acceleration, 0.1, 0)).expand(1, 2, *SIZE).double()
    return MultiCoilMRI(mask, coil_sensitivities(SIZE, number).to(torch.complex128))


def test_the_adjoint_and_the_norm_of_several_coils():
    generator = torch.Generator().manual_seed(0)
    physics = coils(3.0, 5)
    x, y = (torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((2, 2, *SIZE), (2, 2, 5, *SIZE)))
    assert torch.allclose((physics.A(x) * y).sum(), (x * physics.A_adjoint(y)).sum(), rtol=1e-12)
    for _ in range(60):
        x = physics.A_adjoint(physics.A(x / x.norm()))
    assert 0.5 < float(x.norm()) <= 1 + 1e-9


def test_one_coil_is_a_single_coil_but_for_its_phase_and_all_of_k_space_gives_the_image_back():
    x = torch.randn(1, 2, *SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    single = cartesian_mri(SIZE, 4.0, 0.1, 0)
    one = MultiCoilMRI(single.mask.double(), torch.ones(1, *SIZE, dtype=torch.complex128))
    assert torch.allclose(one.A(x)[:, :, 0], MRI(single.mask.double()).A(x), atol=1e-12)
    full = coils(1.0, 6)
    assert torch.allclose(full.A_adjoint(full.A(x)), x, atol=1e-12)


def test_sensitivities_that_do_not_fit_are_refused():
    mask = torch.ones(1, 2, *SIZE)
    with pytest.raises(ShapeError, match=r"expected \(coils, 24, 20\)"):
        MultiCoilMRI(mask, coil_sensitivities((20, 24), 2))
    with pytest.raises(ConfigError, match="seen by no coil"):
        MultiCoilMRI(mask, torch.zeros(2, *SIZE, dtype=torch.complex64))
