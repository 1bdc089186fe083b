"""The page of the example, from its artefacts alone."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciml.report.goals import Goal, judge
from sciml.report.reportlets import Check, Checks, Column, Curve, Slider, Table
from sciml.report.study import Number, StudyPage, Tab
from sciml.report.words import spread, with_interval
from sciml.runtime.files import load_tensors, read_json
from sciml.runtime.provenance import read_record
from sciml_example.config import ReportConfig

QUESTION = "Does a learned linear filter take noise out of smooth pictures?"
LEAST_GAIN_DB = 6.0
TITLES = {"noisy": "noisy picture", "filter": "learned filter"}


def study_page(config: ReportConfig, results: Path) -> StudyPage:
    """Return the page of the study.

    Args:
        config: the tier.
        results: results folder of the family.
    """
    metrics = read_json(results / "evaluate" / "metrics.json")
    pictures, _ = load_tensors(results / "evaluate" / "pictures.safetensors")
    with (results / "train" / "history.csv").open(newline="") as file:
        history = [{"step": int(row["step"]), "loss": float(row["loss"])} for row in csv.DictReader(file)]
    means = {row["method"]: row["psnr"]["mean"] for row in metrics["rows"]}
    rows = [{"method": TITLES[row["method"]], "psnr": spread(row["psnr"])} for row in metrics["rows"]]
    gain_db = means["filter"] - means["noisy"]
    text = "The filter gains at least 6 dB on pictures that it has not seen"
    gain = metrics["checks"]["gain"]
    columns = [Column("method", "method"), Column("psnr", "PSNR", "dB", "up", 2)]
    return StudyPage(
        "example",
        "A learned filter",
        QUESTION,
        config.tier,
        f"The filter gains {with_interval(gain_db, None, 'dB')} over the noisy pictures.",
        picture=Slider(
            "First test picture",
            {"noisy": pictures["noisy"][0, 0].clip(0, 1), "filter": pictures["filtered"][0, 0].clip(0, 1)},
            "Synthetic waves with Gaussian noise.",
            "smooth random waves",
        ),
        numbers=[Number("PSNR of the filter", means["filter"], "dB", None, TITLES["noisy"], means["noisy"])],
        claims=[judge(Goal(text, "set before the run", "dB", at_least=LEAST_GAIN_DB), gain_db)],
        tabs=[
            Tab("Quality", [Table("Quality", columns, rows, "Mean and standard deviation over the test pictures.")]),
            Tab(
                "Training",
                [
                    Curve(
                        "Loss", history, "step", "loss", None, "step", "mean squared error", "Means over rows.", "a falling line"
                    )
                ],
            ),
        ],
        checks=[Checks([Check("sum of the filter", gain, "0.9 to 1.1", 0.9 <= gain <= 1.1, "", "a constant stays as it is")])],
        records=[read_record(results / stage) for stage in ("train", "evaluate")],
        paragraphs=PARAGRAPHS,
        limits=["The data are synthetic; the page shows how a family is built, not what filters can do."],
    )


def _train_text(parameters: Mapping[str, Any]) -> str:
    size = parameters["filter_size"]
    return f"A linear filter of {size} x {size} pixels was trained for {parameters['steps']} steps of AdamW on synthetic waves."


def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return f"It was tested on {parameters['pictures']} waves that were not trained on."


PARAGRAPHS = {"example.train": _train_text, "example.evaluate": _evaluate_text}
