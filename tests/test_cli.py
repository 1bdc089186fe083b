"""The command line as a user meets it: help, one line for every mistake, and whole ways from a file to a score."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import PIL.Image
import pydicom
import pytest
import tifffile
import torch
from command_line import root_command
from pydicom.data import get_testdata_file

from sciml.families import families
from sciml.formats.read import read_image
from sciml.runtime.files import load_tensors, save_tensors

ROWS, COLUMNS = np.mgrid[:48, :40] / 40
SCENE = (0.5 + 0.4 * np.sin(6 * COLUMNS) * np.cos(5 * ROWS)).astype(np.float32)


@pytest.fixture
def run(sciml_command):
    """Run one command in an empty folder; return (exit code, standard output, standard error)."""
    return sciml_command


def commands() -> dict[tuple[str, ...], Any]:
    """Return every command and group by its words."""
    found, waiting = {}, [((), root_command(tuple(families())))]
    while waiting:
        words, command = waiting.pop()
        found[words] = command
        waiting += [((*words, name), below) for name, below in getattr(command, "commands", {}).items()]
    return dict(sorted(found.items()))


def test_every_help_teaches(run):
    bad = {}
    for words, command in commands().items():
        code, out, err = run(*words, "--help")
        text = " ".join(re.sub(r"[│╭╰─╮╯]", " ", out).split())
        first = " ".join(command.help.split()[:4]).replace("`", "")
        taught = len(command.help) > 15 and first in text.replace("`", "") and " ".join(("Usage:", *words)).split()[-1] in text
        silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
        for parameter in command.params:
            names = {parameter.name, getattr(parameter, "metavar", None) or parameter.name, *parameter.opts}
            if not any(name.replace("_", "-") in text.replace("_", "-") for name in names):
                silent.append(parameter.name)
        if code or err or silent or not taught:
            bad[" ".join(words)] = err or silent or out
    assert not bad


def test_there_are_as_many_commands_as_promised():
    found = commands()
    assert len(found) >= 25
    for words in (
        "doctor",
        "config show",
        "config check",
        "config schema",
        "data list",
        "data fetch",
        "data verify",
        "data card",
    ):
        assert tuple(words.split()) in found
    for words in ("data add", "imaging tasks", "imaging measure", "imaging solve", "imaging compare", "imaging report"):
        assert tuple(words.split()) in found


@pytest.fixture
def files(tmp_path):
    """Good and bad inputs in the folder that commands run in."""
    PIL.Image.fromarray((SCENE * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    PIL.Image.fromarray((SCENE[:8, :8] * 255).astype(np.uint8)).save(tmp_path / "tiny.png")
    PIL.Image.fromarray(np.full((40, 40), 7, np.uint8)).save(tmp_path / "flat.png")
    PIL.Image.fromarray((np.stack([SCENE, SCENE**2, 1 - SCENE], -1) * 255).astype(np.uint8)).save(tmp_path / "colour.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no image")
    holed = SCENE.copy()
    holed[3, 4] = np.nan
    np.save(tmp_path / "holed.npy", holed)
    kernels = {"even": np.ones((4, 4)) / 16, "negative": -np.ones((5, 5)) / 25, "big": np.ones((99, 99)) / 99**2}
    kernels |= {"oblong": np.ones((5, 3)) / 15, "line": np.ones(5) / 5, "box": np.ones((5, 5)), "deep": np.ones((5, 5, 3))}
    kernels |= {
        "known": SCENE > 0.3,
        "none": SCENE > 2,
        "small": np.ones((4, 4)),
        "words": np.array([["a"]]),
        "complex": 1j * SCENE[:5, :5].astype(float),
    }
    ramp = (SCENE - SCENE.min()) / np.ptp(SCENE)
    kernels |= {"hounsfield": ramp * 2000 - 1000, "low": ramp * 1.5 - 0.6, "high": ramp * 1.6, "volume": np.stack([SCENE] * 3)}
    for name, kernel in kernels.items():
        np.save(tmp_path / f"{name}.npy", kernel)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "typo.yaml").write_text("tier: ci\ndata_tier: ci\nimaging: {check_sise: [64, 64]}\n")
    (tmp_path / "negative.yaml").write_text("tier: ci\ndata_tier: ci\nimaging: {check_size: [-64, 64]}\n")
    (tmp_path / "broken.yaml").write_text("tier: [ci\n")
    (tmp_path / "list.yaml").write_text("- ci\n")
    return tmp_path


MEASURE = "imaging measure photo.png --out x.safetensors --task"
SOLVE = "imaging solve photo.png --task denoise --out y.png"
EVALUATE = "stage imaging evaluate --results r --output out --config"
DENOISE = "imaging solve --task denoise"
INPAINT = "imaging solve photo.png --task inpaint --out y.png --mask"
MISTAKES = [
    ("imaging nope", "No such command 'nope'"),
    ("imaging measure photo.png --out x.safetensors", "Missing option '--task'"),
    (f"{MEASURE} denoise --sigma 3", "No such option: --sigma"),
    (f"{MEASURE} denoise --seed x", "'--seed'"),
    (f"{MEASURE} nope", "no task is called 'nope'; there are denoise, deblur"),
    (f"{MEASURE} denoise --option views=3", "no option 'views'; it takes sigma"),
    (f"{MEASURE} denoise --option sigma=-1", "at least 0, got '-1'"),
    (f"{MEASURE} denoise --option sigma=nan", "got 'nan'"),
    (f"{MEASURE} denoise --option sigma=much", "got 'much'"),
    (f"{MEASURE} ct-sparse --option views=2.5", "got '2.5'"),
    (f"{MEASURE} denoise --option sigma", "an option looks like"),
    (f"{MEASURE} denoise --kernel box.npy", "--kernel goes with the task deblur"),
    (f"{MEASURE} deblur --option kernel=star", "not 'star'"),
    (f"{MEASURE} deblur --kernel even.npy", "odd size"),
    (f"{MEASURE} deblur --kernel negative.npy", "negative"),
    (f"{MEASURE} deblur --kernel big.npy", "larger than the image"),
    (f"{MEASURE} deblur --kernel oblong.npy", "square"),
    (f"{MEASURE} deblur --kernel line.npy", "square"),
    (f"{MEASURE} deblur --kernel deep.npy", "a kernel is a square 2-D array, deep.npy has shape (5, 5, 3)"),
    (f"{MEASURE} deblur --kernel words.npy", "words.npy holds values of type <U"),
    (f"{MEASURE} deblur --kernel box.npy --option kernel_size=5", "leave --option kernel_size away"),
    (f"{MEASURE} deblur --kernel box.npy --option width=5", "leave --option width away"),
    (f"{MEASURE} deblur --option kernel_size=9999", "the kernel (9999 pixels) is larger than the image (48 x 40)"),
    (f"{MEASURE} deblur --option kernel_size=41", "the kernel (41 pixels) is larger than the image (48 x 40)"),
    (f"{MEASURE} deblur --option kernel_size=x", "got 'x'"),
    ("imaging solve photo.png --task deblur --option kernel_size=9999 --out y.png", "(9999 pixels) is larger than the image"),
    (f"{MEASURE} ct-sparse --option range_degrees=0", "more than 0 and at most 360 degrees, got range_degrees=0"),
    (f"{MEASURE} ct-sparse --option range_degrees=361", "at most 360"),
    (f"{MEASURE} denoise --seed -1", "'--seed'"),
    (f"{MEASURE} denoise --range 2 2", "the lower one first, got 2 2"),
    (f"{MEASURE} deblur --kernel objects.npy", "objects.npy holds values of type object"),
    (f"{MEASURE} deblur --kernel absent.npy", "no such file: absent.npy"),
    (f"{MEASURE} deblur --kernel absent.png", "no such file: absent.png"),
    ("imaging measure photo.png --out x.png --task denoise", ".safetensors, got x.png"),
    ("imaging measure absent.png --out x.safetensors --task denoise", "no such file: absent.png"),
    ("imaging measure notes.txt --out x.safetensors --task denoise", "unknown suffix '.txt'"),
    ("imaging measure holed.npy --out x.safetensors --task denoise", "1 NaN or infinite values, the first at index (3, 4)"),
    ("imaging measure flat.png --out x.safetensors --task denoise", "is constant"),
    ("imaging measure cut.png --out x.safetensors --task denoise", "cut.png"),
    ("imaging measure tiny.png --out x.safetensors --task denoise", "at least 16 x 16 pixels"),
    (f"{SOLVE} --method nope", "method 'nope' does not apply to denoise; those that do: nlm"),
    (f"{SOLVE} --method fbp", "'fbp' does not apply to denoise"),
    (f"{SOLVE} --method prior:nope", "no prior is called 'nope'; installed: "),
    (f"{SOLVE} --method prior:tv:x", "the prior tv takes nothing after its name, got 'tv:x'"),
    (f"{SOLVE} --seed -1", "'--seed'"),
    (f"{SOLVE} --range 1 0", "the lower one first, got 1 0"),
    (f"{SOLVE} --range nan 1", "two finite numbers"),
    (f"{SOLVE} --option sigma=20", "sigma is on the scale from 0 to 1"),
    (f"{SOLVE} --mask known.npy", "--mask goes with the task inpaint, not with denoise"),
    (
        f"{DENOISE} hounsfield.npy --out y.npy",
        "hounsfield has values from -1000 to 1000, not on the scale from 0 to 1: say with --range",
    ),
    (f"{DENOISE} low.npy --out y.npy", "values from -0.6 to 0.9"),
    (f"{DENOISE} high.npy --out y.npy", "values from 0 to 1.6"),
    (f"{DENOISE} colour.png --out y.nii.gz", "NIfTI holds volumes, not colour"),
    (f"{DENOISE} volume.npy --out y.png", "PNG holds no volume (3 slices)"),
    (f"{DENOISE} photo.png --out .", "is a folder"),
    ("imaging solve photo.png --task inpaint --out y.png", "say with --mask FILE"),
    (f"{INPAINT} small.npy", "the mask small.npy has shape (4, 4), the image (48, 40)"),
    (f"{INPAINT} volume.npy", "a mask is a 2-D array"),
    (f"{INPAINT} none.npy", "marks no pixel as measured"),
    (f"{INPAINT} words.npy", "words.npy holds values of type <U"),
    (f"{INPAINT} complex.npy", "type complex128, not real numbers"),
    (f"{INPAINT} absent.npy", "no such file: absent.npy"),
    ("imaging solve photo.png --task mri-cs --out y.png", "no k-space: mri-cs is solved from a file of `sciml imaging measure`"),
    ("imaging solve photo.png --task ct-sparse --range 0 2 --out y.png", "leave --range away"),
    (f"{SOLVE} --weight 0", "is above 0, got 0"),
    ("imaging solve photo.png --out y.png", "say with --task"),
    ("imaging solve photo.png --task denoise --out y.gif", ".png, .tif, .npy, .nii or .nii.gz"),
    ("imaging solve absent.safetensors --out y.png", "no such file: absent.safetensors"),
    ("imaging compare photo.png absent.png", "no such file: absent.png"),
    ("imaging compare photo.png tiny.png", "does not fit into"),
    (f"{EVALUATE} {{", "--config is not valid JSON"),
    (f'{EVALUATE} {{"tasks":[],"task":1}}', "unknown key task; allowed here: tasks"),
    (f'{EVALUATE} {{"tasks":["nope"]}}', "tasks.0: Input should be 'denoise', 'deblur'"),
    (f"{EVALUATE} absent.json", "cannot read absent.json"),
    (f'{EVALUATE} {{"tasks":[]}}', "no such file: r"),
    ("config show --tier huge", "no tier is called 'huge'; there are ci, demo, cpu, gpu"),
    ("config show --tier ci --set master_seed", "an override looks like master_seed=3"),
    ("config show --tier ci --set master_seed=-3", "master_seed"),
    ("config show --tier ci --stage nope.train", "no family is called 'nope'"),
    ("config show --tier ci --stage imaging.nope", "no stage 'nope'; there are check, evaluate, measure, reconstruct, report"),
    ("config show --tier ci --stage imaging.measure", "is run for task, got []"),
    ("config show --tier ci --stage imaging.measure --argument nope", "have no task 'nope'"),
    ("config check ./absent.yaml", "cannot read the settings absent.yaml: No such file"),
    ("config check typo.yaml", "unknown key imaging.check_sise; allowed here: check_size, studies"),
    ("config check negative.yaml", "imaging.check_size.0: Input should be greater than or equal to 16, got -64"),
    ("config check broken.yaml", "not valid YAML"),
    ("config check list.yaml", "must be a YAML mapping of settings, got list"),
    ("data fetch --only nope", "no data set 'nope'"),
    ("report check absent.html", "absent.html"),
]


def test_a_mistake_is_one_line_and_leaves_nothing(run, files):
    before, bad = sorted(files.rglob("*")), {}
    for line, words in MISTAKES:
        code, out, err = run(*line.split())
        lines = [text for text in err.splitlines() if not text.startswith("sciml: warning:")]
        said = len(lines) == 1 and lines[0].startswith("sciml: error: ") and words in lines[0] and "Traceback" not in err
        if code != 2 or out or not said or sorted(files.rglob("*")) != before:
            bad[line] = (code, out, err)
    assert not bad


def test_debug_shows_where_and_keeps_the_exit_code(run, files):
    code, _, err = run("--debug", *f"{MEASURE} nope".split())
    assert code == 2 and "Traceback" in err and "in measure_file" in err
    assert err.splitlines()[-1].startswith("sciml: error: no task is called")


@pytest.mark.parametrize("words", ["doctor", "imaging compare photo.png photo.png", f"{SOLVE}"])
def test_ctrl_c_ends_with_130_and_one_line(run, files, monkeypatch, words):
    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("sciml.doctor.examine", stop)
    monkeypatch.setattr("sciml.imaging.tasks.problems.read_image", stop)
    monkeypatch.setattr("sciml.classical.commands.single.read_image", stop)
    code, out, err = run(*words.split())
    assert code == 130 and not out
    assert err.startswith("sciml: error: ") and "interrupted" in err and err.count("\n") == 1


def test_a_kernel_of_another_sum_is_normalised_with_a_warning_in_one_line(run, files):
    code, _, err = run(*f"{MEASURE} deblur --kernel box.npy --option sigma=0".split())
    assert code == 0
    assert err == "sciml: warning: the kernel sums to 25, not 1; it was normalised\n"
    tensors, record = load_tensors(files / "x.safetensors")
    assert record["options"]["kernel"] == "own" and tensors["kernel"].sum() == pytest.approx(1)
    assert tensors["data"].shape == (1, 1, 44, 36)
    expected = np.mean([[tensors["truth"][0, 0, i : 44 + i, j : 36 + j] for j in range(5)] for i in range(5)], axis=(0, 1))
    assert np.allclose(tensors["data"][0, 0], expected, atol=1e-5)
    assert run("imaging", "solve", "x.safetensors", "--method", "wiener", "--out", "y.png")[0] == 0
    assert PIL.Image.open(files / "y.png").size == (36, 44)


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


@pytest.mark.parametrize("mask", ["known.png", "known.npy"])
def test_missing_pixels_are_those_of_the_mask(run, tmp_path, monkeypatch, mask):
    known = np.random.default_rng(1).random(SCENE.shape) < 0.6
    if mask.endswith("png"):
        PIL.Image.fromarray(known.astype(np.uint8) * 255).save(tmp_path / mask)
    else:
        np.save(tmp_path / mask, known.astype(np.uint8))
    colours = np.stack([SCENE, SCENE**2, 1 - SCENE], -1)
    # what the missing pixels hold must not matter
    holes = np.where(known[..., None], colours, np.random.default_rng(2).random((*SCENE.shape, 1)))
    PIL.Image.fromarray((holes * 255).astype(np.uint8)).save(tmp_path / "holes.png")
    words = f"imaging solve holes.png --task inpaint --option sigma=0.005 --mask {mask} --out filled.npy"
    assert run(*words.split())[0] == 0
    filled = np.load(tmp_path / "filled.npy")
    assert filled.shape == colours.shape
    assert np.abs(filled - colours)[known].mean() < 0.01 and np.abs(filled - colours)[~known].mean() < 0.02
    given = []
    monkeypatch.setattr("sciml.classical.commands.single.reconstruct", lambda data, *rest: given.append(data) or data)
    assert run(*words.split(), "--force")[0] == 0
    assert torch.equal(given[0] == 0, torch.from_numpy(~known).expand(3, 1, -1, -1)), "a missing pixel is measured as 0"


def test_a_measurement_of_another_shape_is_refused(run, files):
    assert run(*f"{MEASURE} mri-cs".split())[0] == 0
    tensors, record = load_tensors(files / "x.safetensors")
    for data in (tensors["data"][:, :1], tensors["data"][..., :-1]):
        save_tensors(files / "x.safetensors", tensors | {"data": np.ascontiguousarray(data)}, record)
        code, _, err = run(*["imaging", "solve", "x.safetensors", "--out", "y.png"])
        assert code == 2 and f"measures (2, 48, 40) a picture, x.safetensors holds {data.shape[1:]}" in err
    save_tensors(files / "x.safetensors", tensors | {"data": np.repeat(tensors["data"], 2, 0)}, record)
    code, _, err = run(*["imaging", "solve", "x.safetensors", "--out", "y.png"])
    assert code == 2 and "not a measurement file" in err and not (files / "y.png").exists()


def test_a_wrong_output_is_refused_before_the_work(run, files, monkeypatch):
    monkeypatch.setattr("sciml.classical.commands.single.reconstruct", lambda *given: pytest.fail("solved first"))
    for name in ("y.gif", "y.jpg", "y"):
        code, _, err = run(*f"{DENOISE} photo.png --out {name}".split())
        assert code == 2 and ".png, .tif, .npy, .nii or .nii.gz" in err
    assert run(*["imaging", "measure", "colour.png", "--task", "denoise", "--out", "x.safetensors"])[0] == 0
    assert run(*["imaging", "solve", "x.safetensors", "--out", "y.nii"])[0] == 2


@pytest.mark.parametrize("words", [["--tier", "ci"], ["--tier", "ci", "own"]])
def test_the_report_looks_where_the_workflow_writes(run, tmp_path, monkeypatch, words):
    seen = []
    for name in ("own", "results/ci/imaging"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr("sciml.classical.stages.report.run", lambda config, results, output: seen.append((results, output)))
    assert run("imaging", "report", *words)[0] == 0
    assert seen == [(Path("own" if "own" in words else "results/ci/imaging"), Path("reports/imaging.html"))]


def test_the_report_of_a_study_of_ones_own_lies_beside_its_others(run, tmp_path, monkeypatch):
    seen = []
    (tmp_path / "my.yaml").write_text("base: ci\n")
    (tmp_path / "results/my/imaging").mkdir(parents=True)
    monkeypatch.setattr("sciml.classical.stages.report.run", lambda config, results, output: seen.append((results, output)))
    assert run("imaging", "report", "--tier", "my.yaml")[0] == 0
    assert seen == [(Path("results/my/imaging"), Path("reports/my/imaging.html"))]
    (tmp_path / "reports/my").mkdir(parents=True)
    (tmp_path / "reports/my/imaging.html").touch()
    assert run("imaging", "report", "--tier", "my.yaml")[0] == 2 and len(seen) == 1
    assert run("imaging", "report", "--tier", "my.yaml", "--force")[0] == 0 and len(seen) == 2


@pytest.mark.parametrize(
    ("before", "today"),
    [
        (
            "imaging solve photo.png --task denoise --set sigma=0.05 --method tv --parameter 0.8 --out y.png",
            "imaging solve photo.png --task denoise --option sigma=0.05 --method tv --weight 0.8 --out y.png",
        ),
        (
            "imaging solve photo.png --task denoise --method prior:tv --out y.npy",
            "imaging solve photo.png --task denoise --prior tv --out y.npy",
        ),
        ("imaging evaluate photo.png photo.png", "imaging compare photo.png photo.png"),
        ("imaging stage evaluate --help", "stage imaging evaluate --help"),
        ("data list --tier ci", "data list --data-tier ci"),
    ],
)
def test_lines_of_before_do_what_those_of_today_do(run, files, before, today):
    found = []
    for words in (before, today):
        code, out, err = run(*words.split())
        assert code == 0, err
        results = {path.name: path.read_bytes() for path in files.glob("y.*")}
        found.append((out.replace("imaging stage", "stage imaging"), results))
        for path in files.glob("y.*"):
            path.unlink()
    assert found[0] == found[1]


def test_a_prior_by_name_solves(run, files):
    assert run(*f"{SOLVE} --prior tv --option sigma=0.05".split())[0] == 0
    assert np.abs(np.asarray(PIL.Image.open(files / "y.png")) / 255 - SCENE).mean() < 0.05


def test_config_show_resolves_a_tier_a_stage_and_overrides(run):
    code, out, _ = run("config", "show", "--tier", "ci")
    settings = json.loads(out)
    assert code == 0 and settings["tier"] == "ci" and settings["imaging"]["studies"]["denoise"]["size"] == [128, 128]
    words = "config show --tier ci --stage imaging.measure --argument denoise --set imaging.studies.denoise.test_images=2"
    part = json.loads(run(*words.split())[1])
    assert part["task"] == "denoise" and part["test_images"] == 2 and part["seed"] == settings["master_seed"]
    from sciml.imaging.tasks.studies import MeasureConfig

    assert set(part) == set(MeasureConfig.model_fields)


def test_config_check_accepts_every_tier_and_names_the_schema(run):
    code, out, _ = run("config", "check")
    assert code == 0 and out.splitlines() == ["ci: good", "demo: good", "cpu: good", "gpu: good"]
    assert json.loads(run("config", "schema")[1])["properties"]["imaging"]


def test_the_help_and_a_wrong_setting_load_no_framework():
    program = (
        "import sys, contextlib\nfrom sciml import cli\nfor words in (['--help'], ['config', 'check', './absent.yaml']):\n"
        "    sys.argv = ['sciml', *words]\n    with contextlib.suppress(SystemExit):\n        cli.main()\n"
        "print(sorted({'torch', 'jax', 'numpy', 'deepinv'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout.splitlines()[-1] == "[]", result.stdout + result.stderr
    assert result.stderr.count("sciml: error:") == 1
