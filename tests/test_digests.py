"""An edit of one line of any file changes the digests of exactly the stages that load it."""

from __future__ import annotations

import shutil

import pytest
from imports import ROOT, handed_out, modules, place, reached

from sciml.families import BUILT_IN
from sciml.imaging.plugins import prior_sources
from sciml.runtime import sources

FAMILIES = {package.removeprefix("sciml.") for package in BUILT_IN.values()}
STAGES = sorted(name for name in modules() for package in BUILT_IN.values() if name.rpartition(".")[0] == f"{package}.stages")


@pytest.fixture(scope="module")
def uses() -> dict[str, set[str]]:
    """Stages whose digest holds a module, by module."""
    found: dict[str, set[str]] = {name: set() for name in modules()}
    for stage in STAGES:
        for name in sources.reached(stage):
            found[name].add(stage)
    return found


def test_the_digest_of_a_stage_holds_exactly_what_it_imports():
    wrong = {stage: sorted(set(sources.reached(stage)) ^ reached(stage)) for stage in STAGES}
    assert not {stage: names for stage, names in wrong.items() if names}


EDITED = (
    "sciml.proximal.potentials.published",
    "sciml.imaging.solvers.admm",
    "sciml.compression.coding.transform",
    "sciml.progression.simulation.neumann",
    "sciml.active_fluid.theory.moments",
    "sciml.deblurring.page.page",
    "sciml.classical.commands.single",
    "sciml.runtime.files",
)


def test_an_edit_changes_the_digests_of_the_stages_that_load_the_file(tmp_path, uses, monkeypatch):
    shutil.copytree(ROOT, tmp_path / "sciml", ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    before = {stage: sources.source_digest(stage) for stage in STAGES}
    wrong = {}
    for name in EDITED:
        copy = tmp_path / modules()[name].relative_to(ROOT.parent)
        text = copy.read_text()
        copy.write_text(text + "\n_EDITED = 1\n")
        forget()
        found = {stage for stage in STAGES if sources.source_digest(stage) != before[stage]}
        copy.write_text(text)
        if found != uses[name]:
            wrong[name] = found ^ uses[name]
    forget()
    assert not wrong


def forget():
    for value in vars(sources).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def test_every_method_file_is_code_of_a_stage_or_of_a_command(uses):
    """A file of the method that neither reaches is dead, or hidden from the digests: three are called by hand alone."""
    commands = set().union(*(reached(name) for name in modules() if place(name)[1:] in (("cli",), ("commands",), ("plugins",))))
    public = set().union(*(reached(home) for family in FAMILIES for home in handed_out(f"sciml.{family}").values()))
    lost = [name for name, stages in uses.items() if place(name)[:1] and place(name)[0] in FAMILIES and not stages]
    assert {name for name in lost if name not in commands | public} == {
        "sciml.active_fluid.three.bingham_fit",  # makes the polynomials of the closure anew
        "sciml.active_fluid.theory.imex",  # an independent check of our steps
        "sciml.progression.study.enrichment",  # of a trial, from Python
    }


def test_the_mathematics_of_a_potential_is_code_of_what_trains_and_uses_it(uses):
    stages = {f"sciml.proximal.stages.{name}" for name in ("train", "digits", "restore", "toy", "certify", "prior", "ablate")}
    lacking = {kind: stages - uses[f"sciml.proximal.potentials.{kind}"] for kind in ("published", "convolutional", "frame")}
    assert not {kind: names for kind, names in lacking.items() if names}


def test_a_prior_by_name_is_code_and_weights_of_the_stage_that_names_it():
    module, files = prior_sources("lpn:photo-deblur:0.02")
    assert [path.name for path in files] == ["photo-deblur.safetensors"]
    assert "sciml.proximal.potentials.frame" in sources.reached(module)
    assert sources.source_digest("sciml.deblurring.stages.restore", module) != sources.source_digest(
        "sciml.deblurring.stages.restore"
    )


def test_an_edit_of_a_page_or_of_a_command_repeats_no_work(uses):
    """Pages are code of the reports alone, commands of no stage."""
    for name, found in uses.items():
        if place(name)[1:] == ("page",):
            assert {stage.rpartition(".")[2] for stage in found} <= {"report", "ablate_report"}, name
        if place(name)[1:] in (("commands",), ("cli",)):
            assert not found, name
