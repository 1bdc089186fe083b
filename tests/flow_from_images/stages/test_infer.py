"""The chain's end on a true flow: the numbers of the family's own inference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sciml.active_fluid import NeuralClosure, Parameters, infer, with_noise
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result
from sciml.studies.flow_from_images.config import TRUE_FRAMES, InferConfig, SimulateConfig
from sciml.studies.flow_from_images.stages import infer as stage
from sciml.studies.flow_from_images.stages import simulate
from sciml.studies.flow_from_images.study.movies import read_movies
from sciml.studies.flow_from_images.study.results import Estimate, Fit, FitResult

WEIGHTS = Path(stage.__file__).parents[3] / "active_fluid" / "weights" / "default.safetensors"


@pytest.mark.slow
def test_true_frames_give_the_parameters_of_the_familys_own_inference(tmp_path):
    """On 32 points a side, with half the step and more waves."""
    (flows,) = simulate.run(SimulateConfig(truths=((-2.0, 0.5),), seeds=1, calibration=()), tmp_path / "simulate")
    flow = read_movies(flows)["test-0"]
    assert flow.field("m1").shape == (9, 64, 64) and np.sqrt(np.mean(np.abs(flow.field("m1")[0]) ** 2)) > 0.3
    fits, _ = stage.run(InferConfig(), flows, WEIGHTS, tmp_path / "infer")
    result = read_result(fits, FitResult)
    (row,) = result.rows
    assert result.factors == {"alpha": 1.0, "zeta": 1.0}
    assert row.combination == TRUE_FRAMES and row.converged
    m1, level = with_noise(flow.field("m1")[:5, ::2, ::2], 0.02, 1)
    own = infer(
        *(m1, np.array(flow.case.times) - flow.case.times[0], NeuralClosure.load(WEIGHTS)),
        known=Parameters(-1.0, 0.5),
        noise_std=level,
        time_step=0.0125,
        most_waves=400,
    )
    for name in ("alpha", "zeta"):
        one, (low, high) = row.estimate(name), getattr(own, f"{name}_interval")
        assert abs(one.value - getattr(own, name)) < (high - low) / 2 and one.covered
    # the model follows the flow better than a flow that stands still
    assert all(ahead < held for ahead, held in zip(row.forecast, row.persistence, strict=True))


def test_an_order_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"lossless/tv: give --order FILE for a combination, and for the true frames none"):
        stage.run(InferConfig(combination="lossless/tv"), tmp_path, WEIGHTS, tmp_path)


def calibrating(*errors: float) -> list[Fit]:
    """Return fits of movies whose activity is so many half-widths off."""
    found = []
    for number, error in enumerate(errors):
        one = Estimate(value=-2.0 + 0.1 * error, low=-2.1 + 0.1 * error, high=-1.9 + 0.1 * error, truth=-2.0)
        empty = {"times": [], "forecast": [], "persistence": [], "converged": True, "p_value": 0.5, "verdict": "noise"}
        who = {"combination": "low/tv", "case": str(number), "noise": "measured", "noise_std": 0.1, "gain": 1.0}
        found.append(Fit.model_validate({**who, **empty, "alpha": one, "zeta": one}))
    return found


def test_intervals_are_widened_by_the_quantile_of_movies_that_calibrate():
    """Of 9 the largest score, of 19 the second largest; never narrower; estimates stay."""
    assert stage.widening(calibrating(*np.linspace(0.2, 1.8, 9)), "alpha") == pytest.approx(1.8)
    assert stage.widening(calibrating(*-np.linspace(0.1, 1.9, 19)), "alpha") == pytest.approx(1.8)
    assert stage.widening(calibrating(0.1, 0.2, 0.3), "alpha") == 1.0 and stage.widening([], "zeta") == 1.0
    (fit,) = calibrating(1.5)
    wide = stage.widened(fit, {"alpha": 2.0, "zeta": 1.0})
    assert not fit.alpha.covered and wide.alpha.covered and wide.zeta == fit.zeta
    assert wide.alpha.value == fit.alpha.value and wide.alpha.high - wide.alpha.low == pytest.approx(0.4)


def test_a_movie_of_the_same_kind_is_held_nine_times_in_ten():
    """Coverage of the widened intervals over many calibrations of nine movies whose errors have heavy tails."""
    generator = np.random.default_rng(0)
    scores = np.abs(generator.standard_t(3, (1000, 10)))
    held = [abs(row[-1]) <= stage.widening(calibrating(*row[:-1]), "alpha") for row in scores]
    assert 0.88 < np.mean(held) < 0.93
