"""Stage `train-diffusion`: the diffusion model of one form, on latents of the autoencoder.

A form with concatenation needs no more. A form with a ControlNet learns subjects in general here, from every visit alone when it
predicts the follow-up itself; `train-controlnet` teaches it how a start steers that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.forecasting.diffusion import noise_levels
from sciml.progression.forecasting.prediction import Question, followup_latents
from sciml.progression.forecasting.training_pairs import DenoisingStep, LatentTable, PairBatches, encode_split, pair_tensors
from sciml.progression.networks.autoencoder import Autoencoder
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.networks.model_files import describe_denoiser, read_autoencoder
from sciml.progression.settings.models import ForecastConfig, TrainControlConfig, TrainDiffusionConfig
from sciml.progression.stages.train_autoencoder import training_settings
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import partial_folder, save_weights, train
from sciml.training.step import Scalars

VALIDATED = ForecastConfig(samples=4, steps=10)
VALIDATION_PAIRS = 12
# share of pairs of a visit with itself, so that nothing changes where no time passes
ZERO_GAP_SHARE = 0.15


def run(config: TrainDiffusionConfig, cohort: Path, autoencoder: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `<name>.safetensors` and `history.csv`: the denoiser, without a ControlNet.

    Args:
        config: form, network and training.
        cohort: folder of the cohort whose training subjects are learned from.
        autoencoder: weights of `train-autoencoder`.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    encoder, about = read_autoencoder(autoencoder)
    people = Cohort(cohort)
    scale = CovariateScale.measured(people.volumes(people.select("train")))
    seed = Seeds(config.seed)("progression", "diffusion", config.name)
    torch.manual_seed(seed)
    denoiser = Denoiser(config.form, config.network, encoder.config.latent_channels, with_control=False)
    # without the start's latent, follow-ups are subjects like any others, so every visit serves
    alone = config.form.anatomy == "controlnet" and config.form.target == "followup"
    job = Job("progression.train_diffusion", __name__, config, people, encoder, about["weights_digest"], scale, seed, device)
    return job.run(denoiser, output, ZERO_GAP_SHARE, alone, autoencoder)


@dataclass(frozen=True)
class Job:
    """One training of a denoiser on a cohort."""

    stage: str
    module: str
    config: TrainDiffusionConfig | TrainControlConfig
    cohort: Cohort
    autoencoder: Autoencoder
    autoencoder_digest: str
    scale: CovariateScale
    seed: int
    device: str

    def run(self, denoiser: Denoiser, folder: Path, zero_gap_share: float, alone: bool, *parents: Path) -> list[Path]:
        """Train what may be trained of the denoiser, and write the artefacts."""
        config, device = self.config, self.device
        table_file = self.cohort.folder / "visits.csv"
        recorder = Recorder(self.stage, config.model_dump(mode="json"), [table_file, *parents])
        encoder = self.autoencoder.to(device)
        table = encode_split(encoder, self.cohort, "train", self.scale, device, flip=True)
        held = encode_split(encoder, self.cohort, "validation", self.scale, device, flip=False)
        change_sd, code = float(encoder.change_sd), source_digest(self.module)
        weights, history = folder / f"{config.name}.safetensors", folder / "history.csv"
        inputs = self.cohort.digests(table.visits)
        identity = {
            "settings": config.model_dump(mode="json", exclude={"budget": {"cpu_minutes"}}),
            "data": inputs,
            "autoencoder": self.autoencoder_digest,
            "code": code,
        }
        denoiser.to(device)
        with partial_folder(weights) as partial:
            result = train(
                denoiser,
                DenoisingStep(noise_levels(denoiser.form.prediction), change_sd),
                PairBatches(table, denoiser.form, config.budget.batch_size, self.seed, zero_gap_share, alone),
                training_settings(config.budget),
                folder=partial,
                seed=self.seed,
                device=device,
                validate=SampledFollowups(held, change_sd, device),
                identity=identity,
            )
            save_weights(
                weights,
                denoiser,
                config=config,
                seed=config.seed,
                inputs=inputs,
                source_digest=code,
                cpu_minutes=result.cpu_minutes,
                extra={
                    "part": "denoiser",
                    "autoencoder": self.autoencoder_digest,
                    **describe_denoiser(denoiser, self.scale),
                },
            )
            result.history.replace(history)
        recorder.seeds = {"training": self.seed}
        recorder.notes = {"steps": result.steps, "ended": result.reason, "cpu_minutes": round(result.cpu_minutes, 2)}
        recorder.write(folder / "provenance.json", [weights, history])
        return [weights, history]


class SampledFollowups:
    """Error of sampled latents on validation pairs, first visit to last: a small loss alone says nothing about samples.

    Args:
        table: of the validation subjects.
        change_sd: s.
        device: of the network.
    """

    def __init__(self, table: LatentTable, change_sd: float, device: str) -> None:
        longest: dict[str, tuple[int, int]] = {}
        for start, followup in table.pairs:
            longest[table.visits[start].subject] = (longest.get(table.visits[start].subject, (start, 0))[0], followup)
        self.table, self.pairs = table, np.array(list(longest.values()))[:VALIDATION_PAIRS]
        self.change_sd, self.device = change_sd, device

    def __call__(self, model: Any, generator: torch.Generator) -> Scalars:
        """Return the mean squared errors of latents of one chain, of the mean of four, and of no change.

        Only the mean of several shows a training that lasts too long: chains lose their spread before they lose their aim.
        """
        batch = pair_tensors(self.table, model.form, self.pairs)
        start, followup = batch["start"].to(self.device), batch["followup"].to(self.device)
        question = Question(start, batch["start_age"], batch["context"], list(range(len(start))))
        sampled = followup_latents(model, question, self.change_sd, VALIDATED)
        return {
            "latent_mse": (sampled.chains[0] - followup).square().mean(),
            "averaged_latent_mse": (sampled.mean - followup).square().mean(),
            "no_change_mse": (start - followup).square().mean(),
        }
