"""Stage `train-autoencoder`: learn the latent space, and measure its scale on the training subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.progression.cohorts.cohort import Cohort, Visit
from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.forecasting.training_pairs import ENCODED_AT_ONCE, encode_split, measured_change_sd
from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step
from sciml.progression.settings.models import TrainAutoencoderConfig
from sciml.progression.settings.networks import TrainingBudget
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import TrainingConfig, partial_folder, save_weights, train
from sciml.training.step import Scalars


def run(config: TrainAutoencoderConfig, cohort: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `autoencoder.safetensors` and `history.csv`; a stopped training goes on.

    Args:
        config: network and training.
        cohort: folder of the cohort whose training subjects are learned from.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("progression.train_autoencoder", config.model_dump(mode="json"), [cohort / "visits.csv"])
    people = Cohort(cohort)
    visits, held = people.select("train"), people.select("validation")[: config.validation_images]
    seed = Seeds(config.seed)("progression", "autoencoder")
    torch.manual_seed(seed)
    pair = AdversarialPair(config.network).to(device)
    weights, history, code = output / "autoencoder.safetensors", output / "history.csv", source_digest(__name__)
    inputs = people.digests(visits)
    identity = {"settings": config.model_dump(mode="json", exclude={"budget": {"cpu_minutes"}}), "data": inputs, "code": code}
    batches = ImageBatches(people, visits, config.budget.batch_size, seed)
    with partial_folder(weights) as partial:
        result = train(
            pair,
            autoencoder_step,
            batches,
            training_settings(config.budget),
            folder=partial,
            seed=seed,
            device=device,
            validate=Reconstruction(people, held, device) if held else None,
            identity=identity,
        )
        autoencoder = pair.autoencoder.eval()
        images = (people.images(visits[i : i + ENCODED_AT_ONCE]) for i in range(0, len(visits), ENCODED_AT_ONCE))
        autoencoder.measure_scale(torch.from_numpy(array).to(device) for array in images)
        scale = CovariateScale.measured(people.volumes(visits))
        table = encode_split(autoencoder, people, "train", scale, device, flip=False)
        autoencoder.change_sd.fill_(measured_change_sd(table))
        save_weights(
            weights,
            autoencoder,
            config=config,
            seed=config.seed,
            inputs=inputs,
            source_digest=code,
            cpu_minutes=result.cpu_minutes,
            extra={"part": "autoencoder", "network": config.network.model_dump(mode="json"), "grid": people.grid.name},
        )
        result.history.replace(history)
    recorder.seeds = {"training": seed}
    recorder.notes = {"steps": result.steps, "ended": result.reason, "cpu_minutes": round(result.cpu_minutes, 2)}
    recorder.write(output / "provenance.json", [weights, history])
    return [weights, history]


def training_settings(budget: TrainingBudget) -> TrainingConfig:
    """Return the settings of the loop."""
    return TrainingConfig(
        steps=budget.steps,
        learning_rate=budget.learning_rate,
        final_learning_rate=0.02 * budget.learning_rate,
        warmup_steps=min(budget.warmup_steps, budget.steps - 1),
        weight_decay=budget.weight_decay,
        clip_norm=budget.clip_norm,
        ema_decay=budget.ema_decay,
        bfloat16_on_gpu=budget.bfloat16_on_gpu,
        bfloat16_on_cpu=True,
        validate_every_steps=max(1, budget.steps // 10),
        checkpoint_every_steps=max(1, min(200, budget.steps // 4)),
        log_every_steps=max(1, min(50, budget.steps // 10)),
        cpu_minutes=budget.cpu_minutes,
    )


class ImageBatches:
    """Gives the images of each step, half of them mirrored, a function of seed and step alone; read once and kept as float16.

    Args:
        cohort: whose images they are.
        visits: to choose from.
        batch_size: images a step.
        seed: of the choice.
    """

    def __init__(self, cohort: Cohort, visits: tuple[Visit, ...], batch_size: int, seed: int) -> None:
        self.images = np.stack([cohort.image(visit).astype(np.float16) for visit in visits])
        self.batch_size, self.seeds = batch_size, Seeds(seed)

    def batch(self, step: int) -> Tensor:
        """Return images of shape (batch, 1, x, y, z)."""
        random = np.random.default_rng(self.seeds("images", step))
        chosen = self.images[random.integers(len(self.images), size=self.batch_size)].astype(np.float32)
        mirrored = random.random(self.batch_size) < 0.5
        return torch.from_numpy(np.where(mirrored[:, None, None, None, None], chosen[:, :, ::-1], chosen))


class Reconstruction:
    """PSNR of decoded validation images, in the whole volume and in the brain.

    Args:
        cohort: whose images they are.
        visits: to decode.
        device: of the network.
    """

    def __init__(self, cohort: Cohort, visits: tuple[Visit, ...], device: str) -> None:
        self.images = torch.from_numpy(cohort.images(visits)).to(device)
        self.masks = torch.from_numpy(np.stack([cohort.mask(visit) for visit in visits])).to(device)

    def __call__(self, model: Any, generator: torch.Generator) -> Scalars:
        """Return the scalars of one validation."""
        whole, brain = [], []
        for image, mask in zip(self.images.split(1), self.masks.split(1), strict=True):
            codes, _ = model.autoencoder.encode(image)
            error = (model.autoencoder.decode(codes) - image).square()
            whole.append(-10 * error.mean().log10())
            brain.append(-10 * error[mask].mean().log10())
        return {"psnr_db": torch.stack(whole).mean(), "brain_psnr_db": torch.stack(brain).mean()}
