"""No test data in training: lists, persons, look-alikes, weights."""

from __future__ import annotations

from functools import cache

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.datasets.loaders import load
from sciml.datasets.manifest import TIERS, is_present, local_path, record, tier_ids, tracked
from sciml.datasets.splits import (
    check_weight_inputs,
    conflicts,
    experiments,
    near_duplicates,
    overlap,
    parse_entry,
    roles,
    split,
)
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import save_tensors


@pytest.mark.parametrize("experiment", sorted(experiments()))
def test_no_id_and_no_person_is_in_two_roles(experiment):
    assert conflicts(experiment) == []


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("experiment", sorted(experiments()))
def test_every_entry_is_held_by_its_tier(experiment, tier):
    for entries in roles(experiment, tier).values():
        assert {parse_entry(entry)[0] for entry in entries} <= set(tier_ids(tier))


def test_the_guard_sees_ids_ranges_and_persons():
    assert overlap("kodim23", "kodim23") == "both hold kodim23"
    assert overlap("digits8[0:10]", "digits8[10:20]") is None
    assert overlap("digits8[0:11]", "digits8[10:20]") == "both hold digits8"
    assert overlap("digits8", "digits8[10:20]") == "both hold digits8"
    assert overlap("mr_colin27_t1", "mr_colin27_t2") == "both show the subject colin27"
    assert overlap("kodim23", "sail") is None, "nobody is not a person"


@given(st.tuples(st.integers(0, 50), st.integers(1, 50)), st.tuples(st.integers(0, 50), st.integers(1, 50)))
def test_ranges_overlap_when_they_share_a_number(first, second):
    (start, count), (other, more) = first, second
    shared = set(range(start, start + count)) & set(range(other, other + more))
    assert bool(overlap(f"digits8[{start}:{start + count}]", f"digits8[{other}:{other + more}]")) == bool(shared)


def test_five_ct_patients_and_one_colin():
    persons = {name: row.patient for name, row in tracked().items() if row.patient}
    assert len({persons[f"ct_{name}"] for name in ("fullhead", "sinus", "headct", "cranium", "amos0336")}) == 5
    assert {persons[name] for name in persons if "colin" in name} == {"colin27"}


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match="imaging-photos"):
        split("imaging-foto", "test")
    with pytest.raises(ConfigError, match="validation, test"):
        split("imaging-photos", "train")
    with pytest.raises(ConfigError, match="ci, default, full"):
        split("imaging-photos", "test", "huge")
    for entry in ("digits8[3:2]", "digits8[1:", "[1:2]"):
        with pytest.raises(ConfigError, match="range"):
            parse_entry(entry)


def weight(path, inputs):
    save_tensors(path, {"w": np.zeros(2, np.float32)}, {} if inputs is None else {"inputs": inputs})
    return path


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"kodim23": "0"}, "both hold kodim23"),
        ({"mine.png": record("sail").sha256}, "trained on mine.png.*both hold sail"),
        (None, "does not name its training data"),
    ],
)
def test_a_weight_that_saw_test_photos_is_refused(tmp_path, inputs, reason):
    with pytest.raises(DataError, match=reason):
        check_weight_inputs(weight(tmp_path / "w.safetensors", inputs), "proximal-photos")


def test_a_weight_that_saw_a_test_person_is_refused(tmp_path):
    path = weight(tmp_path / "w.safetensors", {"mr_colin27_t2": record("mr_colin27_t2").sha256})
    with pytest.raises(DataError, match="subject colin27"):
        check_weight_inputs(path, "proximal-mri")


def test_a_clean_weight_passes(tmp_path):
    inputs = {name: record(parse_entry(name)[0]).sha256 for name in ("digits8[0:1400]", "aqua")}
    path = weight(tmp_path / "w.safetensors", inputs)
    assert check_weight_inputs(path, "proximal-digits") == inputs
    inputs = {"digits8[0:1598]": record("digits8").sha256}
    with pytest.raises(DataError, match="both hold digits8"):
        check_weight_inputs(weight(path, inputs), "proximal-digits")


def test_look_alikes_are_found():
    generator = np.random.default_rng(0)
    pictures = {f"p{index}": generator.random((64, 48, 3)) for index in range(4)}
    assert near_duplicates(pictures) == []
    copy = np.repeat(np.repeat(pictures["p2"], 2, axis=0), 2, axis=1)[:, ::-1].mean(axis=-1) * 0.5 + 0.1
    found = near_duplicates({**pictures, "copy": copy + 0.001 * generator.random(copy.shape)})
    assert [pair[:2] for pair in found] == [("p2", "copy")]
    with pytest.raises(DataError, match="too small"):
        near_duplicates({"a": np.zeros((8, 8))})


@cache
def small_picture(name):
    """Return a photograph or the middle slice of a volume, as small as its file gives it."""
    if local_path(name).suffix.lower() not in (".jpg", ".jpeg", ".png"):
        image = load(name)
        return image.array[len(image.array) // 2] if image.axes == "DHW" else image.array
    with PIL.Image.open(local_path(name)) as picture:
        picture.draft("L", (240, 160))  # JPEG is decoded at a fraction of its size
        return np.asarray(picture.convert("L"))


# digits are ranges of one sheet: thousands of them look alike, and the ranges are what keeps them apart
PICTURED = sorted(
    name
    for name in experiments()
    if not any(parse_entry(entry)[1] for tier in TIERS for entries in roles(name, tier).values() for entry in entries)
)


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["ci", "default"])
@pytest.mark.parametrize("experiment", PICTURED)
def test_no_test_picture_looks_like_one_that_is_learned_from(experiment, tier, fetched):
    found = roles(experiment, tier)
    learned = {entry for role in ("train", "validation") for entry in found.get(role, ())}
    tests = {entry for role, entries in found.items() if role.startswith("test") for entry in entries}
    fetched(*(learned | tests).intersection(tier_ids("ci")))
    pictures = {name: small_picture(name) for name in sorted(learned | tests) if is_present(record(name))}
    assert [pair for pair in near_duplicates(pictures) if (pair[0] in tests) != (pair[1] in tests)] == []


def test_both_templates_of_the_same_volunteers_are_one_person():
    assert overlap("mni2009a_t1", "mni2009c_t1") == overlap("mni2009a_gm", "mni2009c_t1") == "both show the subject icbm152"


def test_all_experiments_but_the_digits_are_compared():
    assert set(experiments()) - set(PICTURED) == {"proximal-digits", "proximal-digits20"}
