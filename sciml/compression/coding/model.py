"""A codec's model: transform, steps, rules and tables, as one file that a stream names by its digest.

The file is safetensors. What decides codes is whole numbers; the model id is the first 8 bytes of a BLAKE2b over all
arrays that decide codes, so a stream can never be decoded with other rules than it was coded with.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.compression.coding.transform import Transform
from sciml.compression.entropy.groups import GROUP_FIELDS, Groups
from sciml.compression.entropy.rules import Rules
from sciml.compression.entropy.tables import Tables
from sciml.runtime.errors import FormatError

if TYPE_CHECKING:
    from sciml.compression.coding.network import Restorer

# a step is 2^(-code / 256): .27 % apart, from 1 down to 2^-256
STEP_CODES = 256
RULE_FIELDS = ("mean", "spread_first", "spread_rest", "floor_first", "floor_rest", "sources", "centroids")
# of models that predict chroma from luma
CHROMA_FIELDS = ("chroma", "twins")
# what float32 and the code of a step can hold
LARGEST_NUMBER, LEAST_STEP = 1e30, 2.0**-128
# arrays of groups are called group_members and so on
GROUP = "group_"
# planes after which a layer ends; the last layer holds the rest
LAYER_BOUNDS = (8, 24, 88)


@dataclass(frozen=True)
class StepSet:
    """Rules and tables that were fitted at one step.

    Attributes:
        step: step of the planes, whose unit is the model's span.
        rules: means and classes.
        tables: probabilities.
        groups: groups of the planes behind those of the rules; none in a scalar model.
    """

    step: float
    rules: Rules
    tables: Tables
    groups: Groups | None = None

    @property
    def planes(self) -> int:
        """Number of planes that are coded."""
        return self.rules.planes if self.groups is None else self.groups.planes

    @property
    def units(self) -> int:
        """Number of symbols a block: one for each plane of the rules, one for each group."""
        return self.rules.planes + (0 if self.groups is None else len(self.groups.members))

    def first_plane(self, unit: int) -> int:
        """Return the first plane of a unit; the number of planes for the unit behind the last."""
        if self.groups is None or unit < self.rules.planes:
            return unit
        return self.planes if unit == self.units else int(self.groups.leading[unit - self.rules.planes])

    def layers(self) -> list[range]:
        """Return the units of each layer, coarse to fine: a group belongs to the layer of its first plane."""
        firsts = [self.first_plane(unit) for unit in range(self.units)]
        bounds = [0, *(bisect_left(firsts, bound) for bound in LAYER_BOUNDS if bound <= firsts[-1]), self.units]
        return [range(start, stop) for start, stop in pairwise(bounds)]


@dataclass(frozen=True)
class CodecModel:
    """Everything that encoder and decoder share.

    Attributes:
        name: name of the model, for people.
        transform: pictures to planes.
        centre: centre of the numbers of a channel, subtracted before the transform.
        span: span of the numbers of a channel; planes are in units of it.
        sets: rules and tables, from the coarsest step to the finest.
        network: refines decoded pictures; decides no code.
        about: further facts (training data, settings) for `info` and the card.
    """

    name: str
    transform: Transform
    centre: float
    span: float
    sets: tuple[StepSet, ...]
    network: Restorer | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """Channels that the transform mixes."""
        return self.transform.channels

    def set_for(self, step: float) -> int:
        """Return which set was fitted at the step nearest to `step`."""
        return int(np.argmin([abs(math.log(item.step / step)) for item in self.sets]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what decides codes, by name."""
        found = {
            "colour": self.transform.colour.astype(np.float32),
            "order": self.transform.order.astype(np.int32),
            "numbers": np.array([self.centre, self.span]),
            "steps": np.array([item.step for item in self.sets]),
        }
        for number, item in enumerate(self.sets):
            found |= {f"{number}.{name}": array for name, array in step_set_arrays(item).items()}
        return found

    @cached_property
    def id(self) -> bytes:
        """The 8 bytes that name the model in a stream."""
        return digest_arrays(self.arrays())

    @cached_property
    def earlier_ids(self) -> tuple[bytes, ...]:
        """Ids of the models with only the first of these sets: finer steps that are added leave their files as they are."""
        return tuple(replace(self, sets=self.sets[:count]).id for count in range(1, len(self.sets)))

    @property
    def test_codes(self) -> tuple[int, ...]:
        """Step codes at which the self-test codes: the coarsest, a middle one and the finest."""
        steps = [item.step for item in self.sets]
        return tuple(step_code(steps[number]) for number in (0, len(steps) // 2, -1))


def digest_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the id of the model with these arrays: 8 bytes of BLAKE2b over names, types, shapes and values."""
    digest = hashlib.blake2b(digest_size=8)
    for name, array in sorted(arrays.items()):
        plain = np.ascontiguousarray(array)
        digest.update(f"{name}\0{plain.dtype.newbyteorder('<').str}\0{plain.shape}\0".encode())
        digest.update(plain.astype(plain.dtype.newbyteorder("<")).tobytes())
    return digest.digest()


def model_from(
    arrays: Mapping[str, np.ndarray], name: str, network: Restorer | None = None, about: Mapping[str, Any] | None = None
) -> CodecModel:
    """Return the model with these arrays.

    Raises:
        FormatError: arrays are missing, of other shapes, or hold rules whose sums might not be exact.
    """
    try:
        transform = Transform(arrays["colour"], arrays["order"].astype(np.intp))
        centre, span = map(float, arrays["numbers"])
        sets = []
        for number, step in enumerate(arrays["steps"].tolist()):
            start = f"{number}."
            own = {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}
            sets.append(step_set_from(own, step))
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(f"the model {name} is damaged or of another version: {error}") from error
    if not np.array_equal(np.sort(transform.order), np.arange(256 * transform.channels)) or not sets:
        raise FormatError(f"the model {name} is damaged: its plane order is no permutation, or it has no steps")
    colour = transform.colour.astype(np.float64)
    if colour.shape != (len(colour),) * 2 or not np.abs(colour @ colour.T - np.eye(len(colour))).max() < 1e-3:
        raise FormatError(f"the model {name} is damaged: its colours are no rotation")
    if not (abs(centre) < LARGEST_NUMBER and 1 / LARGEST_NUMBER < span < LARGEST_NUMBER):
        raise FormatError(f"the model {name} is damaged: its numbers have the centre {centre:g} and the span {span:g}")
    if bad := [item.step for item in sets if not LEAST_STEP <= item.step <= 1 / LEAST_STEP]:
        raise FormatError(f"the model {name} is damaged: a step is {bad[0]:g}, expected {LEAST_STEP:.3g} to {1 / LEAST_STEP:.3g}")
    if network is not None and network.channels != transform.channels:
        raise FormatError(f"the model {name} is damaged: its network has {network.channels} channels, it {transform.channels}")
    return CodecModel(name, transform, centre, span, tuple(sets), network, dict(about or {}))


def step_set_arrays(item: StepSet) -> dict[str, np.ndarray]:
    """Return the arrays of a set by name."""
    names = (*RULE_FIELDS, *(CHROMA_FIELDS if len(item.rules.chroma) else ()))
    found = {name: getattr(item.rules, name) for name in names} | {"sizes": item.tables.sizes.astype(np.uint32)}
    if item.groups is not None:
        found |= {GROUP + name: getattr(item.groups, name) for name in GROUP_FIELDS}
    return found


def step_set_from(arrays: Mapping[str, np.ndarray], step: float) -> StepSet:
    """Return the set with these arrays, fitted at `step`.

    Raises:
        KeyError: an array is missing.
        FormatError: rules or tables are damaged.
    """
    own = (*RULE_FIELDS, *(name for name in CHROMA_FIELDS if name in arrays))
    rules = Rules(**{name: arrays[name] for name in own})
    tables, groups = Tables(arrays["sizes"].astype(np.int64)), None
    if any(name.startswith(GROUP) for name in arrays):
        groups = Groups(**{name: arrays[GROUP + name] for name in GROUP_FIELDS})
        if groups.leading[0] != rules.planes:
            raise FormatError(f"the codec's groups begin at plane {groups.leading[0]}, its rules end at {rules.planes}")
    return StepSet(step, rules, tables, groups)


def step_code(step: float) -> int:
    """Return the code of the nearest step that a stream can name."""
    return min(max(round(-STEP_CODES * math.log2(step)), 0), 65535)


def step_of(code: int) -> float:
    """Return the step of a code."""
    return 2.0 ** (-code / STEP_CODES)
