"""Stage `ablate-report`: the page of what each part of the codec is worth, from the table of the stage `ablate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sciml.compression.page.methods import PARAGRAPHS
from sciml.compression.settings.stages import PageConfig
from sciml.datasets.cards import data_text
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.page import write_page
from sciml.report.reportlets import Claim, Column, Curve, Spread
from sciml.report.study import Ablation, StudyPage, ablation_page
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json
from sciml.runtime.provenance import read_record

QUESTION = "How many more bits does the codec need at equal error when one of its parts is taken out?"
GOAL = "goal of this project"
# points of BD-rate that tables shared by all rates may cost
SHARED_COST = 3.0
LIMITS = (
    "Every variant was fitted once, to the same crops, fewer than those of the shipped model.",
    "Each part is taken out alone: parts that do the same work twice look worth less than they are together.",
    "Rates are ideal code lengths of the tables but for the network's row, which counts bytes of files.",
    "All numbers are of validation pictures, on which the codec's structure was chosen; test pictures decide nothing here.",
)
COLUMNS = (
    Column("rate", "bits at equal error", "%", "down", 1),
    Column("interval", "95 % interval of the mean (%)"),
    Column("largest", "worst picture", "%", "down", 1),
)


def run(config: PageConfig, table: Path, output: Path) -> list[Path]:
    """Write the page and its `report.json`.

    Args:
        config: tier of the run.
        table: `ablations.json`; `provenance.json` lies beside it.
        output: the page, `.html`.

    Raises:
        DataError: the table is missing or empty.
    """
    found = read_json(table)
    if not found["rows"]:
        raise DataError(f"{table} holds no row; run the study first: make ablations FAMILY=compression")
    rows = {row["variant"]: row for row in found["rows"]}
    points = [{"rate": row["bpp"], "quality": row["psnr_db"], "line": row["variant"]} for row in _mean_curves(found["curves"])]
    curve = Curve(
        "Rate and quality without each part", points, "rate", "quality", "line", "rate (bits a pixel)", "PSNR (dB)",
        "Means over the validation pictures, one point a step.", "Rate against PSNR, one line a variant.", log_x=True,
    )  # fmt: skip
    claim = shared_claim(rows["shared-tables"])
    record = read_record(table.parent)
    page = StudyPage(
        "compression-ablations",
        "Compression: what each part is worth",
        QUESTION,
        config.tier,
        f"One model for all rates: {claim.ours} % more bits than tables fitted to the very step.",
        picture=curve,
        claims=[claim],
        records=[record],
        paragraphs=PARAGRAPHS,
        closing=[data_text([record])],
        limits=LIMITS,
    )
    caption = (
        f"BD-rate over {len(found['pictures'])} validation pictures (their middles at half size), all fitted to the same "
        f"{found['crops']} crops. Positive: the part saves so many bits."
    )
    ablations = [_ablation(row) for row in sorted(rows.values(), key=lambda row: -row["bd_rate_percent"])]
    title = "What each part is worth, on validation pictures"
    return [write_page(ablation_page(page, ablations, COLUMNS, title, caption), output)]


def shared_claim(row: Mapping[str, Any]) -> Claim:
    """Return the claim that one model for all rates costs little."""
    cost = row["bd_rate_percent"]
    text = f"One model for all rates needs at most {SHARED_COST:g} % more bits than tables fitted to the very step"
    return judge(Goal(text, GOAL, "%", at_most=SHARED_COST), cost, row["interval_percent"] or UNKNOWN, shown=round(cost, 2))


def _ablation(row: Mapping[str, Any]) -> Ablation:
    each = row["by_picture_percent"].values()
    return Ablation(
        row["variant"],
        row["meaning"],
        "all parts" if row["anchor"] == "full" else row["anchor"].replace("-", " "),
        {
            "rate": Spread(row["bd_rate_percent"], row["std_percent"], len(each)),
            "interval": "-" if row["interval_percent"] is None else "{:+.1f} to {:+.1f}".format(*row["interval_percent"]),
            "largest": max(each),
        },
    )


def _mean_curves(points: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean rate and PSNR of every variant and step."""
    groups: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for point in points:
        groups.setdefault((point["variant"], point["step"]), []).append(point)
    return [
        {"variant": variant, **{key: sum(point[key] for point in group) / len(group) for key in ("bpp", "psnr_db")}}
        for (variant, _), group in groups.items()
    ]
