"""Denoising in colour: test photographs, rivals that know colour, and what it is worth to take the channels together.

A grey network can denoise each channel alone. A colour network, and a total variation that is joint over channels, know that
edges of the three channels lie at the same place. The distance between the two ways, measured for both, is what this
knowledge buys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from skimage import restoration
from torch import Tensor

from sciml.datasets import load_photo, local_path, split
from sciml.imaging.metrics import psnr, spread
from sciml.imaging.priors import Images, TotalVariation
from sciml.imaging.similarity import ssim
from sciml.imaging.solvers.tuning import Tuned, parabola_peak
from sciml.imaging.tasks.cases import PHOTO_REDUCTION, centre
from sciml.proximal.study.results import ColourLevel, PictureQuality

EXPERIMENT = "proximal-photos"
# a picture whose channels differ by less on average is grey, however it is stored
GREY = 0.01
STEP, REACH = math.sqrt(2), 8
# differences of PSNR below this are noise between trainings
SAME_DB = 0.05


@dataclass(frozen=True)
class Rival:
    """A classical method for colour pictures with one parameter, in units of the noise.

    Attributes:
        title: name in tables.
        parameter: what the number is.
        first: value that the search on validation photographs begins with; it stands where there are none.
        clean: (noisy images, sigma, value) -> images.
    """

    title: str
    parameter: str
    first: float
    clean: Callable[[Images, float, float], Images]


def joint_variation(y: Images, sigma: float, value: float) -> Images:
    """Return the prox of value sigma TV, one TV for all channels (Bresson and Chan, Inverse Probl. Imaging 2008)."""
    return TotalVariation().prox(y, value * sigma)


def channelwise_variation(y: Images, sigma: float, value: float) -> Images:
    """Return scikit-image's total variation denoising (Chambolle, J. Math. Imaging Vis. 2004), which parts the channels."""

    def one(image: np.ndarray) -> np.ndarray:
        return restoration.denoise_tv_chambolle(image, weight=value * sigma, eps=1e-6, max_num_iter=300, channel_axis=-1)

    return _each(y, one)


def non_local_means(y: Images, sigma: float, value: float) -> Images:
    """Return scikit-image's fast non-local means (Buades, Coll and Morel 2005) on colour patches of 5 x 5 within 6 pixels."""

    def one(image: np.ndarray) -> np.ndarray:
        return restoration.denoise_nl_means(
            image, patch_size=5, patch_distance=6, h=value * sigma, sigma=sigma, fast_mode=True, channel_axis=-1
        )

    return _each(y, one)


def _each(y: Images, clean: Callable[[np.ndarray], np.ndarray]) -> Images:
    pictures = np.stack([clean(image) for image in y.permute(0, 2, 3, 1).cpu().numpy()])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).to(y)


RIVALS = {
    "tv-channels": Rival("total variation, each channel alone", "weight / sigma", 0.8, channelwise_variation),
    "tv": Rival("total variation, channels together", "weight / sigma", 1.4, joint_variation),
    "nlm": Rival("non-local means on colour patches", "h / sigma", 0.6, non_local_means),
}


def colour_photographs(
    role: str, count: int, size: int, data_tier: str
) -> tuple[Float[np.ndarray, "count 3 size size"], list[str]]:
    """Return the centres of the first photographs of a role that are colour, on [0, 1], and their names.

    Sources kept as JPEG are reduced by 4 in linear light, as in the grey studies; grey photographs are left out.

    Args:
        role: `test` or `validation`.
        count: how many at most.
        size: pixels a side; what is smaller is reflected at its border.
        data_tier: `pip`, `ci`, `default` or `full`.

    Returns:
        The pictures, with no picture where the role has none at this tier, and their names.
    """
    found: dict[str, np.ndarray] = {}
    for name in split(EXPERIMENT, role, data_tier):
        if len(found) == count:
            break
        jpeg = local_path(name).suffix.lower() in (".jpg", ".jpeg")
        array = load_photo(name, reduction=PHOTO_REDUCTION if jpeg else 1, grey=False).array
        if is_colour(array):
            found[name] = np.stack([centre(channel, (size, size), "reflect") for channel in np.moveaxis(array, -1, 0)])
    pictures = np.stack(list(found.values())) if found else np.zeros((0, 3, size, size), dtype=np.float32)
    return pictures, list(found)


def is_colour(array: Float[np.ndarray, " ..."]) -> bool:
    """Return whether a picture (rows, columns) or (rows, columns, 3) has channels that differ."""
    return array.ndim == 3 and float(np.ptp(array, axis=-1).mean()) > GREY


