"""Settings of the model without loss, and of its comparison."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sciml.compression.settings.domains import SourceConfig
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

# bounds of pictures in levels; 0 is no loss
BOUNDS = (0, 1, 2, 4)
# bounds of fields as shares of their range; 0 is no loss
SHARES = (0.0, 1e-5, 1e-4, 1e-3)


class LosslessConfig(StageConfig):
    """Crops that the model without loss learns from."""

    crop_size: int = Field(default=384, ge=32, description="side of a crop in pixels")
    crops: dict[float, int] = Field(
        default={1.0: 1, 2.0: 1}, min_length=1, description="crops of a picture, by reduction of its size"
    )


class FitLosslessConfig(LosslessConfig, DataConfig):
    """What `fit-lossless` reads."""

    experiment: str
    data_tier: DataTier
    seed: int


class CompareLosslessConfig(DataConfig):
    """What `compare-lossless` reads: test pictures of every domain.

    Attributes:
        sources: where the pictures of a domain come from.
        pictures: of each domain, evenly spread over all; all by default.
    """

    sources: dict[str, SourceConfig]
    role: Literal["validation", "test"]
    data_tier: DataTier
    pictures: int | None = None
