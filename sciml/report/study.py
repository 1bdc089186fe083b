"""The page of a study by its slots: what every page of the workbench holds, and where.

A family fills the slots from its results; the assembly (`sciml.report.page.write_page`) lays every page out alike: question,
answer, picture and numbers on the first screen, then the claims, then tabs, then what is folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sciml.report.methods import Paragraph
from sciml.report.reportlets import Check, Claim, Column, Failure, Reportlet, Spread, Table, Value
from sciml.report.words import counted, spread_over, with_interval
from sciml.runtime.errors import ScimlError
from sciml.runtime.provenance import Record
from sciml.runtime.settings import TIERS

MOST_NUMBERS = 6
SMALL = "only the smallest data were there, so the numbers only show that everything works"


@dataclass(frozen=True)
class Number:
    """One of the few numbers on the first screen.

    Args:
        text: what it is.
        value: mean, share or time; None where it was not measured.
        unit: of the value, its interval and the rival's value.
        interval: the 95 % interval of the value.
        rival: name of the strongest rival on the page; empty where nothing is compared.
        rival_value: what that rival reaches.
    """

    text: str
    value: Value
    unit: str = ""
    interval: tuple[float, float] | None = None
    rival: str = ""
    rival_value: Value = None


@dataclass(frozen=True)
class Comparison:
    """One method beside the strongest of its rivals, case by case.

    Attributes:
        text: what is compared, for instance the task.
        ours: name of the method.
        value: of the method over the cases.
        rival: name of the strongest other one; empty where it ran alone.
        rival_value: of the rival over the cases.
        gain: of the method over the rival on the same case, positive where the method is better.
        unit: of all numbers.
        digits: decimals in words.
    """

    text: str
    ours: str
    value: Spread
    rival: str = ""
    rival_value: Spread | None = None
    gain: Spread | None = None
    unit: str = "dB"
    digits: int = 2

    @classmethod
    def of(
        cls,
        text: str,
        cases: Mapping[str, Sequence[float]],
        ours: str | None = None,
        unit: str = "dB",
        larger: bool = True,
        digits: int = 2,
    ) -> Comparison | None:
        """Return the comparison; None where the method has no cases.

        Args:
            text: what is compared.
            cases: the value of every case by method, in the same order for all.
            ours: name of the method; by default the best one.
            unit: of the values.
            larger: whether larger is better.
            digits: decimals in words.
        """
        sign = 1.0 if larger else -1.0
        means = {name: found for name, values in cases.items() if (found := spread_over(values))}
        ranked = sorted(means, key=lambda name: -sign * means[name].mean)
        ours = ours if ours is not None else next(iter(ranked), None)
        if ours is None or ours not in means:
            return None
        rival = next((name for name in ranked if name != ours), None)
        if rival is None:
            return cls(text, ours, means[ours], unit=unit, digits=digits)
        gain = spread_over(sign * (a - b) for a, b in zip(cases[ours], cases[rival], strict=True))
        return cls(text, ours, means[ours], rival, means[rival], gain, unit, digits)

    def number(self, text: str | None = None) -> Number:
        """Return it as a number of the first screen, `text` in place of its own."""
        rival = self.rival_value and self.rival_value.mean
        return Number(text or f"{self.text}: {self.ours}", self.value.mean, self.unit, self.value.interval, self.rival, rival)

    def words(self) -> str:
        """Return gain and interval: `+1.23 dB (+0.80 to +1.70) over total variation`."""
        if self.gain is None:
            return "without a rival"
        said = with_interval(self.gain.mean, self.gain.interval, self.unit, self.digits, sign=True)
        return f"{said} over {self.rival}"

    @property
    def lead(self) -> float:
        """The mean gain; zero without a rival."""
        return 0.0 if self.gain is None else self.gain.mean


@dataclass(frozen=True)
class Tab:
    """The reportlets of one domain or topic; one without any is left out and named under the limits."""

    title: str
    items: Sequence[Reportlet]


@dataclass(frozen=True)
class StudyPage:
    """The slots of a page.

    Args:
        name: short name, used in file names and in the index (`imaging`).
        title: heading of the page.
        question: the question that the page answers, as a sentence.
        tier: name of the settings (`ci`, `demo`, `cpu`, `gpu`).
        answer: one or two sentences made from the numbers, with their intervals.
        picture: the one picture of the first screen.
        numbers: at most six.
        claims: each with its verdict; the first six that ran are shown, the others folded.
        tabs: pictures, tables and curves by domain or topic.
        checks: the method's own certificates, as `Checks` and what explains them.
        reading: how to read the page.
        records: of the stages that ran; methods text and provenance are made from them.
        further_records: of stages that the methods text leaves out, in the provenance alone.
        paragraphs: the writer of every stage's paragraph, by stage.
        stages: stage and parameters of what the methods text tells before the records.
        closing: plain paragraphs that end the methods text, with `[@key]`: the data, published values that are shown.
        engine: what the stages compute with: the distribution `torch` or `jax`.
        limits: what the page does not show and where it differs from the paper.
        missing: parts that the run lacks; the assembly names them under the limits.
        banner: a line beside the tier, for instance what was trained and what is simulated.
        data: cards of the data sets shown or tuned on, see `sciml.datasets.cards`.
        data_tier: of the run; the page says what the smallest ones mean.
        topic: what stands above the title; the name by default.
        series: names that get the first colours, in this order; others follow as they come. A name looks alike in all charts.
        failures: stages that failed.
    """

    name: str
    title: str
    question: str
    tier: str
    answer: str
    picture: Reportlet | None = None
    numbers: Sequence[Number] = ()
    claims: Sequence[Claim] = ()
    tabs: Sequence[Tab] = ()
    checks: Sequence[Reportlet] = ()
    reading: str = ""
    records: Sequence[Record] = ()
    further_records: Sequence[Record] = ()
    paragraphs: Mapping[str, Paragraph] = field(default_factory=dict)
    stages: Sequence[tuple[str, Mapping[str, Any]]] = ()
    closing: Sequence[str] = ()
    engine: str = "torch"
    limits: Sequence[str] = ()
    missing: Sequence[str] = ()
    banner: str | None = None
    data: Sequence[Mapping[str, Any]] = ()
    data_tier: str = "default"
    topic: str = ""
    series: Sequence[str] = ()
    failures: Sequence[Failure] = ()

    def __post_init__(self) -> None:
        if len(self.numbers) > MOST_NUMBERS:
            raise ScimlError(f"a page opens with at most {MOST_NUMBERS} numbers; {self.name} has {len(self.numbers)}")
        if not self.answer.strip():
            raise ScimlError(f"the page {self.name} gives no answer; say in one or two sentences what its numbers say")

    @property
    def items(self) -> list[Reportlet]:
        """Every reportlet, in the order of the page."""
        opening = [] if self.picture is None else [self.picture]
        return [*opening, *(item for tab in self.tabs for item in tab.items), *self.checks, *self.failures]

    @property
    def ran(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Stage and parameters of everything that the methods text tells."""
        told = [(record.stage, {**record.config, "data": record.notes.get("data", [])}) for record in self.records]
        return [*self.stages, *told]

    @property
    def all_limits(self) -> list[str]:
        """The limits, with what is missing first and what small data mean last."""
        absent = [*self.missing, *(tab.title.lower() for tab in self.tabs if not tab.items)]
        first = [f"Not run, and therefore not shown: {', '.join(absent)}."] if absent else []
        last = [f"This run used the smallest data: {SMALL}."] if self.data_tier in ("ci", "pip") else []
        return [*first, *self.limits, *last]

    @property
    def notice(self) -> str:
        """What stands beside the tier: the banner, and what small data mean where the tier does not say it."""
        words = {"pip": "Only the data that pip brings were there (no apt)."}
        if self.tier != "ci":
            words["ci"] = f"In this run {SMALL}."
        return " ".join(filter(None, (words.get(self.data_tier), self.banner)))


