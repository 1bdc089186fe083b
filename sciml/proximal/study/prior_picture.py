"""R of images of the user's own: its values, and how it changes along noise, blur and mixing.

The three paths are those of the digit study of Fang, Buchanan and Sulam (ICLR 2024). What they show depends on the network. R
rises with noise in any that removes noise. Mixtures of two pictures are no pictures: a hump between the ends tells a nonconvex R.
With blur R rises where a network has learned one kind of image as a whole; a network of local filters finds smooth images
likely, as total variation does, and its R falls.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sciml.formats.read import read_image
from sciml.imaging.tasks.scale import range_of_noisy, to_batch
from sciml.proximal.networks.loading import DENOISER, for_network, load_network, parts, warn_if_far
from sciml.proximal.networks.network import Images, LearnedProximalNetwork
from sciml.runtime.files import atomic_path
from sciml.runtime.seeds import Seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

SIDE = {"implicit": 128, "explicit": 48}
"""Largest height and width of the centre that the picture is drawn for; the explicit form is inverted for every point."""
SHOWN = 8
"""Most images in one picture."""
THUMBNAILS = 5
PATHS = {
    "noise": ("noise, standard deviation", (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)),
    "blur": ("Gaussian blur, pixels", (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)),
    "mixing": ("share of the other image", (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)),
}
BLUE, RED = "#0072B2", "#D55E00"


@dataclass(frozen=True)
class PriorRow:
    """R of one file.

    Attributes:
        name: name of the file.
        value: R, summed over the channels or slices; +inf where one of them is outside the range of f.
        per_pixel: R divided by the number of pixels, channels and slices counted.
        outside: how many of its channels or slices are outside the range of f.
        images: how many channels or slices it has.
        residual: largest relative residual of the inversion.
    """

    name: str
    value: float
    per_pixel: float
    outside: int
    images: int
    residual: float

    @property
    def status(self) -> str:
        """Return in words whether R is finite."""
        if not self.outside:
            return "in the range"
        some = f"{self.outside} of {self.images} images " if self.images > 1 else ""
        return f"{some}outside the range (residual {self.residual:.1e})"


def priors_of_files(
    paths: Sequence[Path],
    model: str = DENOISER,
    sigma: float | None = None,
    value_range: Sequence[float] | None = None,
    picture: Path | None = None,
    device: str = "cpu",
) -> tuple[list[PriorRow], float]:
    """Return R of each file and the noise level of R, and draw the picture where one is asked for.

    Args:
        paths: pictures, slices or volumes.
        model: shipped name or weight file.
        sigma: noise level of R; None: the network's own.
        value_range: the values that become 0 and 1.
        picture: PNG, PDF or SVG file to draw.
        device: `cpu` or `cuda`.
    """
    network = load_network(model, device)
    level = network.default_sigma if sigma is None else sigma
    network.levels(level, torch.zeros(1))
    warn_if_far(network, model, level)
    read, axes = [], []
    for path in paths:
        image = read_image(path)
        axes.append(image.axes)
        read.append(for_network(to_batch(image, range_of_noisy(image, value_range)), image, network, model))
    rows = [prior_row(network, path.name, images, level, device) for path, images in zip(paths, read, strict=True)]
    if picture is not None:
        names = [path.name for path in paths[:SHOWN]]
        images = [_centre(stack, kind, SIDE[network.form]) for stack, kind in zip(read[:SHOWN], axes, strict=False)]
        draw(network, names, images, level, f"{model}, noise level {level:g}", picture, device)
    return rows, level


def prior_row(network: LearnedProximalNetwork, name: str, images: Images, sigma: float, device: str = "cpu") -> PriorRow:
    """Return R of all images of one file."""
    found = [network.prior_values(images[part].to(device), sigma) for part in parts(images)]
    value = sum(float(one.value.double().sum()) for one in found)
    outside, residual = sum(int(one.outside.sum()) for one in found), max(float(one.residual.max()) for one in found)
    return PriorRow(name, value, value / images.numel(), outside, len(images), residual)


def path_images(kind: str, x: Images, other: Images) -> Images:
    """Return x along a path of `PATHS`, one image a point: noisy and cut to [0, 1], blurred, or mixed with another image.

    Args:
        kind: noise, blur or mixing.
        x: one image, shape (1, channel, height, width).
        other: what it is mixed with, of the same shape.
    """
    steps = PATHS[kind][1]
    if kind == "noise":
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(Seeds(0)("prior picture")))
        return torch.cat([(x + step * noise).clamp(0, 1) if step else x for step in steps])
    if kind == "mixing":
        return torch.cat([(1 - step) * x + step * other for step in steps])
    from scipy.ndimage import gaussian_filter

    blurred = [gaussian_filter(x.numpy(), (0, 0, step, step), mode="reflect") if step else x.numpy() for step in steps]
    return torch.from_numpy(np.concatenate(blurred))


def draw(
    network: LearnedProximalNetwork,
    names: Sequence[str],
    images: Sequence[Images],
    sigma: float,
    title: str,
    out: Path,
    device: str = "cpu",
) -> None:
    """Draw R per pixel along noise, blur and mixing; each image, of shape (1, channel, height, width), has a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 0.8 + 2.75 * len(images)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"R per pixel along noise, blur and mixing ({title})", fontsize=13)
    blocks = figure.subfigures(len(images), 1, squeeze=False)[:, 0]
    for index, (block, x, name) in enumerate(zip(blocks, images, names, strict=True)):
        log.info("drawing %s", name)
        other, partner = _partner(index, images, names)
        _row(block, network, x, other, name, partner, sigma, device)
    with atomic_path(out) as temporary:
        figure.savefig(temporary)


