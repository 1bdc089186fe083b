"""A blurred picture and a roughly known kernel in, a sharp picture out, with what was done and how far to trust it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sciml.deblurring.correction.kernel_step import KernelStep
from sciml.deblurring.correction.sensitivity import CALIBRATION, KERNEL_ERROR
from sciml.deblurring.files.picture import Array, read_picture
from sciml.deblurring.kernels.canonical import Canonical, canonicalise, read_kernel
from sciml.deblurring.kernels.shake import Shake, is_shake, read_shake
from sciml.deblurring.restoration.steps import Curves, OnProgress, Restoration
from sciml.deblurring.settings.structures import DipConfig
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.errors import ConfigError, ShapeError

ErrorModel = Literal["none", "warp", "kernel", "both", "residual"]
ERROR_MODELS = ("none", "warp", "kernel", "both", "residual")
LARGEST_DIP = 4_000_000


@dataclass(frozen=True)
class Deblurred:
    """A restored picture and how it came about.

    Attributes:
        image: in the layout, scale, type and size of the given picture, and where the given kernel puts it. Saturated areas that
            no trusted pixel tells of are as they were given.
        canvas: latent image in linear light, (1, channel, height + K - 1, width + K - 1); with `kernel` it explains the picture.
        kernel: the one restored with; odd, of one size with `given_kernel`; of a shake that of the middle of the picture.
        given_kernel: the given one in canonical form.
        shift: rows and columns by which the given kernel lies off its canonical place; see `Canonical`.
        residual: (k - k^) * x, what the given kernel leaves unexplained, in linear light and the picture's layout; with the
            error model `residual` the network's estimate of it.
        spread: standard deviation over draws of the stated kernel error, in the scale and layout of the picture, or None.
        noise_std: of the picture's noise, in linear light.
        mask: 1 where pixels were used, (height, width); None where all were.
        misfit: root mean square of what is left of the picture, in units of the noise; about 1 when all is well.
        step: the fit of the kernel, or None.
        curves: by name, (step, value): held-out misfits of the kernels, and what a fit of untrained networks records.
        stop_reason: why the fit of untrained networks ended; empty otherwise.
        interrupted: whether this is what there was when it was interrupted.
        sentences: what was done and why.
        warnings: what speaks against the result.
    """

    image: Array
    canvas: Tensor
    kernel: Kernel
    given_kernel: Kernel
    shift: tuple[float, float]
    residual: Array
    spread: Array | None
    noise_std: float
    mask: Array | None
    misfit: float
    step: KernelStep | None = field(repr=False)
    curves: Curves = field(repr=False)
    stop_reason: str
    interrupted: bool
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


def deblur(
    image: Array,
    kernel: np.ndarray | Canonical | Shake | str,
    noise_std: float | None = None,
    *,
    prior: str = "tv",
    error: ErrorModel = "warp",
    weight: float | None = None,
    mask: Array | None = None,
    gamma: Literal["srgb"] | None = None,
    seed: int = 0,
    spread: int = 0,
    kernel_error: str = KERNEL_ERROR,
    calibration: tuple[float, float] = CALIBRATION,
    dip: DipConfig | None = None,
    on_progress: OnProgress | None = None,
    checkpoint: Path | None = None,
) -> Deblurred:
    """Restore a picture blurred by a kernel that may be wrong.

    The picture is y = k * x + noise on its own pixels; nothing beyond it is made up. The image is found with the given kernel,
    the kernel is corrected as far as held-out pixels ask for it, and the image is found again. Ctrl-C ends it with what there is.

    Args:
        image: (height, width) or (height, width, 3), numpy or torch, also (3, height, width) as a tensor; floats on the scale 0
            to 1, or unsigned integers. Values proportional to light unless `gamma` says otherwise.
        kernel: array (rows, columns), a `Canonical`, or text for `read_kernel` such as `motion:15,30` or a file's name; or a
            `Shake`, or the name of its table (`.csv`), of a camera that turned: each part of the picture has its own kernel.
        noise_std: standard deviation of the noise in linear light, on the scale 0 to 1; estimated by default.
        prior: `tv`, the name of another prior such as `lpn:photo-deblur`, or `dip` for untrained networks, which start from tv.
        error: what may be wrong with the kernel. `none`: nothing; `warp`: missing pixels, turn, scale and width; `kernel`: each
            pixel a little; `both`: one after the other; `residual`: what is left over is explained by a second network (prior
            dip alone).
        weight: of the prior in units of sigma |k|_2, so that it depends on neither size nor noise; by default what the picture
            asks for: tv by its own gradients (`sciml.deblurring.solvers.image.picture_weight`), others by its noise
            (`sciml.imaging.priors.at_noise`).
        mask: nonzero where pixels are trusted; by default saturated ones are left out where there are many.
        gamma: `srgb` for display values: they are made linear first, and the result is encoded again.
        seed: of held-out pixels, kernel draws and networks: equal seeds give equal results.
        spread: number of kernels for the map of spreads; 0 for none.
        kernel_error: what the kernels of that map are drawn from; see `sciml.deblurring.kernels.errors`.
        calibration: factor and floor of that map, factor sqrt(spread^2 + floor^2); by default those that make plus or minus two
            spreads cover 95 % of the pixels of validation photographs, in display values.
        dip: settings of the untrained networks; their mode follows `error`.
        on_progress: called with what begins and the estimate so far, in the form of the picture.
        checkpoint: folder from which an interrupted restoration of a large picture, or fit of untrained networks, goes on.

    Raises:
        ConfigError: an unknown name or a number out of range.
        ShapeError: a shape that is no picture or kernel, or a picture smaller than two kernels.
        DataError: NaN, a constant picture, values of another scale, or an array that is no kernel.
        FormatError: the kernel's file is damaged.

    Example:
        >>> import numpy as np
        >>> picture = np.random.default_rng(0).random((64, 64)).round()
        >>> deblur(picture, "gaussian:1", noise_std=0.01, error="none").image.shape
        (64, 64)
    """
    check_arguments(prior, error, noise_std, weight, spread)
    picture = read_picture(image, mask, gamma)
    height, width = picture.y.shape[-2:]
    given = _canonical(kernel)
    shake = given if isinstance(given, Shake) else None
    if isinstance(given, Shake):
        if prior == "dip":
            raise ConfigError(
                "untrained networks take one kernel for the whole picture: with a shake take prior tv or a learned one"
            )
        given = Canonical(given.kernel((0, 0), given.size(height, width)), notes=given.notes)
    size = given.kernel.shape[0]
    if min(height, width) < 2 * size:
        raise ShapeError(
            f"the picture ({height} x {width}) is smaller than two kernels ({size} pixels each): crop the kernel, or take a "
            "larger part of the picture"
        )
    if prior == "dip" and height * width > LARGEST_DIP:
        raise ConfigError(f"untrained networks take days for {height} x {width} pixels: take prior tv, or a part of the picture")
    run = Restoration(picture, given, prior, error, weight, seed, dip or DipConfig(), on_progress, checkpoint, shake)
    run.find_noise(noise_std)
    with torch.no_grad():
        try:
            run.find_image()
            if spread:
                run.find_spread(spread, kernel_error, calibration)
        except KeyboardInterrupt:
            run.interrupted = True
            run.warnings.append("It was interrupted: this is the best there was until then.")
        return _result(run)


def _result(run: Restoration) -> Deblurred:
    kernel, given = run.kernels()
    misfit, residual = run.explained()
    spread = None if run.spread is None else run.picture.plain(run.placed(run.spread), scale=True)
    mask = run.picture.mask
    return Deblurred(
        image=run.shown(),
        canvas=run.x,
        kernel=kernel,
        given_kernel=given,
        shift=run.given.shift,
        residual=run.picture.plain(residual),
        spread=spread,
        noise_std=run.sigma,
        mask=mask if mask is None or isinstance(run.picture.like, Tensor) else mask.cpu().numpy(),
        misfit=misfit,
        step=run.step,
        curves=run.curves,
        stop_reason=run.stop_reason,
        interrupted=run.interrupted,
        sentences=tuple(run.sentences),
        warnings=tuple(run.warnings),
    )


def check_arguments(prior: str, error: str, noise_std: float | None, weight: float | None, spread: int) -> None:
    """Refuse arguments of `deblur` that fit no picture (ConfigError)."""
    if error not in ERROR_MODELS:
        raise ConfigError(f"the error model is one of {', '.join(ERROR_MODELS)}, got {error!r}")
    if error == "residual" and prior != "dip":
        raise ConfigError(f"the error model residual is a network of its own and needs the prior dip, got {prior!r}")
    for name, value in (("noise_std", noise_std), ("weight", weight)):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"{name} is a number above 0, got {value}")
    if spread != 0 and spread < 2:
        raise ConfigError(f"a map of spreads takes at least 2 kernels, or 0 for none, got {spread}")


def _canonical(kernel: np.ndarray | Canonical | Shake | str) -> Canonical | Shake:
    if isinstance(kernel, Canonical | Shake):
        return kernel
    if isinstance(kernel, str | Path):
        return read_shake(Path(kernel)) if is_shake(kernel) else read_kernel(str(kernel))
    return canonicalise(kernel.detach().cpu().numpy() if isinstance(kernel, Tensor) else np.asarray(kernel))
