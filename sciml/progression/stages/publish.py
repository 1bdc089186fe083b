"""Stage `publish`: a model into the package, with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciml.progression.cohorts.regions import TITLES
from sciml.progression.forecasting.flow_model import load_flow_model
from sciml.progression.networks.model_files import load_model
from sciml.progression.study.evaluation import ALL, LONG
from sciml.progression.study.results import Metrics
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result
from sciml.training.card import publish
from sciml.training.weight_files import read_weights_metadata

LICENCE = "simulated here (MIT) from the ICBM152 2009a template and AAL labels, whose terms are in docs/data.md"
LIMITS = [
    "Not for clinical use: it has seen no patient. Subjects, time and disease are simulated, by a law that is known.",
    "The average template has a smooth cortex; lesions, patterns and scanners are made up; there are no other diseases.",
    "Trained on gaps of 1 to 7 years between 60 and 90 years of age; what lies beyond is an extrapolation, and said to be.",
    "It wants skull-stripped T1 images in MNI space with white matter at 0.8, as `sciml progression prepare` makes them.",
]


def run(weights: Path, metrics: Path, name: str, output: Path) -> list[Path]:
    """Copy a model file to `<name>.safetensors` and write its card `<name>.md`.

    Args:
        weights: model file of the workflow.
        metrics: `metrics.json` of the evaluation of the same model.
        name: by which it is loaded.
        output: where the package keeps its models.

    Raises:
        DataError: the metrics have no main model.
    """
    about = read_weights_metadata(weights)
    moved = about["extra"].get("part") == "flow"
    (load_flow_model if moved else load_model)(weights)
    scores, method = read_result(metrics, Metrics), "flow" if moved else "main"
    if method not in scores.methods:
        raise DataError(f"{metrics} has no method {method!r}; evaluate the model first")
    return publish(
        weights,
        output,
        name,
        family="progression",
        title="forecasts of brain MRI by motion" if moved else "forecasts of brain MRI",
        licences=dict.fromkeys(about["inputs"], LICENCE),
        metrics=rows_of(scores, method),
        limits=LIMITS,
    )


def rows_of(metrics: Metrics, method: str = "main") -> list[dict[str, Any]]:
    """Return the rows of the card: images against no change, and changes of volumes by region."""
    main = metrics.methods[method]
    rows = [
        (f"PSNR in the brain over no change, {group}", "-" if gain.mean is None else f"{gain.mean:+.2f}", "dB", gain.n)
        for group, gain in (main.gain_db or {}).items()
        if group in (ALL, LONG)
    ]
    if method == "flow" and metrics.flow is not None:
        rows += [
            (f"PSNR in the brain over the flow to the same volumes, {group}", f"{gain.mean:+.2f}", "dB", gain.n)
            for group, gain in metrics.flow.gain_over_volumes_db.items()
            if gain.mean is not None
        ]
        rows += [
            (f"voxels of the brain that 90 % intervals hold, {group}", f"{100 * share.mean:.1f}", "%", share.n)
            for group, share in metrics.flow.held.items()
            if share.mean is not None
        ]
    for region, groups in main.changes.items():
        score = groups[ALL]
        for value, title in ((score.correlation, "correlation with the true change"), (score.skill, "skill over no change")):
            rows.append((f"{TITLES[region]}: {title}", "-" if value is None else f"{value:.2f}", "-", score.n))
    names = ("name", "value", "unit", "n")
    return [{**dict(zip(names, row, strict=True)), "data": "pairs of visits of test subjects"} for row in rows]
