"""A subject's pattern: no volume changes, the divergence is as asked, the fluid nearby answers, and what explains the change."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.config import PeopleConfig, SimulationConfig
from sciml.progression.simulation import pattern as patterns
from sciml.progression.simulation.anatomy import build_anatomy, colin_template
from sciml.progression.simulation.atrophy import Atrophy, StepSettings, corner_determinants
from sciml.progression.simulation.pattern import DIRECTIONS, directions, draw_pattern
from sciml.progression.simulation.simulator import simulate
from sciml.progression.simulation.subjects import draw_subject
from sciml.runtime.seeds import Seeds

SIZE = 36
MIDDLE = (SIZE - 1) / 2
PLACES = np.indices((SIZE,) * 3, dtype=float).reshape(3, -1)


def radius(points):
    return np.sqrt(((points - MIDDLE) ** 2).sum(axis=0))


def shells(points):
    """A ball, tissue around it and a rim of fluid, with soft edges."""
    ball, brain = (0.5 - 0.5 * np.tanh(2 * (radius(points) - edge)) for edge in (6.0, 13.0))
    return np.stack([ball, brain * (1 - ball), (1 - brain) * (1 - ball)])


def gradient(points):
    """More in front than behind."""
    return 0.2 * np.stack([np.tanh((points[0] - MIDDLE) / 4), (points[1] - MIDDLE) / 12])


@pytest.fixture
def atrophy():
    skull = (radius(PLACES) < 16.5).reshape((SIZE,) * 3)
    return Atrophy(skull, shells)


def test_a_pattern_changes_no_volume_and_the_divergence_is_as_asked(atrophy):
    change = np.array([5.0, -20.0])
    extra = atrophy.answered(gradient(PLACES[:, atrophy.mask.ravel()]))
    source = atrophy.source(change, extra)
    # int p_L a = b_L, to rounding
    np.testing.assert_allclose(atrophy.labels @ source[atrophy.mask], [*change, -change.sum()], rtol=1e-9)
    domain = atrophy._domain
    found = domain.divergence(domain.solve(source, 1e-5).faces)
    assert np.linalg.norm(found - source) < 1e-4 * np.linalg.norm(source)
    # within one label a differs from place to place by g alone
    pure = atrophy.labels[0] > 0.999
    inner = source[atrophy.mask][pure] - gradient(PLACES[:, atrophy.mask.ravel()])[0, pure]
    assert np.ptp(inner) < 2e-3


def test_the_fluid_nearby_answers(atrophy):
    """Where tissue is lost on one side, the fluid of that side gains it."""
    values = gradient(PLACES[:, atrophy.mask.ravel()])
    gained = (atrophy.labels[:-1] * values).sum(axis=0)
    answer = atrophy.answered(values) - gained
    front = PLACES[0, atrophy.mask.ravel()] > MIDDLE
    # the answer lies in the fluid, opposite in sign, and together nothing is gained
    assert np.abs(answer[atrophy.labels[-1] < 1e-6]).max() < 1e-6
    assert answer[front].sum() < 0 < answer[~front].sum()
    deep = atrophy._mean(atrophy.labels[-1]) < 0.05
    assert abs((answer + np.where(deep, 0, gained)).sum()) < 0.02 * np.abs(gained).sum()


def test_volumes_are_reached_with_a_pattern_and_the_map_follows_it(atrophy):
    goals = atrophy.volumes[:-1] * [1.1, 0.97]
    atrophy.advance(goals, gradient)
    np.testing.assert_allclose(atrophy.volumes[:-1], goals, rtol=5e-4)
    # deep in the ball the map's determinants are exp(-(c + g)), by Liouville
    inner = (slice(1, -1),) * 3
    logs = -np.log(np.mean([values for values, _ in corner_determinants(atrophy.back, atrophy.mask)], axis=0))
    deep = (radius(PLACES) < 3.5).reshape((SIZE,) * 3)[inner]
    told = gradient(atrophy.back.reshape(3, -1))[0].reshape((SIZE,) * 3)[inner]
    slope = np.polyfit(told[deep], logs[deep], 1)[0]
    assert slope == pytest.approx(1, abs=0.1)


def test_no_pattern_is_a_pattern_of_nothing_bit_for_bit(atrophy):
    other = Atrophy(atrophy.mask, shells)
    goals = atrophy.volumes[:-1] * [1.1, 0.97]
    atrophy.advance(goals)
    other.advance(goals, lambda points: np.zeros((2, points.shape[1])))
    np.testing.assert_array_equal(atrophy.back, other.back)


def test_a_step_that_fails_is_made_in_halves():
    skull = (radius(PLACES) < 16.5).reshape((SIZE,) * 3)
    calls = []

    class Counted(Atrophy):
        def _step(self, *given):
            calls.append(given)
            super()._step(*given)

    atrophy = Counted(skull, shells, StepSettings(log_change=1.0, tolerance=5e-3, corrections=0))
    goals = atrophy.volumes[:-1] * [np.exp(0.6), 0.9]
    atrophy.advance(goals, lambda points: 2 * gradient(points))
    np.testing.assert_allclose(atrophy.volumes[:-1], goals, rtol=5e-3)
    shares = [share for *_, share in calls]
    assert shares[0] == 1
    assert min(shares) < 1


def test_directions_are_smooth_and_one_is_odd():
    places = np.random.default_rng(0).uniform(-70, 70, (3, 500))
    found = directions(places)
    assert found.shape == (len(DIRECTIONS), 500)
    assert np.abs(found).max() <= 1.5
    mirrored = directions(places * np.array([[-1], [1], [1]]))
    np.testing.assert_allclose(mirrored[:-1], found[:-1])
    np.testing.assert_allclose(mirrored[-1], -found[-1])
    assert np.abs(directions(places + np.array([[1.0], [0], [0]])) - found).max() < 0.1


def test_a_subjects_own_field_lasts_as_stated():
    """Over many fields: the correlation of one period with the next is rho."""
    config = SimulationConfig(people=PeopleConfig(gaps_years=(1.5, 1.5), visits=3))
    subject = draw_subject(config, 0, "train-000", "train", Seeds(0))
    drawn = [draw_pattern(config, subject, Seeds(seed)) for seed in range(6)]
    fields = np.stack([one.own[:, 0] for one in drawn])
    kept = np.exp(-1.5 / patterns.LASTS_YEARS)
    for period in (1, 2):
        correlation = np.corrcoef(fields[:, period - 1].ravel(), fields[:, period].ravel())[0, 1]
        assert correlation == pytest.approx(kept, abs=0.1)
        assert drawn[0].lasting[period] == pytest.approx(kept**period)
    assert fields.std() == pytest.approx(patterns.OWN_SD, rel=0.1)
    again = draw_pattern(config, subject, Seeds(0))
    np.testing.assert_array_equal(again.own, drawn[0].own)
    assert draw_pattern(config.model_copy(update={"pattern": 0.0}), subject, Seeds(0)) is None


def test_what_volumes_explain_is_all_without_a_pattern_and_less_with_one(phantom_anatomy):
    """The last visit stands three years and more after the first."""
    lives, people = [], PeopleConfig(visits=2, gaps_years=(3.0, 3.0), ages_years=(60.0, 60.5))
    for strength in (0.0, 1.0):
        config = SimulationConfig(pattern=strength, lesions=0, people=people)
        subject = draw_subject(config, 2, "test-002", "test", Seeds(0))
        lives.append(simulate(subject, phantom_anatomy, config, Seeds(0), explain=True))
    none, some = (life.explained for life in lives)
    assert min(none.values()) > 0.9999
    assert some["volumes"] < 0.95
    assert some["volumes"] < some["lasting"] < some["motion"]
    assert some["motion"] == pytest.approx(1, abs=1e-9)
    # the same volumes, to the tolerance of a step
    volumes = [np.array([visit.volumes_ml for visit in life.visits])[:, :-1] for life in lives]
    np.testing.assert_allclose(*volumes, rtol=1e-3)
    assert GRIDS["4.5mm"].shape == lives[1].arrays["clean"].shape[1:]


@pytest.mark.slow
def test_one_mans_brain_ages_fast_to_the_end():
    """Colin27 with Alzheimer's disease and an accelerating pace: without sparing what grew much, a step folds half way."""
    config = SimulationConfig(people=PeopleConfig(laws={"accelerating": 1.0}), lesions=0)
    subject = draw_subject(config, 5, "train-005", "train", Seeds(0))
    assert subject.diagnosis == "AD"
    life = simulate(subject, build_anatomy(colin_template(), GRIDS["4.5mm"]), config, Seeds(0))
    assert np.abs(life.errors()).max() < 1e-3
    assert life.determinants[:, 0].min() > 0
