"""Stage `fit-vectors`: groups of vectors behind the first planes of a fitted scalar model, from the same crops."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sciml.compression.codecs.model_files import load_model, save_model
from sciml.compression.coding.model import CodecModel, StepSet, step_set_arrays, step_set_from
from sciml.compression.coding.transform import BLOCK
from sciml.compression.entropy.context import Grid
from sciml.compression.fitting.groups import Structure, fit_groups, members_of, scalar_part
from sciml.compression.fitting.pools import training_crops
from sciml.compression.settings.domains import SourceConfig
from sciml.compression.settings.vectors import FitVectorsConfig
from sciml.compression.stages.fit import planes_of
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import ConfigError
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training.weight_files import read_weights_metadata

log = logging.getLogger(__name__)


def run(config: FitVectorsConfig, base: Path, output: Path) -> list[Path]:
    """Write `model.safetensors`: transform, first planes and tables of the base, the other planes as vectors.

    Args:
        config: pictures and structure.
        base: model of the `fit` stage; a network in it is left out.
        output: output folder.

    Raises:
        ConfigError: no set of the base has as many planes as the structure leaves scalar.
    """
    recorder = Recorder("compression.fit_vectors", config.model_dump(mode="json"), [base])
    begun = time.process_time()
    scalar = load_model(base)
    source = SourceConfig(experiment=config.experiment, channels=config.channels)
    crops = training_crops(source, "train", config.data_tier, config.crop_size, config.crops, config.seed)
    structure = Structure(config.dimensions, config.words, config.passes, config.together, config.rounds)
    first = min(structure.dimensions)
    if first >= max(item.rules.planes for item in scalar.sets):
        raise ConfigError(f"groups begin at plane {first}, but {base} codes no plane from there on: choose an earlier one")
    planes = planes_of(scalar.transform, crops, scalar.centre, scalar.span)
    grid = Grid(config.crop_size // BLOCK, config.crop_size // BLOCK, len(crops.array))
    code = source_digest(__name__)
    sets: list[StepSet] = []
    facts: dict[str, list[dict]] = {}
    path = output / "model.safetensors"
    with Partial(output, [code, config.model_dump(mode="json"), crops.inputs, scalar.id.hex()]) as partial:
        for item in scalar.sets:
            found = partial.get(f"step {item.step}")
            if found is None:
                grouped, rows = item, []
                if first < item.rules.planes:
                    members = members_of(structure, scalar.transform.order, item.rules.planes)
                    rules = scalar_part(item.rules, first)
                    generator = np.random.default_rng(Seeds(config.seed)("vectors", config.name, str(item.step)))
                    order, scaled = scalar.transform.order, planes / np.float32(item.step)
                    groups, rows = fit_groups(scaled, grid, rules, item.tables, order, members, structure, generator)
                    grouped = replace(item, rules=rules, groups=groups)
                found = partial.put(f"step {item.step}", step_set_arrays(grouped), {"groups": rows})
            sets.append(step_set_from(found[0], item.step))
            facts[f"{item.step:g}"] = found[1]["groups"]
            log.info("step %.3g: %d units, %.0f s", item.step, sets[-1].units, time.process_time() - begun)
        about = dict(scalar.about) | {"base": scalar.id.hex(), "groups": facts}
        model = CodecModel(config.name, scalar.transform, scalar.centre, scalar.span, tuple(sets), about=about)
        minutes = (time.process_time() - begun) / 60
        every = minutes + float(read_weights_metadata(base)["cpu_minutes"])
        save_model(path, model, config=config, seed=config.seed, inputs=crops.inputs, source_digest=code, cpu_minutes=every)
    recorder.notes = {"crops": len(crops.array), "cpu_minutes": round(minutes, 2), "model_id": model.id.hex()}
    recorder.write(output / "provenance.json", [path])
    return [path]
