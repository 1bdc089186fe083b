"""Imports point down only: the layers of the architecture, read from the source; and what a plain import loads."""

from __future__ import annotations

import ast
import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sciml

ROOT = Path(sciml.__file__).parent
SHARED = {"imaging", "datasets", "training", "runtime", "report"}
FAMILIES = {"proximal", "deblurring", "progression", "active_fluid", "compression"}
TORCH = {"torch", "torchvision", "deepinv", "monai"}
JAX = {"jax", "jaxlib", "equinox", "optax", "diffrax", "jax_cfd"}
HEAVY = TORCH | JAX | {"numpy", "scipy", "skimage", "matplotlib", "altair", "nibabel", "PIL", "pandas"}
WITHOUT_FRAMEWORK = {"runtime", "datasets", "report"}
LIGHT = {"typer", "pydantic", "sciml", *sys.stdlib_module_names}
# what a command line or a settings module may import of this package when it is itself imported
LIGHT_SIBLINGS = (
    *("config", "config_vectors", "domains", "models", "structures", "catalogue"),
    *("cli", "stage_cli", "study_cli", "uses_cli", "bench_cli", "data_cli"),
)
LIGHT_MODULES = ("sciml.runtime", "sciml.families", "sciml.settings", "sciml.stages")

MODULES = sorted(path for path in ROOT.rglob("*.py") if "resources" not in path.parts)
every_module = pytest.mark.parametrize("path", MODULES, ids=[path.relative_to(ROOT).as_posix() for path in MODULES])


def place(path: Path) -> str:
    """Return the first-level package of a module, or an empty text for one at the top."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path, everywhere: bool) -> Iterator[str]:
    """Yield the dotted names that a module imports, with those inside functions when `everywhere`."""
    package = ".".join(path.relative_to(ROOT.parent).parent.parts)
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parent = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
                base = ".".join([*parent, *([node.module] if node.module else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                waiting += node.orelse
            elif everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                waiting.append(node)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@every_module
def test_nobody_below_imports_a_family(path):
    above = {"studies", "cli", "settings", "families"}
    if place(path) in FAMILIES | above or path.stem in above:
        return
    wrong = [name for name in imports(path, True) for family in FAMILIES | {"studies"} if within(name, f"sciml.{family}")]
    assert not wrong, f"{path.name} imports {wrong}"


@every_module
def test_families_do_not_import_one_another(path):
    if place(path) not in FAMILIES:
        return
    others = FAMILIES - {place(path)}
    assert not [name for name in imports(path, True) for family in others if within(name, f"sciml.{family}")]


@every_module
def test_runtime_and_training_know_no_other_shared_package(path):
    below = {"runtime": {"imaging", "datasets", "training", "report"}, "training": {"imaging", "report"}, "report": {"imaging"}}
    wrong = [name for name in imports(path, False) for other in below.get(place(path), ()) if within(name, f"sciml.{other}")]
    assert not wrong, f"{path.name} imports {wrong}"


@every_module
def test_torch_and_jax_stay_where_they_belong(path):
    forbidden = set()
    if place(path) in WITHOUT_FRAMEWORK or path.parent == ROOT:
        forbidden = TORCH | JAX
    elif place(path) == "active_fluid":
        forbidden = TORCH
    elif place(path) in FAMILIES | {"imaging", "training"}:
        forbidden = JAX
    # the card of a stage is claimed in the runtime before the framework loads: it may ask torch inside a function
    used = {name.partition(".")[0] for name in imports(path, everywhere=place(path) != "runtime")}
    assert not used & forbidden, f"{path.name} imports {used & forbidden}"


@every_module
def test_command_lines_and_settings_import_light_modules_only(path):
    if path.name not in ("cli.py", "stage_cli.py", "config.py", "domains.py", "models.py", "structures.py"):
        return
    names = set(imports(path, everywhere=False))
    assert {name.partition(".")[0] for name in names} <= LIGHT
    own = {name for name in names if within(name, "sciml")} - {"sciml"}
    siblings = ".".join(path.relative_to(ROOT.parent).parent.parts)
    own_light = tuple(f"{siblings}.{name}" for name in LIGHT_SIBLINGS)
    allowed = (
        *LIGHT_MODULES,
        *own_light,
        "sciml.__version__",
        "sciml.imaging.tasks.catalogue",
        "sciml.imaging.tasks.studies",
        "sciml.classical.commands",
    )
    assert not [name for name in own if not any(within(name, module) for module in allowed)]


def loaded(program: str) -> set[str]:
    """Return the top-level modules that a program loads in a fresh interpreter."""
    code = f"import json, sys\n{program}\nprint(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "program",
    [
        "import sciml",
        "import sciml.cli",
        "import sciml.imaging",
        "import sciml.classical.cli, sciml.datasets.cli",
        "from sciml.settings import load; load('ci')",
        "import sciml.runtime.files, sciml.runtime.sources, sciml.runtime.checkpoints, sciml.datasets.manifest",
    ],
)
def test_a_plain_import_loads_nothing_heavy(program):
    assert not loaded(program) & HEAVY


@pytest.mark.parametrize(
    ("command", "seconds"), [(["-c", "import sciml"], 0.5), (["-c", "from sciml.cli import main; main()", "--help"], 1.5)]
)
def test_the_start_costs_little_processor_time(command, seconds):
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    result = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert spent() - before < seconds


def test_the_help_loads_nothing_heavy():
    program = (
        "import contextlib, io\nfrom sciml.cli import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    app(['--help'])"
    )
    assert not loaded(program) & HEAVY


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("sciml.classical.stages.evaluate", TORCH | JAX),
        pytest.param("sciml.classical.stages.solve", JAX | {"torchmetrics", "monai", "matplotlib"}, marks=pytest.mark.slow),
        ("sciml.datasets.loaders", TORCH | JAX),
        ("sciml.training", JAX | {"deepinv"}),
    ],
)
def test_a_stage_pays_for_what_it_uses_only(module, absent):
    assert not loaded(f"import {module}") & absent


@pytest.mark.parametrize("package", ["imaging", "datasets", "training", "report"])
def test_every_lazy_name_is_there(package):
    module = importlib.import_module(f"sciml.{package}")
    assert not [name for name in module.__all__ if not hasattr(module, name)]
    with pytest.raises(AttributeError, match=f"sciml.{package}.*no_such_name"):
        _ = module.no_such_name
