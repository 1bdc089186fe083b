"""Codebooks against what is known: nearest neighbours, Gaussian sources, the gain of a rotation, cells without vectors."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.compression.entropy.vectors import Codebook, assign, code_lengths, smoothed, train_codebook

# what an entropy-constrained scalar quantiser loses at high rate: log2(2 pi e / 12) / 2
SPACE_FILLING_BITS = 0.2546


def gaussian(count: int, dimension: int, seed: int = 0, correlation: float = 0.0) -> np.ndarray:
    """Return vectors of unit variance whose neighbouring numbers correlate."""
    covariance = correlation ** np.abs(np.subtract.outer(np.arange(dimension), np.arange(dimension)))
    numbers = np.random.default_rng(seed).standard_normal((count, dimension))
    return (numbers @ np.linalg.cholesky(covariance).T).astype(np.float32)


def plain(vectors: np.ndarray, words: int, weight: float, rounds: int = 20) -> Codebook:
    """Return a codebook of one class."""
    return train_codebook(vectors, np.zeros(len(vectors), int), 1, words, weight, rounds, np.random.default_rng(0))


def measured(book: Codebook, vectors: np.ndarray, weight: float) -> tuple[float, float]:
    """Return bits and squared error a number on vectors that the codebook does not know."""
    bits = code_lengths(book.counts).astype(np.float32)
    chosen, errors = assign(vectors, book.words, bits, np.zeros(len(vectors), int), weight)
    return float(bits[0, chosen].mean()) / vectors.shape[1], float(errors.mean()) / vectors.shape[1]


def decibels(error: float) -> float:
    return -10 * float(np.log10(error))


@pytest.mark.parametrize("dimension", [1, 2, 8])
def test_without_a_price_the_nearest_word_is_chosen(dimension: int) -> None:
    vectors, words = gaussian(3000, dimension), gaussian(40, dimension, 1)
    bits = np.random.default_rng(2).uniform(1, 12, (3, 40)).astype(np.float32)
    chosen, errors = assign(vectors, words, bits, np.arange(3000) % 3, 0.0)
    distances = np.square(vectors[:, None].astype(np.float64) - words).sum(2)
    assert np.allclose(errors, distances.min(1), atol=1e-4)
    assert np.allclose(distances[np.arange(3000), chosen], distances.min(1), atol=1e-4)


def test_the_choice_is_the_best_of_all_words_at_any_price() -> None:
    vectors, words = gaussian(500, 4).astype(np.float64), gaussian(30, 4, 1).astype(np.float64)
    generator = np.random.default_rng(2)
    bits, classes, weights = generator.uniform(1, 12, (3, 30)), generator.integers(0, 3, 500), generator.uniform(0.01, 1, 500)
    chosen, errors = assign(vectors, words, bits, classes, weights)
    costs = np.square(vectors[:, None] - words).sum(2) + weights[:, None] * bits[classes]
    assert np.array_equal(chosen, costs.argmin(1))
    assert np.allclose(errors, np.square(vectors - words[chosen]).sum(1))


def test_bits_fall_and_errors_rise_with_the_price_of_bits() -> None:
    vectors = gaussian(4000, 2)
    book = plain(vectors, 64, 0.05, 8)
    found = [measured(book, vectors, weight) for weight in np.geomspace(0.002, 1.0, 10)]
    assert (np.diff([bits for bits, _ in found]) <= 0).all()
    assert (np.diff([error for _, error in found]) >= 0).all()
    assert found[0][0] > 1.1 * found[-1][0]


def test_a_scalar_quantiser_of_gaussian_numbers_is_as_good_as_theory_says() -> None:
    # at high rate the price of a bit is the slope of D(R): 2 ln 2 D
    vectors = gaussian(60_000, 1)
    book = plain(vectors, 64, 2 * np.log(2) * 0.01, 30)
    loss = book.bits - 0.5 * np.log2(1 / book.squared_error)
    assert 0.005 < book.squared_error < 0.015
    assert loss == pytest.approx(SPACE_FILLING_BITS, abs=0.02)
    low = plain(vectors, 64, 0.45, 30)
    assert low.bits == pytest.approx(1.0, abs=0.03)
    assert low.bits - 0.5 * np.log2(1 / low.squared_error) < SPACE_FILLING_BITS + 0.1


def test_pairs_of_gaussian_numbers_reach_the_published_signal_to_noise_ratio() -> None:
    # Feng et al. (2023) report 10.45 dB at 1.962 bits a number; the bound is 11.81 dB
    book = plain(gaussian(60_000, 2), 256, 0.12, 25)
    bits, error = measured(book, gaussian(60_000, 2, 1), 0.12)
    assert bits == pytest.approx(1.96, abs=0.03)
    # 6.02 dB a bit carries the value to exactly 1.962
    assert decibels(error) + 6.02 * (1.962 - bits) >= 10.40


def test_pairs_that_correlate_bring_the_gain_of_a_rotation() -> None:
    correlation = 0.95
    weight = 2 * np.log(2) * 0.01
    pairs = gaussian(30_000, 2, 0, correlation)
    joint, single = plain(pairs, 400, weight, 15), plain(pairs[:, :1], 64, weight, 20)
    # the pair's determinant is 1 - rho^2
    rotation = -5 * np.log10(1 - correlation**2)
    ahead = decibels(joint.squared_error / 2) - decibels(single.squared_error) + 6.02 * (single.bits - joint.bits / 2)
    assert ahead >= 0.9 * rotation


def test_words_stand_where_the_error_has_no_slope() -> None:
    vectors = gaussian(2000, 3)
    book = plain(vectors, 16, 0.1, 60)
    bits = code_lengths(book.counts).astype(np.float32)
    chosen, _ = assign(vectors, book.words, bits, np.zeros(2000, int), 0.1)
    word = int(np.argmax(np.bincount(chosen)))
    members = vectors[chosen == word].astype(np.float64)

    def error(place: np.ndarray) -> float:
        return float(np.square(members - place).sum(1).mean())

    place, small = book.words[word].astype(np.float64), 1e-4
    slopes = [(error(place + small * axis) - error(place - small * axis)) / (2 * small) for axis in np.eye(3)]
    assert np.abs(slopes).max() < 0.02
    moved = [(error(place + 0.3 * axis) - error(place + 0.2 * axis)) / 0.1 for axis in np.eye(3)]
    assert np.allclose(moved, 0.5 + np.array(slopes), atol=0.02)


def test_dead_words_come_back() -> None:
    # four heaps far apart and first words that all lie in one of them
    heaps = np.repeat(np.array([[0, 0], [9, 0], [0, 9], [9, 9]], np.float32), 300, axis=0)
    vectors = heaps + 0.05 * gaussian(1200, 2)
    book = plain(vectors, 8, 0.01, 12)
    chosen, errors = assign(vectors, book.words, code_lengths(book.counts).astype(np.float32), np.zeros(1200, int), 0.01)
    assert errors.mean() < 0.02
    assert len({tuple(np.round(book.words[word] / 9)) for word in np.unique(chosen)}) == 4
    # at a price that only few words are worth, others were dead on the way
    dear = plain(gaussian(3000, 2), 64, 0.4, 20)
    assert dear.revived > 0
    assert dear.used < 64


def test_usage_and_perplexity_by_hand() -> None:
    counts = np.array([[2, 0, 1, 0], [2, 4, 3, 0]])
    book = Codebook(np.zeros((4, 1)), counts, 0.0, 0.0, 0)
    shares = np.array([4, 4, 4]) / 12
    assert book.used == 3
    assert book.perplexity == pytest.approx(2 ** -(shares * np.log2(shares)).sum())


def test_code_lengths_are_those_of_smoothed_counts() -> None:
    counts = np.array([[90, 10, 0], [0, 0, 0]])
    lengths = code_lengths(counts)
    assert np.allclose((2.0**-lengths).sum(1), 1)
    # a class that never came has the shares of all classes together
    assert np.allclose(2.0 ** -lengths[1], (counts.sum(0) + 0.05) / (100 + 0.15))
    assert smoothed(counts).min() > 0


def test_signs_double_what_is_learned_from() -> None:
    vectors = np.abs(gaussian(600, 2))
    signs = np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
    book = train_codebook(vectors, np.zeros(600, int), 1, 16, 0.02, 20, np.random.default_rng(0), signs)
    assert book.counts.sum() == 4 * 600
    everywhere = (vectors * signs[:, None]).reshape(-1, 2).astype(np.float32)
    bits = code_lengths(book.counts).astype(np.float32)
    _, errors = assign(everywhere, book.words, bits, np.zeros(2400, int), 0.02)
    assert errors.mean() == pytest.approx(book.squared_error, rel=0.01)
    assert np.abs(book.counts @ book.words / 2400).max() < 0.1


def test_two_trainings_are_equal_and_few_vectors_are_enough() -> None:
    vectors = gaussian(50, 4)
    first, again = plain(vectors, 64, 0.1, 6), plain(vectors, 64, 0.1, 6)
    assert np.array_equal(first.words, again.words)
    assert np.array_equal(first.counts, again.counts)
    still = plain(np.zeros((10, 3), np.float32), 8, 0.1, 4)
    assert still.squared_error == 0
    assert still.used == 1
