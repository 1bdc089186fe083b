"""The rough kernel from the picture itself: its steps against dense algebra, a known scene, and bad input."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.ndimage import center_of_mass
from scipy.optimize import nnls

from sciml.deblurring.correction.blind_steps import centred, cleaned, enlarged, positive_weights, pyramid_sizes, slopes
from sciml.deblurring.correction.estimate import Estimate, estimate_kernel, noise_std
from sciml.deblurring.kernels.canonical import ncc
from sciml.deblurring.restoration.deblur import deblur
from sciml.deblurring.study.metrics import best_shift_psnr
from sciml.deblurring.study.turning import shaken, turning_shake
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import camera_shake, gaussian, line
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def scene(size: int) -> torch.Tensor:
    """A picture of boxes and disks of many sizes and greys: edges in all directions."""
    rng = np.random.default_rng(4)
    x = np.full((size, size), 0.4)
    rows, columns = np.mgrid[:size, :size]
    for index in range(30):
        r, c, extent, grey = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(4, size / 5), rng.uniform(0.05, 0.9)
        if index % 2:
            x[(rows - r) ** 2 + (columns - c) ** 2 < extent**2] = grey
        else:
            angle = rng.uniform(0, math.pi)
            along = (rows - r) * math.cos(angle) + (columns - c) * math.sin(angle)
            across = (columns - c) * math.cos(angle) - (rows - r) * math.sin(angle)
            x[(np.abs(along) < extent) & (np.abs(across) < extent / 2)] = grey
    return torch.from_numpy(x).float()[None, None]


def blurred(kernel: np.ndarray, size: int = 96, sigma: float = 0.01, channels: int = 1) -> torch.Tensor:
    physics = ValidBlur(kernel, (size, size))
    y = physics.A(scene(size + kernel.shape[0] - 1)).expand(1, channels, size, size)
    return y + sigma * torch.randn(y.shape, generator=torch.Generator().manual_seed(1))


def bent() -> np.ndarray:
    """A path without symmetry, 5 x 5 pixels in 9 x 9."""
    kernel = np.zeros((9, 9))
    kernel[2:7, 2] = [1, 1, 2, 2, 1]
    kernel[6, 3:7] = [1, 1, 2, 1]
    return centred(kernel)


KERNELS = {"bent": bent, "shake": lambda: camera_shake(9, np.random.default_rng(2)), "line": lambda: line(7, 30, 9)}


@pytest.mark.parametrize("name", KERNELS)
def test_a_known_kernel_is_found_from_the_picture_alone(name):
    kernel = KERNELS[name]()
    result = estimate_kernel(blurred(kernel), 9)
    assert ncc(result.kernel, kernel, any_shift=True) > 0.75
    assert result.notes == ()
    # neither flipped nor transposed: the right one fits best
    if name == "bent":
        others = [kernel.T, kernel[::-1, ::-1], kernel[::-1], kernel[:, ::-1]]
        assert ncc(result.kernel, kernel, any_shift=True) > max(ncc(result.kernel, k, any_shift=True) for k in others) + 0.1


def test_the_estimate_is_canonical_deterministic_and_reported_level_by_level():
    y = blurred(bent())
    seen = []
    y = y[..., :64, :64]
    first = estimate_kernel(y, 11, on_level=lambda level, levels, kernel: seen.append((level, levels, kernel.shape[0])))
    second = estimate_kernel(y, 11, noise_std=None)
    assert isinstance(first, Estimate) and first.kernel.tobytes() == second.kernel.tobytes()
    assert first.kernel.shape == (11, 11) and first.kernel.dtype == np.float64
    assert first.kernel.min() >= 0 and first.kernel.sum() == pytest.approx(1)
    assert np.abs(np.array(center_of_mass(first.kernel)) - 5).max() <= 0.5
    assert [level for level, _, _ in seen] == list(range(1, len(seen) + 1)) and {levels for _, levels, _ in seen} == {len(seen)}
    assert [size for _, _, size in seen] == pyramid_sizes(11)[::-1]


def test_the_grey_scale_does_not_matter():
    y = 0.7 * blurred(bent())
    full, dim = estimate_kernel(y, 9), estimate_kernel(0.25 * y + 0.1, 9)
    assert ncc(full.kernel, dim.kernel, any_shift=True) > 0.98


def test_colour_is_read_as_its_luminance():
    kernel = bent()
    result = estimate_kernel(blurred(kernel, channels=3), 9, noise_std=0.01)
    assert ncc(result.kernel, kernel, any_shift=True) > 0.75


def test_clipped_pixels_are_left_out():
    kernel = bent()
    bright = (1.4 * blurred(kernel)).clamp(max=1)
    assert float((bright >= 0.98).float().mean()) > 0.01
    assert ncc(estimate_kernel(bright, 9).kernel, kernel, any_shift=True) > 0.7


@pytest.mark.parametrize("tiles", [1, 2])
def test_weights_are_the_least_squares_solution_without_negative_values(tiles):
    size, pixels = 14, 25
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(tiles, 1, size + 4, size + 4, generator=generator, dtype=torch.float64)
    y = torch.randn(tiles, 1, size, size, generator=generator, dtype=torch.float64)
    mask = torch.ones_like(y)
    mask[0, 0, 3, 4] = 0
    # one tile: pixels are the weights; two: each weight draws on both kernels
    drawn = sparse.identity(pixels, format="csr")
    if tiles == 2:
        drawn = sparse.random(2 * pixels, 18, 0.2, format="csr", random_state=np.random.default_rng(1))
    start = np.full(drawn.shape[1], 0.04)
    found = positive_weights(x, y, start, drawn, 0.3, mask, share=0.1, steps=2000)
    edges, target = slopes(x).numpy(), slopes(y).numpy()
    believed = np.ones((tiles, size - 1, size - 1), dtype=bool)
    for row, column in ((3, 4), (2, 4), (3, 3)):  # the pixels whose slopes need the one that is masked
        believed[0, row, column] = False
    rows, values = [], []
    for tile, axis, r, c in np.ndindex(tiles, 2, size - 1, size - 1):
        if believed[tile, r, c]:
            row = np.zeros((tiles, pixels))
            row[tile] = edges[tile, axis, r : r + 5, c : c + 5][::-1, ::-1].ravel()
            rows.append(row.ravel())
            values.append(target[tile, axis, r, c])
    ridge = believed.sum() / tiles * (0.1 * (edges**2).sum() / edges[:, 0].size + 5 * 0.3**2)
    a = np.vstack([np.array(rows), math.sqrt(ridge) * np.eye(tiles * pixels)]) @ drawn.toarray()
    direct = nnls(a, np.append(values, np.zeros(tiles * pixels)))[0]
    assert 3 < np.count_nonzero(direct) < len(direct) - 2  # the bound holds for some weights and not for others
    np.testing.assert_allclose(found, direct, atol=1e-4 * direct.max())


def test_kernel_step_returns_the_kernel_of_clean_data():
    kernel = bent()
    x = scene(72).double()
    physics = ValidBlur(kernel, (64, 64), torch.float64)
    y = physics.A(x)
    pixels = sparse.identity(81, format="csr")
    start = gaussian(1.5, 9).ravel()
    found = positive_weights(x, y, start, pixels, 0.0, torch.ones_like(y), share=1e-8, noise_share=0.0, steps=3000)
    np.testing.assert_allclose(found.reshape(9, 9), kernel, atol=1e-3)


def test_cleaning_cuts_islands_and_small_values_and_centres():
    kernel = np.zeros((11, 11))
    kernel[1:5, 1] = 1.0
    kernel[4, 2] = 0.05
    kernel[9, 9] = 0.3
    k = cleaned(kernel)
    assert np.count_nonzero(k) == 4 and k.sum() == pytest.approx(1) and k.min() == 0
    assert np.abs(np.array(center_of_mass(k)) - 5).max() <= 0.5
    np.testing.assert_array_equal(cleaned(np.zeros((5, 5))), np.outer(np.eye(5)[2], np.eye(5)[2]))


def test_enlarging_keeps_the_middle_and_scales_the_width():
    k = enlarged(gaussian(1.5, 13)[None], (1, 19, 19), math.sqrt(2))[0]
    assert np.abs(np.array(center_of_mass(k)) - 9).max() < 1e-6
    width = math.sqrt(float((k * (np.arange(19) - 9)[:, None] ** 2).sum()))
    assert width == pytest.approx(1.5 * math.sqrt(2), rel=0.05)


def test_noise_level_of_a_blurred_picture():
    kernel = gaussian(1.5)
    for sigma in (0.005, 0.01, 0.03):
        assert noise_std(blurred(kernel, sigma=sigma)) == pytest.approx(sigma, rel=0.1)
        assert noise_std(blurred(kernel, sigma=sigma, channels=3)) == pytest.approx(sigma, rel=0.1)
    with pytest.warns(UserWarning, match="nearly free of noise"):
        noise_std(blurred(kernel, sigma=0.0005))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate_kernel(blurred(kernel, 48, sigma=0.0005), 5)


def test_poor_estimates_say_so():
    sharp = scene(64) + 0.01 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert any("sharp already" in note for note in estimate_kernel(sharp, 9).notes)
    cut_off = estimate_kernel(blurred(line(21, 20, 23)), 9)
    assert any("edge of its support" in note for note in cut_off.notes)
    noise = 0.4 + 0.02 * torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    assert any("few edges" in note for note in estimate_kernel(noise, 9).notes)


def test_halves_with_blurs_of_their_own_make_the_estimate_doubtful():
    same = estimate_kernel(blurred(line(9, 0, 11)), 15)
    assert same.agreement > 0.75 and not same.doubtful and same.notes == ()
    y = blurred(line(9, 0, 11))
    y[..., 48:] = blurred(line(9, 90, 11))[..., 48:]
    two = estimate_kernel(y, 15)
    assert two.agreement < same.agreement - 0.1
    assert two.doubtful and two.notes[0].startswith("Doubtful:")
    assert estimate_kernel(y[..., :40, :40], 15).agreement is None  # halves smaller than two kernels


def test_a_turn_is_found_and_gives_a_better_picture_than_one_kernel():
    height, width = 180, 220
    truth = scene(300).double().numpy()[0, 0]
    shake = turning_shake(9, 6, math.hypot(height, width) / 2, np.random.default_rng(5))
    noise = 0.01 * np.random.default_rng(0).normal(size=(height, width))
    y = (shaken(truth, shake, (height, width)) + noise).astype(np.float32)
    light = torch.from_numpy(y)[None, None]
    turned, single = estimate_kernel(light, 15, rotation=True), estimate_kernel(light, 15)
    assert single.shake is None and turned.shake.turn == pytest.approx(shake.turn, rel=0.35)
    assert turned.agreement > 0.65 and not turned.doubtful
    places = [(row, column) for row in (-60, 0, 60) for column in (-70, 0, 70)]
    alike = {
        name: [ncc(of(place), shake.kernel(place, 31), any_shift=True) for place in places]
        for name, of in {"poses": lambda place: turned.shake.kernel(place, 31), "one": lambda _: single.kernel}.items()
    }
    assert min(alike["poses"]) > min(alike["one"]) + 0.1 and np.mean(alike["poses"]) > 0.75
    inside = truth[(300 - height) // 2 : (300 + height) // 2, (300 - width) // 2 : (300 + width) // 2]
    scores = [
        best_shift_psnr(np.asarray(deblur(y, kernel, 0.01, error="none").image), inside, reach=6, border=10).psnr
        for kernel in (turned.shake, single.kernel)
    ]
    assert scores[0] > scores[1] + 1
    with pytest.raises(ConfigError, match="at most a quarter"):
        estimate_kernel(light, 47, rotation=True)


def test_bad_input_is_refused_in_words():
    y = blurred(bent(), 32)
    for size in (8, 1, 17, 101, -3):
        with pytest.raises(ConfigError, match="odd, at least 3 and at most half"):
            estimate_kernel(y, size)
    with pytest.raises(DataError, match="not finite"):
        estimate_kernel(torch.where(y == y.max(), torch.nan, y), 9)
    with pytest.raises(DataError, match="constant"):
        estimate_kernel(torch.full_like(y, 0.3), 9)
    with pytest.raises(ConfigError, match="noise_std"):
        estimate_kernel(y, 9, noise_std=-1.0)
    for wrong in (y[0], y.expand(2, 1, 32, 32), y.expand(1, 2, 32, 32), y[..., :4, :4]):
        with pytest.raises(ShapeError):
            estimate_kernel(wrong, 3)
    with pytest.raises(DataError, match="constant"):
        noise_std(torch.zeros(1, 1, 16, 16))
