"""Settings of the family and of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Set = Literal["train", "validation", "test"]
SETS: tuple[Set, ...] = ("train", "validation", "test")


# sides of a grid: even, so that the filter at two thirds is the same on both axes
Side = Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
Alpha = Annotated[float, Field(ge=-100, le=100, description="active stress, dimensionless; negative for pushers")]
Zeta = Annotated[float, Field(ge=0, le=100, description="steric alignment, dimensionless")]
Time = Annotated[float, Field(gt=0, le=10_000)]
Step = Annotated[float, Field(gt=0, le=1)]

# time between saved states of the kinetic runs, in units of the theory
SAVE_EVERY = 0.5


class Place(StageConfig):
    """A kinetic run."""

    alpha: Alpha
    zeta: Zeta
    seed: int = Field(ge=0, description="seed of the initial state")


def _places(points: tuple[tuple[float, float], ...], first: int, seeds: int = 1) -> tuple[Place, ...]:
    return tuple(
        Place(alpha=alpha, zeta=zeta, seed=first + (number if seeds == 1 else seed))
        for number, (alpha, zeta) in enumerate(points)
        for seed in range(seeds)
    )


# fixed before anything was trained
TRAIN = (*((alpha, zeta) for alpha in (-1.0, -2.0, -3.0) for zeta in (0.25, 0.6, 1.0)), (-1.5, 0.4), (-2.5, 0.8))
VALIDATION = ((-2.25, 0.45), (-1.25, 0.85))
TEST = ((-1.25, 0.4), (-1.5, 0.75), (-2.0, 0.5), (-2.5, 0.35), (-2.75, 0.9), (-1.75, 0.95))


class GenerateConfig(StageConfig):
    """What `generate` reads: the kinetic runs of one set."""

    places: tuple[Place, ...]
    until: Time
    save_every: Time
    points: Side | None = None


class HeldOutConfig(StageConfig):
    """What `held_out` reads: the kinetic runs that no closure learns from."""

    validation: GenerateConfig
    test: GenerateConfig


class HorizonConfig(StageConfig):
    """A stage of the training through the solver."""

    times: int = Field(ge=1, le=1000, description="saved times that a window reaches")
    updates: int = Field(ge=1, le=1_000_000, description="updates of the weights")
    rate: float = Field(gt=0, le=1, description="learning rate at the start of the stage")


class ClosureConfig(StageConfig):
    """A learned closure and its training."""

    entry: str = Field(default="", max_length=100, description="closure of your own: an entry point of sciml.closures")
    kept: Literal[1, 2] = Field(default=1, description="moments of the coarse model; 2: m3 is learned, by least squares")
    inputs: int = Field(default=6, ge=1, le=6, description="invariants that are used; 1: the order alone")
    width: int = Field(default=16, ge=1, le=4096, description="units of a hidden layer of the perceptron")
    depth: int = Field(default=2, ge=1, le=20, description="hidden layers of the perceptron")
    places: int = Field(default=20000, ge=100, le=10_000_000, description="points of a trajectory in the offline training")
    steps: int = Field(default=4000, ge=1, le=10_000_000, description="steps of the offline training")
    horizons: tuple[HorizonConfig, ...] = Field(default=(), description="stages of the training through the solver")
    batch: int = Field(default=4, ge=1, le=4096, description="windows of an update")

    @model_validator(mode="after")
    def _trains(self) -> ClosureConfig:
        if self.entry and (self.kept > 1 or self.horizons):
            raise ValueError(
                f"the closure of the entry point {self.entry!r} is one of m2, and trained offline: no kept, no horizons"
            )
        return self


class TrainConfig(ClosureConfig):
    """What `train` reads: one closure, all its seeds.

    Attributes:
        name: name of the closure.
        seeds: number of trainings.
        seed: seed that those of weights, points, batches and windows come from.
        points: side of the coarse model's grid in the training through the solver.
        time_step: step of the coarse model.
        save_every: time between saved states of the trajectories.
        rate: learning rate of Adam at the start of the offline training.
        anchor: weight of the offline loss in the training through the solver.
    """

    name: str
    seeds: int
    seed: int
    points: int
    time_step: float
    save_every: float
    rate: float = Field(default=3e-3, gt=0)
    anchor: float = Field(default=1.0, ge=0)


class EvaluateConfig(StageConfig):
    """What `evaluate` reads.

    Attributes:
        points: side of the coarse model's grid.
        time_step: step of the coarse model, at most.
        until: last time.
        threshold: relative field error whose first time is compared.
        shown: number of the test run that the page shows as pictures.
    """

    points: int
    time_step: float
    until: float
    threshold: float = Field(default=0.1, gt=0)
    shown: int = Field(default=0, ge=0)


class LongRuns(StageConfig):
    """Long runs on a lattice over the box."""

    side: int = Field(default=5, ge=1, le=100, description="points of the lattice along an axis")
    until: Time = Field(default=200.0, description="last time of a long run")
    points: Side = Field(default=64, description="side of the coarse model's grid")
    time_step: Step = Field(default=0.0125, description="step of the coarse model")
    samples: int = Field(default=1_000_000, ge=1, le=1_000_000_000, description="random inputs of m2")


class StabilityConfig(LongRuns):
    """What `stability` reads; `seed` is that of initial states and random inputs."""

    seed: int = 0


class Recovery(StageConfig):
    """Experiments of the parameter inference."""

    twins: int = Field(default=20, ge=0, le=10_000, description="experiments on data of the closed model")
    truths: int = Field(default=20, ge=0, le=10_000, description="experiments on kinetic data")
    points: Side = Field(default=32, description="side of the grid of truth and model")


class RecoverConfig(Recovery):
    """What `recover` reads.

    Attributes:
        noise: standard deviation of the noise over the root mean square of the fields.
        times: times of the snapshots of the twins.
        kinetic_times: times of kinetic snapshots, while the order is weak: there closures err least.
        seed: seed of initial states, noise and starts.
    """

    noise: float = Field(default=0.02, ge=0)
    times: tuple[float, ...] = (4.0, 5.0, 6.0, 7.0, 8.0)
    kinetic_times: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5)
    seed: int = 0


class TheoryConfig(StageConfig):
    """Growth rates beside the dispersion relation."""

    places: tuple[tuple[Alpha, Zeta], ...] = Field(default=((-1.0, 0.5), (-3.0, 1.0)), description="pairs of alpha and zeta")
    most: int = Field(default=8, ge=1, le=200, description="largest whole number of waves in the box")


class CostConfig(StageConfig):
    """Seconds a step."""

    points: tuple[Side, ...] = Field(default=(64, 128), description="sides of the grids that are timed")
    repeats: int = Field(default=5, ge=1, le=10_000, description="timings of a model; the least counts")


class MeasureConfig(StageConfig):
    """What `measure` reads."""

    theory: TheoryConfig
    cost: CostConfig


class PageConfig(StageConfig):
    """What `report` reads; `chosen` is the closure that the claims are about, unless a shipped one was evaluated."""

    tier: str
    closures: tuple[str, ...]
    chosen: str = ""


def default_closures() -> dict[str, ClosureConfig]:
    """Return the closures of the study."""
    # longer windows, and higher rates, raise the error of h* m2 on validation runs without a later departure
    stages = (HorizonConfig(times=1, updates=60, rate=3e-4), HorizonConfig(times=4, updates=120, rate=3e-4))
    return {
        "order": ClosureConfig(inputs=1),
        "offline": ClosureConfig(),
        "rollout": ClosureConfig(horizons=stages),
        "second": ClosureConfig(kept=2),
    }


class Config(StageConfig):
    """Active suspensions: a kinetic theory, its coarse model, and closures."""

    train: tuple[Place, ...] = Field(default=_places(TRAIN, 1), description="kinetic runs to learn from")
    validation: tuple[Place, ...] = Field(default=_places(VALIDATION, 51), description="kinetic runs of histories")
    test: tuple[Place, ...] = Field(default=_places(TEST, 101, seeds=3), description="kinetic runs to judge by")
    until: Time = Field(default=20.0, description="last time of runs of train and validation")
    test_until: Time = Field(default=14.0, description="last time of runs of test")
    kinetic_points: Side | None = Field(default=None, description="side of the kinetic grid; by default as needed")
    points: Side = Field(default=64, description="side of the coarse model's grid")
    time_step: Step = Field(default=0.0125, description="step of the coarse model")
    closures: dict[str, ClosureConfig] = Field(default_factory=default_closures, description="learned closures by name")
    seeds: int = Field(default=3, ge=1, le=100, description="trainings of each closure")
    weights: Literal["shipped", "trained"] = Field(default="trained", description="closure of long runs, inference, timings")
    chosen: str = Field(default="offline", description="closure that is published, and used if trained")
    stability: LongRuns = LongRuns()
    recover: Recovery = Recovery()
    theory: TheoryConfig = TheoryConfig()
    cost: CostConfig = CostConfig()

    @model_validator(mode="after")
    def _fits(self) -> Config:
        if self.chosen not in self.closures:
            raise ValueError(f"the closure {self.chosen!r} is chosen, but there are only {', '.join(self.closures)}")
        marks = {name: {(p.alpha, p.zeta) for p in getattr(self, name)} for name in SETS}
        if common := (marks["train"] | marks["validation"]) & marks["test"]:
            raise ValueError(f"alpha, zeta = {sorted(common)[0]} is trained on and tested on")
        return self

    def generate_config(self, run: RunSettings, which: Set) -> GenerateConfig:
        """Return the slice of one set's kinetic runs."""
        until = self.test_until if which == "test" else self.until
        return GenerateConfig(places=getattr(self, which), until=until, save_every=SAVE_EVERY, points=self.kinetic_points)

    def held_out_config(self, run: RunSettings) -> HeldOutConfig:
        """Return the slice of the kinetic runs that no closure learns from."""
        return HeldOutConfig(validation=self.generate_config(run, "validation"), test=self.generate_config(run, "test"))

    def train_config(self, run: RunSettings, closure: str) -> TrainConfig:
        """Return the slice of one closure's training."""
        settings = self.closures[closure].model_dump()
        numbers = {"points": self.points, "time_step": self.time_step, "save_every": SAVE_EVERY}
        return TrainConfig(**settings, **numbers, name=closure, seeds=self.seeds, seed=run.master_seed)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the comparison with the truth."""
        return EvaluateConfig(points=self.points, time_step=self.time_step, until=self.test_until)

    def stability_config(self, run: RunSettings) -> StabilityConfig:
        """Return the slice of the long runs."""
        return StabilityConfig(**self.stability.model_dump(), seed=run.master_seed)

    def recover_config(self, run: RunSettings) -> RecoverConfig:
        """Return the slice of the inference."""
        return RecoverConfig(**self.recover.model_dump(), seed=run.master_seed)

    def theory_config(self, run: RunSettings) -> TheoryConfig:
        """Return the slice of the growth rates."""
        return self.theory

    def cost_config(self, run: RunSettings) -> CostConfig:
        """Return the slice of the timings."""
        return self.cost

    def measure_config(self, run: RunSettings) -> MeasureConfig:
        """Return the slice of growth rates and timings."""
        return MeasureConfig(theory=self.theory_config(run), cost=self.cost_config(run))

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        shipped = ("shipped",) if self.weights == "shipped" else ()
        return PageConfig(tier=run.tier, closures=(*self.closures, *shipped), chosen=self.chosen)
