"""What every command checks before its work: what it would write over, and what is wrong with its inputs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
from command_line import user_commands
from imports import ROOT

from sciml.options import is_output

REPOSITORY = ROOT.parent


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Good files, of which every command below reads one."""
    folder = tmp_path_factory.mktemp("files")
    scene = (0.5 + 0.4 * np.sin(np.mgrid[:48, :40][1] / 7) * np.cos(np.mgrid[:48, :40][0] / 5)).astype(np.float32)
    PIL.Image.fromarray((scene * 255).astype(np.uint8)).save(folder / "photo.png")
    PIL.Image.fromarray((scene * 200).astype(np.uint8)).save(folder / "other.png")
    np.save(folder / "kernel.npy", np.ones((5, 5)) / 25)
    nibabel.save(nibabel.Nifti1Image(np.stack([scene] * 4, -1), np.eye(4)), folder / "scan.nii.gz")
    from sciml.runtime.files import save_tensors

    save_tensors(folder / "w.safetensors", {"x": np.zeros(3)})
    (folder / "table.csv").write_text("subject,age\n")
    (folder / "settings.yaml").write_text("grid: 4.5mm\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "a.txt").write_text("a")
    (folder / "page.html").write_text("<html></html>")
    return folder


# a line for each command that writes; OUT is what it writes
WRITES = {
    "imaging measure": "photo.png --task denoise --out OUT.safetensors",
    "imaging solve": "photo.png --task denoise --out OUT.png",
    "imaging report": "folder --out OUT.html",
    "proximal denoise": "photo.png --out OUT.png",
    "proximal reconstruct": "photo.png --task denoise --out OUT.png",
    "proximal prior": "photo.png --picture-out OUT.png",
    "proximal repair": "w.safetensors --out OUT.safetensors",
    "proximal train": "short --tier ci --out OUT",
    "proximal report": "folder --out OUT.html",
    "deblurring restore": "photo.png --kernel kernel.npy --out OUT.png",
    "deblurring estimate-kernel": "photo.png --out OUT.npy",
    "deblurring simulate": "photo.png --kernel kernel.npy --out OUT.png",
    "deblurring compare": "photo.png other.png --json OUT.json",
    "deblurring kernel": "kernel.npy --out OUT.png",
    "deblurring report": "folder --out OUT.html",
    "active-fluid growth-rates": "--out OUT.csv",
    "active-fluid infer": "kernel.npy --out OUT.json",
    "active-fluid simulate": "--out OUT.zarr",
    "active-fluid train": "--tier ci --out OUT",
    "active-fluid evaluate": "--tier ci --out OUT",
    "active-fluid report": "folder --out OUT.html",
    "compression encode": "photo.png OUT.nic",
    "compression decode": "photo.nic OUT.png",
    "compression info": "photo.nic --json OUT.json",
    "compression bench": "photo.png --out OUT",
    "compression train": "folder --tier ci --out OUT",
    "compression evaluate": "--tier ci --out OUT",
    "compression report": "folder --out OUT.html",
    "progression simulate": "--out OUT",
    "progression check": "scan.nii.gz --picture-out OUT.png",
    "progression prepare": "table.csv --out OUT",
    "progression train-autoencoder": "cohort --out OUT",
    "progression train-diffusion": "cohort --autoencoder w.safetensors --out OUT",
    "progression train-controlnet": "cohort --autoencoder w.safetensors --diffusion w.safetensors --out OUT",
    "progression fit-course": "cohort --out OUT",
    "progression assemble": "--autoencoder w.safetensors --denoiser w.safetensors --course w.safetensors --out OUT.safetensors",
    "progression convert-weights": "--autoencoder w.safetensors --unet w.safetensors --controlnet w.safetensors "
    "--out OUT.safetensors",
    "progression forecast": "cohort --out OUT",
    "progression evaluate": "cohort --calibration cohort --model w.safetensors --out OUT",
    "progression report": "folder --out OUT.html",
    "matrix report": "folder --out OUT.html",
    "flow-from-images report": "folder --out OUT.html",
    "scan-to-forecast report": "folder --out OUT.html",
    "report overview": "folder --out OUT",
    "report gallery": "folder --out OUT",
    "report shot": "page.html --out OUT.png",
    "init": "OUT",
    "data card": "--out OUT",
    "data export": "astronaut --out OUT.png",
}


# of commands that go on with a folder: what in it tells that they were finished
FINISHED = {
    "proximal train": "short.safetensors",
    "active-fluid train": "offline/provenance.json",
    "active-fluid evaluate": "evaluate/scores.json",
    "compression train": "train/model.safetensors",
}


# a run that is there is gone on with
GOES_ON = {"active-fluid simulate"}


def test_every_command_that_writes_is_tried():
    writers = {" ".join(words) for words, one in user_commands().items() if any(is_output(param.name) for param in one.params)}
    assert writers == WRITES.keys()


PROGRAM = """
import contextlib, io, json, sys
from sciml import cli
groups = list(cli.app.registered_groups)
told = []
for words in json.load(sys.stdin):
    cli.app.registered_groups[:] = groups
    sys.argv = ["sciml", *words]
    err, code = io.StringIO(), 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    heavy = sorted({"torch", "jax", "deepinv", "monai"} & set(sys.modules))
    told.append([code, err.getvalue(), heavy])
    if heavy:
        break
print(json.dumps(told))
"""


def called(folder: Path, lines: list[list[str]]) -> list[tuple[int, str, list[str]]]:
    """Run commands in one process; return of each the exit code, standard error, and what heavy packages were loaded after it."""
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(lines), cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def cohort(files) -> Path:
    """A folder that passes for a cohort."""
    sys.path.insert(0, str(REPOSITORY / "tests" / "progression"))
    from tiny_learning import write_tiny_cohort

    write_tiny_cohort(files / "cohort")
    return files


def test_nothing_is_written_over_without_force_nor_over_an_input(cohort):
    """An output that is there, and an output that is an input, are refused by every command, before anything heavy is loaded."""
    (cohort / "photo.nic").write_bytes(b"")
    lines, expected = [], []
    for name, line in WRITES.items():
        words = [*name.split(), *line.split()]
        place = next(index for index, word in enumerate(words) if word.startswith("OUT"))
        out = cohort / words[place].replace("OUT", f"there-{name.replace(' ', '-')}")
        if name not in GOES_ON:
            if out.suffix:
                out.write_text("kept")
            elif name in FINISHED:
                (out / FINISHED[name]).parent.mkdir(parents=True)
                (out / FINISHED[name]).write_text("kept")
            else:
                out.mkdir()
                (out / "provenance.json").write_text("kept")
            lines.append([*words[:place], out.name, *words[place + 1 :]])
            expected.append(r"is there already: --force writes over it|is a folder that is not empty")
        source = next((word for word in words[2:place] if (cohort / word).is_file()), None)
        if source and Path(source).suffix == out.suffix:
            lines.append([*words[:place], source, *words[place + 1 :], *(["--force"] if "encode" not in name else [])])
            expected.append("also an input")
    before = {path: path.read_bytes() for path in cohort.rglob("*") if path.is_file()}
    told = called(cohort, lines)
    wrong = [
        f"{shlex.join(line)}: {code} {err} {heavy}"
        for line, words, (code, err, heavy) in zip(lines, expected, told, strict=False)
        if code != 2 or not re.search(words, err) or heavy or err.count("\n") != 1
    ]
    assert not wrong, "\n".join(wrong)
    assert len(told) == len(lines) and {path: path.read_bytes() for path in cohort.rglob("*") if path.is_file()} == before


# a line for each command that reads a file of the user's; IN is that file, and its suffix
READS = {
    "imaging measure": "IN.png --task denoise --out y.safetensors",
    "imaging solve": "IN.png --task denoise --out y.png",
    "imaging solve --kernel": "photo.png --task deblur --kernel IN.png --out y.png",
    "imaging solve --mask": "photo.png --task inpaint --mask IN.png --out y.png",
    "imaging solve scan": "IN.safetensors --out y.png",
    "imaging compare": "IN.png photo.png",
    "proximal denoise": "IN.png --out y.png",
    "proximal denoise --model": "photo.png --model IN.safetensors --out y.png",
    "proximal reconstruct": "IN.safetensors --out y.png",
    "proximal prior": "IN.nii.gz",
    "proximal evaluate": "IN.png",
    "proximal certify": "IN.safetensors",
    "proximal repair": "IN.safetensors --out y.safetensors",
    "deblurring restore": "IN.png --kernel motion:5,30 --out y.png",
    "deblurring restore --kernel": "photo.png --kernel IN.png --out y.png",
    "deblurring estimate-kernel": "IN.png --out y.npy",
    "deblurring simulate": "IN.png --kernel motion:5,30 --out y.png",
    "deblurring compare": "photo.png IN.png",
    "deblurring kernel": "IN.png",
    "active-fluid infer": "IN.npz",
    "active-fluid simulate": "--initial IN.npy --out y.zarr",
    "active-fluid evaluate": "--model IN.safetensors --out y",
    "compression encode": "IN.png y.nic",
    "compression decode": "IN.nic y.png",
    "compression verify": "IN.nic",
    "compression info": "IN.nic",
    "compression bench": "IN.png",
    "compression evaluate": "--model IN.safetensors --out y",
    "progression check": "IN.nii.gz",
    "progression forecast": "IN.nii.gz --age 71 --sex F --diagnosis CN --out y",
    "progression forecast --model": "cohort --model IN.safetensors --out y",
    "progression train-autoencoder": "IN.csv --out y",
    "progression assemble": "--autoencoder IN.safetensors --denoiser w.safetensors --course w.safetensors --out y.safetensors",
}


def test_a_bad_input_is_refused_before_anything_heavy_is_loaded(cohort):
    """Absent, empty, something else under the suffix, cut short: exit code 2 and one line."""
    lines, kinds = [], {"absent": None, "empty": 0.0, "text": 1.0, "cut": 0.5}
    for name, line in READS.items():
        suffix = re.findall(r"IN(\.\S+)", line)[0]
        whole = next(
            (path.read_bytes() for path in sorted(cohort.glob(f"*{suffix}")) if path.stem.split(".")[0] not in kinds), b""
        )
        for kind, share in kinds.items():
            bad = cohort / f"{kind}{suffix}"
            if share is not None:
                bad.write_bytes(b"this is text\n" if kind == "text" else whole[: int(share * len(whole))])
            lines.append([*name.split()[:2], *line.replace(f"IN{suffix}", bad.name).split()])
    told = called(cohort, lines)
    wrong = [
        f"{shlex.join(line)}: {code} {err} {heavy}"
        for line, (code, err, heavy) in zip(lines, told, strict=False)
        if code != 2 or heavy or not err.startswith("sciml: error: ") or err.count("\n") != 1
    ]
    assert not wrong, "\n".join(wrong)
    assert len(told) == len(lines)
