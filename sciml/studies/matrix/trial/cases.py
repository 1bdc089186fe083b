"""Which pictures and slices the matrix is measured on, by a rule written before anything was measured.

1. Photographs: the crops of `sciml.datasets.photo_crops("test")`, which nothing learns from, tunes on or chooses by; the first
   crop of every photograph in the order of the rule, then the second ones, and so on, until there are as many as asked for. Of a
   crop of 512 x 768 pixels the luma of the centre is taken. The data tier `pip` has no such crops: there the test photographs of
   `imaging-photos` take their place.
2. CT and MR: slices of the volumes of the roles `test` and `test-other` of the task's experiment, as many of each, spread evenly
   over the middle half, as `sciml.imaging.tasks.cases` says.
3. Crops of one photograph and slices of one person are one subject: tests and intervals are over subjects.

Parameters are tuned on the role `validation` of the task's experiment: other photographs and other persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sciml.datasets.crops import Crop, load_crops, photo_crops
from sciml.datasets.manifest import record
from sciml.datasets.splits import entry_digests, roles, split
from sciml.imaging.tasks.catalogue import TASKS
from sciml.studies.matrix.settings.rows import ROWS

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float

PHOTOGRAPHS = "imaging-photos"


@dataclass(frozen=True)
class TrueCase:
    """One picture or slice.

    Attributes:
        name: of the crop or slice.
        data: id of the data set.
        subject: the photograph, or the person where the manifest names one, else the volume.
        array: (height, width) in [0, 1], float32.
    """

    name: str
    data: str
    subject: str
    array: Float[np.ndarray, "height width"]


def in_turn(groups: Sequence[str], count: int) -> list[int]:
    """Return the places of the first member of every group, then of the second ones, and so on, up to a count.

    Example:
        >>> in_turn(["a", "a", "b", "a"], 3)
        [0, 2, 1]
    """
    ranks = [groups[:place].count(group) for place, group in enumerate(groups)]
    return sorted(range(len(groups)), key=lambda place: (ranks[place], place))[:count]


def chosen_crops(count: int, tier: str) -> list[Crop]:
    """Return the crops of the rule, at most a count of them."""
    crops = photo_crops("test", tier)
    return [crops[place] for place in in_turn([crop.photograph for crop in crops], count)]


def scanned(experiment: str, tier: str) -> list[str]:
    """Return the volumes of the test roles of an experiment."""
    return [*split(experiment, "test", tier), *roles(experiment, tier).get("test-other", [])]


def case_digests(names: tuple[str, ...], count: int, tier: str) -> dict[str, str]:
    """Return SHA-256 by entry of all data that rows are tuned and tested on."""
    entries: list[str] = []
    for experiment in {TASKS[ROWS[name].task].experiment for name in names}:
        crops = chosen_crops(count, tier) if experiment == PHOTOGRAPHS else []
        entries += [crop.photograph for crop in crops] or scanned(experiment, tier)
        entries += split(experiment, "validation", tier)
    return entry_digests(*sorted(set(entries)))


def true_cases(experiment: str, count: int, size: tuple[int, int], tier: str) -> list[TrueCase]:
    """Return the cases of an experiment by the rule of this module.

    Args:
        experiment: of the task.
        count: how many at most.
        size: height and width in pixels.
        tier: data tier.

    Raises:
        DataError: the tier has none, or they are not fetched.
    """
    import numpy as np

    from sciml.datasets.loaders import LUMA
    from sciml.imaging.tasks.cases import cases, centre

    crops = chosen_crops(count, tier) if experiment == PHOTOGRAPHS else []
    if crops:
        pixels = load_crops(crops)
        grey = {name: (colour @ np.asarray(LUMA) / 255).astype(np.float32) for name, colour in pixels.items()}
        return [TrueCase(crop.name, crop.photograph, crop.photograph, centre(grey[crop.name], size)) for crop in crops]
    names = scanned(experiment, tier)
    # as many of every volume
    most = count if experiment == PHOTOGRAPHS else -(-count // max(len(names), 1)) * len(names)
    found = cases(experiment, "test", most, size, tier, tuple(names))
    volumes = [one.name.partition("[")[0] for one in found]
    return [
        TrueCase(found[place].name, volumes[place], record(volumes[place]).patient or volumes[place], found[place].array)
        for place in in_turn(volumes, count)
    ]
