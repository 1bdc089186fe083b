"""The one call for a picture: layouts and types, places, decisions, interruption, bad input; and that no truth is seen."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest
import torch
from blurred_scenes import blurred, psnr, rng

import sciml.deblurring
from sciml.deblurring import Deblurred, deblur
from sciml.deblurring.files.picture import read_picture
from sciml.deblurring.kernels.canonical import canonicalise
from sciml.deblurring.kernels.errors import perturbed
from sciml.deblurring.restoration import deblur as deblurred
from sciml.deblurring.restoration import steps
from sciml.deblurring.settings.structures import DipConfig, StopConfig
from sciml.deblurring.solvers.image import noise_unit, picture_weight
from sciml.formats.image import linear_to_srgb
from sciml.imaging.operators.convolution import ValidBlur
from sciml.imaging.operators.kernels import line
from sciml.imaging.priors import TotalVariation
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError, ShapeError

KERNEL = line(9, 30)
Y, TRUTH = blurred(KERNEL, 48)
GREY = Y[0, 0].numpy()
COLOUR_Y, COLOUR_TRUTH = blurred(KERNEL, 48, channels=3)
COLOUR = COLOUR_Y[0].permute(1, 2, 0).numpy()


def plain(image, kernel=KERNEL, noise_std: float | None = 0.01, **more) -> Deblurred:
    return deblur(image, kernel, noise_std, **({"error": "none"} | more))


# layouts and types


def test_grey_and_colour_come_back_sharper_as_they_were_given():
    for image, truth in ((GREY, TRUTH), (COLOUR, COLOUR_TRUTH)):
        found = plain(image)
        assert found.image.shape == image.shape and found.image.dtype == image.dtype
        result = torch.from_numpy(found.image).reshape(48, 48, -1).permute(2, 0, 1)[None]
        assert psnr(result, truth) > psnr(torch.from_numpy(image).reshape(48, 48, -1).permute(2, 0, 1)[None], truth) + 4
        assert found.misfit == pytest.approx(1, abs=0.2) and not found.warnings and found.mask is None


def test_every_layout_and_type_gives_the_same_picture():
    wanted = plain(COLOUR).image
    tensor = torch.from_numpy(COLOUR)
    np.testing.assert_array_equal(plain(tensor).image.numpy(), wanted)
    np.testing.assert_array_equal(plain(tensor.permute(2, 0, 1)).image.permute(1, 2, 0).numpy(), wanted)
    np.testing.assert_array_equal(plain(np.asfortranarray(COLOUR.astype(">f8"))).image.astype("f4"), wanted)
    for kind, top in ((np.uint8, 255), (np.uint16, 65535)):
        given = np.round(COLOUR.clip(0, 1) * top).astype(kind)
        found = plain(given).image
        assert found.dtype == kind and np.abs(found / top - wanted.clip(0, 1)).max() < 0.05
        assert np.array_equal(plain(torch.from_numpy(given)).image.numpy(), found)
    assert plain(GREY[..., None]).image.shape == (48, 48, 1)
    alpha = plain(np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1))
    np.testing.assert_array_equal(alpha.image, wanted)
    assert any("alpha" in sentence for sentence in alpha.sentences)


def test_display_values_are_deblurred_in_linear_light():
    linear = plain(GREY.clip(0, 1))
    encoded = plain(linear_to_srgb(GREY.clip(0, 1)), gamma="srgb", spread=3)
    assert np.abs(encoded.image - linear_to_srgb(linear.image)).max() < 2e-3
    assert encoded.spread.shape == GREY.shape and encoded.spread.mean() > 0


def test_the_kernel_may_be_text_an_array_or_canonical(tmp_path):
    np.save(tmp_path / "kernel.npy", KERNEL)
    given = (KERNEL, canonicalise(KERNEL), "motion:9,30", str(tmp_path / "kernel.npy"), tmp_path / "kernel.npy")
    images = [plain(GREY, kernel).image for kernel in (*given, torch.from_numpy(KERNEL))]
    for image in images:  # an empty border, cut away from arrays, makes another canvas
        assert np.sqrt(np.mean((image - images[0]) ** 2)) < 4e-3


# places


def test_the_result_lies_where_the_given_kernel_says():
    wide = np.pad(KERNEL, ((2, 6), (7, 1)))  # the same light, 2 rows up and 3 columns right of the middle
    wanted, found = plain(GREY), plain(GREY, wide)
    assert found.shift == (2.0, -3.0)
    np.testing.assert_array_equal(found.image[2:, :-3], wanted.image[:-2, 3:])
    # the model with the kernel as it was given: what it blurs of the sharp picture is the picture
    again = ValidBlur(wide / wide.sum(), (48 - wide.shape[0] + 1,) * 2, torch.float64)
    margin = wide.shape[0] // 2
    left = again.A(torch.from_numpy(found.image).double()[None, None]) - Y[..., margin:-margin, margin:-margin]
    assert left.square().mean().sqrt() < 0.012


@pytest.mark.parametrize("error", ["kernel", pytest.param("warp", marks=pytest.mark.slow)])
def test_the_canvas_and_the_kernels_explain_the_picture(error):
    given = perturbed(KERNEL, "rotation:12+scale:0.85", rng())
    y, truth = blurred(KERNEL, 56)
    found = deblur(y[0, 0].numpy(), given, 0.01, error=error)
    if error == "warp":
        before = deblur(y[0, 0].numpy(), given, 0.01, error="none").image
        assert psnr(torch.from_numpy(found.image), truth) > psnr(torch.from_numpy(before), truth) + 1
    assert found.step.corrected_by == ({"kernel": "ridge"}.get(error, error),)
    assert found.kernel.shape == found.given_kernel.shape
    blur = ValidBlur(found.kernel, (56, 56))
    wide = (found.kernel.shape[0] - (found.canvas.shape[-1] - 56 + 1)) // 2
    canvas = torch.nn.functional.pad(found.canvas, (wide,) * 4, mode="replicate")
    assert float((blur.A(canvas) - y).square().mean().sqrt()) == pytest.approx(0.01 * found.misfit, rel=0.02)
    from_given = ValidBlur(found.given_kernel, (56, 56)).A(canvas)
    np.testing.assert_allclose(found.residual, (blur.A(canvas) - from_given)[0, 0], atol=1e-5)
    assert found.residual.std() > 0.001
    assert [value for _, value in found.curves["held-out misfit of kernels"]] == list(found.step.held_out.values())


# decisions


def test_equal_seeds_give_equal_bytes():
    one, other = (deblur(COLOUR[:40, :40], "motion:9,35", 0.01, error="kernel", spread=3, seed=4) for _ in range(2))
    assert one.image.tobytes() == other.image.tobytes() and one.spread.tobytes() == other.spread.tobytes()
    assert one.kernel.tobytes() == other.kernel.tobytes() and one.sentences == other.sentences


def test_no_truth_is_seen_anywhere():
    names = {name for function in (deblur, steps.Restoration) for name in inspect.signature(function).parameters}
    assert not [name for name in names if any(word in name for word in ("truth", "sharp", "target", "reference", "clean"))]
    before = plain(GREY).image
    TRUTH_BEFORE = TRUTH.clone()
    try:
        TRUTH.fill_(math.nan)
        assert plain(GREY).image.tobytes() == before.tobytes()
    finally:
        TRUTH.copy_(TRUTH_BEFORE)


def test_the_noise_is_estimated_and_told_and_low_noise_warned_of():
    found = plain(GREY, noise_std=None)
    assert found.noise_std == pytest.approx(0.01, rel=0.3) and any("noise was estimated" in text for text in found.sentences)
    y, _ = blurred(KERNEL, 48, sigma=0.0)
    assert any("near the rounding" in text for text in plain(y[0, 0].numpy(), noise_std=0.001).warnings)


def test_weights_are_in_units_of_the_noise():
    found = plain(GREY)
    (said,) = (text for text in found.sentences if "total variation has the weight" in text)
    factor = picture_weight(torch.from_numpy(GREY)[None, None], KERNEL, 0.01) / noise_unit(KERNEL, 0.01)
    assert f"weight {factor:.2f} in" in said
    np.testing.assert_allclose(plain(GREY, weight=factor).image, found.image, atol=1e-3)
    calmer = plain(GREY, weight=7.5).image
    assert np.abs(np.diff(calmer)).sum() < np.abs(np.diff(plain(GREY).image)).sum()


def test_another_prior_starts_from_total_variation_and_is_named(monkeypatch):
    seen = []

    def solve(y, kernel, prior, weight, mask=None, start=None, on_image=None):
        seen.append((prior, weight, start is not None))
        return torch.nn.functional.pad(y, (kernel.shape[0] // 2,) * 4)

    other = TotalVariation()
    monkeypatch.setattr(steps, "map_estimate", solve)
    monkeypatch.setattr(steps, "resolve", lambda name: {"some:prior": other}[name])
    plain(GREY, prior="some:prior")
    scale = 0.01 * math.sqrt(np.square(KERNEL).sum())
    assert seen == [("tv", pytest.approx(0.75 * scale), False), (other, pytest.approx(scale), True)]


def test_a_learned_prior_takes_level_and_weight_from_the_noise_and_says_which():
    found = plain(GREY, prior="lpn:photo-deblur")
    (said,) = (text for text in found.sentences if text.startswith("By the picture's noise"))
    prior, weight = re.fullmatch(r".* the prior is (\S+), with the weight (\S+)\.", said).groups()
    assert float(prior.rpartition(":")[2]) == pytest.approx(0.01 / np.sqrt(np.square(KERNEL).sum()), rel=0.01)
    np.testing.assert_allclose(plain(GREY, prior=prior, weight=float(weight)).image, found.image, atol=2e-3)


def test_a_learned_prior_restores_colours_together_no_worse_than_one_by_one():
    together = plain(COLOUR, prior="lpn:photo-deblur").image
    alone = np.stack([plain(np.ascontiguousarray(COLOUR[..., i]), prior="lpn:photo-deblur").image for i in range(3)], -1)
    one, other = (psnr(torch.from_numpy(image).permute(2, 0, 1)[None], COLOUR_TRUTH) for image in (together, alone))
    assert together.shape == COLOUR.shape and one > other - 0.2


def test_a_kernel_of_a_flipped_or_foreign_picture_is_called_inconsistent():
    noise = rng(1).random((48, 48)).astype(np.float32)
    found = plain(noise, np.ones((9, 9)) / 81)
    assert found.misfit > 2 and any("Kernel inconsistent" in text for text in found.warnings)


def test_saturated_areas_are_left_out_and_shown():
    bright = GREY.copy()
    bright[10:20, 10:20] = 1.0
    found = plain(bright.clip(0, 1))
    assert found.mask.sum() == 48 * 48 - 100 and any("saturated" in text for text in found.warnings)
    given = np.ones((48, 48), bool)
    given[10:20, 10:20] = False
    np.testing.assert_array_equal(plain(bright, mask=given).image[given], found.image[given])
    wide = GREY.copy()
    wide[8:32, 8:32] = 1.0
    assert plain(wide.clip(0, 1)).image[15:25, 15:25] == pytest.approx(1.0), "a clipped area stays as bright as it is"
    spoilt = np.where(given, GREY, np.nan)
    assert np.isfinite(plain(spoilt, mask=given).image).all()


def test_a_delta_is_nothing_to_deblur():
    found = deblur(GREY, "delta:1", 0.01)
    assert found.step is None and any("nothing to deblur" in text for text in found.sentences)
    assert np.abs(found.image - GREY).mean() < 0.02


# untrained networks


def test_untrained_networks_run_from_the_same_call():
    settings = DipConfig(network="tiny", iterations=4, start_iterations=2, stop=StopConfig(look_every=2))
    seen = []
    found = plain(
        GREY, prior="dip", error="residual", dip=settings, on_progress=lambda what, image: seen.append((what, image.shape))
    )
    assert found.image.shape == GREY.shape and found.residual.shape == GREY.shape and found.stop_reason
    assert {shape for _, shape in seen} == {(48, 48)} and any("untrained" in what for what, _ in seen)


# interruption


@pytest.mark.parametrize(
    ("step", "kept"), [("find_spread", "restored"), ("_correct", "given"), ("_variation", "blurred"), ("_fit_networks", "given")]
)
def test_an_interruption_keeps_the_best_so_far(monkeypatch, step, kept):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps.Restoration, step, stop)
    more = {"prior": "dip", "error": "none"} if step == "_fit_networks" else {"error": "warp" if step == "_correct" else "none"}
    found = deblur(GREY, KERNEL, 0.01, spread=2, **more)
    assert found.interrupted and any("interrupted" in text for text in found.warnings) and found.spread is None
    monkeypatch.undo()
    # untrained networks start at the natural weight
    wanted = GREY if kept == "blurred" else plain(GREY, weight=0.75 if step == "_fit_networks" else None).image
    np.testing.assert_allclose(found.image, wanted, atol=1e-6)


def test_an_interrupted_fit_of_networks_keeps_its_best_and_goes_on_from_its_checkpoint(tmp_path):
    rule = StopConfig(look_every=2, held_out=0.2)
    settings = DipConfig(network="tiny", iterations=12, checkpoint_every=2, least_gain=None, stop=rule)
    more = {"prior": "dip", "dip": settings, "checkpoint": tmp_path}

    def stop(what, _):
        if "step 8 " in what:
            raise KeyboardInterrupt

    broken = plain(GREY, on_progress=stop, **more)
    assert broken.interrupted and not np.array_equal(broken.image, plain(GREY).image)
    assert psnr(torch.from_numpy(broken.image)[None, None], TRUTH) > psnr(Y, TRUTH) + 3
    done = plain(GREY, **more)
    assert not done.interrupted
    assert done.image.tobytes() == plain(GREY, **(more | {"checkpoint": None})).image.tobytes()


# bad input, row by row


@pytest.mark.parametrize(
    ("image", "kernel", "more", "error", "message"),
    [
        (np.full((48, 48), np.nan), KERNEL, {}, DataError, "NaN or infinite values, the first at"),
        (np.where(np.eye(48) > 0, np.inf, 0.5), KERNEL, {}, DataError, "NaN or infinite"),
        (np.full((48, 48), 0.5), KERNEL, {}, DataError, "constant"),
        (GREY * 255, KERNEL, {}, DataError, "divide it by its white level"),
        (GREY.astype(np.int32), KERNEL, {}, DataError, "unsigned integers"),
        (GREY > 0.5, KERNEL, {}, DataError, "unsigned integers"),
        (torch.ones(48, 48, dtype=torch.int64), KERNEL, {}, DataError, "unsigned integers"),
        (GREY * 1j, KERNEL, {}, DataError, "unsigned integers"),
        (GREY[None, None], KERNEL, {}, ShapeError, "one picture at a time"),
        (GREY[:20, :20], np.pad(KERNEL, 2) + 1e-3, {}, ShapeError, "smaller than two kernels"),
        (GREY, np.zeros((5, 5)), {}, DataError, "zero everywhere"),
        (GREY, np.full((5, 5), np.nan), {}, DataError, "NaN or infinite"),
        (GREY, -KERNEL, {}, DataError, "negative values"),
        (GREY, rng().random((5, 5, 3)), {}, DataError, "channels differ"),
        (GREY, "nothing:3", {}, ConfigError, "neither a file nor a kernel kind"),
        (GREY, KERNEL, {"noise_std": 0.0}, ConfigError, "noise_std is a number above 0"),
        (GREY, KERNEL, {"noise_std": math.inf}, ConfigError, "noise_std is a number above 0"),
        (GREY, KERNEL, {"weight": -1.0}, ConfigError, "weight is a number above 0"),
        (GREY, KERNEL, {"error": "all"}, ConfigError, "error model is one of"),
        (GREY, KERNEL, {"error": "residual"}, ConfigError, "needs the prior dip"),
        (GREY, KERNEL, {"prior": "nothing"}, ConfigError, "no prior is called"),
        (GREY, KERNEL, {"gamma": 2.2}, ConfigError, "gamma is None"),
        (GREY, KERNEL, {"spread": 1}, ConfigError, "at least 2 kernels"),
        (GREY, KERNEL, {"mask": np.ones((47, 48))}, ShapeError, "the picture's height and width"),
        (GREY, KERNEL, {"mask": np.zeros((48, 48))}, DataError, "trusts no pixel"),
        (GREY, KERNEL, {"spread": 2, "calibration": (0.0, 0.02)}, ConfigError, "factor above 0"),
        (np.where(GREY > 0, 1.0, 0.99), KERNEL, {}, DataError, "constant|saturated"),
    ],
)
def test_bad_input_is_told_in_one_line(image, kernel, more, error, message):
    with pytest.raises(error, match=message) as told:
        deblur(image, kernel, **({"noise_std": 0.01, "error": "none"} | more))
    assert issubclass(error, ScimlError) and "\n" not in str(told.value)


def test_a_damaged_kernel_file_is_told(tmp_path):
    (tmp_path / "kernel.npy").write_bytes(b"not an array")
    with pytest.raises(FormatError, match="cannot be read"):
        plain(GREY, str(tmp_path / "kernel.npy"))


def test_untrained_networks_refuse_what_would_take_days(monkeypatch):
    monkeypatch.setattr(deblurred, "LARGEST_DIP", 48 * 48 - 1)
    with pytest.raises(ConfigError, match="take days"):
        plain(GREY, prior="dip")


def test_the_public_names_are_there_whatever_was_imported_first():
    assert sciml.deblurring.deblur is deblurred.deblur and callable(sciml.deblurring.deblur)
    assert not [name for name in sciml.deblurring.__all__ if not hasattr(sciml.deblurring, name)]
    with pytest.raises(AttributeError, match=r"sciml\.deblurring.*no_such_name"):
        _ = sciml.deblurring.no_such_name


def test_luminance_has_the_noise_of_its_weights():
    light, share = read_picture(COLOUR).luminance()
    assert light.shape == (1, 1, 48, 48) and share == pytest.approx(np.sqrt(0.2126**2 + 0.7152**2 + 0.0722**2))
    assert read_picture(GREY).luminance()[1] == 1
