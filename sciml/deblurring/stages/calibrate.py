"""Part of the stage `evaluate`: factor and floor of maps of spreads from validation pairs, judged on test pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sciml.deblurring.study.metrics import calibrated, coverage, rank_correlation
from sciml.deblurring.study.pairs import load_problems, load_truths
from sciml.deblurring.study.scores import display
from sciml.runtime.files import load_tensors, write_json
from sciml.runtime.provenance import Recorder

DECILES = 10
# share of the pixels that plus or minus two spreads shall cover
LEVEL = 0.95
Map = np.ndarray


def calibrate_spreads(
    validation: Path,
    validation_restored: Sequence[Path],
    validation_spreads: Sequence[Path],
    pairs: Path,
    restored: Sequence[Path],
    spreads: Sequence[Path],
    output: Path,
) -> list[Path]:
    """Write `calibration.json`: factor, floor, and coverage and rank correlation of every pair before and after.

    Args:
        validation: pairs of the set that factor and floor are fitted on.
        validation_restored: its restored pictures, one file a photograph.
        validation_spreads: its maps, in the same order.
        pairs: of the set that they are judged on.
        restored: its restored pictures.
        spreads: its maps.
        output: output folder.
    """
    inputs = [validation, *validation_restored, *validation_spreads, pairs, *restored, *spreads]
    recorder = Recorder("deblurring.calibrate", {"level": LEVEL}, inputs)
    fitted = _maps(validation, validation_restored, validation_spreads)
    found = calibrated([(spread, error) for _, spread, error in fitted], LEVEL)
    result: dict[str, Any] = {"factor": found.factor, "floor": found.floor, "level": LEVEL}
    for role, maps in (("validation", fitted), ("test", _maps(pairs, restored, spreads))):
        result[role] = [
            {
                **names,
                "rank_correlation": rank_correlation(spread, error),
                "coverage_before": coverage(spread, error),
                "coverage": coverage(found(spread), error),
                "rms_spread": float(np.sqrt(np.mean(np.square(found(spread))))),
                "rms_error": float(np.sqrt(np.mean(np.square(error)))),
            }
            for names, spread, error in maps
        ]
        result[f"{role}_deciles"] = _deciles([(found(spread), error) for _, spread, error in maps])
    path = output / "calibration.json"
    write_json(path, result)
    recorder.write(output / "provenance.json", [path])
    return [path]


def _maps(pairs: Path, restored: Sequence[Path], spreads: Sequence[Path]) -> list[tuple[dict[str, str], Map, Map]]:
    """Return names, spread and error, both in display values, of every pair."""
    found = []
    for pictures, maps in zip(restored, spreads, strict=True):
        arrays, notes = load_tensors(pictures)
        tensors, settings = load_tensors(maps)
        both = zip(load_problems(pairs, notes["photograph"]), load_truths(pairs, notes["photograph"]), strict=True)
        for number, (problem, truth) in enumerate(both):
            error = display(arrays[f"{number}.{settings['cell']}"]) - display(truth.picture)
            names = {"photograph": problem.photograph, "kernel": problem.kernel, "error": problem.error}
            found.append((names, tensors[str(number)], error))
    return found


def _deciles(pairs: Sequence[tuple[Map, Map]]) -> list[list[float]]:
    """Return rms spread and rms error in tenths of the pixels, from the least spread to the largest."""
    spread = np.concatenate([one.ravel() for one, _ in pairs])
    error = np.concatenate([one.ravel() for _, one in pairs])
    parts = np.array_split(np.argsort(spread), DECILES)
    return [[float(np.sqrt(np.mean(np.square(values[part])))) for values in (spread, error)] for part in parts]