def tier_of(results: Path) -> str:
    """Return the tier that a results folder such as `results/demo/imaging` was made at; `cpu` for a folder elsewhere."""
    tier = results.resolve().parent.name
    return tier if tier in TIERS else "cpu"


def absent(parts: Mapping[str, object]) -> list[str]:
    """Return the names of the parts that are None, empty or zero, for `StudyPage.missing`."""
    return [
        name for name, part in parts.items() if not isinstance(part, (bool, int, float)) and (part is None or not _full(part))
    ]


def _full(part: object) -> bool:
    return bool(len(part)) if hasattr(part, "__len__") else True  # type: ignore[arg-type]


def range_check(name: str, open_ended: Sequence[str]) -> Check:
    """Return the check that every tuned value has worse ones on both sides, so that no range cut a method short.

    Args:
        name: of the task.
        open_ended: what has none, in words.
    """
    text = "tuned parameters with no worse value on one side" + (f": {', '.join(open_ended)}" if open_ended else "")
    return Check(f"{name}: tuning", len(open_ended), 0, not open_ended, "", text)


@dataclass(frozen=True)
class Ablation:
    """One change of a model, and what it does to the numbers.

    Args:
        name: of the changed model.
        change: what is changed, in words.
        reference: the model that it is compared with.
        numbers: by the key of a column.
    """

    name: str
    change: str
    reference: str
    numbers: Mapping[str, Value]


