"""The image for a kernel that is taken as known, under any prior.

    x = argmin over x of  F(x) = 1/2 || M (A x - y) ||^2 + weight R(x),      A x = valid part of k * x

on the canvas, the picture enlarged by the kernel; M keeps the pixels that are trusted. Total variation has a solver of its own
(`sciml.deblurring.solvers.tv`), a prior with a bounded second derivative is minimised by a quasi-Newton method, any other by its
prox.

The natural weight is factor sigma |k|_2. The noise enters the gradient A^T (A x - y) with the standard deviation sigma |k|_2 at
every pixel, which is what the gradient of weight R has to balance: no part of it depends on the size of the picture. A picture
whose sharp image has gradients of the mean g tells more: if |D x| were drawn from an exponential law of that mean at every pixel,
the most likely image would be the minimiser of F at the weight sigma^2 / g. The best weights of total variation on training and
validation photographs (35 halved by means, 5 reduced by 8, sigma .01 and .02, kernels right or 8 degrees and 10 % off) lie about
in the middle between both, so that the weight of a picture is

    theta sqrt(sigma |k|_2 sigma^2 / g),      g = mean |D x| of a first restoration at the natural weight

but no less than the natural weight: .2 to .9 dB above that on the former, and within .03 of it on the latter. A learned prior
knows its noise level and weight itself (`sciml.imaging.priors.at_noise`): .2 to .7 dB above one level and factor for all pictures
on the former, and as good on the latter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from scipy import optimize
from torch import Tensor

from sciml.deblurring.kernels.canonical import together
from sciml.deblurring.solvers.tv import Canvas, total_variation
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.priors import Prior, at_noise, resolve, value_and_gradient
from sciml.imaging.solvers.classical import proximal_gradient
from sciml.runtime.errors import ConfigError, NumericalError, ShapeError

TV_FACTOR = 0.75
"""Natural weight of total variation over sigma |k|_2, near the best on validation photographs."""

Picture = Float[Tensor, "1 channel height width"]
CanvasImage = Float[Tensor, "1 channel rows columns"]
OnImage = Callable[[CanvasImage], None]
TV_STEPS, GRADIENTS, MEMORY, PROXES = 100, 80, 20, 150
# theta, and the largest weight in units of sigma |k|_2 at which it was measured; the natural one is the least
THETA, MOST_FACTOR = 0.45, 2.8
# g is that of parts of this size, so many along an axis; a picture no larger than them is one part
PART, PARTS, PART_STEPS = 128, 3, 40


def natural_weight(kernel: Kernel, sigma: float) -> float:
    """Return the natural weight of total variation, .75 sigma |k|_2.

    Args:
        kernel: sum 1.
        sigma: standard deviation of the noise in a pixel.
    """
    return TV_FACTOR * sigma * two_norm(kernel)


def noise_unit(kernel: Kernel, sigma: float) -> float:
    """Return sigma |k|_2, the unit of a prior's weight; see the module."""
    return sigma * two_norm(kernel)


def two_norm(kernel: Kernel) -> float:
    """Return |k|_2, the norm of a column of the blur."""
    return math.sqrt(float(np.sum(np.square(kernel))))


@torch.no_grad()
def picture_weight(y: Picture, kernel: Kernel, sigma: float, mask: Float[Tensor, "height width"] | None = None) -> float:
    """Return the weight of total variation that a picture asks for, theta sqrt(sigma |k|_2 sigma^2 / g).

    Args:
        y: picture in linear light.
        kernel: K x K, odd, sum 1.
        sigma: standard deviation of the noise in a pixel.
        mask: 1 where pixels are trusted; all by default.
    """
    side, gradients = max(PART, 4 * kernel.shape[0]), []
    for rows, columns in product(*(_parts(int(length), side) for length in y.shape[-2:])):
        part = y[..., rows, columns]
        canvas = Canvas.of(part, kernel, None if mask is None else mask[rows, columns])
        x = canvas.picture(total_variation(canvas, natural_weight(kernel, sigma), PART_STEPS).x)
        steps = x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]
        gradients.append(float(torch.hypot(*steps).mean()))
    unit, g = noise_unit(kernel, sigma), sum(gradients) / len(gradients)
    # ripples of a wrong kernel are gradients too, and would ask for less than the natural weight
    return min(max(THETA * math.sqrt(unit * sigma**2 / max(g, 1e-30)), natural_weight(kernel, sigma)), MOST_FACTOR * unit)


def _parts(length: int, side: int) -> list[slice]:
    """Return where the parts along an axis are from which the gradients of a picture are taken."""
    if length <= PARTS * side:
        return [slice(0, length)]
    return [slice(first, first + side) for first in (round(n * (length - side) / (PARTS - 1)) for n in range(PARTS))]


class MaskedBlur(ValidBlur):
    """A valid blur whose adjoint forgets what is not trusted: `A_adjoint(A(x) - y)` is the gradient of 1/2 || M (A x - y) ||^2.

    Args:
        kernel: odd, sum 1.
        y: the picture that it made, for size and type.
        mask: 1 where a pixel is trusted, (height, width); all by default.
    """

    def __init__(self, kernel: Kernel, y: Picture, mask: Float[Tensor, "height width"] | None = None) -> None:
        super().__init__(kernel, (int(y.shape[-2]), int(y.shape[-1])), y.dtype, y.device)
        self.mask = None if mask is None else mask.to(y)

    def A_adjoint(self, y: Picture, **kwargs: object) -> CanvasImage:
        """Return A^T M y."""
        return super().A_adjoint(y if self.mask is None else self.mask * y)

    def misfit(self, x: CanvasImage, y: Picture) -> Picture:
        """Return M (A x - y)."""
        residual = self.A(x) - y
        return residual if self.mask is None else self.mask * residual


