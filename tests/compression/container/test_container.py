"""Files of the learned codec: round trips, sizes, refusals in words, salvage, layout, and the vector of the documentation."""

from __future__ import annotations

import binascii
import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.compression.container.bytes import pack_header, varint
from sciml.compression.container.file import (
    Channel,
    Container,
    Header,
    Limits,
    file_bytes,
    layer_offsets,
    layer_table,
    read_container,
    read_header,
    read_tile,
    tile_layout,
    write_container,
)
from sciml.runtime.errors import FormatError

MODEL = bytes(range(1, 9))
PHOTO = Header(MODEL, 768, 512, quality=3, quantiser_code=4711)
TILED = Header(MODEL, 40, 20, tile_log2=4, codes_crc=0xDEADBEEF, channels=(Channel(-1024.0, 0.5, "HU"), Channel()))
PAGE = Path(__file__).parents[3] / "docs" / "compression_format.md"


def payloads(header: Header, layers: int = 3) -> list[list[bytes]]:
    """Return different payloads of 1, 2, ... bytes for each tile."""
    tiles = header.tile_rows * header.tile_columns
    return [[bytes([16 * tile + layer]) * (layer + 1) for layer in range(layers)] for tile in range(tiles)]


def forged(data: bytes, changes: dict[int, bytes]) -> bytes:
    """Return a file with other bytes in its header and a CRC32 that fits them."""
    size = len(pack_header(read_header(data)))
    head = bytearray(data[: size - 4])
    for place, values in changes.items():
        head[place : place + len(values)] = values
    return bytes(head) + zlib.crc32(head).to_bytes(4, "little") + data[size:]


@st.composite
def containers(draw) -> Container:
    number = st.floats(allow_nan=False, allow_infinity=False)
    unit = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=16).filter(lambda text: len(text.encode()) <= 16)
    channel = st.builds(Channel, number, number.filter(bool), unit) | st.just(Channel())
    crc = st.none() | st.integers(0, 2**32 - 1)
    header = Header(
        model_id=draw(st.binary(min_size=8, max_size=8)),
        width=draw(st.integers(1, 70)),
        height=draw(st.integers(1, 70)),
        channels=tuple(draw(st.lists(channel, min_size=1, max_size=16))),
        sample_type=draw(st.sampled_from(["u8", "u16", "f32"])),
        quality=draw(st.integers(0, 255)),
        quantiser_code=draw(st.integers(0, 65535)),
        tile_log2=draw(st.sampled_from([0, 5, 6, 15])),
        crc32=draw(st.booleans()),
        roi=draw(st.booleans()),
        codes_crc=draw(crc),
        reconstruction_crc=draw(crc),
    )
    layers = draw(st.integers(1, 4))
    count = header.tile_rows * header.tile_columns
    tiles = tuple(tuple(draw(st.binary(max_size=200)) for _ in range(layers)) for _ in range(count))
    extra = st.none() | st.binary(min_size=1, max_size=300)
    return Container(header, tiles, draw(extra), draw(extra))


@settings(max_examples=100, deadline=None)
@given(containers())
def test_round_trip(given_: Container):
    data = write_container(given_.header, given_.tiles, given_.alpha, given_.icc_profile)
    found = read_container(data)
    lengths = tuple(tuple(map(len, tile)) for tile in given_.tiles)
    sizes = {"alpha_bytes": given_.alpha and len(given_.alpha), "profile_bytes": given_.icc_profile and len(given_.icc_profile)}
    assert found == replace(given_, header=replace(given_.header, lengths=lengths, **sizes))
    assert write_container(found.header, found.tiles, found.alpha, found.icc_profile) == data
    assert read_container(memoryview(data), salvage=True) == found
    size = len(pack_header(found.header))
    assert read_header(data[:size]) == found.header
    with pytest.raises(FormatError, match="ends after"):
        read_header(data[: size - 1])
    assert found.intact_layers == (found.header.layers,) * len(found.tiles)
    for tile, starts in enumerate(layer_offsets(found.header)):
        assert read_tile(data, found.header, tile) == found.tiles[tile]
        for layer, start in enumerate(starts):
            payload = found.tiles[tile][layer]
            assert data[start : start + len(payload)] == payload
    assert file_bytes(found.header) == sum(row.bytes for row in layer_table(found.header)) == len(data)


@pytest.mark.parametrize(("layers", "size"), [(1, 100), (3, 10_000), (3, 16_383), (8, 1_000)])
def test_an_ordinary_photograph_pays_32_bytes_and_at_most_4_a_layer(layers: int, size: int):
    data = write_container(PHOTO, [[bytes(size)] * layers])
    assert len(data) - layers * size == 32 + layers * (3 if size < 128 else 4)


