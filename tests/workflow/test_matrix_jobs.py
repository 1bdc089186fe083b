"""The jobs of the matrix: an edit of one method's code repeats that method's job, the comparison and the page."""

from __future__ import annotations

import os
import shutil

import pytest
from trees import ROOT, Tree

ALONE = "workflows/matrix/Snakefile"
# every stage only writes its files: what follows it is asked here
STAND_IN = """#!/usr/bin/env bash
set -eu
[ "$1 $2" = "stage matrix" ]
stage=$3
while [ "$1" != --output ]; do shift; done
if [ $stage = report ]; then
  echo page > "$2"
  echo '{"page": "matrix.html", "title": "Matrix", "question": "?", "tier": "ci"}' > "${2%.html}.report.json"
else
  mkdir -p "$2"
  for name in trials.json pictures.safetensors matrix.json matrix.csv; do echo $stage > "$2/$name"; done
  echo '{}' > "$2/provenance.json"
fi
"""
FOLLOW = {"compare_methods", "write_page"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree with the example's method, after a run of stand-ins."""
    made = Tree.make(tmp_path_factory.mktemp("tree"))
    shutil.copytree(ROOT / "tests" / "example_method", made.root / "plugin")
    made.environment["PYTHONPATH"] += f"{os.pathsep}{made.root / 'plugin'}"
    (made.root / "bin" / "sciml").write_text(STAND_IN)
    result = made.snakemake("--cores", "1", "--quiet", "all", snakefile=ALONE, settings="ci")
    assert result.returncode == 0, result.stdout
    return made


def pending(tree: Tree) -> set[str]:
    result = tree.snakemake("-n", snakefile=ALONE, settings="ci")
    assert result.returncode == 0, result.stdout
    table = result.stdout.partition("Job stats:")[2].partition("total")[0]
    return {line.split()[0] for line in table.splitlines()[3:] if line.strip()} - {"study"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        pytest.param("plugin/sciml_median.py", ".median(-1)", ".mean(-1)", {"run_own", *FOLLOW}, id="a method of one's own"),
        pytest.param(
            "sciml/proximal/reconstruction/variational.py",
            "import torch\n",
            "import torch as torch\n",
            {"run_learned", "run_kernel", *FOLLOW},
            id="the solver of learned methods, one of which corrects kernels",
        ),
        pytest.param(
            "sciml/studies/matrix/trial/learned.py", "above its", "over its", {"run_learned", *FOLLOW}, id="learned methods alone"
        ),
        pytest.param(
            "sciml/deblurring/dip/fit.py", "import math\n", "import math as math\n", {"run_kernel", *FOLLOW}, id="deblurring"
        ),
        pytest.param(
            "sciml/studies/matrix/page/methods.py", 'share "\n', 'have "\n', {"write_page"}, id="a sentence of the page"
        ),
    ],
)
def test_an_edit_of_a_method_repeats_its_job_alone(tree, path, old, new, expected):
    assert pending(tree) == set()
    tree.edit(path, old, new)
    try:
        assert pending(tree) == expected
    finally:
        tree.edit(path, new, old)
