"""Fitted rules and tables: code the training planes near to their entropy, come out equal twice, lose nothing by rounding."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_models import CENTRE, SPAN, planes_of, texture

from sciml.compression.coding.model import RULE_FIELDS
from sciml.compression.coding.transform import Transform, fit_transform
from sciml.compression.entropy.context import PREDICTED, Grid
from sciml.compression.entropy.rules import THRESHOLDS
from sciml.compression.entropy.tables import Tables, symmetric_sizes
from sciml.compression.fitting import scalar
from sciml.compression.fitting.scalar import Fit, best_sources, centroids, least_squares, spread_rule


@pytest.fixture(scope="module")
def transform() -> Transform:
    return fit_transform([(texture(192, 192, 1, seed) - CENTRE) / SPAN for seed in range(4)])


@pytest.fixture(scope="module")
def planes(transform: Transform) -> np.ndarray:
    return planes_of(transform, [texture(192, 192, 1, seed) for seed in range(4)], 0.1)


def fit(planes: np.ndarray) -> Fit:
    return Fit(planes, Grid(12, 12, 4))


@pytest.fixture(scope="module")
def fitted(planes: np.ndarray) -> Fit:
    found = fit(planes)
    found.run()
    return found


def empirical_bits(counts: np.ndarray) -> float:
    """Return the code length of symbols that are coded with their own frequencies, alike for both signs."""
    both = (counts + counts[..., ::-1]) / 2
    shares = both / np.maximum(both.sum(-1, keepdims=True), 1)
    return float(-(counts[counts > 0] * np.log2(shares[counts > 0])).sum())


def table_bits(counts: np.ndarray) -> float:
    return float((counts * Tables(symmetric_sizes(counts)).bits).sum())


def test_tables_of_much_data_code_it_at_its_entropy(fitted: Fit) -> None:
    # as many symbols as a training set has
    counts = 100 * fitted.counts
    assert counts.sum() > 1e6
    assert empirical_bits(counts) < table_bits(counts) < 1.01 * empirical_bits(counts)


def test_every_block_of_every_plane_is_counted(fitted: Fit, planes: np.ndarray) -> None:
    assert fitted.counts.sum() == fitted.count * planes.shape[1]
    assert fitted.counts[0].sum() == planes.shape[1]


def test_rules_spare_much_of_what_static_tables_need(fitted: Fit) -> None:
    static = fitted.counts.sum(1, keepdims=True)
    assert table_bits(fitted.counts) < 0.85 * empirical_bits(static)


def test_two_fits_are_equal(fitted: Fit, planes: np.ndarray) -> None:
    rules, tables = fit(planes).run()
    again, same = fit(planes.copy()).run()
    assert all(np.array_equal(getattr(rules, name), getattr(again, name)) for name in RULE_FIELDS)
    assert np.array_equal(tables.sizes, same.sizes)


def test_rounding_the_rules_loses_less_than_one_per_cent(
    fitted: Fit, planes: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the same rules with 16 more bits behind the point
    monkeypatch.setattr(scalar, "MEAN_BITS", scalar.MEAN_BITS + 16)
    monkeypatch.setattr(scalar, "SPREAD_BITS", scalar.SPREAD_BITS + 16)
    monkeypatch.setattr(scalar, "THRESHOLDS", THRESHOLDS * 2**16)
    exact = fit(planes)
    exact.mean = exact.mean.astype(np.int64)
    exact.spread = [weights.astype(np.int64) for weights in exact.spread]
    exact.floor = [floors.astype(np.int64) for floors in exact.floor]
    for plane in range(exact.count):
        exact._plane(plane)
    assert np.abs(exact.mean).max() > 2**25
    assert not np.array_equal(exact.counts, fitted.counts)
    assert table_bits(fitted.counts) == pytest.approx(table_bits(exact.counts), rel=0.01)


def test_planes_that_are_nearly_0_are_left_out() -> None:
    planes = np.zeros((256, 16), np.float32)
    planes[:5] = np.random.default_rng(0).standard_normal((5, 16)) * 3
    assert Fit(planes, Grid(4, 4)).count == PREDICTED
    planes[41, 3] = 0.68
    assert Fit(planes, Grid(4, 4)).count == 42


def test_least_squares_finds_the_weights() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((5, 400))
    features[3] = 0
    weights = np.array([1.0, -2, 0.5, 0, 3])
    found = least_squares(features, weights @ features, 1e-9)
    assert np.abs(found - weights).max() < 1e-6
    shrunk = least_squares(features, weights @ features, 1.0)
    assert 0.3 < np.linalg.norm(shrunk) / np.linalg.norm(weights) < 0.7


def test_the_spread_rule_finds_what_sizes_grow_with() -> None:
    generator = np.random.default_rng(1)
    features = np.concatenate([np.ones((1, 20000)), generator.integers(0, 40, (26, 20000))])
    wanted = np.zeros(27)
    wanted[[0, 4, 20]] = 0.3, 0.05, 0.01
    sizes = generator.exponential(wanted @ features)
    found = spread_rule(features, sizes)
    predicted = found @ features
    assert np.abs(predicted / (wanted @ features) - 1).mean() < 0.1


def test_centroids_are_the_means_of_what_is_coded_alike() -> None:
    symbols = np.repeat([0.0, 1, -1, 2, 3, 5], 4000)
    residuals = np.sign(symbols) * (np.abs(symbols) - np.repeat([0, 0.125, 0.125, 0.25, 0.0, 0.4], 4000))
    shift = centroids(residuals, symbols)
    assert shift[:3].tolist() == [8, 16, 0]
    assert centroids(np.zeros(9), np.zeros(9)).tolist() == [3, 3, 3, 2]


def test_the_planes_that_go_best_together_are_found_among_large_magnitudes():
    """Correlations by NumPy's own formula: magnitudes are kept in 16 bits, which their squares pass."""
    random = np.random.default_rng(0)
    size = random.integers(0, 300, 500).astype(np.float64)
    shares = np.linspace(0, 1, 14)[:, None]
    # the larger a plane, the less it goes with the others
    mixed = (12 - 10 * shares) * (shares * size + (1 - shares) * random.permuted(np.tile(size, (14, 1)), axis=1))
    magnitudes = np.rint(mixed).astype(np.uint16)
    chosen = best_sources(size, magnitudes, np.arange(14))
    correlations = [np.corrcoef(size, plane)[0, 1] for plane in magnitudes]
    assert chosen.tolist() == np.argsort(np.negative(np.abs(correlations)))[: len(chosen)].tolist()
