"""Hostile files with checksums that fit: what decodes payloads refuses them or gives a picture, soon and in little memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel
from sciml.compression.container.file import Channel, Container, Header, Limits, read_container, write_container
from sciml.runtime.errors import ConfigError, DataError, FormatError

MOST_SECONDS = 2.0
MOST_BYTES = 30_000_000
LIMITS = Limits(pixels=2**16)
CASES = 12
MANY_CASES = 300


@pytest.fixture(scope="module")
def codec(colour_model: CodecModel) -> Codec:
    return Codec(colour_model, LIMITS)


@pytest.fixture(scope="module")
def samples(codec: Codec) -> list[Container]:
    """Return files of all kinds, read."""
    image = np.rint(texture(40, 56, seed=1)).astype(np.uint8)
    alpha = np.dstack([image, image[..., 0]])
    files = [
        codec.encode(image, quality=70),
        codec.encode(alpha, quality=30, tile_log2=5),
        codec.encode(texture(33, 20, 1, 2), quality=90, crc32=True),
        codec.encode((image * 257.0).astype(np.uint16)[:1, :7], quality=50),
    ]
    return [read_container(data) for data in files]


@pytest.fixture(scope="module")
def exact(codec: Codec) -> list[Container]:
    """Return files without loss and within bounds, read."""
    image = np.rint(texture(40, 56, seed=1)).astype(np.uint8)
    files = [
        codec.encode(image[..., 0].astype(np.uint16) * 257, max_error=0),
        codec.encode(texture(33, 20, 1, 2), max_error=0.5),
        codec.encode(np.dstack([image, image[..., 0]]), max_error=3),
        codec.encode(np.tile(np.eye(8, dtype=np.uint8), (5, 7)), max_error=0),
    ]
    return [read_container(data) for data in files]


Layers = list[list[bytes]]
Change = Callable[[Container, Layers, np.random.Generator], dict]


def one_layer(layers: Layers, generator: np.random.Generator) -> tuple[list[bytes], int]:
    tile = layers[generator.integers(len(layers))]
    return tile, int(generator.integers(len(tile)))


def flip_bits(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    tile, place = one_layer(layers, generator)
    data = bytearray(tile[place])
    for _ in range(generator.integers(1, 6) if data else 0):
        data[generator.integers(len(data))] ^= 1 << generator.integers(8)
    tile[place] = bytes(data)
    return {}


def other_words(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    tile, place = one_layer(layers, generator)
    size = 4 * int(generator.integers(0, 60))
    tile[place] = (generator.bytes(size), b"\xff" * size, bytes(size))[generator.integers(3)]
    return {}


def cut_or_extend(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    tile, place = one_layer(layers, generator)
    longer = tile[place] + generator.bytes(int(generator.integers(0, 9)))
    size = int(generator.integers(len(longer) + 1))
    tile[place] = longer[: size if generator.integers(3) == 0 else size // 4 * 4]
    return {}


def exchange_layers(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    (one, first), (other, second) = one_layer(layers, generator), one_layer(layers, generator)
    one[first], other[second] = other[second], one[first]
    return {}


def another_size(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    width, height = (int(side) for side in generator.integers(1, 100, 2))
    fields = replace(container.header, width=width, height=height)
    count = fields.tile_rows * fields.tile_columns
    layers[:] = [layers[number % len(layers)] for number in range(count)]
    return {"width": width, "height": height}


def other_layers(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    count = int(generator.integers(1, 8))
    layers[:] = [[tile[number % len(tile)] for number in range(count)] for tile in layers]
    return {}


def other_numbers(container: Container, layers: Layers, generator: np.random.Generator) -> dict:
    number = lambda: float(generator.choice([1e308, -1e308, 5e-324, 1e38, -3.0, 0.5]))  # noqa: E731
    channels = tuple(Channel(number(), number()) for _ in range(generator.integers(1, 6)))
    return {
        "quality": int(generator.integers(0, 4)),
        "quantiser_code": int(generator.choice([0, 1, 300, 30000, 65535])),
        "channels": channels,
        "sample_type": ("u8", "u16", "f32")[generator.integers(3)],
    }


CHANGES: tuple[Change, ...] = (
    flip_bits,
    other_words,
    cut_or_extend,
    exchange_layers,
    another_size,
    other_layers,
    other_numbers,
)


def hostile(samples: list[Container], change: Change, cases: int) -> Iterator[tuple[Header, bytes]]:
    """Yield changed files whose checksums fit; every second says nothing of its codes."""
    generator = np.random.default_rng(cases)
    for case in range(cases):
        container = samples[case % len(samples)]
        layers = [list(tile) for tile in container.tiles]
        header = replace(container.header, **change(container, layers, generator))
        if case % 2 == 0:
            # without the checksum of the codes nothing but the words themselves can be refused
            header = replace(header, codes_crc=None)
        yield header, write_container(header, layers, container.alpha, container.icc_profile)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("cases", [CASES, pytest.param(MANY_CASES, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["samples", "exact"])
def test_hostile_payloads_are_refused_or_decoded(
    codec: Codec, kind: str, change: Change, cases: int, request: pytest.FixtureRequest
) -> None:
    samples, decoded = request.getfixturevalue(kind), 0
    for number, (header, data) in enumerate(hostile(samples, change, cases)):
        start = time.process_time()
        try:
            if number % 2:
                codec.codes(data)
            else:
                assert codec.decode(data).shape[:2] == (header.height, header.width)
                decoded += 1
        except FormatError as error:
            assert "\n" not in str(error)
        assert time.process_time() - start < MOST_SECONDS
    assert decoded or change in (other_numbers, cut_or_extend) or kind == "exact"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_hostile_payloads_take_little_memory(
    codec: Codec, samples: list[Container], exact: list[Container], change: Change
) -> None:
    for _, data in (*hostile(samples, change, 1), *hostile(exact, change, 2)):
        tracemalloc.start()
        with suppress(FormatError):
            codec.decode(data)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
        tracemalloc.stop()


def test_damaged_codes_do_not_pass_as_codes(codec: Codec, samples: list[Container]) -> None:
    container = samples[0]
    layers = [list(tile) for tile in container.tiles]
    layers[0][0] = layers[0][0][:-4]
    data = write_container(container.header, layers)
    for read in (codec.codes, codec.decode):
        with pytest.raises(FormatError, match="checksum"):
            read(data)
    without = write_container(replace(container.header, codes_crc=None), layers)
    assert codec.decode(without).shape == (40, 56, 3)


def test_nothing_is_allocated_for_a_claim_beyond_the_limits(codec: Codec, samples: list[Container]) -> None:
    container = samples[0]
    data = write_container(replace(container.header, width=11000, height=11000), [[b""] * 4])
    tracemalloc.start()
    for reader in (codec, Codec(codec.model)):
        with pytest.raises(FormatError, match="pixels"):
            reader.decode(data)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_nothing_is_allocated_for_a_picture_before_its_first_tile(colour_model: CodecModel) -> None:
    header = Header(colour_model.id, 11000, 9000, sample_type="f32", quality=1, tile_log2=10)
    layers = len(colour_model.sets[1].layers())
    whole = write_container(header, [[b"\xff" * 8] * layers] * 99)
    tracemalloc.start()
    with pytest.raises(FormatError, match="tile at row 0, column 0"):
        Codec(colour_model).decode(whole)
    # a tile's own planes and the file, not the picture's 1.2 GB
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_many_tiny_tiles_are_refused(codec: Codec) -> None:
    header = Header(codec.model_id, 1024, 1024, quality=0, tile_log2=4)
    tiles = [[b""] * 4] * 4096
    trusted = Limits(small_tiles=4096)
    data = write_container(header, tiles, limits=trusted)
    with pytest.raises(FormatError, match="4096 tiles, each of which takes its time: expected at most 528"):
        Codec(codec.model).decode(data)
    assert read_container(data, trusted).header.tile_rows == 64
    with pytest.raises(ConfigError, match=r"4096 tiles.*choose larger tiles"):
        Codec(codec.model).encode(np.zeros((1024, 1024, 3), np.uint8), tile_log2=4)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_a_lack_of_memory_is_said_in_words(codec: Codec, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.encode(np.zeros((20, 30, 3), np.uint8))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("sciml.compression.coding.picture_codec.to_samples", fail)
    with pytest.raises(DataError, match="not enough memory: 30 x 20 pixels of 3 channels take 0 MB"):
        codec.decode(data)
