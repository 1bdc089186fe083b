"""Stage `measure`: real pictures through the physics of a task, with seeded noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sciml.datasets.manifest import local_path
from sciml.imaging.tasks.cases import cases
from sciml.imaging.tasks.measurements import ROLES, Measured, Measurements
from sciml.imaging.tasks.studies import MeasureConfig
from sciml.imaging.tasks.task import task
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds


def run(config: MeasureConfig, output: Path) -> list[Path]:
    """Write `measurements.safetensors` and `provenance.json`.

    Args:
        config: task, variants, pictures and seed.
        output: output folder.
    """
    recorder = Recorder("imaging.measure", config.model_dump(mode="json"))
    seeds = Seeds(config.seed)
    tasks = {}
    for label in config.variant_order or config.variants:
        tasks[label] = task(config.task, config.size, config.seed, **config.variants[label])  # pyright: ignore[reportArgumentType]
    counts = {"validation": config.validation_images, "test": config.test_images}
    own = {"validation": config.validation_data, "test": config.test_data}
    parts, names = {}, set()
    for label, built in tasks.items():
        for role in ROLES:
            found = cases(built.experiment, role, counts[role], built.canvas, config.data_tier, own[role])
            truth = torch.from_numpy(np.stack([case.array for case in found]))[:, None]
            generator = torch.Generator().manual_seed(seeds("noise", config.task, label, role))
            data = built.measure(truth, generator)
            parts[label, role] = Measured(
                truth, data, tuple(case.name for case in found), tuple(case.position_mm for case in found)
            )
            names |= {case.name.partition("[")[0] for case in found}
    recorder.reads(local_path(name) for name in names)
    path = output / "measurements.safetensors"
    Measurements(tasks, parts).save(path)
    recorder.seeds = seeds.used
    recorder.notes = {"data": sorted(names)}
    recorder.write(output / "provenance.json", [path])
    return [path]
