"""The page of the study of learned proximal networks, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sciml.datasets.cards import card, data_text
from sciml.imaging.tasks.catalogue import TASKS
from sciml.imaging.tasks.results import volumes
from sciml.proximal.config import PageConfig
from sciml.proximal.page.claims import claims, guarantees
from sciml.proximal.page.colour import colour_reportlets
from sciml.proximal.page.methods import PARAGRAPHS
from sciml.proximal.page.price import price_table
from sciml.proximal.page.prior import digit_reportlets, prior_reportlets
from sciml.proximal.page.results import LearnedResults, StudyResults, read_study
from sciml.proximal.page.tasks import shown_variants, task_reportlets
from sciml.proximal.page.theory import check_reportlets, line_reportlets
from sciml.proximal.page.training import training_reportlets
from sciml.report.reportlets import Reportlet
from sciml.report.study import Comparison, Number, StudyPage, Tab, absent
from sciml.report.words import counted, used_data

QUESTION = (
    "Can a learned prior be a proximal operator by construction, with a regulariser that can be printed and a reconstruction "
    "that is certain to converge, and still beat tuned classical methods on photographs, CT and MR? What does provability cost?"
)
READING = """A learned proximal network is the proximal operator of a regulariser R, for any weights. `implicit` learns R and
solves for the denoiser; `guided` solves twice, the second time with thresholds that a small network chose for this picture and
that are fixed then; `explicit` learns a convex potential whose gradient is the denoiser. All are certified; a network marked
`no prox` is not, and stands here to show what the constraint costs.

**What a loss learns.** The squared error learns the posterior mean, which is itself the prox of some R: the constraint costs
nothing in principle. Proximal matching learns the MAP as gamma goes to 0. With images gamma is kept far wider than the
posterior, where the matching loss is close to the squared error: its network is near the posterior mean. The claim about the MAP
is therefore tested where it can hold and the answer is known, on the line and in the plane.

**R.** Its values compare pictures within one network at one noise level. Between networks, neither values nor differences mean
anything.

Nothing is chosen on test data: networks are trained and classical methods tuned on other photographs and other subjects. PSNR and
SSIM are of values in [0, 1]. A spread is the standard deviation over test pictures, not an error of the mean."""


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier, tasks and trained networks of the run.
        results: results folder of the study.

    Raises:
        DataError: a task of the run has not been evaluated.
    """
    study = read_study(results, config)
    records = list(study.records())
    (title, (picture, *rest)), *others = tabs(study).items()
    compared = [found for task in study.tasks if (found := over_classical(task))]
    return StudyPage(
        "proximal",
        "Learned proximal networks",
        QUESTION,
        config.tier,
        answer(study, compared),
        picture=picture,
        numbers=list(numbers(study, compared)),
        claims=list(claims(study)),
        tabs=[Tab(title, rest), *(Tab(title, items) for title, items in others)],
        checks=[guarantees(study), *check_reportlets(study)],
        reading=READING,
        records=records,
        paragraphs=PARAGRAPHS,
        closing=[data_text(records)],
        limits=list(limits(study)),
        missing=missing(study, config),
        banner=banner(config),
        data=card(used_data(record for record in records if record.stage == "imaging.measure")),
        data_tier=config.data_tier,
    )


def tabs(study: StudyResults) -> dict[str, list[Reportlet]]:
    """Return the reportlets by topic: each task, then what the stages beside the tasks have made, those that ran."""
    found = {TASKS[task.task].title: list(task_reportlets(task)) for task in study.tasks}
    if (denoising := study.task("denoise")) is not None:
        found[TASKS["denoise"].title].append(price_table(denoising))
    if study.toy is not None:
        found["Known priors"] = list(line_reportlets(study.toy))
    if study.digits is not None:
        found["Prior of digits"] = list(digit_reportlets(study.digits))
    if study.prior is not None:
        found["Prior of pictures"] = list(prior_reportlets(study.prior))
    if study.colour is not None:
        found["Colour"] = list(colour_reportlets(study.colour))
    if study.trainings:
        found["Training"] = list(training_reportlets(study.trainings))
    return found


def missing(study: StudyResults, config: PageConfig) -> list[str]:
    """Return what the run lacks."""
    stages = {
        "certificates of the weights": study.certificates,
        "priors with a known answer": study.toy,
        "the prior of digits": study.digits,
        "the priors of photographs and CT": study.prior,
        "colour photographs": study.colour,
    }
    trained = {one.name for one in study.trainings}
    return [*absent(stages), *(f"training of {name}" for name in config.trained if name not in trained)]


