"""An edit of one line of any file changes the digests of exactly the stages that load it."""

from __future__ import annotations

import shutil

import pytest
from imports import ROOT, handed_out, modules, reached

from sciml.families import BUILT_IN
from sciml.imaging.plugins import prior_sources
from sciml.runtime import sources

FAMILIES = {package.rpartition(".")[2] for package in BUILT_IN.values()}
STAGES = sorted(name for name in modules() for package in BUILT_IN.values() if name.rpartition(".")[0] == f"{package}.stages")


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> dict[str, set[str]]:
    """Stages whose digest changes, by the module of a copy of the package that a line was added to."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT, root / "sciml", ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    known: dict[object, str] = {}

    def code_digest(path):
        if path not in known:
            sources._tree.cache_clear()
            known[path] = whole(path)
        return known[path]

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        forget()
        whole = sources._code_digest.__wrapped__
        patch.setattr(sources, "_code_digest", code_digest)
        before = {stage: sources.source_digest(stage) for stage in STAGES}
        found = {}
        for name, path in modules().items():
            copy = root / path.relative_to(ROOT.parent)
            text = copy.read_text()
            copy.write_text(text + "\n_EDITED = 1\n")
            assert known.pop(copy, None) or not any(name in reached(stage) for stage in STAGES)
            found[name] = {stage for stage in STAGES if sources.source_digest(stage) != before[stage]}
            copy.write_text(text)
            known.pop(copy, None)
    forget()
    return found


def forget():
    for value in vars(sources).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def test_an_edit_changes_the_digests_of_the_stages_that_load_the_file(changed):
    expected: dict[str, set[str]] = {name: set() for name in modules()}
    for stage in STAGES:
        for name in reached(stage):
            expected[name].add(stage)
    assert {name: found for name, found in changed.items() if found != expected[name]} == {}


def test_every_method_file_is_code_of_a_stage_or_of_a_command(changed):
    """A file of the method that neither reaches is dead, or hidden from the digests: two are called by hand alone."""
    commands = set().union(*(reached(name) for name in modules() if name.split(".")[2:3] in (["cli"], ["commands"], ["plugins"])))
    public = set().union(*(reached(home) for family in FAMILIES for home in handed_out(f"sciml.{family}").values()))
    lost = [name for name, stages in changed.items() if name.split(".")[1:2] and name.split(".")[1] in FAMILIES and not stages]
    assert {name for name in lost if name not in commands | public} == {
        "sciml.active_fluid.theory.imex",  # an independent check of our steps
        "sciml.progression.study.enrichment",  # of a trial, from Python
    }


@pytest.mark.parametrize("kind", ["published", "convolutional", "frame"])
def test_the_mathematics_of_a_potential_is_code_of_what_trains_and_uses_it(changed, kind):
    uses = {"train", "digits", "restore", "toy", "certify", "prior", "ablate"}
    assert {f"sciml.proximal.stages.{name}" for name in uses} <= changed[f"sciml.proximal.potentials.{kind}"]


def test_a_prior_by_name_is_code_and_weights_of_the_stage_that_names_it():
    module, files = prior_sources("lpn:photo-deblur:0.02")
    assert [path.name for path in files] == ["photo-deblur.safetensors"]
    assert "sciml.proximal.potentials.frame" in sources.reached(module)
    assert sources.source_digest("sciml.deblurring.stages.restore", module) != sources.source_digest(
        "sciml.deblurring.stages.restore"
    )


def test_an_edit_of_a_page_or_of_a_command_repeats_no_work(changed):
    """Pages are code of the reports alone, commands of no stage."""
    for name, found in changed.items():
        if name.split(".")[2:3] == ["page"]:
            assert {stage.rpartition(".")[2] for stage in found} <= {"report", "ablate_report"}, name
        if name.split(".")[2:3] in (["commands"], ["cli"]):
            assert not found, name
