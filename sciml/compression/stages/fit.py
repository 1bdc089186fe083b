"""Stage `fit`: transform, rules and tables of one domain from training pictures."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.model import CodecModel, StepSet, step_set_arrays, step_set_from
from sciml.compression.coding.transform import BLOCK, Transform, fit_transform
from sciml.compression.entropy.context import Grid
from sciml.compression.fitting.pools import Crops, scale_of, training_crops
from sciml.compression.fitting.scalar import Fit
from sciml.compression.settings.stages import FitConfig
from sciml.runtime.checkpoints import Partial
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: FitConfig, output: Path, runs: Path | None = None) -> list[Path]:
    """Write `model.safetensors`; sets of steps that are fitted already are kept when a run is stopped.

    Args:
        config: pictures and steps.
        output: output folder.
        runs: folder of simulated runs, for fields that come from them.
    """
    recorder = Recorder("compression.fit", config.model_dump(mode="json"))
    begun = time.process_time()
    crops = training_crops(config, "train", config.data_tier, config.crop_size, config.crops, config.seed, runs)
    centre, span = scale_of(config.kind)
    log.info("%d crops of %d pixels from %d files", len(crops.array), config.crop_size, len(crops.inputs))
    transform = fit_transform([centred(crop, centre, span) for crop in crops.array[::3]])
    planes = planes_of(transform, crops, centre, span)
    grid = Grid(config.crop_size // BLOCK, config.crop_size // BLOCK, len(crops.array))
    code = source_digest(__name__)
    sets: list[StepSet] = []
    path = output / "model.safetensors"
    with Partial(output, [code, config.model_dump(mode="json"), crops.inputs]) as partial:
        for step in config.steps:
            found = partial.get(f"step {step}")
            if found is None:
                rules, tables = Fit(planes / np.float32(step), grid, order=transform.order).run()
                found = partial.put(f"step {step}", step_set_arrays(StepSet(step, rules, tables)), {"step": step})
            sets.append(step_set_from(found[0], step))
            log.info("step %.3g: %d planes, %.0f s", step, sets[-1].rules.planes, time.process_time() - begun)
        model = CodecModel(config.domain, transform, centre, span, tuple(sets), about={"crops": len(crops.array)})
        minutes = (time.process_time() - begun) / 60
        save_model(path, model, config=config, seed=config.seed, inputs=crops.inputs, source_digest=code, cpu_minutes=minutes)
    recorder.notes = {"crops": len(crops.array), "cpu_minutes": round(minutes, 2), "model_id": model.id.hex()}
    recorder.write(output / "provenance.json", [path])
    return [path]


def centred(crop: np.ndarray, centre: float, span: float) -> np.ndarray:
    """Return numbers in units of the span, around 0."""
    return (crop.astype(np.float32) - np.float32(centre)) / np.float32(span)


def planes_of(transform: Transform, crops: Crops, centre: float, span: float) -> np.ndarray:
    """Return the planes of all crops, crop after crop."""
    size = crops.array.shape[1] // BLOCK
    planes = np.empty((len(transform.order), len(crops.array), size * size), np.float32)
    for number, crop in enumerate(crops.array):
        planes[:, number] = transform.forward(centred(crop, centre, span)).reshape(len(planes), -1)
    return planes.reshape(len(planes), -1)