def test_what_optional_parts_cost():
    def cost(header: Header, **parts: bytes) -> int:
        return len(write_container(header, [[b"x"]], **parts)) - len(write_container(PHOTO, [[b"x"]]))

    assert cost(replace(PHOTO, crc32=True)) == 2
    assert cost(replace(PHOTO, roi=True)) == 0
    assert cost(replace(PHOTO, codes_crc=0)) == cost(replace(PHOTO, reconstruction_crc=0)) == 4
    assert cost(replace(PHOTO, channels=(Channel(unit="mm"),))) == 19
    assert cost(PHOTO, alpha=b"\0") == cost(PHOTO, icc_profile=b"\0") == 6


def test_vector_of_the_page():
    text = PAGE.read_text(encoding="utf-8")
    block = re.search(r"```hex\n(.*?)```", text, re.DOTALL)
    assert block is not None
    data = bytes.fromhex(re.sub(r"#.*", "", block[1]))
    channels = (Channel(-1024.0, 0.5, "HU"),)
    header = Header(MODEL, 20, 5, channels, "u16", quality=2, quantiser_code=300, tile_log2=4, codes_crc=0x12345678)
    tiles = [[b"\x10\x11", b"\x20"], [b"", b"\x30\x31\x32"]]
    assert write_container(header, tiles, alpha=b"\x00") == data
    assert read_container(data).tiles == tuple(map(tuple, tiles))


def test_checks_of_the_page():
    assert zlib.crc32(b"123456789") == 0xCBF43926
    assert binascii.crc_hqx(b"123456789", 0xFFFF) == 0x29B1
    assert [varint(number).hex() for number in (0, 127, 128, 300, 2**32 - 1)] == ["00", "7f", "8001", "ac02", "ffffffff0f"]


# byte, values there, words of the refusal
WRONG_FIELDS = [
    (4, b"\2", "update to a release that reads version 2"),
    (4, b"\0", "format version is 0"),
    (5, b"\x80", "flags are 0x80"),
    (14, bytes(4), "width is 0"),
    (18, bytes(4), "height is 0"),
    (14, b"\xff" * 4, "width of the picture is 4294967295 pixels: expected at most 65535"),
    (14, b"\xff\xff\0\0\xff\xff\0\0", "65535 x 65535 has 4294836225 pixels"),
    (22, b"\x32", "sample type is 3"),
    (26, b"\0", "number of layers is 0"),
    (26, b"\xff", "255 layers: expected at most 64"),
    (27, b"\x03", "2 to the 3"),
    (27, b"\x10", "2 to the 16"),
    (28, b"\x80\x00", "longer than it has to be"),
    (28, b"\xff\xff\xff\xff\x10", "exceeds 4294967295"),
    (28, b"\xff\xff\xff\xff\xff\x01", "exceeds 4294967295"),
    (26, b"\4\0\xff\xff\xff\xff\x0f\0\0\0", "the file has 4294967295 bytes: expected at most 268435456"),
]


@pytest.mark.parametrize(("place", "values", "words"), WRONG_FIELDS)
def test_wrong_fields_are_named(place: int, values: bytes, words: str):
    data = forged(write_container(PHOTO, [[bytes(50)] * 8]), {place: values})
    for salvage in (False, True):
        with pytest.raises(FormatError, match=re.escape(words)) as caught:
            read_container(data, salvage=salvage)
        assert "\n" not in str(caught.value)


def test_tile_counts_are_held_to_their_limit():
    data = write_container(replace(PHOTO, width=65535, height=2000), [[b"x"]])
    with pytest.raises(FormatError, match="512000 tiles: expected at most 4096"):
        read_header(forged(data, {27: b"\4"}))


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (Channel(offset=float("nan")), "offset of channel 1 is nan"),
        (Channel(offset=float("-inf")), "offset of channel 1 is -inf"),
        (Channel(scale=float("inf")), "scale of channel 1 is inf"),
        (Channel(scale=0.0), "scale of channel 1 is 0.0"),
        (Channel(unit="m\n"), "control characters"),
        (Channel(unit="\x9b31m"), "control characters"),
        (Channel(unit="\ud800"), "control characters"),
        (Channel(unit="µ" * 9), "at most 16 bytes"),
    ],
)
def test_wrong_channels_are_refused_both_ways(channel: Channel, words: str):
    header = replace(PHOTO, channels=(Channel(), channel))
    with pytest.raises(FormatError, match=words):
        write_container(header, [[b"x"]])
    packed = pack_header(replace(header, lengths=((0,),))) if channel.unit != "\ud800" else b""
    if packed:
        with pytest.raises(FormatError, match="of channel 1"):
            read_header(packed)