def colour_psnr(estimate: Float[np.ndarray, "3 rows columns"], truth: Float[np.ndarray, "3 rows columns"]) -> float:
    """Return the PSNR in dB of the mean squared error over pixels and channels, of the estimate clipped to [0, 1]."""
    # one below the other, the channels are one picture with the same mean squared error
    return psnr(np.concatenate(estimate.clip(0, 1)), np.concatenate(truth), 1)


def colour_ssim(estimate: Float[np.ndarray, "3 rows columns"], truth: Float[np.ndarray, "3 rows columns"]) -> float:
    """Return the mean of the channels' structural similarities, of the estimate clipped to [0, 1]."""
    return float(np.mean([ssim(a, b) for a, b in zip(estimate.clip(0, 1), truth, strict=True)]))


def scores(estimate: Images, truth: Images) -> dict[str, PictureQuality]:
    """Return `psnr` and `ssim` over the pictures."""
    pairs = list(zip(estimate.cpu().numpy(), truth.cpu().numpy(), strict=True))
    found = {}
    for name, measure in (("psnr", colour_psnr), ("ssim", colour_ssim)):
        values = [measure(a, b) for a, b in pairs]
        found[name] = PictureQuality.model_validate({**spread(values), "values": values})
    return found


def tuned(rival: Rival, y: Images, truth: Images, sigma: float) -> Tuned:
    """Return the parameter with the best mean PSNR on validation photographs.

    From the first value the better neighbour, sqrt(2) away, is followed until none is better, at most 8 of them; a parabola
    through the last three in the logarithm refines it. Without photographs the first value stands.
    """
    if len(y) == 0:
        return Tuned(rival.first, {}, bracketed=False)
    curve: dict[float, float] = {}

    def quality(value: float) -> float:
        if value not in curve:
            curve[value] = mean_psnr(rival.clean(y, sigma, value), truth)
        return curve[value]

    best = 0
    for _ in range(REACH):
        near = {index: quality(rival.first * STEP**index) for index in (best, best - 1, best + 1)}
        following = max(near, key=lambda index: near[index])
        if following == best:
            break
        best = following
    ordered = sorted(curve)
    refined = parabola_peak([math.log(value) for value in ordered], [curve[value] for value in ordered])
    if refined is not None:
        quality(math.exp(refined))
    return Tuned(max(curve, key=lambda value: curve[value]), dict(sorted(curve.items())), refined is not None)


def mean_psnr(estimate: Images, truth: Images) -> float:
    """Return the mean PSNR of a batch in dB."""
    pairs = zip(estimate.cpu().numpy(), truth.cpu().numpy(), strict=True)
    return float(np.mean([colour_psnr(a, b) for a, b in pairs]))


def strongest_colours(x: Tensor) -> int:
    """Return the index of the picture whose channels differ most; it is shown whatever the results."""
    return int((x.amax(1) - x.amin(1)).mean((1, 2)).argmax())


def gains(levels: Sequence[ColourLevel], method: str, other: str) -> np.ndarray:
    """Return PSNR of a method less that of another, picture by picture, level after level."""
    values = [[level.methods[name].psnr.values for level in levels] for name in (method, other)]
    return np.subtract(*np.array(values, dtype=float)).ravel()


def reading(levels: Sequence[ColourLevel], colour: str, grey: str) -> str:
    """Say in two sentences what the numbers of all levels show, whichever way they fall.

    Args:
        levels: scores of every method by noise level.
        colour: name of the colour network.
        grey: name of the grey one.
    """
    together = gains(levels, "colour", "grey")
    joint = float(gains(levels, "tv", "tv-channels").mean())
    words = [
        f"Taken together instead of one by one, the channels {_worth(float(together.mean()), 'the networks')} ({colour} against "
        f"{grey} on each channel; better on {(together > 0).sum()} of {together.size} pictures over all noise levels) and "
        f"{_worth(joint, 'total variation')}."
    ]
    rivals = []
    for name, title in (("tv", "joint total variation"), ("nlm", "non-local means")):
        gain = gains(levels, "colour", name)
        rivals.append(f"{_beside(float(gain.mean()))} {title} (better on {(gain > 0).sum()} of {gain.size})")
    words.append(f"{colour} is {rivals[0]} and {rivals[1]}, both tuned on validation photographs.")
    return " ".join(words)


def _worth(decibels: float, whom: str) -> str:
    if abs(decibels) < SAME_DB:
        return f"change {whom} by less than {SAME_DB:g} dB"
    return f"{'gain' if decibels > 0 else 'lose'} {whom} {abs(decibels):.2f} dB"


def _beside(decibels: float) -> str:
    if abs(decibels) < SAME_DB:
        return f"within {SAME_DB:g} dB of"
    return f"{decibels:.2f} dB above" if decibels > 0 else f"{-decibels:.2f} dB below"
