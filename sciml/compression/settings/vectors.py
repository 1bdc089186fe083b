"""Settings of the comparison of vectors with scalar symbols."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import DataConfig, DataTier, StageConfig

# planes below have predicted means, which vectors have not
FIRST_PLANE = 24
LARGEST_DIMENSION = 64
SCALAR = "scalar"
"""Name on the bench of the model without vectors."""


class VectorsConfig(StageConfig):
    """Which planes a model codes as vectors, and how."""

    retired = frozenset({"passes", "together"})
    dimensions: dict[int, int] = Field(
        default={88: 8, 152: 16},
        min_length=1,
        description="planes in a group, by its first plane",
    )
    words: int = Field(default=256, ge=2, le=2**14, description="of the codebook of each group")
    rounds: int = Field(default=12, ge=1, description="of training a codebook")

    @model_validator(mode="after")
    def _within(self) -> VectorsConfig:
        for start, dimension in self.dimensions.items():
            if start < FIRST_PLANE or not 1 <= dimension <= LARGEST_DIMENSION:
                raise ValueError(
                    f"groups of {dimension} planes from plane {start} on: expected 1 to {LARGEST_DIMENSION} planes, from plane "
                    f"{FIRST_PLANE} on"
                )
        return self


class FitVectorsConfig(VectorsConfig, DataConfig):
    """What `fit-vectors` reads: groups behind the scalar planes of a fitted model, from the same crops."""

    passes: Literal[1, 3] = Field(default=1, description="passes over the blocks; 3: words know their neighbours'")
    together: Literal["energy", "frequency"] = Field(default="frequency", description="order of the planes in groups")
    name: str
    experiment: str
    channels: int
    crop_size: int
    crops: dict[float, int]
    data_tier: DataTier
    seed: int


class CompareVectorsConfig(DataConfig):
    """What `compare-vectors` reads: a scalar model and models with groups on validation pictures."""

    experiment: str
    role: Literal["validation", "test"]
    channels: int
    data_tier: DataTier
    qualities: tuple[float, ...] = Field(min_length=4)
    pictures: int | None = None
    seed: int
