"""Stop rules on curves whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.deblurring.dip.stopping import CombinedRule, Discrepancy, HeldOut, IterationState, WindowedVariance, held_out_pixels
from sciml.deblurring.settings.structures import StopConfig
from sciml.runtime.errors import ConfigError

FLAT = torch.zeros(1, 1, 2, 2)


def look(iteration: int, misfit: float = 2.0, held_out: float | None = None, output: torch.Tensor = FLAT) -> IterationState:
    return IterationState(iteration, output, misfit, held_out)


def parabola(iteration: int) -> float:
    return 1 + ((iteration - 200) / 100) ** 2


def test_held_out_stops_one_patience_after_the_minimum_and_keeps_it():
    rule = HeldOut(patience=100, smoothing=0.0)
    for iteration in range(5, 601, 5):
        rule.see(look(iteration, held_out=parabola(iteration)))
    assert (rule.chosen, rule.stopped_at) == (200, 300)
    assert rule.curve[39] == (200, 1.0) and len(rule.curve) == 120


def test_a_second_lower_minimum_after_the_stop_is_not_taken():
    rule = HeldOut(patience=20, smoothing=0.0)
    for iteration, value in enumerate([3.0, 2.0, 2.5, 2.5, 2.5, 1.0], 1):
        rule.see(look(10 * iteration, held_out=value))
    assert (rule.chosen, rule.stopped_at) == (20, 40)


def test_smoothing_is_the_corrected_exponential_mean():
    rule, values, a = HeldOut(patience=1000, smoothing=0.8), [4.0, 1.0, 3.0, 2.0], 0.8
    for iteration, value in enumerate(values, 1):
        rule.see(look(iteration, held_out=value))
    for t, (_, smoothed) in enumerate(rule.curve, 1):
        weights = [a ** (t - 1 - i) for i in range(t)]
        expected = sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights)
        assert smoothed == pytest.approx(expected, rel=1e-12)


def test_held_out_without_pixels_decides_nothing():
    rule = HeldOut(patience=5)
    for iteration in range(20):
        rule.see(look(iteration))
    assert rule.chosen is None and rule.stopped_at is None and rule.curve == []


def test_discrepancy_stops_where_the_curve_crosses_and_only_there():
    rule, above = Discrepancy(1.05), Discrepancy(0.5)
    for iteration in range(1, 100):
        for each in (rule, above):
            each.see(look(iteration, misfit=1 + 10 / iteration**2))
    # 10 / t^2 <= 0.05 first at t = 15
    assert (rule.stopped_at, rule.chosen) == (15, 15)
    assert above.stopped_at is None and above.chosen is None


def test_variance_is_that_of_the_window():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(7, 1, 2, 3, 4, generator=generator)
    rule = WindowedVariance(window=4, patience=100)
    for iteration, output in enumerate(outputs, 1):
        rule.see(look(iteration, output=output))
    assert [iteration for iteration, _ in rule.curve] == [4, 5, 6, 7]
    for iteration, value in rule.curve:
        window = outputs[iteration - 4 : iteration]
        expected = sum(float((output - window.mean(0)).square().sum()) for output in window) / (4 * 24)
        assert value == pytest.approx(expected, rel=1e-5)


def test_variance_finds_where_outputs_settle():
    rule = WindowedVariance(window=3, patience=30)
    for iteration in range(1, 121):
        # steps of |t - 60| / 100 to either side: still at 60
        output = torch.full((1, 1, 2, 2), (-1) ** iteration * abs(iteration - 60) / 100)
        rule.see(look(iteration, output=output))
    # the window of 3 that lies best around 60 ends at 61
    assert rule.chosen == 61 and rule.stopped_at == 91


def run(rule: CombinedRule, looks: list[IterationState]) -> int:
    for each in looks:
        rule.see(each)
        if rule.reason:
            return each.iteration
    raise AssertionError("the rule went on")


def test_combined_takes_the_first_of_the_three():
    config = StopConfig(patience=100, smoothing=0.0, discrepancy=0.9, window=10)
    looks = [look(t, misfit=2 - t / 400, held_out=parabola(t)) for t in range(5, 1001, 5)]

    rule = CombinedRule(config, iterations=1000)
    assert run(rule, looks) == 300 and rule.chosen == 200
    assert rule.reason == "held-out pixels: no lower misfit for 100 iterations after 200"

    rule = CombinedRule(config.model_copy(update={"discrepancy": 1.6}), iterations=1000)
    assert run(rule, looks) == 160 and rule.chosen == 160 and "1.6 sigma at 160" in (rule.reason or "")

    rule = CombinedRule(config, iterations=250)
    assert run(rule, looks) == 250 and rule.chosen == 200 and rule.reason == "budget: all 250 iterations done"
    assert rule.would_stop()["held-out"] is None and rule.would_stop()["discrepancy"] is None

    rule = CombinedRule(config.model_copy(update={"held_out": 0.0, "discrepancy": None}), iterations=400)
    assert run(rule, looks) == 400 and rule.chosen == 400
    assert set(rule.curves()) == {"variance"}


def test_combined_goes_on_from_its_state():
    config = StopConfig(patience=60, window=20)
    generator = torch.Generator().manual_seed(0)
    looks = [
        look(t, 2.0, parabola(t) + 0.1 * math.sin(t), torch.randn(1, 1, 4, 4, generator=generator)) for t in range(5, 400, 5)
    ]
    whole, first, second = (CombinedRule(config, 1000) for _ in range(3))
    for each in looks[:20]:
        first.see(each)
    second.restore(*first.state())
    for index, each in enumerate(looks):
        whole.see(each)
        if index >= 20:
            second.see(each)
    assert (second.curves(), second.chosen, second.reason, second.would_stop()) == (
        whole.curves(),
        whole.chosen,
        whole.reason,
        whole.would_stop(),
    )


def test_held_out_pixels_are_seeded_single_and_allowed_ones():
    draw = [held_out_pixels((200, 150), 0.05, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4)]
    assert draw[0].equal(draw[1]) and not draw[0].equal(draw[2])
    assert draw[0].shape == (1, 1, 200, 150)
    assert float(draw[0].float().mean()) == pytest.approx(0.05, abs=0.005)
    allowed = torch.ones(1, 3, 200, 150)
    allowed[:, 1, :100] = 0
    kept = held_out_pixels((200, 150), 0.05, torch.Generator().manual_seed(3), allowed)
    assert not bool(kept[..., :100, :].any()) and kept[..., 100:, :].equal(draw[0][..., 100:, :])
    assert not bool(held_out_pixels((9, 9), 0.0, torch.Generator()).any())


def test_what_is_refused():
    with pytest.raises(ConfigError, match="fraction"):
        held_out_pixels((8, 8), 1.0, torch.Generator())
    with pytest.raises(ConfigError, match="patience"):
        HeldOut(patience=0)
    with pytest.raises(ConfigError, match="smoothing"):
        HeldOut(patience=1, smoothing=1.0)
    with pytest.raises(ConfigError, match="window"):
        WindowedVariance(1, 10)
    with pytest.raises(ConfigError, match="bound"):
        Discrepancy(0.0)
