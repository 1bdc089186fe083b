"""The prior is made of exact whole numbers: sums agree with Python's integers at the bounds, in every order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference_decoder as reference

from sciml.compression.coding.model import CodecModel
from sciml.compression.entropy.context import HIERARCHICAL, PREDICTED, Context, Grid
from sciml.compression.entropy.rules import (
    CLASSES,
    EXACT,
    LARGEST_MAGNITUDE,
    LARGEST_VALUE,
    MEAN_BOUNDS,
    SPREAD_BOUNDS,
    THRESHOLDS,
    WEIGHT_BOUNDS,
    Rules,
    walk,
)
from sciml.runtime.errors import FormatError

PLANES = 30


def largest(bounds: np.ndarray, shape: tuple[int, ...], generator: np.random.Generator, share: float = 0.999) -> np.ndarray:
    """Return random whole weights whose sums reach just below 2^53 (as far as 31 bits allow)."""
    weights = generator.standard_normal(shape)
    weights *= share * EXACT / (np.abs(weights) @ bounds)[..., None]
    return np.clip(np.trunc(weights), -(2**31), 2**31 - 1).astype(np.int64)


def random_rules(generator: np.random.Generator, share: float) -> Rules:
    """Return rules with weights up to a share of what is allowed, and whatever sources."""
    mean = largest(MEAN_BOUNDS, (PREDICTED, 7, 149), generator, share)
    first = largest(SPREAD_BOUNDS, (HIERARCHICAL, 7, 27), generator, share)
    rest = largest(SPREAD_BOUNDS, (PLANES - HIERARCHICAL, 3, 27), generator, share)
    sources = np.stack([generator.integers(-1, max(plane, 1), 10) if plane else np.full(10, -1) for plane in range(PLANES)])
    floors = generator.integers(1, 2**20, (PLANES, 7))
    centroids = generator.integers(-10, 30, (PLANES, 4))
    chroma = largest(WEIGHT_BOUNDS["chroma"], (PLANES, 3), generator, share)
    twins = np.stack(
        [[generator.integers(-1, max(plane, 0)) if plane else -1, generator.integers(1, 3)] for plane in range(PLANES)]
    )
    return Rules(mean, first, rest, floors[:HIERARCHICAL], floors[HIERARCHICAL:, :3], sources, centroids, chroma, twins)


@pytest.mark.parametrize("bounds", [MEAN_BOUNDS, SPREAD_BOUNDS], ids=["mean", "spread"])
@pytest.mark.parametrize("extreme", [False, True], ids=["random", "extreme"])
def test_sums_equal_those_of_whole_numbers_in_every_order(bounds: np.ndarray, extreme: bool) -> None:
    generator = np.random.default_rng(0)
    weights = largest(bounds, (6, len(bounds)), generator)
    features = generator.choice([-1.0, 1.0], (len(bounds), 40)) if extreme else generator.uniform(-1, 1, (len(bounds), 40))
    features = np.trunc(features * bounds[:, None])
    if extreme:
        # all terms of one sign: the largest sums that there are
        features[:, 0] = np.sign(weights[0]) * bounds
    exact = np.array([[sum(map(int.__mul__, map(int, w), map(int, f))) for f in features.T] for w in weights.tolist()])
    if extreme:
        assert exact.max() > 0.9 * EXACT
    w = weights.astype(np.float64)
    assert np.array_equal(w @ features, exact)
    assert np.array_equal(np.asfortranarray(w) @ np.asfortranarray(features), exact)
    order = generator.permutation(len(bounds))
    assert np.array_equal(w[:, order] @ features[order], exact)
    assert np.array_equal(w[:, ::-1] @ features[::-1], exact)
    assert np.array_equal(np.stack([w @ f for f in features.T], 1), exact)
    assert np.array_equal(np.einsum("pf,fb->pb", w, features), exact)
    assert np.array_equal(w[:, :100] @ features[:100] + w[:, 100:] @ features[100:], exact)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (5, 3), (9, 10)])
@pytest.mark.parametrize("share", [1e-9, 1e-5, 0.999])
def test_the_walk_equals_the_one_in_whole_numbers(rows: int, columns: int, share: float) -> None:
    generator = np.random.default_rng(rows + columns)
    rules = random_rules(generator, share)
    symbols = np.trunc(np.exp(generator.uniform(-3, np.log(2**17), (PLANES, rows * columns))))
    symbols *= generator.choice([-1, 1], symbols.shape)
    found: list[tuple[int, list[int], list[int], list[int]]] = []

    def choose(plane: int, blocks: np.ndarray, means: np.ndarray, classes: np.ndarray) -> np.ndarray:
        found.append((plane, blocks.tolist(), means.tolist(), classes.tolist()))
        return symbols[plane, blocks]

    context = walk(rules, Grid(rows, columns), choose)
    tile = reference.Planes({name: getattr(rules, name) for name in rules.__dataclass_fields__}, rows, columns)
    wanted: list[tuple[int, list[int], list[int], list[int]]] = []

    def read(plane: int, blocks: list, means: list[int], classes: list[int]) -> list[int]:
        numbers = [row * columns + column for row, column in blocks]
        if numbers:
            wanted.append((plane, numbers, means, classes))
        return [int(symbols[plane, number]) for number in numbers]

    for plane in range(PLANES):
        tile.plane(plane, read)
    assert found == wanted
    assert np.array_equal(context.values, [[values[block] for block in tile.blocks] for values in tile.values])
    assert np.array_equal(context.magnitudes, [[values[block] for block in tile.blocks] for values in tile.magnitudes])


def test_a_walk_in_parts_is_the_same_walk(colour_model: CodecModel) -> None:
    rules = colour_model.sets[0].rules
    symbols = np.random.default_rng(0).integers(-2, 3, (rules.planes, 15))

    def choose(plane: int, blocks: np.ndarray, means: np.ndarray, classes: np.ndarray) -> np.ndarray:
        return symbols[plane, blocks].astype(float)

    grid = Grid(3, 5)
    whole = walk(rules, grid, choose)
    parts = Context(grid, rules.planes)
    for start, stop in ((0, 5), (5, 24), (24, rules.planes)):
        walk(rules, grid, choose, range(start, stop), parts)
    assert np.array_equal(whole.values, parts.values)


@pytest.mark.parametrize("name", WEIGHT_BOUNDS)
def test_weights_whose_sums_might_pass_2_to_the_53_are_refused(name: str) -> None:
    rules = random_rules(np.random.default_rng(0), 1e-9)
    bounds = WEIGHT_BOUNDS[name]
    for place in range(len(bounds)):
        weights = np.zeros_like(getattr(rules, name))
        where = (1, 2, place)[3 - weights.ndim :]
        weights[where] = -(EXACT / bounds[place] - 1)
        replace(rules, **{name: weights})
        weights[where] = -EXACT / bounds[place]
        with pytest.raises(FormatError, match="2\\^53"):
            replace(rules, **{name: weights})


def test_bounds_hold_for_all_that_a_field_can_hold() -> None:
    planes = 2 * HIERARCHICAL
    grid = Grid(2, 3)
    context = Context(grid, planes)
    everywhere = np.arange(grid.blocks)
    for plane in range(planes):
        context.put(plane, everywhere, np.full(6, -LARGEST_VALUE), np.full(6, LARGEST_MAGNITUDE))
        context.close(plane)
    assert (np.abs(context.mean_basis()) <= MEAN_BOUNDS[:-4, None]).all()
    assert (context.spread_basis(np.arange(10)) <= SPREAD_BOUNDS[:-4, None]).all()
    # float32 holds what a field notes exactly
    for number in (LARGEST_VALUE, LARGEST_VALUE - 1, 8 * LARGEST_MAGNITUDE - 1):
        assert int(np.float32(number)) == number


def test_classes_begin_at_whole_thresholds() -> None:
    assert len(THRESHOLDS) == CLASSES - 1
    assert THRESHOLDS.tolist() == reference.THRESHOLDS
    assert THRESHOLDS[:4].tolist() == [128, 158, 194, 239]
    # no rounding error of a power can change one
    exact = 2.0 ** (7 + 0.3 * np.arange(CLASSES - 1))
    assert np.abs(np.abs(exact - THRESHOLDS) - 0.5).min() > 1e-4
    assert np.diff(THRESHOLDS).min() > 0


def test_symbols_stand_for_shifted_multiples_of_the_step(colour_model: CodecModel) -> None:
    rules = replace(colour_model.sets[0].rules, centroids=np.tile([5, 3, 2, 1], (colour_model.sets[0].rules.planes, 1)))
    symbols = np.array([0.0, 1, -1, 2, -3, 4, 5, -100])
    assert rules.reconstruct(0, symbols).tolist() == [0, 59, -59, 125, -190, 255, 319, -6399]


def test_the_page_of_the_format_lists_the_thresholds() -> None:
    page = (Path(__file__).parents[3] / "docs" / "compression_format.md").read_text()
    listed = page.split("The thresholds are", 1)[1].split("```text", 1)[1].split("```", 1)[0]
    assert list(map(int, listed.split())) == THRESHOLDS.tolist()
