"""Large pictures part by part: an image at one place hardly depends on the picture far away.

Each part is computed with a halo around it, so that memory stays bounded and the transforms short. The halo is what a part's own
frame can spoil: twice the kernel, and the reach of the prior. It is cut off but for a strip over which neighbours fade into each
other: solvers stop at a tolerance, which would show as a line. Parts that are done can be kept in a folder, from which an
interrupted run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sciml.runtime.files import canonical_json, digest_bytes
from sciml.training.checkpoint import read_checkpoint, write_checkpoint
from sciml.training.weight_files import tensors_digest

SIDE = 1024
PRIOR_REACH = 16
# two parts fade into each other over so many pixels at each side of the line between them
FADE = 16
LEARNED_SIDE = 768
"""With a learned prior, whose quasi-Newton method holds some forty images in float64."""
Place = tuple[float, float]
Solve = Callable[[slice, slice, Place], Tensor]
OnPart = Callable[[int, int], None]


def in_tiles(
    size: tuple[int, int],
    kernel_size: int,
    margin: int,
    solve: Solve,
    side: int = SIDE,
    into: Tensor | None = None,
    on_part: OnPart | None = None,
) -> Tensor:
    """Return an image of the whole picture from images of its parts.

    Args:
        size: height and width of the picture.
        kernel_size: of the blur.
        margin: by which images are larger than the picture or part at each side, half the kernel for those on the canvas.
        solve: image of the part with these rows and columns of the picture, (1, channel, rows + 2 margin, columns + 2 margin);
            where its middle lies without the halo, from that of the picture, tells it apart from others with other kernels.
        side: of a part without its halo, about; a picture up to half as large again is solved as a whole.
        into: image of the whole picture that the parts are written over, one after the other; by default a new one.
        on_part: called with the number of parts done and of all, where there is more than one.
    """
    halo = 2 * kernel_size + PRIOR_REACH
    rows, columns = (parts_of(length, side) for length in size)
    if len(rows) == len(columns) == 1:
        return solve(slice(0, size[0]), slice(0, size[1]), (0.0, 0.0))
    whole, done, count = into, 0, len(rows) * len(columns)
    for top, bottom in rows:
        near, band = _near(top, bottom, size[0], halo), None
        for left, right in columns:
            beside = _near(left, right, size[1], halo)
            part = solve(near, beside, ((top + bottom - size[0]) / 2, (left + right - size[1]) / 2))
            if band is None:
                band = part.new_empty(*part.shape[:-1], size[1] + 2 * margin)
            _lay(part, band, -1, left, right, margin, beside.start)
            done += 1
            if on_part is not None:
                on_part(done, count)
        assert band is not None
        if whole is None:
            whole = band.new_empty(*band.shape[:-2], size[0] + 2 * margin, size[1] + 2 * margin)
        _lay(band, whole, -2, top, bottom, margin, near.start)
    assert whole is not None
    return whole


def once(solve: Callable[[], Tensor], folder: Path, identity: Mapping[str, Any], given: Mapping[str, Tensor | None]) -> Tensor:
    """Return an image, from the folder where it was computed from the same before; else it is computed and left there.

    Args:
        solve: computes it.
        folder: of images, made where it is missing.
        identity: JSON values that decide the image.
        given: arrays that decide it.

    Raises:
        FormatError: the image in the folder is damaged.
        ScimlError: the folder cannot be written.
    """
    arrays = {name: array.cpu().numpy() for name, array in given.items() if array is not None}
    identity = {**identity, "given": tensors_digest(arrays)}
    path = folder / f"part-{digest_bytes(canonical_json(identity).encode())[:16]}.safetensors"
    like = next(array for array in given.values() if array is not None)
    if path.exists():
        return torch.from_numpy(read_checkpoint(path, identity)[0]["image"]).to(like)
    found = solve()
    write_checkpoint(path, {"image": found.cpu().numpy()}, {}, identity)
    return found


def parts_of(length: int, side: int) -> list[tuple[int, int]]:
    """Return where the parts along one axis begin and end."""
    count = 1 if length <= 1.5 * side else math.ceil(length / side)
    ends = torch.linspace(0, length, count + 1).round().int().tolist()
    return list(pairwise(ends))


def _near(first: int, last: int, length: int, halo: int) -> slice:
    return slice(max(0, first - halo), min(length, last + halo))


def _lay(part: Tensor, over: Tensor, axis: int, first: int, last: int, margin: int, offset: int) -> None:
    """Write a part over an image along one axis, fading in over what was laid before it.

    Args:
        part: with its halo; it begins at `offset` of the image.
        over: the image.
        axis: along which the part is one of several.
        first: where the part itself begins on the picture.
        last: where it ends.
        margin: of the image around the picture, which the outer parts bring along.
        offset: in pixels.
    """
    length = over.shape[axis]
    begin = first + margin - FADE if first else 0
    end = last + margin + FADE if last + 2 * margin < length else length
    piece = part.narrow(axis, begin - offset, end - begin).clone()
    if first:
        ramp = (torch.arange(2 * FADE, dtype=part.dtype, device=part.device) + 0.5) / (2 * FADE)
        ramp = ramp.reshape(-1, *(1,) * (-axis - 1))
        piece.narrow(axis, 0, 2 * FADE).mul_(ramp).add_(over.narrow(axis, begin, 2 * FADE) * (1 - ramp))
    over.narrow(axis, begin, end - begin).copy_(piece)
