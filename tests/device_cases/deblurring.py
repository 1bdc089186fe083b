"""Blurs, image and kernel steps, untrained networks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from device_cases import PICTURE, Device, Results, case, draws, numbers
from sciml.deblurring import deblur
from sciml.deblurring.correction.completion import completions
from sciml.deblurring.correction.estimate import noise_std
from sciml.deblurring.correction.orientation import compare_orientations
from sciml.deblurring.dip.blur import CircularBlur
from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.dip.objective import simplex_projection
from sciml.deblurring.settings.structures import DipConfig, StopConfig
from sciml.deblurring.solvers.image import map_estimate
from sciml.deblurring.solvers.peers import hyper_laplacian, richardson_lucy
from sciml.deblurring.solvers.tiles import Place, in_tiles, once
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.deblurring.study.cells import circular
from sciml.imaging import gaussian
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import line

STOP = StopConfig(look_every=2, window=2)
FIT = DipConfig(network="tiny", iterations=4, start_iterations=2, ramp_iterations=2, stop=STOP)
KERNEL = line(5, 30)
SCENE = torch.nn.functional.avg_pool2d((numbers(1, 1, 40, 40) > 0.6).float(), 5, 1, 2) + 0.01 * numbers(1, 1, 40, 40, seed=2)


@case
def untrained_networks(device: Device) -> Results:
    start, y = torch.nn.functional.pad(PICTURE, (2, 2, 2, 2), mode="replicate").to(device), PICTURE.to(device)
    changes = ({"warm_start": "fit"}, {"fit": "huber", "mode": "both"}, {"mode": "official"})
    fits = [FIT.model_copy(update=change) for change in changes]
    return tuple(untrained(y, gaussian(1.0, 5), 0.02, fit, start, generator=draws(torch.device("cpu"))).image for fit in fits)


@case
def photograph_and_kernel(device: Device) -> Results:
    found = deblur(SCENE[0, 0].to(device), KERNEL, 0.01, error="both", spread=2)
    return found.image, found.canvas, torch.from_numpy(found.kernel).to(device)


@case
def saturated_photograph_with_networks(device: Device) -> Results:
    scene = (SCENE[0, 0] * 1.6).clamp(max=1).to(device)
    found = deblur(scene, KERNEL, 0.01, error="residual", prior="dip", dip=FIT, mask=scene < 0.98)
    return found.image, found.residual


@case
def learned_prior_of_an_image_step(device: Device) -> Results:
    y = SCENE.to(device)
    implicit = map_estimate(y, KERNEL, "lpn:photo-deblur", sigma=0.02)
    canvas = Canvas.of(y, KERNEL)
    left = canvas.misfit(total_variation(canvas, 0.01, 5).x)
    return implicit, circular(y, KERNEL, 0.01), left, torch.tensor(noise_std(y)).to(device)


@case
def peers(device: Device) -> Results:
    y, blur = SCENE.to(device), ValidBlur(KERNEL, (40, 40), torch.float32, device)
    mask = torch.ones_like(y)
    mask[..., 3:6, 3:6] = 0
    return hyper_laplacian(y, blur, 0.01, 0.3, mask, iterations=6), richardson_lucy(y, blur, 0.01, 0.25, mask)


@case
def kernels(device: Device) -> Results:
    y = SCENE.to(device)
    thinned = KERNEL * (np.arange(KERNEL.size).reshape(KERNEL.shape) % 3 > 0)
    fits = compare_orientations(y, KERNEL, 0.01)
    completed = completions(y, thinned / thinned.sum(), 0.01)
    return *(torch.from_numpy(kernel).to(device) for kernel in completed), torch.tensor([fit.misfit for fit in fits]).to(device)


@case
def parts_of_a_picture(device: Device) -> Results:
    y = numbers(1, 1, 80, 80).to(device)

    def part(rows: slice, columns: slice, _: Place) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(y[..., rows, columns], 3, 1, 1)

    with TemporaryDirectory() as folder:
        # computed, then read
        kept = [
            once(lambda: in_tiles((80, 80), 3, 0, part, 40, torch.zeros_like(y)), Path(folder), {}, {"y": y}) for _ in range(2)
        ]
    return kept[0], kept[1]


@case
def circular_blur(device: Device) -> Results:
    blur, kernel = CircularBlur(KERNEL, (24, 24), device=device), numbers(5, 5).to(device).requires_grad_()
    y = blur.with_kernel(PICTURE.to(device), kernel)
    y.square().sum().backward()
    assert kernel.grad is not None
    return y.detach(), kernel.grad, blur.A_adjoint(y.detach()), blur.crop(y.detach()), simplex_projection(kernel.detach())
