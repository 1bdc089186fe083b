"""Settings of the chain from frames to parameters, one model a stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from sciml.runtime.settings import DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Archive = Literal["lossless", "high", "medium", "low"]
Sharpening = Literal["none", "wiener", "tv", "corrected", "lpn", "exact"]
ARCHIVES: tuple[Archive, ...] = ("lossless", "high", "medium", "low")
SHARPENINGS: tuple[Sharpening, ...] = ("none", "wiener", "tv", "corrected", "lpn", "exact")
TRUE_FRAMES = "true frames"
"""The combination without pictures: the flow itself with the noise of the family's own study."""
PRIOR = "lpn:photo-deblur"
"""Learned prior of the sharpening `lpn`."""
TRUTHS = ((-1.25, 0.4), (-1.5, 0.75), (-2.0, 0.5), (-2.5, 0.35))
"""The points of the family's closure that were never trained on and that 64 points resolve to the last time."""
CALIBRATION = (
    *((-1.569, 0.378), (-1.262, 0.606), (-2.206, 0.434), (-1.899, 0.662), (-1.593, 0.49)),
    *((-1.287, 0.718), (-2.23, 0.546), (-1.924, 0.373), (-1.617, 0.601)),
)
"""Points of the movies that calibrate; neither trained on nor judged: the first nine of a sequence that fills (-2.5, -1.25) x
(0.35, 0.75) evenly, by steps of 1/g and 1/g^2 with g^3 = g + 1. Nine are the fewest of which a quantile of 90 % is known."""
Place = tuple[Annotated[float, Field(ge=-3, le=-1)], Annotated[float, Field(ge=0.25, le=1)]]


class FrameStack(StageConfig):
    """Frames of one's own in place of the simulated ones that are judged."""

    path: Path = Field(description="TIFF of 8, 12 or 16 bits, (frames, rows, columns)")
    pixel_size: float = Field(gt=0, description="side of a pixel, in the unit of length of d_t")
    frame_interval: float = Field(gt=0, description="time between frames, in the unit of time of d_t and d_r")
    d_t: float = Field(default=0.05, gt=0, description="translational diffusion of the rods, length^2 / time")
    d_r: float = Field(default=0.05, gt=0, description="rotational diffusion of the rods, 1 / time")


class SimulateConfig(StageConfig):
    """What `simulate` reads: the flows."""

    truths: tuple[Place, ...] = Field(default=TRUTHS, description="activity and alignment of the flows that are judged")
    calibration: tuple[Place, ...] = Field(default=CALIBRATION, description="activity and alignment of the flows that calibrate")
    seeds: int = Field(default=3, ge=1, description="initial states of each flow that is judged")
    points: int = Field(default=64, ge=32, multiple_of=16, description="points a side of the kinetic solver")
    frames: int = Field(default=5, ge=2, le=16, description="frames of a movie, half a unit of time apart")
    seed: int = 0


class RenderConfig(StageConfig):
    """What `render` reads."""

    pixels: int = Field(default=256, ge=64, multiple_of=16, description="pixels a side of a frame")
    stack: FrameStack | None = None
    seed: int = 0


class ArchiveConfig(StageConfig):
    """What `archive` reads."""

    archive: Archive


class SharpenConfig(StageConfig):
    """What `sharpen` reads."""

    sharpening: Sharpening


class OrientConfig(StageConfig):
    """What `orient` reads: nothing is set, the calibration finds it."""


class InferConfig(StageConfig):
    """What `infer` reads: one combination, or the true frames."""

    combination: str = Field(default=TRUE_FRAMES, description="ARCHIVE/SHARPENING, or the true frames")
    guessed: bool = Field(default=False, description="fit with a guessed noise too")
    seed: int = 0


class ReportConfig(StageConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier
    combinations: tuple[str, ...] = Field(description="ARCHIVE/SHARPENING, in the order of the page")


def every_combination() -> tuple[str, ...]:
    """Return all archives with all sharpenings, the untouched one first."""
    return tuple(f"{archive}/{sharpening}" for archive in ARCHIVES for sharpening in SHARPENINGS)


class Config(StageConfig):
    """From blurred microscope frames back to activity and alignment."""

    truths: tuple[Place, ...] = Field(default=TRUTHS, min_length=1, description="(alpha, zeta) of the flows that are judged")
    seeds: int = Field(default=3, ge=1, le=100, description="initial states of each such flow")
    calibration: tuple[Place, ...] = Field(
        default=CALIBRATION, min_length=3, description="(alpha, zeta) of the flows that calibrate"
    )
    pixels: int = Field(default=256, ge=64, le=2048, multiple_of=16, description="pixels a side of a frame")
    combinations: tuple[str, ...] = Field(
        default_factory=every_combination, min_length=1, description="ARCHIVE/SHARPENING: links that are run together"
    )
    guessed: tuple[str, ...] = Field(
        default=("lossless/none", "lossless/corrected"),
        description="combinations fitted with a guessed noise too",
    )
    frames: FrameStack | None = Field(default=None, description="a movie of one's own")

    @field_validator("combinations")
    @classmethod
    def _known(cls, combinations: tuple[str, ...]) -> tuple[str, ...]:
        for text in combinations:
            archive, _, sharpening = text.partition("/")
            if archive not in ARCHIVES or sharpening not in SHARPENINGS:
                raise ValueError(
                    f"{text!r} is no combination: it is ARCHIVE/SHARPENING, {', '.join(ARCHIVES)} with {', '.join(SHARPENINGS)}"
                )
        return tuple(dict.fromkeys(combinations))

    @property
    def run_combinations(self) -> tuple[str, ...]:
        """The combinations that can be run: nobody knows the true kernel of a movie of one's own."""
        return tuple(one for one in self.combinations if self.frames is None or not one.endswith("/exact"))

    def simulate_config(self, run: RunSettings) -> SimulateConfig:
        """Return the slice of the flows; of those that calibrate alone where the movie is the user's."""
        truths = () if self.frames else self.truths
        return SimulateConfig(truths=truths, calibration=self.calibration, seeds=self.seeds, seed=run.master_seed)

    def render_config(self, run: RunSettings) -> RenderConfig:
        """Return the slice of the microscope."""
        return RenderConfig(pixels=self.pixels, stack=self.frames, seed=run.master_seed)

    def archive_config(self, run: RunSettings, archive: Archive) -> ArchiveConfig:
        """Return the slice of one archive."""
        return ArchiveConfig(archive=archive)

    def sharpen_config(self, run: RunSettings, sharpening: Sharpening) -> SharpenConfig:
        """Return the slice of one sharpening."""
        return SharpenConfig(sharpening=sharpening)

    def orient_config(self, run: RunSettings) -> OrientConfig:
        """Return the slice of the structure tensor."""
        return OrientConfig()

    def infer_config(self, run: RunSettings, combination: str) -> InferConfig:
        """Return the slice of the inference from one combination, or from the true frames."""
        return InferConfig(combination=combination, guessed=combination in self.guessed, seed=run.master_seed)

    def report_config(self, run: RunSettings) -> ReportConfig:
        """Return the slice of the page."""
        return ReportConfig(tier=run.tier, data_tier=run.data_tier, combinations=self.run_combinations)
