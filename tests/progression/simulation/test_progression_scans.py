"""Lesions and other scanners: what is known of both, and what registration leaves."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.config import PeopleConfig, ScannerConfig, SimulationConfig
from sciml.progression.simulation.lesions import Lesions, draw_lesions, lesion_ages
from sciml.progression.simulation.pose import left_over_mm, moved_voxels, register_rigid, resampled, rigid
from sciml.progression.simulation.sampling import sampled
from sciml.progression.simulation.scanner import draw_sessions
from sciml.progression.simulation.simulator import simulate
from sciml.progression.simulation.subjects import draw_subject
from sciml.runtime.seeds import Seeds

GRID = GRIDS["4.5mm"]


def life_of(anatomy, **settings):
    config = SimulationConfig(people=PeopleConfig(visits=2), **settings)
    subject = draw_subject(config, 1, "train-001", "train", Seeds(3))
    return simulate(subject, anatomy, config, Seeds(3))


@pytest.fixture(scope="module")
def plain(phantom_anatomy):
    return life_of(phantom_anatomy, lesions=0, scanner=ScannerConfig(change=0))


@pytest.fixture(scope="module")
def ill(phantom_anatomy):
    return life_of(phantom_anatomy, lesions=3, scanner=ScannerConfig(change=1))


def test_many_fields_are_sampled_as_each_of_them():
    from scipy import ndimage

    random = np.random.default_rng(0)
    fields, points = random.normal(size=(5, 6, 7, 3)), random.uniform(-2, 9, (3, 200))
    expected = [ndimage.map_coordinates(fields[..., k], points, order=1, mode="nearest") for k in range(3)]
    np.testing.assert_allclose(sampled(fields, points), expected, atol=1e-12)


def test_a_lesion_is_a_growing_ball_that_darkens():
    lesions = Lesions(np.array([[0.0, 0, 0]]), np.array([6.0]), np.array([70.0]), edge_mm=0.2)
    places = np.stack(np.meshgrid(*[np.arange(-8, 8.1, 0.5)] * 3, indexing="ij")).reshape(3, -1)
    assert not np.any(lesions.at(places, 69.0))
    volumes, darkest = [], []
    for age in (71.0, 73.0, 85.0):
        share, darker = lesions.at(places, age)
        radius = 6 * (1 - np.exp(-(age - 70) / 3))
        volumes.append(share.sum() * 0.5**3)
        assert volumes[-1] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1)
        darkest.append(darker.max())
        assert darkest[-1] == pytest.approx(0.15 + 0.3 * (1 - np.exp(-(age - 70) / 4)), rel=1e-3)
    assert volumes == sorted(volumes)
    assert darkest == sorted(darkest)


def test_lesions_lie_in_white_matter_near_ventricles_and_change_no_motion(plain, ill):
    for name in ("labels", "shift", "mask"):
        np.testing.assert_array_equal(plain.arrays[name], ill.arrays[name])
    assert not plain.arrays["lesions"].any()
    lesions, labels = ill.arrays["lesions"], ill.arrays["labels"]
    assert (lesions <= labels[:, REGIONS.index("white_matter")] + 1e-6).all()
    np.testing.assert_allclose(lesions.sum(axis=(1, 2, 3)) * GRID.voxel_ml, ill.lesions_ml)
    assert 1 < ill.lesions_ml[0] < ill.lesions_ml[1]
    # darker there, and only there
    darker = plain.arrays["clean"] - ill.arrays["clean"]
    assert darker[lesions > 0.5].min() > 0.03
    assert np.abs(darker[lesions < 1e-9]).max() < 0.02
    # what is near a ventricle has more of them than the rest of the white matter
    from scipy import ndimage

    near = ndimage.binary_dilation(labels[0][0] > 0.5, iterations=2)
    white = labels[0][REGIONS.index("white_matter")]
    density = [(lesions[0] * side).sum() / (white * side).sum() for side in (near, ~near)]
    assert density[0] > 2 * density[1]


def test_lesions_are_the_same_on_every_grid_and_grow_with_disease():
    config = SimulationConfig()
    subject = draw_subject(config, 0, "a", "train", Seeds(0))

    def labels(places):
        fluid = np.linalg.norm(places - np.array([[0], [-18], [10]]), axis=0) < 15
        return np.stack([fluid, *np.zeros((4, len(fluid))), ~fluid, np.zeros(len(fluid))]).astype(float)

    coarse, fine = (draw_lesions(1.0, subject, labels, size, Seeds(0)) for size in (4.5, 1.5))
    np.testing.assert_array_equal(coarse.middles_mm, fine.middles_mm)
    assert coarse.edge_mm > fine.edge_mm
    assert draw_lesions(0.0, subject, labels, 4.5, Seeds(0)) is None
    assert len(draw_lesions(3.0, subject, labels, 4.5, Seeds(0)).radii_mm) > len(coarse.radii_mm)
    assert (np.diff(lesion_ages(subject, False, Seeds(0))) == np.diff(subject.ages_years)).all()
    # no time passes in a calibration cohort; its lesions age all the same
    ages = lesion_ages(subject, True, Seeds(0))
    assert ages[0] == subject.ages_years[0]
    assert (ages[1:] >= ages[0]).all()


def test_a_known_pose_is_found():
    """The phantom's first image, turned by 2.5 degrees and moved by some millimetres."""
    random = np.random.default_rng(0)
    from scipy import ndimage

    image = ndimage.gaussian_filter(random.normal(size=GRID.shape), 2.5)
    mask = np.zeros(GRID.shape, bool)
    mask[8:-8, 8:-8, 8:-8] = True
    image = 0.5 + image / image.std() * 0.1
    pose = rigid(np.deg2rad(2.5) * np.array([0.6, -0.64, 0.48]), np.array([2.0, -1.5, 1.0]))
    seen = 1.1 * resampled(image, pose, GRID)
    found = register_rigid(image, seen, mask, GRID)
    assert left_over_mm(pose, mask, GRID) > 2
    assert left_over_mm(pose @ found, mask, GRID) < 0.05
    # there and back, in voxels
    points = np.argwhere(mask).T[:, ::50].astype(float)
    there = moved_voxels(pose, points, GRID)
    np.testing.assert_allclose(moved_voxels(np.linalg.inv(pose), there, GRID), points, atol=1e-9)


