"""The page on scale is what its program writes of the measurements, and its laws find a known power with an honest interval."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from imports import ROOT

REPOSITORY = ROOT.parent


@pytest.fixture(scope="module")
def programs():
    sys.path.insert(0, str(REPOSITORY / "benchmarks"))
    try:
        import scale
        import scale_page

        yield scale, scale_page
    finally:
        sys.path.remove(str(REPOSITORY / "benchmarks"))


def test_the_page_is_what_the_measurements_say(programs):
    scale, page = programs
    record = json.loads(scale.RECORD.read_text())
    assert set(record["points"]) == set(scale.PROGRAMS)
    assert scale.PAGE.read_text() == page.text(record)


def test_a_power_law_is_found_and_its_interval_holds_as_often_as_it_says(programs):
    scale, _ = programs
    x = np.repeat([100.0, 1000.0, 10000.0], 3)
    exact = scale.fitted(x, 2 * x**1.5)
    assert exact.b == pytest.approx(1.5)
    assert exact.at(1e6)[0] == pytest.approx(2e9)
    assert exact.half < 1e-6
    held = ahead = 0
    for seed in range(400):
        noise = np.random.default_rng(seed).normal(0, 0.2, len(x) + 1)
        found = scale.fitted(x, 2 * x**1.5 * np.exp(noise[:-1]))
        held += abs(found.b - 1.5) < found.half
        _, low, high = found.at(1e5)
        ahead += low < 2 * 1e5**1.5 * math.exp(noise[-1]) < high
    assert 365 <= held <= 395
    assert 365 <= ahead <= 395
