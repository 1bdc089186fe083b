"""Fitted groups: every plane once, neighbours together, mirrored signs, whole probabilities, the price that training promised."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import make_model, planes_of, texture, training, with_groups

from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.symbol_choice import LAMBDA
from sciml.compression.coding.tile_coding import encode_planes, tile_planes
from sciml.compression.entropy.context import Grid
from sciml.compression.entropy.groups import GROUP_FIELDS
from sciml.compression.entropy.tables import TOTAL
from sciml.compression.fitting.groups import (
    Structure,
    fit_groups,
    frequent,
    integer_sizes,
    members_of,
    mirror_signs,
    scalar_part,
)

ORDER = np.random.default_rng(0).permutation(768)


@pytest.mark.parametrize("together", ["energy", "frequency"])
@pytest.mark.parametrize("count", [25, 88, 90, 121, 400])
def test_every_plane_is_in_one_group(together, count: int) -> None:
    structure = Structure({24: 2, 88: 8, 200: 16}, together=together)
    members = members_of(structure, ORDER, count)
    real = members[members >= 0]
    assert np.array_equal(np.sort(real), np.arange(24, count))
    assert (np.diff(members[:, 0]) >= 0).all()
    for row in members:
        mine = row[row >= 0]
        assert (np.diff(mine) > 0).all()
        assert len(mine) <= (2 if mine[0] < 88 else 8 if mine[0] < 200 else 16)


def test_groups_by_energy_follow_each_other_and_by_frequency_are_neighbours() -> None:
    by_energy = members_of(Structure({24: 4}), ORDER, 100)
    assert np.array_equal(by_energy.ravel(), np.arange(24, 100))
    # with all planes there, squares of 2 x 2 frequencies of one colour make the groups
    order = np.roll(np.arange(768), 32)
    members = members_of(Structure({32: 4}, together="frequency"), order, 768)
    colour, down, across = np.unravel_index(order[members], (3, 16, 16))
    for values in (colour, down // 2, across // 2):
        whole = (values == values[:, :1]).all(1)
        assert whole.mean() > 0.98


def test_mirror_signs_are_those_of_mirrored_pictures(colour_model: CodecModel) -> None:
    image = texture(64, 48, seed=7)
    plain = tile_planes(colour_model, image, 0, 0, 64, 48)
    mirrors = [(1, 1), (-1, 1), (1, -1), (-1, -1)]
    for pattern, (down, across) in zip(mirror_signs(colour_model.transform.order), mirrors, strict=True):
        mirrored = np.ascontiguousarray(image[::down, ::across])
        planes = tile_planes(colour_model, mirrored, 0, 0, 64, 48)
        assert np.abs(planes - pattern[:, None, None] * plain[:, ::down, ::across]).max() < 1e-4


def test_frequent_words_are_rounded_vectors_of_all_signs() -> None:
    vectors = np.array([[0.1, 0.2], [1.1, 0.0], [0.9, 0.3], [-0.2, 2.1], [0.6, 0.6]])
    words = frequent(vectors, np.array([[1, 1], [-1, 1]]), 4)
    assert words[0].tolist() == [0, 0]
    # each twice: under both signs, or once for each of two vectors
    assert sorted(words[1:].tolist()) == [[-1, 0], [0, 2], [1, 0]]
    assert len(frequent(vectors, np.array([[1, 1], [-1, 1]]), 9)) == 4


def test_probabilities_are_whole_and_near_the_counts() -> None:
    generator = np.random.default_rng(0)
    counts = generator.poisson(generator.exponential(2000, (5, 40)))
    sizes = integer_sizes(counts)
    assert (sizes.sum(1) == TOTAL).all()
    assert sizes.min() >= 1
    shares = counts / counts.sum(1, keepdims=True)
    divergence = (shares * np.log2(np.maximum(shares, 1e-12) / (sizes / TOTAL))).sum(1)
    assert divergence.max() < 0.01
    assert (integer_sizes(np.zeros((2, 7), int)).sum(1) == TOTAL).all()


def test_two_fits_are_equal_and_report_every_group(colour_model: CodecModel, vector_model: CodecModel) -> None:
    structure = Structure({24: 2, 60: 6}, words=24, passes=3, rounds=5)
    again = with_groups(colour_model, structure)
    assert again.id == vector_model.id
    item = colour_model.sets[0]
    planes = planes_of(colour_model.transform, training(3), item.step)
    members = members_of(structure, colour_model.transform.order, item.rules.planes)
    rules = scalar_part(item.rules, 24)
    generator = np.random.default_rng(0)
    groups, facts = fit_groups(
        planes, Grid(8, 8, 4), rules, item.tables, colour_model.transform.order, members, structure, generator
    )
    assert all(np.array_equal(getattr(groups, name), getattr(vector_model.sets[0].groups, name)) for name in GROUP_FIELDS)
    assert [plane for fact in facts for plane in fact["planes"]] == list(range(24, item.rules.planes))
    assert all(1 <= fact["perplexity"] <= fact["used"] <= 24 for fact in facts)


def test_training_pictures_cost_what_training_promised() -> None:
    model = make_model(3, steps=(0.2,))
    structure = Structure({24: 4}, words=32, rounds=8)
    item = model.sets[0]
    planes = planes_of(model.transform, training(3), item.step)
    members = members_of(structure, model.transform.order, item.rules.planes)
    order, generator = model.transform.order, np.random.default_rng(0)
    _, facts = fit_groups(planes, Grid(8, 8, 4), scalar_part(item.rules, 24), item.tables, order, members, structure, generator)
    found = with_groups(model, structure)
    promised = sum(fact["squared_error"] + LAMBDA * fact["bits"] for fact in facts)
    costs = []
    for number in range(4):
        mine = planes[:, 64 * number : 64 * (number + 1)]
        tile = encode_planes(found, 0, 1.0, mine.reshape(-1, 8, 8), bytes_too=False)
        errors = np.square(tile.values.reshape(len(tile.values), -1) / 64 - mine[: len(tile.values)])[24:].sum()
        costs.append((errors + LAMBDA * tile.bits[24:].sum()) / 64)
    # mirrored vectors count in training, and only the pictures themselves here
    assert np.mean(costs) == pytest.approx(promised, rel=0.1)
