"""The page of the study of learned proximal networks, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sciml.datasets.card import card
from sciml.imaging.tasks.results import volumes
from sciml.proximal.config import PageConfig
from sciml.proximal.page import methods  # noqa: F401 (registers the methods text)
from sciml.proximal.page.claims import claims, guarantees
from sciml.proximal.page.colour import colour_reportlets
from sciml.proximal.page.price import price_table
from sciml.proximal.page.prior import digit_reportlets, prior_reportlets
from sciml.proximal.page.results import StudyResults, read_study
from sciml.proximal.page.tasks import task_reportlets
from sciml.proximal.page.theory import check_reportlets, line_reportlets
from sciml.proximal.page.training import training_reportlets
from sciml.report.parts import data_gallery, stage_parameters, used_data
from sciml.report.reportlets import Limits, Methods, Provenance, Reportlet, Text, Verdict

READING = """A learned proximal network is the proximal operator of a regulariser R, for any weights. `implicit` learns R and
solves for the denoiser; `explicit` learns a convex potential whose gradient is the denoiser. Both are certified; a network marked
`no prox` is not, and stands here to show what the constraint costs.

**What a loss learns.** The squared error learns the posterior mean, which is itself the prox of some R: the constraint costs
nothing in principle. Proximal matching learns the MAP as gamma goes to 0. With images gamma is kept far wider than the
posterior, where the matching loss is close to the squared error: its network is near the posterior mean. The claim about the MAP
is therefore tested where it can hold and the answer is known, on the line and in the plane.

**R.** Its values compare pictures within one network at one noise level. Between networks, neither values nor differences mean
anything.

Nothing is chosen on test data: networks are trained and classical methods tuned on other photographs and other persons. PSNR and
SSIM are of values in [0, 1]. A spread is the standard deviation over test pictures, not an error of the mean."""


def reportlets(config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier, tasks and trained networks of the run.
        results: results folder of the study.

    Raises:
        DataError: a task of the run has not been evaluated.
    """
    study = read_study(results, config)
    items: list[Reportlet] = [Verdict(list(claims(study))), guarantees(study), Text("How to read this page", READING)]
    for task in study.tasks:
        items += task_reportlets(task)
        if task.task == "denoise":
            items.append(price_table(task))
    items += parts(study)
    items += check_reportlets(study)
    records = list(study.records())
    measured = [record for record in records if record["stage"] == "imaging.measure"]
    if measured:
        items.append(data_gallery(card(used_data(measured))))
    items.append(Methods([{"stage": record["stage"], "parameters": stage_parameters(record)} for record in records]))
    items.append(Provenance(records))
    items.append(Limits(list(limits(study, config))))
    return items


def parts(study: StudyResults) -> Iterator[Reportlet]:
    """Yield what the stages beside the tasks have made, those that ran."""
    if study.toy is not None:
        yield from line_reportlets(study.toy)
    if study.digits is not None:
        yield from digit_reportlets(study.digits)
    if study.prior is not None:
        yield from prior_reportlets(study.prior)
    if study.colour is not None:
        yield from colour_reportlets(study.colour)
    yield from training_reportlets(study.trainings)


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
    return [
        *(name for name, part in stages.items() if part is None),
        *(f"training of {n}" for n in config.trained if n not in trained),
    ]


def limits(study: StudyResults, config: PageConfig) -> Iterator[str]:
    """Yield the study's limits and its differences from the published one, as sentences."""
    if absent := missing(study, config):
        yield f"Not run, and therefore not shown: {', '.join(absent)}."
    tested = {task.task: task.variants[0]["test"]["cases"] for task in study.tasks}
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
        "Differences from the published study: other pictures, networks of some thousand parameters where the published ones "
        "have millions, the implicit form beside the published explicit one, classical methods tuned on validation data. "
        "Results on faces and on Mayo CT are not repeated here."
    )
    yield "The tables hold the classical references that ran; deep networks of full size are not among them."
    if config.data_tier in ("ci", "pip"):
        yield "This run used the smallest data: few pictures, small sizes; its numbers only show that everything works."
