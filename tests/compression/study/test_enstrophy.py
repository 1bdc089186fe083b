"""Enstrophy spectra against fields whose spectrum is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.compression.study.enstrophy import enstrophy_spectrum, last_shell, spectrum_error
from sciml.runtime.errors import DataError, ShapeError

POINTS = 32
X, Y = np.meshgrid(np.arange(POINTS) / POINTS, np.arange(POINTS) / POINTS, indexing="ij")


def wave(along_x: int, along_y: int, amplitude: float) -> np.ndarray:
    return amplitude * np.cos(2 * np.pi * (along_x * X + along_y * Y) + 0.3)


def test_a_wave_has_a_quarter_of_its_squared_amplitude_in_its_shell() -> None:
    # 1/2 <(A cos)^2> = A^2 / 4; (3, 4) has length 5
    found = enstrophy_spectrum(wave(3, 4, 2.0) + wave(0, 9, 0.5))
    expected = np.zeros(len(found))
    expected[5], expected[9] = 2.0**2 / 4, 0.5**2 / 4
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_shells_hold_all_enstrophy() -> None:
    field = np.random.default_rng(0).standard_normal((POINTS, POINTS))
    assert enstrophy_spectrum(field).sum() == pytest.approx(0.5 * np.mean(field**2))


def test_the_last_shell_is_where_99_per_cent_lie() -> None:
    # shares 0.95, 0.045, 0.005 of the enstrophy in the shells 2, 6, 11
    field = sum(wave(0, shell, np.sqrt(share)) for shell, share in ((2, 0.95), (6, 0.045), (11, 0.005)))
    assert last_shell(enstrophy_spectrum(field)) == 6


def test_an_amplitude_that_is_2_per_cent_off_is_4_per_cent_of_enstrophy() -> None:
    original = wave(2, 0, 1.0) + wave(0, 5, 1.0)
    # shells that hold nothing have no relative error: noise of a known size fills them
    noise = sum(wave(0, shell, 0.01) for shell in (1, 3, 4))
    found = spectrum_error(wave(2, 0, 1.0) + wave(0, 5, 1.02) + noise, original + noise)
    assert found.at == 5 and found.last == 5
    assert found.largest == pytest.approx(1.02**2 - 1, rel=1e-6)
    assert found.total == pytest.approx((1.02**2 - 1) / 2, rel=1e-2)


def test_what_has_no_spectrum_is_refused() -> None:
    with pytest.raises(ShapeError, match="square"):
        enstrophy_spectrum(np.zeros((4, 6)))
    with pytest.raises(DataError, match="NaN"):
        enstrophy_spectrum(np.full((4, 4), np.nan))
    with pytest.raises(DataError, match="no enstrophy"):
        spectrum_error(np.zeros((4, 4)), np.zeros((4, 4)))
