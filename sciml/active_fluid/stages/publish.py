"""Stage `publish`: a trained closure into the package, with its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sciml.active_fluid.study.results import BINGHAM, Scores
from sciml.runtime.errors import DataError
from sciml.runtime.results import read_result
from sciml.training.card import publish
from sciml.training.weight_files import read_weights_metadata

# in the order of the card
PARAMETERS = ("alpha", "zeta", "beta", "d_t", "d_r")
TITLES = {"default": "closure of the fourth angular moment", "second": "closure of second order, of the sixth angular moment"}
LICENCE = "simulated by this package; MIT"


def run(weights: Path, second: Path, scores: Path, output: Path) -> list[Path]:
    """Copy the chosen closure to `default.safetensors`, that of second order to `second.safetensors`, and write their cards.

    Args:
        weights: weight file of the `train` stage, in a folder with the closure's name.
        second: the same of the closure of second order; the package's own stays as it is.
        scores: `scores.json` of the `evaluate` stage.
        output: folder in which the package keeps its weights.

    Raises:
        DataError: the scores do not hold one of them.
    """
    found, written = read_result(scores, Scores), []
    for name, path in (("default", weights), ("second", second)):
        if path.resolve() == (output / f"{name}.safetensors").resolve():
            continue
        metadata = read_weights_metadata(path)
        written += publish(
            path,
            output,
            name,
            family="active_fluid",
            title=TITLES[name],
            licences=dict.fromkeys(metadata["inputs"], LICENCE),
            metrics=metrics_of(found, metadata["config"]["name"], int(path.stem)),
            limits=limits_of(metadata["extra"]["box"]),
        )
    return written


def limits_of(box: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the sentences of the card's limits, from the ranges of the parameters by name."""
    spans = {name: f"{name} from {low:g} to {high:g}" if low < high else f"{name} {low:g}" for name, (low, high) in box.items()}
    ranges = ", ".join(spans[name] for name in PARAMETERS if name in spans)
    return [
        f"Trained for {ranges} and density 1; elsewhere it extrapolates and a run warns.",
        "It sees the state of one place and time: what depends on the history, or on places around, stays an error.",
        "Pointwise errors grow as in any chaotic flow; after the first tens of time units only statistics compare.",
    ]


def metrics_of(scores: Scores, name: str, seed: int) -> list[dict[str, Any]]:
    """Return the rows of the card from the scores.

    Raises:
        DataError: the scores do not hold this closure.
    """
    mine = scores.of(name, seed=seed)
    if not mine:
        raise DataError(f"the scores hold no closure {name!r} of seed {seed}: evaluate it first")
    keys = {"closure_error": "relative error of h* m2", "first_above": "time until the field error passes 10 %"}
    return [
        {
            "name": f"{title}, {who}",
            "value": f"{np.mean([getattr(row, key) for row in rows]):.3f}",
            "unit": "1",
            "data": "test runs",
            "n": len(rows),
        }
        for key, title in keys.items()
        for who, rows in (("this closure", mine), ("Bingham", scores.of(BINGHAM)))
        # the model of a closure of second order keeps m2
        if all(getattr(row, key) is not None for row in mine)
    ]
