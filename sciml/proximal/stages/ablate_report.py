"""Stage `ablate-report`: the page of the design choices from the table of the stage `ablate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.proximal.config import PageConfig
from sciml.proximal.page import methods  # noqa: F401 (registers the text of the trainings)
from sciml.report.goals import Goal, judge
from sciml.report.methods import stage_paragraph
from sciml.report.page import Page, write_page
from sciml.report.reportlets import Claim, Column, Curve, Limits, Methods, Provenance, Reportlet, Table, Text, Value, Verdict
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json

Rows = Sequence[Mapping[str, Any]]
QUESTION = "Does one network for all noise levels lose to networks of one level, and what is each part of R's structure worth?"
ONE_LEVEL = "trained for one level"
LIMITS = (
    "Every network was trained once, with one seed: differences below about 0.05 dB mean nothing.",
    "Other structures are compared after few, equally many steps, not at convergence and not at equal time.",
    "A network of one level has had further steps that its start has not: a gain may be theirs and not the level's.",
    "All numbers are of validation crops, on which the shipped networks were watched; test data decide nothing here.",
)


@stage_paragraph("proximal.ablate")
def _ablate_text(parameters: Mapping[str, Any]) -> str:
    size, count = parameters["crop_size"], parameters["gradients"]
    return (
        f"All networks removed the same noise from the same {parameters['crops']} crops of {size} x {size} pixels of validation "
        f"pictures, with {count} and with {3 * count} gradients a solution."
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
    rows, record = read_json(table), read_json(table.with_name("provenance.json"))
    if not rows:
        raise DataError(f"{table} holds no row; run the ablations first: make ablations FAMILY=proximal")
    page = Page(
        "proximal-ablations", "Learned proximal networks: design choices", QUESTION, config.tier, reportlets(rows, record)
    )
    return [write_page(page, output)]


def reportlets(rows: Rows, record: Mapping[str, Any]) -> list[Reportlet]:
    """Return claim, one table and one chart for each reference, methods, provenance and limits."""
    settings, trainings = record["config"], record["notes"]["trainings"]
    items: list[Reportlet] = [Verdict([level_claim(rows, settings["within_db"])])]
    for reference in dict.fromkeys(row["reference"] for row in rows):
        # the reference stands first
        group = [row for row in rows if row["reference"] == reference]
        items += _compared(sorted(group, key=lambda row: row["network"] != reference), reference)
    items.append(Text("The designs", "\n".join(f"- `{name}`: {design(found)}" for name, found in trainings.items()), "numbers"))
    ran = [{"stage": "proximal.train", "parameters": training} for training in trainings.values()]
    items.append(Methods([*ran, {"stage": "proximal.ablate", "parameters": settings}]))
    return [*items, Provenance([record]), Limits(LIMITS)]


def level_claim(rows: Rows, within_db: float) -> Claim:
    """Return the claim that no network of one noise level is much better than the one for all of them."""
    text = f"One network for all noise levels is within {within_db:g} dB of networks for one level: their largest gain"
    largest = max((row["difference_db"] for row in rows if row["within"] is not None), default=None)
    return judge(Goal(text, "goal of this study: at most so much", "dB", at_most=within_db), largest)


def _compared(rows: Rows, reference: str) -> Iterator[Reportlet]:
    """Yield the table and the chart of the networks that are compared with one reference."""
    sigmas = sorted({row["sigma"] for row in rows})
    lines: list[dict[str, Value]] = []
    for name in dict.fromkeys(row["network"] for row in rows):
        own = {row["sigma"]: row for row in rows if row["network"] == name}
        first = next(iter(own.values()))
        gap = max((row["psnr_n"] - row["psnr_3n"] for row in own.values()), key=abs)
        line: dict[str, Value] = {"network": name, "gap": gap}
        line |= {"parameters": first["parameters"], "minutes": first["cpu_minutes"]}
        for sigma in sigmas:
            line[f"psnr{sigma:g}"] = own[sigma]["psnr_3n"] if sigma in own else "not its level"
            line[f"difference{sigma:g}"] = own[sigma]["difference_db"] if sigma in own else "-"
        lines.append(line)
    columns = [Column("network", "network")]
    for sigma in sigmas:
        columns.append(Column(f"psnr{sigma:g}", f"PSNR, sigma {sigma:g}", "dB", "up", 2))
        columns.append(Column(f"difference{sigma:g}", "difference", "dB", None, 3))
    columns += [
        Column("gap", "N less 3 N gradients", "dB", None, 4), Column("parameters", "numbers stored"),
        Column("minutes", "training", "CPU min", None, 1),
    ]  # fmt: skip
    caption = (
        f"Means over crops of validation pictures, at 3 N gradients, and what they are above those of {reference}. The time is "
        "that of the training itself, without that of a network that it went on from."
    )
    yield Table(f"Design choices, on validation data: against {reference}", columns, lines, caption)
    points = [
        {
            "sigma": row["sigma"],
            "difference": row["difference_db"],
            "line": row["network"] if row["within"] is None else ONE_LEVEL,
        }
        for row in rows
    ]
    yield Curve(
        f"Gain over {reference}", points, "sigma", "difference", "line", "noise level", "difference of PSNR (dB)",
        f"Above 0 is better than {reference}.", f"Difference of PSNR against {reference} over noise levels, one line a design.",
        log_x=True,
    )  # fmt: skip


def design(training: Mapping[str, Any]) -> str:
    """Return structure, noise levels and length of a training in words."""
    network, (low, high) = training["network"], training["sigma_range"]
    noise = f"sigma {low:g}" if low == high else f"sigma {low:g} to {high:g}"
    rest = f"{noise}, {training['steps']} steps" + (f" on from {training['start_from']}" if training["start_from"] else "")
    if network["kind"] != "weakly-convex":
        return f"{network['kind']}, {rest}"
    windows = " and ".join("+".join(map(str, level)) for level in network["windows"])
    return f"windows {windows}, curvature {network['curvature']:g}, rho {network['weak_convexity']:g}, {rest}"
