"""Imports point down only: layers by the package that a module lives in; and what a plain import loads."""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from types import ModuleType

import pytest
from imports import ROOT, circles, graph, handed_out, modules, place, reached, targets

from sciml.families import BUILT_IN, STUDIES

# what each shared package may import of the others
SHARED = {
    "runtime": set(),
    "formats": {"runtime"},
    "training": {"runtime"},
    "report": {"runtime"},
    "datasets": {"runtime", "formats"},
    "imaging": {"runtime", "formats", "datasets"},
    "studies": {"runtime", "report"},
}
TOP = {"cli", "doctor", "families", "settings", "stages", "options", "batch", "workflow", "running", "gpu_test", "__main__"}
# what command lines, and they alone, use of these
COMMAND_LINE = {"stages", "settings", "options", "batch"}
FAMILIES = {package.removeprefix("sciml.") for package in BUILT_IN.values()}
CHAINS = {package.removeprefix("sciml.") for package in STUDIES.values()}
# rooms that every family has, and which of these each may import; all other rooms are the method
ROLES = {
    "config": set(),
    "study": {"config"},
    "page": {"config", "study"},
    "stages": {"config", "study", "page"},
    "commands": {"config", "study", "page", "stages"},
    "cli": {"config", "study", "page", "stages", "commands"},
}
METHOD = {"config"}
TORCH = {"torch", "torchvision", "deepinv", "monai", "torchmetrics"}
JAX = {"jax", "jaxlib", "equinox", "optax", "diffrax", "jax_cfd"}
HEAVY = TORCH | JAX | {"numpy", "scipy", "skimage", "matplotlib", "altair", "nibabel", "PIL", "pandas"}
LIGHT = {"typer", "pydantic", "rich", "yaml", *sys.stdlib_module_names}
MOST_FILES = 15


def wrong(allowed) -> list[str]:
    """Return the imports that are not allowed, as text; `allowed` judges two places."""
    return [
        f"{name} imports {other}"
        for name, found in graph().items()
        for other in sorted(found.own)
        if not allowed(place(name), place(other))
    ]


def test_every_package_has_a_place():
    """A name that the rules below do not know would pass them by: a new package or a loose file says here what it is."""
    top = {place(name)[0] for name in modules() if place(name)}
    assert top == SHARED.keys() | TOP | FAMILIES
    loose = [name for name in modules() if len(place(name)) == 2 and name == f"sciml.{'.'.join(place(name))}"]
    loose = [name for name in loose if place(name)[0] in FAMILIES]
    rooms = {name for name in loose if modules()[name].name == "__init__.py"}
    assert {name.rpartition(".")[2] for name in set(loose) - rooms} == {"config", "cli"}
    for family in FAMILIES:
        assert {f"sciml.{family}.{room}" for room in ("stages", "page")} <= rooms


def test_layers_point_down():
    def allowed(here: tuple[str, ...], there: tuple[str, ...]) -> bool:
        if not here or not there or here[0] == there[0]:
            return True
        if here[0] in SHARED:
            return there[0] in SHARED[here[0]] or (here[1:] == ("cli",) and there[0] in COMMAND_LINE)
        if here[0] in CHAINS and there[0] in FAMILIES - CHAINS:
            return True  # by its public names: the next test
        if here[0] in FAMILIES:
            return there[0] in SHARED or (here[1:2] in {("cli",), ("commands",)} and there[0] in COMMAND_LINE | {"families"})
        return there[0] not in FAMILIES  # the top finds families by their entry points

    assert not wrong(allowed)


def test_a_study_uses_the_public_names_of_a_family():
    """What `sciml.progression` hands out, never a module below it."""
    bad = [
        f"{name} imports {target}"
        for name in modules()
        if place(name)[:1] and place(name)[0] in CHAINS
        for target in targets(name)
        if target.startswith("sciml.") and place(target)[0] in FAMILIES - {place(name)[0]}
        if target.rpartition(".")[2] not in handed_out(f"sciml.{place(target)[0]}") or target.count(".") != 2
    ]
    assert not bad


def test_the_rooms_of_a_family_point_down():
    def allowed(here: tuple[str, ...], there: tuple[str, ...]) -> bool:
        if here[:1] != there[:1] or not here or here[0] not in FAMILIES or len(here) < 2 or len(there) < 2 or here == there:
            return True
        return there[1] not in ROLES or there[1] in ROLES.get(here[1], METHOD)

    assert not wrong(allowed)


def test_there_is_no_circle():
    """Neither between modules, with what functions import, nor between the rooms of a package."""
    assert not circles({name: found.own for name, found in graph().items()})
    rooms: dict[str, set[str]] = {}
    for name, found in graph().items():
        for other in found.own:
            here, there = (".".join(place(one)) for one in (name, other))
            if here != there and place(name)[:1] == place(other)[:1] and len(place(name)) == len(place(other)) == 2:
                rooms.setdefault(here, set()).add(there)
    assert not circles(rooms)


