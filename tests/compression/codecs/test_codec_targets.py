"""Targets of size and error are met from the allowed side, or refused with what is within reach."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from tiny_models import texture

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.model import step_code, step_of
from sciml.compression.coding.rate_control import COARSEST, FINEST, MOST_TRIALS, TOLERANCE, quality_code, search
from sciml.compression.coding.samples import samples_of
from sciml.runtime.errors import ConfigError, DataError, ShapeError


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.rint(texture(144, 160, seed=8)).astype(np.uint8)


def psnr(codec: Codec, data: bytes, image: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((codec.decode(data).astype(float) - image) ** 2) / 255**2))


@pytest.mark.parametrize("bpp", [0.35, 1.1])
def test_bits_per_pixel_are_met_from_below(colour_codec: Codec, image: np.ndarray, bpp: float) -> None:
    found = 8 * len(colour_codec.encode(image, bpp=bpp)) / (144 * 160)
    # a kilobyte goes up and down by some per cent from step to step
    assert (0.95 if bpp < 1 else 0.98) * bpp <= found <= bpp


def test_bytes_are_met_from_below(colour_codec: Codec, image: np.ndarray) -> None:
    data = colour_codec.encode(image, max_bytes=3000)
    assert 3000 * (1 - TOLERANCE) <= len(data) <= 3000
    assert colour_codec.encode(image, bpp=8 * 3000 / (144 * 160)) == data


@pytest.mark.parametrize("wanted", [28.0, 36.0])
def test_psnr_is_met_from_above(colour_codec: Codec, image: np.ndarray, wanted: float) -> None:
    found = psnr(colour_codec, colour_codec.encode(image, psnr=wanted), image)
    assert wanted <= found <= wanted + 0.2


def test_psnr_of_floats_counts_their_range(grey_codec: Codec) -> None:
    image = texture(64, 64, 1)[..., 0] * 1e4 - 5e5
    found = grey_codec.decode(grey_codec.encode(image, psnr=33))
    error = math.sqrt(np.mean((found.astype(float) - image) ** 2)) / (image.max() - image.min())
    assert 33 <= -20 * math.log10(error) <= 33.5


def test_more_than_enough_gives_the_finest_step_and_less_than_ever_the_coarsest(colour_codec: Codec) -> None:
    image = np.rint(texture(32, 32)).astype(np.uint8)
    assert colour_codec.encode(image, max_bytes=10**6) == colour_codec.encode(image, quality=100)
    assert colour_codec.encode(image, psnr=1) == colour_codec.encode(image, quality=1)


TOO_MUCH = {"bpp": (0.01, "0.01 bits per pixel"), "max_bytes": (20, "20 bytes"), "psnr": (90, "90 dB")}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_is_out_of_reach_is_refused_with_what_is_within(colour_codec: Codec, name: str) -> None:
    image = np.rint(texture(32, 48, seed=1)).astype(np.uint8)
    value, words = TOO_MUCH[name]
    with pytest.raises(ConfigError, match=f"^{re.escape(words)} cannot be reached") as caught:
        colour_codec.encode(image, **{name: value})
    low, high = map(float, re.findall(r"gives (\S+) to (\S+)$", str(caught.value))[0])
    ends = [colour_codec.encode(image, quality=quality) for quality in (1, 100)]
    size = {"bpp": 8 / (32 * 48), "max_bytes": 1.0}
    expected = [len(end) * size[name] for end in ends] if name in size else [psnr(colour_codec, end, image) for end in ends]
    assert (low, high) == pytest.approx(tuple(expected), rel=1e-4)
    # the ends can be had
    colour_codec.encode(image, **{name: low * (1 + 1e-4) if name in size else high - 1e-3})


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["quality", "bpp", "max_bytes", "psnr"])
def test_what_is_no_target_is_refused(colour_codec: Codec, name: str, value: float) -> None:
    with pytest.raises(ConfigError):
        colour_codec.encode(np.zeros((4, 4, 3), np.uint8), **{name: value})


@pytest.mark.parametrize("targets", [{"quality": 50, "bpp": 1}, {"bpp": 1, "psnr": 30}, {"max_bytes": 9, "quality": 5}])
def test_two_targets_at_once_are_refused(colour_codec: Codec, targets: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="choose one"):
        colour_codec.encode(np.zeros((4, 4, 3), np.uint8), **targets)


def test_care_keeps_to_the_target(colour_codec: Codec, image: np.ndarray) -> None:
    care = np.ones((144, 160))
    care[:, :80] = 8
    plain, cared = (colour_codec.encode(image, bpp=0.8, roi_weights=value) for value in (None, care))
    assert len(cared) <= 0.8 * 144 * 160 / 8
    error = [np.square(colour_codec.decode(data).astype(float) - image).mean((0, 2)) for data in (plain, cared)]
    assert error[1][:70].mean() < 0.85 * error[0][:70].mean()
    assert error[1][90:].mean() > error[0][90:].mean()


def test_weights_of_a_region_that_are_none_are_refused(colour_codec: Codec) -> None:
    image = np.zeros((8, 9, 3), np.uint8)
    with pytest.raises(ShapeError, match="roi_weights"):
        colour_codec.encode(image, roi_weights=np.ones((9, 8)))
    for value in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(DataError, match="roi_weights"):
            colour_codec.encode(image, roi_weights=np.full((8, 9), value))


@pytest.mark.parametrize("slope", [0.5, 1.3, 4.0])
@pytest.mark.parametrize("at_most", [True, False])
def test_the_search_needs_few_trials(slope: float, at_most: bool) -> None:
    low, high = step_code(COARSEST), step_code(FINEST)
    for share in (0.02, 0.31, 0.5, 0.97):
        trials: list[int] = []

        def encode(code: int, trials: list[int] = trials) -> int:
            trials.append(code)
            return code

        def measure(code: int) -> float:
            return 1000 * 2 ** (slope * code / 256) * (1 + 0.3 * math.sin(code / 300))

        target = measure(round(low + share * (high - low)))
        found = search(encode, measure, target, "units", at_most)
        assert len(trials) <= MOST_TRIALS
        assert (measure(found) <= target) == at_most or measure(found) == target
        allowed = max(TOLERANCE, 2 * slope * math.log(2) / 256)
        assert abs(measure(found) / target - 1) <= allowed


def test_a_size_is_expected_before_it_is_coded(colour_codec: Codec, image: np.ndarray) -> None:
    samples = samples_of(image, colour_codec.model)
    expected = colour_codec.expected_size(samples)
    codes = range(step_code(COARSEST), step_code(FINEST), 40)
    assert min(np.diff([expected(code) for code in codes])) > 0
    # but for a factor, which one trial mends: a model of few pictures needs more bits than one of photographs
    ratios = [len(colour_codec.encode_samples(samples, code).data) / math.exp(expected(code)) for code in codes]
    assert max(ratios) / min(ratios) < 1.5


@pytest.mark.parametrize("slope", [0.1, 1.0, 6.0])
def test_what_is_expected_spares_trials_and_decides_nothing(slope: float) -> None:
    trials: list[int] = []

    def encode(code: int) -> int:
        trials.append(code)
        return code

    def measure(code: int) -> float:
        return 1000 * 2 ** (code / 256)

    target = measure(800)
    found = search(encode, measure, target, "units", True, expected=lambda code: math.log(target) + slope * (code - 790) / 300)
    assert (1 - TOLERANCE) * target <= measure(found) <= target
    assert len(trials) <= (3 if slope == 1 else MOST_TRIALS)


@pytest.mark.parametrize("drafted", [1.003, 1.4, 0.0])
@pytest.mark.parametrize("at_most", [True, False])
def test_drafts_spare_trials_and_decide_nothing(drafted: float, at_most: bool) -> None:
    trials: list[int] = []

    def encode(code: int) -> tuple[int, float]:
        trials.append(code)
        return code, 1.0

    def measure(trial: tuple[int, float]) -> float:
        code, factor = trial
        return 1000 * 2 ** (code / 256) * factor if factor else 1.0

    for code in (step_code(COARSEST), 500, 800, step_code(FINEST)):
        target = measure((code, 1.0))
        trials.clear()
        found = search(encode, measure, target, "units", at_most, draft=lambda code: (code, drafted))
        assert found[1] == 1.0 and ((measure(found) <= target) == at_most or measure(found) == target)
        assert abs(measure(found) / target - 1) <= TOLERANCE
        assert len(trials) <= (2 if drafted == 1.003 else MOST_TRIALS - 1)


def test_steps_and_qualities() -> None:
    assert (quality_code(1), quality_code(100)) == (step_code(COARSEST), step_code(FINEST))
    codes = [quality_code(quality) for quality in range(1, 101)]
    assert min(np.diff(codes)) > 0
    for code in (0, 1, 255, 256, 1000, 65535):
        assert step_code(step_of(code)) == code if code < 60000 else step_of(code) > 0
    assert step_of(256) == 0.5
    for quality in (0.99, 100.01, -3, math.nan):
        with pytest.raises(ConfigError, match="outside 1"):
            quality_code(quality)


def test_options_by_their_names_of_earlier_versions(colour_codec):
    image = np.rint(texture(32, 48, seed=3)).astype(np.uint8)
    weights = np.full((32, 48), 2.0)
    given = {"roi_weights": weights, "icc_profile": b"icc", "crc32": True, "rdo_passes": 0}
    former = {"care": weights, "profile": b"icc", "strong": True, "effort": 0}
    assert colour_codec.encode(image, **given) == colour_codec.encode(image, **former) != colour_codec.encode(image)
    with pytest.raises(ConfigError, match="encode knows no speed: expected roi_weights"):
        colour_codec.encode(image, speed=1)
