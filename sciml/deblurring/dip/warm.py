"""Untrained networks that begin at total variation: what may see which pixels, and what the returned image is.

The share of the networks' change is chosen by held-out pixels, so the start that they are mixed with must not have seen those
either: it is restored without them, as x_0. The image that is returned begins at the restoration from all pixels, x_tv:

    x = x_tv + a (x_networks - x_0),    cut to [0, 1] where the networks changed anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sciml.deblurring.dip.fit import untrained
from sciml.deblurring.dip.objective import Canvas, Picture
from sciml.deblurring.dip.result import Snapshot, Untrained
from sciml.deblurring.dip.stopping import held_out_pixels
from sciml.deblurring.settings.structures import DipConfig
from sciml.deblurring.solvers.image import MaskedBlur, map_estimate
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.seeds import Seeds

OnImage = Callable[[Canvas, Picture | None, Snapshot], None]


@dataclass(frozen=True)
class WarmFit:
    """A fit beside the restoration that it began at.

    Attributes:
        image: on the canvas; where the fit fell back, `start` itself.
        start: x_tv, by total variation from all pixels.
        begun_at: x_0, by total variation without the held-out pixels.
        fit: of the networks.
    """

    image: Canvas
    start: Canvas
    begun_at: Canvas
    fit: Untrained


def warm_fit(
    y: Picture,
    kernel: Kernel,
    sigma: float,
    weight: float,
    config: DipConfig,
    seed: int,
    allowed: Tensor | None = None,
    *,
    start: Canvas | None = None,
    on_image: OnImage | None = None,
    folder: Path | None = None,
) -> WarmFit:
    """Restore by total variation and let untrained networks go on from there.

    Args:
        y: picture in linear light.
        kernel: taken as known, apart from what the mode of `config` models.
        sigma: standard deviation of the noise.
        weight: of the total variation in the start.
        config: settings of the fit.
        seed: of the held-out pixels and of the networks.
        allowed: 1 where pixels are trusted, (1, 1, height, width); all by default.
        start: x_tv, where it is known already.
        on_image: called at every look with the canvas image and the residual that would be returned now, and what the fit says.
        folder: of checkpoints.
    """
    seeds, trusted = Seeds(seed), torch.ones_like(y[:, :1]) if allowed is None else allowed
    generator = torch.Generator().manual_seed(seeds("pixels kept from the networks"))
    size, stop = (int(y.shape[-2]), int(y.shape[-1])), config.stop
    apart = held_out_pixels(size, stop.held_out, generator, trusted).to(y.device)
    whole = map_estimate(y, kernel, "tv", weight, trusted[0, 0]) if start is None else start
    partial = map_estimate(y, kernel, "tv", weight, (trusted * ~apart)[0, 0])
    blur = MaskedBlur(kernel, y, apart[0, 0].to(y))

    def look(snapshot: Snapshot) -> None:
        if on_image is not None:
            share = 1.0 if config.least_gain is None else _share(blur, y, partial, snapshot)
            residual = None if snapshot.residual is None else share * snapshot.residual
            on_image((whole + share * (snapshot.canvas - partial)).clamp(0, 1), residual, snapshot)

    with torch.enable_grad():
        fit = untrained(
            y,
            kernel,
            sigma,
            config,
            partial,
            trusted,
            generator=torch.Generator().manual_seed(seeds("networks")),
            on_iteration=None if on_image is None else look,
            folder=folder,
            held_out=apart,
        )
    image = whole if fit.fell_back else (whole + fit.canvas - partial).clamp(0, 1)
    return WarmFit(image, whole, partial, fit)


def _share(blur: MaskedBlur, y: Picture, start: Canvas, snapshot: Snapshot) -> float:
    """Return what the end of the fit would choose now, by its closed form: with e_0 and e_1 the misfits of start and fit,

    a = <e_0, e_0 - e_1> / |e_0 - e_1|^2 over the held-out pixels, cut to [0, 1].
    """
    before = blur.misfit(start, y)
    after = blur.misfit(snapshot.canvas, y if snapshot.residual is None else y - snapshot.residual)
    step = before - after
    size = float(step.square().sum())
    return min(1.0, max(0.0, float((before * step).sum()) / size)) if size > 0 else 0.0
