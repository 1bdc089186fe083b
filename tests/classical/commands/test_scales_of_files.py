"""Files of one's own through `sciml imaging`: their scale, bits, units and place in space come back."""

from __future__ import annotations

import re
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pydicom
import pytest
import tifffile
import torch
from pydicom.data import get_testdata_file
from scenes import SCENE

from sciml.formats.read import read_image
from sciml.runtime.files import load_tensors


def scores(text: str) -> list[float]:
    """Return the PSNR of each line of `sciml imaging compare`."""
    return [float(number) for number in re.findall(r"PSNR (-?[\d.]+) dB", text)]


def save_volume(path: Path) -> None:
    volume = np.stack([SCENE, 0.9 * SCENE, 0.8 * SCENE], axis=-1) * 1000
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.int16), np.diag([2.0, 1.5, 3.0, 1.0])), path)


WAYS = {
    "photo.png": ("clean.png", 1, lambda path: PIL.Image.fromarray((SCENE * 255).astype(np.uint8)).save(path)),
    "colour.jpg": (
        "clean.png",
        3,
        lambda path: PIL.Image.fromarray((np.stack([SCENE, SCENE**2, 1 - SCENE], -1) * 255).astype(np.uint8)).save(
            path, quality=95
        ),
    ),
    "deep.tif": ("clean.tif", 1, lambda path: tifffile.imwrite(path, (SCENE * 65535).astype(np.uint16))),
    "array.npy": ("clean.npy", 1, lambda path: np.save(path, SCENE)),
    "volume.nii.gz": ("clean.nii.gz", 3, save_volume),
}


@pytest.mark.parametrize("name", WAYS)
def test_measure_solve_and_evaluate_a_file_of_ones_own(run, tmp_path, name):
    result, parts, save = WAYS[name]
    save(tmp_path / name)
    code, out, _ = run(*f"imaging measure {name} --task denoise --option sigma=0.1 --seed 3 --out noisy.safetensors".split())
    assert code == 0 and "sciml imaging solve noisy.safetensors" in out
    data, record = load_tensors(tmp_path / "noisy.safetensors")
    noise = data["data"] - data["truth"]
    assert len(noise) == parts and record["seed"] == 3 and noise.std() == pytest.approx(0.1, rel=0.05)
    assert run(*f"imaging solve noisy.safetensors --method tv --out {result}".split())[0] == 0
    code, out, _ = run("imaging", "compare", result, name)
    found = scores(out)
    assert code == 0 and len(found) == parts
    # the noise is at 20 dB; total variation gains at least 6 dB on a smooth scene
    assert min(found) > 26, out


def test_a_volume_keeps_its_place_in_space(run, tmp_path):
    save_volume(tmp_path / "volume.nii.gz")
    assert run(*["imaging", "measure", "volume.nii.gz", "--task", "denoise", "--out", "noisy.safetensors"])[0] == 0
    assert run(*["imaging", "solve", "noisy.safetensors", "--method", "nlm", "--out", "clean.nii.gz"])[0] == 0
    source, result = (nibabel.load(tmp_path / name) for name in ("volume.nii.gz", "clean.nii.gz"))
    assert sorted(result.header.get_zooms()) == [1.5, 2.0, 3.0]
    corner = nibabel.as_closest_canonical(result)
    assert np.allclose(corner.affine, nibabel.as_closest_canonical(source).affine)


def test_a_slice_of_dicom_and_its_sinogram_alone(run, tmp_path):
    source = get_testdata_file("CT_small.dcm")
    assert run("imaging", "measure", source, "--task", "ct-sparse", "--option", "views=30", "--out", "scan.safetensors")[0] == 0
    for method in ("fbp", "tv"):
        assert run("imaging", "solve", "scan.safetensors", "--method", method, "--out", f"{method}.npy")[0] == 0
    by_fbp, by_tv = (scores(run("imaging", "compare", f"{method}.npy", source)[1])[0] for method in ("fbp", "tv"))
    assert by_tv > by_fbp + 3 and by_fbp > 20
    # a sinogram of one's own holds line integrals in pixels, far above 1
    data, _ = load_tensors(tmp_path / "scan.safetensors")
    from sciml.imaging.tasks.task import task

    np.save(tmp_path / "sinogram.npy", data["data"][0, 0] * task("ct-sparse", (128, 128), views=30).physics.scale)
    words = "imaging solve sinogram.npy --task ct-sparse --option views=30 --method fbp --out alone.npy"
    assert run(*words.split())[0] == 0
    # the sinogram knows no Hounsfield units: what it comes from had the window from 0 to 1
    assert np.allclose(np.load(tmp_path / "alone.npy").clip(0, 1) * 2000 - 1000, np.load(tmp_path / "fbp.npy"), atol=0.2)
    code, _, err = run(*words.replace("views=30", "views=20").split(), "--force")
    assert code == 2 and "measures (1, 20, 182) a picture, sinogram.npy holds (1, 30, 182)" in err