def test_a_unit_that_is_no_text_and_a_description_without_need():
    data = write_container(replace(PHOTO, channels=(Channel(unit="mm"),)), [[b"x"]])
    with pytest.raises(FormatError, match="no UTF-8"):
        read_header(forged(data, {45: b"\xff"}))
    with pytest.raises(FormatError, match="at most 16"):
        read_header(forged(data, {44: b"\x11"}))
    plain = Header(MODEL, 768, 512, (Channel(0.0, 1.0, "m"),), lengths=((1,),))
    head = pack_header(plain)[:-4]
    head = head[:44] + b"\0" + head[46:]
    with pytest.raises(FormatError, match="all by default"):
        read_header(head + zlib.crc32(head).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_id": b"short"}, "5 bytes: expected 8"),
        ({"width": 0}, "width is 0"),
        ({"height": 65536}, "at most 65535"),
        ({"channels": ()}, "number of channels is 0"),
        ({"channels": (Channel(),) * 17}, "number of channels is 17"),
        ({"quality": 256}, "quality index is 256"),
        ({"quantiser_code": 65536}, "step code is 65536"),
        ({"codes_crc": -1}, "CRC32 of the codes is -1"),
        ({"reconstruction_crc": 2**32}, "CRC32 of the reconstruction"),
        ({"tile_log2": 8}, "payloads for 1 tiles: expected 6"),
    ],
)
def test_the_writer_refuses_what_readers_would(change: dict, words: str):
    with pytest.raises(FormatError, match=words):
        write_container(replace(PHOTO, **change), [[b"x"]])


def test_the_writer_refuses_uneven_layers_and_empty_parts():
    with pytest.raises(FormatError, match="tile 1 has 2 layers: expected 1"):
        write_container(replace(PHOTO, height=256, tile_log2=8), [[b"x"], [b"x", b"y"], [b"x"]])
    with pytest.raises(FormatError, match="number of layers is 0"):
        write_container(PHOTO, [[]])
    with pytest.raises(FormatError, match="ICC profile has 0 bytes"):
        write_container(PHOTO, [[b"x"]], icc_profile=b"")
    with pytest.raises(FormatError, match="alpha payload has 0 bytes"):
        write_container(PHOTO, [[b"x"]], alpha=b"")
    with pytest.raises(FormatError, match="the file has 37 bytes: expected at most 30"):
        write_container(PHOTO, [[b"xx"]], limits=Limits(bytes=30))
    with pytest.raises(FormatError, match="length is 4294967296"):
        varint(2**32)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(pixels=799), "800 pixels: expected at most 799; raise the limit"),
        (Limits(side=39), "width of the picture is 40"),
        (Limits(channels=1), "2 channels"),
        (Limits(layers=2), "3 layers"),
        (Limits(tiles=5), "6 tiles"),
        (Limits(bytes=150), "bytes: expected at most 150"),
        (Limits(bytes=40), "at most 40"),
        (Limits(profile=4), "ICC profile has 5 bytes"),
    ],
)
def test_limits(limits: Limits, words: str):
    data = write_container(TILED, payloads(TILED), icc_profile=b"12345")
    assert read_container(data, Limits(800, 40, 2, 3, 6, len(data), 5)).icc_profile == b"12345"
    with pytest.raises(FormatError, match=words):
        read_container(data, limits)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "empty"),
        (lambda data: data[:1], "ends after 1 bytes"),
        (lambda data: data[:4], "ends after 4 bytes"),
        (lambda data: data[:20], "ends after 20 bytes in the fixed fields"),
        (lambda data: b"\x89PNG\r\n\x1a\n" + data, "a PNG picture"),
        (lambda data: b"\xff\xd8\xff\xe0" + data, "a JPEG picture"),
        (lambda data: b"hello world", "no .nic file: it starts with 68 65 6c 6c"),
        (lambda data: data[1:], "copy the .nic file again in binary mode"),
        (lambda data: bytes(byte & 0x7F for byte in data), "copy the .nic file again in binary mode"),
        (lambda data: data.decode("latin-1").encode(), "copy the .nic file again in binary mode"),
        (lambda data: data.decode("utf-8", "replace").encode(), "copy the .nic file again in binary mode"),
        (lambda data: data.replace(b"\n", b"\r\n"), "copy in text mode leaves it: copy the file in binary mode"),
    ],
)
def test_what_is_no_file_of_ours_says_so(change, words: str):
    data = write_container(replace(PHOTO, model_id=b"\n\n345678"), [[b"a\nb", b"\n\n"]])
    for read in (read_header, read_container):
        with pytest.raises(FormatError, match=re.escape(words)):
            read(change(data))


def test_line_ends_changed_behind_the_header_are_told():
    data = write_container(PHOTO, [[b"a\nb"]])
    with pytest.raises(FormatError, match=r"layer 1 of 1 .* is damaged: .* copy the file in binary mode"):
        read_container(data.replace(b"\n", b"\r\n"))


