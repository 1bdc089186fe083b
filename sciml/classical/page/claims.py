"""The claims of the page: our numbers beside references and the criteria of this study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from sciml.imaging.tasks.catalogue import METHODS, TASKS
from sciml.imaging.tasks.records import Checks
from sciml.imaging.tasks.results import TaskResults
from sciml.report.goals import Goal, judge
from sciml.report.reportlets import Claim, Spread
from sciml.report.words import spread

CRITERION = "criterion of this study: at least so much"
DENOISE_SOURCE = "scikit-image on the same nine crops, recorded; within 0.1 dB over noise seeds"
DENOISE_REFERENCE_DB = {"tv": 27.9, "nlm": 28.25}
DENOISE_CLAIMS = {
    "tv": "Denoising nine 256 x 256 crops at sigma 0.1: total variation, weight chosen with the truth",
    "nlm": "Denoising nine 256 x 256 crops at sigma 0.1: fast non-local means, h = 0.75 sigma",
}


def claims(results: Sequence[TaskResults], checks: Checks) -> Iterator[Claim]:
    """Yield the page's claims with our number, the reference and how they compare."""
    for row in checks.fbp_reference or []:
        text = f"Filtered back-projection of a real abdominal slice from {row.views} noiseless views, our projector"
        source = "scikit-image radon and iradon on the same slice, this run"
        yield judge(Goal(text, source, "dB", within=(row.scikit_image_db or math.inf, 0.5)), row.ours_db)
    if checks.fbp_reference is None:
        text = "Filtered back-projection of a real abdominal slice agrees with scikit-image"
        yield judge(Goal(text, f"needs {checks.fbp_reference_data}, which this data tier lacks", "dB"), None)
    yield from margin_claims({task.task: task for task in results})
    for name, text in DENOISE_CLAIMS.items():
        row = getattr(checks.denoise_reference, name, None)
        goal = Goal(text, DENOISE_SOURCE, "dB", within=(DENOISE_REFERENCE_DB[name], 0.1))
        yield judge(goal, row and row.mean, shown=row and spread(row))


def margin_claims(by_task: Mapping[str, TaskResults]) -> Iterator[Claim]:
    """Yield the claims that total variation beats the direct methods."""
    for task, variant, rivals, least in (
        ("ct-sparse", "24 views", ("fbp", "fbp-hann"), 3.0),
        ("deblur", "shake, sigma 0.02", ("wiener",), 0.0),
        ("deblur", "shake, sigma 0.02", ("richardson-lucy",), 0.0),
    ):
        for rival in rivals:
            text = f"{TASKS[task].title}, {variant}: gain of total variation over {METHODS[rival].title}"
            ours, theirs = (_psnr(by_task, task, variant, method) for method in ("tv", rival))
            yield judge(
                Goal(text, CRITERION, "dB", at_least=least, strict=not least), ours and theirs and ours.mean - theirs.mean
            )


def _psnr(by_task: Mapping[str, TaskResults], task: str, variant: str, method: str) -> Spread | None:
    row = by_task[task].row(variant, method) if task in by_task else None
    found = None if row is None else spread(row.psnr)
    return found if isinstance(found, Spread) else None
