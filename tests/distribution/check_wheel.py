"""The wheel in an environment of its own, outside the checkout: what it carries runs, with the packages of its extra alone.

    python tests/distribution/check_wheel.py                      # [all]: every family, the workflow in a folder of its own
    python tests/distribution/check_wheel.py --extra compression  # one extra: its family runs, the help says which do not
    python tests/distribution/check_wheel.py --borrow             # packages of this interpreter's environment, the wheel on top

Builds the wheel, makes a virtual environment in a temporary folder, installs the wheel with pip and runs a command of every
family on files of a user: a picture and a volume that are exported, cropped and labelled here. Of `[all]` it lays the workflow
down, plans every study and makes one at the tier ci. Prints the size of the environment.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
FILES = """
import nibabel, numpy
from PIL import Image
Image.open("astronaut.png").crop((180, 60, 244, 124)).save("photo.png")
brain = nibabel.load("brain.nii.gz")
values = brain.get_fdata()
inside = values > 0.05
labels = numpy.where(values > 0.75, 2, 3) * inside
places = numpy.argwhere(inside)
random = numpy.random.default_rng(0)
for code in (4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 24, 26, 28, 41, 42, 43, 44, 49, 50, 51, 52, 53, 54, 58, 60):
    cube = tuple(slice(max(0, place - 6), place + 6) for place in places[random.integers(len(places))])
    labels[cube][inside[cube]] = code
nibabel.save(nibabel.Nifti1Image(labels.astype("uint8"), brain.affine), "labels.nii.gz")
with open("scans.csv", "w") as table:
    table.write("subject,age,sex,diagnosis,image,segmentation,split\\nanna,70,F,CN,brain.nii.gz,labels.nii.gz,test\\n")
"""
EXPORTS = ("astronaut --out astronaut.png", "mni2009c_t1 --out brain.nii.gz")
# commands of every extra, and a file that they make
USES = {
    "imaging": ("imaging solve photo.png --task denoise --option sigma=0.05 --out tv.png", "tv.png"),
    "proximal": ("proximal denoise photo.png --noise-std 0.05 --out lpn.png", "lpn.png"),
    "deblurring": ("deblurring restore photo.png --kernel motion:7,30 --out sharp.png", "sharp.png"),
    "active-fluid": ("active-fluid simulate --alpha -1 --zeta 0.5 --until 1 --closure neural --out run.zarr", "run.zarr"),
    "compression": ("compression encode photo.png photo.nic --bpp 0.5; compression decode photo.nic back.png", "back.png"),
    "progression": (
        "progression prepare scans.csv --out cohort; progression forecast cohort --out forecasts --subject anna --years 3",
        "forecasts/anna/trajectory.nii.gz",
    ),
}


class Environment:
    """A virtual environment in a folder, and a folder to work in beside it."""

    def __init__(self, root: Path) -> None:
        self.home, self.work = root / "environment", root / "work"
        self.work.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SCIML_STRICT", "MAKE"))}
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.variables = {**kept, "PATH": path, "VIRTUAL_ENV": str(self.home), "OMP_NUM_THREADS": "1", "SCIML_STRICT": "1"}
        subprocess.run([sys.executable, "-m", "venv", self.home], check=True)

    def call(self, *command: str, code: int = 0, folder: str = ".") -> str:
        """Run a command in a folder below the one to work in; return what it printed."""
        began = time.monotonic()
        result = subprocess.run(
            command,
            cwd=self.work / folder,
            env=self.variables,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if result.returncode != code:
            sys.exit(f"{result.stdout}\n{shlex.join(command)}: exit code {result.returncode}, expected {code}")
        print(f"{time.monotonic() - began:6.1f} s  {shlex.join(command).splitlines()[0]}", flush=True)
        return result.stdout

    def sciml(self, words: str, code: int = 0) -> str:
        """Run a command of the workbench."""
        return self.call("sciml", *shlex.split(words), code=code)

    def borrow(self) -> None:
        """Let the environment see the packages of this interpreter, behind its own, and their command snakemake."""
        place = next((self.home / "lib").iterdir()) / "site-packages" / "borrowed.pth"
        place.write_text(sysconfig.get_path("purelib") + "\n")
        program = self.home / "bin" / "snakemake"
        program.write_text(f"#!{self.home / 'bin' / 'python'}\nfrom snakemake.cli import main\n\nmain()\n")
        program.chmod(0o755)

    def mebibytes(self) -> int:
        """Return the size of the installed packages, without compiled code of Python."""
        files = (path for path in self.home.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return sum(path.lstat().st_size for path in files) // 2**20


def names(extra: str) -> set[str]:
    """Return the extras that an extra stands for."""
    inside = [one.partition("[")[2].rstrip("]").split(",") for one in EXTRAS[extra] if one.startswith("sciml-workbench[")]
    return {extra}.union(*(names(name) for part in inside for name in part))


def check_families(environment: Environment, extras: set[str]) -> None:
    """Run what is installed on a user's files; what is not says so."""
    for words in EXPORTS:
        environment.sciml(f"data export {words}")
    environment.call("python", "-c", FILES)
    listed = re.sub(r"[\s│]+", " ", environment.sciml("--help"))
    for extra, (commands, made) in USES.items():
        if extra in extras:
            for words in commands.split("; "):
                environment.sciml(words)
            if not (environment.work / made).exists():
                sys.exit(f"{extra} made no {made}")
        elif f"NOT INSTALLED, pip install 'sciml-workbench[{extra}]'" not in listed:
            sys.exit(f"{extra} is not installed, and the help does not say so")


