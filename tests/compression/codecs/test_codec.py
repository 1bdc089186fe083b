"""Whole pictures through the codec: shapes, types, codes bit for bit, layers, alpha, refusals in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference_decoder as reference
from tiny_models import make_model, texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.encoding import EncodeOptions
from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.rate_control import quality_code
from sciml.compression.coding.samples import samples_of
from sciml.compression.coding.tile_coding import CodedTile
from sciml.compression.container.alpha import encode_alpha
from sciml.compression.container.file import Channel, Limits, read_container, write_container
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

SIZES = [(1, 1), (1, 7), (7, 1), (63, 65), (64, 64), (200, 3), (16, 17)]
DTYPES = [np.uint8, np.uint16, np.float32]
LARGE = {np.uint8: 1, np.uint16: 257, np.float32: 0.01}


def picture(rows: int, columns: int, channels: int | None, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    """Return a texture of a type's range; without channels (rows, columns)."""
    found = texture(rows, columns, channels or 1, seed) * LARGE[dtype]
    found = found if dtype is np.float32 else np.rint(found)
    return found.astype(dtype) if channels else found.astype(dtype)[..., 0]


def psnr(found: np.ndarray, wanted: np.ndarray, peak: float = 255.0) -> float:
    return float(-10 * np.log10(np.mean((found.astype(float) - wanted) ** 2) / peak**2))


