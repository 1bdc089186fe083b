"""Stage `kernel`: the methods of deblurring that correct the kernel, on the rows whose kernel is only roughly known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sciml.runtime.sources import source_digest
from sciml.studies.matrix.config import KernelConfig, takes_part
from sciml.studies.matrix.study.trials import run_trials
from sciml.studies.matrix.trial.contestant import Contestant
from sciml.studies.matrix.trial.kernel import contestants
from sciml.studies.matrix.trial.problems import Problem


def run(config: KernelConfig, weights: Path, output: Path) -> list[Path]:
    """Write `trials.json` and `pictures.safetensors`; see `sciml.studies.matrix.study.trials`.

    Args:
        config: rows, cases and seeds.
        weights: file of the network behind the learned prior.
        output: output folder.
    """

    def entrants(row: str, _: Sequence[Problem]) -> Iterator[Contestant]:
        found = contestants(config.dip_iterations, weights)
        yield from (one for one in found if takes_part(row, one.name, config.left_out))

    return run_trials("matrix.kernel", config, entrants, source_digest(__name__), [weights], output)
