"""What is proved and where the exact answer is known: certificates of the weights, and priors on the line and in the plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sciml.proximal.page.claims import DRIFT_GOAL_DB
from sciml.proximal.page.figures import function_panels
from sciml.proximal.page.results import LearnedResults, Part, StudyResults
from sciml.proximal.page.training import training_checks
from sciml.proximal.study.results import Certificates, InvariantRow, LineErrors, ToyNumbers
from sciml.report.reportlets import Check, Checks, Column, Curve, Figure, Reportlet, Table, Text, Value
from sciml.report.study import range_check
from sciml.report.tables import show_value
from sciml.report.words import counted


def check_reportlets(study: StudyResults) -> Iterator[Reportlet]:
    """Yield the checks of the runs and of the trainings, and the invariants of every network."""
    checks = [check for task in study.tasks for check in run_checks(task)]
    checks += training_checks(study.trainings)
    if study.digits is not None:
        share = study.digits.numbers.outside
        text = "share of pictures whose R is infinite, because no y with f(y) = x was found"
        checks.append(Check("digits: outside the range of f", share, 0, share == 0, "", text))
    yield Checks(checks, "Runs of this page")
    if study.certificates is not None:
        tables = study.certificates.numbers
        yield Text("Invariants of the weights", invariant_words(tables))
        yield Checks(
            [invariant(name, rows) for name, rows in by_invariant(tables).items()], "Invariants: the worst network of each"
        )
        yield invariant_table(tables)


def invariant_words(tables: Certificates) -> str:
    """Return what the invariants are, and which are not defined for a network."""
    lines = []
    for label, rows in tables.items():
        if absent := [row.name for row in rows if not row.applies]:
            lines.append(f"- not defined for the form of `{label}`: {'; '.join(absent)}")
    return "\n".join([INVARIANTS, "", *lines])


INVARIANTS = """What must hold for any weights, trained or not, measured in double precision on small images through the functions
that users call. It is mathematics, not quality: a network that fails is no prox, or not that of the R it reports."""


def by_invariant(tables: Certificates) -> dict[str, dict[str, InvariantRow]]:
    """Return the rows by what they say and by network; a network that a row does not apply to is left out."""
    found: dict[str, dict[str, InvariantRow]] = {}
    for label, rows in tables.items():
        for row in rows:
            if row.applies:
                found.setdefault(row.name, {})[label] = row
    return found


def invariant(name: str, rows: Mapping[str, InvariantRow]) -> Check:
    """Return an invariant of several networks as the page shows it: the worst value; who fails is named with a witness."""

    def margin(label: str) -> tuple[bool, float]:
        row = rows[label]
        distance = np.nan_to_num((row.value or 0.0) - (row.threshold or 0.0), nan=-np.inf)
        return row.passed, float(distance if row.comparison == ">=" else -distance)

    worst = min(rows, key=margin)
    row = rows[worst]
    sign = {">=": "\u2265", "<=": "\u2264"}.get(row.comparison, row.comparison)
    limit = None if row.threshold is None else f"{sign} {show_value(row.threshold)}"
    failed = [f"{label} fails: {one.witness}" for label, one in rows.items() if not one.passed]
    text = "; ".join([row.note, *(failed or [f"worst of {counted(len(rows), 'network')}: {worst}"])])
    return Check(name, row.value, limit, not failed, "", text)


def invariant_table(tables: Certificates) -> Table:
    """Return every invariant by network."""
    rows = [
        {"invariant": name, **{label: show_value(row.value) for label, row in found.items()}}
        for name, found in by_invariant(tables).items()
    ]
    columns = [Column("invariant", "invariant"), *(Column(label, label) for label in tables)]
    return Table("Invariants by network", columns, rows, "Values; what they have to keep stands above. A gap: not defined.")


def run_checks(task: LearnedResults) -> Iterator[Check]:
    """Yield what every run of the task's networks must keep, and that the classical methods were tuned in range."""
    for name in task.learned():
        rows = task.runs_of(name)
        without = [f"{row.variant}: {row.reason}" for row in rows if not row.certified]
        text = "; ".join(without) or "all conditions of the theorem hold in every run"
        yield Check(f"{task.task}, {name}: runs without certificate", len(without), 0, not without, "", text)
        rising = [row.variant for row in rows if not row.monotone]
        text = ", ".join(rising) or "F of the accepted iterates never rose beyond rounding"
        yield Check(f"{task.task}, {name}: runs in which F rose", len(rising), 0, not rising, "", text)
        fall = max(fall for row in rows for fall in row.below_best_db)
        text = "largest fall of a picture's PSNR from its best iterate to its last"
        yield Check(f"{task.task}, {name}: drift", fall, DRIFT_GOAL_DB, fall <= DRIFT_GOAL_DB, "dB", text)
    yield range_check(task.task, task.open_ended())