@pytest.mark.parametrize("part", [*range(4), *(pytest.param(part, marks=pytest.mark.slow) for part in range(4, 10))])
def test_two_hundred_pictures_come_back_with_the_codes_of_the_encoder(
    colour_codec: Codec, grey_codec: Codec, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # several tiles too keep what the encoder chose
    monkeypatch.setattr(CodedTile, "without_planes", lambda tile: tile)
    generator = np.random.default_rng(part)
    for number in range(20):
        rows, columns = SIZES[number] if number < len(SIZES) else generator.integers(1, 40, 2)
        codec = (colour_codec, grey_codec)[generator.integers(2)]
        dtype = DTYPES[generator.integers(3)]
        choices = [None, 3] if codec is colour_codec else [None]
        if codec is colour_codec and dtype is not np.float32:
            choices += [2, 4]
        image = picture(rows, columns, choices[generator.integers(len(choices))], dtype, seed=number)
        samples = samples_of(image, codec.model)
        tile_log2 = int(generator.choice([0, 0, 0, 5]))
        encoded = codec.encode_samples(samples, quality_code(generator.uniform(1, 100)), EncodeOptions(tile_log2=tile_log2))
        found = codec.decode(encoded.data)
        assert found.shape == image.shape
        assert found.dtype == image.dtype
        codes = codec.codes(encoded.data)
        assert len(codes) == len(encoded.tiles)
        for one, tile in zip(codes, encoded.tiles, strict=True):
            assert one.dtype == tile.symbols.dtype
            assert np.array_equal(one, tile.symbols)
        assert encoded.bpp == 8 * len(encoded.data) / (rows * columns)
        payload = sum(len(layer) for tile in encoded.tiles for layer in tile.layers)
        layers = sum(len(tile.layers) for tile in encoded.tiles)
        assert 8 * payload <= 1.004 * encoded.ideal_bits + 64 * layers


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (40, 70)])
def test_the_decoder_in_python_finds_the_same_codes(colour_codec: Codec, rows: int, columns: int) -> None:
    data = colour_codec.encode(picture(rows, columns, 3), quality=60)
    container = read_container(data)
    arrays = colour_codec.model.arrays()
    slow = reference.decode_tile(arrays, container.header.quality, container.tiles[0], -(-rows // 16), -(-columns // 16))
    codes = colour_codec.codes(data)[0]
    assert np.abs(codes).max() > 3
    assert np.array_equal(codes.reshape(len(codes), -1), slow)


def test_both_sets_of_a_model_are_used(colour_codec: Codec) -> None:
    image = picture(48, 48, 3)
    coarse, fine = (read_container(colour_codec.encode(image, quality=quality)).header.quality for quality in (10, 90))
    assert (coarse, fine) == (0, 1)


def test_equal_pictures_give_equal_bytes(colour_codec: Codec) -> None:
    image = picture(63, 65, 3)
    data = colour_codec.encode(image)
    assert colour_codec.encode(np.asfortranarray(image)) == data
    assert colour_codec.encode(np.flip(np.flip(image).copy())) == data


def test_quality_trades_bytes_for_error(colour_codec: Codec) -> None:
    image = picture(96, 96, 3)
    files = [colour_codec.encode(image, quality=quality) for quality in (5, 35, 65, 95)]
    assert (np.diff([len(data) for data in files]) > 0).all()
    errors = [psnr(colour_codec.decode(data), image) for data in files]
    assert (np.diff(errors) > 0).all()
    assert errors[-1] > 38


def test_every_layer_adds_to_the_picture(colour_codec: Codec) -> None:
    image = picture(128, 96, 3, seed=4)
    data = colour_codec.encode(image, quality=85)
    container = read_container(data)
    count = container.header.layers
    assert count == 4
    found = [psnr(colour_codec.decode(data, layers=layer), image) for layer in range(1, count + 1)]
    assert (np.diff(found) > 0.02).all()
    assert np.array_equal(colour_codec.decode(data, layers=count), colour_codec.decode(data))
    # a file cut behind a layer gives what the layers before it give
    cut = read_container(data[: -len(container.tiles[0][3]) - 2], salvage=True)
    assert cut.intact_layers == (3,)
    assert np.array_equal(colour_codec.decode_container(cut), colour_codec.decode(data, layers=3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_exact(colour_codec: Codec, channels: int, dtype) -> None:
    image = picture(40, 33, channels, dtype)
    image[..., -1] = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (40, 33), endpoint=True)
    found = colour_codec.decode(colour_codec.encode(image))
    assert np.array_equal(found[..., -1], image[..., -1])
    assert psnr(found[..., :-1], image[..., :-1], np.iinfo(dtype).max) > 25


def test_neighbouring_slices_are_channels_and_one_slice_is_taken_too() -> None:
    codec = Codec(make_model(4, steps=(0.2,), count=2, side=96))
    slab = (257 * texture(40, 50, 4, seed=3)).astype(np.uint16)
    for picture in (slab, slab[..., 0]):
        found = codec.decode(codec.encode(picture, quality=100))
        assert found.dtype == np.uint16 and found.shape == picture.shape
        assert np.abs(found.astype(float) - picture).mean() < 0.03 * 65535
    with pytest.raises(ShapeError, match="the picture has 3 channels: the model tiny codes 1 or 4"):
        codec.encode(slab[..., :3])


def test_axes_and_types_that_do_not_come_back(grey_codec: Codec) -> None:
    image = picture(20, 30, 1, np.float32)
    assert grey_codec.decode(grey_codec.encode(image)).shape == (20, 30)
    assert grey_codec.decode(grey_codec.encode(image.astype(np.float64))).dtype == np.float32
    assert grey_codec.encode(image) == grey_codec.encode(image[..., 0].astype(np.float64))


@pytest.mark.parametrize("value", [0.0, 7.0, -1e-12, 3e38])
def test_a_constant_picture_keeps_its_value(grey_codec: Codec, value: float) -> None:
    image = np.full((20, 30), value, np.float32)
    assert np.abs(grey_codec.decode(grey_codec.encode(image, quality=1)) - image).max() <= 1e-6 * (abs(value) or 1)


def test_values_of_any_range_come_back_in_proportion(grey_codec: Codec) -> None:
    image = picture(64, 64, None, np.float32, seed=3)
    for size in (1e-30, 1.0, 1e30):
        found = grey_codec.decode(grey_codec.encode(image * np.float32(size), quality=80)) / size
        assert psnr(found, image, 2.55) > 30


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6, 1e-12])
def test_numbers_far_from_the_models_are_cut_and_stay_decodable(grey_codec: Codec, scale: float) -> None:
    noise = np.random.default_rng(0).standard_normal((48, 80)).astype(np.float32) * 100
    samples = samples_of(noise, grey_codec.model, (Channel(0, scale),))
    encoded = grey_codec.encode_samples(samples, quality_code(100))
    assert np.array_equal(grey_codec.codes(encoded.data)[0], encoded.tiles[0].symbols)
    assert np.isfinite(grey_codec.decode(encoded.data)).all()


def test_scales_and_profile_are_kept(grey_codec: Codec) -> None:
    scale = (Channel(-1024.0, 4.0, "HU"),)
    image = picture(32, 32, None, np.uint16)
    container = read_container(grey_codec.encode(image, scale=scale, icc_profile=b"profile", crc32=True))
    assert (container.header.channels, container.icc_profile, container.header.crc32) == (scale, b"profile", True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused_with_their_count(colour_codec: Codec, value: float) -> None:
    image = picture(20, 30, 3, np.float32)
    image[3, 4:7, 1] = value
    with pytest.raises(DataError, match=r"^3 of 1800 samples are not finite"):
        colour_codec.encode(image)
    with pytest.raises(DataError, match="not finite in float32"):
        colour_codec.encode(np.full((2, 2), 1e300))


BAD_PICTURES = {
    "no pixels": (np.zeros((0, 5, 3), np.uint8), DataError, "at least one pixel"),
    "bool": (np.zeros((5, 5), bool), DataError, "bool"),
    "int64": (np.zeros((5, 5), int), DataError, "int64"),
    "one axis": (np.zeros(5, np.uint8), ShapeError, "shape"),
    "four axes": (np.zeros((1, 5, 5, 3), np.uint8), ShapeError, "shape"),
    "five channels": (np.zeros((5, 5, 5), np.uint8), ShapeError, "5 channels"),
    "floats with alpha": (np.zeros((5, 5, 4), np.float32), ShapeError, "4 channels"),
}


@pytest.mark.parametrize(("image", "error", "words"), BAD_PICTURES.values(), ids=BAD_PICTURES)
def test_what_is_no_picture_is_refused(colour_codec: Codec, image: np.ndarray, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        colour_codec.encode(image)


def test_scales_that_fit_no_file_are_refused(colour_codec: Codec) -> None:
    image = picture(5, 5, 3)
    for scale in ((Channel(0.0, 0.0),) * 3, (Channel(float("nan")),) * 3):
        with pytest.raises(FormatError, match="channel 0"):
            colour_codec.encode(image, scale=scale)
    with pytest.raises(ShapeError, match="2 scales for 3"):
        colour_codec.encode(image, scale=(Channel(),) * 2)


def test_files_that_this_model_cannot_decode_are_refused(colour_codec: Codec, grey_codec: Codec) -> None:
    data = colour_codec.encode(picture(20, 20, 3))
    with pytest.raises(FormatError, match=f"{colour_codec.model_id.hex()}.*{grey_codec.model_id.hex()}"):
        grey_codec.decode(data)
    with pytest.raises(FormatError, match="pixels"):
        Codec(colour_codec.model, Limits(pixels=399)).decode(data)
    container = read_container(data)
    header, tiles = container.header, container.tiles
    changed = {
        "table set 2": ({"quality": 2}, tiles),
        "5 layers": ({}, [[*tiles[0], b"", b""][:5]]),
        "2 channels": ({"channels": (Channel(), Channel())}, tiles),
        "32-bit words": ({}, [[tiles[0][0] + b"\0", *tiles[0][1:]]]),
    }
    for words, (fields, layers) in changed.items():
        bad = write_container(header.__class__(**{**vars(header), **fields}), layers)
        with pytest.raises(FormatError, match=words):
            colour_codec.decode(bad)
    wrong = write_container(header.__class__(**{**vars(header), "codes_crc": 1}), tiles)
    for read in (colour_codec.decode, colour_codec.codes):
        with pytest.raises(FormatError, match="checksum"):
            read(wrong)
    # with fewer layers there is nothing to compare
    assert colour_codec.decode(wrong, layers=1).shape == (20, 20, 3)


def test_fewer_than_one_layer_is_refused(colour_codec: Codec) -> None:
    data = colour_codec.encode(picture(20, 20, 3))
    for layers in (0, -1):
        with pytest.raises(ConfigError, match="at least 1"):
            colour_codec.decode(data, layers=layers)


def test_an_alpha_plane_of_another_size_is_refused(colour_codec: Codec) -> None:
    container = read_container(colour_codec.encode(picture(20, 20, 4)))
    bad = write_container(container.header, container.tiles, encode_alpha(np.arange(90, dtype=np.uint8).reshape(9, 10)))
    with pytest.raises(FormatError):
        colour_codec.decode(bad)


@pytest.mark.parametrize(("planes", "stops"), [(24, [8, 24]), (25, [8, 24, 25]), (88, [8, 24, 88]), (400, [8, 24, 88, 400])])
def test_layers_end_at_fixed_planes(colour_model: CodecModel, planes: int, stops: list[int]) -> None:
    rules = replace(colour_model.sets[0].rules, sources=np.zeros((planes, 10), int) - 1, **rest_of(planes))
    layers = StepSet(0.5, rules, colour_model.sets[0].tables).layers()
    assert [part.stop for part in layers] == stops
    assert [part.start for part in layers] == [0, *stops[:-1]]


def rest_of(planes: int) -> dict[str, np.ndarray]:
    """Return weights of 0 for so many planes."""
    shapes = {"spread_rest": (planes - 8, 3, 27), "floor_rest": (planes - 8, 3), "centroids": (planes, 4)}
    shapes |= {"chroma": (0, 3), "twins": (0, 2)}
    return {name: np.zeros(shape, int) for name, shape in shapes.items()}