def test_another_scanner_leaves_the_truth_alone_and_registration_little(plain, ill):
    assert plain.scanners == (0, 0)
    assert not plain.poses_mm
    assert ill.scanners == (0, 1)
    ((away, left),) = ill.poses_mm
    assert away > 1
    assert left < 0.35
    # the image is on the first visit's grid, with its gain: near the truth but for noise and one interpolation
    image, clean, mask = (ill.arrays[name][1] for name in ("image", "clean", "mask"))
    assert not image[~mask].any()
    error = (image - clean)[mask]
    assert abs(np.median(error / clean[mask])) < 0.03
    assert error.std() < 0.06


def test_scanners_change_by_their_chance():
    sessions = [draw_sessions(ScannerConfig(change=0.3), 5, f"s{k}", Seeds(0)) for k in range(300)]
    changes = np.array([np.diff([one.scanner for one in visits]) for visits in sessions])
    assert set(np.unique(changes)) == {0, 1}
    assert changes.mean() == pytest.approx(0.3, abs=0.04)
    turns = [np.rad2deg(np.arccos((np.trace(one.pose[:3, :3]) - 1) / 2)) for visits in sessions for one in visits if one.scanner]
    assert 1 - 1e-6 < min(turns) < 1.1 < 2.9 < max(turns) < 3 + 1e-6
    assert {one.scanner for one in draw_sessions(ScannerConfig(change=1.0), 5, "s0", Seeds(0), calibration=True)} == {0}
    # a visit more changes no other
    longer = draw_sessions(ScannerConfig(change=0.3), 6, "s0", Seeds(0))
    for one, other in zip(sessions[0], longer, strict=False):
        assert (one.scanner, one.gain, one.noise) == (other.scanner, other.gain, other.noise)
