"""Each link against what must hold: exactness without noise or gap, adjoints, bounds, owners; and the budget of known chains."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sciml.progression import REGIONS
from sciml.runtime.errors import DataError
from sciml.studies.scan_to_forecast.chain.acquisition import acquire
from sciml.studies.scan_to_forecast.chain.archive import NEAR, stored
from sciml.studies.scan_to_forecast.chain.cases import head_case, reduced
from sciml.studies.scan_to_forecast.chain.levels import LEVELS, WINDOW, to_levels, to_magnitudes
from sciml.studies.scan_to_forecast.chain.measuring import check_owner, from_the_same_scans, psnr_in_head
from sciml.studies.scan_to_forecast.chain.reconstruction import reconstruct_volume
from sciml.studies.scan_to_forecast.chain.records import Answer, Case, Question
from sciml.studies.scan_to_forecast.config import (
    AcquisitionConfig,
    Config,
    EvaluateConfig,
    HeadConfig,
    SubjectsConfig,
    WhoConfig,
    by_hardness,
)
from sciml.studies.scan_to_forecast.page.results import Study
from sciml.studies.scan_to_forecast.page.words import answer
from sciml.studies.scan_to_forecast.study.budget import BASE, Key, changes, coverages, head_budget, subject_moves, whole_grid
from sciml.studies.scan_to_forecast.study.results import Budget, Chain


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    """Return three slices of nested ellipses from 0 to 1."""
    rows, columns = np.meshgrid(np.linspace(-1, 1, 48), np.linspace(-1, 1, 40), indexing="ij")
    radius = np.hypot(rows / 0.9, columns / 0.8)
    slices = [
        np.where(radius < 1 - k / 10, 0.4, 0) + np.where(radius < 0.6, 0.4, 0) + np.where(radius < 0.2, 0.2, 0) for k in range(3)
    ]
    return np.stack(slices).astype(np.float32)


@pytest.mark.parametrize("coils", [1, 8])
def test_all_of_k_space_without_noise_gives_the_volume_back_by_every_method(volume, coils):
    found = acquire(volume, AcquisitionConfig(coils=coils, noise=0), seed=1)
    assert found.samples.shape == (3, 2 * coils, 48, 40)
    for method in ("zero-filled", "tv", "lpn"):
        back = reconstruct_volume(found, method)
        np.testing.assert_allclose(back, volume, atol=2e-6)
        # so that a scan of 16 bits leaves the archive as it went in, bit for bit
        assert np.array_equal(stored(back, "lossless")[0], to_magnitudes(to_levels(volume)))


@pytest.mark.parametrize("coils", [1, 4])
def test_what_is_stored_is_what_the_physics_measures(volume, coils):
    """Noise has the stated deviation on measured rows and is nowhere else; the operator is that of the slices."""
    config = AcquisitionConfig(acceleration=3, coils=coils, noise=0.1)
    noisy, exact = acquire(volume, config, 2), acquire(volume, config.model_copy(update={"noise": 0.0}), 2)
    assert len(noisy.rows) == 16 and np.array_equal(noisy.rows, exact.rows)
    assert np.std(noisy.samples - exact.samples) == pytest.approx(0.1 / 2**0.5, rel=0.03)
    y, physics = noisy.full(slice(0, 2)), noisy.physics()
    x = torch.randn(2, 2, 48, 40, generator=torch.Generator().manual_seed(0))
    assert float((physics.A(x) * y).sum()) == pytest.approx(float((x * physics.A_adjoint(y)).sum()), rel=1e-4)
    assert float((physics.A(physics.A_adjoint(y)) - y).abs().max()) < (1e-5 if coils == 1 else np.inf)


def test_priors_beat_zeros_where_rows_are_missing(volume):
    found = acquire(volume, AcquisitionConfig(acceleration=2, noise=0.01), 3)
    error = {method: np.abs(reconstruct_volume(found, method) - volume).mean() for method in ("zero-filled", "tv", "lpn")}
    assert error["tv"] < 0.8 * error["zero-filled"] and error["lpn"] < 0.8 * error["zero-filled"]


def test_an_archive_keeps_its_promise(volume):
    bright = volume * 1.1 + 0.05 * np.random.default_rng(0).random(volume.shape, np.float32)
    exact, size = stored(bright, "lossless")
    assert np.abs(exact - bright).max() <= 0.5001 * WINDOW / LEVELS and size > 0
    near, smaller = stored(bright, "near-lossless")
    assert 0 < np.abs(near - exact).max() <= NEAR * WINDOW / LEVELS * 1.0001 and smaller < size
    fine, coarse = stored(bright, "quality-80"), stored(bright, "quality-20")
    assert coarse[1] < fine[1] and psnr_in_head(coarse[0], bright) < psnr_in_head(fine[0], bright)


def test_a_reduced_scan_lies_where_the_scan_lies():
    array = np.random.default_rng(0).random((9, 6, 5)).astype(np.float32)
    affine = np.array([[2.0, 0, 0, -7], [0, 1, 0.5, 3], [0, -0.5, 1, 4], [0, 0, 0, 1]])
    means, place = reduced(array, affine, 2)
    assert means[1, 2, 0] == pytest.approx(array[2:4, 4:6, 0:2].mean())
    corners = [affine @ [2 + i, 4 + j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    np.testing.assert_allclose(place @ [1, 2, 0, 1], np.mean(corners, axis=0))


def test_a_scan_in_any_orientation_becomes_the_same_slices(tmp_path):
    import nibabel

    array = np.random.default_rng(1).random((12, 10, 8)).astype(np.float32)
    image = nibabel.Nifti1Image(array, np.diag([1.0, 1, 1, 1]))
    turned = image.as_reoriented(nibabel.orientations.axcodes2ornt("PSL"))
    cases = []
    for name, one in (("ras", image), ("psl", turned)):
        nibabel.save(one, tmp_path / f"{name}.nii.gz")
        cases.append(head_case(WhoConfig(), tmp_path / f"{name}.nii.gz"))
    assert np.array_equal(cases[0][1]["head"], cases[1][1]["head"])
    assert cases[0][0]["head"].affine == cases[1][0]["head"].affine and cases[0][0]["head"].digest == cases[1][0]["head"].digest
    assert [(one.diagnosis, one.years) for one in cases[0][0]["head"].questions][:2] == [("CN", 2.0), ("CN", 5.0)]
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.float32), np.eye(4)), tmp_path / "empty.nii.gz")
    with pytest.raises(DataError, match="holds no signal"):
        head_case(WhoConfig(), tmp_path / "empty.nii.gz")


def case(split: str = "test", scale: float = 1.0, digest: str = "a") -> Case:
    now = [scale * (10.0 + at) for at in range(len(REGIONS))]
    later = Question(diagnosis="CN", years=2.0, truth_ml=[0.9 * one for one in now])
    return Case(
        split=split, affine=np.eye(4).tolist(), age_years=70, sex="F", diagnosis="CN", truth_ml=now, questions=[later],
        digest=digest,
    )  # fmt: skip


def test_links_of_another_scan_are_refused(tmp_path, volume):
    from sciml.runtime.files import save_tensors

    save_tensors(tmp_path / "decoded.safetensors", {"lossless/a": volume}, {"scans": {"a": "b"}})
    with pytest.raises(DataError, match="was made from other scans"):
        from_the_same_scans(tmp_path / "decoded.safetensors", {"a": case()})
    other = np.roll(volume, 9, axis=1)
    check_owner("a", volume + 0.05, {"a": volume, "b": other})
    with pytest.raises(DataError, match="the volume of a is not the one of a: it is nearest to b"):
        check_owner("a", other, {"a": volume, "b": other + 0.01})


def chain(volumes: list[float], factor: float, questions: list[Question], name: str = "head") -> Chain:
    """Return a chain whose measured volumes are true ones times a factor, forecast to shrink by the truth, ends 10 % off."""
    answers = []
    for one in questions:
        later = [0.9 * factor * v for v in volumes]
        low, high = ([end * v for v in later] for end in (np.exp(-0.1), np.exp(0.1)))
        answers.append(Answer(diagnosis=one.diagnosis, years=one.years, volumes_ml=later, low_ml=low, high_ml=high))
    return Chain(
        case=name, method="", archive="", bytes=1, bits_per_voxel=1, psnr_db=None, refused=None,
        volumes_ml=[factor * v for v in volumes], answers=answers,
    )  # fmt: skip


LINKS = {"1x": AcquisitionConfig(), "4x": AcquisitionConfig(acceleration=4)}
HEAD = HeadConfig(acquisitions=LINKS, reconstructions=("zero-filled", "tv"), archives=("lossless", "quality-20"))


def test_the_budget_of_chains_whose_factors_are_known():
    """ln V = a_acquisition + b_reconstruction + c_archive: no interplay, shares by hand, moves as put in."""
    a, b, c = {"reference": 0.0, "1x": 0.01, "4x": 0.05}, {"zero-filled": 0.0, "tv": 0.02}, {"lossless": 0.0, "quality-20": 0.01}
    questions = [Question(diagnosis=one, years=5.0, truth_ml=None) for one in HEAD.diagnoses]
    keys: list[Key] = [(x, y, z) for x in a for y in b for z in c]
    chains = {
        key: {"head": chain([10.0] * len(REGIONS), float(np.exp(a[key[0]] + b[key[1]] + c[key[2]])), questions)} for key in keys
    }
    regions, moves = head_budget(HEAD, chains)
    assert len(regions) == 2 * (len(REGIONS) - 1)
    total = 0.02**2 + 0.01**2 + 0.005**2
    for one in regions:
        assert one.shares["acquisition"] == pytest.approx(0.02**2 / total)
        assert one.shares["acquisition x reconstruction x archive"] == pytest.approx(0, abs=1e-9)
        assert one.grid_percent == pytest.approx(100 * total**0.5)
        assert one.deviation_percent == pytest.approx(10 / 1.6449, rel=1e-4) and one.difference_percent == pytest.approx(0)
    found = {(one.link, one.level): one for one in moves}
    assert found["acquisition", "4x"].percent == pytest.approx(5) and found["archive", "quality-20"].percent == pytest.approx(1)
    assert found["reconstruction", "tv of 4x"].percent == pytest.approx(2)
    assert found["all", "4x, tv, quality-20"].deviations == pytest.approx(8 / (10 / 1.6449), rel=1e-4)
    assert whole_grid(HEAD, chains) == ([["1x", "4x"], ["zero-filled", "tv"], ["lossless", "quality-20"]], [])
    del chains["4x", "tv", "lossless"], chains["1x", "tv", "lossless"]
    # three of four chains by total variation are there in part: it goes, the rest is whole
    regions, moves = head_budget(HEAD, chains)
    assert whole_grid(HEAD, chains)[1] == ["reconstruction tv"] and sum(regions[0].shares.values()) == pytest.approx(1)
    assert regions[0].shares["reconstruction"] == 0 and ("reconstruction", "tv of 4x") not in {(m.link, m.level) for m in moves}
    assert whole_grid(HEAD, {})[0] != [] and not list(product(*whole_grid(HEAD, {})[0]))
    assert head_budget(HEAD, {}) == ([], [])


def test_the_answer_is_about_the_hardest_scan_that_led_to_a_forecast(tmp_path):
    questions = [Question(diagnosis=one, years=HEAD.judged_years, truth_ml=None) for one in HEAD.diagnoses]
    keys: list[Key] = [(x, y, z) for x in ("reference", *LINKS) for y in HEAD.reconstructions for z in HEAD.archives]
    chains = {key: {"head": chain([10.0] * len(REGIONS), 1.01 if key[0] == "1x" else 1.03, questions)} for key in keys}
    for known, words in ((chains, "At 4x with"), ({key: chains[key] for key in keys if key[0] != "4x"}, "No forecast came of")):
        regions, moves = head_budget(HEAD, known)
        budget = Budget(
            regions=regions, moves=moves, chains=len(known), refused=[], left_out=[], quality=[], subject_moves=[], coverage=[],
            archived=[], untouched_percent=0.0,
        )  # fmt: skip
        study = Study(tmp_path, budget, EvaluateConfig(head=HEAD, subjects=None, seed=0))
        assert answer(study).startswith(words), answer(study)
    assert "scans at 4x. At 1x with" in answer(study)


def test_carried_errors_widen_intervals_as_the_formula_says():
    """A chain that is wrong by 15 % misses every interval of 10 %; with its error, measured on others, all hold."""
    cases = {"v": case("validation"), "t": case("test", 2.0)}
    chains = {
        BASE: {name: chain(one.truth_ml, 1.0, one.questions, name) for name, one in cases.items()},
        ("4x", "tv", "lossless"): {name: chain(one.truth_ml, 1.15, one.questions, name) for name, one in cases.items()},
    }
    plain, carried, hard, hard_carried = coverages(cases, chains, seed=0)
    assert (plain.share, carried.share, hard.share, hard_carried.share) == (1, 1, 0, 1)
    assert plain.width_percent == carried.width_percent == pytest.approx(20)
    wide = 2 * 100 * np.hypot(0.1, 1.6449 * np.log(1.15))
    assert hard_carried.width_percent == pytest.approx(wide) and hard.asked == len(REGIONS) - 1
    config = SubjectsConfig(
        acquisitions={"4x": AcquisitionConfig(acceleration=4)}, reconstructions=("zero-filled", "tv"), archives=("lossless",)
    )
    rows = {(one.link, one.level): one for one in subject_moves(config, cases, chains, seed=0)}
    assert rows["none", "reference"].error_percent == pytest.approx(0)
    assert rows["all", "4x, tv, lossless"].moved_percent == pytest.approx(100 * np.log(1.15))
    assert rows["all", "4x, tv, lossless"].rate_percent == pytest.approx(0, abs=1e-9)


def test_every_chain_is_compared_and_only_with_chains_that_run():
    listed = list(changes(HEAD))
    grid = {(one, method, archive) for one in LINKS for method in HEAD.reconstructions for archive in HEAD.archives}
    assert {key for _, _, *pair in listed for key in pair} == grid | {BASE, ("reference", "zero-filled", "quality-20")}
    assert {level for link, level, *_ in listed if link == "all"} == {", ".join(key) for key in grid}
    assert by_hardness(HEAD)[0] == "4x"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"head": {"acquisitions": {"reference": {}}}}, "is the name of the scan without noise"),
        ({"head": {"reconstructions": ["tv"]}}, "need zero-filled"),
        ({"head": {"judged_years": 3.0}}, "none of years_ahead"),
        ({"subjects": {"archives": ["lossless", "quality-101"]}}, "pattern"),
    ],
)
def test_settings_that_make_no_budget_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        Config.model_validate(values)
