"""From trials to the page: numbers, exports, a method of a user's own, codecs and closures, and what is refused."""

from __future__ import annotations

import base64
import csv
import io
import re
import sys
from pathlib import Path

import pytest
from imports import ROOT

from sciml.active_fluid import CostRow, Scores
from sciml.compression import BenchFile
from sciml.imaging.tasks.catalogue import METHODS
from sciml.report.check import check_page
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result, write_result
from sciml.settings import RunSettings
from sciml.studies.matrix import Config, Matrix
from sciml.studies.matrix.stages import classical, compare, report
from sciml.studies.matrix.study.closures import closures, equal_error
from sciml.studies.matrix.study.codecs import codecs
from sciml.studies.matrix.study.imaging import imaging
from sciml.studies.matrix.study.results import Trial, Trials

PLACE = ROOT.parent / "tests" / "example_method"
RUN = RunSettings(tier="ci", data_tier="ci")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Run two jobs of denoising on two small photographs, built-in methods and the example's own, up to the page."""
    folder = tmp_path_factory.mktemp("matrix")
    sys.path.insert(0, str(PLACE))
    METHODS.__dict__.pop("_all", None)
    try:
        config = Config(
            rows=("denoise",), size=64, cases=2, seeds=2, validation_images=1, left_out=("wavelet-l1",), priors=("tv",)
        )
        assert config.own_methods() == ["median"]
        classical.run(config.classical_config(RUN, "photo"), folder / "classical/photo")
        classical.run(config.own_config(RUN, "median"), folder / "own/median")
        classical.run(config.prior_config(RUN, "tv"), folder / "priors/tv")
        trials = sorted(folder.glob("*/*/trials.json"))
        compare.run(config.compare_config(RUN), trials, folder / "compare")
        report.run(config.report_config(RUN), folder, folder / "matrix.html")
        yield folder
    finally:
        sys.path.remove(str(PLACE))
        METHODS.__dict__.pop("_all", None)
        sys.modules.pop("sciml_median", None)


@pytest.mark.slow
def test_a_method_of_ones_own_is_a_column(study):
    matrix = read_result(study / "compare/matrix.json", Matrix)
    (section,) = matrix.sections
    assert {column.name: column.family for column in section.columns}["median"] == ""
    cell = section.rows[0].cell("median")
    assert cell.mean > 20 and cell.certified == 0 and "pixels to each side" in [one.parameter for one in matrix.tuned]
    text = (study / "matrix.html").read_text()
    assert "of your own" in text and check_page(study / "matrix.html") == []
    assert [path.name for path in study.rglob("*.partial")] == []


@pytest.mark.slow
def test_what_is_left_out_is_named_and_too_few_subjects_mark_nothing(study):
    (section,) = read_result(study / "compare/matrix.json", Matrix).sections
    row = section.rows[0]
    assert "wavelet-l1" not in {column.name for column in section.columns} and (row.cases, row.subjects, row.seeds) == (2, 2, 2)
    assert not any(cell.winner or cell.p for cell in row.cells) and row.words.startswith("nothing can be marked")
    assert row.leader == max((cell for cell in row.cells if cell.mean), key=lambda cell: cell.mean).method


@pytest.mark.slow
def test_the_page_says_and_hands_out_the_numbers_of_the_files(study):
    text = (study / "matrix.html").read_text()
    (section,) = read_result(study / "compare/matrix.json", Matrix).sections
    part = text[text.index("data-matrix>") : text.index('class="title">What is marked')]
    links = {
        kind: base64.b64decode(found).decode()
        for kind, found in re.findall(r"data:(?:text|application)/(\w+);.*?base64,([\w+/=]+)", part)
    }
    assert links["json"] == section.model_dump_json() and links["csv"] == (study / "compare/matrix.csv").read_text()
    rows = {line["method"]: line for line in csv.DictReader(io.StringIO(links["csv"]))}
    shown = re.findall(r'<td class="field"[^>]*><strong>([\d.]+)</strong>', part)
    assert shown == [f"{cell.mean:.2f}" for cell in section.rows[0].cells]
    for cell in section.rows[0].cells:
        assert float(rows[cell.method]["mean"]) == cell.mean and f"{cell.low:.2f} to {cell.high:.2f}" in part


@pytest.mark.slow
def test_a_second_run_gives_the_same_qualities(study, tmp_path):
    config = Config(rows=("denoise",), size=64, cases=2, seeds=2, validation_images=1, left_out=("tv", "bm3d", "wavelet-l1"))
    classical.run(config.classical_config(RUN, "photo"), tmp_path / "photo")
    first, again = (
        {(one.case, one.seed): (one.psnr_db, one.ssim) for one in read_result(path, Trials).trials if one.method == "nlm"}
        for path in (study / "classical/photo/trials.json", tmp_path / "photo/trials.json")
    )
    assert first == again and len(set(first.values())) == 4


