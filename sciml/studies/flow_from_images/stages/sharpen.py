"""Stage `sharpen`: frames without their blur, by a point-spread function that is known only roughly."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.runtime.errors import DataError
from sciml.runtime.provenance import Recorder
from sciml.studies.flow_from_images.config import SharpenConfig
from sciml.studies.flow_from_images.microscope.camera import WHITE
from sciml.studies.flow_from_images.sharpening.methods import sharpened
from sciml.studies.flow_from_images.study.movies import Movie, read_movies, write_movies


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
