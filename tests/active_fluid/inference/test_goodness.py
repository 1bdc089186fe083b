"""Goodness of fit: what noise, a drift, a crop and the closure's error look like."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.active_fluid.inference.goodness import MAX_EDGE_RATIO, edge_ratio, goodness
from sciml.active_fluid.inference.recovery import with_noise
from sciml.active_fluid.inference.wiener import filtered
from sciml.active_fluid.theory.states import random_state

FIELDS = np.stack([random_state(32, 5, amplitude=a) for a in (0.4, 0.5, 0.6)])


def judged(fitted: np.ndarray, seed: int = 0, noise_std: float | None = None, **options):
    data, size = with_noise(FIELDS, 0.02, seed)
    seen = np.ones(data.shape)
    state = filtered(data * seen, seen, None)
    given = {"left": None, "moments": None} | options
    return goodness(data * seen, seen, fitted, state, size if noise_std else None, 0.0, **given), size


def uniform(values: list[float]) -> bool:
    """Return whether mean and spread are those of uniform numbers, within four standard errors of the mean."""
    return bool(abs(np.mean(values) - 0.5) < 4 * 0.289 / np.sqrt(len(values)) and 0.15 < np.std(values) < 0.4)


@pytest.mark.parametrize("known", [None, 1.0])
def test_noise_has_a_uniform_p_value(known):
    assert uniform([judged(FIELDS, seed, known)[0].p_value for seed in range(24)])


def test_noise_seen_in_part_has_a_uniform_p_value():
    fields, seen = FIELDS[:2, ::2, ::2], np.ones((2, 16, 16))
    seen[:, 3:7, 4:10] = 0
    state = filtered(with_noise(fields, 0.02, 0)[0] * seen, seen, None)
    found = []
    for seed in range(24):
        data, size = with_noise(fields, 0.02, seed)
        found.append(goodness(data * seen, seen, fields, state, size, 0.0, None, None).p_value)
    assert uniform(found)


def test_a_drift_is_the_models_fault_and_shows_by_frame_and_wave():
    drifted = FIELDS * np.array([1.0, 1.0, 1.05])[:, None, None]
    found, _ = judged(drifted)
    assert found.verdict == "model" and found.is_warning and "last frame" in found.sentence
    assert found.by_frame[2] > 3 * found.by_frame[0]
    assert found.systematic == pytest.approx(0.05 * 0.6 / np.sqrt(0.4**2 + 0.5**2 + 0.6**2), rel=0.1)
    # the waves of the field stand out, those beyond are noise
    assert max(found.by_wave[:6]) > 3 and found.by_wave[-1] == pytest.approx(1, abs=0.15)


def test_a_misfit_of_the_closures_size_is_put_down_to_it():
    change = 0.02 * FIELDS
    left = np.ascontiguousarray(change).reshape(1, -1).view(float)
    found, _ = judged(FIELDS + change, left=left, moments=np.eye(1))
    assert found.verdict == "closure" and found.closure == pytest.approx(0.02, rel=0.02) and not found.is_warning
    assert judged(FIELDS + change, left=left / 10, moments=np.eye(1))[0].verdict == "model"


def test_a_crop_of_a_larger_flow_does_not_close_on_itself():
    assert edge_ratio(FIELDS, np.ones(FIELDS.shape)) < 1.1
    crop = FIELDS[:, :21, :21]
    assert edge_ratio(crop, np.ones(crop.shape)) > MAX_EDGE_RATIO
    # hidden edges say nothing
    seen = np.ones(crop.shape)
    seen[:, 0] = seen[:, :, 0] = 0
    assert edge_ratio(crop, seen) == 0
