"""What earlier scans say of the motion ahead, on motions whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.forecasting.motion import (
    COARSE,
    Motion,
    MotionModel,
    features,
    fit_motion,
    on_grid,
    pooled,
    tissue_loss,
)
from sciml.runtime.errors import DataError

WHO = features(71, "F", "CN")


def wave(*order: int) -> np.ndarray:
    """Return a cosine of so many half periods along each axis, (3, 20, 24, 20)."""
    lines = [np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for k, n in zip(order, COARSE.shape, strict=True)]
    return np.stack([np.einsum("i,j,k->ijk", *lines)] * 3)


def drawn(count: int, seed: int = 0) -> list[tuple[np.ndarray, Motion, Motion, Motion]]:
    """Return motions with a slow wave that goes on with the loss, and a fast one that is noise before and ahead."""
    random, people = np.random.default_rng(seed), []
    for _ in range(count):
        slow, losses = random.normal(), random.uniform(0.02, 0.05, 2)
        before, ahead = (
            Motion(loss * 10 * slow * wave(1, 1, 0) + 0.1 * random.normal() * wave(9, 9, 0), loss) for loss in losses
        )
        people.append((WHO, before, ahead, ahead))
    return people


def test_what_goes_on_is_carried_ahead_and_noise_is_not():
    model = fit_motion(drawn(60))
    _, before, ahead, _ = drawn(1, seed=9)[0]
    expected = model.expected(before, WHO, ahead.loss)
    slow, fast = wave(1, 1, 0), wave(9, 9, 0)

    def part(field: np.ndarray, of: np.ndarray) -> float:
        return float((field * of).sum() / (of * of).sum())

    assert part(expected, slow) == pytest.approx(part(ahead.velocity_mm, slow), rel=0.1)
    assert abs(part(expected, fast)) < 0.3 * abs(part(before.velocity_mm, fast))
    assert not model.expected(before, WHO, 0.0).any()
    # nothing is left to guess for people with earlier scans, the slow wave for others
    assert model.known_sd[0] < 0.2 * model.unknown_sd[0]


def test_one_visit_is_told_by_who_it_is():
    random = np.random.default_rng(1)
    people = []
    for number in range(60):
        who = features(random.uniform(60, 82), "MF"[number % 2], ("CN", "AD")[number // 2 % 2])
        loss = random.uniform(0.02, 0.05)
        motion = Motion(loss * 10 * who[1] * wave(1, 0, 1), loss)
        people.append((who, motion, motion, motion))
    model = fit_motion(people)
    true = 0.04 * 10 * 0.5 * wave(1, 0, 1)
    for diagnosis, sign in (("AD", 1), ("CN", -1)):
        found = model.expected(None, features(71, "M", diagnosis), 0.04)
        # the ridge keeps it small, and it is that direction alone
        assert 0.3 < sign * float((found * true).sum() / (true * true).sum()) < 1
        assert np.corrcoef(found.ravel(), true.ravel())[0, 1] * sign > 0.99
    assert np.abs(model.expected(None, features(71, "M", "MCI"), 0.04)).max() < 0.2 * np.abs(true).max()


def test_draws_spread_as_much_as_is_not_known():
    people = drawn(60)
    model = fit_motion(people)
    random = np.random.default_rng(2)
    draws = np.stack([0.03 * model.unknown(None, random) for _ in range(40)])
    true = np.stack([0.03 * one.velocity_mm / one.loss for _, _, one, _ in people])
    assert draws.std() == pytest.approx(np.sqrt(np.square(true).mean()), rel=0.15)


def test_arrays_build_the_same_model():
    model = fit_motion(drawn(6))
    again = MotionModel.from_arrays(model.arrays())
    before = drawn(1)[0][1]
    np.testing.assert_array_equal(again.expected(before, WHO, 0.03), model.expected(before, WHO, 0.03))
    np.testing.assert_array_equal(again.expected(None, WHO, 0.03), model.expected(None, WHO, 0.03))


@pytest.mark.parametrize("name", GRIDS)
def test_a_smooth_field_comes_back_from_the_coarse_grid(name):
    grid = GRIDS[name]
    if name == "1.5mm":
        field = on_grid(wave(1, 0, 2), grid)[:, ::20, ::24, ::20]
        assert field.shape == (3, 6, 6, 6)
        return
    fine = on_grid(wave(1, 0, 2), grid)
    again = pooled(fine * grid.spacing_mm, np.ones(grid.shape, bool), grid)
    np.testing.assert_allclose(again, wave(1, 0, 2), atol=0.05)


def test_losses_and_refusals():
    volumes = np.array([20.0, 7, 3, 15, 900, 600, 200])
    assert tissue_loss(volumes, volumes) == 0
    assert tissue_loss(volumes, volumes * 0.98) == pytest.approx(0.02)
    assert tissue_loss(volumes, volumes * 1.1) == 0
    with pytest.raises(DataError, match="nobody has three visits"):
        fit_motion([])