def ablation_page(
    page: StudyPage, ablations: Sequence[Ablation], columns: Sequence[Column], table: str, caption: str, note: str = ""
) -> StudyPage:
    """Return the page of ablations: a table for each reference before the page's own tabs, and an answer made from the numbers.

    Args:
        page: the slots that differ; its answer stands before the one that is made.
        ablations: in the order of the rows.
        columns: of `Ablation.numbers`; the first is the effect that the answer tells.
        table: title of the table.
        caption: of the table; `{reference}` is the reference's name.
        note: below the table.
    """
    tables = list(comparison_tables(ablations, columns, table, caption, note))
    answer = " ".join(filter(None, (page.answer.strip(), effects(ablations, columns[0]))))
    return replace(page, answer=answer, tabs=[Tab("One change at a time", tables), *page.tabs])


def comparison_tables(
    ablations: Sequence[Ablation], columns: Sequence[Column], title: str, caption: str, note: str = ""
) -> Iterator[Table]:
    """Yield the table of each reference; arguments as in `ablation_page`."""
    references = list(dict.fromkeys(one.reference for one in ablations))
    for reference in references:
        mine = [one for one in ablations if one.reference == reference]
        shown = [column for column in columns if any(column.key in one.numbers for one in mine)]
        rows = [{"change": one.change, **{column.key: one.numbers.get(column.key) for column in shown}} for one in mine]
        name = title if len(references) == 1 else f"{title}: against {reference}"
        yield Table(name, [Column("change", "change"), *shown], rows, caption.format(reference=reference), note)


def effects(ablations: Sequence[Ablation], effect: Column) -> str:
    """Return which change has the largest and which the smallest effect, with their numbers."""
    found = [(one, value) for one in ablations if (value := _mean(one.numbers.get(effect.key))) is not None]
    if not found:
        return ""
    ranked = sorted(found, key=lambda pair: -abs(pair[1]))
    digits = 2 if effect.digits is None else effect.digits
    said = [f"{one.change} ({with_interval(value, None, effect.unit, digits, sign=True)})" for one, value in ranked]
    smallest = f", the smallest {said[-1]}" if len(said) > 1 else ""
    return f"Of {counted(len(said), 'change')} the largest effect on {effect.title} has {said[0]}{smallest}."


def _mean(value: Value) -> float | None:
    number = value.mean if isinstance(value, Spread) else value
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
