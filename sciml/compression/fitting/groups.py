"""Fitting groups behind the scalar planes of one step: which planes go together, the rule of their class, their codebook.

The scalar planes are first coded as an encoder would, bits and errors weighed, and each group with the words that it got, so that
every rule is fitted to what it will meet.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from sciml.compression.coding.symbol_choice import LAMBDA, Chooser
from sciml.compression.coding.transform import BLOCK
from sciml.compression.entropy.context import HIERARCHICAL, OWN, SPREAD_BASIS, SPREAD_SOURCES, VALUE_UNITS, Context, Grid
from sciml.compression.entropy.groups import GROUP_CLASSES, Groups, group_classes, group_passes, magnitudes_of
from sciml.compression.entropy.rules import SPREAD_BITS, Rules, walk
from sciml.compression.entropy.tables import TOTAL, Tables
from sciml.compression.entropy.vectors import Codebook, smoothed, train_codebook
from sciml.compression.fitting.scalar import DEAD_ZONE, best_sources, spread_rule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Structure:
    """How planes are grouped.

    Attributes:
        dimensions: planes in a group, by the plane from which on; the first of them ends the scalar planes.
        words: words of each codebook.
        passes: over the blocks, 1 or 3.
        together: planes of a group follow each other by energy, or are neighbours by frequency within one colour.
        rounds: rounds of training a codebook.
    """

    dimensions: Mapping[int, int]
    words: int = 256
    passes: int = 1
    together: Literal["energy", "frequency"] = "energy"
    rounds: int = 12


def scalar_part(rules: Rules, planes: int) -> Rules:
    """Return the rules of the first planes."""
    rest = planes - HIERARCHICAL
    return replace(
        rules,
        spread_rest=rules.spread_rest[:rest],
        floor_rest=rules.floor_rest[:rest],
        sources=rules.sources[:planes],
        centroids=rules.centroids[:planes],
        chroma=rules.chroma[:planes],
        twins=rules.twins[:planes],
    )


def members_of(structure: Structure, order: Int[np.ndarray, " planes"], count: int) -> Int[np.ndarray, "groups dimension"]:
    """Return which planes go together, groups in the order of their first planes.

    Args:
        structure: structure of the groups.
        order: place of each plane in the block transform, see `sciml.compression.coding.transform.Transform`.
        count: planes that are coded.
    """
    starts = sorted(start for start in structure.dimensions if start < count)
    widest = max(structure.dimensions.values())
    groups = []
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        dimension = structure.dimensions[start]
        planes = np.arange(start, stop)
        if structure.together == "frequency":
            planes = planes[np.argsort(_neighbourhood(order[planes], dimension), kind="stable")]
        pieces = [np.sort(planes[place : place + dimension]) for place in range(0, len(planes), dimension)]
        groups += [np.pad(piece, (0, widest - len(piece)), constant_values=-1) for piece in pieces]
    return np.array(sorted(groups, key=lambda group: group[0]), np.int16)


def _neighbourhood(places: Int[np.ndarray, " planes"], dimension: int) -> Int[np.ndarray, " planes"]:
    """Return keys that sort planes by colour, then by squares of frequencies that hold about one group."""
    side = round(dimension**0.5)
    colour, down, across = np.unravel_index(places, (places.max() // BLOCK**2 + 1, BLOCK, BLOCK))
    return ((colour * BLOCK + down // side) * BLOCK + across // side) * BLOCK**2 + places % BLOCK**2


def mirror_signs(places: Int[np.ndarray, " planes"]) -> Int[np.ndarray, "4 planes"]:
    """Return the signs that planes take in a picture and its mirror images: odd frequencies turn, magnitudes stay."""
    down, across = (-1) ** (places // BLOCK % 2), (-1) ** (places % 2)
    return np.stack([np.ones_like(places), down, across, down * across])


def fit_groups(
    planes: Float[np.ndarray, "planes blocks"],
    grid: Grid,
    rules: Rules,
    tables: Tables,
    order: Int[np.ndarray, " planes"],
    members: Int[np.ndarray, "groups dimension"],
    structure: Structure,
    generator: np.random.Generator,
) -> tuple[Groups, list[dict[str, Any]]]:
    """Return the groups of a step, and of each its planes, words that are used, perplexity, bits and error.

    Args:
        planes: planes of the training pictures, all of one size, in steps.
        grid: their blocks.
        rules: rules of the scalar planes before.
        tables: tables of the scalar planes.
        order: see `members_of`.
        members: planes of each group.
        structure: structure of the groups.
        generator: draws the first words.
    """
    count = int(members.max()) + 1
    context = Context(grid, count)
    walk(rules, grid, Chooser(planes, rules, tables), context=context)
    number, dimension = members.shape
    spread = np.zeros((number, structure.passes, SPREAD_BASIS + OWN), np.int32)
    floor = np.ones((number, structure.passes), np.int32)
    sources = np.full((number, SPREAD_SOURCES), -1, np.int16)
    words = np.zeros((number, structure.words, dimension), np.int32)
    sizes = np.zeros((number, GROUP_CLASSES, structure.words), np.uint32)
    facts: list[dict[str, Any]] = []
    known = np.arange(rules.planes)
    for group, row in enumerate(members):
        mine = row[row >= 0].astype(np.intp)
        target = planes[mine]
        size = np.floor(np.abs(target) + 0.5 - DEAD_ZONE).sum(0, dtype=np.float64)
        sources[group] = best_sources(np.floor(np.abs(target) + 0.3).sum(0), context.magnitudes, known)
        basis = context.spread_basis(sources[group].astype(np.intp))
        rule = _Rule(basis, size, grid, spread[group], floor[group])
        # the words of neighbours are not known before the codebook: their scalar symbols stand for them
        classes = rule.fit(4 * size)
        signs = mirror_signs(order[mine])
        first = frequent(target.T, signs, structure.words)
        book = train_codebook(
            target.T, classes, GROUP_CLASSES, structure.words, LAMBDA, structure.rounds, generator, signs, first
        )
        by_use = np.argsort(-book.counts.sum(0), kind="stable")
        words[group, :, : len(mine)] = np.round(VALUE_UNITS * book.words[by_use])
        sizes[group] = integer_sizes(book.counts[:, by_use])
        bits = -np.log2(sizes[group] / TOTAL).astype(np.float32)
        values = _coded(target, classes, words[group, :, : len(mine)], bits)
        context.put(mine[:, None], np.arange(grid.blocks), values, magnitudes_of(values))
        context.close_group(mine)
        known = np.append(known, mine)
        facts.append(_facts(mine, book))
    return Groups(members, spread, floor, sources, words, sizes), facts


class _Rule:
    """The rule of one group's classes; writes weights and floors in place."""

    def __init__(self, basis: np.ndarray, size: np.ndarray, grid: Grid, spread: np.ndarray, floor: np.ndarray):
        self.basis, self.size, self.grid, self.spread, self.floor = basis, size, grid, spread, floor

    def fit(self, own: Float[np.ndarray, " blocks"]) -> Int[np.ndarray, " blocks"]:
        """Return the classes of all blocks; `own` is the sum of the group's magnitudes at each block."""
        classes = np.empty(len(self.size), np.intp)
        for number, item in enumerate(group_passes(self.grid, len(self.spread))):
            blocks, near = item.blocks, item.neighbours
            if not len(blocks):
                continue
            below = own[near] if len(near) else np.zeros((OWN, len(blocks)))
            features = np.concatenate([self.basis[:, blocks], below])
            size = self.size[blocks]
            self.spread[number] = np.round(spread_rule(features, size) * 2**SPREAD_BITS)
            self.floor[number] = max(1, round((0.1 * size.mean() + 1e-4) * 2**SPREAD_BITS))
            predicted = self.spread[number].astype(np.float64) @ features
            classes[blocks] = group_classes(predicted, int(self.floor[number]))
        return classes


