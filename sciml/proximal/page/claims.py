"""The page's claims: each with our number, what it is held against, and whether it is met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from sciml.imaging.tasks.catalogue import METHODS
from sciml.proximal.page.price import minutes
from sciml.proximal.page.results import LearnedResults, StudyResults
from sciml.report.goals import Goal, judge
from sciml.report.reportlets import Claim, Spread, Text
from sciml.report.words import spread, spread_over

GOAL, AT_MOST = "goal of this study: at least so much", "goal of this study: at most so much"
CROPS = (9, [256, 256])
DENOISE_GOAL_DB = 29.2
BM3D_DB = 29.87
BM3D_SOURCE = "BM3D [Dabov 2007], measured in the classical study of this workbench: nine crops, sigma 0.1, other noise"
DEBLUR_GOAL_DB, DEBLUR_GOAL_SHARE = 0.5, 0.75
TUNED = "weight chosen on validation data"
DRIFT_GOAL_DB = 0.2
TOY_GOALS = {"own_max": ("largest", 0.05), "own_mean": ("mean", 0.02)}
AUROC_GOAL = 0.95
# differences of PSNR below the first are noise between trainings; up to the second the price is small
SAME_DB, CLOSE_DB = 0.05, 0.5


def claims(study: StudyResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    yield certified_claim(study)
    yield drift_claim(study)
    yield from denoising_claims(study.task("denoise"))
    yield from price_claims(study.task("denoise"))
    yield from deblurring_claims(study.task("deblur"))
    yield from tomography_claims(study.task("ct-sparse"))
    yield from magnetic_resonance_claims(study.task("mri-cs"))
    yield from line_claims(study)
    yield from digit_claims(study)


def certified_claim(study: StudyResults) -> Claim:
    """Return the claim that every reconstruction has a certificate of convergence."""
    text = "Convergence to a critical point of the printed objective is certain for every run of a network that is a prox"
    rows = [row for task in study.tasks for name in task.learned() for row in task.runs_of(name)]
    good = sum(row.certified for row in rows)
    source = "all conditions of the convergence theorem, computed for the operators of this page"
    goal = Goal(text, source, "runs", at_least=len(rows), reference="all", paper=True)
    return judge(goal, good if rows else None, shown=f"{good} of {len(rows)}")


def drift_claim(study: StudyResults) -> Claim:
    """Return the claim that no picture ends far below its best iterate."""
    text = "No reconstruction ends more than 0.2 dB below its best iterate: largest fall"
    falls = [fall for task in study.tasks for name in task.learned() for row in task.runs_of(name) for fall in row.below_best_db]
    return judge(Goal(text, AT_MOST, "dB", at_most=DRIFT_GOAL_DB), max(falls, default=None))


def denoising_claims(task: LearnedResults | None) -> Iterator[Claim]:
    """Yield how the network for denoising compares at sigma 0.1."""
    index = None if task is None else task.find(sigma=0.1)
    form = "implicit" if task is None else task.form(task.own)
    rivals = {"tv": f"total variation, {TUNED}", "nlm": f"fast non-local means, {TUNED.replace('weight', 'strength')}"}
    for rival, words in rivals.items():
        text, source = f"Denoising photographs at sigma 0.1, {form} form: better than {words}", "this run"
        gain = ours = theirs = None
        if task is not None and index is not None:
            gain = spread_over(task.gains(task.own, rival, [task.labels[index]]))
            ours, theirs = (_mean(task, task.labels[index], name) for name in (task.own, rival))
        if ours and theirs:
            source = f"{METHODS[rival].title}, this run"
        # the gain is judged, picture by picture; both means are shown
        goal = Goal(text, source, "dB", at_least=0.0 if ours and theirs else None, strict=True, reference=theirs)
        yield judge(goal, gain, gain and gain.interval, shown=ours)
    for words, bar, source in (
        ("mean over nine 256 x 256 crops", DENOISE_GOAL_DB, GOAL),
        ("at least BM3D on nine 256 x 256 crops", BM3D_DB, BM3D_SOURCE),
    ):
        ours = None
        if task is not None and index is not None:
            variant = task.variants[index]
            if (len(variant.test.cases), list(variant.size)) == CROPS:
                ours = _mean(task, variant.label, task.own)
        text = f"Denoising photographs at sigma 0.1, {form} form: {words}"
        yield judge(Goal(text, source if ours else f"{source}; needs all nine crops", "dB", at_least=bar), ours)


def price_claims(task: LearnedResults | None) -> Iterator[Claim]:
    """Yield what the constraint costs: each form less each network without it, all of about the same size."""
    text = "Price of provability at sigma 0.1: {} less {}"
    source = "theory: at the optimum of the squared error the constraint costs nothing"
    goal = Goal(text, source, "dB", at_least=-SAME_DB, partly=-CLOSE_DB, reference=0.0, paper=True)
    index = None if task is None else task.find(sigma=0.1)
    peers = [] if task is None or index is None else [name for name in task.networks if task.form(name) == "peer"]
    if task is None or index is None or not peers:
        yield judge(replace(goal, text=text.format("implicit form", "a network without constraint")), None)
        return
    compared = [task.plain, *(name for name in task.learned() if task.form(name) == "explicit")]
    for name in dict.fromkeys(compared):
        for peer in peers:
            gain = spread_over(task.gains(name, peer, [task.labels[index]]))
            if gain is not None:
                ours, theirs = (f"{title}{minutes(task, of)}" for title, of in ((task.title(name), name), (peer, peer)))
                yield judge(replace(goal, text=text.format(ours, theirs)), gain, gain.interval)


def deblurring_claims(task: LearnedResults | None) -> Iterator[Claim]:
    """Yield the gain over total variation over all blurs, and the share of pictures above it."""
    gains = [] if task is None else task.gains(task.own, "tv")
    several = "" if task is None or len(task.variants) < 2 else f", {len(task.variants)} blurs and noise levels"
    where = several if gains else ""
    gain = spread_over(gains)
    text = f"Deblurring photographs{where}: mean gain over total variation, {TUNED}"
    yield judge(Goal(text, GOAL, "dB", at_least=DEBLUR_GOAL_DB), gain, gain and gain.interval)
    text = f"Deblurring photographs{where}: share of pictures above total variation"
    share = float(np.mean(np.array(gains) > 0)) if gains else None
    yield judge(Goal(text, GOAL, at_least=DEBLUR_GOAL_SHARE), share)


def tomography_claims(task: LearnedResults | None) -> Iterator[Claim]:
    """Yield the gains over filtered back-projection and total variation."""
    for views, rivals, goal in ((60, ("fbp-hann", "fbp"), 3.0), (60, ("tv",), 1.0), (24, ("tv",), 1.5)):
        yield _gain_claim(task, "CT", f"{views} views", {"views": views}, rivals, goal)


def magnetic_resonance_claims(task: LearnedResults | None) -> Iterator[Claim]:
    """Yield the gain over total variation at each acceleration."""
    for factor in (4, 8):
        yield _gain_claim(task, "MR", f"acceleration {factor}", {"acceleration": factor}, ("tv",), 1.0)


def _gain_claim(
    task: LearnedResults | None, name: str, words: str, options: dict[str, float], rivals: Sequence[str], bar: float
) -> Claim:
    """Return the claim that the task's own network gains over the first of the rivals that ran."""
    index = None if task is None else task.find(**options)
    gain, rival = None, rivals[0]
    if task is not None and index is not None:
        found = [name for name in rivals if task.gains(task.own, name, [task.labels[index]])]
        rival = found[0] if found else rival
        gain = spread_over(task.gains(task.own, rival, [task.labels[index]]))
    # of filtered back-projections only the Hann window's cutoff is tuned
    tuned = "" if rival == "fbp" else ", cutoff chosen on validation data" if rival == "fbp-hann" else f", {TUNED}"
    text = f"{name}, {words}: mean gain over {METHODS[rival].title}{tuned}"
    return judge(Goal(text, GOAL, "dB", at_least=bar), gain, gain and gain.interval)


