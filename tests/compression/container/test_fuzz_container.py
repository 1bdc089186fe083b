"""Two thousand seeded mutations: every one is refused or changes nothing, at once and in little memory."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sciml.compression.container.bytes import pack_header
from sciml.compression.container.file import (
    Channel,
    Container,
    Header,
    Limits,
    layer_offsets,
    read_container,
    read_header,
    write_container,
)
from sciml.runtime.errors import FormatError

MODEL = b"\x00\xff\n\r\x8e345"
MUTATIONS = 2000
MOST_BYTES = 2_000_000
MOST_SECONDS = 0.5


def samples() -> dict[str, bytes]:
    """Return files that cover all parts of the format."""
    draw = np.random.default_rng(0).bytes
    photo = Header(MODEL, 96, 64, quality=4, quantiser_code=20_000)
    tiled = Header(MODEL, 70, 40, (Channel(unit="µm"), Channel(-1.5, 2.0)), "f32", tile_log2=5, codes_crc=1, reconstruction_crc=2)
    return {
        "photo": write_container(photo, [[draw(40), draw(40), draw(150)]]),
        "strong": write_container(
            replace(photo, crc32=True, roi=True), [[draw(9), b"", draw(20)]], alpha=draw(30), icc_profile=draw(30)
        ),
        "tiled": write_container(tiled, [[draw(12), draw(12)] for _ in range(6)], alpha=b"\0"),
        "blank": write_container(replace(photo, width=1, height=1), [[b"", b""]]),
    }


SAMPLES = samples()
Mutation = Callable[[bytearray, np.random.Generator], bytes]


def head_size(data: bytes | bytearray) -> int:
    return len(pack_header(read_header(data)))


def flip_bits(data: bytearray, generator: np.random.Generator) -> bytes:
    for _ in range(generator.integers(1, 5)):
        data[generator.integers(len(data))] ^= 1 << generator.integers(8)
    return bytes(data)


def put_bytes(data: bytearray, generator: np.random.Generator) -> bytes:
    start = generator.integers(len(data))
    data[start : start + generator.integers(1, 20)] = generator.bytes(generator.integers(0, 20))
    return bytes(data)


def cut(data: bytearray, generator: np.random.Generator) -> bytes:
    return bytes(data[: generator.integers(len(data))])


def extend(data: bytearray, generator: np.random.Generator) -> bytes:
    return bytes(data) + generator.bytes(generator.integers(1, 40))


def swap_layers(data: bytearray, generator: np.random.Generator) -> bytes:
    """Exchange two layers with their checksums; of equal length in most samples, which only the place in the checksum shows."""
    header = read_header(data)
    check = 4 if header.crc32 else 2
    starts = np.ravel(layer_offsets(header))
    sizes = np.ravel(header.lengths) + check
    first, second = sorted(generator.choice(len(starts), 2, replace=False))
    a, b = slice(starts[first], starts[first] + sizes[first]), slice(starts[second], starts[second] + sizes[second])
    return bytes(data[: a.start] + data[b] + data[a.stop : b.start] + data[a] + data[b.stop :])


def forge_header(data: bytearray, generator: np.random.Generator) -> bytes:
    """Write random numbers into the header, then a CRC32 that fits."""
    size = head_size(data) - 4
    place, count = generator.integers(4, size), generator.integers(1, 5)
    values = (generator.bytes(count), b"\xff" * count, bytes(count))[generator.integers(3)]
    head = bytes(data[:place]) + values + bytes(data[place + count : size])
    head = head[:size]
    return head + zlib.crc32(head).to_bytes(4, "little") + bytes(data[size + 4 :])


def huge_numbers(data: bytearray, generator: np.random.Generator) -> bytes:
    """Claim sizes of 4 GB: in the fixed fields, or as lengths in a table that goes on and on."""
    size = head_size(data) - 4
    if generator.integers(2):
        place = generator.choice([14, 18])
        data[place : place + 4] = b"\xff" * 4
        head = bytes(data[:size])
    else:
        data[26:28] = bytes([generator.integers(1, 256), generator.integers(0, 16)])
        head = bytes(data[:28]) + b"\xff\xff\xff\xff\x0f" * int(generator.integers(1, 200))
    return head + zlib.crc32(head).to_bytes(4, "little") + bytes(data[size + 4 :])


def other_model(data: bytearray, generator: np.random.Generator) -> bytes:
    data[6:14] = generator.bytes(8)
    head = bytes(data[: head_size(SAMPLES["photo"]) - 4]) if generator.integers(2) else b""
    return head + zlib.crc32(head).to_bytes(4, "little") + bytes(data[len(head) + 4 :]) if head else bytes(data)


def mix_files(data: bytearray, generator: np.random.Generator) -> bytes:
    other = list(SAMPLES.values())[generator.integers(len(SAMPLES))]
    return bytes(data[: head_size(data)]) + other[head_size(other) :]


def empty_layer(data: bytearray, generator: np.random.Generator) -> bytes:
    """Set a length to 0 with a CRC32 that fits; the payload stays or goes."""
    header = read_header(data)
    tile, layer = generator.integers(len(header.lengths)), generator.integers(header.layers)
    lengths = [list(sizes) for sizes in header.lengths]
    start, size = layer_offsets(header)[tile][layer], lengths[tile][layer]
    lengths[tile][layer] = 0
    packed = pack_header(replace(header, lengths=tuple(map(tuple, lengths))))
    rest = data[head_size(data) : start] + data[start + size * int(generator.integers(2)) :]
    return packed + bytes(rest)


CHANGES: tuple[Mutation, ...] = (
    flip_bits,
    put_bytes,
    cut,
    extend,
    swap_layers,
    forge_header,
    huge_numbers,
    other_model,
    mix_files,
    empty_layer,
)


def check(mutated: bytes, original: Container, same: bool) -> None:
    """Require a refusal, or exactly the original; and that what is salvaged was in the original."""
    start = time.process_time()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        assert read_container(mutated) == original
        assert same
    except FormatError as error:
        assert not same
        assert "\n" not in str(error)
        assert error.exit_code == 2
    try:
        salvaged = read_container(mutated, salvage=True)
    except FormatError:
        salvaged = None
    assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES
    assert time.process_time() - start < MOST_SECONDS
    if salvaged is None:
        return
    assert bool(salvaged.damage) != same
    if salvaged.header == original.header:
        assert salvaged.alpha in (None, original.alpha)
        assert salvaged.icc_profile in (None, original.icc_profile)
        for found, whole in zip(salvaged.tiles, original.tiles, strict=True):
            assert found == whole[: len(found)]
    else:
        # a forged header: no payload passes under it
        assert not any(salvaged.intact_layers)
        assert salvaged.alpha is None
        assert salvaged.icc_profile is None


@pytest.fixture(autouse=True)
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_mutations(change: Mutation):
    generator = np.random.default_rng(zlib.crc32(change.__name__.encode()))
    originals = {name: read_container(data) for name, data in SAMPLES.items()}
    names = list(SAMPLES)
    refused = 0
    for number in range(MUTATIONS // len(CHANGES)):
        name = names[number % len(names)]
        mutated = change(bytearray(SAMPLES[name]), generator)
        check(mutated, originals[name], mutated == SAMPLES[name])
        refused += mutated != SAMPLES[name]
    assert refused > MUTATIONS // len(CHANGES) / 2


@pytest.mark.parametrize("name", SAMPLES)
def test_every_cut_and_every_bit(name: str):
    data = SAMPLES[name]
    original = read_container(data)
    for size in range(len(data)):
        check(data[:size], original, False)
    for place in range(len(data)):
        mutated = bytearray(data)
        mutated[place] ^= 1 << place % 8
        check(bytes(mutated), original, False)


@pytest.mark.parametrize("start", [b"", b"\x89PNG\r\n\x1a\n", b"\x8eNIC", b"\x8eNIC\1"])
def test_other_content(start: bytes):
    generator = np.random.default_rng(2)
    for size in (0, 1, 10, 50, 1000, 100_000):
        with pytest.raises(FormatError):
            read_container(start + generator.bytes(size))


def test_damage_with_the_strong_checksum_is_always_found():
    data = SAMPLES["strong"]
    generator = np.random.default_rng(3)
    original = read_container(data)
    start = head_size(data)
    for _ in range(1000):
        mutated = bytearray(data)
        place = generator.integers(start, len(data))
        mutated[place : place + 8] = generator.bytes(len(mutated[place : place + 8]))
        check(bytes(mutated), original, bytes(mutated) == data)


def test_a_large_table_is_read_in_little_time_and_memory():
    header = Header(MODEL, 512, 512, tile_log2=4)
    limits = Limits(small_tiles=1024)
    data = write_container(header, [[b"x"] * 4] * 1024, limits=limits)
    start = time.process_time()
    assert read_container(data, limits).intact_layers == (4,) * 1024
    assert read_container(data[:-1], limits, salvage=True).intact_layers == (4,) * 1023 + (3,)
    assert time.process_time() - start < 4
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
