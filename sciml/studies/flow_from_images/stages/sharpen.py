"""Stage `sharpen`: frames without their blur, by a point-spread function that is known only roughly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sciml.deblurring import deblur
from sciml.imaging import ValidBlur, gaussian, wiener
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.studies.flow_from_images.config import PRIOR, SharpenConfig, Sharpening
from sciml.studies.flow_from_images.microscope.camera import WHITE, Microscope
from sciml.studies.flow_from_images.study.movies import Movie, read_movies, write_movies

BALANCE = 0.3
"""Weight of the Wiener filter's penalty."""
CROP = 96
"""Side of the square of the last frame, whose texture is strongest, on which the kernel is corrected."""


def run(config: SharpenConfig, frames: Path, kernels: Path, output: Path) -> list[Path]:
    """Write `frames.safetensors`: sharpened frames as float32 over the largest count.

    Args:
        config: which sharpening.
        frames: frames.safetensors of `archive`.
        kernels: kernels.safetensors of `render`; only the sharpening `exact` looks at it.
        output: folder of the artefacts.
    """
    exact = config.sharpening == "exact"
    recorder = Recorder("flow_from_images.sharpen", config.model_dump(mode="json"), [frames, *([kernels] if exact else [])])
    known = {name: movie.arrays["kernel"] for name, movie in read_movies(kernels).items()} if exact else {}
    movies = {}
    for name, movie in read_movies(frames).items():
        if exact and name not in known:
            raise DataError(f"nobody knows the true kernel of case {name}: choose another sharpening")
        pictures = movie.arrays["frames"].astype(np.float32) / WHITE
        sharp = sharpened(pictures, config.sharpening, movie.case.noise_std, known.get(name))
        movies[name] = Movie(movie.case, {"frames": sharp.astype(np.float32)})
    path = write_movies(output / "frames.safetensors", movies)
    recorder.write(output / "provenance.json", [path])
    return [path]


def sharpened(
    pictures: np.ndarray, sharpening: Sharpening, noise_std: float | None = None, kernel: np.ndarray | None = None
) -> np.ndarray:
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
    prior = PRIOR if sharpening == "lpn" else "tv"
    return np.stack([deblur(one, used, noise_std, prior=prior, error="none").image for one in pictures])
