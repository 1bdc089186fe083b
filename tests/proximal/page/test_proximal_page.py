"""The page of the study from a synthetic results folder: every reportlet, missing parts, failures, missed claims."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from page_artefacts import HISTORY, write_study, write_training

from sciml.proximal.config import PageConfig
from sciml.proximal.page.claims import claims, guarantees
from sciml.proximal.page.page import banner, missing
from sciml.proximal.page.results import Training, read_study
from sciml.proximal.page.tasks import busiest, gaps, metric_rows, thinned
from sciml.proximal.page.theory import run_checks
from sciml.proximal.page.training import solver_gap, training_table, validation_columns
from sciml.proximal.stages import report
from sciml.report.check import check_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json

TASKS = ("ct-sparse", "deblur", "denoise", "mri-cs")
OPTIONAL = ("certify", "toy", "digits", "prior", "colour", "train")


def settings(tasks: tuple[str, ...] = TASKS, trained: tuple[str, ...] = ("short",)) -> PageConfig:
    return PageConfig.model_validate({"tier": "demo", "data_tier": "default", "tasks": tasks, "trained": trained})


def write(results: Path, page: Path, config: PageConfig | None = None) -> tuple[str, dict]:
    report.run(config or settings(), results, page)
    return page.read_text(), read_json(page.with_name("proximal.report.json"))


def statuses(results: Path, config: PageConfig | None = None) -> dict[str, str]:
    return {claim.text: claim.status for claim in claims(read_study(results, config or settings()))}


def one(found: dict[str, str], *words: str) -> str:
    (status,) = {status for text, status in found.items() if all(word in text for word in words)}
    return status


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results")
    write_study(root)
    return root


@pytest.fixture
def copied(results, tmp_path) -> Path:
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture(scope="module")
def whole(results, tmp_path_factory) -> tuple[str, dict, Path]:
    page = tmp_path_factory.mktemp("page") / "proximal.html"
    return (*write(results, page), page)


def test_the_whole_page_is_sound_and_hostile_labels_are_escaped(whole):
    html, _, page = whole
    assert check_page(page) == []
    assert "<script>alert(1)</script>" not in html and "alert(1)" in html


def test_every_part_has_its_reportlets(whole):
    html, found, _ = whole
    titles = {table["title"] for table in found["tables"]} | {curve["title"] for curve in found["curves"]}
    for title in (
        "The price of provability", "Deblurring, known kernel, noise 0.02", "Deblurring, known kernel, noise 0.02: structural "
        "similarity",
        "Sparse-view CT: gain over total variation", "Laplace prior on the line: errors", "Other priors with a known answer",
        "Prior of digits: R along corruptions", "R as a detector", "A wrong noise level", "Colour photographs",
        "Trainings of this run",
        "Training of short: validation", "Compressed-sensing MRI: PSNR along the iterations", "Posterior: predicted deviation "
        "and observed error",
    ):  # fmt: skip
        assert title in titles, title
    for heading in ("What is guaranteed, and what is not", "Posterior of one crop: leading directions", "Invariants by network"):
        assert heading in html


def test_claims_have_the_number_and_the_right_status(results):
    found = statuses(results)
    assert one(found, "Convergence") == "reproduced" and one(found, "below its best iterate") == "met"
    assert one(found, "better than total variation") == "met"
    assert one(found, "nine 256 x 256") == "not run"  # three pictures of 24 x 24 say nothing of that goal
    assert one(found, "CT, 60 views", "FBP") == "met" and one(found, "MR, acceleration 4") == "met"
    assert one(found, "MR, acceleration 8") == "not run"
    assert one(found, "largest distance") == "met"  # 0.04 for the worst of two seeds
    assert one(found, "every step of noise") == "reproduced" and one(found, "visible blur") == "not"
    assert one(found, "mixtures") == "missed" and one(found, "area under the curve") == "met"
    assert one(found, "Price", "photo-grey (implicit)") == "reproduced"


def test_gains_are_paired_over_pictures_and_variants(results):
    deblur = read_study(results, settings()).task("deblur")
    assert deblur is not None
    gains = deblur.gains("photo-deblur", "tv")
    assert len(gains) == 6 * 3
    label = deblur.labels[0]
    ours, theirs = deblur.case_values(label, "photo-deblur"), deblur.case_values(label, "tv")
    assert ours and theirs and gains[0] == pytest.approx((ours[0] or 0) - (theirs[0] or 0))


def test_missed_goals_are_said_to_be_missed(copied):
    path = copied / "deblur" / "evaluate" / "metrics.json"
    rows = read_json(path)
    for row in rows:
        if row["method"] == "photo-deblur":
            row["psnr"] = {**row["psnr"], "values": [value - 9 for value in row["psnr"]["values"]]}
    write_json(path, rows)
    toy = read_json(copied / "toy" / "toy.json")
    toy["laplace"][-1]["own_max"] = 0.2
    write_json(copied / "toy" / "toy.json", toy)
    found = statuses(copied)
    assert one(found, "Deblurring", "mean gain") == "missed" and one(found, "Deblurring", "share") == "missed"
    assert one(found, "largest distance") == "missed"


def test_a_price_within_the_spread_of_the_pictures_is_not_decided(copied):
    path = copied / "denoise" / "evaluate" / "metrics.json"
    rows = read_json(path)
    for row in rows:
        if row["method"] in ("photo-grey", "photo-grey-guided"):
            row["psnr"]["values"] = [value + change for value, change in zip(row["psnr"]["values"], (5, -5, 5), strict=True)]
    write_json(path, rows)
    found = statuses(copied)
    assert one(found, "Price", "photo-grey (implicit)") == "not decided"
    assert one(found, "better than total variation") == "not decided"


def test_the_goal_of_nine_crops_is_judged_on_nine_crops(copied):
    folder = copied / "denoise"
    study = read_study(copied, settings())
    (task,) = (task for task in study.tasks if task.task == "denoise")
    nine = task.variants[0].test.model_copy(update={"cases": [str(k) for k in range(9)]})
    variant = task.variants[0].model_copy(update={"size": (256, 256), "test": nine})
    others = [other for other in study.tasks if other is not task]
    study = replace(study, tasks=[replace(task, variants=[variant, *task.variants[1:]]), *others])
    found = {claim.text: claim for claim in claims(study)}
    (claim,) = [claim for text, claim in found.items() if "mean over nine" in text]
    assert claim.status == "met" and claim.reference == 29.2 and folder.is_dir()


def test_a_run_without_certificate_fails_a_check_and_is_named(copied):
    path = copied / "ct-sparse" / "restore" / "runs.json"
    rows = read_json(path)
    rows[0] |= {"certified": False, "reason": "not certain: F rose by 1.0e-02", "monotone": False, "below_best_db": [0.9] * 3}
    write_json(path, rows)
    study = read_study(copied, settings())
    failed = {check.name for task in study.tasks for check in run_checks(task) if not check.passed}
    assert failed == {f"ct-sparse, ct: {what}" for what in ("runs without certificate", "runs in which F rose", "drift")}
    assert "60 views: not certain: F rose by 1.0e-02" in guarantees(study).body
    assert one(statuses(copied), "Convergence") == "not"


def test_failed_invariants_solvers_and_ranges_are_failed_checks(whole):
    html, found, _ = whole
    failed = {row["name"] for row in found["checks"] if not row["passed"]}
    assert failed == {"Jacobian is symmetric", "short: solver of the training", "digits: outside the range of f"}
    assert "weight w[3]" in html and "not defined for the form of" in html


@pytest.mark.parametrize("absent", OPTIONAL)
def test_a_part_that_has_not_run_is_named_and_claimed_by_nobody(copied, absent):
    shutil.rmtree(copied / absent)
    study = read_study(copied, settings())
    assert len(missing(study, settings())) == 1
    assert [claim for claim in claims(study) if claim.ours is None and claim.status != "not run"] == []


def test_a_study_of_one_task_alone_has_a_page(copied, tmp_path):
    for name in OPTIONAL:
        shutil.rmtree(copied / name)
    html, found = write(copied, tmp_path / "proximal.html", settings(("deblur",), ()))
    assert check_page(tmp_path / "proximal.html") == []
    assert "Gaussian denoising" not in html.split("Metrics")[-1]
    statuses = [row["status"] for row in found["claims"]]
    assert statuses.count("not run") == len(statuses) - 4  # certificate, drift, gain, share


def test_peers_have_no_certificate_and_exact_pictures_no_gain(copied):
    path = copied / "denoise" / "evaluate" / "metrics.json"
    rows = read_json(path)
    rows[0]["psnr"] |= {"mean": None, "std": None, "values": [None, None, None]}
    write_json(path, rows)
    study = read_study(copied, settings(("denoise",)))
    (task,) = study.tasks
    (shown,) = [row for row in metric_rows(task, [0]) if row["method"] == task.title(rows[0]["method"])]
    assert shown["psnr0"] == "exact" and task.gains(rows[0]["method"], "tv", task.labels[:1]) == []
    assert (
        task.learned() == ["photo-grey-guided", "photo-grey", "photo-grey-explicit"]
        and task.plain == "photo-grey"
        and "no prox" in task.title("peer-residual")
    )
    assert "nothing: no proximal operator by construction" in guarantees(study).body


def test_a_task_that_was_not_evaluated_is_named(copied):
    shutil.rmtree(copied / "deblur" / "evaluate")
    with pytest.raises(DataError, match="deblur holds no evaluated task"):
        read_study(copied, settings())


def test_methods_text_has_the_parameters_of_the_run(whole):
    html, _, _ = whole
    methods = html[html.index('id="methods"') :]
    for words in (
        "24 x 24 pixels",
        "matching at gamma 0.08 for 9 steps",
        "10 and 16 gradients of the solver",
        "Learned Proximal Networks",
    ):
        assert words in methods, words


def test_banner_says_what_was_trained():
    assert "Trained in this run: short." in banner(settings())
    pip = PageConfig.model_validate({"tier": "demo", "data_tier": "pip", "tasks": ["denoise"], "trained": []})
    assert "Nothing was trained" in banner(pip)


@pytest.mark.parametrize(
    ("columns", "words", "gap"),
    [
        (
            {"validation_psnr_0.1_16": 30.0, "validation_psnr_0.1_48": 29.9},
            ["sigma 0.1, 16 gradients", "sigma 0.1, 48 gradients"],
            0.1,
        ),
        (
            {"validation_psnr_26": 29.0, "validation_psnr_78": 29.5},
            ["random operators, 26 gradients", "random operators, 78 gradients"],
            -0.5,
        ),
        ({"validation_psnr_0.1": 30.0}, ["sigma 0.1"], None),
    ],
)
def test_columns_of_a_history_are_understood(columns, words, gap):
    training = Training("x", [{"step": 1.0, "loss": 2.0}, {"step": 2.0, **columns}], {})
    assert list(validation_columns(training).values()) == words
    assert solver_gap(training) == (None if gap is None else pytest.approx(gap))


def test_a_network_without_solver_has_no_gap(copied):
    write_training(copied, "peer", "step,loss,validation_psnr_0.1\n9,1.0,30\n", kind="residual")
    write_training(copied, "tuned", HISTORY.replace("0.1_", ""), task="deblur")
    study = read_study(copied, settings(("denoise",), ("short", "peer", "tuned")))
    rows = {row["network"]: row["gap"] for row in training_table(study.trainings).rows}
    assert rows["peer"] == "no solver in it" and rows["tuned"] == pytest.approx(0.2)


def test_crop_has_the_strongest_edges():
    truth = np.zeros((90, 100))
    truth[70:, 80:] = np.indices((20, 20)).sum(0) % 2
    top, left, height, width = busiest(truth)
    assert (height, width) == (64, 64) and top + height == 90 and left + width == 100
    assert busiest(np.zeros((10, 12))) == (0, 0, 10, 12)


def test_objective_is_drawn_down_to_rounding_and_long_runs_are_thinned():
    assert gaps([2.0, 1.5, 1.0 + 1e-9, 1.0]) == [(0, 1.0), (1, 0.5)]
    assert gaps([1.0, 1.0]) == [] and gaps([1.0]) == []
    points = thinned(list(range(1000)))
    assert points[0] == 0 and points[-1] == 999 and len(points) <= 60
