"""What an encoder is told beside the picture, and what it knows of the file that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from sciml.compression.coding.symbol_choice import Tune, tuning
from sciml.compression.coding.tile_coding import CodedTile
from sciml.compression.container.header import Header
from sciml.runtime.errors import ConfigError

RDO_PASSES = 1
MOST_RDO_PASSES = 20


@dataclass(frozen=True)
class Encoded:
    """A coded picture and what the encoder knows of it.

    Attributes:
        data: the file.
        header: header of the file, its lengths not filled in.
        tiles: what was chosen for each tile.
    """

    data: bytes
    header: Header
    tiles: tuple[CodedTile, ...]

    @property
    def ideal_bits(self) -> float:
        """Ideal code length of the payloads by the tables."""
        return float(sum(tile.bits.sum() for tile in self.tiles))

    @property
    def bpp(self) -> float:
        """Bits of the file for every pixel."""
        return 8 * len(self.data) / self.header.pixels


@dataclass(frozen=True)
class EncodeOptions:
    """What the encoder is told beside the picture and the step; see `PictureCodec.encode`."""

    roi_weights: Float[np.ndarray, "rows columns"] | None = None
    icc_profile: bytes | None = None
    crc32: bool = False
    tile_log2: int | None = None
    rdo_passes: int = 0
    tune: Tune = "psnr"


PLAIN = EncodeOptions()


# names of options in earlier versions
FORMER = {"care": "roi_weights", "profile": "icc_profile", "strong": "crc32", "effort": "rdo_passes"}


def options_of(former: Mapping[str, Any], **given: Any) -> EncodeOptions:
    """Return the options, some perhaps by their names of earlier versions."""
    if unknown := [name for name in former if name not in FORMER]:
        raise ConfigError(f"encode knows no {unknown[0]}: expected {', '.join(given)}")
    options = EncodeOptions(**given | {FORMER[name]: value for name, value in former.items()})
    if not 0 <= options.rdo_passes <= MOST_RDO_PASSES:
        raise ConfigError(f"{options.rdo_passes} rdo_passes were asked for: expected 0 to {MOST_RDO_PASSES}")
    tuning(options.tune)
    return options
