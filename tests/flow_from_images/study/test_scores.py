"""Coverage, budget and grids against closed forms."""

from __future__ import annotations

import pytest

from sciml.studies.flow_from_images.study.results import Estimate, Fit
from sciml.studies.flow_from_images.study.scores import Coverage, budget, coverage, errors, half_width, largest_grid


def fit(combination: str, alpha: float, case: str = "a", half: float = 0.1) -> Fit:
    one = Estimate(value=alpha, low=alpha - half, high=alpha + half, truth=-2.0)
    return Fit(
        combination=combination,
        case=case,
        noise="measured",
        noise_std=0.1,
        gain=1.0,
        alpha=one,
        zeta=one,
        converged=True,
        p_value=0.5,
        verdict="noise",
        times=[],
        forecast=[],
        persistence=[],
    )


def test_the_interval_of_a_share_is_exact():
    """Clopper and Pearson: none of n has the upper end 1 - 0.025^(1/n)."""
    assert Coverage(0, 10).interval == pytest.approx((0, 1 - 0.025**0.1))
    assert Coverage(10, 10).interval == pytest.approx((0.025**0.1, 1))
    assert Coverage(0, 0).share is None


def test_errors_and_coverage_are_counted():
    rows = [fit("lossless/none", -2.05), fit("lossless/none", -2.2)]
    assert errors(rows, "alpha") == pytest.approx([0.025, 0.1])
    assert coverage(rows, ["alpha"]) == Coverage(1, 2)
    # an estimate may be zero: a search that ends at a bound
    widths = half_width([*rows, fit("lossless/none", 0.0)], "alpha")
    assert widths is not None and widths.mean == pytest.approx(0.05)


def test_the_largest_full_grid_is_found():
    found = ["lossless/none", "lossless/tv", "low/none", "low/tv", "high/none", "lossless/exact", "low/exact", "lossless/lpn"]
    assert largest_grid(found) == (["lossless", "low"], ["none", "tv"])
    assert largest_grid(["lossless/none"]) == (["lossless"], ["none"])


def test_a_budget_of_effects_that_add_has_no_interaction():
    values = {"lossless/none": -2.0, "lossless/tv": -2.3, "low/none": -2.1, "low/tv": -2.4}
    found = budget([fit(name, value) for name, value in values.items()], "alpha")
    assert found is not None
    # variances 0.15^2 and 0.05^2
    assert found.shares[0][("sharpening",)] == pytest.approx(0.9) and found.shares[0][("archive",)] == pytest.approx(0.1)
    assert found.movement[0] == pytest.approx((0.15**2 + 0.05**2) ** 0.5 / 0.1)
    assert budget([fit("lossless/none", -2.0)], "alpha") is None
    # a movie that a combination lost is left out
    assert len(budget([fit(name, value) for name, value in values.items()] + [fit("low/tv", -2, "b")], "alpha").shares) == 1
