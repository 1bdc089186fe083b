"""Frames of one movie without their blur, by a kernel that is known only roughly."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from sciml.deblurring import deblur
from sciml.imaging import ValidBlur, gaussian, wiener
from sciml.studies.flow_from_images.config import PRIOR, Sharpening
from sciml.studies.flow_from_images.microscope.camera import Microscope

BALANCE = 0.3
"""Weight of the Wiener filter's penalty."""
CROP = 96
"""Side of the square of the last frame, whose texture is strongest, on which the kernel is corrected."""
TV_WEIGHT = 0.75
"""Of total variation in units of the noise, one for all frames of all movies."""


def sharpened(
    pictures: Float[np.ndarray, "frames rows columns"],
    sharpening: Sharpening,
    noise_std: float | None = None,
    kernel: Float[np.ndarray, "k k"] | None = None,
) -> Float[np.ndarray, "frames rows columns"]:
    """Return the frames of one movie without their blur.

    Args:
        pictures: (frames, rows, columns), 0 to 1.
        sharpening: how.
        noise_std: of a pixel; estimated where it is not known.
        kernel: the true one, of `exact` alone; the others take the microscope's nominal one.
    """
    nominal = gaussian(Microscope().width)
    if sharpening == "none":
        return pictures
    if sharpening == "wiener":
        stack = torch.from_numpy(pictures)[:, None]
        blur = ValidBlur(nominal, (pictures.shape[-2], pictures.shape[-1]))
        return blur.crop(wiener(stack, blur, BALANCE))[:, 0].numpy()
    used = np.asarray(nominal) if kernel is None else kernel
    if sharpening == "corrected":
        # the kernel is the movie's: found once, where the texture is strongest
        top, left = ((size - min(CROP, size)) // 2 for size in pictures.shape[1:])
        crop = np.ascontiguousarray(pictures[-1][top : top + CROP, left : left + CROP])
        used = np.asarray(deblur(crop, used, noise_std).kernel)
    prior, weight = (PRIOR, 1.0) if sharpening == "lpn" else ("tv", TV_WEIGHT)
    return np.stack([deblur(one, used, noise_std, prior=prior, error="none", weight=weight).image for one in pictures])
