"""Settings of the family and of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from sciml.runtime.settings import StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Set = Literal["train", "validation", "test"]
SETS: tuple[Set, ...] = ("train", "validation", "test")


class Place(StageConfig):
    """A kinetic run: a point of the box and the seed of the initial state."""

    alpha: float
    zeta: float = Field(ge=0)
    seed: int = Field(ge=0)


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
    until: float = Field(gt=0)
    save_every: float = Field(gt=0)
    points: int | None = Field(default=None, description="a side; by default what each place needs, as are modes and step")


class HeldOutConfig(StageConfig):
    """What `held_out` reads: the kinetic runs that no closure learns from."""

    validation: GenerateConfig
    test: GenerateConfig


class HorizonConfig(StageConfig):
    """A stage of the training through the solver."""

    times: int = Field(ge=1, description="saved times that a window reaches")
    updates: int = Field(ge=1)
    rate: float = Field(gt=0, description="of Adam at the start of the stage")


class ClosureConfig(StageConfig):
    """A learned closure and its training."""

    inputs: int = Field(default=6, ge=1, le=6, description="invariants that are used; 1 makes a function of the order alone")
    width: int = Field(default=16, ge=1)
    depth: int = Field(default=2, ge=1)
    places: int = Field(default=20000, ge=100, description="points of each trajectory in the offline training")
    steps: int = Field(default=4000, ge=1, description="of the offline training")
    rate: float = Field(default=3e-3, gt=0)
    horizons: tuple[HorizonConfig, ...] = Field(default=(), description="stages of the training through the solver")
    batch: int = Field(default=4, ge=1, description="windows of an update")
    anchor: float = Field(default=1.0, ge=0, description="weight of the offline loss in the training through the solver")


class TrainConfig(ClosureConfig):
    """What `train` reads: one closure, all its seeds."""

    name: str
    seeds: int
    seed: int
    points: int
    time_step: float
    save_every: float


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    points: int
    time_step: float
    until: float
    threshold: float = Field(default=0.1, gt=0, description="field error whose first time is compared")
    shown: int = Field(default=0, ge=0, description="test run that the page shows as pictures")


class StabilityConfig(StageConfig):
    """What `stability` reads: long runs on a lattice over the box."""

    side: int = Field(default=5, ge=1, description="points of the lattice along alpha and zeta")
    until: float = Field(default=200.0, gt=0)
    points: int = 64
    time_step: float = 0.0125
    samples: int = Field(default=1_000_000, ge=1, description="random inputs on which m2 has to be realisable")
    seed: int = 0


class RecoverConfig(StageConfig):
    """What `recover` reads: parameter inference."""

    twins: int = Field(default=20, ge=0, description="seeds of the twin experiment")
    truths: int = Field(default=6, ge=0, description="seeds of the experiment with kinetic data")
    points: int = 32
    noise: float = Field(default=0.02, ge=0, description="standard deviation of the noise over the fields' root mean square")
    times: tuple[float, ...] = Field(default=(4.0, 5.0, 6.0, 7.0, 8.0), description="of the snapshots of the twins")
    kinetic_times: tuple[float, ...] = Field(
        default=(0.5, 1.0, 1.5, 2.0, 2.5), description="of kinetic snapshots: while the order is weak, closures err least"
    )
    seed: int = 0


class TheoryConfig(StageConfig):
    """What `theory` reads: growth rates beside the dispersion relation."""

    places: tuple[tuple[float, float], ...] = Field(default=((-1.0, 0.5), (-3.0, 1.0)), description="alpha, zeta")
    most: int = Field(default=8, ge=1, description="largest whole wave number")


class CostConfig(StageConfig):
    """What `cost` reads: seconds a step."""

    points: tuple[int, ...] = (64, 128)
    repeats: int = Field(default=5, ge=1)


class MeasureConfig(StageConfig):
    """What `measure` reads."""

    theory: TheoryConfig
    cost: CostConfig


class PageConfig(StageConfig):
    """What `report` reads."""

    tier: str
    closures: tuple[str, ...]
    chosen: str = Field(default="", description="closure that the claims are about, unless a shipped one was evaluated")


def default_closures() -> dict[str, ClosureConfig]:
    """Return the closures of the study."""
    # longer windows, and higher rates, raise the error of h* m2 on validation runs without a later departure
    stages = (HorizonConfig(times=1, updates=60, rate=3e-4), HorizonConfig(times=4, updates=120, rate=3e-4))
    return {
        "order": ClosureConfig(inputs=1),
        "offline": ClosureConfig(),
        "rollout": ClosureConfig(horizons=stages),
    }


class Config(StageConfig):
    """Active suspensions: a kinetic theory, its coarse model, and closures."""

    train: tuple[Place, ...] = _places(TRAIN, 1)
    validation: tuple[Place, ...] = _places(VALIDATION, 51)
    test: tuple[Place, ...] = _places(TEST, 101, seeds=3)
    until: float = Field(default=20.0, gt=0, description="last time of the kinetic runs that closures are trained on")
    test_until: float = Field(default=14.0, gt=0, description="last time of those they are judged by")
    save_every: float = Field(default=0.5, gt=0)
    kinetic_points: int | None = Field(default=None, description="a side of the kinetic runs; by default what each needs")
    points: int = Field(default=64, description="a side of the coarse model")
    time_step: float = Field(default=0.0125, gt=0, description="of the coarse model")
    closures: dict[str, ClosureConfig] = Field(default_factory=default_closures, description="learned closures by name")
    seeds: int = Field(default=3, ge=1, description="trainings of each closure")
    weights: Literal["shipped", "trained"] = Field(
        default="trained", description="closure of the long runs, the inference and the timings; a shipped one is evaluated too"
    )
    chosen: str = Field(default="offline", description="closure that goes into the package, and is used where weights is trained")
    stability: StabilityConfig = StabilityConfig()
    recover: RecoverConfig = RecoverConfig()
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
        return GenerateConfig(places=getattr(self, which), until=until, save_every=self.save_every, points=self.kinetic_points)

    def held_out_config(self, run: RunSettings) -> HeldOutConfig:
        """Return the slice of the kinetic runs that no closure learns from."""
        return HeldOutConfig(validation=self.generate_config(run, "validation"), test=self.generate_config(run, "test"))

    def train_config(self, run: RunSettings, closure: str) -> TrainConfig:
        """Return the slice of one closure's training."""
        settings = self.closures[closure].model_dump()
        numbers = {"points": self.points, "time_step": self.time_step, "save_every": self.save_every}
        return TrainConfig(**settings, **numbers, name=closure, seeds=self.seeds, seed=run.master_seed)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the comparison with the truth."""
        return EvaluateConfig(points=self.points, time_step=self.time_step, until=self.test_until)

    def stability_config(self, run: RunSettings) -> StabilityConfig:
        """Return the slice of the long runs."""
        return self.stability.model_copy(update={"seed": run.master_seed})

    def recover_config(self, run: RunSettings) -> RecoverConfig:
        """Return the slice of the inference."""
        return self.recover.model_copy(update={"seed": run.master_seed})

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
