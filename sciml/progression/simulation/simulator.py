"""One simulated subject: anatomy, atrophy from visit to visit, scans, and the exact volumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.grids import Grid, grid_of
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.config import SimulationConfig
from sciml.progression.simulation.anatomy import Anatomy, connected_parts
from sciml.progression.simulation.atrophy import Atrophy, Pattern, StepSettings, determinants
from sciml.progression.simulation.explained import explained_shares
from sciml.progression.simulation.lesions import draw_lesions, lesion_ages
from sciml.progression.simulation.pattern import Part, SubjectPattern, draw_pattern
from sciml.progression.simulation.pose import LOOKED_AT_MM, head_around, left_over_mm, moved_voxels, register_rigid, resampled
from sciml.progression.simulation.sampling import sampled
from sciml.progression.simulation.scanner import WHITE_LEVEL, draw_sessions, scan, white_level
from sciml.progression.simulation.subjects import Subject
from sciml.runtime.seeds import Seeds

# largest |change of ln V| in one step of the flow, and the distance of every volume from its target in parts of it
STEP_LOG_CHANGE, VOLUME_TOLERANCE = 0.2, 5e-4
# within this distance fluid answers to a pattern
BALANCE_MM = 11.0
# standard deviation over subjects of the logarithm of the exponent of the intensities
CONTRAST_SD = 0.08
# white matter is brighter than this, in parts of its level
BRIGHT = 0.85
WHITE = REGIONS.index("white_matter")


@dataclass(frozen=True)
class Life:
    """What is known of a simulated subject.

    Attributes:
        visits: with the measured volumes.
        arrays: `image`, `clean`, `mask`, `labels`, `shift` and `lesions` as `write_subject` takes them.
        targets_ml: volumes that the visits aimed at, (visits, tissues).
        determinants: smallest and largest Jacobian determinant of the map from each visit to the anatomy's start, (visits, 2).
        warp_determinants: the same of the map from the subject to the template, (2,).
        lesions_ml: volume of the lesions at each visit.
        scanners: number of the scanner of each visit.
        poses_mm: of each visit on another scanner than the first: how far the head lay away, and what registration left.
        explained: shares of the true change, by what explains them; None where they were not asked for, or nobody came late.
    """

    visits: tuple[Visit, ...]
    arrays: dict[str, np.ndarray]
    targets_ml: np.ndarray
    determinants: np.ndarray
    warp_determinants: np.ndarray
    lesions_ml: tuple[float, ...]
    scanners: tuple[int, ...]
    poses_mm: tuple[tuple[float, float], ...]
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
    world = _World(subject, anatomy, grid, config, seeds)
    mask = world.skull()
    settings = StepSettings(STEP_LOG_CHANGE, VOLUME_TOLERANCE, balance_voxels=BALANCE_MM / grid.spacing_mm)
    atrophy = Atrophy(mask, lambda voxels: world.look_up(voxels)[0], settings)
    pattern = world.patterns(draw_pattern(config, subject, seeds), config.independent_rates)
    targets = np.empty_like(subject.changes)
    targets[0] = atrophy.volumes[:-1] * np.exp(subject.early)
    atrophy.advance(targets[0], pattern(0, "all"))
    # V(t) = V(0) exp(change), from what the first visit really has
    targets[1:] = atrophy.volumes[:-1] * np.exp(subject.changes[1:])
    first = atrophy.back, atrophy.labels
    ages = lesion_ages(subject, config.independent_rates, seeds)
    # the scale of the first visit: atrophy must not change the brightness of what remains
    scale = WHITE_LEVEL / white_level(world.paint(atrophy.back, mask, ages[0])[0], mask)
    sessions = draw_sessions(config.scanner, len(ages), subject.name, seeds, config.independent_rates)
    arrays: dict[str, list[np.ndarray]] = {name: [] for name in ("image", "clean", "mask", "labels", "shift", "lesions")}
    visits, bounds, backs, lesions_ml, poses_mm = [], [], [], [], []
    for number, session in enumerate(sessions):
        if config.independent_rates:
            # every follow-up of its own from the first visit
            atrophy.back, atrophy.labels = first
        if number:
            atrophy.advance(targets[number], pattern(number, "all"))
        backs.append(atrophy.back)
        intensity, lesions = world.paint(atrophy.back, mask, ages[number])
        random = np.random.default_rng(seeds("scan", subject.name, number))
        image, clean = scan(scale * intensity, mask, grid, config.scanner, random)
        if session.pose is not None:
            away = scale * world.posed(atrophy.back, session.pose, ages[number])
            seen, _ = scan(away, np.ones(grid.shape, bool), grid, config.scanner, random, session)
            image, left = returned(arrays["image"][0], seen, session.pose, mask, grid)
            poses_mm.append((left_over_mm(session.pose, mask, grid), left))
        labels = np.zeros((len(REGIONS), *grid.shape))
        labels[:, mask] = atrophy.labels
        shift = atrophy.back - np.indices(grid.shape)
        for name, array in zip(arrays, (image, clean, mask, labels, shift, lesions), strict=True):
            arrays[name].append(array)
        found = determinants(atrophy.back, mask)
        bounds.append((found.min(), found.max()))
        lesions_ml.append(float(lesions.sum() * grid.voxel_ml))
        volumes = tuple((atrophy.volumes * grid.voxel_ml).tolist())
        age, diagnosis = subject.ages_years[number], subject.diagnoses[number]
        visits.append(Visit(subject.name, number, subject.split, age, subject.sex, diagnosis, volumes))  # type: ignore[arg-type]
    stacked = {name: np.stack(items) for name, items in arrays.items()}
    warp = determinants(world.warp_in_voxels(), mask)
    shares = None
    if explain and not config.independent_rates:
        volumes = np.array([visit.volumes_ml for visit in visits]) / grid.voxel_ml
        gaps = np.array(subject.ages_years) - subject.ages_years[0]
        shares = explained_shares(
            atrophy, first, stacked["clean"], volumes, gaps,
            lambda back: scale * world.paint(back, mask, ages[0])[0], pattern, backs,
        )  # fmt: skip
    return Life(
        tuple(visits), stacked, targets * grid.voxel_ml, np.array(bounds), np.array([warp.min(), warp.max()]),
        tuple(lesions_ml), tuple(session.scanner for session in sessions), tuple(poses_mm), shares,
    )  # fmt: skip


def returned(first: np.ndarray, seen: np.ndarray, pose: np.ndarray, mask: np.ndarray, grid: Grid) -> tuple[np.ndarray, float]:
    """Return a scan from another scanner registered to the first visit and of the same gain, and the error left in mm.

    Both are registered with the head around the brain; only then is the brain cut out, with the first visit's mask.

    Args:
        first: brain at the first visit, (D, H, W).
        seen: brain as the other scanner saw it.
        pose: true one, places in the scanner to places of the subject in mm.
        mask: the brain, in the subject's place.
        grid: of the arrays.
    """
    away_mm = grid.spacing_mm * np.asarray(ndimage.distance_transform_edt(~mask))
    places = moved_voxels(pose, np.indices(grid.shape, dtype=np.float64).reshape(3, -1), grid)
    turned_mm = ndimage.map_coordinates(away_mm, places, order=1, mode="nearest").reshape(grid.shape)
    gain = white_level(seen, turned_mm <= 0) / WHITE_LEVEL
    found = register_rigid(
        first + head_around(away_mm), seen + gain * head_around(turned_mm), away_mm < LOOKED_AT_MM, grid
    )  # fmt: skip
    image = resampled(seen, found, grid).clip(0) * mask
    # the gain: the middle ratio of what is white matter in both
    bright = mask & (first > BRIGHT * WHITE_LEVEL) & (image > BRIGHT * gain * WHITE_LEVEL)
    return image * np.median(first[bright] / image[bright]), left_over_mm(pose @ found, mask, grid)


class _World:
    """The template as one subject's anatomy, in voxels of a grid."""

    def __init__(self, subject: Subject, anatomy: Anatomy, grid: Grid, config: SimulationConfig, seeds: Seeds) -> None:
        self.subject, self.anatomy, self.grid = subject, anatomy, grid
        self.gamma = np.exp(CONTRAST_SD * np.random.default_rng(seeds("contrast", subject.name)).normal())
        self.lesions = draw_lesions(
            config.lesions, subject, lambda places_mm: anatomy.look_up(subject.in_template(places_mm))[0], grid.spacing_mm, seeds
        )  # fmt: skip

    def places_mm(self, voxels: np.ndarray) -> np.ndarray:
        return voxels * self.grid.spacing_mm + self.grid.affine[:3, 3:]

    def look_up(self, voxels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels (regions, n), inside (n,) and t1 (n,) of the anatomy at places (3, n) of the subject, in voxels."""
        return self.anatomy.look_up(self.subject.in_template(self.places_mm(voxels)))

    def intensity(self, voxels: np.ndarray, age_years: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the intensity with lesions, and what share of a voxel they fill, at places (3, n) of the start, each (n,)."""
        labels, _, healthy = self.look_up(voxels)
        if self.lesions is None:
            return healthy**self.gamma, np.zeros_like(healthy)
        share, darker = self.lesions.at(self.places_mm(voxels), age_years)
        return healthy**self.gamma * (1 - labels[WHITE] * darker), labels[WHITE] * share

    def paint(self, back: np.ndarray, mask: np.ndarray, age_years: float) -> tuple[np.ndarray, np.ndarray]:
        """Return intensity and lesions on the grid, moved by a map back to the start."""
        painted = np.zeros((2, *self.grid.shape))
        painted[:, mask] = self.intensity(back[:, mask], age_years)
        return painted[0], painted[1]

    def posed(self, back: np.ndarray, pose: np.ndarray, age_years: float) -> np.ndarray:
        """Return the intensity as a scanner's grid sees it; the pose leads from there to the subject."""
        every = np.indices(self.grid.shape, dtype=np.float64)
        places = moved_voxels(pose, every.reshape(3, -1), self.grid)
        shift = sampled(np.ascontiguousarray(np.moveaxis(back - every, 0, -1)), places)
        return self.intensity(places + shift, age_years)[0].reshape(self.grid.shape)

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
        inside = self.look_up(every)[1].reshape(self.grid.shape) >= 0.5
        parts = connected_parts(inside)
        return parts == np.bincount(parts[inside]).argmax()

    def warp_in_voxels(self) -> np.ndarray:
        """Return the map to the template, (3, D, H, W)."""
        every = np.indices(self.grid.shape, dtype=np.float64).reshape(3, -1)
        return self.subject.in_template(self.places_mm(every)).reshape(3, *self.grid.shape) / self.grid.spacing_mm