NOISY = SCENE + 0.1 * np.random.default_rng(0).normal(size=SCENE.shape).astype(np.float32)


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0, 1, ""), (0, 255, "--range 0 255"), (-1000, 1000, "--range -1000 1000")], ids=str
)
def test_a_noisy_float_file_is_solved_on_its_own_scale(run, tmp_path, low, high, words):
    from sciml.imaging.solvers.classical import tv
    from sciml.imaging.tasks.task import task

    for name, array in {"noisy": NOISY, "truth": SCENE}.items():
        np.save(tmp_path / f"{name}.npy", array * (high - low) + low)
    for result in ("clean.npy", "clean.tif", "clean.nii.gz", "clean.png"):
        line = f"imaging solve noisy.npy --task denoise --option sigma=0.1 {words} --out {result}"
        assert run(*line.split())[0] == 0
    physics = task("denoise", SCENE.shape, sigma=0.1).physics
    expected = tv(torch.from_numpy(NOISY)[None, None], physics)[0, 0].numpy()
    assert np.allclose(np.load(tmp_path / "clean.npy"), expected * (high - low) + low, atol=1e-4 * (high - low))
    assert np.array_equal(tifffile.imread(tmp_path / "clean.tif"), np.load(tmp_path / "clean.npy"))
    assert nibabel.load(tmp_path / "clean.nii.gz").shape == (40, 48, 1)
    assert np.abs(np.asarray(PIL.Image.open(tmp_path / "clean.png")) / 255 - expected.clip(0, 1)).max() < 0.003
    given = 10 * np.log10(1 / np.mean((expected - SCENE) ** 2))
    for result in ("clean.npy", "clean.tif", "clean.nii.gz", "clean.png"):
        found = scores(run(*f"imaging compare {result} truth.npy {words}".split())[1])
        assert found == [pytest.approx(given, abs=0.3 if result.endswith("png") else 0.02)] and given > 25


def test_what_rings_beyond_the_scale_is_kept(run, tmp_path):
    np.save(tmp_path / "noisy.npy", NOISY * 1.3 - 0.2)
    assert (
        run(
            *[
                "imaging",
                "solve",
                "noisy.npy",
                "--task",
                "denoise",
                "--option",
                "sigma=0.001",
                "--method",
                "tv",
                "--out",
                "same.npy",
            ]
        )[0]
        == 0
    )
    assert np.allclose(np.load(tmp_path / "same.npy"), NOISY * 1.3 - 0.2, atol=0.01)
    assert np.load(tmp_path / "same.npy").min() < 0 and np.load(tmp_path / "same.npy").max() > 1


def test_both_files_are_scored_on_the_truths_scale(run, tmp_path):
    volume = np.stack([SCENE, SCENE**2, 1 - SCENE], axis=-1) * 1000
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "truth.nii")
    nibabel.save(nibabel.Nifti1Image(volume * 0.5 + 20, np.eye(4)), tmp_path / "half.nii")
    found = scores(run("imaging", "compare", "half.nii", "truth.nii")[1])
    turned = np.moveaxis(volume, 2, 0)
    expected = [10 * np.log10(volume.max() ** 2 / np.mean((part * 0.5 - 20) ** 2)) for part in turned]
    assert found == pytest.approx(expected, abs=0.006)
    expected = [score + 20 * np.log10(2000 / volume.max()) for score in expected]
    found = scores(run(*["imaging", "compare", "half.nii", "truth.nii", "--range", "-500", "1500"])[1])
    assert found == pytest.approx(expected, abs=0.006)


