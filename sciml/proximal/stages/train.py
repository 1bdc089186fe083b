"""Stage `train`: learn one network, as a denoiser or through the solver of a task."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sciml.proximal.learning.objectives import (
    NumberedCrops,
    denoising_directly,
    denoising_through_the_guide,
    denoising_through_the_solver,
    validate_denoising,
)
from sciml.proximal.learning.pools import pool, validation_crops
from sciml.proximal.learning.random_physics import random_problems
from sciml.proximal.learning.tuning import tuning_through_the_solver, validate_tuning
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import Denoiser, LearnedProximalNetwork, load_denoiser
from sciml.proximal.networks.guided import GuidedNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.networks.peers import build_peer
from sciml.proximal.settings.models import TrainConfig
from sciml.proximal.settings.structures import GuideConfig, PeerConfig, RegularizerConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import (
    RandomCrops,
    TrainingConfig,
    load_weights,
    partial_folder,
    read_weights_metadata,
    save_weights,
    train,
)

COLOURS = 3
VALIDATION_SIZE = 96
VALIDATION_OPERATORS = 4


def run(config: TrainConfig, start: Path | None, output: Path, device: str = "cpu") -> list[Path]:
    """Write `<name>.safetensors` and `history.csv`; a run that was stopped goes on from its last checkpoint.

    Args:
        config: pictures, network and training.
        start: weight file that the network goes on from, where the settings name one; else None.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: `start` is given where the settings name no network to go on from, or the reverse.
    """
    if (start is None) != (config.start_from is None):
        raise ConfigError(f"{config.name} goes on from {config.start_from or 'nothing'}, but the weights given are {start}")
    recorder = Recorder("proximal.train", config.model_dump(mode="json"))
    images = pool(config.domain, "train", config.data_tier, config.crop_size, config.downscale_probabilities)
    inputs = dict(images.inputs)
    model = network_of(config, start).to(device)
    if start is not None:
        # a guide takes its network whole, others go on from its weights
        inputs |= (
            read_weights_metadata(start)["inputs"] if isinstance(model, GuidedNetwork) else load_weights(start, model)["inputs"]
        )
        _rescale(model, config.start_scale)
    model.train()
    weights, history = output / f"{config.name}.safetensors", output / "history.csv"
    code = source_digest(__name__)
    identity = {"model": config.model_dump(mode="json", exclude={"cpu_minutes"}), "data": inputs, "code": code}
    seed = Seeds(config.seed)("proximal", config.name)
    loss_step, validate = _steps(config, model, device)
    with (
        partial_folder(weights) as partial,
        RandomCrops(
            images.images, config.crop_size, config.batch_size, seed, weights=images.chances, names=images.names
        ) as batches,
    ):
        result = train(
            model,
            loss_step,
            NumberedCrops(batches, config.steps),
            training_settings(config),
            folder=partial,
            seed=seed,
            device=device,
            validate=validate,
            after_step=_project,
            identity=identity,
        )
        save_weights(
            weights,
            model,
            config=config,
            seed=config.seed,
            inputs=inputs,
            source_digest=code,
            cpu_minutes=result.cpu_minutes,
            extra={"network": describe(model)},
        )
        result.history.replace(history)
    recorder.notes = {"steps": result.steps, "ended": result.reason, "cpu_minutes": round(result.cpu_minutes, 2)}
    recorder.notes["constant_crops_skipped"] = batches.skipped
    recorder.write(output / "provenance.json", [weights, history])
    return [weights, history]


def _steps(config: TrainConfig, model: nn.Module, device: str) -> tuple[Any, Any]:
    """Return the loss step and the validation of the settings."""
    size = max(VALIDATION_SIZE, config.crop_size) if config.task == "denoise" else config.crop_size
    found = validation_crops(
        config.domain, config.data_tier, size, config.validation_crops, config.seed, config.downscale_probabilities
    )
    crops, last = torch.from_numpy(found).to(device), config.schedule.solver_steps[-1]
    if config.task == "denoise":
        if isinstance(model, GuidedNetwork):
            step = denoising_through_the_guide(config.sigma_range, config.schedule)
        elif isinstance(model, ImplicitNetwork):
            step = denoising_through_the_solver(config.sigma_range, config.schedule)
        else:
            step = denoising_directly(config.sigma_range)
        return step, validate_denoising(crops, config.validation_sigmas, last)
    problems = random_problems(config.task, config.crop_size, config.operators, Seeds(config.seed)("training"), device)
    held = random_problems(config.task, size, VALIDATION_OPERATORS, Seeds(config.seed)("validation"), device)
    return tuning_through_the_solver(problems, config.schedule, config.loss), validate_tuning(held, crops, last)


def _project(model: nn.Module) -> None:
    """Keep the weights of the published networks non-negative, as they are trained."""
    if isinstance(model, ExplicitNetwork):
        model.project_()


@torch.no_grad()
def _rescale(model: nn.Module, factor: float) -> None:
    """Multiply the thresholds by a factor and divide the weight by it: large images keep their R, small ones a smoother one."""
    if isinstance(model, ImplicitNetwork) and factor != 1:
        for name, parameter in model.regularizer.named_parameters():
            if name.endswith("log_tau"):
                parameter.add_(math.log(factor))
        model.log_weight.sub_(math.log(factor))


def describe(model: Denoiser) -> dict[str, Any]:
    """Return the JSON values from which `load_denoiser` builds the network."""
    if isinstance(model, LearnedProximalNetwork | GuidedNetwork):
        return model.describe()
    return {"form": "peer", "peer": model.config.model_dump(mode="json")}


def network_of(config: TrainConfig, start: Path | None = None) -> Denoiser:
    """Return the untrained network of the settings; its default noise level is 0.1, or the middle of another range.

    Args:
        config: the settings.
        start: weight file that a guide goes on from, a network of the implicit form, which it belongs to and leaves alone, or
            one with a guide, which is then trained whole; other networks do not look at it.

    Raises:
        ConfigError: a guide belongs to no network of the implicit form.
    """
    if isinstance(config.network, GuideConfig):
        base = None if start is None else load_denoiser(start)
        if isinstance(base, GuidedNetwork):
            if base.guide.config != config.network:
                raise ConfigError(f"{config.name} goes on from a guide of {base.guide.config}, its settings say {config.network}")
            made = base.of_channels(COLOURS) if (config.domain, base.channels) == ("photo-colour", 1) else base
            made.base.requires_grad_(True).log_weight.requires_grad_(config.task != "denoise")
            return made
        if not isinstance(base, ImplicitNetwork):
            raise ConfigError(f"{config.name} is a guide: it takes the weights of a network of the implicit form, got {start}")
        return GuidedNetwork(base, config.network, config.seed)
    if isinstance(config.network, PeerConfig):
        return build_peer(config.network, config.seed)
    low, high = config.sigma_range
    default_sigma = 0.1 if low <= 0.1 <= high else math.sqrt(low * high)
    if isinstance(config.network, RegularizerConfig):
        network = ImplicitNetwork(config.network, config.sigma_range, default_sigma)
        # a denoiser weighs R by 1; a reconstruction learns its weight
        network.log_weight.requires_grad_(config.task != "denoise")
        return network
    return LearnedProximalNetwork.build(
        {
            "form": "explicit",
            "potential": config.network.model_dump(mode="json"),
            "sigma_range": [low, high],
            "default_sigma": default_sigma,
        }
    )


def training_settings(config: TrainConfig) -> TrainingConfig:
    """Return the settings of the loop: Adam with betas .9 and .98, cosine to 1 %, budget in processor minutes."""
    return TrainingConfig(
        steps=config.steps,
        learning_rate=config.learning_rate,
        schedule="cosine",
        final_learning_rate=0.01 * config.learning_rate,
        warmup_steps=min(20, config.steps - 1),
        betas=(0.9, 0.98),
        weight_decay=0.0,
        clip_norm=20.0,
        ema_decay=config.ema_decay,
        log_every_steps=max(1, config.steps // 100),
        validate_every_steps=max(1, config.steps // config.validations),
        checkpoint_every_steps=max(1, config.steps // 100),
        cpu_minutes=config.cpu_minutes,
    )
