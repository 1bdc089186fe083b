"""Settings of the deblurring study, one model a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from sciml.deblurring.settings.structures import ABLATIONS, DipStudyConfig
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Role = Literal["validation", "test"]
KernelError = Literal["none", "warp", "kernel", "both"]
LEARNED = "lpn:photo-deblur"
ERROR_MODELS: tuple[KernelError, ...] = ("none", "warp", "kernel", "both")
EXACT = "exact"
# the set that weights and calibration are chosen on, and the one that they are judged on
DECIDING = ("validation", "test")


class PairSet(StageConfig):
    """A grid of blurred photographs and given kernels that are wrong in stated ways."""

    role: Role = Field(default="test", description="whose photographs; validation serves every choice")
    photographs: tuple[str, ...] = Field(default=(), description="ids, all of the role; by default its first")
    most: int = Field(default=5, ge=1, description="photographs at most, if none are named")
    kernels: tuple[str, ...] = Field(min_length=1, description="true kernels by name, such as shake:2 or motion:15,30")
    errors: tuple[str, ...] = Field(
        min_length=1, description="of the given kernel: exact, rotation:10, bias:length=-5, joined by +"
    )
    size: int = Field(default=128, ge=32, description="rows and columns of the blurred picture")
    reduction: int = Field(default=2, ge=1, description="largest factor that photographs are reduced by")
    crop: Literal["centre", "edges"] = Field(
        default="centre", description="part of the photograph: centre, or strongest gradients"
    )
    noise: float = Field(default=0.01, ge=0, description="std in linear light; 0: rounded to 8 bits instead")
    boundary: Literal["valid", "circular"] = Field(
        default="valid", description="valid: what lies beyond blurs in too; circular: it does not"
    )
    cells: tuple[str, ...] | None = Field(default=None, description="prior/error to run, such as tv/warp; all by default")


# of the sets beside them: the rivals and what is shipped
SIDE_CELLS = ("tv/none", "tv/warp", "tv/kernel", "tv/true", f"{LEARNED}/none", f"{LEARNED}/warp", "hyper-laplacian/none")
# of the two sets that decide
MAIN_CELLS = (
    "tv/none",
    "tv/warp",
    "tv/kernel",
    "tv/both",
    "tv/true",
    f"{LEARNED}/none",
    f"{LEARNED}/warp",
    f"{LEARNED}/true",
    "hyper-laplacian/none",
    "richardson-lucy/none",
)
# the four sweeps of Tang et al. 2023: true kernel, which of its numbers is wrong, by how much
BIASES = {
    "length": ("motion:20,10", "length", (-15, -10, -5, 0, 5, 10, 15)),
    "angle": ("motion:20,10", "angle", (-30, -20, -10, 0, 10, 20, 30)),
    "width": ("gaussian:4", "width", (-3, -2, -1, 0, 1, 2, 3)),
    "radius": ("disk:4", "radius", (-3, -2, -1, 0, 1, 2, 3)),
}


# shakes without some of their pixels
MISSING = "missing-pixels"


def default_sets() -> dict[str, PairSet]:
    """Return the pairs of the study. They were fixed before anything was tuned."""
    return {
        "validation": PairSet(
            role="validation",
            kernels=("shake:101", "shake:104,15", "motion:11,-50", "disk:3"),
            errors=(
                "exact",
                "rotation:-8",
                "rotation:12",
                "scale:0.88",
                "scale:1.12",
                "smoothing:0.6",
                "truncation:0.15",
                "rotation:-6+scale:1.1+smoothing:0.4",
            ),
            reduction=8,
            crop="edges",
            cells=MAIN_CELLS,
        ),
        "test": PairSet(
            photographs=("camera", "kodim23", "monarch", "coffee"),
            kernels=("shake:2", "shake:5,15", "motion:15,30", "disk:4"),
            errors=(
                "exact",
                "rotation:5",
                "rotation:10",
                "rotation:15",
                "scale:0.85",
                "scale:1.15",
                "smoothing:0.7",
                "truncation:0.2",
                "rotation:7+scale:0.9+smoothing:0.5",
            ),
            cells=(*MAIN_CELLS, "richardson-lucy/true", "tv-circular/none", "tv-circular/true"),
        ),
        "noisy-kernels": PairSet(
            photographs=("camera", "monarch"),
            kernels=("shake:2", "shake:5,15", "motion:15,30", "disk:4"),
            errors=("noise:0.05", "dropout:0.5", "stray:0.03"),
            cells=SIDE_CELLS,
        ),
        **{word: _bias(*bias) for word, bias in BIASES.items()},
        **{
            f"{word}-circular": _bias(*bias, noise=0.0, boundary="circular", photographs=("camera",))
            for word, bias in BIASES.items()
        },
        "shakes": PairSet(
            photographs=("monarch",),
            kernels=tuple(
                f"shake:{seed},{size}" for seed, size in zip(range(11, 19), (19, 17, 15, 27, 13, 21, 23, 23), strict=True)
            ),
            errors=("rotation:10", "scale:0.85", "smoothing:0.7", "dropout:0.5"),
            cells=SIDE_CELLS,
        ),
        MISSING: PairSet(
            photographs=("camera", "kodim23", "monarch", "coffee"),
            kernels=tuple(
                f"shake:{seed},{size}" for seed, size in zip(range(31, 39), (19, 17, 15, 27, 13, 21, 23, 23), strict=True)
            ),
            errors=("dropout:0.3", "dropout:0.6"),
            cells=("tv/none", "tv/warp", "tv/true"),
        ),
    }


def _bias(kernel: str, word: str, values: tuple[int, ...], **options: object) -> PairSet:
    errors = tuple(f"bias:{word}={value}" if value else EXACT for value in values)
    settings = {"photographs": ("camera", "kodim23"), "kernels": (kernel,), "errors": errors, "cells": SIDE_CELLS}
    return PairSet.model_validate({**settings, **options})


class SimulateSetConfig(PairSet, DataConfig):
    """What `simulate` reads for one set of pairs."""

    name: str
    data_tier: DataTier = "default"
    seed: int


class SimulateConfig(StageConfig):
    """What `simulate` reads: every set of the study."""

    sets: dict[str, SimulateSetConfig]


class CorrectConfig(StageConfig):
    """What `correct` reads: the error models whose kernels are made."""

    errors: tuple[KernelError, ...] = ERROR_MODELS
    seed: int


def default_weights() -> dict[str, tuple[float, ...]]:
    """Return the weights that are tried: in units of sigma |k|_2 where the prior is of the grid, else in the solver's own."""
    usual = (0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0)
    return {
        "tv": usual,
        LEARNED: (0.5, 1.0, 1.5, 2.5),
        "hyper-laplacian": (0.05, 0.1, 0.2, 0.4, 0.8),
        "richardson-lucy": (1 / 10, 1 / 20, 1 / 40, 1 / 80, 1 / 160),
        "tv-circular": (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0),
    }


