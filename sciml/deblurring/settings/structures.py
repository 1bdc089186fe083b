"""Settings of the untrained networks and of the rule that stops them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from sciml.runtime.settings import StageConfig


class StopConfig(StageConfig):
    """When the fit of untrained networks ends; no rule sees the truth."""

    look_every: int = Field(default=5, ge=1, description="iterations between two looks at the output")
    held_out: float = Field(default=0.05, ge=0, le=0.5, description="share of pixels kept out of the fit; 0: no such rule")
    patience: int = Field(default=200, ge=1, description="iterations without a better held-out misfit")
    smoothing: float = Field(default=0.8, ge=0, lt=1, description="decay over looks of the average held-out misfit")
    discrepancy: float | None = Field(
        default=0.9,
        gt=0,
        description="misfit of fitted pixels that ends it, in sigma; null: none",
    )
    ends: bool = Field(default=True, description="false: spend the whole budget")
    window: int = Field(default=50, ge=2, description="iterations of the running variance, a curve only")


class DipConfig(StageConfig):
    """A fit of untrained networks to a blurred picture; weights in units of the noise."""

    mode: Literal["none", "residual", "kernel", "both", "official"] = Field(
        default="residual", description="model of the kernel's error; official: as released"
    )
    fit: Literal["l2", "huber", "l1_dct"] = Field(default="l2", description="likelihood of the misfit")
    boundary: Literal["valid", "circular"] = Field(
        default="valid", description="circular: the picture goes on from its other side"
    )
    network: Literal["tiny", "small", "published"] = Field(default="small", description="size of the networks")
    iterations: int = Field(default=400, ge=1, description="steps at most, after a fit to the start")
    warm_start: Literal["offset", "fit"] = Field(
        default="offset",
        description="offset: the image is added to the warm start; fit: first fitted to it",
    )
    start_iterations: int = Field(default=400, ge=0, description="steps of the fit to the warm start")
    warm_rate: float = Field(default=2e-3, gt=0, description="learning rate of the image after its fit")
    offset_rate: float = Field(default=3e-2, gt=0, description="learning rate of an image added to the start")
    cold_rate: float = Field(default=1e-2, gt=0, description="learning rate of the image without a start")
    residual_rate: float = Field(default=5e-3, gt=0, description="learning rate of the residual network")
    ramp_iterations: int = Field(default=50, ge=0, description="steps over which all rates rise from 0")
    tv_weight: float = Field(default=0.75, ge=0, description="weight of the total variation, in units of sigma |k|_2")
    artefact_weight: float | None = Field(
        default=6.0,
        gt=0,
        description="threshold of the artefact term of fit l2, in sigma; null: none",
    )
    jitter: float = Field(default=1e-3, ge=0, le=1e-2, description="std of the noise on the network's input")
    least_gain: float | None = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share the held-out misfit falls by, else the warm start is returned; null: never",
    )
    checkpoint_every: int = Field(default=50, ge=1, description="steps between two checkpoints")
    stop: StopConfig = StopConfig()

    @model_validator(mode="after")
    def _consistent(self) -> DipConfig:
        if self.mode == "official" and self.fit != "l2":
            raise ValueError(f"mode official has a likelihood of its own, fit must stay l2, got {self.fit}")
        return self


class DipCell(StageConfig):
    """One way of fitting untrained networks to a pair."""

    start: Literal["none", "given", "corrected"] = Field(
        default="given",
        description="from nothing, or total variation by the given or the warped kernel",
    )
    fit: DipConfig = DipConfig()
    pairs: tuple[str, ...] | None = Field(default=None, description="pairs to run on; all by default")
    seeds: int | None = Field(default=None, ge=1, description="seeds to run; all by default")


MIX = "rotation:7+scale:0.9+smoothing:0.5"
DIP_PAIRS = (
    "camera disk:4 exact",
    "camera shake:2 rotation:10",
    f"camera shake:5,15 {MIX}",
    "kodim23 shake:2 exact",
    "kodim23 motion:15,30 rotation:10",
    f"kodim23 disk:4 {MIX}",
    "monarch motion:15,30 exact",
    "monarch shake:5,15 rotation:10",
    f"monarch shake:2 {MIX}",
    "coffee shake:5,15 exact",
    "coffee shake:2 rotation:10",
    f"coffee motion:15,30 {MIX}",
)
"""Fixed before anything was fitted to a test picture; a turned disk is the same disk, so that none is turned."""

DIP_SHOWN = ("camera shake:2 rotation:10", "kodim23 shake:2 exact", f"coffee motion:15,30 {MIX}")
DIP_SMOOTHED = tuple(
    f"{photograph} {kernel} smoothing:0.7"
    for photograph, kernel in (
        ("camera", "shake:2"),
        ("kodim23", "motion:15,30"),
        ("monarch", "disk:4"),
        ("coffee", "shake:5,15"),
    )
)


# without a start the residual network is ahead of the image and takes its place: with the image's rate it costs decibels
COLD: dict[str, object] = {"cold_rate": 3e-2, "residual_rate": 5e-4}


def _whole(**changes: object) -> DipConfig:
    """Return settings of a fit whose whole budget is spent, so that the best of its run can be compared with what is returned."""
    return DipConfig.model_validate({"stop": {"ends": False}, **changes})


def dip_cells() -> dict[str, DipCell]:
    """Return the cells of the study: the four that answer its question, and a few beside them on fewer pairs."""
    few: dict[str, object] = {"pairs": DIP_SHOWN, "seeds": 1}
    return {
        "none/cold": DipCell(start="none", fit=_whole(mode="none", **COLD)),
        "none/warm": DipCell(fit=_whole(mode="none")),
        "residual/cold": DipCell(start="none", fit=_whole(mode="residual", **COLD)),
        "residual/warm": DipCell(fit=_whole(mode="residual")),
        "none/corrected": DipCell(start="corrected", fit=_whole(mode="none"), seeds=1),
        "residual/corrected": DipCell(start="corrected", fit=_whole(mode="residual"), seeds=1),
        "residual/smoothing": DipCell(fit=_whole(mode="residual"), pairs=DIP_SMOOTHED, seeds=1),
        "kernel/warm": DipCell.model_validate({"fit": _whole(mode="kernel"), **few}),
        "both/warm": DipCell.model_validate({"fit": _whole(mode="both"), **few}),
        "official/cold": DipCell.model_validate({"start": "none", "fit": _whole(mode="official", **COLD), **few}),
        "plain/cold": DipCell.model_validate({"start": "none", "fit": _whole(mode="none", tv_weight=0.0, **COLD), **few}),
    }


def dip_ablations() -> dict[str, DipCell]:
    """Return what is changed one at a time: mode, likelihood, start, each term and the boundary, at one budget."""

    def one(start: str = "given", **changes: object) -> DipCell:
        begun = COLD if start == "none" else {}
        return DipCell.model_validate({"start": start, "fit": _whole(**{"mode": "residual", **begun, **changes})})

    return {
        "reference": one(),
        "mode none": one(mode="none"),
        "mode kernel": one(mode="kernel"),
        "mode both": one(mode="both"),
        "fit huber": one(fit="huber"),
        "fit l1_dct": one(fit="l1_dct"),
        "start none": one("none"),
        "start corrected": one("corrected"),
        "start fitted": one(warm_start="fit"),
        "without total variation": one(tv_weight=0.0),
        "without artefact term": one(artefact_weight=None),
        "circular boundary": one("none", boundary="circular"),
    }


class DipStudyConfig(StageConfig):
    """Untrained networks on pairs of the study."""

    pairs: tuple[str, ...] = Field(default=DIP_PAIRS, description="photograph, true kernel and error")
    seeds: int = Field(default=3, ge=1, description="seeds of the networks")
    cells: dict[str, DipCell] = Field(default_factory=dip_cells, description="by name")
    shown: tuple[str, ...] = Field(default=DIP_SHOWN, description="pairs whose curves are kept")
    seed: SkipJsonSchema[int] = 0


ABLATIONS = DipStudyConfig(pairs=DIP_SHOWN, seeds=1, cells=dip_ablations())
"""The same stage for the ablations: each term changed by itself, on few pairs."""
