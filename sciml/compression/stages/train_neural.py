"""Stage `train-neural`: the neural model of one domain, trained end to end, with its counted tables."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from sciml.compression.codecs.model_files import save_model
from sciml.compression.coding.symbol_choice import LAMBDA
from sciml.compression.fitting.pools import COLOURS, training_crops
from sciml.compression.neural.learning import PictureBatches, counted_tables, loss_of, rate_and_error, reviver
from sciml.compression.neural.model import cascade_of, neural_model
from sciml.compression.neural.small import Axes, SmallCascade
from sciml.compression.neural.start import start
from sciml.compression.settings.domains import SourceConfig
from sciml.compression.settings.stages import TrainNeuralConfig
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import TrainingConfig, partial_folder, train
from sciml.training.step import Scalars

log = logging.getLogger(__name__)

NAME = "neural"
VALIDATION_CROPS = {1.0: 3, 2.0: 1}
# every so many steps
VALIDATIONS, CHECKPOINTS = 500, 250


def run(config: TrainNeuralConfig, output: Path, device: str = "cpu") -> list[Path]:
    """Write `model.safetensors` and `history.csv`; a stopped training goes on.

    Args:
        config: pictures, networks and training.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("compression.train_neural", config.model_dump(mode="json"))
    seed = Seeds(config.seed)("compression", "neural", config.domain)
    source = SourceConfig(experiment=config.experiment, channels=COLOURS)
    crops = training_crops(source, "train", config.data_tier, config.crop_size, config.crops, seed)
    held = training_crops(source, "validation", config.data_tier, config.crop_size, VALIDATION_CROPS, config.seed)
    log.info("%d crops of %d files", len(crops.array), len(crops.inputs))
    weight = LAMBDA * config.step**2
    torch.manual_seed(seed)
    network = cascade_of(config.cascade)
    if isinstance(network, SmallCascade):
        start(network, crops.array, weight)
    network = network.to(device)
    settings = TrainingConfig(
        steps=config.steps, learning_rate=config.rate, warmup_steps=min(30, config.steps // 2), clip_norm=1.0,
        validate_every_steps=VALIDATIONS, checkpoint_every_steps=CHECKPOINTS, cpu_minutes=config.cpu_minutes,
    )  # fmt: skip

    def validate(model: torch.nn.Module, _generator: torch.Generator) -> Scalars:
        return rate_and_error(network, held.array, weight)

    weights, history = output / "model.safetensors", output / "history.csv"
    code = source_digest(__name__)
    identity = {"settings": config.model_dump(mode="json", exclude={"cpu_minutes"}), "data": crops.inputs, "code": code}
    with partial_folder(weights) as partial:
        result = train(
            network,
            loss_of(weight, config.estimator),
            PictureBatches(crops.array, config.part, config.batch, seed),
            settings,
            folder=partial,
            seed=seed,
            device=device,
            validate=validate,
            after_step=reviver(config.revive_every, config.steps // 2),
            identity=identity,
        )
        network = network.cpu().eval()
        for axes in network.modules():
            if isinstance(axes, Axes):
                axes.settle()
        about = {"crops": len(crops.array), "network_steps": result.steps, "estimator": config.estimator}
        tables = counted_tables(network, crops.array, weight)
        model = neural_model(NAME, network, tables, config.cascade, config.step, about)
        save_model(
            weights, model, config=config, seed=config.seed, inputs=crops.inputs, source_digest=code,
            cpu_minutes=result.cpu_minutes,
        )  # fmt: skip
        result.history.replace(history)
    reached = rate_and_error(model.network, held.array, weight)
    recorder.notes = {
        "steps": result.steps, "ended": result.reason, "cpu_minutes": round(result.cpu_minutes, 2), "model_id": model.id.hex(),
        "validation": {name: round(value, 4) for name, value in reached.items()},
    }  # fmt: skip
    recorder.write(output / "provenance.json", [weights, history])
    return [weights, history]
