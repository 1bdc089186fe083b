"""Stage `ablate-report`: the page of the design choices from the table of the stage `ablate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.datasets.cards import data_text
from sciml.proximal.config import PageConfig
from sciml.proximal.page.methods import PARAGRAPHS
from sciml.proximal.study.results import WITHIN_DB, AblationRow
from sciml.report.goals import Goal, judge
from sciml.report.page import write_page
from sciml.report.reportlets import Claim, Column, Curve, Text, Value
from sciml.report.study import Ablation, StudyPage, Tab, ablation_page
from sciml.report.words import with_interval
from sciml.runtime.errors import DataError
from sciml.runtime.provenance import read_record
from sciml.runtime.results import read_result

Rows = Sequence[AblationRow]
QUESTION = "Does one network for all noise levels lose to networks of one level, and what is each part of R's structure worth?"
ONE_LEVEL = "trained for one level"
LIMITS = (
    "Every network was trained once, with one seed: differences below about 0.05 dB mean nothing.",
    "Other structures are compared after few, equally many steps, not at convergence and not at equal time.",
    "A network of one level has had further steps that its start has not: a gain may be theirs and not the level's.",
    "All numbers are of validation crops, on which the shipped networks were watched; test data decide nothing here.",
)


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
    rows, record = read_result(table, list[AblationRow]), read_record(table.parent)
    if not rows:
        raise DataError(f"{table} holds no row; run the ablations first: make ablations FAMILY=proximal")
    trainings = record.notes["trainings"]
    claim = level_claim(rows, WITHIN_DB)
    gain = claim.ours
    designs = Text("The designs", "\n".join(f"- `{name}`: {design(found)}" for name, found in trainings.items()))
    page = StudyPage(
        "proximal-ablations",
        "Learned proximal networks: design choices",
        QUESTION,
        config.tier,
        f"Networks for one level gain at most {with_interval(gain, None, 'dB', 3, True)} over the one for all levels."
        if isinstance(gain, float)
        else "",
        claims=[claim],
        tabs=[Tab("By noise level", [curve(rows, one) for one in references(rows)]), Tab("The designs", [designs])],
        records=[record],
        paragraphs={**PARAGRAPHS, "proximal.ablate": _ablate_text},
        closing=[data_text([record])],
        stages=[("proximal.train", training) for training in trainings.values()],
        limits=LIMITS,
    )
    caption = (
        "Means over crops of validation pictures, at 3 N gradients, and what they are above those of {reference}. The time is "
        "that of the training itself, without that of a network that it went on from."
    )
    title = "Design choices, on validation data"
    return [write_page(ablation_page(page, ablations(rows), columns(rows), title, caption), output)]


def level_claim(rows: Rows, within_db: float) -> Claim:
    """Return the claim that no network of one noise level is much better than the one for all of them."""
    text = f"One network for all noise levels is within {within_db:g} dB of networks for one level: their largest gain"
    largest = max((row.difference_db for row in rows if row.within is not None), default=None)
    return judge(Goal(text, "goal of this study: at most so much", "dB", at_most=within_db), largest)


def references(rows: Rows) -> list[str]:
    """Return the networks that others are compared with."""
    return list(dict.fromkeys(row.reference for row in rows))


def ablations(rows: Rows) -> list[Ablation]:
    """Return every network beside its reference, which comes first."""
    made = []
    for reference in references(rows):
        group = [row for row in rows if row.reference == reference]
        for name in sorted(dict.fromkeys(row.network for row in group), key=lambda name: name != reference):
            own = [row for row in group if row.network == name]
            gap = max((row.psnr_n - row.psnr_3n for row in own), key=abs)
            numbers: dict[str, Value] = {"gap": gap, "parameters": own[0].parameters, "minutes": own[0].cpu_minutes}
            for row in own:
                numbers[f"psnr{row.sigma:g}"] = row.psnr_3n
                numbers[f"difference{row.sigma:g}"] = "reference" if name == reference else row.difference_db
            made.append(Ablation(name, name, reference, numbers))
    return made


def columns(rows: Rows) -> list[Column]:
    """Return the columns of every noise level, those of the differences first, and of what a network is."""
    sigmas = sorted({row.sigma for row in rows})
    return [
        *(Column(f"difference{sigma:g}", f"difference of PSNR, sigma {sigma:g}", "dB", None, 3) for sigma in sigmas),
        *(Column(f"psnr{sigma:g}", f"PSNR, sigma {sigma:g}", "dB", "up", 2) for sigma in sigmas),
        Column("gap", "N less 3 N gradients", "dB", None, 4),
        Column("parameters", "numbers stored"),
        Column("minutes", "training", "CPU min", None, 1),
    ]


def curve(rows: Rows, reference: str) -> Curve:
    """Return what each network gains over a reference, by noise level."""
    points = [
        {
            "sigma": row.sigma,
            "difference": row.difference_db,
            "line": row.network if row.within is None else ONE_LEVEL,
        }
        for row in rows
        if row.reference == reference
    ]
    return Curve(
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
