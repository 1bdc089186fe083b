"""Where the pictures of a domain come from: declared or own pictures, slices of volumes, fields of simulated runs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import StageConfig

Role = Literal["train", "validation", "test"]
# slices of a volume that are coded as the channels of one picture; three would be colours
NEIGHBOURS = (1, 2, 4, 8)


class SourceConfig(StageConfig):
    """Where the pictures of a domain come from, and what their samples are."""

    kind: Literal["pictures", "slices", "fields"] = Field(
        default="pictures",
        description="pictures of 8 bits, slices as windowed 16 bits, or fields as floats",
    )
    experiment: str = Field(default="compression", description="name in the data splits, or folder:PATH")
    channels: int = Field(default=3, ge=1, le=16, description="channels of a picture; of slices neighbours that go together")
    window: tuple[float, float] | None = Field(
        default=None,
        description="slices: values of black and white; by default the file's",
    )
    variables: tuple[str, ...] = Field(
        default=("vorticity", "velocity_x", "velocity_y"), min_length=1, description="fields; each is a picture of its own"
    )
    begin: float | None = Field(default=None, ge=0, description="fields: first time, when the flow has formed")
    periodic: bool = Field(default=False, description="fields: crops may go over a border")

    @model_validator(mode="after")
    def _fits(self) -> SourceConfig:
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError(f"the window is {self.window}: expected two numbers, the lower first")
        if self.kind == "fields" and self.channels != 1:
            raise ValueError(f"fields have one channel, {self.channels} were given")
        if self.kind == "slices" and self.channels not in NEIGHBOURS:
            raise ValueError(f"slices go together by {', '.join(map(str, NEIGHBOURS))}, {self.channels} were given")
        return self


class FlowRunConfig(StageConfig):
    """One simulated run."""

    alpha: float = Field(ge=-100, le=100, description="strength of the active stress")
    zeta: float = Field(ge=0, description="steric alignment")
    seed: int = Field(ge=0, description="of its first state")

    @property
    def name(self) -> str:
        """Name of its files."""
        return f"alpha{self.alpha:g}_zeta{self.zeta:g}_seed{self.seed}"


def default_runs() -> dict[Role, tuple[FlowRunConfig, ...]]:
    """Return runs split by parameter point and seed."""
    points: dict[Role, tuple[tuple[float, float, int], ...]] = {
        "train": ((-1.25, 0.5, 1), (-1.75, 0.25, 2), (-2.0, 0.75, 3), (-2.5, 0.5, 4), (-2.25, 1.0, 5)),
        "validation": ((-2.25, 0.65, 11),),
        "test": ((-1.5, 0.4, 21), (-2.2, 0.9, 22), (-2.4, 0.35, 23)),
    }
    return {role: tuple(FlowRunConfig(alpha=a, zeta=z, seed=s) for a, z, s in runs) for role, runs in points.items()}


class FlowRunsConfig(StageConfig):
    """Runs of the active fluid that fields are taken from."""

    points: int = Field(default=128, ge=32, multiple_of=16, description="grid points a side")
    length: float = Field(default=20.0, gt=0, description="side of the square, in units of the theory")
    until: float = Field(default=16.0, gt=0, description="time at which runs end")
    save_every: float = Field(default=1.0, gt=0, description="time between states that are kept")
    time_step: float = Field(default=0.008, gt=0, le=1, description="time between states that are computed")
    runs: dict[Role, tuple[FlowRunConfig, ...]] = Field(default_factory=default_runs, description="runs by role")

    @model_validator(mode="after")
    def _volumes_and_fields(self) -> FlowRunsConfig:
        roles = list(self.runs.items())
        for number, (role, runs) in enumerate(roles):
            for other, others in roles[number + 1 :]:
                points = {(run.alpha, run.zeta) for run in runs} & {(run.alpha, run.zeta) for run in others}
                seeds = {run.seed for run in runs} & {run.seed for run in others}
                if points or seeds:
                    shared = f"the point {min(points)}" if points else f"the seed {min(seeds)}"
                    raise ValueError(f"{role} and {other} share {shared}: runs are split by parameter point and by seed")
        return self
