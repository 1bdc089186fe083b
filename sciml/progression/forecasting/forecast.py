"""Forecast one subject: images, volumes and how sure they are, at any later ages.

Each of the m chains gets volumes of its own from the course model, spread around the course's mean, so that the spread of the
chains holds both what the image model and what the course model do not know (`courses.spread_around`).

The mean over chains is then told the course's mean exactly; with one chain there is no spread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from sciml.progression.cohorts.cohort import Cohort, Visit
from sciml.progression.cohorts.covariates import context_of
from sciml.progression.cohorts.grids import Grid
from sciml.progression.cohorts.regions import DIAGNOSES, REGIONS
from sciml.progression.courses.fit import (
    anchored,
    anchored_interval,
    anchored_samples,
    course_notes,
    course_of,
    spread_around,
)
from sciml.progression.forecasting.prediction import Question, decode, followup_latents
from sciml.progression.networks.model_files import ForecastModel, load_model
from sciml.progression.settings.models import ForecastConfig
from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.seeds import Seeds

# further ahead than this no model of the workbench was trained
FARTHEST_YEARS = 10.0
# of the course, for intervals of volumes
INTERVAL_DRAWS = 400
NORMAL_90 = 1.645
ChangeOfVolumes = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class ImagedVisit:
    """A visit with its image.

    Attributes:
        visit: age, sex, diagnosis and volumes.
        image: on the model's grid, brain only, white matter near 0.8, shape (x, y, z).
        labels: share of each voxel that each region fills, shape (regions, x, y, z): what a flow moves.
        mask: the brain, bool, same shape as the image.
    """

    visit: Visit
    image: np.ndarray
    labels: np.ndarray | None = None
    mask: np.ndarray | None = None


def imaged(cohort: Cohort, visit: Visit) -> ImagedVisit:
    """Return a visit of a cohort with its image, its brain and, where the cohort has them, its labels."""
    labels = cohort.labels(visit) if cohort.has("labels") else None
    return ImagedVisit(visit, cohort.image(visit)[0], labels, cohort.mask(visit)[0])


@dataclass(frozen=True)
class VolumeForecast:
    """Volumes expected at later ages, without images. Not for clinical use.

    Attributes:
        ages: in years, shape (ages,).
        diagnosis: that was assumed.
        volumes_ml: expected volumes, shape (ages, regions), in the order of `REGIONS`.
        low_ml: lower ends of the 90 % intervals.
        high_ml: upper ends.
        notes: what the reader must know.
    """

    ages: Float[np.ndarray, " ages"]
    diagnosis: str
    volumes_ml: Float[np.ndarray, "ages regions"]
    low_ml: Float[np.ndarray, "ages regions"]
    high_ml: Float[np.ndarray, "ages regions"]
    notes: tuple[str, ...] = ()

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each age and region."""
        return [
            {
                "age_years": float(age),
                "diagnosis": self.diagnosis,
                "region": region,
                "volume_ml": float(self.volumes_ml[row, column]),
                "low_ml": float(self.low_ml[row, column]),
                "high_ml": float(self.high_ml[row, column]),
            }
            for row, age in enumerate(self.ages)
            for column, region in enumerate(REGIONS)
        ]


