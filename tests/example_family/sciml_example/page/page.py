"""The page of the example, from its artefacts alone."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciml.report.goals import Goal, judge
from sciml.report.methods import stage_paragraph
from sciml.report.reportlets import (
    Check,
    Checks,
    Column,
    Curve,
    Limits,
    Methods,
    Provenance,
    Reportlet,
    Slider,
    Spread,
    Table,
    Verdict,
)
from sciml.runtime.files import load_tensors, read_json

LEAST_GAIN_DB = 6.0
TITLES = {"noisy": "noisy picture", "filter": "learned filter"}


def reportlets(results: Path) -> list[Reportlet]:
    """Return everything that the page shows.

    Args:
        results: results folder of the family.
    """
    metrics = read_json(results / "evaluate" / "metrics.json")
    pictures, _ = load_tensors(results / "evaluate" / "pictures.safetensors")
    records = [read_json(results / stage / "provenance.json") for stage in ("train", "evaluate")]
    with (results / "train" / "history.csv").open(newline="") as file:
        history = [{"step": int(row["step"]), "loss": float(row["loss"])} for row in csv.DictReader(file)]
    scores = {row["method"]: Spread(row["psnr"]["mean"], row["psnr"]["std"], row["psnr"]["n"]) for row in metrics["rows"]}
    gain_db = scores["filter"].mean - scores["noisy"].mean
    text = "The filter gains at least 6 dB on pictures that it has not seen"
    claim = judge(Goal(text, "set before the run", "dB", at_least=LEAST_GAIN_DB), gain_db)
    gain = metrics["checks"]["gain"]
    return [
        Verdict([claim]),
        Slider(
            "First test picture",
            {"noisy": pictures["noisy"][0, 0].clip(0, 1), "filter": pictures["filtered"][0, 0].clip(0, 1)},
            "Synthetic waves with Gaussian noise.",
            "smooth random waves",
        ),
        Table(
            "Quality",
            [Column("method", "method"), Column("psnr", "PSNR", "dB", "up", 2)],
            [{"method": TITLES[name], "psnr": score} for name, score in scores.items()],
            "Mean and standard deviation over the test pictures.",
        ),
        Curve("Training loss", history, "step", "loss", None, "step", "mean squared error", "Means over rows.", "a falling line"),
        Checks([Check("sum of the filter", gain, "0.9 to 1.1", 0.9 <= gain <= 1.1, "", "a constant picture stays as it is")]),
        Methods([{"stage": record["stage"], "parameters": record["config"]} for record in records]),
        Provenance(records),
        Limits(["The data are synthetic; the page shows how a family is built, not what filters can do."]),
    ]


@stage_paragraph("example.train")
def _train_text(parameters: Mapping[str, Any]) -> str:
    size = parameters["filter_size"]
    return f"A linear filter of {size} x {size} pixels was trained for {parameters['steps']} steps of AdamW on synthetic waves."


@stage_paragraph("example.evaluate")
def _evaluate_text(parameters: Mapping[str, Any]) -> str:
    return f"It was tested on {parameters['pictures']} waves that were not trained on."