def test_no_folder_is_a_long_shelf():
    counts: dict[str, int] = {}
    for path in modules().values():
        if path.name != "__init__.py":
            counts[str(path.parent.relative_to(ROOT))] = counts.get(str(path.parent.relative_to(ROOT)), 0) + 1
    assert not {folder: count for folder, count in counts.items() if count > MOST_FILES}


def test_torch_and_jax_never_meet():
    """What active fluids reach imports no torch, what the others reach no jax, the layers below both neither; a study's module
    reaches one of them."""
    bad = []
    for name in modules():
        package = (*place(name), "")[0]
        if package in CHAINS:
            uses = {"torch", "jax"} & {one for other in reached(name) for one in graph()[other].foreign}
            bad += [f"{name} reaches both"] if len(uses) == 2 else []
            continue
        if package in FAMILIES | {"imaging", "training"}:
            forbidden = TORCH if package == "active_fluid" else JAX
        else:
            forbidden = set() if package == "cli" else TORCH | JAX
        for other in reached(name):
            # cards are claimed before a framework loads: the runtime may ask torch for them inside a function
            used = graph()[other].early_foreign if place(other)[:1] == ("runtime",) else graph()[other].foreign
            bad += [f"{name} reaches {sorted(used & forbidden)} by {other}"] if used & forbidden else []
    assert not bad


def test_no_stage_imports_deepinv():
    """Its import takes longer than most solves: it is there for a user's own operators and for deepinv's algorithms."""
    known = {"sciml.imaging.operators.linear", "sciml.proximal.plugins.deepinv"}
    assert {name for name, found in graph().items() if found.foreign & {"deepinv", "torchvision"}} == known
    stages = [name for name in modules() if place(name)[1:] == ("stages",)]
    assert not [name for name in stages if "sciml.proximal.plugins.deepinv" in reached(name)]


def test_command_lines_and_settings_load_light_modules_only():
    """Whatever is loaded with a command line, with settings, or with a module at the top."""
    roots = [
        name for name in modules() if place(name)[-1:] in {("cli",), ("config",)} or place(name)[:1] in {(one,) for one in TOP}
    ]
    loaded_with = {(name, other) for name in roots for other in reached(name, early=True)}
    bad = [
        f"{name} loads {sorted(heavy)} by {other}"
        for name, other in loaded_with
        if (heavy := graph()[other].early_foreign - LIGHT)
    ]
    assert len(roots) > 2 * len(FAMILIES) and not bad


def test_nothing_is_loaded_by_a_text():
    """Such a module is in no digest. Lazy packages name their own modules; families and plugins are found by entry points.

    A proximal network hands itself to deepinv by a module that no stage reaches.
    """
    by_name = {
        name
        for name, path in modules().items()
        if "importlib" in graph()[name].foreign and ("import_module(" in (text := path.read_text()) or "entry_points(" in text)
    }
    packages = {name for name in by_name if modules()[name].name == "__init__.py"}
    assert by_name - packages == {
        "sciml.families",
        "sciml.active_fluid.closures.plugins",
        "sciml.imaging.plugins",
        "sciml.runtime.extras",
        "sciml.compression.study.anchors",
        "sciml.proximal.networks.network",
    }
    assert not [stage for stage in modules() if "proximal.stages" in stage and "sciml.proximal.plugins.deepinv" in reached(stage)]


def loaded(program: str) -> set[str]:
    """Return the top-level modules that a program loads in a fresh interpreter."""
    code = f"import json, sys\n{program}\nprint(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


HELP = (
    "import contextlib, io\nfrom sciml import cli\ncli._mount()\n"
    "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    cli.app(['--help'])"
)
IMPORTS = (
    "import sciml, sciml.cli, sciml.imaging, sciml.datasets.cli, sciml.runtime.files, sciml.runtime.declared, "
    "sciml.runtime.checkpoints, sciml.datasets.manifest\nfrom sciml.settings import load; load('ci')"
)


@pytest.mark.parametrize("program", [IMPORTS, HELP], ids=["imports", "help"])
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


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("sciml.classical.stages.evaluate", TORCH | JAX),
        ("sciml.deblurring.stages.evaluate", TORCH | JAX),
        ("sciml.deblurring.stages.restore", JAX | {"deepinv"}),
        pytest.param("sciml.classical.stages.solve", JAX | {"torchmetrics", "monai", "matplotlib"}, marks=pytest.mark.slow),
        ("sciml.datasets.loaders", TORCH | JAX),
        ("sciml.training", JAX | {"deepinv"}),
    ],
)
def test_a_stage_pays_for_what_it_uses_only(module, absent):
    assert not loaded(f"import {module}") & absent


def test_a_module_of_an_earlier_version_is_still_there():
    assert loaded("from sciml.imaging.files import Image, read_image, write_image")


@pytest.mark.parametrize("package", ["imaging", "datasets", "training", "report"])
def test_every_lazy_name_is_there(package):
    module = importlib.import_module(f"sciml.{package}")
    assert not [name for name in module.__all__ if not hasattr(module, name)]
    # with all modules loaded, none stands in the place of a name
    assert not [name for name in module.__all__ if isinstance(getattr(module, name), ModuleType)]
    with pytest.raises(AttributeError, match=rf"sciml.{package}.*no_such_name"):
        _ = module.no_such_name
