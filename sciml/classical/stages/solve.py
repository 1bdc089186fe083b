"""Stage `solve`: every method on the test measurements, with the parameters of the `tune` stage."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from sciml.imaging.solvers.tuning import METHODS, chosen, solve
from sciml.imaging.tasks.measurements import Measurements
from sciml.imaging.tasks.records import Parameters
from sciml.imaging.tasks.studies import SolveConfig
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_file, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: SolveConfig, measurements: Path, parameters: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `reconstructions.safetensors`: tensors `<variant index>.<method>`, pictures in [0, 1] of shape (batch, 1, H, W).

    Each finished method is kept beside the folder until all are done, so an interrupted run goes on where it stopped. The
    seconds that each method took are in `provenance.json`.

    Args:
        config: which methods.
        measurements: file of the `measure` stage; only its test part is looked at.
        parameters: file of the `tune` stage.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("imaging.solve", config.model_dump(mode="json"), [measurements, parameters])
    measured = Measurements.load(measurements, device)
    values = read_result(parameters, Parameters)
    identity = [source_digest(__name__), config.model_dump(mode="json"), digest_file(measurements), digest_file(parameters)]
    arrays: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    with Partial(output, identity) as partial:
        for index, (label, task) in enumerate(measured.tasks.items()):
            data = measured.part(label, "test").data
            for name in chosen(task.name, config.methods):
                key = f"{index}.{name}"
                found = partial.get(key)
                if found is None:
                    begin = time.perf_counter()
                    value = tuned_value(values, label, name, parameters) if METHODS[name].parameter else 0.0
                    picture = task.picture(solve(METHODS[name], data, task.physics, value)).cpu().numpy()
                    found = partial.put(key, {"picture": picture}, {"seconds": time.perf_counter() - begin})
                arrays[key] = found[0]["picture"]
                seconds[f"{label}, {name}"] = round(found[1]["seconds"] / len(data), 4)
                log.info("%s, %s, %s: %.2f s an image", task.name, label, name, seconds[f"{label}, {name}"])
        path = output / "reconstructions.safetensors"
        save_tensors(path, arrays, {"variants": list(measured.tasks)})
    recorder.notes = {"seconds_per_image": seconds}
    recorder.write(output / "provenance.json", [path])
    return [path]


def tuned_value(values: Parameters, label: str, name: str, path: Path) -> float:
    """Return the tuned parameter of one method on one variant.

    Raises:
        DataError: the file holds none: it was tuned for other variants or methods.
    """
    try:
        return values[label][name].value
    except KeyError as error:
        raise DataError(f"{path} has no parameter of {name} for the variant {label!r}: run the tune stage again") from error
