"""`sciml imaging` as a user meets it: one line for every mistake, and whole ways from a file to a score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from command_line import not_one_line
from scenes import SCENE

from sciml.runtime.files import load_tensors, save_tensors


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
    return tmp_path


MEASURE = "imaging measure photo.png --out x.safetensors --task"
SOLVE = "imaging solve photo.png --task denoise --out y.png"
EVALUATE = "stage imaging evaluate --results r --output out --config"
DENOISE = "imaging solve --task denoise"
INPAINT = "imaging solve photo.png --task inpaint --out y.png --mask"
MISTAKES = [
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
]


def test_a_mistake_is_one_line_and_leaves_nothing(run, files):
    assert not not_one_line(run, files, MISTAKES)


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


def test_a_prior_by_name_solves(run, files):
    assert run(*f"{SOLVE} --prior tv --option sigma=0.05".split())[0] == 0
    assert np.abs(np.asarray(PIL.Image.open(files / "y.png")) / 255 - SCENE).mean() < 0.05


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
