"""Stage `show`: the look at the models of all domains, each as `inspect` or `volumes-and-fields` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sciml.compression.settings.stages import ShowConfig
from sciml.compression.stages import inspect, volumes_and_fields
from sciml.runtime.errors import ConfigError


def run(config: ShowConfig, weights: Mapping[str, list[Path]], photo: Path, output: Path, runs: Path | None = None) -> list[Path]:
    """Write `<domain>/inspect` of domains of pictures, and `<domain>/apart` of slices and fields.

    Args:
        config: settings of the looks, by domain.
        weights: model file of each domain.
        photo: model file of photographs, which is shown beside slices and fields.
        output: results folder of the study.
        runs: folder of simulated runs, for fields that come from them.

    Raises:
        ConfigError: a domain has no model.
        DataError: see the two stages.
    """
    if lacking := [name for name in (*config.inspect, *config.volumes_and_fields) if name not in weights]:
        raise ConfigError(f"there is no model of {', '.join(lacking)}: give each as --weights DOMAIN=FILE")
    written: list[Path] = []
    for name, settings in config.inspect.items():
        written += inspect.run(settings, weights[name][0], output / name / "inspect")
    for name, settings in config.volumes_and_fields.items():
        written += volumes_and_fields.run(settings, weights[name][0], photo, output / name / "apart", runs)
    return written
