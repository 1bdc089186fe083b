"""The pieces of a report page: plain, frozen data without any layout.

A reportlet says what is shown; the slot of the page that it is put in says where. Pictures are NumPy arrays `(height, width)` or
`(height, width, 3)`, float in [0, 1] or uint8, or the bytes of a PNG file, or the path of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sciml.runtime.errors import ScimlError

if TYPE_CHECKING:
    import numpy as np

    from sciml.report.graphics.drawing import Drawing

    Picture: TypeAlias = np.ndarray | bytes | Path

# sign and words of every verdict: of papers' claims, of goals of this project, of both
VERDICTS = {
    "reproduced": ("✓", "reproduced"),
    "partly": ("◐", "partly"),
    "not": ("✗", "not reproduced"),
    "met": ("✓", "met"),
    "met at demo size": ("◐", "met at demo size"),
    "missed": ("✗", "missed"),
    "not decided": ("?", "not decided"),
    "not run": ("○", "not run"),
}
Status: TypeAlias = Literal["reproduced", "partly", "not", "met", "met at demo size", "missed", "not decided", "not run"]


class Reportlet:
    """Base of all reportlets."""

    if TYPE_CHECKING:

        @property
        def title(self) -> str:
            """The heading."""
            ...


def supported(uncertainty: float) -> int | None:
    """Return the decimals that show two significant digits of an uncertainty; None where it is zero or not finite."""
    if not math.isfinite(uncertainty) or uncertainty <= 0:
        return None
    return max(0, 1 - math.floor(math.log10(uncertainty) + 1e-9))


@dataclass(frozen=True)
class Spread:
    """A mean over cases with its spread.

    Args:
        mean: the average over the cases.
        std: the standard deviation over the cases; None when there is one case.
        n: how many cases.
    """

    mean: float
    std: float | None
    n: int

    @property
    def digits(self) -> int | None:
        """The decimals that the standard error of the mean supports; None where it is not known."""
        return None if self.std is None or self.n < 2 else supported(self.std / self.n**0.5)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean by Student's t; one case leaves it boundless."""
        from scipy.special import stdtrit

        half = math.inf if self.std is None or self.n < 2 else float(stdtrit(self.n - 1, 0.975)) * self.std / self.n**0.5
        return self.mean - half, self.mean + half


Value: TypeAlias = str | float | int | Spread | None


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper or goal of this project, our number, the reference's and how they compare.

    `sciml.report.goals.judge` makes it from a goal and a number.

    Args:
        text: the claim, as a sentence.
        ours: our value; None where it was not measured.
        reference: the value that the reference gives.
        source: where the reference's value comes from (paper, table, page).
        unit: unit of both values.
        status: a key of `VERDICTS`.
        paper: whether a published paper says it; else it is a goal of this project.
        interval: of `ours`, 95 %; None where it has none or is a text.
    """

    text: str
    ours: Value
    reference: Value
    source: str
    unit: str = ""
    status: Status = "not run"
    paper: bool = False
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.status not in VERDICTS:
            raise ScimlError(f"a claim's status is one of {', '.join(VERDICTS)}; given {self.status!r}")


@dataclass(frozen=True)
class Text(Reportlet):
    """Plain paragraphs.

    Blank lines part paragraphs, lines that begin with `- ` make a list, `**bold**` and backticks
    mark words. Everything else is shown as it is written.
    """

    title: str
    body: str


@dataclass(frozen=True)
class Figure(Reportlet):
    """One picture or drawing with a caption; `alt` describes it for those who cannot see it."""

    title: str
    image: Picture | Drawing
    caption: str
    alt: str


@dataclass(frozen=True)
class Gallery(Reportlet):
    """Labelled pictures side by side; `notes` puts a short text (a score) under a label's picture."""

    title: str
    pictures: Mapping[str, Picture]
    caption: str
    alt: str
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Slider(Reportlet):
    """Compare any two of several pictures of one scene, with a magnifier at the same place in all.

    Args:
        title: heading.
        pictures: label to picture; all of one size. The first and the last are shown at the start.
        caption: what is seen, with the numbers that matter.
        alt: description of the scene; the label is put before it.
        error_maps: label to RGB picture, made by `error_map` with one limit for all.
        error_limit: the limit given to `error_map`, written beside the colour bar.
        error_unit: unit of the limit.
        notes: label to a short text (a score) shown under the picture.
    """

    title: str
    pictures: Mapping[str, Picture]
    caption: str
    alt: str
    error_maps: Mapping[str, Picture] | None = None
    error_limit: float | None = None
    error_unit: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.pictures) < 2:
            raise ScimlError(f"the slider {self.title!r} needs at least two pictures; given {len(self.pictures)}")


