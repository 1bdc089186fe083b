"""Operators of this package and of deepinv: the same numbers, each usable in the place of the other."""

from __future__ import annotations

import deepinv.physics as theirs
import torch

from sciml.imaging.operators.linear import LinearPhysics, Physics, as_deepinv
from sciml.imaging.operators.mri import MRI, cartesian_mask
from sciml.imaging.operators.physics import Inpainting, Noise, is_inpainting, noise_of
from sciml.imaging.solvers.classical import tv
from sciml.imaging.tasks.task import TASKS, task


def test_masks_and_mri_equal_deepinvs_to_the_bit():
    generator = torch.Generator().manual_seed(0)
    for size in ((48, 40), (33, 31)):
        pixels = (torch.rand(1, *size, generator=generator) < 0.5).float()
        rows = torch.from_numpy(cartesian_mask(size, 4.0, 0.08, 3)).expand(1, 2, *size).clone()
        pairs = ((theirs.Inpainting((1, *size), pixels), Inpainting(pixels)), (theirs.MRI(rows), MRI(rows)))
        for channels, (other, own) in enumerate(pairs, start=1):
            x = torch.randn(3, channels, *size, generator=generator)
            assert torch.equal(own.A(x), other.A(x)) and torch.equal(own.A_adjoint(x), other.A_adjoint(x))


def test_every_task_runs_in_deepinvs_algorithms():
    for name in TASKS:
        built = task(name, (32, 32))
        x = built.physics.A_adjoint(built.measure(torch.rand(1, 1, *built.canvas), torch.Generator().manual_seed(0)))
        handed = as_deepinv(built.physics)
        assert isinstance(handed, theirs.LinearPhysics) and isinstance(noise_of(built.physics), Noise)
        torch.testing.assert_close(handed.A_adjoint_A(x), built.physics.A_adjoint(built.physics(x)))


def test_what_a_physics_can_do_says_which_it_is():
    class Squares(theirs.Physics):
        def A(self, x, **kwargs):
            return x**2

    assert isinstance(Squares(), Physics) and not isinstance(Squares(), LinearPhysics)
    mask = (torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.6).float()
    own, other = Inpainting(mask), theirs.Inpainting((1, 16, 16), mask)
    assert isinstance(own, LinearPhysics) and isinstance(other, LinearPhysics)
    assert is_inpainting(own) and is_inpainting(other) and not is_inpainting(MRI(mask[None].expand(1, 2, 16, 16)))
    y = own.A(torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(2)))
    assert torch.equal(tv(y, other, 0.05, iterations=5), tv(y, own, 0.05, iterations=5))
