"""Forecasts by motion: a subject's own scan moved by a flow to the volumes that a course model expects.

    x_B(p) = x_A(y(p)),    y by the flow of least energy under which every region has the volume asked for (`simulation.atrophy`)

Nothing is decoded: the image is as sharp as the scan, labels and any other image of that subject move along, and the map is
invertible. Each draw is asked for volumes of its own, drawn around the course's mean. A motion model (`motion`) says what goes on
beside the volumes: it comes first, y = exp(v) o (flow to the volumes), and each draw has one of its own. The uncertainty of the
images is made of the variance of the draws' images by a calibration (`spread`), where the model has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sciml.formats.nifti import Scan
from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.grids import Grid
from sciml.progression.cohorts.regions import DIAGNOSES, REGIONS
from sciml.progression.courses.fit import anchored, anchored_interval, anchored_samples, course_notes, course_of, spread_around
from sciml.progression.flow.maps import exponential
from sciml.progression.flow.moving import Mover, Order, fading, shift_of
from sciml.progression.flow.volumes import Measure, VolumeFlow, warp
from sciml.progression.forecasting.flow_model import FlowModel, load_flow_model
from sciml.progression.forecasting.forecast import FARTHEST_YEARS, INTERVAL_DRAWS, Forecast, ImagedVisit, VolumeForecast
from sciml.progression.forecasting.motion import features, on_grid, registered_motion, tissue_loss
from sciml.progression.settings.models import FlowForecastConfig
from sciml.progression.simulation.atrophy import determinants
from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.seeds import Seeds


@dataclass(frozen=True)
class FlowForecast(Forecast):
    """What is expected at later ages, with the motion that leads there. Not for clinical use.

    Attributes:
        shift: of the expected motion, in voxels of the grid: what is at g came from g + shift(g); shape (ages, 3, x, y, z).
        draw_shifts: the same of each draw, shape (draws, ages, 3, x, y, z).
        asked_ml: volumes asked for by each draw, shape (draws, ages, regions).
        moved_ml: volumes of the moved labels of each draw, same shape.
        least_determinant: smallest Jacobian determinant of all maps; above 0 none folds.
    """

    shift: Float[np.ndarray, "ages 3 x y z"] = field(default_factory=lambda: np.zeros((0, 3, 0, 0, 0), np.float32))
    draw_shifts: Float[np.ndarray, "draws ages 3 x y z"] = field(default_factory=lambda: np.zeros((0, 0, 3, 0, 0, 0), np.float32))
    asked_ml: Float[np.ndarray, "draws ages regions"] = field(default_factory=lambda: np.zeros((0, 0, len(REGIONS))))
    moved_ml: Float[np.ndarray, "draws ages regions"] = field(default_factory=lambda: np.zeros((0, 0, len(REGIONS))))
    least_determinant: float = 1.0

    def move(
        self,
        scan: Scan,
        age: int,
        draw: int | None = None,
        to_scan: np.ndarray | None = None,
        order: Order = 3,
    ) -> Scan:
        """Return any image of the subject at the last visit as it is expected at a later age, in its own voxels.

        Args:
            scan: T1, labels, or any other image in the same place.
            age: which of `ages`.
            draw: which draw; the expected motion by default.
            to_scan: (4, 4), places of the template to places of the scan, in mm, where it was registered.
            order: of the interpolation: 3 or 1 for intensities, 0 for labels; labels do not show what moves by less than half a
                voxel, their volumes are in `moved_ml`.
        """
        return self.mover(scan, to_scan, order).image(self.shift[age] if draw is None else self.draw_shifts[draw, age])

    def mover(self, scan: Scan, to_scan: np.ndarray | None = None, order: Order = 3) -> Mover:
        """Return what moves an image by any of the shifts: for several draws faster than `move`; arguments as there."""
        moves = np.asarray(np.any(self.shift, axis=(0, 1)) | np.any(self.draw_shifts, axis=(0, 1, 2)))
        return Mover(scan, self.grid, moves, to_scan, order)


@dataclass(frozen=True)
class OwnLabels:
    """The labels of the last scan in its own voxels, finer than the grid: where given, volumes are reached in them.

    Attributes:
        scan: whole numbers: 1 + the place of the region in `REGIONS`, 0 outside the brain.
        to_scan: (4, 4), places of the template to places of the scan, in mm; the identity by default.
    """

    scan: Scan
    to_scan: np.ndarray | None = None

    def measure(self, mask: np.ndarray, grid: Grid) -> Measure:
        """Return what reads V_B / V_A of all regions off the moved labels."""
        mover, weight = Mover(self.scan, grid, mask, self.to_scan, order=0), fading(mask, grid)
        count = len(REGIONS) + 1
        codes = np.ascontiguousarray(self.scan.array).reshape(-1)
        begun = np.bincount(codes, minlength=count)
        still = begun - np.bincount(codes[mover.voxels], minlength=count)
        if missing := [region for region, voxels in zip(REGIONS, begun[1:], strict=True) if not voxels]:
            raise DataError(f"{self.scan.path} has no voxel of {missing[0]}: expected 1 + its place in REGIONS")

        def ratios(back: np.ndarray) -> np.ndarray:
            now = still + mover.shares(shift_of(back, weight), count)
            return (now / begun)[1:]

        return ratios


@dataclass(frozen=True)
class FlowForecaster:
    """A course model whose volumes a subject's own scan is moved to.

    Attributes:
        model: courses of volumes.
        config: draws, course.

    Example:
        forecaster = FlowForecaster.load("mni-motion")
        visits = [ImagedVisit(visit, cohort.image(visit)[0], cohort.labels(visit), cohort.mask(visit)[0])]
        forecast = forecaster.forecast(visits, ages=[75, 80], samples=8)
        later = forecast.move(read_scan("scan.nii.gz"), age=1)
    """

    model: FlowModel
    config: FlowForecastConfig = field(default_factory=FlowForecastConfig)

    @classmethod
    def load(cls, name: str | Path, **settings: Any) -> FlowForecaster:
        """Return the forecaster of a shipped model or of a model file, of any form: a flow needs the courses alone.

        Args:
            name: shipped model or path.
            settings: fields of `FlowForecastConfig` other than the defaults.
        """
        return cls(load_flow_model(name), FlowForecastConfig.model_validate(settings))

    def forecast(
        self,
        visits: Sequence[ImagedVisit],
        ages: Sequence[float],
        *,
        diagnosis: str | None = None,
        samples: int | None = None,
        seed: int = 0,
        grid: Grid | None = None,
        own: OwnLabels | None = None,
    ) -> FlowForecast:
        """Forecast a subject.

        Args:
            visits: one or more, in order of age; the last one has labels and mask and is what is moved.
            ages: in years, at or after the last visit.
            diagnosis: assumed from the last visit on; another than the last one known asks "what if".
            samples: draws of the volumes; the settings' by default.
            seed: of the draws.
            grid: of the images; the model's by default. A flow knows no grid: a finer one takes longer.
            own: labels of the last scan in its own voxels, in which volumes are to be reached; else in those of the grid.

        Raises:
            DataError: ages before the last visit, visits out of order or of two subjects, no labels.
            ShapeError: an image is not on the grid.
            ConfigError: the diagnosis is unknown, or the model has no such course.
        """
        grid, last = grid or self.model.grid, visits[-1]
        labels, mask = last.labels, last.mask
        if last.image.shape != grid.shape:
            raise ShapeError(f"an image of {last.image.shape} voxels; expected {grid.shape} ({grid.name})")
        if labels is None or mask is None:
            raise DataError(f"subject {last.visit.subject} has no labels: a flow moves regions, so their places must be known")
        count = samples or self.config.samples
        random = np.random.default_rng(Seeds(seed)("forecast", "course"))
        volumes, many = self._volumes([one.visit for one in visits], ages, diagnosis, count, random)
        asked, assumed, mean = volumes.ages, volumes.diagnosis, volumes.volumes_ml
        draws, own_ml = spread_around(mean, many[:count]), np.asarray(last.visit.volumes_ml)
        flow = VolumeFlow(labels, mask, own and own.measure(mask, grid))
        motions = self._motions(visits, assumed, np.stack([mean, *draws]), grid, random)
        # flows go on from age to age
        order = np.argsort(asked, kind="stable")
        back_to_asked = np.argsort(order, kind="stable")
        found = [
            list(flow.maps((one / own_ml)[order, :-1], None if motions is None else motions[draw][order]))
            for draw, one in enumerate((mean, *draws))
        ]
        maps = np.stack([[back for back, _ in one] for one in found])[:, back_to_asked]
        read = np.stack([[ratios for _, ratios in one] for one in found])[:, back_to_asked]
        images = np.stack([[warp(last.image, back, mask) for back in one] for one in maps]).astype(np.float32)
        weight = fading(mask, grid)
        shifts = np.stack([[shift_of(back, weight) for back in one] for one in maps])
        return FlowForecast(
            ages=asked,
            diagnosis=assumed,
            grid=grid,
            start=np.asarray(last.image, dtype=np.float32),
            images=images[0],
            uncertainty=self._uncertainty(images, asked - last.visit.age_years, len(visits) > 1, grid),
            volumes_ml=mean,
            low_ml=volumes.low_ml,
            high_ml=volumes.high_ml,
            latent_spread=np.linalg.norm(shifts[1:].std(axis=0).reshape(len(asked), -1), axis=1),
            notes=volumes.notes,
            shift=shifts[0],
            draw_shifts=shifts[1:],
            asked_ml=draws,
            moved_ml=read[1:] * own_ml,
            least_determinant=min(float(determinants(back, mask).min()) for one in maps for back in one),
        )

    def volumes(
        self, visits: Sequence[Visit], ages: Sequence[float], *, diagnosis: str | None = None, seed: int = 0
    ) -> VolumeForecast:
        """Forecast the volumes of a subject: those that `forecast` moves the scan to, at a fraction of its time.

        Args:
            visits: one or more, in order of age.
            ages: in years, at or after the last visit.
            diagnosis: assumed from the last visit on; that of the last visit by default.
            seed: of the draws.

        Raises:
            DataError: ages before the last visit, visits out of order or of two subjects.
            ConfigError: the diagnosis is unknown, or the model has no such course.
        """
        return self._volumes(visits, ages, diagnosis, 1, np.random.default_rng(Seeds(seed)("forecast", "course")))[0]

    def _volumes(
        self,
        visits: Sequence[Visit],
        ages: Sequence[float],
        diagnosis: str | None,
        count: int,
        random: np.random.Generator,
    ) -> tuple[VolumeForecast, np.ndarray]:
        """Return the expected volumes and at least so many draws of them, (draws, ages, regions)."""
        asked = self._check(visits, ages, diagnosis)
        assumed, course = diagnosis or visits[-1].diagnosis, self.model.course(self.config.course)
        history = course_of(visits, assumed)
        mean = anchored(course, history, asked)
        many = anchored_samples(course, history, asked, max(INTERVAL_DRAWS, count), random)
        low, high = anchored_interval(course, history, asked, 0.9, many)
        notes = self._notes(asked, visits[-1], course_notes(course, history))
        return VolumeForecast(asked, assumed, mean, low, high, notes), many

    def _motions(
        self, visits: Sequence[ImagedVisit], diagnosis: str, volumes: np.ndarray, grid: Grid, random: np.random.Generator
    ) -> np.ndarray | None:
        """Return exp(v) - id of what volumes do not tell, for the mean and each draw, (1 + draws, ages, 3, *grid); None without.

        One noise a draw, so that its ages are one course.
        """
        model, last = self.model.motion, visits[-1]
        if model is None or not self.config.motion:
            return None
        seen = [one for one in visits[:-1] if one.labels is not None and one.mask is not None]
        before = registered_motion(seen[0], last, grid) if seen else None
        who = features(last.visit.age_years, last.visit.sex, diagnosis)
        found = np.zeros((*volumes.shape[:2], 3, *grid.shape), np.float32)
        for draw, ages in enumerate(volumes):
            noise = model.unknown(before, random) if draw else 0.0
            for age, asked in enumerate(ages):
                loss = tissue_loss(np.asarray(last.visit.volumes_ml), asked)
                if loss:
                    found[draw, age] = exponential(on_grid(model.expected(before, who, loss) + loss * noise, grid))
        return found

    def _uncertainty(self, images: np.ndarray, years: np.ndarray, known: bool, grid: Grid) -> np.ndarray:
        """Return the standard deviation of the images, (ages, *grid); none where no time passes: that is the scan itself.

        Args:
            images: expected one and draws, (1 + draws, ages, *grid).
            years: ahead, (ages,).
            known: whether there are earlier visits.
            grid: of the images.
        """
        variance = images[1:].var(axis=0, ddof=min(1, len(images) - 2))
        if self.model.spread is None:
            return np.sqrt(variance)
        found = [
            self.model.spread.deviation(row, image, float(ahead), known, grid.spacing_mm)
            for row, image, ahead in zip(variance, images[0], years, strict=True)
        ]
        return (np.stack(found) * (images[0] > 0) * (years > 0)[:, None, None, None]).astype(np.float32)

    def _check(self, visits: Sequence[Visit], ages: Sequence[float], diagnosis: str | None) -> np.ndarray:
        if not visits:
            raise DataError("a forecast needs at least one visit")
        if len(people := {visit.subject for visit in visits}) > 1:
            raise DataError(f"visits of {len(people)} subjects ({', '.join(sorted(people))}); forecast one subject at a time")
        if diagnosis is not None and diagnosis not in DIAGNOSES:
            raise ConfigError(f"diagnosis is {diagnosis!r}, expected {', '.join(DIAGNOSES)}")
        asked = np.asarray(ages, dtype=float).reshape(-1)
        if len(asked) == 0 or asked.min() < visits[-1].age_years:
            raise DataError(
                f"asked for ages {asked.tolist()}, the last visit was at {visits[-1].age_years:g}; ask for later ones"
            )
        return asked

    def _notes(self, ages: np.ndarray, last: Visit, of_course: Sequence[str]) -> tuple[str, ...]:
        notes = [
            "Not for clinical use: a research forecast, its courses learned from simulated subjects unless its card says else."
        ]
        ahead = float(ages.max() - last.age_years)
        if ahead > FARTHEST_YEARS:
            notes.append(f"extrapolation: {ahead:.1f} years ahead, trained on gaps below {FARTHEST_YEARS:g}")
        if self.model.spread is None:
            notes.append("the uncertainty of the images is the spread of the draws, and not calibrated")
        return (*notes, *of_course)