def check_workflow(environment: Environment) -> None:
    """Lay the workflow down, plan all of it, and make a small study to its page."""
    environment.sciml("init studies")
    folder = environment.work / "studies"
    environment.call("snakemake", "-n", "--quiet", "all", "--config", "tier=ci", folder="studies")
    settings = yaml.safe_load((folder / "config/ci.yaml").read_text())
    studies = settings["imaging"]["studies"]
    settings["imaging"]["studies"] = {"denoise": {**studies["denoise"], "size": [32, 32], "methods": ["tv"]}}
    (folder / "config/ci.yaml").write_text(yaml.safe_dump(settings))
    environment.call("make", "demo", "TIER=ci", "FAMILY=imaging", folder="studies")
    if "denoise" not in (folder / "reports/imaging.html").read_text() or not (folder / "reports/index.html").exists():
        sys.exit("make demo wrote no page")


def main() -> None:
    """Check one extra."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--extra", default="all", choices=["core", *EXTRAS])
    parser.add_argument("--borrow", action="store_true", help="packages of this interpreter's environment")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="sciml-wheel-"))
    try:
        environment = Environment(root)
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", str(root), str(ROOT)]
        subprocess.run(pip, check=True)
        (wheel,) = root.glob("*.whl")
        extra = "" if arguments.extra == "core" else f"[{arguments.extra}]"
        wanted = ["--no-deps", str(wheel)] if arguments.borrow else ["-c", str(ROOT / "constraints.txt"), f"{wheel}{extra}"]
        environment.call("python", "-m", "pip", "install", "-q", "--disable-pip-version-check", *wanted)
        if arguments.borrow:
            environment.borrow()
        print(f"{arguments.extra}: {environment.mebibytes()} MiB", flush=True)
        place = environment.call("python", "-c", "import sciml; print(sciml.__file__)").strip()
        if not Path(place).is_relative_to(environment.home):
            sys.exit(f"not the wheel's package: {place}")
        extras = names(arguments.extra) if arguments.extra in EXTRAS else set()
        check_families(environment, extras)
        if {"imaging", "workflow"} <= extras:
            check_workflow(environment)
        print(f"good: {arguments.extra}")
    finally:
        if not arguments.keep:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