def test_a_measurement_remembers_its_range_and_the_result_returns_to_it(run, tmp_path):
    save_volume(tmp_path / "volume.nii.gz")
    stored = np.asarray(nibabel.load(tmp_path / "volume.nii.gz").dataobj)
    words = "imaging measure volume.nii.gz --task denoise --option sigma=0.001 --out m.safetensors"
    for given, low, high in (("", 0, stored.max()), ("--range 200 600", 200, 600)):
        assert run(*words.split(), *given.split(), "--force")[0] == 0
        tensors, record = load_tensors(tmp_path / "m.safetensors")
        assert record["value_range"] == [low, high] and record["bits"] is None
        assert tensors["truth"].min() >= 0 and tensors["truth"].max() == 1
        assert run(*["imaging", "solve", "m.safetensors", "--out", "back.nii.gz", "--force"])[0] == 0
        back = nibabel.as_closest_canonical(nibabel.load(tmp_path / "back.nii.gz")).get_fdata()
        assert np.allclose(back, stored.clip(low, high), atol=0.01 * high)
    assert (
        run("imaging", "measure", get_testdata_file("CT_small.dcm"), "--task", "denoise", "--out", "m.safetensors", "--force")[0]
        == 0
    )
    assert load_tensors(tmp_path / "m.safetensors")[1]["value_range"] == [-1000, 1000]


def test_hounsfield_units_keep_window_and_spacing(run, tmp_path):
    source = get_testdata_file("CT_small.dcm")
    stored = pydicom.dcmread(source).pixel_array.astype(np.float32) - 1024
    assert stored.max() > 1000
    np.save(tmp_path / "cut.npy", stored.clip(-1000, 1000))
    assert "PSNR inf dB" in run("imaging", "compare", "cut.npy", source)[1]
    words = "--task denoise --range -1000 1000 --option sigma=0.00001 --out same.nii.gz"
    assert run("imaging", "solve", source, *words.split())[0] == 0
    same = nibabel.load(tmp_path / "same.nii.gz")
    assert same.header.get_zooms() == pytest.approx((0.661468, 0.661468, 1)) and same.shape == (128, 128, 1)
    assert np.allclose(same.get_fdata()[..., 0].T, stored, atol=1)
    assert run("imaging", "solve", source, *words.replace(".nii.gz", ".png").split())[0] == 0
    levels = np.asarray(PIL.Image.open(tmp_path / "same.png"))
    assert levels.dtype == np.uint8 and np.abs(levels / 255 * 2000 - 1000 - stored.clip(-1000, 1000)).max() < 5


def test_a_deblurred_volume_has_no_place_but_its_spacing(run, tmp_path):
    save_volume(tmp_path / "volume.nii.gz")
    words = "imaging measure volume.nii.gz --task deblur --option kernel_size=7 --out m.safetensors"
    assert run(*words.split())[0] == 0
    assert run("imaging", "solve", "m.safetensors", "--method", "wiener", "--out", "sharp.nii.gz")[0] == 0
    sharp = nibabel.load(tmp_path / "sharp.nii.gz")
    assert sharp.shape == (42, 34, 3) and sharp.header.get_zooms() == pytest.approx((2, 1.5, 3))
    at_corner, placed = (read_image(tmp_path / name).affine for name in ("sharp.nii.gz", "volume.nii.gz"))
    assert placed[:3, 3].any() and not np.allclose(at_corner, placed)


def test_sixteen_bits_stay_sixteen(run, tmp_path):
    deep = (SCENE * 65535).astype(np.uint16)
    PIL.Image.fromarray(deep).save(tmp_path / "deep.png")
    assert run(*["imaging", "solve", "deep.png", "--task", "denoise", "--option", "sigma=0.0001", "--out", "same.png"])[0] == 0
    result = np.asarray(PIL.Image.open(tmp_path / "same.png")).astype(int)
    assert result.max() > 255 and np.abs(result - deep).max() < 65
    assert run(*["imaging", "measure", "deep.png", "--task", "denoise", "--option", "sigma=0", "--out", "m.safetensors"])[0] == 0
    assert run(*["imaging", "solve", "m.safetensors", "--method", "nlm", "--out", "again.png"])[0] == 0
    assert np.asarray(PIL.Image.open(tmp_path / "again.png")).max() > 255
