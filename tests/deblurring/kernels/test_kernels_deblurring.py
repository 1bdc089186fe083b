"""Kernels by name in canonical form, the blur that uses them, and how two kernels compare."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass, gaussian_filter
from scipy.signal import convolve2d, fftconvolve

from sciml.deblurring.kernels.canonical import blur_rms, canonicalise, embedded, ncc, read_kernel
from sciml.deblurring.kernels.names import KINDS
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, disk, gaussian, line
from sciml.runtime.errors import ConfigError, DataError, ShapeError

NAMES = (
    "gaussian:2.5",
    "gaussian:0.7,9",
    "motion:21,35",
    "motion:5.5,-70,15",
    "disk:4",
    "disk:1.3,7",
    "shake:3",
    "shake:3,27",
    "delta",
)


def l_shape() -> np.ndarray:
    """A kernel without any symmetry, its centre of mass within half a pixel of the middle."""
    kernel = np.zeros((5, 5))
    kernel[0:5, 1] = 1.0
    kernel[4, 2:5] = 2.0
    return canonicalise(kernel).kernel


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))[None, None]


def is_canonical(kernel: np.ndarray) -> bool:
    size = kernel.shape[0]
    offset = np.abs(np.array(center_of_mass(kernel)) - size // 2).max()
    square = kernel.shape == (size, size) and size % 2 == 1 and kernel.dtype == np.float64
    return bool(square and kernel.min() >= 0 and abs(kernel.sum() - 1) < 1e-12 and offset <= 0.5 + 1e-5)


# names


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_canonical_kernel_and_the_same_every_time(name):
    found = read_kernel(name)
    assert is_canonical(found.kernel)
    assert found.shift == (0, 0)
    assert found.kernel.tobytes() == read_kernel(name).kernel.tobytes()
    assert ("nothing to deblur" in " ".join(found.notes)) == (name == "delta")


def test_names_are_the_shared_kernels():
    np.testing.assert_array_equal(read_kernel("gaussian:2.5").kernel, gaussian(2.5))
    np.testing.assert_array_equal(read_kernel("motion:21,35").kernel, line(21, 35))
    np.testing.assert_array_equal(read_kernel("disk:4,15").kernel, disk(4, 15))
    np.testing.assert_array_equal(read_kernel("shake:3").kernel, camera_shake(19, np.random.default_rng(3)))
    np.testing.assert_array_equal(read_kernel("delta:3").kernel, np.pad([[1.0]], 1))


@pytest.mark.parametrize("angle", [0, 17, 45, 80, 135])
def test_a_mirrored_line_has_the_opposite_angle(angle):
    np.testing.assert_allclose(
        read_kernel(f"motion:9,{angle}").kernel[::-1], read_kernel(f"motion:9,{-angle}").kernel, atol=1e-12
    )


@pytest.mark.parametrize(
    "name",
    [
        *("gaussian", "gaussian:", "gaussian:x", "gaussian:0", "gaussian:-2", "gaussian:nan", "gaussian:2.5,8", "gaussian:2,9,9"),
        *(
            "motion:21",
            "motion:0,10",
            "motion:21,35,4",
            "disk:4,1000",
            "shake:1.5",
            "shake:-1",
            "shake:1,5",
            "delta:2",
            "delta:1,1",
        ),
        *("disc:4", "foo", "box:3"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(name):
    with pytest.raises(ConfigError) as error:
        read_kernel(name)
    assert "\n" not in str(error.value)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match=", ".join(KINDS)):
        read_kernel("gausian:2")


def test_a_kernel_larger_than_half_of_the_picture_is_refused_with_both_sizes():
    with pytest.raises(ShapeError, match=r"19 x 19 pixels.*picture \(40 x 37\)"):
        read_kernel("shake:1,19", image_size=(40, 37))
    assert read_kernel("shake:1,19", image_size=(40, 38)).kernel.shape == (19, 19)


# canonical form


@given(st.integers(0, 10**6), st.integers(1, 14), st.integers(1, 14), st.sampled_from(["dense", "sparse"]))
@settings(max_examples=60, deadline=None)
def test_any_array_of_light_becomes_canonical_without_interpolation(seed, rows, columns, kind):
    rng = np.random.default_rng(seed)
    array = rng.random((rows, columns)) * (1 if kind == "dense" else rng.random((rows, columns)) < 0.2)
    array[rng.integers(rows), rng.integers(columns)] += 1
    found = canonicalise(array)
    assert is_canonical(found.kernel)
    light = np.sort(array[array > 0] / array.sum())
    np.testing.assert_allclose(np.sort(found.kernel[found.kernel > 0]), light, rtol=1e-12)
    # the recorded shift is where the light went, from the middle of the array
    before = np.array(center_of_mass(array)) - (np.array(array.shape) - 1) / 2
    after = np.array(center_of_mass(found.kernel)) - found.kernel.shape[0] // 2
    np.testing.assert_allclose(after - before, found.shift, atol=1e-9)
    again = canonicalise(found.kernel)
    np.testing.assert_allclose(again.kernel, found.kernel, rtol=1e-12)
    assert again.shift == (0, 0)


def test_a_displaced_kernel_is_recentred_and_trimmed_and_the_shift_told():
    kernel = line(9, 30)
    large = np.zeros((31, 31))
    large[10 + 2 : 21 + 2, 10 - 3 : 21 - 3] = embedded(kernel, 11)
    found = canonicalise(large)
    np.testing.assert_allclose(found.kernel, canonicalise(kernel).kernel, atol=1e-15)
    assert found.shift == (-2, 3)
    assert any("moved by -2 rows and 3 columns" in note and "displaced by 2 and -3" in note for note in found.notes)


def test_the_shift_moves_the_sharp_picture_back():
    # k and k displaced by s make one picture of x and of x displaced by -s
    rng = np.random.default_rng(0)
    given = np.zeros((9, 9))
    given[1:4, 4:8] = rng.random((3, 4))
    found = canonicalise(given)
    x = rng.random((48, 48))
    y = fftconvolve(x, given / given.sum(), mode="same")
    down, right = map(int, found.shift)
    displaced = np.roll(x, (-down, -right), (0, 1))
    np.testing.assert_allclose(fftconvolve(displaced, found.kernel, mode="same")[12:-12, 12:-12], y[12:-12, 12:-12], atol=1e-12)


@pytest.mark.parametrize("shape", [(20, 20), (20, 19), (2, 2)])
def test_even_sizes_are_set_half_a_pixel_off_or_refused(shape):
    found = canonicalise(np.ones(shape))
    assert is_canonical(found.kernel)
    assert found.shift == tuple(0.5 * (length % 2 == 0) for length in shape)
    assert any("even size" in note for note in found.notes)
    with pytest.raises(ShapeError, match=f"{shape[0]} x {shape[1]}"):
        canonicalise(np.ones(shape), strict=True)


def test_unequal_sides_are_padded_to_a_square():
    rng = np.random.default_rng(0)
    array = rng.random((13, 21)) + 1
    found = canonicalise(array)
    assert found.kernel.shape == (21, 21)
    np.testing.assert_allclose(found.kernel[4:17], array / array.sum())
    assert any("13 x 21" in note for note in found.notes)
    with pytest.raises(ShapeError):
        canonicalise(array, strict=True)


def test_a_clean_kernel_passes_without_a_note():
    for kernel in (gaussian(1.5), disk(4), l_shape()):
        found = canonicalise(kernel, strict=True)
        np.testing.assert_allclose(found.kernel, kernel, rtol=1e-12)
        assert found.notes == () and found.shift == (0, 0)


def test_small_negative_values_are_clipped_and_told_large_ones_refused():
    kernel = gaussian(1.5)
    for share, fine in ((0.049, True), (0.051, False)):
        wrong = kernel.copy()
        wrong[0, 0] = -share * (1 - wrong[0, 0])
        if fine:
            found = canonicalise(wrong)
            assert is_canonical(found.kernel) and found.kernel[0, 0] == 0
            assert any("4.90%" in note for note in found.notes)
            with pytest.raises(DataError, match="negative"):
                canonicalise(wrong, strict=True)
        else:
            with pytest.raises(DataError, match=r"negative values \(5\.1%"):
                canonicalise(wrong)
    with pytest.raises(DataError, match="negative"):
        canonicalise(-kernel)


def test_rounding_errors_are_neither_light_nor_negative():
    kernel = embedded(disk(3), 15) + 1e-17 * np.random.default_rng(0).normal(size=(15, 15))
    found = canonicalise(kernel, strict=True)
    np.testing.assert_allclose(found.kernel, disk(3), atol=1e-15)


def test_a_sum_off_one_is_divided_away_and_told_or_refused():
    found = canonicalise(7 * gaussian(1))
    np.testing.assert_allclose(found.kernel, gaussian(1), rtol=1e-12)
    assert found.notes == ("The kernel summed to 7; it was divided by its sum.",)
    with pytest.raises(DataError, match="sums to 7"):
        canonicalise(7 * gaussian(1), strict=True)


def test_colour_is_averaged_if_the_channels_are_equal_only():
    kernel = gaussian(1)
    np.testing.assert_allclose(canonicalise(np.repeat(kernel[..., None], 3, axis=2)).kernel, kernel)
    with pytest.raises(DataError, match="colour"):
        canonicalise(np.stack([kernel, kernel, kernel.T + np.eye(7) * 0.01], axis=2))


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros((5, 5)), DataError, "zero everywhere"),
        (np.full((5, 5), np.nan), DataError, "25 values that are NaN"),
        (np.array([[1.0, np.inf, 0.0]]), DataError, "1 values that are NaN or infinite"),
        (np.full((5, 5, 3), np.nan), DataError, "NaN"),
        (np.ones((5, 5), dtype=complex), DataError, "complex"),
        (np.array([["a"]]), DataError, "real numbers"),
        (np.ones(5), ShapeError, r"got \(5,\)"),
        (np.ones((5, 5, 2)), ShapeError, r"\(5, 5, 2\)"),
        (np.ones((0, 3)), ShapeError, r"\(0, 3\)"),
        (np.ones((300, 300)), ShapeError, "at most 255"),
    ],
)
def test_what_is_no_kernel_is_refused(array, error, message):
    with pytest.raises(error, match=message) as caught:
        canonicalise(array)
    assert "\n" not in str(caught.value)


# the blur


def test_the_measurement_is_the_estimates_blur_the_kernel_errors_residual_and_noise():
    rng = np.random.default_rng(2)
    kernel, estimate = embedded(disk(3), 13), embedded(gaussian(1.7), 13)
    x, noise = rng.random((44, 40)), 0.01 * rng.normal(size=(32, 28))
    y = ValidBlur(kernel, (32, 28), torch.float64).A(tensor(x))[0, 0].numpy() + noise
    explained = ValidBlur(estimate, (32, 28), torch.float64).A(tensor(x))[0, 0].numpy()
    residual = convolve2d(x, kernel - estimate, mode="valid")
    np.testing.assert_allclose(y - explained - residual, noise, atol=1e-13)
    assert blur_rms(kernel, estimate, x) == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-10)
    assert blur_rms(kernel, kernel, x) == 0


# comparison


def test_embedding_keeps_the_middle():
    kernel = l_shape()
    large = embedded(kernel, 21)
    assert large.shape == (21, 21) and large.sum() == pytest.approx(1)
    np.testing.assert_array_equal(embedded(kernel, kernel.shape[0]), kernel)
    np.testing.assert_allclose(np.array(center_of_mass(large)) - 10, np.array(center_of_mass(kernel)) - kernel.shape[0] // 2)
    for size in (kernel.shape[0] + 1, kernel.shape[0] - 2):
        with pytest.raises(ShapeError):
            embedded(kernel, size)


def test_ncc_of_equal_scaled_displaced_and_disjoint_kernels():
    kernel = l_shape()
    moved = np.roll(embedded(kernel, 19), (2, -3), (0, 1))
    assert ncc(kernel, 3 * kernel) == pytest.approx(1)
    assert ncc(kernel, embedded(kernel, 31)) == pytest.approx(1)
    assert ncc(kernel, moved) < 0.8
    assert ncc(kernel, moved, any_shift=True) == pytest.approx(1)
    assert ncc(np.diag([1.0, 0, 0]), np.diag([0, 0, 1.0])) == 0
    assert ncc(disk(3), gaussian(1.5)) == pytest.approx(ncc(gaussian(1.5), disk(3)))


def test_the_rms_of_the_residual_orders_errors_that_likeness_does_not():
    picture = gaussian_filter(np.random.default_rng(0).random((96, 96)), 1.0)
    kernel = embedded(read_kernel("shake:2").kernel, 25)
    smoothed = gaussian_filter(kernel, 1.0, mode="constant")
    noisy = np.maximum(kernel + 0.05 * kernel.max() * np.random.default_rng(1).normal(size=kernel.shape), 0)
    noisy /= noisy.sum()
    assert ncc(kernel, noisy) > ncc(kernel, smoothed)
    assert blur_rms(kernel, noisy, picture) > blur_rms(kernel, smoothed, picture)
    colour = np.stack([picture, 2 * picture])
    expected = blur_rms(kernel, noisy, picture) * np.sqrt((1 + 4) / 2)
    assert blur_rms(kernel, noisy, colour) == pytest.approx(expected)
    with pytest.raises(ShapeError, match="smaller than the kernel"):
        blur_rms(kernel, noisy, picture[:20])
