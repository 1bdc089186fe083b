"""Stage `train`: the network behind the decoder of one domain."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import torch

from sciml.compression.codecs.model_files import load_model, save_model
from sciml.compression.coding.network import Restorer
from sciml.compression.fitting.pairs import PairBatches, code_crops, relative_error
from sciml.compression.fitting.pools import training_crops
from sciml.compression.settings.models import NETWORK_RATE
from sciml.compression.settings.stages import TrainConfig
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import TrainingConfig, partial_folder, train
from sciml.training.step import Scalars, to_device
from sciml.training.weight_files import read_weights_metadata

log = logging.getLogger(__name__)

# crops of each validation picture
VALIDATION_CROPS = {1.0: 6, 2.0: 2}
# the network sees other crops than the rules, and so many times more
MORE = 6


def run(config: TrainConfig, base: Path, output: Path, device: str = "cpu", runs: Path | None = None) -> list[Path]:
    """Write `model.safetensors`, the model with its network, and `history.csv`.

    Args:
        config: pictures, network and training.
        base: model of the `fit` stage.
        output: output folder.
        device: `cpu` or `cuda`.
        runs: folder of simulated runs, for fields that come from them.
    """
    recorder = Recorder("compression.train", config.model_dump(mode="json"), [base])
    begun = time.process_time()
    model, data = load_model(base), config.data
    seed = Seeds(config.data.seed)("compression", config.domain)
    counts = {reduction: MORE * count for reduction, count in data.crops.items()}
    crops = training_crops(data, "train", data.data_tier, data.crop_size, counts, seed, runs)
    pairs = code_crops(model, crops.array, config.coded_at, seed)
    torch.manual_seed(seed)
    network = Restorer(model.channels, config.width, config.depth).to(device)
    settings = TrainingConfig(
        steps=config.steps, learning_rate=NETWORK_RATE, warmup_steps=min(200, config.steps // 2), clip_norm=0.2, ema_decay=0.998,
        validate_every_steps=1000, cpu_minutes=config.cpu_minutes, bfloat16_on_cpu=True,
    )  # fmt: skip
    held = training_crops(data, "validation", data.data_tier, data.crop_size, VALIDATION_CROPS, data.seed, runs)
    held_pairs = code_crops(model, held.array, config.coded_at, data.seed)
    held_batches = PairBatches(held_pairs, model, data.crop_size, 1, data.seed)

    def validate(network: torch.nn.Module, _generator: torch.Generator) -> Scalars:
        batches = (to_device(held_batches.batch(number), torch.device(device)) for number in range(len(held_pairs.steps)))
        results = [relative_error(network, batch) for batch in batches]
        after = torch.stack([loss for loss, _ in results])
        before = after * 10 ** (torch.stack([torch.as_tensor(more["gain_db"]) for _, more in results]) / 10)
        return {"gain_db": 10 * torch.log10(before.mean() / after.mean())}

    weights, history = output / "model.safetensors", output / "history.csv"
    code = source_digest(__name__)
    identity = {
        "settings": config.model_dump(mode="json", exclude={"cpu_minutes"}),
        "data": crops.inputs,
        "model": model.id.hex(),
        "code": code,
    }
    with partial_folder(weights) as partial:
        result = train(
            network,
            relative_error,
            PairBatches(pairs, model, config.crop_size, config.batch, seed),
            settings,
            folder=partial,
            seed=seed,
            device=device,
            validate=validate,
            identity=identity,
        )
        about = dict(model.about) | {"network_steps": result.steps}
        minutes = (time.process_time() - begun) / 60 + float(read_weights_metadata(base)["cpu_minutes"])
        save_model(
            weights,
            replace(model, network=network.cpu().eval(), about=about),
            config=config,
            seed=data.seed,
            inputs=crops.inputs,
            source_digest=code,
            cpu_minutes=minutes,
        )
        result.history.replace(history)
    recorder.notes = {"steps": result.steps, "ended": result.reason, "cpu_minutes": round(result.cpu_minutes, 2)}
    recorder.write(output / "provenance.json", [weights, history])
    return [weights, history]
