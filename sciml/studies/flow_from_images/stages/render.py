"""Stage `render`: what the microscope makes of the flows, or the user's own movie beside those that calibrate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.active_fluid import theory_units
from sciml.formats.tiff import read_stack
from sciml.runtime.errors import DataError, ShapeError
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.studies.flow_from_images.config import FrameStack, RenderConfig
from sciml.studies.flow_from_images.microscope.camera import WHITE, Microscope, rendered
from sciml.studies.flow_from_images.study.movies import FLOW_STEP, GRID, Case, Movie, read_movies, write_movies

OWN = "own"


def run(config: RenderConfig, flows: Path, output: Path, frames: Path | None = None) -> list[Path]:
    """Write `frames.safetensors`, 12 bits as uint16, and `kernels.safetensors`, the true point-spread functions.

    Args:
        config: pixels and seed.
        flows: flows.safetensors of `simulate`.
        output: folder of the artefacts.
        frames: the user's stack, where there is one.
    """
    recorder = Recorder("flow_from_images.render", config.model_dump(mode="json"), [flows, *([frames] if frames else [])])
    seeds, microscope = Seeds(config.seed), Microscope(pixels=config.pixels)
    movies, kernels = {}, {}
    for name, flow in read_movies(flows).items():
        count = len(flow.case.times)
        seed = seeds("render", name) % 2**31
        m1, velocity = flow.field("m1")[:count], flow.arrays["velocity"]
        pictures, kernel = rendered(m1, velocity, FLOW_STEP, flow.case.length, microscope, seed)
        hidden = {"alpha": None, "zeta": None, "noise_std": microscope.noise_std}
        movies[name] = Movie(flow.case.model_copy(update=hidden), {"frames": pictures})
        kernels[name] = Movie(movies[name].case, {"kernel": kernel})
    if frames is not None and config.stack is not None:
        movies[OWN] = own_movie(frames, config.stack)
    paths = [write_movies(output / "frames.safetensors", movies), write_movies(output / "kernels.safetensors", kernels)]
    recorder.seeds = seeds.used
    recorder.write(output / "provenance.json", paths)
    return paths


def own_movie(path: Path, stack: FrameStack) -> Movie:
    """Return a user's movie: its central square, a multiple of 16 pixels, scaled to 12 bits.

    Args:
        path: TIFF stack of unsigned whole numbers.
        stack: its pixel size, time between frames and diffusions.

    Raises:
        DataError: fewer than two frames, or no unsigned whole numbers.
        ShapeError: too few pixels.
    """
    values = read_stack(path)
    if values.dtype.kind != "u" or len(values) < 2:
        raise DataError(f"{path} holds {len(values)} frames of {values.dtype}: at least 2 of unsigned whole numbers are expected")
    side = min(values.shape[1:]) // GRID * GRID
    if side < 4 * GRID:
        raise ShapeError(
            f"{path} has frames of {values.shape[1]} x {values.shape[2]} pixels: at least {4 * GRID} a side are needed"
        )
    top, left = ((size - side) // 2 for size in values.shape[1:])
    cut = values[:, top : top + side, left : left + side].astype(np.float64)
    # 12 bits in a file of 16 are left as they are
    bits = 8 if values.dtype.itemsize == 1 else 12 if cut.max() <= WHITE else 8 * values.dtype.itemsize
    scale = WHITE / (2.0**bits - 1)
    units = theory_units(stack.d_t, stack.d_r)
    times = tuple(number * stack.frame_interval / units.time for number in range(len(cut)))
    case = Case(
        role="own",
        times=times,
        length=side * stack.pixel_size / units.length,
        origin=digest_file(path),
        noise_std=None,
        alpha=None,
        zeta=None,
    )
    return Movie(case, {"frames": np.rint(cut * scale).astype(np.uint16)})
