"""One vocabulary of options in all commands, names of before, and what every command checks before its work."""

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
import typer
import typer.main
from docs.blocks import PAGES, prose
from imports import ROOT

from sciml import cli
from sciml.options import command, is_output

REPOSITORY = ROOT.parent
POSITIONAL_OUT = {("compression", "encode"), ("compression", "decode"), ("init",)}
# what each shared word is: number of values, and whether it is given more than once
VOCABULARY = {
    "--out": (1, False),
    "--json": (1, False),
    "--force": (0, False),
    "--range": (2, False),
    "--noise-std": (1, False),
    "--prior-noise-std": (1, False),
    "--prior": (1, False),
    "--weight": (1, False),
    "--set": (1, True),
    "--option": (1, True),
    "--tier": (1, False),
    "--data-tier": (1, False),
    "--threads": (1, False),
    "--jobs": (1, False),
    "--gpu": (1, False),
    "--seed": (1, False),
    "--mask": (1, False),
    "--kernel": (1, False),
    "--closure": (1, False),
}
OTHER_WORDS = {
    *("--output", "--overwrite", "--window", "--sigma", "--noise", "--prior-sigma", "--weights", "--start", "--parameter"),
    *("--summary", "--certificate", "--curve", "--picture", "--progress", "--strict", "--lenient", "--lambda", "--gpus"),
    *("--processes", "--workers", "--cores", "--device", "--in", "--verbose", "--master-seed", "--random-seed"),
}


def mounted() -> typer.core.TyperGroup:
    groups = list(cli.app.registered_groups)
    try:
        cli._mount()
        return typer.main.get_command(cli.app)
    finally:
        cli.app.registered_groups[:] = groups


TREE = mounted()


def user_commands() -> dict[tuple[str, ...], typer.core.TyperCommand]:
    """Return every command that is shown, but for the stages of the workflow."""
    found, waiting = {}, [((), TREE)]
    while waiting:
        words, one = waiting.pop()
        below = getattr(one, "commands", None)
        if below is None:
            found[words] = one
        elif words != ("stage",):
            waiting += [((*words, name), more) for name, more in below.items() if not more.hidden]
    return dict(sorted(found.items()))


COMMANDS = user_commands()


def options(one) -> list:
    return [param for param in one.params if param.param_type_name == "option" and not param.hidden]


def test_a_word_means_one_thing_and_a_thing_has_one_word():
    wrong = []
    for words, one in COMMANDS.items():
        for param in options(one):
            for name in param.opts:
                if name in OTHER_WORDS:
                    wrong.append(f"{' '.join(words)} {name}: the vocabulary has another word")
                if name in VOCABULARY:
                    values = 0 if getattr(param, "is_flag", False) else param.nargs
                    if (values, bool(param.multiple)) != VOCABULARY[name]:
                        wrong.append(f"{' '.join(words)} {name}: takes {values} values, repeated {param.multiple}")
        outputs = [param for param in one.params if is_output(param.name)]
        if any(param.param_type_name == "argument" for param in outputs) and words not in POSITIONAL_OUT:
            wrong.append(f"{' '.join(words)}: its result has no --out")
        if outputs and "--force" not in [name for param in one.params for name in param.opts]:
            wrong.append(f"{' '.join(words)}: writes, and has no --force")
    assert len(COMMANDS) > 50 and not wrong, "\n".join(wrong)


def test_shared_options_are_said_in_the_same_words():
    """`--seed`, `--gpu`, `--threads` and others come from one module, with one text of help."""
    texts: dict[str, set[str]] = {}
    for one in COMMANDS.values():
        for param in options(one):
            for name in set(param.opts) & {"--seed", "--gpu", "--threads", "--force", "--set", "--data-tier"}:
                texts.setdefault(name, set()).add(param.help)
    assert {name for name, found in texts.items() if len(found) > 1} <= {"--data-tier"}
    assert {name: len(found) for name, found in texts.items()}["--seed"] == 1


def test_reports_have_one_form():
    forms = {
        tuple(name for param in one.params for name in param.opts) for words, one in COMMANDS.items() if words[1:] == ("report",)
    }
    assert forms == {("results", "--out", "--tier", "--set", "--force")}


def test_every_help_shows_a_command_that_is_there():
    bad = []
    for words, one in COMMANDS.items():
        shown = shown_commands((one.help or "").replace("\n", " "))
        if not any(line[1 : 1 + len(words)] == list(words) for line in shown):
            bad.append(f"{' '.join(words)}: no example")
        bad += [f"{' '.join(words)}: {told}" for line in shown if (told := what_is_wrong(line))]
    assert not bad, "\n".join(bad)


def shown_commands(text: str) -> list[list[str]]:
    """Return the `sciml` lines of a text as words; `;`, `&&`, `|`, comments and backquotes end one."""
    found = []
    for start in re.finditer(r"(?<![\w./-])sciml (?=[a-z])", text):
        line = re.split(r"\s#\s|`|;|&&| \|| > |\n|\)\s|$", text[start.start() :].replace("\\\n", " "), maxsplit=1)[0]
        try:
            words = shlex.split(line.strip().rstrip(".,:"))
        except ValueError:
            continue
        if len(words) > 1 and words[1] in TREE.commands:
            found.append(words)
    return found