@dataclass(frozen=True)
class Forecast:
    """What is expected at later ages. Not for clinical use.

    Attributes:
        ages: in years, shape (ages,).
        diagnosis: that was assumed.
        grid: of the images.
        start: the last image, shape (x, y, z).
        images: expected images, shape (ages, x, y, z).
        uncertainty: standard deviation of the chains' images, same shape; zeros for one chain.
        volumes_ml: expected volumes, shape (ages, regions), in the order of `REGIONS`.
        low_ml: lower ends of the 90 % intervals.
        high_ml: upper ends.
        latent_spread: norm of the chains' deviation in the latent, shape (ages,): one number for how sure the model is.
        notes: what the reader must know.
    """

    ages: Float[np.ndarray, " ages"]
    diagnosis: str
    grid: Grid
    start: Float[np.ndarray, "x y z"]
    images: Float[np.ndarray, "ages x y z"]
    uncertainty: Float[np.ndarray, "ages x y z"]
    volumes_ml: Float[np.ndarray, "ages regions"]
    low_ml: Float[np.ndarray, "ages regions"]
    high_ml: Float[np.ndarray, "ages regions"]
    latent_spread: Float[np.ndarray, " ages"]
    notes: tuple[str, ...] = ()

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each age and region."""
        return VolumeForecast(self.ages, self.diagnosis, self.volumes_ml, self.low_ml, self.high_ml).table()


@dataclass(frozen=True)
class Forecaster:
    """A model with its settings, ready to forecast.

    Attributes:
        model: autoencoder, denoiser and courses.
        config: chains, steps, decoding, course.
        device: of the networks.
        change_of_volumes: (image before, image after) -> ln(V after / V before) of each region, to measure volumes in the
            forecast images themselves; without it volumes are the course model's.

    Example:
        forecaster = Forecaster.load("mni-4p5mm")
        forecast = forecaster.forecast(visits, ages=[75, 80], diagnosis="MCI", samples=16)
        forecast.images.shape, forecast.volumes_ml[0]
    """

    model: ForecastModel
    config: ForecastConfig = field(default_factory=ForecastConfig)
    device: str = "cpu"
    change_of_volumes: ChangeOfVolumes | None = None

    @classmethod
    def load(cls, name: str | Path, device: str = "cpu", **settings: Any) -> Forecaster:
        """Return the forecaster of a shipped model or of a model file.

        Args:
            name: shipped model or path.
            device: `cpu` or `cuda`.
            settings: fields of `ForecastConfig` other than the defaults.
        """
        return cls(load_model(name).to(device), ForecastConfig.model_validate(settings), device)

    def forecast(
        self,
        visits: Sequence[ImagedVisit],
        ages: Sequence[float],
        *,
        diagnosis: str | None = None,
        samples: int | None = None,
        seed: int = 0,
    ) -> Forecast:
        """Forecast a subject.

        Args:
            visits: one or more, in order of age; the last one's image is the start, all volumes feed the course.
            ages: in years, at or after the last visit.
            diagnosis: assumed from the last visit on; another than the last one known asks "what if".
            samples: m, the number of chains; the settings' by default.
            seed: of the chains' noise.

        Raises:
            DataError: ages before the last visit, visits out of order or of two subjects, unknown volumes.
            ShapeError: an image is not on the model's grid.
            ConfigError: the diagnosis is unknown, or the model has no such course.
        """
        asked = self._check(visits, ages, diagnosis)
        config = self.config if samples is None else self.config.model_copy(update={"samples": samples})
        assumed = diagnosis or visits[-1].visit.diagnosis
        last = visits[-1].visit
        course = self.model.course(config.course)
        history = course_of([scan.visit for scan in visits], assumed)
        volumes = anchored(course, history, asked)
        random = np.random.default_rng(Seeds(seed)("forecast", "course"))
        many = anchored_samples(course, history, asked, max(INTERVAL_DRAWS, config.samples), random)
        draws = spread_around(volumes, many[: config.samples])
        # "what if" asks for subjects who have the diagnosis at both ages, as those do that models learn from: no change of it
        before = self.model.scale.covariates(last.age_years, last.sex, assumed, history.volumes[-1])
        after = np.stack(
            [
                [self.model.scale.covariates(age, last.sex, assumed, row) for age, row in zip(asked, draw, strict=True)]
                for draw in draws
            ]
        )
        start = torch.from_numpy(np.ascontiguousarray(visits[-1].image, dtype=np.float32))[None, None].to(self.device)
        latent = self.model.autoencoder.latent(start)
        count = len(asked)
        question = Question(
            latent.expand(count, *latent.shape[1:]),
            torch.full((count,), last.age_years / 100),
            torch.from_numpy(context_of(self.model.denoiser.form, np.broadcast_to(before, after.shape), after)),
            # one subject's ages share the noise, so that a trajectory is smooth
            [Seeds(seed)("forecast", "chains")] * count,
        )
        found = followup_latents(self.model.denoiser, question, float(self.model.autoencoder.change_sd), config)
        images, chain_images = self._images(found.mean, found.chains, start, latent, config)
        ends = anchored_interval(course, history, asked, 0.9, many)
        measured, low, high = self._volumes(visits[-1], latent, volumes, ends, chain_images)
        return Forecast(
            ages=asked,
            diagnosis=assumed,
            grid=self.model.grid,
            start=np.asarray(visits[-1].image, dtype=np.float32),
            images=images,
            uncertainty=chain_images.std(axis=0),
            volumes_ml=measured,
            low_ml=low,
            high_ml=high,
            latent_spread=found.deviation.flatten(1).norm(dim=1).cpu().numpy(),
            notes=self._notes(asked, last, after, course_notes(course, history)),
        )

    def _check(self, visits: Sequence[ImagedVisit], ages: Sequence[float], diagnosis: str | None) -> np.ndarray:
        if not visits:
            raise DataError("a forecast needs at least one visit")
        if len(people := {scan.visit.subject for scan in visits}) > 1:
            raise DataError(f"visits of {len(people)} subjects ({', '.join(sorted(people))}); forecast one subject at a time")
        for scan in visits:
            if scan.image.shape != self.model.grid.shape:
                raise ShapeError(
                    f"an image of {scan.image.shape} voxels; model {self.model.name} works on {self.model.grid.shape} "
                    f"({self.model.grid.name}): prepare it with `sciml progression prepare`"
                )
        if diagnosis is not None and diagnosis not in DIAGNOSES:
            raise ConfigError(f"diagnosis is {diagnosis!r}, expected {', '.join(DIAGNOSES)}")
        asked = np.asarray(ages, dtype=float).reshape(-1)
        if len(asked) == 0 or asked.min() < visits[-1].visit.age_years:
            raise DataError(
                f"asked for ages {asked.tolist()}, the last visit was at {visits[-1].visit.age_years:g}; ask for later ones"
            )
        return asked

    def _images(
        self, mean: torch.Tensor, chains: torch.Tensor, start: torch.Tensor, latent: torch.Tensor, config: ForecastConfig
    ) -> tuple[np.ndarray, np.ndarray]:
        # a single chain is its own mean
        asked = chains if len(chains) == 1 else torch.cat([mean[None], chains])
        images = decode(self.model.autoencoder, asked.flatten(0, 1), start, latent, config.decoding)
        found = images[:, 0].unflatten(0, asked.shape[:2]).cpu().numpy()
        return found[0], found[-len(chains) :]

    def _volumes(
        self,
        scan: ImagedVisit,
        latent: torch.Tensor,
        volumes: np.ndarray,
        ends: tuple[np.ndarray, np.ndarray],
        chain_images: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return volumes and their 90 % interval: the course's, or as measured in the chains' images where there is a readout."""
        if self.change_of_volumes is None:
            return volumes, *ends
        before = scan.image if self.config.decoding == "residual" else self.model.autoencoder.image(latent)[0, 0].cpu().numpy()
        changes = np.array([[self.change_of_volumes(before, image) for image in chain] for chain in chain_images])
        mean, half = changes.mean(axis=0), NORMAL_90 * changes.std(axis=0)
        last = np.asarray(scan.visit.volumes_ml)
        return last * np.exp(mean), last * np.exp(mean - half), last * np.exp(mean + half)

    def _notes(self, ages: np.ndarray, last: Visit, covariates: np.ndarray, of_course: Sequence[str]) -> tuple[str, ...]:
        notes = [
            "Not for clinical use: a research forecast, trained on simulated subjects unless the model's card says otherwise."
        ]
        if ages.max() - last.age_years > FARTHEST_YEARS:
            notes.append(
                f"extrapolation: {ages.max() - last.age_years:.1f} years ahead, trained on gaps below {FARTHEST_YEARS:g}"
            )
        if beyond := self.model.scale.outside(covariates):
            notes.append(f"extrapolation: volumes outside the training range by more than 20 %: {', '.join(beyond)}")
        return (*notes, *of_course)
