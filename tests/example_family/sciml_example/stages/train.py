"""Stage `train`: learn the filter."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch

from sciml.runtime.files import digest_bytes
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest
from sciml.training import RandomCrops, TrainingConfig, partial_folder, save_weights, train, write_model_card
from sciml_example.config import TrainConfig
from sciml_example.filters.network import LinearFilter
from sciml_example.filters.pictures import waves


def run(config: TrainConfig, output: Path, device: str = "cpu") -> list[Path]:
    """Write `filter.safetensors`, its model card `filter.md` and `history.csv`.

    A run that was stopped goes on from its last checkpoint and ends in the same bytes.

    Args:
        config: pictures, noise and training.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("example.train", config.model_dump(mode="json"))
    pictures = waves(config.pictures, config.size, config.seed, "train")
    inputs = {"waves": digest_bytes(pictures.tobytes())}
    code = source_digest(__name__)
    model = LinearFilter(config.filter_size).to(device)
    settings = TrainingConfig(
        steps=config.steps,
        learning_rate=config.learning_rate,
        log_every_steps=max(1, config.steps // 20),
        checkpoint_every_steps=config.checkpoint_every_steps,
    )
    weights, history, card = output / "filter.safetensors", output / "history.csv", output / "filter.md"

    def loss_step(model: torch.nn.Module, clean: torch.Tensor, generator: torch.Generator):
        noisy = clean + config.sigma * torch.randn(clean.shape, generator=generator, device=clean.device)
        loss = (model(noisy) - clean).square().mean()
        return loss, {"psnr_db": -10 * loss.detach().log10()}

    identity = {"family": config.model_dump(mode="json", exclude={"checkpoint_every_steps"}), "data": inputs, "code": code}
    with partial_folder(weights) as partial, RandomCrops(list(pictures), 16, batch_size=4, seed=config.seed) as crops:
        result = train(model, loss_step, crops, settings, folder=partial, seed=config.seed, device=device, identity=identity)
        save_weights(
            weights, model, config=config, seed=config.seed, inputs=inputs, source_digest=code, cpu_minutes=result.cpu_minutes
        )
        result.history.replace(history)
    write_model_card(
        card,
        title="Linear filter against noise",
        weights=weights,
        licences={"waves": "synthetic"},
        command="snakemake -s tests/example_family/workflow/Snakefile --config tier=ci",
        metrics=[last_row(history)],
        limits=["Knows smooth waves only: edges come out blurred."],
    )
    recorder.notes = {"steps": result.steps, "ended": result.reason}
    recorder.write(output / "provenance.json", [weights, history, card])
    return [weights, history, card]


def last_row(history: Path) -> dict[str, Any]:
    """Return the quality at the end of the training as a row of the model card."""
    with history.open(newline="") as file:
        row = list(csv.DictReader(file))[-1]
    return {"name": "PSNR", "value": f"{float(row['psnr_db']):.2f}", "unit": "dB", "data": "training crops", "n": "last row"}
