"""Train any torch model with one loop: exact resume, budgets, averaging, checkpoints without pickle.

Example:
    >>> import numpy as np, torch
    >>> from sciml.training import RandomCrops, TrainingConfig, load_weights, partial_folder, save_weights, train
    >>> def loss_step(model, clean, generator):
    ...     noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator, device=clean.device)
    ...     return (model(noisy) - clean).square().mean(), {}
    >>> image = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    >>> model, config = torch.nn.Conv2d(1, 1, 3, padding=1), TrainingConfig(steps=20)
    >>> output = getfixture("tmp_path") / "denoiser.safetensors"
    >>> with partial_folder(output) as folder, RandomCrops([image], 16, batch_size=4, seed=0) as crops:
    ...     result = train(model, loss_step, crops, config, folder=folder, seed=0)
    ...     minutes = result.cpu_minutes
    ...     _ = save_weights(output, model, config=config, seed=0, inputs={}, source_digest="", cpu_minutes=minutes)
    >>> load_weights(output, model)["seed"], result.reason, folder.exists()
    (0, 'all steps done', False)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.training.card import write_model_card
    from sciml.training.checkpoint import partial_folder
    from sciml.training.config import TrainingConfig, learning_rate_at
    from sciml.training.crops import RandomCrops, gradient_energy
    from sciml.training.loop import TrainingResult, train
    from sciml.training.signals import TrainingInterrupted
    from sciml.training.weight_files import read_weights_metadata, weights_digest
    from sciml.training.weights import load_weights, save_weights

_HOMES = {
    "RandomCrops": "crops",
    "TrainingConfig": "config",
    "TrainingInterrupted": "signals",
    "TrainingResult": "loop",
    "gradient_energy": "crops",
    "learning_rate_at": "config",
    "load_weights": "weights",
    "partial_folder": "checkpoint",
    "read_weights_metadata": "weight_files",
    "save_weights": "weights",
    "train": "loop",
    "weights_digest": "weight_files",
    "write_model_card": "card",
}

__all__ = [
    "RandomCrops",
    "TrainingConfig",
    "TrainingInterrupted",
    "TrainingResult",
    "gradient_energy",
    "learning_rate_at",
    "load_weights",
    "partial_folder",
    "read_weights_metadata",
    "save_weights",
    "train",
    "weights_digest",
    "write_model_card",
]


__getattr__ = handed_out(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
