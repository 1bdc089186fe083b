"""Kernels by name and by file in canonical form, the blur that uses them, and how two kernels compare."""

from __future__ import annotations

import pickle

import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import io, sparse
from scipy.ndimage import center_of_mass, gaussian_filter
from scipy.signal import convolve2d, fftconvolve

from sciml.deblurring.kernels.canonical import blur_rms, canonicalise, embedded, ncc, read_kernel
from sciml.deblurring.kernels.names import KINDS
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, disk, gaussian, line
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError, ShapeError

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


# files


def test_every_format_gives_the_same_kernel(tmp_path):
    kernel = canonicalise(read_kernel("shake:3").kernel).kernel
    np.save(tmp_path / "k.npy", kernel)
    tifffile.imwrite(tmp_path / "k.tif", kernel.astype(np.float32))
    io.savemat(tmp_path / "k.mat", {"f": kernel, "sigma": 0.01, "name": "text"}, do_compression=True)
    io.savemat(tmp_path / "sparse.mat", {"f": sparse.csc_matrix(kernel)})
    levels = np.round(kernel / kernel.max() * 65535).astype(np.uint16)
    PIL.Image.fromarray(levels).save(tmp_path / "k.png")
    for name, tolerance in (("k.npy", 1e-15), ("k.mat", 1e-15), ("sparse.mat", 1e-15), ("k.tif", 1e-8), ("k.png", 1e-6)):
        found = read_kernel(str(tmp_path / name), image_size=(64, 64))
        assert found.kernel.shape == kernel.shape, name
        np.testing.assert_allclose(found.kernel, kernel, atol=tolerance, err_msg=name)
        assert found.shift == (0, 0)


def test_the_dark_background_of_an_8_bit_picture_is_removed_and_told(tmp_path):
    kernel = embedded(disk(4), 25)
    levels = np.round(kernel / kernel.max() * 255).astype(np.uint8)
    veiled = np.where(levels == 0, np.random.default_rng(0).integers(0, 3, levels.shape), levels).astype(np.uint8)
    PIL.Image.fromarray(veiled).save(tmp_path / "k.png")
    found = read_kernel(str(tmp_path / "k.png"))
    np.testing.assert_allclose(found.kernel, disk(4), atol=1e-4)
    assert any("background" in note and "%" in note for note in found.notes)
    # of a dim picture those levels may be the kernel: nothing is removed, and the user is told
    dim = np.round(gaussian(2) / gaussian(2).max() * 9).astype(np.uint8)
    PIL.Image.fromarray(dim).save(tmp_path / "dim.png")
    found = read_kernel(str(tmp_path / "dim.png"))
    assert np.count_nonzero(found.kernel) == np.count_nonzero(dim)
    assert any("only 9 of 255 levels" in note for note in found.notes)