@pytest.mark.slow
def test_a_prior_solves_the_same_problem_as_the_method_of_its_name(study):
    (section,) = read_result(study / "compare/matrix.json", Matrix).sections
    by_prior, by_method = (section.rows[0].cell(name) for name in ("prior:tv", "tv"))
    assert by_prior.mean == pytest.approx(by_method.mean, abs=0.05)


def trial(method: str, case: str, value: float | None) -> Trial:
    return Trial(
        row="denoise", method=method, case=case, subject=case, seed=0, psnr_db=value, ssim=0.9,
        wall_s=1, cpu_s=1, memory_mib=None, certified=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        ([trial("tv", "a", 30), trial("tv", "b", 31), trial("nlm", "a", 29)], "nlm was not run on the cases"),
        ([trial("tv", "a", None)], "tv returns an exact copy"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(trials, message):
    job = Trials(group="classical", validation={}, tuned=[], reasons={}, trials=trials)
    with pytest.raises(DataError, match=message):
        imaging(Config(rows=("denoise",)).compare_config(RUN), [job])
    with pytest.raises(DataError, match="at least one job"):
        compare.run(Config().compare_config(RUN), [], Path("nowhere"))


def test_codecs_are_compared_at_equal_size():
    """Two codecs of known curves: 30 and 33 dB at a quarter of a bit, 6 dB an octave."""

    def row(codec: str, rate: float, psnr: float) -> dict:
        return {
            "picture": "p", "codec": codec, "quality": rate, "height": 512, "width": 768, "channels": 3,
            "file_bytes": int(rate * 512 * 768 / 8), "rate_bpp": rate, "psnr_db": psnr, "ms_ssim": None,
            "encode_s": 1.0, "decode_s": 1.0,
        }  # fmt: skip

    rates = [0.125, 0.25, 0.5, 1.0]
    rows = [row(codec, rate, first + 6 * step) for codec, first in (("nic", 27), ("jpeg", 24)) for step, rate in enumerate(rates)]
    bench = BenchFile.model_validate(
        {
            "codecs": {}, "absent": {}, "pictures": {"p": ()}, "versions": {}, "anchor": "jpeg", "seed": 0, "repeats": 1,
            "mean_points": {}, "rates_bpp": (), "at_rates": {}, "bd_rates": {}, "megapixels_per_cpu_second": {}, "failures": (),
            "rows": rows,
        }
    )  # fmt: skip
    section = codecs(None, bench, 0, False)
    assert section is not None and [column.name for column in section.columns] == ["nic", "jpeg"]
    assert [[round(cell.mean, 6) for cell in one.cells] for one in section.rows] == [[33, 30], [39, 36], [45, 42]]
    assert codecs(None, None, 0, False) is None


def test_closures_stand_beside_the_kinetic_theory_at_equal_error():
    """The closure errs 2 %; of cut kinetic theory, 8 and 1 %: the second cut is the first as near, at five times the cost."""

    def score(closure: str, error: float, place: int) -> dict:
        return {
            "place": place, "alpha": -1.0, "zeta": 0.5, "initial": place, "closure": closure, "seed": 0, "closure_error": None,
            "errors": [0.0, error, error], "first_above": None, "passes": False, "order": [[0.0], [0.0]], "speed": [[0.0], [0.0]],
            "defects": [[0], [0]], "spectrum": [[0.0], [0.0]], "wave_numbers": [0.0],
        }  # fmt: skip

    pairs = [
        (name, error * (1 + 0.1 * place), place)
        for name, error in (("bingham", 0.02), ("2", 0.08), ("3", 0.01))
        for place in (0, 1)
    ]
    found = [score(*pair) for pair in pairs]
    scores = Scores.model_validate(
        {"times": [0.0, 1.0, 2.0], "threshold": 0.1, "rows": found[:2], "cut": found[2:], "fourth_moment": None}
    )
    costs = [
        CostRow(model=model, points=64, precision="double", seconds=seconds, compile_seconds=0)
        for model, seconds in (("coarse, bingham", 1e-3), ("kinetic, 2 even modes", 2e-3), ("kinetic, 3 even modes", 5e-3))
    ]
    section = closures(scores, costs, 0)
    (row,) = section.rows
    assert {cell.method: round(cell.mean, 6) for cell in row.cells} == {"bingham": 2.1, "kinetic-2": 8.4, "kinetic-3": 1.05}
    assert row.leader == "kinetic-3" and {cell.method for cell in row.cells if cell.front} == {"bingham", "kinetic-3"}
    assert equal_error(section) == ["Bingham: kinetic, 3 modes come as near, at 5 times the time of its step."]


@pytest.mark.slow
def test_a_matrix_is_told_in_the_terminal(study, sciml_command):
    path = study / "compare/matrix.json"
    code, out, _ = sciml_command("matrix", "show", path)
    assert code == 0 and "Denoising" in out and "median" in out and "leads" in out
    assert "no row 'deblur'; there are denoise" in sciml_command("matrix", "show", path, "--row", "deblur")[2]
    matrix = read_result(path, Matrix)
    write_result(study / "copy.json", matrix)
    assert read_result(study / "copy.json", Matrix) == matrix
