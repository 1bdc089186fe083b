"""The page from results of the links on known flows, with fits whose numbers are chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flow_scenes import flows, movies

from sciml.report.check import check_page
from sciml.runtime.files import read_json
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.studies.flow_from_images.config import (
    TRUE_FRAMES,
    ArchiveConfig,
    OrientConfig,
    RenderConfig,
    ReportConfig,
    SharpenConfig,
    SimulateConfig,
)
from sciml.studies.flow_from_images.page.page import settings_of
from sciml.studies.flow_from_images.stages import archive, orient, report, sharpen
from sciml.studies.flow_from_images.study.movies import GRID, Movie, on_grid, parts, write_movies
from sciml.studies.flow_from_images.study.results import Estimate, Fit, FitResult

COMBINATIONS = ("lossless/none", "lossless/tv", "low/none", "low/tv")


def fit(combination: str, case: str, noise: str, alpha: float, known: bool) -> Fit:
    truth = {"alpha": -2.0, "zeta": 0.5} if known else {"alpha": None, "zeta": None}
    ends = {
        name: Estimate(value=value, low=value - 0.15, high=value + 0.15, truth=truth[name])
        for name, value in (("alpha", alpha), ("zeta", 0.5))
    }
    return Fit(
        combination=combination,
        case=case,
        noise=noise,
        noise_std=0.2,
        gain=1.0,
        converged=True,
        p_value=0.5,
        **{"verdict": "noise", "times": [0.5, 1.0], **ends},
        forecast=[0.2, 0.4] if known else [],
        persistence=[0.3, 0.8] if known else [],
    )


def results(root: Path, known: bool) -> Path:
    """Write the results of a run: of two movies that are judged, or of one of the user's."""
    roles = {"first": "calibration", "second": "test", "third": "test"} if known else {"first": "calibration"}
    roles |= {"fourth": "calibration", "fifth": "calibration"}
    truths, own = flows(**roles), {}
    if not known:
        movie = movies(flows(own="own"))["own"]
        own = {"own": Movie(movie.case.model_copy(update={"alpha": None, "zeta": None, "noise_std": None}), movie.arrays)}
    write_movies(root / "simulate/flows.safetensors", truths)
    write_movies(root / "render/frames.safetensors", movies(truths) | own)
    simulate, render = SimulateConfig(), RenderConfig(pixels=96)
    for name, config in (("simulate", simulate), ("render", render)):
        recorder = Recorder(f"flow_from_images.{name}", config.model_dump(mode="json"))
        recorder.write(root / name / "provenance.json", [])
    for number, combination in enumerate(COMBINATIONS):
        kept, sharpening = combination.split("/")
        decoded, _ = archive.run(ArchiveConfig(archive=kept), root / "render/frames.safetensors", root / kept / "archive")
        (sharp,) = sharpen.run(SharpenConfig(sharpening=sharpening), decoded, root, root / combination / "sharpen")
        orient.run(OrientConfig(), sharp, root / "simulate/flows.safetensors", root / combination / "orient")
        judged = ["second", "third"] if known else ["own"]
        rows = [fit(combination, case, "measured", -2.0 - 0.1 * number, known) for case in judged]
        if combination == "lossless/none":
            rows += [fit(combination, case, "guessed", -2.5, known) for case in judged]
        source = truths["second"] if known else movies(flows(own="own"))["own"]
        m1 = on_grid(truths["second" if known else "first"].field("m1"))
        shown = Movie(source.case, {"m1": parts(m1), "vorticity": np.ones((2, GRID, GRID), np.float32)})
        inferred(root / combination / "infer", rows, {combination: shown})
    cases = ("second", "third") if known else ()
    inferred(root / "infer", [fit(TRUE_FRAMES, case, "measured", -2.05, known) for case in cases], {})
    return root


def inferred(folder: Path, rows: list[Fit], shown: dict[str, Movie]) -> None:
    """Write what the inference leaves of one combination."""
    write_result(folder / "fits.json", FitResult(rows=rows, calibration=[], factors={"alpha": 1.5, "zeta": 1.0}, lost={}))
    write_movies(folder / "fields.safetensors", shown)
    Recorder("flow_from_images.infer", {}).write(folder / "provenance.json", [])


@pytest.mark.slow
def test_the_page_answers_from_the_numbers(tmp_path):
    root = results(tmp_path / "ci" / "flow_from_images", known=True)
    config = settings_of(root)
    assert config == ReportConfig(tier="ci", data_tier="ci", combinations=COMBINATIONS)
    (page,) = report.run(config, root, tmp_path / "flow_from_images.html")
    check_page(page)
    told = read_json(page.with_suffix(".report.json"))
    # 0 % off, two of two intervals of each movie hold; a guess at -2.5 misses activity
    assert "activity is off by 0 %" in told["answer"] and "4 of 4 (40 % to 100 %)" in told["answer"]
    assert "2 of 4" in told["answer"] and "the archive moves activity most (80 % of the variance)" in told["answer"]
    statuses = {claim["text"]: claim["status"] for claim in told["claims"]}
    assert statuses["The true kernel beats the nominal one: error of m1 taken off"] == "not run"
    assert statuses["Blurred frames, measured noise: share of 90 % intervals that hold the truth"] == "not decided"
    # both movies gain alike, by a run smaller than the goal asks
    assert statuses["Blurred frames: the forecast beats persistence 1 beyond the last frame, by"] == "met at demo size"


@pytest.mark.slow
def test_the_page_of_ones_own_movie_shows_estimates_and_no_error(tmp_path):
    root = results(tmp_path / "mine" / "flow_from_images", known=False)
    (page,) = report.run(
        ReportConfig(tier="demo", data_tier="ci", combinations=COMBINATIONS), root, tmp_path / "flow_from_images.html"
    )
    check_page(page)
    told = read_json(page.with_suffix(".report.json"))
    assert told["answer"].startswith("In your movie alpha is \u22122.00 (\u22122.15 to \u22121.85)") and not told["claims"]
    assert "truth is not known" in told["answer"]