class TunePriorConfig(StageConfig):
    """What `tune` reads for one prior: its weights."""

    prior: str
    models: tuple[str, ...] = Field(description="error models that it is tuned under, each for itself")
    weights: tuple[float, ...]
    pairs: int = Field(description="validation pairs to tune on")


class TuneConfig(StageConfig):
    """What `tune` reads: every prior of the study."""

    priors: tuple[TunePriorConfig, ...]


class SpreadConfig(StageConfig):
    """Maps of sensitivity to the kernel."""

    count: int = Field(default=16, ge=2, description="kernels a map")
    seed: SkipJsonSchema[int] = 0


class RestoreConfig(StageConfig):
    """What `restore` reads: the cells of the grid, and how maps of spreads are made, None for a set without them."""

    cells: tuple[str, ...] | None
    priors: tuple[str, ...]
    spread: SpreadConfig | None = None


class EvaluateConfig(StageConfig):
    """What `evaluate` reads: the photographs of every set."""

    photographs: dict[str, tuple[str, ...]]


TURNED = "camera"
"""The photograph of the camera that turned, a test photograph."""


class PhotoConfig(DataConfig):
    """A photograph with an unknown blur."""

    photograph: str = Field(default="clock_motion", description="id of a photograph")
    reduction: int = Field(default=1, ge=1, description="whole factor by which it is reduced")
    kernel_size: int = Field(default=27, ge=3, description="odd size of the kernel that is estimated")
    cells: tuple[str, ...] = Field(default=("tv/none", "tv/warp", f"{LEARNED}/warp"), description="prior/error")
    seed: SkipJsonSchema[int] = 0


