"""Stage `learned`: the shipped learned proximal networks on the rows of a domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sciml.datasets.splits import check_weight_inputs
from sciml.imaging.tasks.catalogue import TASKS
from sciml.runtime.errors import ConfigError
from sciml.runtime.sources import source_digest
from sciml.studies.matrix.config import LearnedConfig, takes_part
from sciml.studies.matrix.settings.rows import NETWORKS, ROWS
from sciml.studies.matrix.study.trials import run_trials
from sciml.studies.matrix.trial.cases import PHOTOGRAPHS
from sciml.studies.matrix.trial.contestant import Contestant
from sciml.studies.matrix.trial.learned import contestants
from sciml.studies.matrix.trial.problems import Problem


def run(config: LearnedConfig, weights: list[Path], output: Path) -> list[Path]:
    """Write `trials.json` and `pictures.safetensors`; see `sciml.studies.matrix.study.trials`.

    Args:
        config: networks, rows, cases and seeds.
        weights: one weight file a network, in the same order.
        output: output folder.

    Raises:
        ConfigError: there are not as many weight files as networks.
        DataError: a network was trained on a case.
    """
    if len(weights) != len(config.networks):
        raise ConfigError(f"{len(config.networks)} networks ({', '.join(config.networks)}) need as many weight files")
    files = dict(zip(config.networks, weights, strict=True))

    def entrants(row: str, _: Sequence[Problem]) -> Iterator[Contestant]:
        task = ROWS[row].task
        experiment = TASKS[task].experiment
        chosen = {method: net for method, net in NETWORKS[task].items() if takes_part(row, method, config.left_out)}
        for network in chosen.values():
            check_weight_inputs(files[network], "photo-crops" if experiment == PHOTOGRAPHS else experiment)
        yield from contestants({method: files[network] for method, network in chosen.items()}, config.tolerance)

    return run_trials("matrix.learned", config, entrants, source_digest(__name__), weights, output)
