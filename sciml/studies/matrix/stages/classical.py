"""Stage `classical`: methods of `sciml.imaging.METHODS`, built in or of a user's own, or an installed prior, on some rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sciml.imaging.plugins import prior_digests
from sciml.imaging.tasks.catalogue import METHODS
from sciml.runtime.sources import source_digest
from sciml.studies.matrix.config import ClassicalConfig, takes_part
from sciml.studies.matrix.settings.rows import PRIOR, ROWS
from sciml.studies.matrix.study.trials import run_trials
from sciml.studies.matrix.trial.classical import contestants
from sciml.studies.matrix.trial.contestant import Contestant
from sciml.studies.matrix.trial.problems import Problem


def run(config: ClassicalConfig, output: Path) -> list[Path]:
    """Write `trials.json` and `pictures.safetensors`; see `sciml.studies.matrix.study.trials`.

    Args:
        config: methods, rows, cases and seeds.
        output: output folder.
    """

    def entrants(row: str, validation: Sequence[Problem]) -> Iterator[Contestant]:
        fitting = [name for name in config.methods if name.startswith(PRIOR) or ROWS[row].task in METHODS[name].tasks]
        yield from contestants([name for name in fitting if takes_part(row, name, config.left_out)], validation)

    plugins = [METHODS[name].solver.__module__ for name in config.methods if config.group == name and name in METHODS]
    priors = prior_digests(name.removeprefix(PRIOR) for name in config.methods if name.startswith(PRIOR))
    code = [source_digest(__name__, *plugins), priors]
    return run_trials("matrix.classical", config, entrants, code, [], output, tunes=True)