def _row(
    block: Figure, network: LearnedProximalNetwork, x: Images, other: Images, name: str, partner: str, sigma: float, device: str
) -> None:
    """Draw one image, its three strips and its three curves; a dashed line marks R of the image itself."""
    axes = block.subplot_mosaic(
        [["image", *(f"strip {kind}" for kind in PATHS)], ["image", *PATHS]],
        width_ratios=(0.8, 1, 1, 1),
        height_ratios=(1, 2.3),
    )
    _show(axes["image"], x)
    axes["image"].set_title(_short(name), fontsize=10)
    for kind, (label, steps) in PATHS.items():
        along = path_images(kind, x, other)
        found = [network.prior_values(image[None].to(device), sigma) for image in along]
        values = [float(one.value) / x.numel() if not bool(one.outside) else math.nan for one in found]
        plot, chosen = axes[kind], np.linspace(0, len(steps) - 1, THUMBNAILS).round().astype(int).tolist()
        _strip(axes[f"strip {kind}"], along[chosen], [f"{steps[at]:g}" for at in chosen])
        plot.axhline(values[0], color="#999999", linewidth=0.9, linestyle="--")
        plot.plot(steps, values, marker="o", markersize=4, color=BLUE)
        if missing := [step for step, value in zip(steps, values, strict=True) if math.isnan(value)]:
            plot.plot(
                missing, [0.95] * len(missing), "x", color=RED, transform=plot.get_xaxis_transform(), label="outside the range"
            )
            plot.legend(frameon=False, fontsize=8)
        plot.set_xlabel(label if kind != "mixing" else f"share of {partner}", fontsize=9)
        plot.grid(True, color="#dddddd", linewidth=0.7)
        plot.spines[["top", "right"]].set_visible(False)
        plot.tick_params(labelsize=8)
    axes["noise"].set_ylabel("R per pixel", fontsize=9)


def _strip(axes: Axes, images: Images, labels: Sequence[str]) -> None:
    """Show images side by side, each with its label above."""
    _show(axes, torch.cat(images.split(1), dim=3))
    width = images.shape[-1]
    for index, label in enumerate(labels):
        axes.text((index + 0.5) * width, -0.06 * images.shape[-2], label, ha="center", va="bottom", fontsize=8)
        if index:
            axes.axvline(index * width - 0.5, color="white", linewidth=1.5)


def _show(axes: Axes, x: Tensor) -> None:
    array = x[0].clamp(0, 1).permute(1, 2, 0).numpy()
    axes.imshow(array if array.shape[-1] == 3 else array.mean(-1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def _centre(stack: Images, axes: str, side: int) -> Images:
    """Return one image of a file, at most `side` pixels high and wide: the middle slice of a volume, the mean of colours."""
    x = stack.mean(0, keepdim=True) if axes == "HWC" else stack[len(stack) // 2][None]
    top, left = (max(0, (length - side) // 2) for length in x.shape[-2:])
    return x[..., top : top + side, left : left + side].contiguous()


def _partner(index: int, images: Sequence[Images], names: Sequence[str]) -> tuple[Images, str]:
    """Return what an image is mixed with: the next one of the same size, or its own mirror image."""
    x = images[index]
    for step in range(1, len(images)):
        at = (index + step) % len(images)
        if images[at].shape == x.shape:
            return images[at], _short(names[at])
    return x.flip(-1), "its mirror image"


def _short(name: str) -> str:
    # a dollar sign would start a formula
    return (name if len(name) <= 28 else f"{name[:25]}...").replace("$", r"\$")
