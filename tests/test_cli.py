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
import pytest
import tifffile
import typer.main
from pydicom.data import get_testdata_file

from sciml import cli
from sciml.runtime.files import load_tensors

ROWS, COLUMNS = np.mgrid[:48, :40] / 40
SCENE = (0.5 + 0.4 * np.sin(6 * COLUMNS) * np.cos(5 * ROWS)).astype(np.float32)


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run one command in an empty folder; return (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SCIML_DEBUG"):
        monkeypatch.setenv(name, "1" if name.endswith("THREADS") else "")
    monkeypatch.delenv("SCIML_REPORTS", raising=False)
    registered = (list(cli.app.registered_groups), list(cli.app.registered_commands))

    def call(*words: object) -> tuple[int, str, str]:
        cli.app.registered_groups[:] = registered[0]
        monkeypatch.setattr(sys, "argv", ["sciml", *map(str, words)])
        capfd.readouterr()
        code: int | str | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        captured = capfd.readouterr()
        return int(code or 0), captured.out, captured.err

    yield call
    cli.app.registered_groups[:] = registered[0]


def commands() -> dict[tuple[str, ...], Any]:
    """Return every command and group by its words."""
    groups = list(cli.app.registered_groups)
    try:
        cli._mount()
        found, waiting = {}, [((), typer.main.get_command(cli.app))]
        while waiting:
            words, command = waiting.pop()
            found[words] = command
            waiting += [((*words, name), below) for name, below in getattr(command, "commands", {}).items()]
        return dict(sorted(found.items()))
    finally:
        cli.app.registered_groups[:] = groups


@pytest.mark.parametrize(("words", "command"), commands().items(), ids=[" ".join(words) for words in commands()])
def test_every_help_teaches(run, words, command):
    code, out, err = run(*words, "--help")
    assert code == 0 and not err
    text = " ".join(re.sub(r"[│╭╰─╮╯]", " ", out).split())
    assert " ".join(("Usage:", *words)).split()[-1] in text
    first = " ".join(command.help.split()[:4]).replace("`", "")
    assert len(command.help) > 15 and first in text.replace("`", "")
    silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
    assert not silent, f"without a word of help: {silent}"
    missing = [parameter.name for parameter in command.params if parameter.name.replace("_", "-") not in text.replace("_", "-")]
    assert set(missing) <= {"options", "overrides"}, missing


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
    for words in ("data add", "imaging tasks", "imaging measure", "imaging solve", "imaging evaluate", "imaging report"):
        assert tuple(words.split()) in found


@pytest.fixture
def files(tmp_path):
    """Good and bad inputs in the folder that commands run in."""
    PIL.Image.fromarray((SCENE * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    PIL.Image.fromarray((SCENE[:8, :8] * 255).astype(np.uint8)).save(tmp_path / "tiny.png")
    PIL.Image.fromarray(np.full((40, 40), 7, np.uint8)).save(tmp_path / "flat.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:200])
    (tmp_path / "notes.txt").write_text("no image")
    holed = SCENE.copy()
    holed[3, 4] = np.nan
    np.save(tmp_path / "holed.npy", holed)
    kernels = {"even": np.ones((4, 4)) / 16, "negative": -np.ones((5, 5)) / 25, "big": np.ones((99, 99)) / 99**2}
    kernels |= {"oblong": np.ones((5, 3)) / 15, "line": np.ones(5) / 5, "box": np.ones((5, 5))}
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
EVALUATE = "imaging stage evaluate --measurements m --reconstructions r --output out --config"
MISTAKES = [
    ("imaging nope", "No such command 'nope'"),
    ("imaging measure photo.png --out x.safetensors", "Missing option '--task'"),
    (f"{MEASURE} denoise --sigma 3", "No such option: --sigma"),
    (f"{MEASURE} denoise --seed x", "'--seed'"),
    (f"{MEASURE} nope", "no task is called 'nope'; there are denoise, deblur"),
    (f"{MEASURE} denoise --set views=3", "no option 'views'; it takes sigma"),
    (f"{MEASURE} denoise --set sigma=-1", "at least 0, got '-1'"),
    (f"{MEASURE} denoise --set sigma=nan", "got 'nan'"),
    (f"{MEASURE} denoise --set sigma=much", "got 'much'"),
    (f"{MEASURE} ct-sparse --set views=2.5", "got '2.5'"),
    (f"{MEASURE} denoise --set sigma", "an option looks like"),
    (f"{MEASURE} denoise --kernel box.npy", "--kernel goes with the task deblur"),
    (f"{MEASURE} deblur --set kernel=star", "not 'star'"),
    (f"{MEASURE} deblur --kernel even.npy", "odd size"),
    (f"{MEASURE} deblur --kernel negative.npy", "negative"),
    (f"{MEASURE} deblur --kernel big.npy", "larger than the image"),
    (f"{MEASURE} deblur --kernel oblong.npy", "square"),
    (f"{MEASURE} deblur --kernel line.npy", "square"),
    (f"{MEASURE} deblur --kernel objects.npy", "not a numeric NPY"),
    (f"{MEASURE} deblur --kernel absent.npy", "absent.npy: No such file"),
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
    (f"{SOLVE} --parameter 0", "is above 0, got 0"),
    ("imaging solve photo.png --out y.png", "say with --task"),
    ("imaging solve photo.png --task denoise --out y.gif", ".png, .tif, .npy, .nii or .nii.gz"),
    ("imaging solve absent.safetensors --out y.png", "no such file: absent.safetensors"),
    ("imaging evaluate photo.png absent.png", "no such file: absent.png"),
    ("imaging evaluate photo.png tiny.png", "does not fit into"),
    (f"{EVALUATE} {{", "--config is not valid JSON"),
    (f'{EVALUATE} {{"rang":1}}', "unknown key rang; allowed here: data_range"),
    (f'{EVALUATE} {{"data_range":-1}}', "data_range: Input should be greater than 0, got -1"),
    (f"{EVALUATE} absent.json", "cannot read absent.json"),
    (f"{EVALUATE} {{}}", "no such file: m"),
    ("config show --tier huge", "no tier is called 'huge'; there are ci, demo, cpu, gpu"),
    ("config show --tier ci --set master_seed", "an override looks like master_seed=3"),
    ("config show --tier ci --set master_seed=-3", "master_seed"),
    ("config show --tier ci --stage nope.train", "no family is called 'nope'"),
    ("config show --tier ci --stage imaging.nope", "no stage 'nope'; there are check, evaluate, measure, report, solve, tune"),
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


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_line_and_leaves_nothing(run, files, line, words):
    before = sorted(files.rglob("*"))
    code, out, err = run(*line.split())
    lines = [text for text in err.splitlines() if not text.startswith("sciml: warning:")]
    assert code == 2, (out, err)
    assert len(lines) == 1 and lines[0].startswith("sciml: error: ") and words in lines[0], err
    assert not out and "Traceback" not in err
    assert sorted(files.rglob("*")) == before


def test_debug_shows_where(run, files):
    with pytest.raises(Exception, match="no task is called"):
        run("--debug", *f"{MEASURE} nope".split())


def test_a_kernel_of_another_sum_is_normalised_with_a_warning_in_one_line(run, files):
    code, _, err = run(*f"{MEASURE} deblur --kernel box.npy --set sigma=0".split())
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
    """Return the PSNR of each line of `sciml imaging evaluate`."""
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
    code, out, _ = run(*f"imaging measure {name} --task denoise --set sigma=0.1 --seed 3 --out noisy.safetensors".split())
    assert code == 0 and "sciml imaging solve noisy.safetensors" in out
    data, record = load_tensors(tmp_path / "noisy.safetensors")
    noise = data["data"] - data["truth"]
    assert len(noise) == parts and record["seed"] == 3 and noise.std() == pytest.approx(0.1, rel=0.05)
    assert run(*f"imaging solve noisy.safetensors --method tv --out {result}".split())[0] == 0
    code, out, _ = run("imaging", "evaluate", result, name)
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
    assert run("imaging", "measure", source, "--task", "ct-sparse", "--set", "views=30", "--out", "scan.safetensors")[0] == 0
    for method in ("fbp", "tv"):
        assert run("imaging", "solve", "scan.safetensors", "--method", method, "--out", f"{method}.npy")[0] == 0
    by_fbp, by_tv = (scores(run("imaging", "evaluate", f"{method}.npy", source)[1])[0] for method in ("fbp", "tv"))
    assert by_tv > by_fbp + 3 and by_fbp > 20
    # a sinogram of one's own holds line integrals in pixels, far above 1
    data, _ = load_tensors(tmp_path / "scan.safetensors")
    from sciml.imaging.tasks import task

    np.save(tmp_path / "sinogram.npy", data["data"][0, 0] * task("ct-sparse", (128, 128), views=30).physics.scale)
    words = "imaging solve sinogram.npy --task ct-sparse --set views=30 --method fbp --out alone.npy"
    assert run(*words.split())[0] == 0
    assert np.allclose(np.load(tmp_path / "alone.npy"), np.load(tmp_path / "fbp.npy"), atol=1e-4)
    code, _, err = run(*words.replace("views=30", "views=20").split())
    assert code == 2 and "(20, 182)" in err and "30, 182" in err


def test_a_prior_by_name_solves(run, files):
    assert run(*f"{SOLVE} --method prior:tv --set sigma=0.05".split())[0] == 0
    assert np.abs(np.asarray(PIL.Image.open(files / "y.png")) / 255 - SCENE).mean() < 0.05


def test_config_show_resolves_a_tier_a_stage_and_overrides(run):
    code, out, _ = run("config", "show", "--tier", "ci")
    settings = json.loads(out)
    assert code == 0 and settings["tier"] == "ci" and settings["imaging"]["studies"]["denoise"]["size"] == [128, 128]
    words = "config show --tier ci --stage imaging.measure --argument denoise --set imaging.studies.denoise.test_images=2"
    part = json.loads(run(*words.split())[1])
    assert part["task"] == "denoise" and part["test_images"] == 2 and part["seed"] == settings["master_seed"]
    from sciml.imaging.config import MeasureConfig

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
