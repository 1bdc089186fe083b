"""Alpha planes: lossless, small where they are simple, and never larger than the plane when decoded."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sciml.compression.container.alpha import decode_alpha, encode_alpha
from sciml.runtime.errors import FormatError

ROWS, COLUMNS = np.mgrid[:60, :80]
DISC = np.where((ROWS - 30) ** 2 + (COLUMNS - 40) ** 2 < 600, 255, 0).astype(np.uint8)
PLANES = {
    "disc": DISC,
    "slope": (1000 * ROWS).astype(np.uint16),
    "walks": np.cumsum(np.random.default_rng(0).choice([0, 3], (60, 80)), axis=1).astype(np.uint8),
    "plane": (3 * COLUMNS + 2 * ROWS).astype(np.uint8),
    "noise": np.random.default_rng(0).integers(0, 65536, (60, 80), dtype=np.uint16),
}


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


@settings(max_examples=100, deadline=None)
@given(arrays(st.sampled_from([np.uint8, np.uint16]), st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_round_trip(plane: np.ndarray):
    found = decode_alpha(encode_alpha(plane), *plane.shape)
    assert found.dtype == plane.dtype
    assert np.array_equal(found, plane)


@pytest.mark.parametrize("name", PLANES)
def test_shapes_that_alpha_has(name: str):
    plane = PLANES[name]
    # the order in memory does not matter
    for given_ in (plane, np.asfortranarray(plane), plane[:, ::-1][:, ::-1]):
        payload = encode_alpha(given_)
        assert np.array_equal(decode_alpha(payload, 60, 80), plane)
    assert len(payload) < {"noise": plane.nbytes + 20, "walks": plane.nbytes / 5}.get(name, plane.nbytes / 20)


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (np.uint8(255), b"\x00"),
        (np.uint8(7), b"\x01\x07"),
        (np.uint16(65535), b"\x10"),
        (np.uint16(258), b"\x11\x02\x01"),
    ],
)
def test_constant_planes_take_one_to_three_bytes(value: np.generic, payload: bytes):
    plane = np.full((300, 200), value)
    assert encode_alpha(plane) == payload
    assert np.array_equal(decode_alpha(payload, 300, 200), plane)


@pytest.mark.parametrize(
    ("method", "plane"),
    [(2, PLANES["noise"] & 1), (3, PLANES["walks"]), (4, PLANES["walks"].T), (5, PLANES["plane"])],
)
def test_the_filter_follows_the_plane(method: int, plane: np.ndarray):
    assert encode_alpha(plane)[0] & 0x0F == method


@pytest.mark.parametrize(
    "plane", [np.zeros((0, 3), np.uint8), np.zeros((2, 2, 1), np.uint8), np.zeros((2, 2)), np.zeros((2, 2), int)]
)
def test_other_arrays_are_refused(plane: np.ndarray):
    with pytest.raises(Exception, match=r"alpha has shape|plane"):
        encode_alpha(plane)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "empty"),
        (b"\x00\x00", "has 2 bytes: expected 1"),
        (b"\x01", "has 1 bytes: expected 2"),
        (b"\x11\x01", "has 2 bytes: expected 3"),
        (b"\x06", "method 0x06"),
        (b"\x20", "method 0x20"),
        (b"\x02", "cannot hold"),
        (b"\x02\xff\xff\xff", "is damaged"),
        (b"\x02" + raw_deflate(bytes(11)), "holds 11 bytes: expected 12"),
        (b"\x02" + raw_deflate(bytes(13)), "more than 12"),
        (b"\x02" + raw_deflate(bytes(12))[:-1], "unfinished"),
        (b"\x12" + raw_deflate(bytes(12)), "holds 12 bytes: expected 24"),
        (b"\x02" + raw_deflate(bytes(12)) + b"x", "1 bytes follow"),
        (b"\x02" + zlib.compress(bytes(12)), "alpha"),
    ],
)
def test_damaged_payloads_are_refused(payload: bytes, words: str):
    with pytest.raises(FormatError, match=words):
        decode_alpha(payload, 3, 4)


def test_a_bomb_gives_no_more_than_the_plane():
    bomb = b"\x02" + raw_deflate(bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="more than 10000"):
            decode_alpha(bomb, 100, 100)
        with pytest.raises(FormatError, match="cannot hold"):
            decode_alpha(b"\x02" + bytes(20), 60000, 60000)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_seeded_damage_raises_or_keeps_the_shape():
    generator = np.random.default_rng(1)
    payload = encode_alpha(DISC)
    for _ in range(500):
        damaged = bytearray(payload)
        damaged[generator.integers(len(damaged))] ^= 1 << generator.integers(8)
        try:
            found = decode_alpha(bytes(damaged[: generator.integers(1, len(damaged) + 1)]), *DISC.shape)
        except FormatError:
            continue
        assert found.shape == DISC.shape
