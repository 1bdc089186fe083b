"""Stage `generate`: the kinetic runs of one set."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from sciml.active_fluid.config import GenerateConfig
from sciml.active_fluid.fields.parameters import Parameters
from sciml.active_fluid.solvers.trajectories import (
    FIELDS,
    Resolution,
    Trajectory,
    kinetic_trajectory,
    packed,
    resolution,
    save_trajectories,
    unpacked,
)
from sciml.runtime.checkpoints import Partial
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: GenerateConfig, output: Path) -> list[Path]:
    """Write `trajectories.safetensors`. Finished runs are kept until all are done, so that a stopped stage goes on.

    Args:
        config: places of the box, times and grid.
        output: folder of the artefacts.

    Raises:
        NumericalError: a run is not resolved; it names the quantity and the time.
    """
    recorder = Recorder("active_fluid.generate", config.model_dump(mode="json"), [])
    identity = [source_digest(__name__), config.model_dump(mode="json")]
    found: list[Trajectory] = []
    seconds = []
    with Partial(output, identity) as partial:
        for place in config.places:
            parameters = Parameters(alpha=place.alpha, zeta=place.zeta)
            key = f"{place.alpha} {place.zeta} {place.seed}"
            part = partial.get(key)
            if part is None:
                begin = time.process_time()
                wanted = None if config.points is None else Resolution(config.points, *resolution(parameters)[1:])
                one = kinetic_trajectory(parameters, place.seed, config.until, config.save_every, wanted)
                spent = time.process_time() - begin
                part = partial.put(key, packed(one), {"slack": one.slack, "seconds": spent})
                order = float(np.sqrt(np.mean(np.abs(one.m1[-1]) ** 2)))
                log.info("%s: %d points, order %.3f at the end, %.0f CPU s", one.name, one.m1.shape[-1], order, spent)
            found.append(unpacked(part[0], parameters, place.seed, part[1]["slack"]))
            seconds.append(part[1]["seconds"])
        path = output / "trajectories.safetensors"
        save_trajectories(path, found)
    recorder.notes = {"cpu_seconds": [round(each, 1) for each in seconds], "fields": list(FIELDS)}
    recorder.write(output / "provenance.json", [path])
    return [path]