def test_a_prefix_decodes_to_fewer_layers():
    layers = [b"coarse", b"finer", b"", b"finest"]
    data = write_container(PHOTO, [layers], alpha=b"a", icc_profile=b"p")
    header = read_header(data)
    starts = layer_offsets(header)[0]
    ends = [start + size + 2 for start, size in zip(starts, header.lengths[0], strict=True)]
    for size in range(len(pack_header(header)), len(data)):
        found = read_container(data[:size], salvage=True)
        count = sum(end <= size for end in ends)
        assert found.tiles == (tuple(layers[:count]),)
        assert found.intact_layers == (count,)
        assert len(found.damage) == 1
        if size >= starts[0]:
            assert (found.alpha, found.icc_profile) == (b"a", b"p")
            assert (
                f"ends after {size} of {len(data)} bytes: tile at row 1 of 1, column 1 of 1, layer {count + 1} of 4"
                in found.damage[0]
            )
        with pytest.raises(FormatError, match=f"ends after {size} of"):
            read_container(data[:size])


def test_damaged_layers_are_named_and_the_rest_is_kept():
    tiles = payloads(TILED)
    data = bytearray(write_container(TILED, tiles, alpha=b"alpha", icc_profile=b"icc"))
    header = read_header(data)
    starts = layer_offsets(header)
    data[starts[1][0]] ^= 1
    data[starts[1][2]] ^= 1
    data[starts[5][1] + 2] ^= 128
    damaged = bytes(data)
    with pytest.raises(FormatError, match=r"tile at row 1 of 2, column 2 of 3, layer 1 of 3 \(from byte \d+\) is damaged"):
        read_container(damaged)
    found = read_container(damaged, salvage=True)
    assert found.intact_layers == (3, 0, 3, 3, 3, 1)
    assert (found.alpha, found.icc_profile) == (b"alpha", b"icc")
    assert len(found.damage) == 2
    assert f"row 2 of 2, column 3 of 3, layer 2 of 3 (from byte {starts[5][1]})" in found.damage[1]
    assert [list(tile) for tile in found.tiles] == [tile[:count] for tile, count in zip(tiles, found.intact_layers, strict=True)]
    assert read_tile(damaged, header, 2) == tuple(tiles[2])
    with pytest.raises(FormatError, match="column 2 of 3, layer 1"):
        read_tile(damaged, header, 1)
    with pytest.raises(FormatError, match="tiles 0 to 5"):
        read_tile(damaged, header, 6)


@pytest.mark.parametrize(("part", "words"), [("icc_profile", "the ICC profile"), ("alpha", "the alpha payload")])
def test_damaged_parts_of_the_whole_picture(part: str, words: str):
    parts = {"alpha": b"ALPHA", "icc_profile": b"PROFILE"}
    data = write_container(PHOTO, [[b"x"]], **parts)
    damaged = data.replace(parts[part], parts[part][::-1])
    with pytest.raises(FormatError, match=f"{words} .* is damaged"):
        read_container(damaged)
    found = read_container(damaged, salvage=True)
    assert getattr(found, part) is None
    assert found.tiles == ((b"x",),)
    assert len(found.damage) == 1


def test_bytes_after_the_end():
    data = write_container(PHOTO, [[b"x"]]) + b"more"
    with pytest.raises(FormatError, match="4 bytes follow the end of the file at byte 36"):
        read_container(data)
    found = read_container(data, salvage=True)
    assert found.tiles == ((b"x",),)
    assert "4 bytes follow" in found.damage[0]


def test_tile_layout():
    layout = tile_layout(TILED)
    assert (layout.rows, layout.columns) == (2, 3)
    assert layout.tiles[0] == (0, 0, 0, 0, 16, 16)
    assert layout.tiles[5] == (1, 2, 16, 32, 4, 8)
    assert sum(tile.height * tile.width for tile in layout.tiles) == TILED.pixels
    assert tile_layout(PHOTO).tiles == ((0, 0, 0, 0, 512, 768),)
    assert tile_layout(replace(PHOTO, width=1, height=1, tile_log2=9)) == (1, 1, ((0, 0, 0, 0, 1, 1),))


def test_layer_table():
    header = read_header(write_container(TILED, payloads(TILED), alpha=b"alpha"))
    assert header.bytes_per_layer == (6, 12, 18)
    table = layer_table(header)
    assert [row.name for row in table] == ["header and checksums", "alpha", "layer 1", "layer 2", "layer 3"]
    assert [row.bytes for row in table[1:]] == [5, 6, 12, 18]
    assert table[-1].bits_per_pixel == 8 * 18 / 800