@torch.no_grad()
def map_estimate(
    y: Picture,
    kernel: Kernel,
    prior: str | Prior = "tv",
    weight: float | None = None,
    mask: Float[Tensor, "height width"] | None = None,
    start: CanvasImage | None = None,
    sigma: float | None = None,
    on_image: OnImage | None = None,
) -> CanvasImage:
    """Return argmin_x F(x), an image on the canvas (height + K - 1, width + K - 1).

    Args:
        y: picture in linear light.
        kernel: K x K, odd, sum 1.
        prior: `tv`, a name of `sciml.imaging.priors.resolve` such as `lpn:photo-deblur`, or a prior itself.
        weight: above 0; by default that of the prior for `sigma`, see `sciml.imaging.priors.at_noise`.
        mask: 1 where pixels are trusted; all by default.
        start: first guess on the canvas; the picture continued by its edges by default.
        sigma: standard deviation of the noise; needed where there is no weight.
        on_image: called with the image of each step by the quasi-Newton and the prox solver.

    Raises:
        ConfigError: neither a weight above 0 nor a sigma above 0, or an unknown prior.
        ShapeError: the start is not of the canvas' size.
        NumericalError: the iterates are not finite.
    """
    if prior != "tv":
        prior = resolve(prior) if isinstance(prior, str) else prior
    if weight is None:
        if sigma is None or not 0 < sigma < math.inf:
            raise ConfigError(f"without a weight the noise's standard deviation, above 0, is needed, got {sigma}")
        prior, weight = (prior, natural_weight(kernel, sigma)) if prior == "tv" else at_noise(prior, sigma, two_norm(kernel))
    if not 0 < weight < math.inf:
        raise ConfigError(f"the weight of a prior is above 0, got {weight}")
    margin = kernel.shape[0] // 2
    canvas = (y.shape[-2] + 2 * margin, y.shape[-1] + 2 * margin)
    if start is not None and tuple(start.shape) != (1, y.shape[1], *canvas):
        raise ShapeError(f"the start is an image on the canvas {(1, y.shape[1], *canvas)}, got shape {tuple(start.shape)}")
    if prior == "tv":
        return _by_total_variation(y, kernel, weight, mask, start)
    blur = MaskedBlur(kernel, y, mask)
    if prior.certificate().smoothness is not None:
        guess = torch.nn.functional.pad(y, (margin,) * 4, mode="replicate") if start is None else start
        return quasi_newton(y, blur, prior, weight, guess, on_image=on_image)
    report = None if on_image is None else (lambda _, x: on_image(x))
    return proximal_gradient(y, blur, prior, weight, PROXES, on_iteration=report)


def residual(x: CanvasImage, kernel: Kernel, given: Kernel, y: Picture) -> Picture:
    """Return r = (k - k^) * x of an image on the canvas of k: what a given kernel k^ leaves unexplained of the picture y."""
    pair = together(kernel, given)
    grown = (len(pair[0]) - len(kernel)) // 2
    wide = torch.nn.functional.pad(x, (grown,) * 4, mode="replicate")
    new, old = (MaskedBlur(each, y).A(wide) for each in pair)
    return new - old


def _by_total_variation(y: Picture, kernel: Kernel, weight: float, mask: Tensor | None, start: CanvasImage | None) -> CanvasImage:
    canvas = Canvas.of(y, kernel, mask)
    if start is not None:
        beyond = [whole - part for whole, part in zip(canvas.length, canvas.canvas, strict=True)]
        start = torch.nn.functional.pad(start, (0, beyond[1], 0, beyond[0]), mode="replicate")
    return canvas.crop(total_variation(canvas, weight, TV_STEPS, start=start).x).contiguous()


def quasi_newton(
    y: Picture,
    blur: MaskedBlur,
    prior: Prior,
    weight: float,
    start: CanvasImage,
    gradients: int = GRADIENTS,
    tolerance: float = 2e-5,
    on_image: OnImage | None = None,
) -> CanvasImage:
    """Return a minimiser of F by limited-memory BFGS (Liu and Nocedal, Math. Program. 1989).

    Of the prior only `value` and `gradient` are used: one of each a step, where a prox is a problem of its own. Whitening the
    unknowns by the blur's spectrum was tried and did not save steps.

    Args:
        y: picture.
        blur: with its mask.
        prior: R, differentiable.
        weight: of R.
        start: on the canvas.
        gradients: at most about this many evaluations of F.
        tolerance: stop where a step lowers F relatively by less.
        on_image: called with each iterate.

    Raises:
        NumericalError: F is not finite at the start.
    """
    place = start.shape

    def image(vector: np.ndarray) -> CanvasImage:
        return torch.from_numpy(vector.reshape(place)).to(start)

    def objective(vector: np.ndarray) -> tuple[float, np.ndarray]:
        x = image(vector)
        misfit = blur.misfit(x, y)
        roughness, slope = value_and_gradient(prior, x)
        value = 0.5 * float(misfit.double().square().sum()) + weight * float(roughness.double().sum())
        slope = blur.A_adjoint(misfit) + weight * slope
        return value, slope.double().cpu().numpy().ravel()

    first = start.double().cpu().numpy().ravel()
    if not math.isfinite(objective(first)[0]):
        raise NumericalError("the objective is not finite at the start: does the picture hold NaN, or values far from [0, 1]?")
    report = None if on_image is None else (lambda vector: on_image(image(np.array(vector))))
    options = {"maxfun": gradients, "maxiter": gradients, "maxcor": MEMORY, "ftol": tolerance, "gtol": 1e-9}
    found = optimize.minimize(objective, first, jac=True, method="L-BFGS-B", callback=report, options=options)
    return image(np.array(found.x))
