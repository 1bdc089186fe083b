"""Simulated people: volumes on target, nothing folds, the same person on every grid, repeats from the cache."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import REGIONS, TISSUES
from sciml.progression.config import AtrophyConfig, PeopleConfig, ScannerConfig, SimulateConfig, SimulationConfig
from sciml.progression.simulation import cohort as simulation
from sciml.progression.simulation.anatomy import build_anatomy, mni_template
from sciml.progression.simulation.scanner import normalise, scan
from sciml.progression.simulation.simulator import simulate
from sciml.progression.simulation.subjects import draw_subject, subject_list
from sciml.runtime.errors import DataError, FormatError, NumericalError
from sciml.runtime.seeds import Seeds

GRID = GRIDS["4.5mm"]
STILL = {name: {"CN": 0.0, "MCI": 0.0, "AD": 0.0, "source": "none"} for name in TISSUES}


def life_of(anatomy, config, number=2, seed=0):
    person = draw_subject(config, number, f"train-{number:03d}", "train", Seeds(seed))
    return person, simulate(person, anatomy, config, Seeds(seed))


@pytest.fixture(scope="module")
def patient(phantom_anatomy):
    """A person with Alzheimer's disease."""
    return life_of(phantom_anatomy, SimulationConfig(people=PeopleConfig(visits=3)))


def test_every_volume_is_on_target_and_nothing_folds(patient):
    person, life = patient
    assert person.diagnosis == "AD"
    assert np.abs(life.errors()).max() < 3e-3
    assert life.determinants[:, 0].min() > 0
    assert life.warp_determinants[0] > 0
    labels = life.arrays["labels"]
    np.testing.assert_allclose(labels.sum(axis=1), life.arrays["mask"], atol=1e-5)
    # the table's volumes are those of the labels
    np.testing.assert_allclose(labels.sum(axis=(2, 3, 4)) * GRID.voxel_ml, [visit.volumes_ml for visit in life.visits], rtol=1e-6)
    # V(t) = V(0) exp(r t), with the rates of this person
    first, last = (np.array(life.visits[index].volumes_ml)[:-1] for index in (0, -1))
    np.testing.assert_allclose(np.log(last / first), person.changes[-1], atol=2e-3)
    assert np.log(last / first)[TISSUES.index("hippocampus")] < -0.03


def test_the_skull_keeps_its_size(patient):
    _, life = patient
    masks = life.arrays["mask"]
    assert (masks == masks[0]).all()
    totals = [sum(visit.volumes_ml) for visit in life.visits]
    np.testing.assert_allclose(totals, masks[0].sum() * GRID.voxel_ml, rtol=1e-6)


def test_without_atrophy_the_follow_up_is_the_same_image_bit_for_bit(phantom_anatomy):
    still = AtrophyConfig.model_validate({"rates": STILL})
    config = SimulationConfig(people=PeopleConfig(visits=3), lesions=0, atrophy=still)
    _, life = life_of(phantom_anatomy, config)
    for name in ("clean", "labels"):
        assert (life.arrays[name] == life.arrays[name][0]).all()
    # the scans are new ones all the same
    assert (life.arrays["image"][0] != life.arrays["image"][1]).any()


def test_the_stored_motion_leads_to_what_the_labels_came_from(patient, phantom_anatomy):
    person, life = patient
    mask, shift = life.arrays["mask"][-1], life.arrays["shift"][-1]
    places = (np.indices(GRID.shape) + shift)[:, mask] * GRID.spacing_mm + GRID.affine[:3, 3:]
    found = phantom_anatomy.look_up(person.in_template(places))[0]
    np.testing.assert_allclose(found, life.arrays["labels"][-1][:, mask], atol=1e-6)
    assert np.abs(shift[:, mask]).max() > 0.3


def test_a_late_visit_is_as_sharp_as_an_early_one(patient):
    """Images are looked up once: interpolation must not tell the order of visits."""
    _, life = patient
    clean = life.arrays["clean"]
    energy = [sum(float(np.square(np.diff(image, 2, axis)).sum()) for axis in range(3)) for image in clean]
    assert energy[-1] == pytest.approx(energy[0], rel=0.1)


@pytest.mark.slow
def test_a_seed_is_one_person_on_every_grid(phantom_template):
    lives = []
    for name in ("4.5mm", "3mm"):
        config = SimulationConfig(grid=name, people=PeopleConfig(visits=2))
        lives.append(life_of(build_anatomy(phantom_template, GRIDS[name]), config)[1])
    coarse, fine = ([visit.volumes_ml for visit in life.visits] for life in lives)
    np.testing.assert_allclose(coarse, fine, rtol=0.05)
    assert lives[0].visits[1].age_years == lives[1].visits[1].age_years