class PageConfig(StageConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier
    sets: tuple[str, ...]


class Config(StageConfig):
    """Deblurring with a rough kernel: image priors beside models of the kernel's error."""

    sets: dict[str, PairSet] = Field(default_factory=default_sets, description="grids of pairs by name")
    priors: tuple[str, ...] = Field(
        default=("tv", LEARNED, "hyper-laplacian", "richardson-lucy", "tv-circular"), description="image priors and solvers"
    )
    weights: dict[str, tuple[float, ...]] = Field(default_factory=default_weights, description="weights that are tried, by prior")
    tune_pairs: int = Field(default=16, ge=1, description="validation pairs to tune on")
    spread: SpreadConfig = SpreadConfig()
    photo: PhotoConfig = PhotoConfig()
    dip: DipStudyConfig = DipStudyConfig()

    @model_validator(mode="after")
    def _has_sets(self) -> Config:
        if missing := {"validation", "test"} - set(self.sets):
            raise ValueError(f"the sets {', '.join(sorted(missing))} are missing: one is tuned on, the other is tested on")
        wrong = [name for name, one in self.sets.items() if (one.role == "validation") != (name == "validation")]
        if wrong:
            raise ValueError(f"the set {wrong[0]} has the role {self.sets[wrong[0]].role}: only the set validation tunes")
        return self

    def photographs(self, run: RunSettings, name: str) -> tuple[str, ...]:
        """Return the photographs of a set."""
        from sciml.datasets.splits import split

        chosen = self.sets[name]
        return chosen.photographs or tuple(split("deblurring", chosen.role, run.data_tier)[: chosen.most])

    def simulate_config(self, run: RunSettings) -> SimulateConfig:
        """Return the slice of all sets: their data by hash too, so that an edit of the splits runs them again."""
        from sciml.datasets.splits import entry_digests

        def one(name: str, settings: PairSet) -> SimulateSetConfig:
            chosen = {**settings.model_dump(), "photographs": self.photographs(run, name)}
            digests = entry_digests(*chosen["photographs"])
            return SimulateSetConfig(**chosen, name=name, digests=digests, data_tier=run.data_tier, seed=run.master_seed)

        return SimulateConfig(sets={name: one(name, settings) for name, settings in self.sets.items()})

    def correct_config(self, run: RunSettings, pair_set: str) -> CorrectConfig:
        """Return the slice of one set's kernel steps: the error models of its cells; where weights are tuned, of all sets."""
        models = set().union(*(self._models(name) for name in self.sets)) if pair_set == "validation" else self._models(pair_set)
        return CorrectConfig(errors=tuple(model for model in ERROR_MODELS if model in models), seed=run.master_seed)

    def tune_config(self, run: RunSettings) -> TuneConfig:
        """Return the slice of the choice of weights, of each prior for the error models that any set runs it with."""

        def one(prior: str) -> TunePriorConfig:
            models = set().union(*(self._models(name, prior) for name in self.sets))
            chosen = tuple(model for model in (*ERROR_MODELS, "true") if model in models)
            return TunePriorConfig(prior=prior, models=chosen, weights=self.weights[prior], pairs=self.tune_pairs)

        return TuneConfig(priors=tuple(one(prior) for prior in self.priors))

    def _models(self, pair_set: str, prior: str | None = None) -> set[str]:
        """Return the error models of a set's cells, of one prior or of all."""
        from sciml.deblurring.settings.grid import cells, parted

        found = [parted(cell) for cell in cells(self.priors, self.sets[pair_set].cells)]
        return {model for name, model in found if prior in (None, name)}

    def restore_config(self, run: RunSettings, pair_set: str) -> RestoreConfig:
        """Return the slice of one set's restorations, with maps of spreads for the two sets that decide."""
        spread = self.spread.model_copy(update={"seed": run.master_seed}) if pair_set in DECIDING else None
        return RestoreConfig(cells=self.sets[pair_set].cells, priors=self.priors, spread=spread)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the scores."""
        return EvaluateConfig(photographs={name: self.photographs(run, name) for name in self.sets})

    def dip_config(self, run: RunSettings) -> DipStudyConfig:
        """Return the slice of the untrained networks."""
        return self.dip.model_copy(update={"seed": run.master_seed})

    def ablate_config(self, run: RunSettings) -> DipStudyConfig:
        """Return the slice of their ablations."""
        return ABLATIONS.model_copy(update={"seed": run.master_seed})

    def photo_config(self, run: RunSettings) -> PhotoConfig:
        """Return the slice of the real photograph."""
        from sciml.datasets.splits import entry_digests

        return self.photo.model_copy(update={"seed": run.master_seed, "digests": entry_digests(self.photo.photograph, TURNED)})

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(tier=run.tier, data_tier=run.data_tier, sets=tuple(self.sets))
