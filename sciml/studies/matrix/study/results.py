"""What the stages write and the page reads, one model for each file."""

from __future__ import annotations

from sciml.runtime.results import Result


class Trial(Result):
    """One method on one case at one noise seed.

    Attributes:
        row, method: names.
        case: of the crop or slice.
        subject: photograph or person; cases of one subject are not independent.
        seed: number of the noise seed.
        psnr_db: None for an exact copy, whose PSNR is infinite.
        ssim: at most 1.
        wall_s, cpu_s: seconds of the solve.
        memory_mib: growth of the process's resident memory at its peak, in MiB; None where the system does not measure it.
        certified: whether the result is proved to be a critical point of the method's objective.
    """

    row: str
    method: str
    case: str
    subject: str
    seed: int
    psnr_db: float | None
    ssim: float
    wall_s: float
    cpu_s: float
    memory_mib: float | None
    certified: bool


class Tuning(Result):
    """The parameter of a method on a row, found on validation data."""

    row: str
    method: str
    parameter: str
    value: float


class Trials(Result):
    """`trials.json` of one job.

    Attributes:
        group: `classical`, `learned`, `kernel`, or the name of a method of a user's own.
        validation: names of the pictures that parameters were tuned on, by row.
        tuned: the parameters that were found.
        reasons: by method, why its results are certified, or why not.
        trials: every one.
    """

    group: str
    validation: dict[str, list[str]]
    tuned: list[Tuning]
    reasons: dict[str, str]
    trials: list[Trial]


class Cell(Result):
    """A method in a row.

    Attributes:
        method: name of the column.
        mean: over the cases, each averaged over its seeds first; None where there are no numbers.
        low, high: 95 % interval of the mean, by a bootstrap over subjects; None below two subjects.
        lost: share of the cases on which it is worse than the row's leader; None for the leader itself.
        p: of the paired test against the leader, after Holm's correction; None where no test was possible.
        winner: whether it leads and every other method of the row is significantly worse.
        level: whether it is not told apart from the leader, where the test could have done so.
        front: whether no other method of the row is both better and faster.
        ssim, wall_s, cpu_s, memory_mib: means over the cases, of the times and the memory medians.
        certified: share of the trials that are.
        absent: why there are no numbers.
    """

    method: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    lost: float | None = None
    p: float | None = None
    winner: bool = False
    level: bool = False
    front: bool = False
    ssim: float | None = None
    wall_s: float | None = None
    cpu_s: float | None = None
    memory_mib: float | None = None
    certified: float | None = None
    absent: str = ""


class RowResult(Result):
    """A row.

    Attributes:
        name: of the row.
        title: in the matrix.
        operator: `exact` or `roughly known`; empty where that means nothing.
        cases, subjects, seeds: how many.
        leader: method of the best mean; None without numbers.
        words: why a winner is marked, or why none is.
        cells: in the order of the columns.
    """

    name: str
    title: str
    operator: str
    cases: int
    subjects: int
    seeds: int
    leader: str | None
    words: str
    cells: list[Cell]

    def cell(self, method: str) -> Cell | None:
        """Return the cell of a method."""
        return next((cell for cell in self.cells if cell.method == method), None)


class ColumnFacts(Result):
    """A column: name of the method, its title, and the family whose page tells of it; empty for a method of a user's own."""

    name: str
    title: str
    family: str


class Section(Result):
    """One matrix.

    Attributes:
        name: `imaging`, `codecs` or `closures`.
        title: of the matrix.
        metric: what the cells show.
        unit: of it.
        larger: whether larger is better.
        note: where the numbers come from.
        columns, rows: of the matrix.
    """

    name: str
    title: str
    metric: str
    unit: str
    larger: bool
    note: str
    columns: list[ColumnFacts]
    rows: list[RowResult]


class Matrix(Result):
    """`matrix.json`.

    Attributes:
        jobs: folders of the jobs whose trials these are, below the results folder.
        sections: the matrices that this run has.
        missing: parts that it lacks, and why.
        tuned: parameters found on validation data.
        reasons: by method, why its results are certified, or why not.
    """

    jobs: list[str]
    sections: list[Section]
    missing: list[str]
    tuned: list[Tuning]
    reasons: dict[str, str]

    def section(self, name: str) -> Section | None:
        """Return a matrix by its name."""
        return next((one for one in self.sections if one.name == name), None)
