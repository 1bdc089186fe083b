"""Which slow tests stay after a change: those whose code it can reach, and no others."""

from __future__ import annotations

from pathlib import PurePath

import pytest
from since import changed, page_is_touched
from since import test_is_touched as reaches

TOMOGRAPHY, TILES = "sciml/imaging/operators/tomography.py", "sciml/deblurring/solvers/tiles.py"


@pytest.mark.parametrize(
    ("change", "touched", "left"),
    [
        pytest.param(
            TOMOGRAPHY,
            ["imaging/solvers/test_solvers.py"],
            ["compression/codecs/test_fuzz_codec.py"],
            id="an import of an import",
        ),
        pytest.param(
            TILES, ["deblurring/restoration/test_deblur.py"], ["imaging/solvers/test_solvers.py"], id="a name handed out lazily"
        ),
        pytest.param(TILES, ["workflow/test_workflow_runs.py"], ["proximal/study/test_toy.py"], id="code that jobs find by name"),
        pytest.param(
            "sciml/proximal/weights/photo-grey.safetensors",
            ["proximal/networks/test_shipped_weights.py"],
            ["active_fluid/fields/test_forcing.py"],
            id="weights of a package",
        ),
        pytest.param(
            "tests/imaging/imaging_problems.py",
            ["imaging/solvers/test_solvers.py"],
            ["compression/codecs/test_codec.py"],
            id="a helper",
        ),
        pytest.param(
            "tests/device_cases/imaging.py",
            ["test_other_device.py"],
            ["imaging/solvers/test_solvers.py"],
            id="a helper elsewhere",
        ),
        pytest.param("workflows/common.smk", ["matrix/test_matrix.py"], ["proximal/study/test_toy.py"], id="a rule"),
        pytest.param("tests/conftest.py", ["proximal/study/test_toy.py", "test_layers.py"], [], id="what all tests share"),
        pytest.param("data/manifest.yaml", ["datasets/test_data_declared.py"], [], id="declared data"),
        pytest.param("docs/proximal.md", [], ["workflow/test_workflow_runs.py", "proximal/study/test_toy.py"], id="a text"),
    ],
)
def test_a_change_reaches_what_rests_on_it_and_nothing_else(change, touched, left):
    changes = [PurePath(change)]
    assert [one for one in touched if not reaches(PurePath("tests", one), changes)] == []
    assert [one for one in left if reaches(PurePath("tests", one), changes)] == []


def test_a_page_rests_on_itself_and_on_the_packages_that_it_names():
    changes = [PurePath("sciml/progression/scans/preparation.py")]
    assert page_is_touched("docs/progression", changes) and not page_is_touched("docs/compression", changes)
    assert page_is_touched("docs/compression", [PurePath("docs/compression.md")])
    assert not page_is_touched("docs/compression", [PurePath("docs/proximal.md")])


def test_a_commit_that_git_does_not_know_leaves_nothing_out():
    assert changed("0" * 40) is None and changed("HEAD") is not None
