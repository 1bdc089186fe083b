"""Planes in groups: the same codes from the stream, in every layout, in tiles and layers; whole numbers as in Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference_decoder as reference
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import CodecModel, model_from
from sciml.compression.coding.symbol_choice import LAMBDA, WordChooser
from sciml.compression.coding.tile_coding import encode_planes, tile_planes
from sciml.compression.container.file import read_container, tile_layout, write_container
from sciml.compression.entropy.coder import Reader, Writer
from sciml.compression.entropy.context import VALUE_UNITS, Context, Grid
from sciml.compression.entropy.groups import GROUP_FIELDS, Groups, magnitudes_of, walk_groups
from sciml.compression.entropy.rules import EXACT, SPREAD_BOUNDS, walk
from sciml.compression.study.inspection import inspect_picture
from sciml.runtime.errors import FormatError


def picture(rows: int, columns: int, channels: int = 3, seed: int = 1) -> np.ndarray:
    return np.rint(texture(rows, columns, channels, seed)).astype(np.uint8)


@pytest.fixture(scope="module")
def codec(vector_model: CodecModel) -> Codec:
    return Codec(vector_model)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (63, 65), (64, 64), (200, 3)])
@pytest.mark.parametrize("quality", [20, 60])
def test_codes_come_back(codec: Codec, rows: int, columns: int, quality: float) -> None:
    image = picture(rows, columns)
    data = codec.encode(image, quality=quality)
    assert codec.decode(data).shape == image.shape
    container = read_container(data)
    chosen = codec.model.sets[container.header.quality]
    planes = tile_planes(codec.model, image.astype(np.float32), 0, 0, rows, columns)
    tile = encode_planes(codec.model, container.header.quality, 2 ** (-container.header.quantiser_code / 256), planes)
    (codes,) = codec.codes(data)
    assert codes.shape == (chosen.units, -(-rows // 16), -(-columns // 16))
    assert np.array_equal(codes, tile.symbols)
    assert codes[chosen.rules.planes :].min() >= 0
    assert codec.encode(image, quality=quality) == data


def test_words_are_chosen_at_all(codec: Codec) -> None:
    data = codec.encode(picture(128, 128), quality=60)
    (codes,) = codec.codes(data)
    words = codes[codec.model.sets[read_container(data).header.quality].rules.planes :]
    assert len(np.unique(words)) > 5
    assert codec.model.sets[1].units < 0.6 * codec.model.sets[1].planes


@pytest.mark.parametrize("tiles", [0, 5])
def test_the_decoder_in_python_agrees(codec: Codec, tiles: int) -> None:
    data = codec.encode(picture(30, 40), quality=55, tile_log2=tiles)
    container = read_container(data)
    arrays = codec.model.arrays()
    every = zip(tile_layout(container.header).tiles, container.tiles, codec.codes(data), strict=True)
    for tile, layers, codes in every:
        rows, columns = -(-tile.height // 16), -(-tile.width // 16)
        found = reference.decode_tile(arrays, container.header.quality, layers, rows, columns)
        assert np.array_equal(np.array(found).reshape(codes.shape), codes)


@pytest.mark.parametrize("share", [1e-9, 0.999])
def test_the_walk_equals_the_one_in_whole_numbers(vector_model: CodecModel, share: float) -> None:
    chosen = vector_model.sets[1]
    groups, rows, columns = chosen.groups, 5, 3
    assert groups is not None
    generator = np.random.default_rng(0)
    bounds = SPREAD_BOUNDS.copy()
    bounds[23:] *= groups.members.shape[1]
    spread = generator.standard_normal(groups.spread.shape)
    spread *= share * EXACT / (np.abs(spread) @ bounds)[..., None]
    words = generator.integers(-(2**24), 2**24 + 1, groups.words.shape)
    floor = generator.integers(1, 2**19, groups.floor.shape)
    spread = np.clip(np.trunc(spread), -(2**31), 2**31 - 1).astype(np.int64)
    wild = replace(groups, spread=spread, words=words, floor=floor)
    symbols = np.trunc(generator.laplace(0, 3, (chosen.rules.planes, rows * columns)))
    numbers = generator.integers(0, words.shape[1], (len(groups.members), rows * columns))
    found: list[list[int]] = []

    def choose(group: int, blocks: np.ndarray, classes: np.ndarray) -> np.ndarray:
        found.append(classes.tolist())
        return numbers[group, blocks]

    grid = Grid(rows, columns)
    context = Context(grid, chosen.planes)
    walk(chosen.rules, grid, lambda plane, blocks, mean, classes: symbols[plane, blocks], context=context)
    walk_groups(wild, grid, choose, range(len(groups.members)), context)
    arrays = {name: getattr(chosen.rules, name) for name in chosen.rules.__dataclass_fields__}
    arrays |= {f"group_{name}": getattr(wild, name) for name in GROUP_FIELDS}
    tile = reference.Planes(arrays, rows, columns)
    wanted: list[list[int]] = []

    def read(plane: int, blocks: list, means: list[int], classes: list[int]) -> list[int]:
        return [int(symbols[plane, row * columns + column]) for row, column in blocks]

    def read_words(group: int, blocks: list, classes: list[int]) -> list[int]:
        if blocks:
            wanted.append(classes)
        return [int(numbers[group, row * columns + column]) for row, column in blocks]

    for plane in range(chosen.rules.planes):
        tile.plane(plane, read)
    for group in range(len(groups.members)):
        tile.group(group, read_words)
    assert found == wanted
    assert np.array_equal(context.values, [[values[block] for block in tile.blocks] for values in tile.values])
    assert np.array_equal(context.magnitudes, [[values[block] for block in tile.blocks] for values in tile.magnitudes])


def test_layers_are_prefixes_and_sharpen_the_picture(codec: Codec) -> None:
    image = picture(128, 128)
    found = inspect_picture(codec, "texture", image, 60)
    qualities = [layer.psnr_db for layer in found.row.layers]
    assert len(qualities) >= 3
    # the last planes of these smooth pictures hold nothing
    assert (np.diff(qualities)[:2] > 0).all()
    assert (np.diff(qualities) >= 0).all()
    assert [layer.planes[0] for layer in found.row.layers][:2] == [0, 8]
    assert found.row.layers[-1].planes[1] == codec.model.sets[found.row.set].planes
    for layer in found.row.layers:
        assert abs(8 * layer.bytes - layer.ideal_bits) <= 0.004 * layer.ideal_bits + 64


def test_damage_is_found_or_decodes_to_a_picture_of_the_layers_before(codec: Codec) -> None:
    data = bytearray(codec.encode(picture(64, 64), quality=60))
    data[-5] ^= 1
    with pytest.raises(FormatError, match="layer"):
        codec.decode(bytes(data))
    salvaged = read_container(bytes(data), salvage=True)
    assert codec.decode_container(salvaged).shape == (64, 64, 3)


def test_words_of_hostile_layers_never_do_more_than_raise(codec: Codec) -> None:
    container = read_container(codec.encode(picture(64, 64), quality=60))
    generator = np.random.default_rng(0)
    refused = 0
    for _ in range(20):
        layers = [list(container.tiles[0])]
        layers[0][2] = generator.bytes(4 * int(generator.integers(0, 40)))
        try:
            codec.decode(write_container(container.header, layers))
        except FormatError:
            refused += 1
    # what the tables allow has other codes than the header's checksum says
    assert refused == 20


def test_without_a_price_the_nearest_word_is_chosen_and_bits_are_those_of_the_tables(vector_model: CodecModel) -> None:
    chosen = vector_model.sets[1]
    groups = chosen.groups
    assert groups is not None
    generator = np.random.default_rng(0)
    planes = generator.laplace(0, 1, (chosen.planes, 200))
    classes = generator.integers(0, 20, 200)
    mine = groups.planes_of(0)
    words = groups.words[0, :, : len(mine)] / VALUE_UNITS
    distances = np.square(planes[mine].T[:, None] - words).sum(2)
    found = WordChooser(planes, groups, 0.0)(0, np.arange(200), classes)
    assert np.allclose(distances[np.arange(200), found], distances.min(1))
    chooser = WordChooser(planes, groups, LAMBDA)
    found = chooser(0, np.arange(200), classes)
    costs = distances + LAMBDA * groups.bits()[0][classes]
    assert np.allclose(costs[np.arange(200), found], costs.min(1))
    assert chooser.bits[0] == pytest.approx(groups.bits()[0][classes, found].sum())


def test_words_survive_the_coder_at_the_price_of_the_tables(vector_model: CodecModel) -> None:
    chosen = vector_model.sets[0]
    groups = chosen.groups
    assert groups is not None
    generator = np.random.default_rng(0)
    classes = generator.integers(0, 20, 3000)
    shares = groups.sizes[0] / 2**20
    words = np.array([generator.choice(len(shares[0]), p=shares[of_class]) for of_class in classes])
    writer = Writer(chosen.tables)
    writer.put(30, classes, np.round(generator.standard_normal(3000)))
    writer.put_words(groups, 0, classes, words)
    alone = Writer(chosen.tables)
    alone.put_words(groups, 0, classes, words)
    ideal = groups.bits()[0][classes, words].sum()
    assert abs(8 * len(alone.bytes()) - ideal) <= 0.004 * ideal + 64
    reader = Reader(chosen.tables, writer.bytes())
    reader.get(30, classes)
    assert np.array_equal(reader.get_words(groups, 0, classes), words)


def test_magnitudes_are_quarters_of_a_step_rounded() -> None:
    assert magnitudes_of(np.array([0, 7, 8, -23, 24, 64, 2**24])).tolist() == [0, 0, 1, 1, 2, 4, 4096]


def test_every_array_of_a_group_changes_the_id_and_damage_is_refused(vector_model: CodecModel) -> None:
    arrays = vector_model.arrays()
    assert model_from(arrays, "same").id == vector_model.id
    seen = {vector_model.id}
    for name in ("spread", "floor", "words"):
        changed = arrays[f"0.group_{name}"].copy()
        changed.flat[np.abs(changed).argmax()] -= 1
        seen.add(model_from(arrays | {f"0.group_{name}": changed}, "changed").id)
    assert len(seen) == 4


DAMAGE = {
    "a plane twice": ("members", lambda values: np.where(values == values.max(), values.max() - 1, values)),
    "groups out of order": ("members", lambda values: values[::-1]),
    "a plane too many": ("members", lambda values: np.where(values == values.max(), values.max() + 5, values)),
    "own source": ("sources", lambda values: np.full_like(values, 24)),
    "fewer floors": ("floor", lambda values: values[1:]),
    "no probability": ("sizes", lambda values: values * 0),
    "too much probability": ("sizes", lambda values: values + 1),
    "large words": ("words", lambda values: values.astype(np.int64) + 2**25),
    "float words": ("words", lambda values: values + 0.5),
    "large weights": ("spread", lambda values: values.astype(np.int64) + 2**50),
    "two passes": ("spread", lambda values: np.repeat(values[:, :1], 2, axis=1)),
    "no groups": ("members", lambda values: values[:0]),
}


@pytest.mark.parametrize(("name", "change"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_groups_are_refused(vector_model: CodecModel, name: str, change) -> None:
    arrays = vector_model.arrays()
    with pytest.raises(FormatError):
        model_from(arrays | {f"1.group_{name}": change(arrays[f"1.group_{name}"])}, "damaged")


def test_groups_that_do_not_follow_the_rules_are_refused(vector_model: CodecModel, colour_model: CodecModel) -> None:
    arrays = vector_model.arrays()
    with pytest.raises(FormatError, match="begin at plane"):
        model_from(arrays | {name: value for name, value in colour_model.arrays().items() if name.startswith("1.")}, "mixed")
    del arrays["1.group_words"]
    with pytest.raises(FormatError, match="damaged"):
        model_from(arrays, "incomplete")


def test_blas_may_sum_in_any_layout(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.encode(picture(64, 64), quality=60)
    wanted = codec.codes(data)
    basis = Context.spread_basis
    monkeypatch.setattr(Context, "spread_basis", lambda self, sources: np.repeat(basis(self, sources), 2, axis=1)[:, ::2])
    for codes, again in zip(wanted, codec.codes(data), strict=True):
        assert np.array_equal(codes, again)


def test_a_scalar_model_has_no_groups(colour_model: CodecModel) -> None:
    assert not any("group" in name for name in colour_model.arrays())
    chosen = colour_model.sets[0]
    assert chosen.groups is None
    assert chosen.units == chosen.planes == chosen.rules.planes


def test_one_model_is_told_from_another(vector_model: CodecModel) -> None:
    groups = vector_model.sets[0].groups
    assert isinstance(groups, Groups)
    # each has its own cache of the coder's models
    other = replace(groups, sizes=groups.sizes[:, :, ::-1])
    assert groups.model(0, 0) is groups.model(0, 0)
    assert groups.model(0, 0) is not other.model(0, 0)
