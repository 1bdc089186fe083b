"""The guide for new families shows what the example family really is, and the plugin works where it is installed."""

from __future__ import annotations

import re
import shutil
import sys

import pytest
import torch
from trees import ROOT

from sciml.families import BUILT_IN, STUDIES, families
from sciml.imaging.priors import Prior, resolve
from sciml.settings import load, slice_of

GUIDE = ROOT / "docs" / "add-a-family.md"

BUILT_IN_FAMILIES = dict(BUILT_IN)


def test_the_guide_names_files_and_links_that_exist():
    text = GUIDE.read_text()
    for name in re.findall(r"\]\(([\w.-]+\.md)\)", text):
        assert (GUIDE.parent / name).is_file(), name
    for name in re.findall(r"`((?:sciml|data|config|tests|workflows|\.ci)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.fixture
def plugin(monkeypatch):
    """The example family on the search path, as if it were installed."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "example_family"))
    families.cache_clear()
    yield
    families.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sciml_example"]:
        del sys.modules[name]


def test_a_family_is_there_with_its_package_and_gone_without(plugin):
    assert families() == {**BUILT_IN_FAMILIES, "example": "sciml_example"}


def test_the_family_is_not_there_where_it_is_not_installed():
    families.cache_clear()
    assert families() == BUILT_IN_FAMILIES


@pytest.mark.parametrize("weight", [0.3, torch.tensor([0.1, 2.0])])
def test_the_prior_of_the_plugin_is_a_prior_and_its_prox_is_optimal(plugin, weight):
    prior = resolve("smooth:4")
    assert isinstance(prior, Prior) and prior.strength == 4 and prior.certificate().exact_prox
    v = torch.randn(2, 1, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = prior.prox(v, weight)
    slope = x - v + torch.as_tensor(weight).reshape(-1, 1, 1, 1) * prior.gradient(x)
    assert slope.abs().max() < 1e-6
    moved = x.clone().requires_grad_()
    prior.value(moved).sum().backward()
    assert torch.allclose(moved.grad, prior.gradient(x))


def test_settings_of_the_plugin_are_checked(plugin):
    from sciml.runtime.errors import ConfigError

    settings = load("ci", ["example.steps=7"])
    assert '"steps":7' in slice_of(settings, "example", "train")
    with pytest.raises(ConfigError, match=r"example\.size"):
        load("ci", ["example.size=3"])
    with pytest.raises(ConfigError, match=r"unknown key example\.sise"):
        load("ci", ["example.sise=32"])


@pytest.mark.parametrize("role", ["family", "study"])
def test_a_second_family_is_its_own_folder_and_one_entry_point(tmp_path, monkeypatch, request, role):
    """The example under another name, added as the guide says, has commands, settings, stages and a page."""
    place = tmp_path / "second_family"
    shutil.copytree(ROOT / "tests" / "example_family", place, ignore=shutil.ignore_patterns("__pycache__"))
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_file():
            path.write_text(re.sub(r"\b(sciml_|sciml-)?example\b", r"\1second", path.read_text()))
        path.rename(path.with_name(path.name.replace("sciml_example", "sciml_second")))
    if role == "study":
        entry_points = place / "sciml_second-0.1.dist-info" / "entry_points.txt"
        entry_points.write_text(entry_points.read_text().replace("[sciml.families]", "[sciml.studies]"))
    monkeypatch.syspath_prepend(str(place))
    families.cache_clear()
    try:
        assert "second" in families() and "second" in families(role) and len(families()) == len(BUILT_IN_FAMILIES) + 1
        assert list(families("study")) == [*STUDIES, *(["second"] if role == "study" else [])]
        sciml_command = request.getfixturevalue("sciml_command")  # built of the families that are there now
        settings = load("ci", ["second.steps=3", "second.train_pictures=2", "second.test_pictures=2"])
        code, out, err = sciml_command("second", "--help")
        assert code == 0 and "linear filter" in out, err
        assert "linear filter" in sciml_command("--help")[1]
        results = tmp_path / "results"
        for stage, inputs in (("train", []), ("evaluate", ["--weights", results / "train" / "filter.safetensors"])):
            config = slice_of(settings, "second", stage)
            words = ["stage", "second", stage, "--config", config, *inputs, "--output", results / stage]
            code, _, err = sciml_command(*words)
            assert code == 0, err
        page = ["--config", slice_of(settings, "second", "report"), "--results", results, "--output", tmp_path / "second.html"]
        code, _, err = sciml_command("stage", "second", "report", *page)
        assert code == 0 and "noisy pictures" in (tmp_path / "second.html").read_text(), err
    finally:
        families.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "sciml_second"]:
            del sys.modules[name]