def test_calibration_people_change_region_by_region():
    config = SimulationConfig(subjects={"calibration": 12}, independent_rates=True, people=PeopleConfig(visits=9))
    changes = np.concatenate([draw_subject(config, n, name, s, Seeds(0)).changes[1:] for n, name, s in subject_list(config)])
    correlations = np.corrcoef(changes.T)
    assert np.abs(correlations - np.eye(len(TISSUES))).max() < 0.35
    study = SimulationConfig(subjects={"train": 12})
    changes = np.stack([draw_subject(study, n, name, s, Seeds(0)).changes[-1] for n, name, s in subject_list(study)])
    assert np.corrcoef(changes.T)[TISSUES.index("ventricle"), TISSUES.index("hippocampus")] < -0.8


def test_a_smaller_cohort_tests_on_the_same_people_and_on_nobody_it_could_have_trained_on():
    large, small = (
        {split: {name for _, name, where in subject_list(SimulationConfig(subjects=count)) if where == split} for split in count}
        for count in ({"train": 54, "validation": 6, "test": 12}, {"train": 3, "validation": 3, "test": 12})
    )
    assert small["test"] == large["test"]
    assert not small["test"] & large["train"]


def test_people_of_one_cohort_differ_and_equal_seeds_are_equal():
    config = SimulationConfig()
    one, same, other = (draw_subject(config, 0, name, "train", Seeds(seed)) for name, seed in (("a", 0), ("a", 0), ("a", 1)))
    np.testing.assert_array_equal(one.shift_mm, same.shift_mm)
    assert one.ages_years == same.ages_years
    assert np.abs(one.shift_mm - other.shift_mm).max() > 1
    assert one.shift_mm.std() == pytest.approx(5.4, rel=0.15)


def test_the_scanner_adds_bias_and_noise_of_the_stated_size():
    random = np.random.default_rng(0)
    intensity, mask = np.full(GRID.shape, 0.8), np.ones(GRID.shape, bool)
    image, clean = scan(intensity, mask, GRID, ScannerConfig(bias=0.0, noise=0.02), random)
    assert (clean == intensity).all()
    assert (image - clean).std() == pytest.approx(0.02, rel=0.02)
    image, _ = scan(intensity, mask, GRID, ScannerConfig(bias=0.05, noise=0.0), random)
    assert np.log(image / 0.8).std() == pytest.approx(0.05, rel=0.02)
    assert np.abs(np.diff(image, axis=0)).max() < 0.02


def test_white_matter_has_one_level_whatever_the_scale(patient):
    image, mask = patient[1].arrays["clean"][0], patient[1].arrays["mask"][0]
    np.testing.assert_allclose(normalise(image * 700, mask), normalise(image, mask), rtol=1e-6)
    one_bright = image.copy()
    one_bright[mask][0] = 1e6
    np.testing.assert_allclose(normalise(one_bright, mask), normalise(image, mask), atol=1e-3)
    with pytest.raises(DataError, match="empty within the brain"):
        normalise(image * 0, mask)


TINY = SimulateConfig(subjects={"train": 1, "test": 1}, people=PeopleConfig(visits=2, ages_years=(60.0, 61.0)), seed=1)


