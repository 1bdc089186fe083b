import json

import numpy as np
import pytest
from demo_page import HOSTILE, demo_page

from sciml.report import (
    Claim,
    Column,
    Figure,
    Number,
    Slider,
    Spread,
    StudyPage,
    Table,
    check_page,
    error_map,
    forget_failure,
    pictures,
    record_failure,
    to_display,
    write_index,
    write_page,
)
from sciml.report.goals import Goal, judge
from sciml.report.index import keep_failures
from sciml.report.reportlets import supported
from sciml.report.tables import cells, show_value, table_csv
from sciml.report.views import claim_view, number_view
from sciml.runtime.errors import ScimlError, ShapeError

FOLDED = ("checks", "reading", "methods", "provenance", "limits")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_page(demo_page(), tmp_path_factory.mktemp("demo") / "demo.html")


def test_page_is_sound_and_ordered(demo):
    assert check_page(demo) == []
    text = demo.read_text()
    assert '<a href="https://doi.org/10.1016/0167-2789(92)90242-F" rel="external noreferrer">doi:10.1016' in text
    order = (
        'class="question"',
        'class="answer"',
        'class="numbers"',
        'class="picture"',
        'id="claims"',
        'id="failures"',
        'id="results"',
    )
    places = [text.index(key) for key in order] + [text.index(f'<section id="{key}"') for key in FOLDED]
    assert places == sorted(places)
    assert "Not run, and therefore not shown: a scan, colour." in text and text.count("<details") >= len(FOLDED)


def test_record_holds_the_numbers(demo):
    record = json.loads(demo.with_suffix(".report.json").read_text())
    assert {word: count for word, count in record["verdict"].items() if count} == dict.fromkeys(
        ("reproduced", "partly", "not", "not run"), 1
    )
    assert record["tables"][0]["rows"][1]["psnr"] == {"mean": 31.456, "std": 0.92, "n": 9}
    assert record["failures"][0]["stage"] == "imaging.evaluate"


def test_failure_shows_up(demo):
    assert "imaging.evaluate failed" in demo.read_text()


def test_same_page_same_bytes(demo, tmp_path):
    assert write_page(demo_page(), tmp_path / "demo.html").read_bytes() == demo.read_bytes()


def test_hostile_strings_stay_text(tmp_path):
    path = write_page(demo_page(HOSTILE), tmp_path / "hostile.html")
    assert check_page(path) == []
    assert "<script>alert" not in path.read_text()


def test_page_over_budget_names_the_biggest(tmp_path):
    noise = np.random.default_rng(0).random((300, 300, 3))
    page = StudyPage("big", "Big", "Too big?", "ci", "No.", Figure("The noise", noise, "c", "a"))
    with pytest.raises(ScimlError, match="The noise"):
        write_page(page, tmp_path / "big.html", budget_bytes=40_000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "planted",
    [
        '<img src="https://example.org/x.png" alt="x">',
        '<script src="https://example.org/x.js"></script>',
        "<script>alert(1)</script>",
        '<link rel="stylesheet" href="//example.org/x.css">',
        "<style>@import 'https://example.org/x.css';</style>",
        '<p style="background:url(http://example.org/x)">x</p>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="https://example.org/x">x</a>',
        '<a href="javascript:alert(1)" rel="external noreferrer">x</a>',
        '<p onclick="alert(1)">x</p>',
        '<img src="data:image/png;base64,AA==" alt="">',
        '<iframe src="x.html"></iframe>',
    ],
)
def test_check_finds_what_was_planted(demo, tmp_path, planted):
    path = tmp_path / "planted.html"
    path.write_text(demo.read_text().replace("</main>", planted + "</main>"))
    assert check_page(path)


def test_index_without_pages(tmp_path):
    assert check_page(write_index(tmp_path / "none")) == []


def test_index_with_failure_page_and_broken_record(demo, tmp_path):
    (tmp_path / "a.report.json").write_bytes(demo.with_suffix(".report.json").read_bytes())
    (tmp_path / "b.report.json").write_text("{")
    record_failure(tmp_path, "imaging.solve", "snakemake --rerun x", "ValueError: boom", rule="solve_tv")
    text = write_index(tmp_path).read_text()
    assert (
        "snakemake --rerun x" in text and "ValueError: boom" in text and "b.report.json" in text and "A synthetic study" in text
    )
    assert "They do: 33.0 dB beside 31.5 dB of TV" in text
    forget_failure(tmp_path, "imaging.solve", "solve_tv")
    assert "ValueError: boom" not in write_index(tmp_path).read_text()


