"""Stage `recover`: activity and alignment from noisy snapshots, of the model itself and of the kinetic theory."""

from __future__ import annotations

import logging
from pathlib import Path

from sciml.active_fluid.closures.load import load_first_order
from sciml.active_fluid.config import TEST, RecoverConfig
from sciml.active_fluid.inference.recovery import recovery
from sciml.active_fluid.study.recovery_results import Experiment, RecoveryResult
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: RecoverConfig, weights: Path, output: Path) -> list[Path]:
    """Write `recovery.json`: a row for each experiment. Finished ones are kept until all are done.

    Args:
        config: number of experiments, grid and noise.
        weights: weight file of the closure of the model that is fitted.
        output: folder of the artefacts.
    """
    recorder = Recorder("active_fluid.recover", config.model_dump(mode="json"), [weights])
    closure = load_first_order(weights)
    identity = [source_digest(__name__), config.model_dump(mode="json"), digest_file(weights)]
    seeds = Seeds(config.seed)
    rows: list[Experiment] = []
    with Partial(output, identity) as partial:
        for kinetic, count in ((False, config.twins), (True, config.truths)):
            for number in range(count):
                key = f"{kinetic} {number}"
                part = partial.get(key)
                if part is None:
                    seed = seeds("recovery", str(number)) % 2**31
                    truths = [TEST[number % len(TEST)]] if kinetic else None
                    times = config.kinetic_times if kinetic else config.times
                    row = recovery(closure, [seed], kinetic, truths, times=times, noise=config.noise, points=config.points)[0]
                    part = partial.put(key, {}, row)
                    log.info(
                        "%s %d: alpha %+.2f %%, zeta %+.2f %%",
                        row["data"],
                        number,
                        *(100 * row[f"{k}_error"] for k in ("alpha", "zeta")),
                    )
                rows.append(Experiment.model_validate(part[1]))
        result = RecoveryResult(noise=config.noise, points=config.points, rows=rows)
        path = write_result(output / "recovery.json", result)
    recorder.write(output / "provenance.json", [path])
    return [path]
