"""Stage `fit-lossless`: the model without loss from crops of training photographs."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from sciml.compression.codecs.model_files import LOSSLESS, save_model
from sciml.compression.fitting.pools import training_crops
from sciml.compression.lossless.fitting import fit_model
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.settings.domains import SourceConfig
from sciml.compression.settings.lossless import FitLosslessConfig
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: FitLosslessConfig, output: Path) -> list[Path]:
    """Write `model.safetensors`.

    Args:
        config: pictures.
        output: output folder.
    """
    recorder = Recorder("compression.fit_lossless", config.model_dump(mode="json"))
    begun = time.process_time()
    source = SourceConfig(experiment=config.experiment)
    crops = training_crops(source, "train", config.data_tier, config.crop_size, config.crops, config.seed)
    log.info("%d crops of %d pixels from %d files", len(crops.array), config.crop_size, len(crops.inputs))
    fitted = fit_model(LOSSLESS, [np.ascontiguousarray(crop.transpose(2, 0, 1)).astype(np.int64) for crop in crops.array])
    model = LosslessModel(fitted.name, fitted.mean, fitted.spread, fitted.counts, {"crops": len(crops.array)})
    minutes = (time.process_time() - begun) / 60
    path = output / "model.safetensors"
    code = source_digest(__name__)
    save_model(path, model, config=config, seed=config.seed, inputs=crops.inputs, source_digest=code, cpu_minutes=minutes)
    recorder.notes = {"crops": len(crops.array), "cpu_minutes": round(minutes, 2), "model_id": model.id.hex()}
    recorder.write(output / "provenance.json", [path])
    return [path]