def test_a_cohort_is_simulated_once(phantom_in_place_of_the_template, tmp_path, monkeypatch):
    simulation.simulate_cohort(TINY, tmp_path / "one")
    cohort = Cohort(tmp_path / "one")
    assert [visit.split for visit in cohort.visits] == ["train", "train", "test", "test"]
    assert cohort.has("clean")
    assert cohort.has("labels")
    visit = cohort.visits[1]
    np.testing.assert_allclose(cohort.labels(visit).sum(axis=(1, 2, 3)) * GRID.voxel_ml, visit.volumes_ml, rtol=0.02)
    assert (cohort.image(visit)[~cohort.mask(visit)] == 0).all()

    def refuse(*_):
        raise AssertionError("simulated again")

    monkeypatch.setattr(simulation, "_work", refuse)
    simulation.simulate_cohort(TINY, tmp_path / "two")
    for name in ("visits.csv", "accuracy.csv", "subjects/train-000.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    # another seed is another cohort
    with pytest.raises(AssertionError, match="simulated again"):
        simulation.simulate_cohort(TINY.model_copy(update={"seed": 2}), tmp_path / "three")


def test_a_stopped_simulation_goes_on_with_who_is_missing(phantom_in_place_of_the_template, tmp_path, monkeypatch):
    work, done = simulation._work, []

    def once(person):
        if done:
            raise KeyboardInterrupt
        done.append(person)
        return work(person)

    monkeypatch.setattr(simulation, "_work", once)
    with pytest.raises(KeyboardInterrupt):
        simulation.simulate_cohort(TINY, tmp_path / "out")
    assert not (tmp_path / "out" / "cohort.json").exists()
    monkeypatch.setattr(simulation, "_work", lambda person: done.append(person) or work(person))
    simulation.simulate_cohort(TINY, tmp_path / "out")
    assert [name for _, name, _ in done] == ["train-000", "test-000"]


def test_a_cache_that_cannot_be_written_is_done_without(phantom_in_place_of_the_template, tmp_path, monkeypatch):
    """A file stands where a folder must be: nobody can write there, root neither."""
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache" / "progression").touch()

    def written(config, store, processes):
        for name in simulation.FILES:
            (store / name).parent.mkdir(parents=True, exist_ok=True)
            (store / name).write_text("{}")
        return []

    monkeypatch.setattr(simulation, "_simulate_people", written)
    monkeypatch.setattr(simulation, "accuracy_of", lambda people: {})
    monkeypatch.setattr(simulation, "write_cohort", lambda *given: None)
    simulation.simulate_cohort(TINY, tmp_path / "results" / "out")
    assert {path.name for path in (tmp_path / "results" / "out").iterdir()} == set(simulation.FILES)
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["out"]


def test_a_damaged_part_of_the_cache_is_named(phantom_in_place_of_the_template, tmp_path):
    simulation.simulate_cohort(TINY, tmp_path / "out")
    store = next((tmp_path / "cache" / "progression").iterdir())
    (store / "cohort.json").unlink()
    (store / "subjects" / "train-000.safetensors").write_bytes(b"?")
    with pytest.raises(FormatError, match=r"train-000\.safetensors is damaged"):
        simulation.simulate_cohort(TINY, tmp_path / "out")


@pytest.mark.slow
def test_processes_do_not_change_the_bytes(phantom_in_place_of_the_template, tmp_path, monkeypatch):
    simulation.simulate_cohort(TINY, tmp_path / "one", 1)
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "other"))
    simulation.simulate_cohort(TINY, tmp_path / "two", 2)
    for name in ("visits.csv", "accuracy.csv", "subjects/train-000.safetensors", "subjects/test-000.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.slow
def test_the_template_has_its_volumes():
    """Volumes in ml of ICBM152 2009a with AAL at 1 mm, measured apart; AAL at 2 mm gives small regions a sixth more."""
    found = dict(zip(REGIONS, mni_template("lab_aal_2mm").volumes_ml(), strict=True))
    expected = {
        "ventricle": 18.4,
        "hippocampus": 10.6,
        "amygdala": 3.2,
        "thalamus": 16.7,
        "grey_matter": 1079,
        "white_matter": 627,
    }
    for name, volume in expected.items():
        assert found[name] == pytest.approx(volume, rel=0.2 if volume < 15 else 0.02), name
    assert sum(found.values()) == pytest.approx(1887, rel=0.01)


def test_a_subject_that_asks_for_more_than_the_skull_holds_is_drawn_again_and_the_draws_are_kept(tmp_path, monkeypatch):
    seen = []

    def short(subject, anatomy, config, seeds, explain):
        seen.append(subject.ages_years)
        if len(seen) < 3:
            raise NumericalError("a step misses its volumes")
        raise KeyboardInterrupt

    settings = SimulateConfig(**SimulationConfig().model_dump(), seed=0, digests={})
    monkeypatch.setattr(simulation, "_worker", {"config": settings, "store": tmp_path, "anatomy": None})
    monkeypatch.setattr(simulation, "simulate", short)
    with pytest.raises(KeyboardInterrupt):
        simulation._work((0, "train-000", "train"))
    assert len(set(seen)) == 3
    monkeypatch.setattr(simulation, "simulate", lambda *_: (_ for _ in ()).throw(NumericalError("a step misses its volumes")))
    with pytest.raises(NumericalError, match="train-000: a step misses"):
        simulation._work((0, "train-000", "train"))
