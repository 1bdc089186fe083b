"""`sciml deblurring` as a user meets it: photographs and kernels of every kind in, results of the same form out, one line for a
mistake, and never half a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from blurred_scenes import rng
from photo_files import BYTES, FAST, GREY, KERNEL, LIGHT, TRUTH, decibel, refused

from sciml.deblurring.files.photos import blockiness, read_photo
from sciml.deblurring.restoration import steps
from sciml.formats.image import linear_to_srgb
from sciml.formats.read import read_image
from sciml.imaging.operators.kernels import gaussian

# the form of results


@pytest.mark.parametrize(
    ("name", "result", "kind", "shape"),
    [
        ("photo.png", "y.png", np.uint8, (72, 72, 3)),
        ("photo.jpg", "y.png", np.uint8, (72, 72, 3)),
        ("photo.tif", "y.tif", np.uint8, (72, 72, 3)),
        ("deep.png", "y.png", np.uint16, (72, 72)),
        ("deep.tif", "y.tif", np.uint16, (72, 72)),
        ("deep.npy", "y.npy", np.uint16, (72, 72)),
        ("float.tif", "y.tif", np.float32, (72, 72, 3)),
        ("light.npy", "y.npy", np.float32, (72, 72)),
    ],
)
def test_the_result_has_the_form_the_type_and_the_meaning_of_the_file(run, name, result, kind, shape):
    PIL.Image.fromarray(BYTES).save("photo.jpg", quality=98, subsampling=0)
    PIL.Image.fromarray(GREY).save("deep.png")
    tifffile.imwrite("photo.tif", BYTES, photometric="rgb")
    tifffile.imwrite("deep.tif", np.round(LIGHT[..., 1].clip(0, 1) * 65535).astype(np.uint16))
    tifffile.imwrite("float.tif", LIGHT, photometric="rgb")
    np.save("deep.npy", np.round(LIGHT[..., 1].clip(0, 1) * 65535).astype(np.uint16))
    code, out, _ = run("restore", name, *FAST, "--out", result)
    stored = {".npy": np.load, ".tif": tifffile.imread}.get(Path(result).suffix, lambda path: np.asarray(PIL.Image.open(path)))(
        result
    )
    assert code == 0 and stored.dtype == kind and stored.shape == shape
    display = name.startswith("photo") or name == "deep.png"
    assert ("display values (sRGB)" if display else "proportional to light") in out
    values = stored.astype(float) / (1 if kind == np.float32 else np.iinfo(kind).max)
    truth = linear_to_srgb(TRUTH) if display else TRUTH
    assert decibel(values, truth if values.ndim == 3 else truth[..., 1]) > 24


def test_the_user_overrules_what_the_numbers_mean(run):
    for gamma in ("srgb", "none"):
        assert run("restore", "photo.png", *FAST, "--gamma", gamma, "--out", f"{gamma}.png")[0] == 0
    run("restore", "photo.png", *FAST, "--out", "auto.png")
    srgb, auto, none = (Path(f"{name}.png").read_bytes() for name in ("srgb", "auto", "none"))
    assert srgb == auto != none
    code, out, _ = run("restore", "light.npy", *FAST, "--out", "shown.png")
    assert code == 0 and "holds display values (sRGB), as PNG files do" in out
    assert decibel(read_image("shown.png").array, linear_to_srgb(TRUTH[..., 1])) > 24


def test_floats_of_another_scale_need_their_range_and_come_back_in_it(run):
    np.save("counts.npy", LIGHT[..., 1] * 4000 + 100)
    assert "--range LOW HIGH" in refused(run, "restore", "counts.npy", *FAST, "--out", "y.npy")
    np.save("bright.npy", LIGHT[..., 1] * 1.4)
    assert "--range LOW HIGH" in refused(run, "restore", "bright.npy", *FAST, "--out", "y.npy")
    assert "a range of their own" in refused(run, "restore", "photo.png", *FAST, "--range", 0, 255, "--out", "y.png")
    assert run("restore", "counts.npy", *FAST, "--range", 100, 4100, "--out", "y.npy")[0] == 0
    run("restore", "light.npy", *FAST, "--out", "z.npy")
    np.testing.assert_allclose(np.load("y.npy"), np.load("z.npy") * 4000 + 100, rtol=1e-3, atol=2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PIL.Image.fromarray(np.dstack([BYTES, BYTES[..., :1]])).save("odd.png"), "Alpha channel dropped."),
        (lambda: PIL.Image.fromarray(BYTES).quantize(200).save("odd.png"), "P converted to RGB."),
        (lambda: PIL.Image.fromarray(BYTES).convert("CMYK").save("odd.jpg"), "CMYK converted to RGB."),
        (lambda: PIL.Image.fromarray(BYTES).save("odd.jpg", exif=turned()), "Turned upright as its EXIF entry says."),
        (lambda: PIL.Image.fromarray(BYTES).save("odd.jpg", quality=15), "blocks of the JPEG file are visible"),
    ],
)
def test_odd_files_are_read_and_what_was_done_is_told(run, make, said):
    make()
    (name,) = Path().glob("odd.*")
    code, out, _ = run("restore", name, *FAST, "--out", "y.png")
    assert code == 0 and said in out
    assert read_image("y.png").array.shape == (72, 72, 3)


def turned() -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif[274] = 6
    return exif


def test_blocks_are_those_of_eight():
    grey = rng().random((64, 64))
    assert blockiness(grey) < 1.1 < blockiness(np.kron(rng(1).random((8, 8)), np.ones((8, 8))) + 0.1 * grey)
    assert blockiness(np.zeros((4, 4))) == 1


# everything beside the result


def test_kernel_residual_spread_mask_summary_and_progress_are_written(run):
    bright = BYTES.copy()
    bright[:20, :20] = 255
    PIL.Image.fromarray(bright).save("bright.png")
    words = ("restore", "bright.png", "--kernel", "motion:9,30", "--error", "kernel", "--out", "y.png", "--spread", 2)
    more = {"kernel": "npy", "residual": "tif", "spread": "png", "mask": "png"}
    extra = [part for name, suffix in more.items() for part in (f"--{name}-out", f"{name}.{suffix}")]
    code, out, err = run(*words, *extra, "--json", "all.json", "--progress-out", "now.png")
    assert (
        code == 0 and "saturated and was left out" in err and "restoring with the given kernel" in err and "expected time" in err
    )
    assert np.load("kernel.npy").sum() == pytest.approx(1) and tifffile.imread("residual.tif").shape == (72, 72, 3)
    mask = np.asarray(PIL.Image.open("mask.png"))
    assert (mask[:20, :20] == 0).all() and mask[30:, 30:].all()
    assert np.asarray(PIL.Image.open("now.png")).shape == (72, 72, 3) and read_image("spread.png").axes == "HWC"
    record = json.loads(Path("all.json").read_text())
    assert record["pixels_left_out"] == (mask == 0).sum() and record["noise_given"] is False and record["misfit_over_noise"] > 0
    assert set(record["held_out"]) == {"given", "ridge"} and record["warnings"] and not record["interrupted"]
    assert all(sentence in out for sentence in record["sentences"]) and record["values"] == "display values (sRGB)"
    assert not list(Path().glob("*.partial"))
    given = np.ones((72, 72))
    given[:20, :20] = 0
    np.save("trusted.npy", given)
    assert run("restore", "photo.png", *FAST, "--mask", "trusted.npy", "--mask-out", "m.png", "--out", "z.png")[0] == 0
    np.testing.assert_array_equal(np.asarray(PIL.Image.open("m.png")) > 0, given > 0)


@pytest.mark.slow
def test_a_turned_kernel_is_corrected_and_its_numbers_told(run):
    code, out, _ = run("restore", "photo.png", "--kernel", "motion:9,42", "--out", "y.png", "--json", "all.json")
    record = json.loads(Path("all.json").read_text())
    assert code == 0 and "The kernel was turned by" in out and record["corrected_by"] == ["warp"]
    assert record["warp"]["angle_degrees"] == pytest.approx(-12, abs=4) and not record["warp"]["kept"]


def test_equal_seeds_give_equal_files(run):
    for name in ("a", "b"):
        run("restore", "photo.png", *FAST, "--spread-out", f"{name}.tif", "--spread", 2, "--seed", 5, "--out", f"{name}.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes() and Path("a.tif").read_bytes() == Path("b.tif").read_bytes()


# kernels


def test_an_even_kernel_is_embedded_and_told_or_refused(run):
    np.save("even.npy", np.pad(KERNEL, ((0, 1), (0, 1))))
    code, out, _ = run("restore", "photo.png", "--kernel", "even.npy", "--error", "none", "--out", "y.png")
    assert code == 0 and "even size" in out and "moved by" in out
    line_ = refused(run, "restore", "photo.png", "--kernel", "even.npy", "--refuse-repair", "--out", "z.png")
    assert "one odd size" in line_


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: np.save("k.npy", np.zeros((5, 5))), "zero everywhere"),
        (lambda: np.save("k.npy", np.full((5, 5), np.nan)), "NaN or infinite"),
        (lambda: np.save("k.npy", -KERNEL), "negative values"),
        (lambda: np.save("k.npy", rng().random((5, 5, 3))), "channels differ"),
        (lambda: np.save("k.npy", gaussian(9)), "larger than half of the picture"),
        (lambda: Path("k.npy").write_bytes(b"nothing"), "cannot be read as an NPY"),
        (lambda: None, "no such file"),
    ],
)
def test_a_kernel_that_is_none_is_refused(run, make, said):
    make()
    assert said in refused(run, "restore", "photo.png", "--kernel", "k.npy", "--out", "y.png")


def test_what_a_kernel_needed_is_told(run):
    np.save("k.npy", 3 * np.pad(KERNEL, ((4, 0), (0, 0))))
    code, out, _ = run("restore", "photo.png", "--kernel", "k.npy", "--error", "none", "--out", "y.png")
    assert code == 0 and "divided by its sum" in out and "displaced by" in out
    PIL.Image.fromarray(np.dstack([np.round(255 * KERNEL / KERNEL.max()).astype(np.uint8)] * 3)).save("k.png")
    assert run("restore", "photo.png", "--kernel", "k.png", "--error", "none", "--out", "y.png", "--force")[0] == 0
    code, out, _ = run("restore", "photo.png", "--kernel", "delta", "--out", "y.png", "--force")
    assert code == 0 and "nothing to deblur" in out
    code, out, err = run("restore", "photo.png", "--kernel", "motion:9,120", *FAST[2:], "--out", "y.png", "--force")
    assert code == 0 and "Kernel inconsistent" in err
    code, out, _ = run("kernel", "k.npy", "--out", "canonical.npy")
    assert (
        code == 0 and "9 x 9 pixels" in out and np.load("canonical.npy") == pytest.approx(KERNEL[1:-1, 1:-1]) and "-0" not in out
    )


def test_orientations_are_compared_and_nothing_is_switched(run):
    np.save("mirrored.npy", KERNEL[:, ::-1])
    words = ("restore", "photo.png", "--kernel", "mirrored.npy", "--error", "none", "--noise-std", 0.01)
    code, out, _ = run(*words, "--check-orientation")
    rows = {row[0]: float(row[2]) for row in map(str.split, out.splitlines()) if len(row) > 2 and re.fullmatch(r"[\d.]+", row[2])}
    assert code == 0 and len(rows) == 8 and min(rows, key=rows.__getitem__) in ("left-right", "up-down")
    assert "nothing was switched" in out and "(same as given)" in out and not list(Path().glob("y.*"))
    run(*words, "--out", "given.png", "--check-orientation")
    run(*words, "--out", "turned.png", "--orientation", "left-right")
    np.save("right.npy", KERNEL)
    run("restore", "photo.png", "--kernel", "right.npy", *FAST[2:], "--out", "right.png")
    assert Path("turned.png").read_bytes() == Path("right.png").read_bytes() != Path("given.png").read_bytes()
    assert "--orientation is one of" in refused(run, *words, "--orientation", "askew", "--out", "z.png")
    assert "say with --out" in refused(run, *words)


def test_a_kernel_is_estimated_and_restored_with(run):
    code, _, err = run("restore", "photo.png", "--kernel", "estimate:11", "--error", "none", "--out", "y.png")
    assert code == 0 and "estimating the kernel: scale" in err
    code, out, err = run("estimate-kernel", "photo.png", "--size", 11, "--out", "k.png")
    assert code == 0 and "11 x 11" in out
    assert run("restore", "photo.png", "--kernel", "k.png", "--error", "none", "--out", "z.png")[0] == 0
    assert "odd" in refused(run, "estimate-kernel", "photo.png", "--size", 12, "--out", "l.png")
    assert "at most half" in refused(run, "restore", "photo.png", "--kernel", "estimate:41", "--out", "l.png")
    assert "estimate:SIZE" in refused(run, "restore", "photo.png", "--kernel", "estimate:big", "--out", "l.png")


def test_a_camera_that_turned_is_estimated_and_restored_with(run):
    words = ("restore", "photo.png", "--error", "none", "--noise-std", 0.01, "--kernel")
    code, out, err = run(*words, "estimate-rotation:11", "--out", "y.png", "--kernel-out", "k.csv")
    assert (
        code == 0
        and "kernels of a camera that turned" in err
        and "The camera turned by" in out.replace("the camera", "The camera")
    )
    assert run("estimate-kernel", "photo.png", "--rotation", "--size", 11, "--noise-std", 0.01, "--out", "e.csv")[0] == 0
    assert Path("e.csv").read_bytes() == Path("k.csv").read_bytes()
    assert run(*words, "k.csv", "--out", "z.png", "--kernel-out", "k.npy")[0] == 0
    kernels = np.load("k.npy")
    assert kernels.shape[0] % 3 == 0 and kernels.sum() == pytest.approx(9)
    assert "--check-orientation compares one" in refused(run, *words, "k.csv", "--check-orientation")
    assert "takes --prior tv" in refused(run, *words, "k.csv", "--prior", "dip", "--out", "l.png")
    assert "--kernel-out writes" in refused(run, *words, "estimate", "--out", "l.png", "--kernel-out", "l.csv")
    Path("k.csv").write_text("1,2,3\n")
    assert "first line" in refused(run, *words, "k.csv", "--out", "l.png")


# mistakes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("restore none.png KERNEL --out y.png", "no such file"),
        ("restore holed.npy KERNEL --out y.npy", "NaN or infinite"),
        ("restore flat.png KERNEL --out y.png", "constant"),
        ("restore white.npy KERNEL --out y.npy", "constant"),
        ("restore small.png KERNEL --out y.png", "larger than half"),
        ("restore volume.npy KERNEL --out y.npy", "is a volume"),
        ("restore torn.png KERNEL --out y.png", "damaged"),
        ("restore photo.png --kernel nothing:3 --out y.png", "known are gaussian"),
        ("restore photo.png --kernel motion:0,3 --out y.png", ""),
        ("restore photo.png KERNEL --prior nothing --out y.png", "no prior is called"),
        ("restore photo.png KERNEL --error all --out y.png", "error model is one of"),
        ("restore photo.png KERNEL --gamma 2.2 --out y.png", "--gamma is auto"),
        ("restore photo.png KERNEL --noise-std 0 --out y.png", "above 0"),
        ("restore photo.png KERNEL --weight -1 --out y.png", "above 0"),
        ("restore photo.png KERNEL --spread 1 --out y.png", "at least 2"),
        ("restore photo.png KERNEL --spread 2 --kernel-error bend:~3 --out y.png", "no kernel error"),
        ("restore photo.png KERNEL --mask photo2.png --out y.png", "the image (72, 72)"),
        ("restore photo.png KERNEL --mask zero.npy --out y.png", "marks no pixel"),
        ("restore photo.png KERNEL --out y.jpg", "--out writes .png"),
        ("restore photo.png KERNEL --out photo.png", "also an input"),
        ("restore photo.png KERNEL --out y.png --kernel-out y.png", "also --out"),
        ("restore photo.png KERNEL --out y.png --json all.txt", "--json writes .json"),
        ("restore photo.png KERNEL --out folder.png", "is a folder"),
        ("restore photo.png KERNEL --out photo.png/y.png", "cannot be written"),
        ("restore folder.png KERNEL --out folder.png", "choose another one"),
        ("restore folder.png KERNEL --out ys --mask-out m.png", "goes with one photograph"),
        ("restore folder.png KERNEL --out photo.png", "name a folder"),
        ("simulate photo.png KERNEL --out y.png --noise-std -1", "from 0 to 1"),
        ("simulate photo.png KERNEL --out y.png --kernel-error rotation:10", "--given-out"),
        ("simulate photo.png KERNEL --out y.png --kernel-error bend:1 --given-out k.npy", "no kernel error"),
        ("simulate photo.png KERNEL --out y.png --bits 16", "take --out FILE.tif"),
        ("simulate photo.png KERNEL --out y.png --reduce 9", "--reduce is a whole number"),
        ("simulate small.png KERNEL --out y.png", "too small for a kernel"),
        ("compare photo.png photo2.png", "one size"),
        ("compare photo.png light.npy", "colour"),
        ("compare photo.png photo.png --border 33", "fewer than 11 pixels"),
        ("compare photo.png photo.png KERNEL", "both --kernel and --true-kernel"),
        ("kernel even.npy --refuse-repair", "one odd size"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(run, words, said):
    np.save("holed.npy", np.where(np.eye(72) > 0, np.nan, LIGHT[..., 1]))
    np.save("white.npy", np.ones((72, 72), np.uint8) * 255)
    np.save("volume.npy", np.stack([LIGHT[..., 1]] * 9))
    np.save("zero.npy", np.zeros((72, 72)))
    np.save("even.npy", np.ones((4, 4)) / 16)
    PIL.Image.fromarray(np.full((72, 72), 90, np.uint8)).save("flat.png")
    PIL.Image.fromarray(BYTES[:14, :14]).save("small.png")
    PIL.Image.fromarray(BYTES[:60]).save("photo2.png")
    Path("torn.png").write_bytes(Path("photo.png").read_bytes()[:900])
    Path("folder.png").mkdir()
    Path("folder.png/a.jpg").write_bytes(Path("photo.png").read_bytes())
    assert said in refused(run, *words.replace("KERNEL", "--kernel motion:9,30").split())


def test_outputs_are_tried_before_any_work(run, monkeypatch):
    monkeypatch.setattr(steps.Restoration, "find_image", lambda _: pytest.fail("it computed first"))
    for option, name in {"--out": "photo.png/y.png", "--kernel-out": "k.txt", "--residual-out": "photo.png/r.npy"}.items():
        words = {"--out": "y.png", option: name}
        refused(run, "restore", "photo.png", *FAST, *(part for pair in words.items() for part in pair))
    monkeypatch.undo()
    assert not Path("new").exists()


def test_a_missing_folder_is_made(run):
    assert run("restore", "photo.png", *FAST, "--out", "new/er/y.png")[0] == 0 and Path("new/er/y.png").exists()


def test_a_gpu_that_is_not_there_is_an_error(tmp_path):
    PIL.Image.fromarray(BYTES).save(tmp_path / "photo.png")
    words = ["restore", "photo.png", "--kernel", "disk:2", "--out", "y.png", "--gpu", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUDA")} | {"PATH": str(tmp_path)}
    command = [sys.executable, "-m", "sciml.cli", "deblurring", *words]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and "no GPU found" in ended.stderr and ended.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_the_picture_goes_to_the_card(run, monkeypatch):
    from sciml.deblurring.commands import single

    seen = []

    class Places:
        def to(self, device):
            seen.append(device)
            return DISPLAYED

    DISPLAYED = read_photo(Path("photo.png")).values
    photo = read_photo(Path("photo.png"))
    monkeypatch.setattr(single, "read_photo", lambda *_: PhotoOnCard(photo, Places()))
    single.restore_file(
        Path("photo.png"), single.Outputs(Path("y.png")), single.JobSpec(*FAST[1:2], 0.01, error="none"), "cuda", print
    )
    assert seen == ["cuda"]


class PhotoOnCard:
    """A photograph whose values tell where they are sent."""

    def __init__(self, photo, values) -> None:
        self.photo, self.values = photo, values

    def __getattr__(self, name):
        return getattr(self.photo, name)