def what_is_wrong(words: list[str]) -> str:
    """Return what is wrong with a shown command: a name that is not there, or an option that it has not or not any more."""
    node = TREE
    for place, word in enumerate(words[1:], 1):
        below = getattr(node, "commands", None)
        if below is None and not isinstance(node, typer.core.TyperGroup):
            break
        if not re.fullmatch(r"[a-z-]+", word):
            return ""
        node = node.get_command(None, word) if node is not None else None
        if node is None:
            return f"{shlex.join(words)}: there is no {' '.join(words[: place + 1])}"
        if node.hidden and words[1] != "stage":
            return f"{shlex.join(words)}: {word} is a name of before"
    known = {name for param in getattr(node, "params", ()) for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    if "OUT" in getattr(node, "old", {}) and len(words) > 3 and "--out" not in words:
        return f"{shlex.join(words)}: without --out"
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{shlex.join(words)}: no option {wrong[0]}" if wrong else ""


def test_every_command_of_the_manuals_is_there():
    """Names and options of all lines and code spans that call `sciml`, but for the blocks that `tests/docs` runs."""
    texts = {name: prose(name) for name in PAGES} | {"Makefile": (REPOSITORY / "Makefile").read_text()}
    lines = [(name, line) for name, text in texts.items() for line in shown_commands(text) if "example" not in line]
    bad = [f"{name}: {told}" for name, line in lines if (told := what_is_wrong(line))]
    assert len(lines) > 25 and not bad, "\n".join(bad)


# names of before


@pytest.fixture
def group():
    """A group whose commands write down what they are given."""
    app, given = typer.Typer(), {}

    @app.callback()
    def root() -> None:
        """A group."""

    def simulate(
        out: Path, noise_std: float = 0.0, range: tuple[float, float] | None = None, force: bool = False, json: Path | None = None
    ) -> None:
        """Write down."""
        given.update(out=out, noise_std=noise_std, range=range, force=force, json=json)

    from typing import Annotated

    simulate.__annotations__ |= {
        "out": Annotated[Path, typer.Option("--out")],
        "force": Annotated[bool, typer.Option("--force")],
    }
    old = {"--sigma": "--noise-std", "--window": "--range", "--overwrite": "--force", "OUT": "--out", "--json": "-"}
    command(app, "simulate", old)(simulate)
    return lambda *words: (given.clear(), typer.main.get_command(app)(["simulate", *words], standalone_mode=False), given)[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "a", "--sigma", "2"], {"noise_std": 2.0}),
        (["--out=a", "--sigma=2"], {"noise_std": 2.0}),
        (["a", "--sigma", "2"], {"noise_std": 2.0}),
        (["--sigma", "2", "a"], {"noise_std": 2.0}),
        (["--out", "a", "--window", "-160", "240"], {"range": (-160.0, 240.0)}),
        (["--out", "a", "--window=-160,240"], {"range": (-160.0, 240.0)}),
        (["a", "--window", "0,4000", "--overwrite"], {"range": (0.0, 4000.0), "force": True}),
        (["a", "--json"], {"json": Path("-")}),
        (["a", "--json", "b.json"], {"json": Path("b.json")}),
    ],
)
def test_names_of_before_are_taken(group, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert group(*words) == {"out": Path("a"), "noise_std": 0.0, "range": None, "force": False, "json": None} | expected


OLD_NAMES = [
    (words, old, new) for words, one in COMMANDS.items() for old, new in sorted(getattr(one, "old", {}).items()) if new[:1] == "-"
]


def test_every_name_of_before_leads_to_an_option_and_is_not_shown():
    assert len(OLD_NAMES) > 25
    for words, old, new in OLD_NAMES:
        known = {name for param in COMMANDS[words].params for name in (*param.opts, *param.secondary_opts)}
        assert new == "-" or (new in known and old not in known), (words, old, new)
    shown = {(words, old) for words, old, _ in OLD_NAMES}
    before = {("imaging", "--set"), ("imaging", "--parameter"), ("proximal", "--sigma"), ("proximal", "--output")}
    before |= {("proximal", "--certificate"), ("proximal", "--curve"), ("proximal", "--picture"), ("proximal", "--prior-sigma")}
    before |= {("deblurring", name) for name in ("--overwrite", "--summary", "--progress", "--strict", "--set", "--noise")}
    before |= {("active-fluid", name) for name in ("--model", "--weights", "--picture", "--noise")}
    before |= {("compression", name) for name in ("--window", "--strict", "--threads")}
    before |= {("progression", "--picture"), ("progression", "--threads"), ("data", "--tier"), ("data", "--strict")}
    assert before <= {(words[0], old) for words, old in shown}


# files


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
    writers = {" ".join(words) for words, one in COMMANDS.items() if any(is_output(param.name) for param in one.params)}
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
