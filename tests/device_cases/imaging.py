"""Tasks, operators, priors and classical solvers."""

from __future__ import annotations

import torch
from torch import Tensor

from device_cases import CASES, PICTURE, Computed, Device, Results, case, numbers
from sciml.imaging import fbp, task, tv, wavelet_l1
from sciml.imaging.operators.mri import MultiCoilMRI, cartesian_mri, coil_sensitivities
from sciml.imaging.operators.physics import Identity, Noise
from sciml.imaging.operators.tomography import ParallelBeam
from sciml.imaging.priors import TotalVariation
from sciml.imaging.solvers import classical
from sciml.imaging.solvers.tuning import METHODS, tune
from sciml.imaging.solvers.wavelets import WaveletSparsity
from sciml.proximal import LearnedProximalNetwork, reconstruct

SOLVERS = {
    "denoise": {"tv": tv, "non_local_means": classical.non_local_means},
    "deblur": {"tv": tv, "wiener": classical.wiener, "richardson_lucy": classical.richardson_lucy},
    "ct-sparse": {"fbp": fbp},
    "mri-cs": {"wavelet_l1": wavelet_l1, "zero_filled": classical.zero_filled},
    "inpaint": {"wavelet_l1": wavelet_l1},
}
LEARNED = {
    "denoise": ("photo-grey-explicit", "auto"),
    "deblur": ("photo-grey-explicit", "admm"),
    "ct-sparse": ("photo-grey-explicit", "auto"),
    "mri-cs": ("photo-grey", "auto"),
    "inpaint": ("photo-grey-explicit", "admm"),
}


def of_task(name: str) -> Computed:
    """Return the measurement of a task and what each solver makes of it."""

    def compute(device: Device) -> Results:
        built = task(name, size=(24, 24), device=str(device))
        picture = numbers(1, 1, *built.canvas).to(device)
        y = built.measure(picture, torch.Generator().manual_seed(2))
        network, solver = LEARNED[name]
        lpn = LearnedProximalNetwork.load(network).to(device)
        learned = reconstruct(y, built.physics, lpn, 0.02, iterations=2, solver=solver, allow_uncertified=True).image
        few = {"tv": {"iterations": 3}, "richardson_lucy": {"iterations": 3}, "wavelet_l1": {"iterations": 20}}
        return y, learned, *(solve(y, built.physics, **few.get(key, {})) for key, solve in SOLVERS[name].items())

    return compute


CASES.update({name: of_task(name) for name in SOLVERS})


@case
def several_coils(device: Device) -> Tensor:
    mask = cartesian_mri((24, 20), 3.0, 0.1, 0, device).mask
    physics = MultiCoilMRI(mask, coil_sensitivities((24, 20), 4).to(device))
    physics.noise_level = Noise(0.01)
    return tv(physics.A(PICTURE[..., :20].expand(1, 2, 24, 20).to(device)), physics, iterations=4)


@case
def operators_with_gradients(device: Device) -> Results:
    physics = ParallelBeam((24, 24), [0.0, 40.0, 90.0], device=device)
    x = PICTURE.clone().to(device).requires_grad_()
    y = physics(x)
    y.square().sum().backward()
    assert x.grad is not None
    return y, x.grad, physics.A_vjp(x, y)


@case
def priors(device: Device) -> Results:
    x = PICTURE.to(device)
    wavelets, variation = WaveletSparsity(), TotalVariation(iterations=20)
    return (
        *(found for prior in (wavelets, variation) for found in (prior.prox(x, 0.1), prior.value(x), prior.gradient(x))),
        classical.proximal_gradient(x, Identity(), variation, 0.1),
    )


@case
def a_parameter_is_tuned(device: Device) -> Tensor:
    built = task("deblur", size=(24, 24), device=str(device))
    truth = numbers(1, 1, *built.canvas).to(device)
    y = built.measure(truth, torch.Generator().manual_seed(2))
    return torch.tensor(tune(METHODS["wiener"], built, y, truth).value, device=device)
