"""The crops that judge: by the rule, from photographs that nothing was learned from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sciml.datasets.crops import COLUMNS, EXPERIMENT, MOST, ROWS, Crop, load_crops, photo_crops
from sciml.datasets.loaders import load_photo
from sciml.datasets.manifest import TIERS, record, tracked
from sciml.datasets.splits import experiments, overlap, parse_entry, roles, split
from sciml.runtime.errors import ConfigError, DataError


def test_there_are_at_least_forty_from_at_least_twenty_photographs():
    crops = photo_crops()
    assert len(crops) == 42 and len({crop.photograph for crop in crops}) == 28
    assert len({crop.name for crop in crops}) == len(crops)
    assert {crop.photograph for crop in photo_crops("validation")} == set(split(EXPERIMENT, "validation"))


@pytest.mark.parametrize("role", ["validation", "test"])
def test_crops_are_disjoint_inside_their_photograph_and_at_most_four(role):
    for photograph, found in itertools.groupby(photo_crops(role), key=lambda crop: crop.photograph):
        crops = list(found)
        height, width = (int(size) // 2 for size in record(photograph).shape.split("x")[:2])
        taken = np.zeros((height, width), int)
        for crop in crops:
            assert crop.top >= 0 and crop.left >= 0
            window = taken[crop.top : crop.top + ROWS, crop.left : crop.left + COLUMNS]
            assert window.shape == (ROWS, COLUMNS)
            window += 1
        assert taken.max() == 1 and len(crops) <= MOST


def test_a_smaller_tier_holds_the_same_crops_of_fewer_photographs():
    assert photo_crops(tier="pip") == []
    assert 0 < len(photo_crops(tier="ci")) < len(photo_crops(tier="default")) == len(photo_crops(tier="full"))
    assert set(photo_crops(tier="ci")) < set(photo_crops(tier="default"))
    with pytest.raises(ConfigError, match="no role 'calibration'"):
        photo_crops("calibration")


def test_no_experiment_learns_from_or_tunes_on_a_photograph_that_judges():
    judged = {crop.photograph for tier in TIERS for crop in photo_crops("test", tier)}
    assert all(tracked()[name].split in ("bench", "test-hires") for name in judged)
    for experiment in experiments():
        for tier in TIERS:
            for role, entries in roles(experiment, tier).items():
                if not role.startswith("test"):
                    found = [(entry, name) for entry in entries for name in judged if overlap(entry, name)]
                    assert found == [], f"{experiment} takes {found} for {role}"
    assert judged.isdisjoint(parse_entry(entry)[0] for entry in split("compression", "train", "full"))


def test_pixels_are_those_of_the_halved_photograph(fetched):
    fetched("lake-sherburne")
    crops = photo_crops(tier="ci")[1:3]
    whole = load_photo("lake-sherburne").array
    for crop, pixels in zip(crops, load_crops(crops).values(), strict=True):
        assert pixels.shape == (ROWS, COLUMNS, 3) and pixels.dtype == np.uint8
        window = whole[crop.top : crop.top + ROWS, crop.left : crop.left + COLUMNS]
        assert np.abs(pixels - 255 * window).max() <= 0.5001


def test_a_photograph_without_a_crop_is_refused(monkeypatch):
    monkeypatch.setattr("sciml.datasets.crops.split", lambda *given: ["chelsea"])
    with pytest.raises(DataError, match="chelsea has 150 x 225 pixels when halved"):
        photo_crops()
    assert Crop("chelsea", 1, 2).name == "chelsea-1-2"
