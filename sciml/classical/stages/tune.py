"""Stage `tune`: the one parameter of every method, found on validation data."""

from __future__ import annotations

import logging
from pathlib import Path

from sciml.imaging.solvers.tuning import METHODS, chosen, tune
from sciml.imaging.tasks.measurements import Measurements
from sciml.imaging.tasks.records import CurvePoint, Parameters, TunedParameter
from sciml.imaging.tasks.studies import TuneConfig
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)


def run(config: TuneConfig, measurements: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `parameters.json`: variant -> method -> value and the curve of PSNR it was chosen from.

    Args:
        config: which methods.
        measurements: file of the `measure` stage; only its validation part is looked at.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("imaging.tune", config.model_dump(mode="json"), [measurements])
    measured = Measurements.load(measurements, device)
    found: Parameters = {}
    for label, task in measured.tasks.items():
        part = measured.part(label, "validation")
        found[label] = {}
        for name in chosen(task.name, config.methods):
            words = METHODS[name].parameter
            if words is None:
                continue
            tuned = tune(METHODS[name], task, part.data, part.truth)
            found[label][name] = TunedParameter(
                value=tuned.value,
                parameter=words,
                bracketed=tuned.bracketed,
                curve=[CurvePoint(value=value, psnr_db=quality) for value, quality in tuned.curve.items()],
                cases=list(part.cases),
            )
            log.info(
                "%s, %s, %s: %.4g gives %.2f dB on validation", task.name, label, name, tuned.value, tuned.curve[tuned.value]
            )
    path = output / "parameters.json"
    write_result(path, found)
    recorder.write(output / "provenance.json", [path])
    return [path]
