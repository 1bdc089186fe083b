"""Flows and volumes against what is known exactly: walls, divergence, growing balls, the way back."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.simulation.atrophy import Atrophy, StepSettings, determinants, sample_faces
from sciml.progression.simulation.neumann import ClosedDomain
from sciml.runtime.errors import NumericalError

SIZE = 36
MIDDLE = (SIZE - 1) / 2
SKULL, BALL = 16.5, 8.0


def radius(points):
    return np.sqrt(((points - MIDDLE) ** 2).sum(axis=0))


def balls(points):
    """A ball with a soft edge, and the rest of the skull as balance."""
    ball = 0.5 - 0.5 * np.tanh(2 * (radius(points) - BALL))
    return np.stack([ball, 1 - ball])


@pytest.fixture
def skull():
    return radius(np.indices((SIZE,) * 3).reshape(3, -1)).reshape((SIZE,) * 3) < SKULL


def test_the_flow_has_the_wanted_divergence_and_stays_in_the_skull(skull):
    source = np.where(skull, np.random.default_rng(0).normal(size=skull.shape), 0)
    source[skull] -= source[skull].mean()
    domain = ClosedDomain(skull)
    flow = domain.solve(source, tolerance=1e-4)
    found = domain.divergence(flow.faces)
    assert np.linalg.norm(found - source) < 1e-3 * np.linalg.norm(source)
    assert flow.iterations < 40
    for axis, face in enumerate(flow.faces):
        first, second = (np.moveaxis(skull, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        inner = np.moveaxis(face, axis, 0)
        assert not inner[[0, -1]].any()
        assert not inner[1:-1][~(first & second)].any()


def test_a_closed_skull_cannot_gain(skull):
    with pytest.raises(NumericalError, match="closed domain"):
        ClosedDomain(skull).solve(skull.astype(float))


def test_the_solver_says_when_it_does_not_converge(skull):
    source = np.where(skull, np.random.default_rng(0).normal(size=skull.shape), 0)
    source[skull] -= source[skull].mean()
    with pytest.raises(NumericalError, match="within 2 iterations"):
        ClosedDomain(skull).solve(source, tolerance=1e-8, most=2)


def test_inside_a_growing_ball_the_flow_is_radial(skull):
    """div v = a in the ball: v = a r / 3 there, by Gauss."""
    points = np.argwhere(skull).T.astype(float)
    rate = 0.3
    source = np.zeros(skull.shape)
    source[skull] = rate * (radius(points) < BALL)
    # the balance stands in the shell, evenly
    shell = skull & (source == 0)
    source[shell] = -source.sum() / shell.sum()
    domain = ClosedDomain(skull)
    velocity = sample_faces(domain.solve(source, 1e-8).faces, points)
    inner = radius(points) < BALL - 1.5
    np.testing.assert_allclose(velocity[:, inner], rate / 3 * (points[:, inner] - MIDDLE), atol=0.02 * rate * BALL / 3)


def test_the_source_gives_each_volume_what_it_asks_for(skull):
    """int p_L a = b_L, to rounding, however the labels mix."""
    shares = np.random.default_rng(0).dirichlet([0.3, 0.5, 1, 2], int(skull.sum())).T
    atrophy = Atrophy(skull, lambda points: shares)
    change = np.array([5.0, -20.0, 1.0])
    source = atrophy.source(change)[skull]
    np.testing.assert_allclose(shares @ source, [*change, -change.sum()], rtol=1e-9)
    assert abs(source.sum()) < 1e-9


@pytest.mark.parametrize("growth", [0.5, -0.5])
def test_a_ball_grows_to_its_exact_radius(skull, growth):
    """Volume V exp(growth): every place in the ball came from one nearer by exp(growth / 3)."""
    atrophy = Atrophy(skull, balls, StepSettings(log_change=0.125))
    goal = atrophy.volumes[0] * np.exp(growth)
    atrophy.advance([goal])
    assert atrophy.volumes[0] == pytest.approx(goal, rel=5e-4)
    points = np.argwhere(skull).T.astype(float)
    grown = BALL * np.exp(growth / 3)
    inner = radius(points) < grown - 2
    expected = MIDDLE + (points[:, inner] - MIDDLE) * np.exp(-growth / 3)
    assert np.abs(atrophy.back[:, skull][:, inner] - expected).max() < 0.2
    np.testing.assert_allclose(atrophy.labels.sum(axis=0), 1, atol=1e-12)


def test_without_corrections_the_error_falls_with_the_step(skull):
    def error(log_change):
        atrophy = Atrophy(skull, balls, StepSettings(log_change=log_change, tolerance=1.0, corrections=0))
        goal = atrophy.volumes[0] * np.exp(-0.5)
        atrophy.advance([goal])
        return abs(atrophy.volumes[0] / goal - 1)

    errors = [error(step) for step in (0.5, 0.25, 0.125)]
    assert errors[1] < 0.5 * errors[0]
    assert errors[2] < 0.5 * errors[1]


def test_there_and_back_is_nowhere(skull):
    atrophy = Atrophy(skull, balls)
    before = atrophy.labels.copy()
    start = atrophy.volumes[0]
    atrophy.advance([start * 1.5])
    assert np.abs(atrophy.labels - before).max() > 0.3
    atrophy.advance([start])
    assert atrophy.volumes[0] == pytest.approx(start, rel=0.01)
    assert np.abs(atrophy.back - np.indices(skull.shape))[:, skull].max() < 0.35
    assert np.abs(atrophy.labels - before).mean() < 2e-3


def test_no_change_moves_nothing(skull):
    atrophy = Atrophy(skull, balls)
    atrophy.advance(atrophy.volumes[:-1])
    np.testing.assert_array_equal(atrophy.back, np.indices(skull.shape))


def test_more_than_the_skull_holds_is_refused(skull):
    atrophy = Atrophy(skull, balls, StepSettings(log_change=1.0, corrections=1))
    with pytest.raises(NumericalError, match="is the least step: ask for less"):
        atrophy.advance([atrophy.volumes[0] * 12])


def test_determinants_of_known_maps():
    mask = np.ones((6, 7, 8), bool)
    places = np.indices(mask.shape, dtype=float)
    np.testing.assert_allclose(determinants(places * np.array([0.8, 1.1, 1.5])[:, None, None, None], mask), 0.8 * 1.1 * 1.5)
    shear = places.copy()
    shear[0] += 0.7 * places[1]
    np.testing.assert_allclose(determinants(shear, mask), 1)
    folded = places.copy()
    folded[0, 3] = folded[0, 1]
    assert determinants(folded, mask).min() < 0
    # what happens outside the mask does not count
    mask[3:] = False
    assert determinants(folded, mask).min() > 0
