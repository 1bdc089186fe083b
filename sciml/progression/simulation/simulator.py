"""One simulated subject: anatomy, atrophy from visit to visit, scans, and the exact volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.grids import Grid, grid_of
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.config import SimulationConfig
from sciml.progression.simulation.anatomy import Anatomy, connected_parts
from sciml.progression.simulation.atrophy import Atrophy, Pattern, StepSettings, determinants
from sciml.progression.simulation.explained import explained_shares
from sciml.progression.simulation.pattern import Part, SubjectPattern, draw_pattern
from sciml.progression.simulation.scanner import WHITE_LEVEL, scan, white_level
from sciml.progression.simulation.subjects import Subject
from sciml.runtime.seeds import Seeds

# largest |change of ln V| in one step of the flow, and the distance of every volume from its target in parts of it
STEP_LOG_CHANGE, VOLUME_TOLERANCE = 0.2, 5e-4
# within this distance fluid answers to a pattern
BALANCE_MM = 11.0
# standard deviation over subjects of the logarithm of the exponent of the intensities
CONTRAST_SD = 0.08


@dataclass(frozen=True)
class Life:
    """What is known of a simulated subject.

    Attributes:
        visits: with the measured volumes.
        arrays: `image`, `clean`, `mask`, `labels` and `shift` as `write_subject` takes them.
        targets_ml: volumes that the visits aimed at, (visits, tissues).
        determinants: smallest and largest Jacobian determinant of the map from each visit to the anatomy's start, (visits, 2).
        warp_determinants: the same of the map from the subject to the template, (2,).
        explained: shares of the true change, by what explains them; None where they were not asked for, or nobody came late.
    """

    visits: tuple[Visit, ...]
    arrays: dict[str, np.ndarray]
    targets_ml: np.ndarray
    determinants: np.ndarray
    warp_determinants: np.ndarray
    explained: dict[str, float] | None = None

    def errors(self) -> np.ndarray:
        """Return measured over target volume minus 1, (visits, tissues)."""
        return np.array([visit.volumes_ml for visit in self.visits])[:, : len(TISSUES)] / self.targets_ml - 1


def simulate(subject: Subject, anatomy: Anatomy, config: SimulationConfig, seeds: Seeds, explain: bool = False) -> Life:
    """Return the scans, labels and volumes of a subject.

    Every image and label is looked up in the template once, at the place that the subject's own map and all atrophy so far
    lead to: a late visit is not more blurred than an early one.

    Args:
        subject: who.
        anatomy: built for the grid of the cohort.
        config: of the cohort.
        seeds: of the run.
        explain: measure what volumes and parts of the pattern explain of the change.
    """
    grid = grid_of(config.grid)
    world = _World(subject, anatomy, grid)
    settings = StepSettings(STEP_LOG_CHANGE, VOLUME_TOLERANCE, balance_voxels=BALANCE_MM / grid.spacing_mm)
    mask = world.skull()
    atrophy = Atrophy(mask, lambda voxels: world.look_up(anatomy.labels, voxels), settings)
    pattern = world.patterns(draw_pattern(config, subject, seeds), config.independent_rates)
    targets = np.empty_like(subject.changes)
    targets[0] = atrophy.volumes[:-1] * np.exp(subject.early)
    atrophy.advance(targets[0], pattern(0, "all"))
    # V(t) = V(0) exp(change), from what the first visit really has
    targets[1:] = atrophy.volumes[:-1] * np.exp(subject.changes[1:])
    gamma = np.exp(CONTRAST_SD * np.random.default_rng(seeds("contrast", subject.name)).normal())
    first = atrophy.back, atrophy.labels
    scale, backs = 0.0, []

    def paint(back: np.ndarray) -> np.ndarray:
        intensity = np.zeros(grid.shape)
        intensity[mask] = world.look_up(anatomy.t1[None], back[:, mask])[0] ** gamma
        return intensity

    arrays: dict[str, list[np.ndarray]] = {"image": [], "clean": [], "mask": [], "labels": [], "shift": []}
    visits, bounds = [], []
    for number, age in enumerate(subject.ages_years):
        if config.independent_rates:
            # every follow-up of its own from the first visit
            atrophy.back, atrophy.labels = first
        if number:
            atrophy.advance(targets[number], pattern(number, "all"))
        backs.append(atrophy.back)
        intensity = paint(atrophy.back)
        # the scale of the first visit: atrophy must not change the brightness of what remains
        scale = scale or WHITE_LEVEL / white_level(intensity, mask)
        image, clean = scan(
            intensity * scale, mask, grid, config.scanner, np.random.default_rng(seeds("scan", subject.name, number))
        )
        labels = np.zeros((len(REGIONS), *grid.shape))
        labels[:, mask] = atrophy.labels
        shift = atrophy.back - np.indices(grid.shape)
        for name, array in (("image", image), ("clean", clean), ("mask", mask), ("labels", labels), ("shift", shift)):
            arrays[name].append(array)
        found = determinants(atrophy.back, mask)
        bounds.append((found.min(), found.max()))
        volumes = tuple((atrophy.volumes * grid.voxel_ml).tolist())
        diagnosis = subject.diagnoses[number]
        visits.append(Visit(subject.name, number, subject.split, age, subject.sex, diagnosis, volumes))  # type: ignore[arg-type]
    stacked = {name: np.stack(items) for name, items in arrays.items()}
    warp = determinants(world.warp_in_voxels(), mask)
    shares = None
    if explain and not config.independent_rates:
        volumes = np.array([visit.volumes_ml for visit in visits]) / grid.voxel_ml
        gaps = np.array(subject.ages_years) - subject.ages_years[0]
        shares = explained_shares(
            atrophy, first, stacked["clean"], volumes, gaps, lambda back: paint(back) * scale, pattern, backs
        )  # fmt: skip
    return Life(tuple(visits), stacked, targets * grid.voxel_ml, np.array(bounds), np.array([warp.min(), warp.max()]), shares)


class _World:
    """The template as one subject's anatomy, in voxels of a grid."""

    def __init__(self, subject: Subject, anatomy: Anatomy, grid: Grid) -> None:
        self.subject, self.anatomy, self.grid = subject, anatomy, grid

    def places_mm(self, voxels: np.ndarray) -> np.ndarray:
        return voxels * self.grid.spacing_mm + self.grid.affine[:3, 3:]

    def look_up(self, fields: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        """Return fields of the anatomy at places (3, n) of the subject, in voxels."""
        return self.anatomy.look_up(fields, self.subject.in_template(self.places_mm(voxels)))

    def patterns(self, drawn: SubjectPattern | None, independent: bool) -> Callable[[int, Part], Pattern | None]:
        """Return the pattern of a period and a part as `Atrophy.advance` takes it."""
        changes = self.subject.changes
        periods = np.vstack([self.subject.early, changes[1:] if independent else np.diff(changes, axis=0)])
        every = self.places_mm(np.indices(self.grid.shape, dtype=np.float64).reshape(3, -1))

        def pattern(period: int, part: Part) -> Pattern | None:
            return drawn and drawn.on_grid(self.subject, every, self.grid.shape, periods[period], period, part)

        return pattern

    def skull(self) -> np.ndarray:
        """Return the voxels of which the skull fills half or more, the largest connected part."""
        every = np.indices(self.grid.shape, dtype=np.float64).reshape(3, -1)
        inside = self.look_up(self.anatomy.inside[None], every)[0].reshape(self.grid.shape) >= 0.5
        parts = connected_parts(inside)
        return parts == np.bincount(parts[inside]).argmax()

    def warp_in_voxels(self) -> np.ndarray:
        """Return the map to the template, (3, D, H, W)."""
        every = np.indices(self.grid.shape, dtype=np.float64).reshape(3, -1)
        return self.subject.in_template(self.places_mm(every)).reshape(3, *self.grid.shape) / self.grid.spacing_mm
