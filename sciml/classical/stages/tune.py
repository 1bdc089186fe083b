"""Stage `tune`: the one parameter of every method, found on validation data."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sciml.imaging.solvers.tuning import METHODS, chosen, tune
from sciml.imaging.tasks.measurements import Measured, Measurements
from sciml.imaging.tasks.records import CurvePoint, Parameters, TunedParameter
from sciml.imaging.tasks.studies import TuneConfig
from sciml.imaging.tasks.task import Task
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: TuneConfig, measurements: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `parameters.json`: variant -> method -> value and the curve of PSNR it was chosen from.

    Args:
        config: which methods.
        measurements: file of the `measure` stage; only its validation part is looked at.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    with parameters_of(config, measurements, output, device) as path:
        return [path]


@contextmanager
def parameters_of(config: TuneConfig, measurements: Path, output: Path, device: str) -> Iterator[Path]:
    """Yield the path of `parameters.json`; what each method was tuned to is kept beside the folder until the block ends well."""
    recorder = Recorder("imaging.tune", config.model_dump(mode="json"), [measurements])
    measured = Measurements.load(measurements, device)
    found: Parameters = {}
    with Partial(output, [source_digest(__name__), digest_file(measurements)]) as partial:
        for label, task in measured.tasks.items():
            part = measured.part(label, "validation")
            found[label] = {}
            for name in chosen(task.name, config.methods):
                if METHODS[name].parameter is None:
                    continue
                key = f"{label}, {name}"
                _, notes = partial.get(key) or partial.put(key, {}, tuned(name, task, part).model_dump())
                found[label][name] = TunedParameter.model_validate(notes)
        path = output / "parameters.json"
        write_result(path, found)
        recorder.write(output / "provenance.json", [path])
        yield path


def tuned(name: str, task: Task, part: Measured) -> TunedParameter:
    """Return the best parameter of a method on validation data."""
    best = tune(METHODS[name], task, part.data, part.truth)
    log.info("%s, %s: %.4g gives %.2f dB on validation", task.name, name, best.value, best.curve[best.value])
    return TunedParameter(
        value=best.value,
        parameter=METHODS[name].parameter or "",
        bracketed=best.bracketed,
        curve=[CurvePoint(value=value, psnr_db=quality) for value, quality in best.curve.items()],
        cases=list(part.cases),
    )
