"""The crops of photographs that methods of every family are judged on, chosen by a rule and not by looking.

The rule, in this order; nothing in it looks at a picture's content or at what a method makes of it:

1. every photograph of a role of the experiment `photo-crops` (`data/splits.yaml`), in that order: test photographs that nothing
   was learned from and no choice was made on, and the validation photographs, for choices;
2. halved, by means over 2 x 2 pixels in linear light, whatever the format: JPEG sources lose their block artefacts and regain
   their colour, and all are treated alike; then rounded to 8 bits; grey photographs have three equal channels;
3. cut into disjoint parts of 512 rows and 768 columns, the grid in the middle of the picture; what is left over is not used;
4. of more than four parts, four are drawn at random, seeded by the photograph's name alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sciml.datasets.manifest import record
from sciml.datasets.splits import split
from sciml.runtime.errors import DataError
from sciml.runtime.seeds import Seeds

if TYPE_CHECKING:
    import numpy as np

EXPERIMENT = "photo-crops"
ROWS, COLUMNS = 512, 768
REDUCTION = 2
MOST = 4
SEED = 0


@dataclass(frozen=True)
class Crop:
    """One part of a halved photograph.

    Attributes:
        photograph: id of the photograph; crops of one photograph are not independent of each other.
        top: first row in the halved photograph.
        left: first column in the halved photograph.
    """

    photograph: str
    top: int
    left: int

    @property
    def name(self) -> str:
        """The photograph's id and the place, which tell it apart from all others."""
        return f"{self.photograph}-{self.top}-{self.left}"


def photo_crops(role: str = "test", tier: str = "default") -> list[Crop]:
    """Return the crops of a role by the rule of this module; no picture is read.

    Args:
        role: `test`, to judge by, or `validation`, to choose by.
        tier: the data tier; smaller ones hold the crops of fewer photographs, and the same ones of those.

    Raises:
        ConfigError: an unknown role or tier.
        DataError: a photograph holds no crop.

    Example:
        >>> [crop.name for crop in photo_crops("test", "ci")][:2]
        ['lake-sherburne-28-192', 'lake-sherburne-28-960']
    """
    return [crop for name in split(EXPERIMENT, role, tier) for crop in _crops(name)]


def first_crops(crops: Sequence[Crop], photographs: int | None = None) -> list[Crop]:
    """Return the first crop of each photograph, or of each of the first photographs."""
    first: dict[str, Crop] = {}
    for crop in crops:
        first.setdefault(crop.photograph, crop)
    return list(first.values())[:photographs]


def _crops(photograph: str) -> list[Crop]:
    height, width = (int(size) // REDUCTION for size in record(photograph).shape.split("x")[:2])
    rows, columns = height // ROWS, width // COLUMNS
    if min(rows, columns) < 1:
        raise DataError(f"{photograph} has {height} x {width} pixels when halved: a crop needs {ROWS} x {COLUMNS}")
    top, left = (height - rows * ROWS) // 2, (width - columns * COLUMNS) // 2
    places = [(top + ROWS * row, left + COLUMNS * column) for row in range(rows) for column in range(columns)]
    if len(places) > MOST:
        from random import Random

        places = sorted(Random(Seeds(SEED)("photo-crops", photograph)).sample(places, MOST))
    return [Crop(photograph, *place) for place in places]


def load_crops(crops: list[Crop]) -> dict[str, np.ndarray]:
    """Return the pixels of crops by name, (512, 768, 3) and uint8; each photograph is read once.

    Raises:
        DataError: a photograph is not fetched.
    """
    import numpy as np

    from sciml.datasets.loaders import load_photo

    found = {}
    for photograph in dict.fromkeys(crop.photograph for crop in crops):
        halved = np.rint(255 * load_photo(photograph, REDUCTION).array).astype(np.uint8)
        colour = halved if halved.ndim == 3 else np.repeat(halved[..., None], 3, axis=2)
        for crop in crops:
            if crop.photograph == photograph:
                window = colour[crop.top : crop.top + ROWS, crop.left : crop.left + COLUMNS]
                found[crop.name] = np.ascontiguousarray(window)
    return {crop.name: found[crop.name] for crop in crops}
