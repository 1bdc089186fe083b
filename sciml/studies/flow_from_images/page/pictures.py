"""Frames, directors and vorticity over time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Complex, Float, UInt8
from PIL import Image, ImageDraw

from sciml.report.graphics.drawing import signed_picture
from sciml.report.reportlets import Reportlet, Scrubber
from sciml.studies.flow_from_images.config import TRUE_FRAMES
from sciml.studies.flow_from_images.microscope.camera import as_pictures
from sciml.studies.flow_from_images.page.data import StudyData, title_of
from sciml.studies.flow_from_images.study.movies import FRAME_GAP, HORIZON, Movie, on_grid

SIDE = 256
DIRECTOR = (242, 169, 0)
GAP = 6


def scrubbers(data: StudyData) -> Iterator[Reportlet]:
    """Yield the scrubber of frame, director and vorticity, over the frames and beyond."""
    fields = {name: movie for name, movie in data.fields().items() if name != TRUE_FRAMES}
    flows = data.flows()
    shown = list(dict.fromkeys(name for name in (data.blurred, data.corrected, *fields) if name in fields))[:2]
    if not shown:
        return
    case = fields[shown[0]].case
    name, flow = next(((key, one) for key, one in flows.items() if one.case.origin == case.origin), ("own", None))
    limit = max(float(np.quantile(np.abs(fields[shown[0]].arrays["vorticity"]), 0.995)), 1e-6)
    count, total = len(case.times), len(fields[shown[0]].field("m1"))
    series: dict[str, list[np.ndarray]] = {}
    for combination in shown:
        given = (
            data.frames(f"{combination}/sharpen")[name].arrays["frames"],
            *(fields[combination].field("m1"), fields[combination].arrays["vorticity"], limit),
        )
        # one movie without a truth takes the whole width
        series |= rows(*given) if len(shown) == 1 and flow is None else {title_of(combination): column(*given)}
    if flow is not None:
        truth = on_grid(flow.field("m1"))[:total]
        series["truth"] = column(data.frames("render")[name].arrays["frames"], truth, true_vorticity(flow, total), limit)
    ahead = [f"t = {time - case.times[0]:g}" for time in case.times]
    ahead += [f"t = {case.times[-1] - case.times[0] + FRAME_GAP * (k + 1):g}, ahead" for k in range(round(HORIZON / FRAME_GAP))]
    yield Scrubber(
        "Frame, director and vorticity over time",
        series,
        ahead[:total],
        f"Movie {name}; {count} frames, then the forecast with the last one held. Frames are what the structure tensor sees; "
        "under \u201ctruth\u201d what the camera took; then the order |m1|, 0 to 1, with lines along the rods; the vorticity, "
        f"full colour at \u00b1 {limit:.2g}, whose truth ends with the frames.",
        f"frames, directors and vorticity of the movie {name}",
    )


def true_vorticity(flow: Movie, total: int) -> Float[np.ndarray, "times g g"]:
    """Return the vorticity of a flow at its frames, zero beyond them."""
    velocity = flow.arrays["velocity"].astype(float)
    every = (len(velocity) - 1) // (len(flow.case.times) - 1)
    k = 2 * np.pi * np.fft.fftfreq(velocity.shape[-1], flow.case.length / velocity.shape[-1])
    waves = np.fft.fft2(velocity[::every])
    vorticity = np.fft.ifft2(1j * (k[:, None] * waves[:, 1] - k * waves[:, 0])).real
    found = np.zeros((total, *vorticity.shape[1:]))
    found[: len(vorticity)] = vorticity
    return on_grid(found)


def rows(
    frames: Float[np.ndarray, "frames rows columns"],
    m1: Complex[np.ndarray, "times g g"],
    vorticity: Float[np.ndarray, "times g g"],
    limit: float,
) -> dict[str, list[UInt8[np.ndarray, "side side 3"]]]:
    """Return frame, order with directors, and vorticity, a picture a time."""
    low, high = np.quantile(frames, (0.005, 0.995))
    found: dict[str, list[np.ndarray]] = {"frame": [], "order and directors": [], "vorticity": []}
    for time in range(len(m1)):
        frame = np.clip((frames[min(time, len(frames) - 1)].astype(float) - low) / (high - low), 0, 1)
        below = as_pictures(np.moveaxis(signed_picture(vorticity[time], limit), -1, 0)).transpose(1, 2, 0)
        pictures = resized(np.stack([np.round(255 * frame).astype(np.uint8)] * 3, -1)), order_picture(m1[time]), resized(below)
        for name, picture in zip(found, pictures, strict=True):
            found[name].append(picture)
    return found


def column(*given: Any) -> list[UInt8[np.ndarray, "height width 3"]]:
    """Return the pictures of `rows` one below the other, one a time."""
    gap = np.full((GAP, SIDE, 3), 255, np.uint8)
    return [np.concatenate([a, gap, b, gap, c]) for a, b, c in zip(*rows(*given).values(), strict=True)]


def resized(picture: UInt8[np.ndarray, "n m 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """Return a picture of the page's side; pixels are repeated, nothing is smoothed."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.NEAREST))


def order_picture(m1: Complex[np.ndarray, "g g"]) -> UInt8[np.ndarray, "side side 3"]:
    """Return |m1| as brightness with a line along the rods at every point."""
    grey = np.round(255 * np.clip(as_pictures(np.abs(m1)), 0, 1)).astype(np.uint8)
    image = Image.fromarray(resized(np.stack([grey] * 3, -1)))
    draw, cell = ImageDraw.Draw(image), SIDE / len(m1)
    for x in range(len(m1)):
        for y in range(len(m1)):
            half = 0.45 * cell * min(1.0, 0.3 + abs(m1[x, y])) * np.exp(0.5j * np.angle(m1[x, y]))
            place = (x + 0.5) * cell, SIDE - (y + 0.5) * cell
            ends = [(place[0] + s * half.real, place[1] - s * half.imag) for s in (-1, 1)]
            draw.line(ends, fill=DIRECTOR, width=2)
    return np.asarray(image)