def test_pictures_in_colour_and_with_alpha(tmp_path):
    levels = np.round(gaussian(2) / gaussian(2).max() * 255).astype(np.uint8)
    grey = read_kernel(_saved(tmp_path / "grey.png", levels)).kernel
    rgb = read_kernel(_saved(tmp_path / "rgb.png", np.dstack([levels] * 3)))
    np.testing.assert_allclose(rgb.kernel, grey, rtol=1e-12)
    assert not any("summed" in note for note in rgb.notes)
    found = read_kernel(_saved(tmp_path / "rgba.png", np.dstack([levels] * 3 + [np.full_like(levels, 200)])))
    np.testing.assert_allclose(found.kernel, grey, rtol=1e-12)
    assert any("alpha" in note for note in found.notes)
    with pytest.raises(DataError, match="colour"):
        read_kernel(_saved(tmp_path / "colour.png", np.dstack([levels, levels, levels // 2])))


def _saved(path, levels) -> str:
    PIL.Image.fromarray(levels).save(path)
    return str(path)


def test_a_box_is_a_kernel(tmp_path):
    np.save(tmp_path / "box.npy", np.ones((3, 3), dtype=np.uint8))
    np.testing.assert_allclose(read_kernel(str(tmp_path / "box.npy")).kernel, np.full((3, 3), 1 / 9))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("code of a file was run",))


def _bad_files(folder):
    np.save(folder / "object.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    np.save(folder / "cut.npy", np.ones((9, 9)))
    (folder / "cut.npy").write_bytes((folder / "cut.npy").read_bytes()[:-8])
    (folder / "text.npy").write_text("no array")
    (folder / "pickle.npy").write_bytes(pickle.dumps([[1.0]]))
    (folder / "empty.png").write_bytes(b"")
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    (folder / "text.mat").write_text("MATLAB? " * 40)
    (folder / "empty.mat").write_bytes(b"")
    io.savemat(folder / "two.mat", {"x": np.ones((9, 9)), "f": np.ones((3, 3))})
    io.savemat(folder / "none.mat", {"name": "text", "cells": np.array([[1, "a"]], dtype=object)})
    (folder / "k.jpg").write_bytes(b"")
    (folder / "noend").write_bytes(b"")
    (folder / "folder.npy").mkdir()
    np.save(folder / "zero.npy", np.zeros((3, 3)))
    np.save(folder / "nan.npy", np.full((3, 3), np.nan))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("object.npy", FormatError, "NPY"),
        ("cut.npy", FormatError, "NPY"),
        ("text.npy", FormatError, "NPY"),
        ("pickle.npy", FormatError, "NPY"),
        ("empty.png", FormatError, "empty"),
        ("damaged.png", FormatError, "damaged|cannot"),
        ("text.mat", FormatError, "MAT"),
        ("empty.mat", FormatError, "MAT"),
        ("two.mat", DataError, "x 9 x 9, f 3 x 3"),
        ("none.mat", DataError, "none"),
        ("k.jpg", DataError, r"\.jpg.*\.png"),
        ("noend", DataError, r"\.png"),
        ("folder.npy", DataError, "folder"),
        ("absent.npy", DataError, "no such file"),
        ("zero.npy", DataError, "zero everywhere"),
        ("nan.npy", DataError, "NaN"),
    ],
)
def test_a_bad_file_is_answered_in_one_line(tmp_path, name, error, message):
    _bad_files(tmp_path)
    with pytest.raises(error, match=message) as caught:
        read_kernel(str(tmp_path / name))
    assert isinstance(caught.value, ScimlError) and "\n" not in str(caught.value)


# the blur


def test_blur_of_a_delta_of_a_constant_and_of_an_impulse():
    x = torch.rand(1, 2, 20, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blur = ValidBlur(embedded(read_kernel("delta").kernel, 7), (14, 11), torch.float64)
    torch.testing.assert_close(blur.A(x), x[..., 3:-3, 3:-3], rtol=0, atol=1e-14)
    torch.testing.assert_close(ValidBlur(np.ones((1, 1)), (20, 17), torch.float64).A(x), x, rtol=0, atol=1e-14)
    for name in NAMES:
        blur = ValidBlur(kernel := read_kernel(name).kernel, (9, 12), torch.float64)
        constant = torch.full((1, 1, *blur.canvas), 0.3, dtype=torch.float64)
        torch.testing.assert_close(blur.A(constant), torch.full((1, 1, 9, 12), 0.3, dtype=torch.float64))
    # a point of light makes the kernel, unflipped
    kernel = l_shape()
    size = kernel.shape[0]
    point = torch.zeros(1, 1, 3 * size - 2, 3 * size - 2, dtype=torch.float64)
    point[..., (3 * size - 2) // 2, (3 * size - 2) // 2] = 1
    picture = ValidBlur(kernel, (2 * size - 1, 2 * size - 1), torch.float64).A(point)[0, 0].numpy()
    np.testing.assert_allclose(picture, embedded(kernel, 2 * size - 1), atol=1e-14)
    assert not np.allclose(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize("shape", [(13, 21), (9, 9), (20, 6)])
def test_the_adjoint_of_the_blur_with_a_repaired_kernel(shape):
    rng = np.random.default_rng(1)
    blur = ValidBlur(canonicalise(rng.random(shape)).kernel, (31, 26), torch.float64)
    x, y = tensor(rng.normal(size=blur.canvas)), tensor(rng.normal(size=blur.size))
    assert float((blur.A(x) * y).sum()) == pytest.approx(float((x * blur.A_adjoint(y)).sum()), abs=1e-10)


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
