"""Part of the stage `evaluate`: factor and floor of maps of spreads from validation pairs, judged on test pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sciml.deblurring.study.metrics import Calibration, calibrated, coverage, rank_correlation
from sciml.deblurring.study.pairs import load_problems, load_truths
from sciml.deblurring.study.results import CalibrationResult, MapScores
from sciml.deblurring.study.scores import display
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

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
    tested = _maps(pairs, restored, spreads)
    result = CalibrationResult(
        factor=found.factor,
        floor=found.floor,
        level=LEVEL,
        validation=[_scores(found, *one) for one in fitted],
        validation_deciles=_deciles([(found(spread), error) for _, spread, error in fitted]),
        test=[_scores(found, *one) for one in tested],
        test_deciles=_deciles([(found(spread), error) for _, spread, error in tested]),
    )
    path = output / "calibration.json"
    write_result(path, result)
    recorder.write(output / "provenance.json", [path])
    return [path]


def _scores(calibration: Calibration, names: dict[str, str], spread: Map, error: Map) -> MapScores:
    after = calibration(spread)
    return MapScores(
        **names,
        rank_correlation=rank_correlation(spread, error),
        coverage_before=coverage(spread, error),
        coverage=coverage(after, error),
        rms_spread=_rms(after),
        rms_error=_rms(error),
    )


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


def _deciles(pairs: Sequence[tuple[Map, Map]]) -> list[tuple[float, float]]:
    """Return rms spread and rms error in tenths of the pixels, from the least spread to the largest."""
    spread = np.concatenate([one.ravel() for one, _ in pairs])
    error = np.concatenate([one.ravel() for _, one in pairs])
    parts = np.array_split(np.argsort(spread), DECILES)
    return [(_rms(spread[part]), _rms(error[part])) for part in parts]


def _rms(values: Map) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