def test_a_card_of_the_index_holds_one_sentence_and_the_picture_of_the_first_screen(tmp_path):
    black, white = np.zeros((8, 8)), np.ones((8, 8))
    picture = Slider("s", {"blurred": black, "truth": white}, "c", "a")
    write_page(StudyPage("p", "P", "?", "ci", "It gains 1.5 dB. More below.", picture), tmp_path / "p.html")
    text = write_index(tmp_path).read_text()
    assert "It gains 1.5 dB." in text and "More below" not in text
    assert "0 / 0" not in text
    shown = pictures.wiped(black, white)
    assert (shown[:, :4] == 0).all() and (shown[:, 5:] == 255).all()
    assert pictures.montage([black] * 4).shape == (20, 20, 3) and pictures.montage([black] * 3).shape == (10, 30, 3)


def test_records_of_stages_that_a_run_no_longer_has_are_removed(tmp_path):
    rules = {
        "kept": "results/ci/imaging/denoise/solve",
        "page": "reports/imaging.html",
        "other tier": "results/demo/imaging/denoise/solve",
        "taken out": "results/ci/imaging/inpaint/solve",
        "no output": "",
    }
    paths = {name: record_failure(tmp_path, "imaging.solve", "x", name, rule=rule) for name, rule in rules.items()}
    broken = tmp_path / "failures" / "broken.json"
    broken.write_text("{")
    outputs = ["results/ci/imaging/denoise/solve/reconstructions.safetensors", "./reports/imaging.html", "reports/index.html"]
    assert set(keep_failures(tmp_path, outputs)) == {paths["other tier"], paths["taken out"]}
    assert {path for path in (*paths.values(), broken) if path.exists()} == {
        paths["kept"],
        paths["page"],
        paths["no output"],
        broken,
    }
    assert keep_failures(tmp_path / "absent", []) == []


def test_table_marks_the_best_and_exports():
    table = Table(
        "t",
        [Column("m", "M"), Column("e", "E", "", "down"), Column("p", "P", "dB", "up")],
        [{"m": "=a", "e": 0.1, "p": Spread(30.0, 1.0, 3)}, {"m": "b", "e": 0.2, "p": "not installed"}],
    )
    rows = cells(table)
    assert rows[0][1]["best"] and not rows[1][1]["best"] and rows[1][2]["kind"] == "reason"
    assert table_csv(table).splitlines()[1] == "'=a,0.1,30.0,1.0,3"


def test_pictures():
    assert to_display(np.array([[0.0, 2.0]])).tolist() == [[0, 255]]
    assert to_display(np.array([[0.0, np.nan]]))[0, 1].tolist() == [255, 0, 255]
    truth = np.zeros((2, 2))
    assert (error_map(truth, truth, 0.1) == error_map(truth, truth, 9.0)).all()
    with pytest.raises(ShapeError):
        to_display(np.zeros((2, 2, 4)))
    with pytest.raises(ScimlError, match="status"):
        Claim("x", 1, 2, "s", "", "maybe")  # type: ignore[arg-type]


def test_bold_is_the_best_of_a_group_and_digits_are_those_of_the_standard_error():
    numbers = (("1", 3.4567, 0.9, 1.0), ("1", 2.4567, 0.8, 2.0), ("2", 1.4567, 1.2, 3.0), ("2", 0.1, 0.3, 4.0))
    rows = [{"visits": visits, "e": Spread(mean, std, 9), "p": plain} for visits, mean, std, plain in numbers]
    columns = [Column("visits", "Visits"), Column("e", "E", "", "down", 4), Column("p", "P", "", "up")]
    shown = cells(Table("t", columns, rows, group="visits"))
    assert [(row[1]["text"], row[1]["best"], row[2]["best"]) for row in shown] == [
        ("3.46", False, False),
        ("2.46", True, True),
        ("1.46", False, False),
        ("0.10", True, True),
    ]
    hidden = Table("t", columns[1:], rows, group="visits")
    assert [row[0]["best"] for row in cells(hidden)] == [False, True, False, True]
    assert show_value(Spread(0.3695, 0.7534, 9)) == "0.37 ± 0.75 (n = 9)" and supported(0.0953) == 3 and supported(36.0) == 0
    number = number_view(Number("x", 38.9123, "dB", (2.2, 75.7)))
    assert (number["value"], number["interval"]) == ("39", "2 to 76")
    claim = claim_view(judge(Goal("x", "s", at_least=1.0), 2.98912, (1.5234, 4.1612)))
    assert claim["ours"] == "3.0"