@dataclass(frozen=True)
class Scrubber(Reportlet):
    """Step through slices or times of all methods at once.

    Args:
        title: heading.
        series: label to pictures, one a position.
        positions: what each position is called (`slice 12`, `34.5 mm`, `t = 0.2 s`).
        caption: what is seen.
        alt: description of the scene; label and position are put before it.
    """

    title: str
    series: Mapping[str, Sequence[Picture]]
    positions: Sequence[str | int | float]
    caption: str
    alt: str

    def __post_init__(self) -> None:
        wrong = {label: len(pictures) for label, pictures in self.series.items() if len(pictures) != len(self.positions)}
        if not self.series or not self.positions or wrong:
            raise ScimlError(
                f"the scrubber {self.title!r} has {len(self.positions)} positions but {wrong or 'no'} pictures; "
                "give every method one picture a position"
            )


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        key: the rows' key.
        title: heading.
        unit: unit of the numbers.
        direction: `up` where larger is better, `down` where smaller is; None for no judgement.
        digits: decimals shown; by default as many as the column's size calls for.
    """

    key: str
    title: str
    unit: str = ""
    direction: Literal["up", "down"] | None = None
    digits: int | None = None


@dataclass(frozen=True)
class Table(Reportlet):
    """Numbers in rows and columns; a text in place of a number is the reason why it is missing.

    Args:
        title: heading.
        columns: in the order of the page.
        rows: values by the columns' keys.
        caption: above the table.
        note: below it.
        group: key of the rows that says what can be compared: the best value of each group is bold. It need not be a column.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value]]
    caption: str = ""
    note: str = ""
    group: str = ""


@dataclass(frozen=True)
class Heading:
    """The head of a row or column of a matrix.

    Args:
        title: heading.
        note: a line below it.
        page: a page beside this one that tells more, such as `proximal.html`.
        tags: what it is filtered by, values by filter.
    """

    title: str
    note: str = ""
    page: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MatrixCell:
    """A field of a matrix.

    Args:
        text: its number; the reason why there is none where `shade` is None; empty where it has no meaning.
        notes: lines below it.
        shade: from 0, the worst of the row, to 1, the best.
        mark: a sign, such as that of a winner.
        hint: what the sign says, in words.
        tags: what it is filtered by, values by filter.
    """

    text: str = ""
    notes: Sequence[str] = ()
    shade: float | None = None
    mark: str = ""
    hint: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Matrix(Reportlet):
    """Rows by columns, coloured within each row, with filters over the tags of rows and fields.

    Args:
        title: heading.
        columns: heads of the columns.
        rows: head and fields of each row, one field a column.
        caption: above the matrix.
        note: below it.
        filters: titles of the filters by tag, in order.
        csv: the numbers as CSV, to download.
        json: the numbers as JSON, to download.
    """

    title: str
    columns: Sequence[Heading]
    rows: Sequence[tuple[Heading, Sequence[MatrixCell]]]
    caption: str = ""
    note: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    csv: str = ""
    json: str = ""

    def __post_init__(self) -> None:
        wrong = [head.title for head, cells in self.rows if len(cells) != len(self.columns)]
        if wrong:
            raise ScimlError(f"the matrix {self.title!r} has {len(self.columns)} columns, but not the row {wrong[0]!r}")


@dataclass(frozen=True)
class Curve(Reportlet):
    """Lines over `x`, one a value of the column `series`, from rows of plain values."""

    title: str
    rows: Sequence[Mapping[str, Any]]
    x: str
    y: str
    series: str | None
    x_title: str
    y_title: str
    caption: str
    alt: str
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Check:
    """One certificate of the method: a value, the tolerance it must keep, and whether it did."""

    name: str
    value: Value
    tolerance: Value
    passed: bool
    unit: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class Checks(Reportlet):
    """The method's own certificates."""

    checks: Sequence[Check]
    title: str = "Certificates"


@dataclass(frozen=True)
class Failure(Reportlet):
    """A stage that failed, with its traceback and the command that repeats it."""

    stage: str
    command: str
    traceback: str
    title: str = "Failure"
