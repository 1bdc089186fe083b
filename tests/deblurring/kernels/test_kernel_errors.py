"""The warp of a kernel against kernels known in closed form, its smoothness, and the seeded error models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass, gaussian_filter

from sciml.deblurring.kernels import warp
from sciml.deblurring.kernels.canonical import embedded, ncc, read_kernel, together
from sciml.deblurring.kernels.errors import ERRORS, biased, perturbed, warped
from sciml.imaging.operators.kernels import camera_shake, disk, gaussian, line
from sciml.runtime.errors import ConfigError, ScimlError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def shake(seed: int = 2) -> np.ndarray:
    return embedded(camera_shake(19, rng(seed)), 27)


def variances(kernel: np.ndarray) -> np.ndarray:
    """Second moments along rows and columns, in square pixels."""
    places = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    return np.array([(kernel.sum(axis=axis) * places**2).sum() for axis in (1, 0)])


# the warp


def test_identity_returns_the_kernel_exactly_and_its_neighbourhood_continuously():
    kernel = shake()
    same = warped(kernel)
    assert same.tobytes() == kernel.tobytes() and same is not kernel
    for numbers in ((1e-7, 1, 0), (0, 1 + 1e-8, 0), (0, 1 - 1e-8, 0), (0, 1, 1e-4)):
        np.testing.assert_allclose(warped(kernel, *numbers), kernel, atol=1e-7)


def test_quarter_turns_are_exact_and_counter_clockwise():
    kernel = shake()
    for quarters in (1, 2, 3, -1):
        np.testing.assert_allclose(warped(kernel, 90 * quarters), np.rot90(kernel, quarters), atol=1e-9)


@pytest.mark.parametrize(("start", "turn"), [(0, 15), (20, 30), (45, -45), (70, 100)])
def test_a_turned_line_is_the_line_of_the_other_angle(start, turn):
    turned, wanted = warped(line(13, start, 25), turn), line(13, start + turn, 25)
    assert ncc(turned, wanted) > 0.97
    assert all(ncc(turned, line(13, start + other, 25)) < ncc(turned, wanted) for other in (-turn, 0))


@pytest.mark.parametrize("factor", [0.6, 0.85, 1.15, 1.4])
def test_a_scaled_gaussian_disk_and_line_keep_their_kind_and_centre(factor):
    # an enlarged line is wider as well: its footprint, of variance 1/6, grows with it
    thickened = max(0.0, (factor**2 - 1) / 6) ** 0.5
    for kernel, wanted, likeness in (
        (gaussian(1.7, 25), gaussian(1.7 * factor, 25), 0.998),
        (disk(4.2, 25), disk(4.2 * factor, 25), 0.99),
        (line(11, 30, 25), warped(line(11 * factor, 30, 25), width=thickened), 0.96),
    ):
        scaled = warped(kernel, scale=factor)
        assert scaled.shape == kernel.shape
        assert ncc(scaled, wanted) > likeness
        np.testing.assert_allclose(center_of_mass(scaled), [12, 12], atol=1e-3)


def test_smoothing_before_shrinking_keeps_the_light_of_thin_lines(monkeypatch):
    # half of the light is a line one pixel wide: its share must not depend on where the samples fall
    kernel = np.zeros((31, 31))
    kernel[8:23, 7] = 1 / 15
    kernel[9:22, 16:29] = gaussian(1.5, 13)
    kernel /= kernel.sum()

    def deviation():
        return max(abs(warped(kernel, scale=scale)[:, :15].sum() - 0.5) for scale in np.linspace(0.6, 0.99, 40))

    smoothed = deviation()
    monkeypatch.setattr(warp, "FOOTPRINT", 0.0)
    assert smoothed < 0.06 < 0.1 < deviation()


@pytest.mark.parametrize("width", [0.1, 0.3, 0.7, 1.5])
def test_the_width_adds_its_square_to_the_variance_whatever_its_size(width):
    kernel = embedded(gaussian(1.5, 13), 37)
    smoothed = warped(kernel, width=width)
    np.testing.assert_allclose(variances(smoothed) - variances(kernel), width**2, rtol=2e-3)
    if width > 0.6:
        assert ncc(smoothed, gaussian_filter(kernel, width, mode="constant")) > 0.9998


def test_the_warp_undone_gives_the_kernel_back():
    for seed in range(4):
        kernel = shake(seed)
        turned, scaled = warped(kernel, 10), warped(kernel, scale=0.85)
        assert ncc(warped(turned, -10), kernel) > 0.98 > ncc(turned, kernel)
        assert ncc(warped(scaled, scale=1 / 0.85), kernel) > 0.96 and ncc(scaled, kernel) < 0.97


@pytest.mark.parametrize("place", [(0.0, 1.0, 0.3), (5.0, 1.07, 0.4), (-8.0, 0.87, 0.0)])
def test_central_differences_of_the_warp_converge(place):
    kernel = shake()

    def slope(index, step):
        ahead, behind = list(place), list(place)
        ahead[index] += step
        behind[index] -= step
        return (warped(kernel, *ahead) - warped(kernel, *behind)) / (2 * step)

    for index, steps in ((0, (1.0, 0.25, 0.02)), (1, (0.02, 0.005, 0.0005))):
        coarse, fine, finest = (slope(index, step) for step in steps)
        size = np.linalg.norm(finest)
        assert np.linalg.norm(coarse - finest) < 0.08 * size
        assert np.linalg.norm(fine - finest) < 0.03 * size


def test_the_numbers_of_a_warp_are_found_by_least_squares_on_the_kernel():
    from scipy.optimize import least_squares

    kernel = shake()
    true = np.array([6.0, 0.92, 0.25])
    target = warped(kernel, true[0], true[1], np.sqrt(true[2]))

    def misfit(p):
        return (warped(kernel, p[0], p[1], np.sqrt(p[2])) - target).ravel()

    found = least_squares(misfit, [0, 1, 0.1], bounds=([-30, 0.5, 0], [30, 2, 4]), x_scale=[5, 0.1, 0.2], diff_step=1e-3)
    np.testing.assert_allclose(found.x, true, atol=1e-3)


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0), (0, -1, 0), (0, 1, -0.1), (np.nan, 1, 0), (0, np.inf, 0), (0, 1e-300, 0), (0, 1, np.nan)]
)
def test_a_warp_out_of_range_is_refused(numbers):
    with pytest.raises(ConfigError, match=r"scale from 0\.05 to 20 and a width of at least 0"):
        warped(shake(), *numbers)


# error models

TEXTS = (
    *("exact", "rotation:10", "rotation:-3", "scale:0.85", "scale:1.3", "smoothing:0.7", "truncation:0.2", "noise:0.05"),
    *("noise-everywhere:0.05", "dropout:0.3", "stray:0.03", "stray:0.02,0.3", "shift:0.4", "shift:0.3,-0.2", "crop:0.6"),
    *("rotation:7+scale:0.9+smoothing:0.4", "rotation:~8+scale:~0.1+smoothing:~0.5+noise:~0.04"),
)
NAMES = ("shake:1", "shake:4,27", "motion:15,30", "disk:4", "gaussian:2", "delta", "delta:5")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_error_gives_a_canonical_kernel_the_same_for_the_same_seed(name, text):
    kernel = read_kernel(name).kernel
    wrong = perturbed(kernel, text, rng(5), recentre=True)
    size = wrong.shape[0]
    assert wrong.shape == (size, size) and size % 2 == 1 and size >= kernel.shape[0] and wrong.dtype == np.float64
    assert wrong.min() >= 0 and wrong.sum() == pytest.approx(1, abs=1e-12)
    assert np.abs(np.array(center_of_mass(wrong)) - size // 2).max() <= 0.5 + 1e-9
    assert wrong.tobytes() == perturbed(kernel, text, rng(5), recentre=True).tobytes()
    np.testing.assert_array_equal(kernel, read_kernel(name).kernel)  # not changed in place
    drawn = any(word in text for word in ("noise", "dropout", "stray", "shift:0.4", "~"))
    if name == "shake:1":
        assert np.array_equal(kernel, wrong) == (text == "exact")
        assert np.array_equal(*together(wrong, perturbed(kernel, text, rng(6), recentre=True))) == (not drawn)


def test_each_error_does_what_its_name_says():
    kernel = camera_shake(19, rng(1))
    top = kernel.max()
    np.testing.assert_allclose(perturbed(kernel, "rotation:10", rng()), warped(kernel, 10), atol=1e-3 * top)
    np.testing.assert_allclose(perturbed(kernel, "scale:0.85", rng()), warped(kernel, scale=0.85), atol=1e-3 * top)
    cut = perturbed(kernel, "truncation:0.2", rng())
    assert np.count_nonzero(cut) == (kernel >= 0.2 * top).sum()
    cropped = perturbed(kernel, "crop:0.6", rng())
    assert cropped[4:15, 4:15].sum() == pytest.approx(1, abs=1e-12) or cropped[3:16, 3:16].sum() == pytest.approx(1)
    assert np.count_nonzero(perturbed(kernel, "dropout:1", rng())) == 1
    assert perturbed(kernel, "dropout:0", rng()).tobytes() == (kernel / kernel.sum()).tobytes()


def test_noise_has_its_level_and_stays_on_the_support_unless_everywhere():
    kernel = embedded(disk(6), 31)
    inside = embedded(disk(4.5), 31) > 0  # no clipping at zero there
    differences = [perturbed(kernel, "noise-everywhere:0.1", rng(seed)) for seed in range(30)]
    ratios = [wrong[inside] / wrong[inside].mean() for wrong in differences if wrong.shape == kernel.shape]
    assert np.std(np.concatenate(ratios)) == pytest.approx(0.1, rel=0.05)
    far = embedded(np.ones((17, 17)), 31) == 0
    assert all(wrong[far].sum() > 0 for wrong in differences if wrong.shape == kernel.shape)
    assert all(perturbed(kernel, "noise:0.1", rng(seed))[far].sum() == 0 for seed in range(5))


def test_a_shift_moves_the_centre_of_mass_and_recentring_takes_whole_pixels_out():
    kernel = embedded(gaussian(1.5), 15)
    for rows, columns in ((0.3, -0.2), (2.3, -1.2), (3, 1)):
        for recentre, expected in ((False, (rows, columns)), (True, (rows - round(rows), columns - round(columns)))):
            wrong = perturbed(kernel, f"shift:{rows},{columns}", rng(), recentre)
            np.testing.assert_allclose(np.array(center_of_mass(wrong)) - wrong.shape[0] // 2, expected, atol=2e-3)
    random = perturbed(kernel, "shift:0.4", rng(3))
    assert np.hypot(*(np.array(center_of_mass(random)) - random.shape[0] // 2)) == pytest.approx(0.4, abs=2e-3)


def test_an_error_leaves_the_kernel_where_it_is_unless_it_is_recentred():
    # truncation takes the faint end of this shake and with it more than half a pixel of the centre of mass
    kernel = camera_shake(27, rng(5))
    wrong, canonical = (perturbed(kernel, "truncation:0.2", rng(), recentre) for recentre in (False, True))
    assert np.abs(np.array(center_of_mass(wrong)) - 13).max() > 0.5
    assert ncc(kernel, wrong) == pytest.approx(ncc(kernel, wrong, any_shift=True))
    assert ncc(kernel, canonical) < 0.7 < 0.95 < ncc(kernel, canonical, any_shift=True)


def test_the_square_grows_where_light_would_be_cut_and_only_there():
    kernel = line(15, 0)
    assert perturbed(kernel, "scale:0.8", rng()).shape == kernel.shape
    grown = perturbed(kernel, "scale:1.4", rng())
    assert grown.shape[0] > kernel.shape[0]
    assert ncc(grown, line(21, 0)) > 0.9 > ncc(warped(kernel, scale=1.4), line(21, 0))
    assert perturbed(embedded(kernel, 31), "scale:1.4", rng()).shape == (31, 31)


def test_drawn_numbers_have_their_spread():
    kernel = line(15, 0, 21)
    angles = []
    for seed in range(200):
        rows, columns = np.indices(kernel.shape) - 10
        wrong = perturbed(kernel, "rotation:~8", rng(seed))
        covariance = (wrong * rows * columns).sum(), (wrong * (columns**2 - rows**2)).sum()
        angles.append(-np.degrees(0.5 * np.arctan2(2 * covariance[0], covariance[1])))
    assert abs(np.mean(angles)) < 2
    assert np.std(angles) == pytest.approx(8, rel=0.15)


@given(st.sampled_from(sorted(ERRORS)), st.one_of(st.floats(-3, 3), st.floats()), st.integers(0, 100))
@settings(max_examples=80, deadline=None)
def test_any_number_gives_a_density_or_an_error_in_one_line(name, number, seed):
    try:
        wrong = perturbed(disk(3), f"{name}:{number}", rng(seed))
    except ScimlError as error:
        assert "\n" not in str(error)
    else:
        assert wrong.min() >= 0 and wrong.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "turn:10",
        "rotation",
        "rotation:",
        "rotation:a",
        "rotation:1,2",
        "rotation:nan",
        "stray:1,2,3",
        "noise:-1",
        "smoothing:1e9",
        "shift:1e9",
        "scale:0",
        "scale:1e9",
        "+",
        "crop:0",
    ],
)
def test_an_unknown_error_is_refused(text):
    with pytest.raises(ConfigError) as error:
        perturbed(disk(3), text, rng())
    assert "\n" not in str(error.value)


# bias of named kernels


def test_biased_names():
    assert biased("motion:20,10", length=5, angle=-30) == "motion:25,-20"
    assert biased("motion:20,10", length=-15) == "motion:5,10"
    assert biased("gaussian:4,31", width=-3) == "gaussian:1"
    assert biased("disk:4", radius=0.5) == "disk:4.5"
    assert biased("disk:0.1", radius=0.2) == "disk:0.3"
    np.testing.assert_array_equal(read_kernel(biased("disk:4", radius=-3)).kernel, disk(1))


@pytest.mark.parametrize(
    ("name", "bias"), [("disk:4", {"width": 1}), ("shake:3", {"seed": 1}), ("delta", {"width": 1}), ("disk:4", {"radius": -4})]
)
def test_a_bias_that_makes_no_kernel_is_refused(name, bias):
    with pytest.raises(ConfigError):
        biased(name, **bias)
