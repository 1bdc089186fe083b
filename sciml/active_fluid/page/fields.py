"""Pictures of one run over time: order with directors and defects, and vorticity, of all closures side by side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float, UInt8
from PIL import Image, ImageDraw

from sciml.active_fluid.fields.defects import defects
from sciml.active_fluid.page.results import Fields, StudyResults
from sciml.active_fluid.page.style import title_of
from sciml.active_fluid.study.results import BINGHAM, ORDER
from sciml.report.graphics.drawing import signed_picture
from sciml.report.reportlets import Reportlet, Scrubber
from sciml.report.words import minus

SIDE = 256
# drawn so many times larger and reduced, so that lines have no steps
FINE = 2
LINES = 16
# of a line's length, left where there is no order
LEAST_LENGTH = 0.3
DIRECTOR, PLUS, MINUS_HALF, EDGE = (242, 169, 0), (213, 94, 0), (86, 180, 233), (255, 255, 255)
GAP = 6


def field_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the scrubber, or a sentence where there are no fields."""
    if study.fields is None or "kinetic" not in study.fields.names:
        return
    yield field_scrubber(study.fields, study.learned)


def field_scrubber(fields: Fields, learned: str | None) -> Scrubber:
    """Return the kinetic run, Bingham's, the learned closure and that of the order alone, over time."""
    wanted = ["kinetic", BINGHAM, learned, ORDER]
    shown = [name for name in dict.fromkeys(wanted) if name in fields.names]
    limit = vorticity_limit(fields)
    series = {
        title_of(name): [
            frame_picture(m1, vorticity, fields.length, limit)
            for m1, vorticity in zip(fields.m1(name), fields.vorticity(name), strict=True)
        ]
        for name in shown
    }
    return Scrubber(
        "Order, defects and vorticity over time",
        series,
        [f"t = {time:g}" for time in fields.times],
        f"The run {minus(fields.place)}, one that no closure was trained on; every closure starts from the kinetic theory's "
        "first state. Above: the order |m1|, black 0 to white 1; yellow lines lie along the rods, longer where the order is "
        "higher; red discs are defects of charge +1/2, blue triangles of \u22121/2. Below: the vorticity on one scale for "
        f"all pictures, purple turning to the left, orange to the right, full colour at \u00b1 {limit:.2g}. x runs to the "
        "right, y upwards.",
        f"order of the rods with directors and defects above, vorticity below, {fields.place}",
    )


def vorticity_limit(fields: Fields) -> float:
    """Return the common end of the scale: the size that 99.8 % of the kinetic vorticity stays below."""
    return max(float(np.quantile(np.abs(fields.vorticity("kinetic")), 0.998)), 1e-6)


def frame_picture(
    m1: Complex[np.ndarray, "n n"], vorticity: Float[np.ndarray, "n n"], length: float, limit: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Return one time of one run: the order above, the vorticity below.

    Args:
        m1: <exp(2 i theta)>, first index x.
        vorticity: vorticity of the flow.
        length: side of the square.
        limit: vorticity at the ends of the scale.
    """
    below = upright(signed_picture(np.nan_to_num(vorticity), limit))
    gap = np.full((GAP, SIDE, 3), 255, np.uint8)
    return np.concatenate([order_picture(np.nan_to_num(m1), length), gap, resized(below)])


def upright(field: np.ndarray) -> np.ndarray:
    """Return a field of (x, y) as a picture whose x runs to the right and y upwards."""
    return np.swapaxes(field, 0, 1)[::-1]


def resized(picture: UInt8[np.ndarray, "n n 3"], side: int = SIDE) -> UInt8[np.ndarray, "m m 3"]:
    """Return a picture of the given side; pixels are repeated, nothing is smoothed."""
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST))


def order_picture(m1: Complex[np.ndarray, "n n"], length: float) -> UInt8[np.ndarray, "m m 3"]:
    """Return |m1| as brightness with directors and defects."""
    side = SIDE * FINE
    grey = np.round(255 * np.clip(upright(np.abs(m1)), 0, 1)).astype(np.uint8)
    image = Image.fromarray(resized(np.stack([grey] * 3, -1), side))
    draw = ImageDraw.Draw(image)
    for ends in director_ends(m1) * side:
        draw.line([tuple(end) for end in ends], fill=DIRECTOR, width=round(1.6 * FINE))
    found = defects(m1, length)
    radius = 5 * FINE
    # the fields' points lie at the lower left corners of the cells that are drawn as pixels: half a cell on
    half = 0.5 / len(m1)
    for x, y, charge in zip(found.x / length + half, found.y / length + half, found.charge, strict=True):
        _mark(draw, (x % 1) * side, (1 - y % 1) * side, radius, charge > 0)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def director_ends(m1: Complex[np.ndarray, "n n"]) -> Float[np.ndarray, "lines 2 2"]:
    """Return both ends of a line along the director at about LINES places a side, in units of the picture, y downwards.

    The director's angle is arg(m1) / 2; a line is the longer the higher the order, and can be seen at any.
    """
    stride = max(1, len(m1) // LINES)
    picked = m1[stride // 2 :: stride, stride // 2 :: stride]
    places = (np.arange(len(m1)) + 0.5)[stride // 2 :: stride] / len(m1)
    x, y = np.meshgrid(places, places, indexing="ij")
    length = LEAST_LENGTH + (1 - LEAST_LENGTH) * np.minimum(1, np.abs(picked))
    half = 0.46 * stride / len(m1) * length * np.exp(0.5j * np.angle(picked))
    ends = [np.stack([x + sign * half.real, 1 - (y + sign * half.imag)], -1) for sign in (-1, 1)]
    return np.stack(ends, -2).reshape(-1, 2, 2)


def _mark(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, positive: bool) -> None:
    """Draw a disc for +1/2 and a triangle for -1/2, with a white edge."""
    if positive:
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=PLUS, outline=EDGE, width=FINE)
        return
    corners = [(x + 1.25 * radius * np.sin(turn), y - 1.25 * radius * np.cos(turn)) for turn in 2 * np.pi / 3 * np.arange(3)]
    draw.polygon(corners, fill=MINUS_HALF, outline=EDGE, width=FINE)