def line_reportlets(toy: Part[ToyNumbers]) -> Iterator[Reportlet]:
    """Yield the panel on the line, the learned errors along y, and the tables of errors."""
    learned, seed = learned_on_the_line(toy)
    y = toy.arrays["y"]
    targets = [*learned]
    exact = {name: on_the_line(toy, name) for name in [*targets, "map"]}
    yield Figure(
        "Laplace prior on the line: what each loss learns",
        function_panels(y, learned, exact),
        f"Laplace density with b = 1, noise 1, seed {seed}. Solid: learned. Dashed, same colour: exact minimiser of the same "
        "loss by quadrature (the median has no known potential). Dotted: the MAP, that is the soft threshold and |x|. The mean "
        "squared error learns the mean, the absolute error the median, the matching loss comes near to the MAP as gamma falls.",
        "Three panels: the denoiser, the convex potential and the regulariser, learned and exact, for several losses.",
    )
    rows = [
        {"y": float(at), "error": float(value), "loss": name.replace("-", " ")}
        for name in targets
        for at, value in list(zip(y, learned[name]["f"] - exact[name]["f"], strict=True))[::5]
    ]
    yield Curve(
        "Laplace prior on the line: learned less exact", rows, "y", "error", "loss", "y", "f(y) less the exact minimiser",
        "The error of the optimisation alone: each denoiser against the exact minimiser of its own loss. Claims are about |y| "
        "<= 3.",
        "Error of the learned denoiser over y, one line a loss.",
    )  # fmt: skip
    yield line_table(toy)
    if toy.numbers.priors:
        yield priors_table(toy)


def on_the_line(toy: Part[ToyNumbers], key: str) -> dict[str, np.ndarray]:
    """Return `f`, `psi` and `R` of a curve, those that are there."""
    found = {part: toy.arrays.get(f"laplace.{key}.{part}") for part in ("f", "psi", "R")}
    return {part: values for part, values in found.items() if values is not None}


def learned_on_the_line(toy: Part[ToyNumbers]) -> tuple[dict[str, dict[str, np.ndarray]], int]:
    """Return what the first seed's networks learned, by target from the coarsest loss to the finest, and the seed."""
    rows = [row for row in toy.numbers.laplace if row.network == "small"]
    seed = rows[0].seed
    order = sorted(
        dict.fromkeys(row.target for row in rows if row.seed == seed),
        key=lambda target: ({"mse": 0, "l1": 1}.get(target, 2), -float(target.partition("-")[2] or 0)),
    )
    return {target: on_the_line(toy, f"small.{seed}.{target}") for target in order}, seed


def line_table(toy: Part[ToyNumbers]) -> Table:
    """Return the errors of every network and loss, and what the exact minimisers themselves miss."""
    keys = ("own_max", "own_mean", "map_max", "map_mean", "prior_own_mean", "prior_map_mean", "slope_max")
    rows: list[dict[str, Value]] = []
    groups: list[tuple[str, LineErrors]] = [(f"{row.network}, seed {row.seed}", row) for row in toy.numbers.laplace]
    groups += [("exact minimiser", row) for row in toy.numbers.exact]
    for name, row in groups:
        numbers: dict[str, Value] = {key: value if (value := getattr(row, key)) is not None else "not known" for key in keys}
        rows.append({"network": name, "target": row.target.replace("-", " "), **numbers})
    columns = [
        Column("network", "network"),
        Column("target", "loss"),
        Column("own_max", "f: largest, to its own exact minimiser", "", None, 4),
        Column("own_mean", "mean", "", None, 4),
        Column("map_max", "f: largest, to the MAP", "", None, 4),
        Column("map_mean", "mean", "", None, 4),
        Column("prior_own_mean", "R: mean, to its own exact one", "", None, 4),
        Column("prior_map_mean", "R: mean, to |x|", "", None, 4),
        Column("slope_max", "largest slope of f", "", None, 3),
    ]
    exact = [(float(row.target.partition("-")[2]), row) for row in toy.numbers.exact if row.target.startswith("gamma-")]
    bias = ""
    if exact:
        gamma, row = min(exact, key=lambda pair: pair[0])
        bias = f": at gamma {gamma:g} the exact minimiser itself is {row.map_max:.3f} from the soft threshold"
    caption = (
        f"f on |y| <= 3, R on |y| <= 3.5. The rows of exact minimisers are what no training can improve{bias}. "
        "A row called published is the published network of 4 x 50 units on the same samples."
    )
    return Table("Laplace prior on the line: errors", columns, rows, caption)


def priors_table(toy: Part[ToyNumbers]) -> Table:
    """Return the errors on all other priors after their last stage."""
    last = {row.prior: row for row in toy.numbers.priors}
    rows = [
        {
            "prior": name,
            "sigma": row.sigma,
            "target": row.target.replace("-", " "),
            "own": 100 * row.own_relative if row.own_relative is not None else "not known",
            "map": 100 * row.map_relative,
        }
        for name, row in last.items()
    ]
    columns = [
        Column("prior", "prior"), Column("sigma", "noise"), Column("target", "last loss"),
        Column("own", "relative error to the exact minimiser", "%", "down", 2),
        Column("map", "relative error to the MAP", "%", "down", 2),
    ]  # fmt: skip
    caption = (
        "One network each, RMS over samples that the training never saw. For two-gaussians and points the MAP jumps, and a "
        "continuous network must round it."
    )
    return Table("Other priors with a known answer", columns, rows, caption)