def frequent(
    vectors: Float[np.ndarray, "vectors dimension"], signs: Int[np.ndarray, "variants dimension"], most: int
) -> Float[np.ndarray, "words dimension"]:
    """Return 0 and the rounded vectors that come most often under all signs: words of a scalar quantiser to start from.

    From words that are drawn instead, training ends 1 to 2 % dearer.
    """
    rounded = np.sign(vectors) * np.floor(np.abs(vectors) + 0.5 - DEAD_ZONE)
    every = np.clip(rounded[None] * signs[:, None], -127, 127).astype(np.int8).reshape(-1, vectors.shape[1])
    # nearly all are 0: to sort these too would take most of the time
    patterns, counts = np.unique(every[every.any(1)], axis=0, return_counts=True)
    common = patterns[np.argsort(-counts, kind="stable")[: most - 1]]
    return np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), common.astype(np.float32)])


def _coded(
    target: Float[np.ndarray, "planes blocks"],
    classes: Int[np.ndarray, " blocks"],
    words: Int[np.ndarray, "words planes"],
    bits: Float[np.ndarray, "classes words"],
) -> Float[np.ndarray, "planes blocks"]:
    from sciml.compression.entropy.vectors import assign

    steps = (words / VALUE_UNITS).astype(np.float32)
    chosen = assign(np.ascontiguousarray(target.T, np.float32), steps, bits, classes, LAMBDA)[0]
    return words[chosen].T.astype(np.float64)


def integer_sizes(counts: Float[np.ndarray, "classes words"]) -> Int[np.ndarray, "classes words"]:
    """Return counts of 2^20 that are at least 1, by the largest remainder."""
    smooth = smoothed(counts)
    room = TOTAL - smooth.shape[1]
    share = smooth / smooth.sum(1, keepdims=True) * room
    whole = np.floor(share).astype(np.int64)
    missing = room - whole.sum(1)
    place = np.argsort(np.argsort(whole - share, axis=1, kind="stable"), axis=1, kind="stable")
    return whole + 1 + (place < missing[:, None])


def _facts(planes: Sequence[int] | np.ndarray, book: Codebook) -> dict[str, Any]:
    return {
        "planes": [int(plane) for plane in planes],
        "used": book.used,
        "perplexity": round(book.perplexity, 2),
        "bits": round(book.bits, 5),
        "squared_error": round(book.squared_error, 5),
        "revived": book.revived,
    }
