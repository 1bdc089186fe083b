"""Tiles leave no seam: lapping crosses their borders, and however a picture is cut its pixels are the same to the bit."""

from __future__ import annotations

import tracemalloc
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from tiny_models import CENTRE, SPAN, random_network, texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding import assembly
from sciml.compression.coding.assembly import finish
from sciml.compression.coding.encoding import EncodeOptions
from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.rate_control import quality_code
from sciml.compression.coding.samples import samples_of
from sciml.compression.coding.tile_coding import tile_planes
from sciml.compression.container.file import layer_offsets, read_container
from sciml.compression.entropy.context import VALUE_UNITS


@pytest.mark.parametrize(("rows", "columns"), [(96, 64), (70, 91), (17, 33)])
@pytest.mark.parametrize("side", [16, 32])
def test_a_tile_has_the_planes_of_the_whole_picture(colour_model: CodecModel, rows: int, columns: int, side: int) -> None:
    picture = texture(rows, columns, seed=2)
    whole = tile_planes(colour_model, picture, 0, 0, rows, columns)
    for top in range(0, rows, side):
        for left in range(0, columns, side):
            height, width = min(side, rows - top), min(side, columns - left)
            first, before = max(top - 16, 0), max(left - 16, 0)
            part = picture[first : top + height + 16, left - (left - before) : left + width + 16]
            for source, down, right in ((picture, top, left), (part, top - first, left - before)):
                tile = tile_planes(colour_model, source, down, right, height, width)
                wanted = whole[:, top // 16 : -(-(top + height) // 16), left // 16 : -(-(left + width) // 16)]
                assert np.abs(tile - wanted).max() < 1e-5


def assembled(model: CodecModel, planes: np.ndarray, rows: list[int], columns: list[int], *refine) -> np.ndarray:
    """Return the picture of planes that arrive in pieces which end at these blocks; every pixel is written once."""
    pieces = (
        planes[:, top:bottom, left:right]
        for top, bottom in pairwise([0, *rows])
        for left, right in pairwise([0, *columns])
    )  # fmt: skip
    picture = np.full((16 * rows[-1], 16 * columns[-1], model.channels), np.nan, np.float32)
    ends = [[16 * end for end in ends] for ends in (rows, columns)]
    for top, left, numbers in finish(model, float(VALUE_UNITS), *ends, pieces, *refine):
        place = picture[top : top + len(numbers), left : left + numbers.shape[1]]
        assert np.isnan(place).all()
        place[:] = numbers
    return picture


ARRANGEMENTS = (
    ([24], [18]), ([3, 24], [17, 18]), (list(range(1, 25)), [18]), ([24], list(range(1, 19))), ([2, 4, 11, 24], [5, 6, 18]),
    (list(range(2, 25, 2)), list(range(3, 19, 3))),
)  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("cell", [(32, 2**30), (64, 2**30), (96, 40_000), (512, 2**30), (512, 10)])
def test_no_pixel_knows_how_the_picture_was_cut(
    colour_model: CodecModel, grey_model: CodecModel, channels: int, cell: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = colour_model if channels == 3 else grey_model
    monkeypatch.setattr(assembly, "CELL", cell[0])
    monkeypatch.setattr(assembly, "KEPT_BYTES", cell[1])
    network = random_network(channels, 2)
    refine = partial(network.apply_to, step=0.3), network.reach
    picture = texture(16 * 24, 16 * 18, channels, seed=3)
    planes = tile_planes(model, picture, 0, 0, *picture.shape[:2])
    plain = assembled(model, planes, *ARRANGEMENTS[0])
    assert np.abs(plain - picture).max() < 1e-2
    whole = assembled(model, planes, *ARRANGEMENTS[0], *refine)
    assert np.abs(whole - picture).max() > 0.02 * SPAN
    for rows, columns in ARRANGEMENTS[1:]:
        # the same bits, not nearly the same
        assert np.array_equal(assembled(model, planes, rows, columns), plain)
        assert np.array_equal(assembled(model, planes, rows, columns, *refine), whole)
    monkeypatch.undo()
    assert np.abs(assembled(model, planes, *ARRANGEMENTS[0], *refine) - whole).max() / SPAN < 1e-5


def test_what_is_held_does_not_grow_with_the_picture(grey_model: CodecModel) -> None:
    rows, columns = [64 * end for end in range(1, 9)], [64 * end for end in range(1, 65)]
    held = []
    for count in (4, 64):
        pieces = (np.zeros((24, 4, 4), np.int16) for _ in range(8 * count))
        tracemalloc.start()
        for _ in finish(grey_model, 1.0, rows, columns[:count], pieces):
            pass
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert assembly.cell_height(2**16, 3, 32) * 3 * 4 * 2**16 < assembly.KEPT_BYTES
    assert held[1] < held[0] + 2 * 4 * columns[-1] * (assembly.CELL + 64)


def test_a_file_of_tiles_with_a_network_is_refined_as_a_whole(colour_model: CodecModel) -> None:
    network = random_network(3, 2)
    model = CodecModel("refined", colour_model.transform, CENTRE, SPAN, colour_model.sets, network)
    codec, plain = Codec(model), Codec(model, refine=False)
    image = texture(150, 70, seed=6)
    data = plain.encode(image, quality=60, tile_log2=5)
    linear = plain.decode(data)
    header = read_container(data).header
    # the network ran over whole blocks: compare away from the right and lower border
    offset, scale = header.channels[0].offset, header.channels[0].scale
    numbers = (linear - offset) / scale
    inner = ((numbers - CENTRE) / SPAN).astype(np.float32)
    padded = np.pad(inner, ((0, -150 % 16), (0, -70 % 16), (0, 0)), mode="edge")
    wanted = network.apply_to(padded, 2.0 ** (-header.quantiser_code / 256))[:110, :30] * SPAN + CENTRE
    found = ((codec.decode(data) - offset) / scale)[:110, :30]
    assert np.abs(found - wanted).max() / SPAN < 1e-4
    assert np.abs(found - numbers[:110, :30]).max() / SPAN > 1e-2


def step_across(picture: np.ndarray, side: int) -> tuple[float, float]:
    """Return the mean square of differences of neighbours across tile borders, and elsewhere."""
    inside, across = [], []
    for axis in (0, 1):
        differences = np.square(np.diff(picture.astype(float), axis=axis)).mean((1 - axis, 2))
        border = (np.arange(len(differences)) + 1) % side == 0
        across.append(differences[border].mean())
        inside.append(differences[~border].mean())
    return float(np.mean(across)), float(np.mean(inside))


@pytest.mark.parametrize("quality", [25, 60])
def test_steps_across_tile_borders_are_as_elsewhere(colour_codec: Codec, quality: int) -> None:
    image = texture(256, 256, seed=4)
    error = colour_codec.decode(colour_codec.encode(image, quality=quality, tile_log2=6)) - image
    across, inside = step_across(error, 64)
    assert across**0.5 <= 1.1 * inside**0.5


def test_tiles_change_the_coding_alone(colour_codec: Codec) -> None:
    image = texture(128, 96, seed=9)
    samples = samples_of(image, colour_codec.model)
    code = quality_code(60)
    one, many = (colour_codec.encode_samples(samples, code, EncodeOptions(tile_log2=size)) for size in (0, 5))
    whole, tiled = (colour_codec.decode(item.data) for item in (one, many))
    error = [np.square(item - image).mean() for item in (whole, tiled)]
    assert error[1] == pytest.approx(error[0], rel=0.1)
    assert 0 < np.square(tiled - whole).mean() < 1.5 * error[0]
    assert many.ideal_bits == pytest.approx(one.ideal_bits, rel=0.25)


def test_a_tile_decodes_alone(colour_codec: Codec) -> None:
    data = colour_codec.encode(np.rint(texture(96, 64, seed=1)).astype(np.uint8), tile_log2=5)
    container = read_container(data)
    assert len(container.tiles) == 6
    whole = colour_codec.decode(data)
    damaged = bytearray(data)
    damaged[layer_offsets(container.header)[5][0]] ^= 1
    salvaged = read_container(bytes(damaged), salvage=True)
    assert salvaged.intact_layers == (*[container.header.layers] * 5, 0)
    found = colour_codec.decode_container(salvaged)
    changed = np.argwhere((found != whole).any(2))
    # lapping takes the loss 8 pixels over the last tile's border
    assert (changed.min(0) >= [64 - 8, 32 - 8]).all()