def line_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield the errors of proximal matching on the Laplace prior, the worst of the seeds."""
    rows = [] if study.toy is None else [row for row in study.toy.numbers.laplace if row.network == "small"]
    gammas = [float(row.target.partition("-")[2]) for row in rows if row.target.startswith("gamma-")]
    last = f"gamma-{min(gammas):g}" if gammas else ""
    rows = [row for row in rows if row.target == last]
    for key, (words, bar) in TOY_GOALS.items():
        where = f" at {last.replace('-', ' ')}, worst of {len(rows)} seed{'s' if len(rows) > 1 else ''}" if rows else ""
        text = f"Laplace prior on the line: {words} distance from the exact minimiser of the matching loss{where}"
        goal = Goal(text, f"{AT_MOST}; the exact minimiser by quadrature", at_most=bar)
        yield judge(goal, max((getattr(row, key) for row in rows), default=None))


def digit_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield what the prior of digits should do, as the published study shows it."""
    numbers = None if study.digits is None else study.digits.numbers
    source = "Fang, Buchanan and Sulam (ICLR 2024) show it on larger digits"
    for key, words in (
        ("median_rises_with_noise", "the median of R rises with every step of noise"),
        ("median_rises_with_visible_blur", "the median of R rises with every step of visible blur"),
    ):
        goal = Goal(f"Prior of digits: {words}", source, at_least=1, reference="yes", paper=True)
        yield judge(goal, None if numbers is None else getattr(numbers.targets, key))
    text = "Prior of digits: share of mixtures whose R is above both ends"
    goal = Goal(text, f"{source}; more than so many is our goal", at_least=0.8)
    yield judge(goal, numbers.prior.mixing.humps.above_ends if numbers and numbers.prior.mixing.humps else None)
    sigma = "" if numbers is None else f" of standard deviation {numbers.detection.sigma:g}"
    text = f"Prior of digits: area under the curve that tells clean digits from ones with noise{sigma} by R"
    yield judge(Goal(text, GOAL, at_least=AUROC_GOAL), None if numbers is None else numbers.detection.auroc)