def banner(config: PageConfig) -> str:
    """Return what was trained and what was shipped."""
    trained = f"Trained in this run: {', '.join(config.trained)}." if config.trained else "Nothing was trained in this run."
    return f"{trained} All other weights come with the package."


def over_classical(task: LearnedResults) -> Comparison | None:
    """Return the task's own network beside the strongest classical method, at the variant that is shown first."""
    return _compared(task, task.own, [name for name in task.methods() if name not in task.networks])


def over_free(task: LearnedResults) -> Comparison | None:
    """Return the network with one R beside the strongest one without the constraint, of about its size; None where none ran."""
    peers = [name for name in task.networks if task.form(name) == "peer"]
    return _compared(task, task.plain, peers) if peers else None


def _compared(task: LearnedResults, own: str, rivals: Sequence[str]) -> Comparison | None:
    label = task.labels[shown_variants(task)[0]]
    values = {name: task.case_values(label, name) or [] for name in (own, *rivals)}
    # what is exact has no PSNR
    known = {task.title(name): [one for one in found if one is not None] for name, found in values.items() if None not in found}
    return Comparison.of(f"{TASKS[task.task].title}, {label}", known, task.title(own))


def certified(study: StudyResults) -> tuple[int, int]:
    """Return how many runs of networks that are a prox carry the certificate of convergence, and how many there are."""
    rows = [row for task in study.tasks for name in task.learned() for row in task.runs_of(name)]
    return sum(row.certified for row in rows), len(rows)


def answer(study: StudyResults, compared: Sequence[Comparison]) -> str:
    """Return what the learned priors gain over the best classical method, how many runs are certain, and the price."""
    good, count = certified(study)
    ordered = sorted(compared, key=lambda one: -one.lead)
    ends = [ordered[0], *ordered[-1:]] if len(ordered) > 1 else ordered
    said = [f"{one.words()} ({one.text})" for one in ends]
    above = f"{sum(one.lead > 0 for one in compared)} of {counted(len(compared), 'task')}"
    head = (
        f"{good} of {count} reconstructions are certain to converge, and the learned prior is above the strongest classical "
        f"method in {above}: from {' down to '.join(said)}."
    )
    price = over_free(denoising) if (denoising := study.task("denoise")) is not None else None
    return head if price is None else f"{head} What the constraint costs or gains: {price.words()} ({price.text})."


def numbers(study: StudyResults, compared: Sequence[Comparison]) -> Iterator[Number]:
    """Yield the share of certain runs, the quality of each task beside the strongest classical method, and the price."""
    good, count = certified(study)
    yield Number("Reconstructions that are certain to converge", f"{good} of {count}")
    yield from (one.number(one.text) for one in compared[:4])
    price = over_free(denoising) if (denoising := study.task("denoise")) is not None else None
    if price is not None and price.gain is not None:
        yield Number(
            f"Price of provability, {price.text}", price.gain.mean, "dB", price.gain.interval, price.rival, price.rival_value
        )


def limits(study: StudyResults) -> Iterator[str]:
    """Yield the study's limits and its differences from the published one, as sentences."""
    tested = {task.task: task.variants[0].test.cases for task in study.tasks}
    counts = [f"{name} {len(cases)} of {', '.join(volumes(cases))}" for name, cases in tested.items()]
    if counts:
        yield f"Tested pictures and slices: {'; '.join(counts)}. The spreads do not cover other scanners or bodies."
    yield "A certificate is about convergence, with a known operator and noise level; it says nothing of the picture's truth."
    yield "Most networks were trained once, with one seed: differences below about 0.05 dB mean nothing."
    yield (
        "Measurements are simulated from real images with the physics that reconstructs them; CT is parallel-beam with Gaussian "
        "noise, MR single-coil with a simulated phase."
    )
    yield (
        "Differences from the published study: other pictures, networks of some thousand parameters (with a guide some hundred "
        "thousand) where the published ones have millions, the implicit form beside the published explicit one, classical "
        "methods tuned on validation data. "
        "Results on faces and on Mayo CT are not repeated here."
    )
    yield "The tables hold the classical references that ran; deep networks of full size are not among them."
