"""Stage `archive`: every frame through the codec and back, its bytes counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.compression import Codec
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.studies.flow_from_images.config import ArchiveConfig
from sciml.studies.flow_from_images.study.movies import Movie, read_movies, write_movies
from sciml.studies.flow_from_images.study.results import ArchiveResult

MODEL = "field"
"""Model of the codec: grey fields."""
QUALITIES = {"high": 90.0, "medium": 75.0, "low": 55.0}
SHIFT = 4
"""12 bits are stored as the upper ones of 16."""


def run(config: ArchiveConfig, frames: Path, output: Path) -> list[Path]:
    """Write `frames.safetensors`, as decoded, and `archive.json`.

    Args:
        config: which archive.
        frames: frames.safetensors of `render`.
        output: folder of the artefacts.
    """
    recorder = Recorder("flow_from_images.archive", config.model_dump(mode="json"), [frames])
    codec = Codec.load(MODEL)
    quality = QUALITIES.get(config.archive)
    movies, count, pixels, square = {}, 0, 0, 0.0
    for name, movie in read_movies(frames).items():
        decoded = []
        for frame in movie.arrays["frames"]:
            data = codec.encode(frame << SHIFT, quality=quality, max_error=None if quality else 0.0)
            decoded.append(codec.decode(data) >> SHIFT)
            count, pixels = count + len(data), pixels + frame.size
            square += float(np.sum((decoded[-1].astype(float) - frame) ** 2))
        movies[name] = Movie(movie.case, {"frames": np.stack(decoded)})
    result = ArchiveResult(archive=config.archive, bits_a_pixel=8 * count / pixels, error_counts=(square / pixels) ** 0.5)
    paths = [write_movies(output / "frames.safetensors", movies), write_result(output / "archive.json", result)]
    recorder.write(output / "provenance.json", paths)
    return paths
