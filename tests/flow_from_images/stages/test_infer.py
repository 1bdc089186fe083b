"""The chain's end on a true flow: the numbers of the family's own inference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sciml.active_fluid import NeuralClosure, Parameters, infer, with_noise
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result
from sciml.studies.flow_from_images.config import InferConfig, SimulateConfig
from sciml.studies.flow_from_images.stages import infer as stage
from sciml.studies.flow_from_images.stages import simulate
from sciml.studies.flow_from_images.study.movies import read_movies
from sciml.studies.flow_from_images.study.results import TRUE_FRAMES, FitResult

WEIGHTS = Path(stage.__file__).parents[3] / "active_fluid" / "weights" / "default.safetensors"


@pytest.mark.slow
def test_true_frames_give_the_parameters_of_the_familys_own_inference(tmp_path):
    """On 32 points a side, with half the step and more waves."""
    (flows,) = simulate.run(SimulateConfig(truths=((-2.0, 0.5),), seeds=1, calibration=((-1.75, 0.6),)), tmp_path / "simulate")
    flow = read_movies(flows)["test-0"]
    assert flow.field("m1").shape == (9, 64, 64) and np.sqrt(np.mean(np.abs(flow.field("m1")[0]) ** 2)) > 0.3
    fits, _ = stage.run(InferConfig(combinations=(), guessed=()), flows, {}, WEIGHTS, tmp_path / "infer")
    (row,) = read_result(fits, FitResult).rows
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


def test_a_combination_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no order.safetensors was given for lossless/tv: give --order lossless/tv=FILE"):
        stage.run(InferConfig(combinations=("lossless/tv",), guessed=()), tmp_path, {}, WEIGHTS, tmp_path)
