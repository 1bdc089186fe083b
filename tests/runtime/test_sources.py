"""The digest of a stage's code changes with the code that it reaches, and with nothing else."""

from __future__ import annotations

import sys

import pytest

from sciml.runtime import sources
from sciml.runtime.errors import ScimlError
from sciml.runtime.sources import reached, source_digest

FILES = {
    "__init__.py": '''"""A package with lazy names."""
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from lab.tools import hammer, saw as cutter
    from lab.heavy import Machine
NAMES = {"hammer": "tools", "cutter": "tools"}
''',
    "tools.py": '''"""Tools."""
from __future__ import annotations
def hammer(x):
    """Hit x."""
    # twice is better
    return 2 * x
saw = hammer
''',
    "heavy.py": "Machine = 1\n",
    "extra.py": "VALUE = 1\n",
    "stages/__init__.py": "",
    "stages/solve.py": """from lab import hammer
import json
def run():
    from lab.extra import VALUE
    return hammer(VALUE)
""",
    "stages/evaluate.py": "from .. import tools\nSCORE = 1\n",
    "stages/saw.py": "from lab import cutter\n",
    "stages/typed.py": """from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from lab.heavy import Machine
else:
    import lab.extra
""",
    "page/__init__.py": "",
    "page/render.py": "X = 1\n",
    "page/page.html": "<p>one</p>\n",
    "page/fonts/a.css": "a {}\n",
    "stages/report.py": "import lab.page.render\n",
}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A package on the search path, and a way to change one of its files and ask for digests."""
    root = tmp_path / "lab"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    yield root
    forget()


def forget():
    for value in vars(sources).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()


def digest(stage: str) -> str:
    forget()
    return source_digest(f"lab.stages.{stage}")


def edited(root, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("solve", ["lab", "lab.extra", "lab.stages", "lab.stages.solve", "lab.tools"]),
        ("evaluate", ["lab", "lab.stages", "lab.stages.evaluate", "lab.tools"]),
        ("saw", ["lab", "lab.stages", "lab.stages.saw", "lab.tools"]),
        ("typed", ["lab", "lab.extra", "lab.stages", "lab.stages.typed"]),
        ("report", ["lab", "lab.page", "lab.page.render", "lab.stages", "lab.stages.report"]),
    ],
)
def test_what_a_stage_reaches(lab, stage, expected):
    assert reached(f"lab.stages.{stage}") == expected


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tools.py", "return 2 * x", "return 3 * x"),
        ("tools.py", "return 2 * x", "return 2.0 * x"),
        ("tools.py", "def hammer(x)", "def hammer(x, y=1)"),
        ("extra.py", "VALUE = 1", "VALUE = 2"),
        ("stages/solve.py", "return hammer(VALUE)", "return hammer(-VALUE)"),
        ("stages/solve.py", "import json\n", ""),
        ("__init__.py", '"hammer": "tools"', '"hammer": "hammers"'),
    ],
)
def test_an_edit_of_the_code_changes_the_digest(lab, name, old, new):
    before = digest("solve")
    edited(lab, name, old, new)
    assert digest("solve") != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tools.py", "# twice is better", "# because\n    # it is loud"),
        ("tools.py", '"""Hit x."""', '"""Hit x hard.\n\n    Twice.\n    """'),
        ("tools.py", '"""Tools."""', '"""All tools."""\n\n'),
        ("tools.py", '    """Hit x."""\n', ""),
        ("tools.py", "return 2 * x", "return (2\n            * x)"),
        ("extra.py", "VALUE = 1", "VALUE   =  1  # one"),
        ("heavy.py", "Machine = 1", "Machine = 2"),
        ("stages/evaluate.py", "SCORE = 1", "SCORE = 2"),
        ("page/page.html", "one", "two"),
    ],
)
def test_comments_docstrings_layout_and_other_modules_do_not_change_it(lab, name, old, new):
    before = digest("solve")
    edited(lab, name, old, new)
    assert digest("solve") == before


def test_an_edit_of_evaluation_changes_evaluation_alone(lab):
    before = {stage: digest(stage) for stage in ("solve", "evaluate", "report")}
    edited(lab, "stages/evaluate.py", "SCORE = 1", "SCORE = 2")
    assert {stage for stage in before if digest(stage) != before[stage]} == {"evaluate"}


@pytest.mark.parametrize("name", ["page/page.html", "page/fonts/a.css", "page/render.py"])
def test_templates_count_for_what_reaches_their_package(lab, name):
    before = {stage: digest(stage) for stage in ("solve", "evaluate", "report")}
    (lab / name).write_text("Y = 2\n")
    assert {stage for stage in before if digest(stage) != before[stage]} == {"report"}


def test_a_string_that_is_no_docstring_counts(lab):
    edited(lab, "extra.py", "VALUE = 1", "def f():\n    return 'a'\nVALUE = f()")
    before = digest("solve")
    edited(lab, "extra.py", "'a'", "'b'")
    assert digest("solve") != before


def test_an_import_cycle_ends(lab):
    (lab / "extra.py").write_text("from lab.tools import hammer\nVALUE = 1\n")
    (lab / "tools.py").write_text("import lab.extra\ndef hammer(x): return x\n")
    assert len(digest("solve")) == 64


def test_a_relative_import_of_a_package_is_followed(lab):
    (lab / "stages" / "__init__.py").write_text("from ..heavy import Machine\n")
    assert "lab.heavy" in reached("lab.stages.solve")


def test_equal_code_at_another_place_has_the_same_digest(lab, tmp_path, monkeypatch):
    first = digest("report")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    lab.rename(moved / "lab")
    monkeypatch.syspath_prepend(str(moved))
    assert digest("report") == first


def test_an_unknown_module_is_named(lab):
    with pytest.raises(ScimlError, match=r"lab\.stages\.simulate"):
        source_digest("lab.stages.simulate")


def test_a_syntax_error_names_the_file_and_the_line(lab):
    (lab / "tools.py").write_text("x = 1\ndef broken(:\n")
    with pytest.raises(ScimlError, match=r"tools\.py.*2") as caught:
        digest("solve")
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_to_find_out(lab):
    digest("solve")
    assert not any(name.partition(".")[0] == "lab" for name in sys.modules)


def test_the_stages_of_this_package_do_not_share_what_they_should_not():
    forget()
    stage = "sciml.classical.stages"
    solve, evaluate, measure = (set(reached(f"{stage}.{name}")) for name in ("solve", "evaluate", "measure"))
    assert f"{stage}.evaluate" not in solve | measure and f"{stage}.solve" not in evaluate | measure
    assert "sciml.imaging.solvers.classical" in solve and "sciml.imaging.solvers.classical" not in measure
    assert not any(name.startswith("sciml.report") for name in solve | evaluate | measure)
    assert {"sciml", "sciml.imaging", "sciml.imaging.operators.physics", "sciml.runtime.files"} <= solve


def test_what_was_read_before_is_known_by_its_content_and_a_damaged_memory_is_read_anew(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "cache"))

    def fresh():
        """The digest as a process says it that starts now."""
        monkeypatch.setattr(sources, "_known", None)
        return digest("solve")

    first = fresh()
    sources._keep()
    kept = sources._kept_file()
    monkeypatch.setattr(sources, "_read_facts", None)  # nothing is parsed again
    assert fresh() == first
    monkeypatch.undo()
    monkeypatch.setenv("SCIML_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    (lab / "tools.py").write_text(FILES["tools.py"].replace("2 * x", "3 * x"))
    assert fresh() != first
    (lab / "tools.py").write_text(FILES["tools.py"])
    kept.write_text(kept.read_text()[:-9])
    assert fresh() == first
