"""Stage `compare-lossless`: pictures, slices and fields without loss and within bounds, beside other codecs by the same bound."""

from __future__ import annotations

import logging
from pathlib import Path

from sciml.compression.codecs.codec import codec_of
from sciml.compression.codecs.model_files import load_any
from sciml.compression.fitting.pools import check_inputs, samples, spread
from sciml.compression.lossless.codec import LosslessCodec
from sciml.compression.settings.lossless import CompareLosslessConfig
from sciml.compression.stages.compare_lossless.rows import OWN, rows_of
from sciml.compression.study.exact import CODECS
from sciml.compression.study.results import ExactFile, ExactRow
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)


def run(config: CompareLosslessConfig, weights: Path, output: Path, runs: Path | None = None) -> list[Path]:
    """Write `lossless.json`. One process, so that times can be compared.

    Args:
        config: pictures.
        weights: model file of `fit-lossless`.
        output: output folder.
        runs: folder of simulated runs, for fields that come from them.

    Raises:
        ConfigError: another kind of model.
        DataError: a picture was trained on, or there is none.
        NumericalError: a codec left its bound.
    """
    recorder = Recorder("compression.compare_lossless", config.model_dump(mode="json"), [weights])
    codec = codec_of(load_any(weights))
    if not isinstance(codec, LosslessCodec):
        raise ConfigError(f"{weights} is no model without loss: give one of the stage fit-lossless")
    rows: list[ExactRow] = []
    for domain, source in config.sources.items():
        found = spread(list(samples(source, config.role, config.data_tier, runs)), config.pictures)
        if not found:
            raise DataError(f"there is no {config.role} picture of {domain}")
        check_inputs(weights, source, found)
        for sample in found:
            rows += rows_of(codec, domain, sample)
            log.info("%s, %s", domain, sample.name)
    settings = {one.name: one.settings for one in CODECS} | {OWN: f"model {codec.model_id.hex()}"}
    missing = {one.name: reason for one in CODECS if (reason := one.missing()) is not None}
    path = output / "lossless.json"
    write_result(path, ExactFile(model_id=codec.model_id.hex(), settings=settings, missing=missing, rows=rows))
    recorder.write(output / "provenance.json", [path])
    return [path]