def guarantees(study: StudyResults) -> Text:
    """Return in sentences what is guaranteed for the operators of this run, and what is not."""
    lines = []
    for task in study.tasks:
        for name in task.networks:
            lines.append(f"- **{METHODS_OF[task.task]}, `{name}`**: {_guarantee(task, name)}")
    return Text("What is guaranteed, and what is not", "\n".join([GUARANTEED, "", *lines, "", NOT_GUARANTEED]))


METHODS_OF = {"denoise": "Denoising", "deblur": "Deblurring", "ct-sparse": "CT", "mri-cs": "MR"}
GUARANTEED = """Certain is what was proved and whose conditions were computed with the operator, the weights and the steps of the
run: F never rose, the prior is smooth and bounded below, its prox is exact, the residual is at its tolerance. Then the iterates
approach a critical point of the objective F that the page draws."""
NOT_GUARANTEED = """Not guaranteed: that a critical point is the global minimiser, where the line does not say so, that the prior
is the true one, or that a picture is right. PSNR is measured, never certified. A network called `no prox` has none of this."""


def _guarantee(task: LearnedResults, name: str) -> str:
    if task.form(name) == "peer":
        return "nothing: no proximal operator by construction, for comparison only."
    rows = task.runs_of(name)
    good = [row for row in rows if row.certified]
    parts = [f"convergence is certain in {len(good)} of {len(rows)} runs"]
    convex = sum(row.numbers is not None and row.numbers.convex for row in good)
    if convex:
        parts.append(f"to the global minimiser in {convex}")
    parts.append("F never rose" if all(row.monotone for row in rows) else "F rose in at least one")
    parts += [f"{row.variant}: {row.reason}" for row in rows if not row.certified]
    return "; ".join(parts) + "."


def _mean(task: LearnedResults, label: str, method: str) -> Spread | None:
    row = task.row(label, method)
    found = row and spread(row.psnr)
    return found if isinstance(found, Spread) else None
