"""Stage `digits`: learn the prior of handwritten digits, and look at it along noise, blur and mixing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import nn

from sciml.proximal.config import DigitsConfig
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.network import Images, PriorValues
from sciml.proximal.study import prior_results as results
from sciml.proximal.study.digits import (
    SEED,
    SIGMA,
    build_network,
    denoising_errors,
    digit_images,
    joined_history,
    learn,
    partners,
    weights_at,
)
from sciml.proximal.study.landscape import Path as Corruption
from sciml.proximal.study.landscape import along, auroc, blurred, humps, mixed, noisy
from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest
from sciml.training import partial_folder, save_weights

log = logging.getLogger(__name__)

STRIPS = 6
# noise level that clean digits are told apart from
DETECTION_SIGMA = 0.1
# pixels; narrower blurs change a digit by far less than the noise of the training: reported, not judged (chosen on validation
# digits)
VISIBLE_BLUR = 0.4


def run(config: DigitsConfig, output: Path) -> list[Path]:
    """Write `digits.safetensors` (weights), `history.csv`, `digits.json` and `strips.safetensors`.

    `digits.json` holds `DigitNumbers`: noisy digits of the path are clipped to [0, 1], those of the
    detection are not, blur has zeros beyond the border, visible blur leaves out widths below VISIBLE_BLUR.

    `strips.safetensors`: `<path>.levels`, `<path>.images` (strip, level, rows, columns) of the first digits and `<path>.R`
    (level, digit) of all.

    Args:
        config: network, schedule and corruptions.
        output: output folder.
    """
    recorder = Recorder("proximal.digits", {**config.model_dump(mode="json"), "sigma": SIGMA})
    seeds = Seeds(SEED)
    train_images, inputs = digit_images(config.digits, "train", config.data_tier, config.pad)
    held, _ = digit_images(config.digits, "validation", config.data_tier, config.pad)
    test, _ = digit_images(config.digits, "test", config.data_tier, config.pad)
    test = test[: config.test_digits]
    network = build_network(config, train_images.shape[-1])
    weights, history, tables, strips = (
        output / name for name in ("digits.safetensors", "history.csv", "digits.json", "strips.safetensors")
    )
    rows: list[results.DigitStage] = []
    noise_seed, last_gamma = seeds("digits", "validation noise") % 2**31, config.schedule[-1].gamma

    def after(index: int, model: nn.Module) -> None:
        assert isinstance(model, ExplicitNetwork)
        stage = config.schedule[index]
        errors = denoising_errors(model, held, SIGMA, noise_seed)
        row = {**dict(errors), "zero_share": model.potential.zero_share()}
        if last_gamma is not None:
            row |= dict(weights_at(model, held, last_gamma, SIGMA, noise_seed))
        rows.append(results.DigitStage(loss=stage.loss, gamma=stage.gamma, steps=stage.steps, **row))
        log.info("stage %d: validation PSNR %.2f dB", index, errors.denoised_psnr)

    code = source_digest(__name__)
    # what is looked at afterwards does not decide the weights
    looked_at = {"test_digits", "noise_levels", "blur_widths", "mixing_shares"}
    identity = {"code": code, "config": config.model_dump(mode="json", exclude=looked_at), "data": inputs}
    with partial_folder(weights) as partial:
        network.train()
        ended = learn(network, train_images, config, partial, after, identity)
        network.eval()
        joined_history(config.schedule, ended.histories, history)
        save_weights(
            weights, network, config=config, seed=SEED, inputs=inputs, source_digest=code,
            cpu_minutes=ended.cpu_minutes, extra={"network": network.describe()},
        )  # fmt: skip
    found, arrays = study(network, test, config)
    numbers = results.DigitNumbers(
        training=rows,
        ended=ended.reason,
        test=denoising_errors(network, test, SIGMA, seeds("digits", "test noise") % 2**31),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        certificate=network.certificate().reason,
        **dict(found),
    )
    write_result(tables, numbers)
    save_tensors(strips, arrays, {"digits": len(test), "sigma": SIGMA})
    recorder.seeds = seeds.used
    recorder.notes = {"cpu_minutes_of_training": round(ended.cpu_minutes, 3)}
    recorder.write(output / "provenance.json", [weights, history, tables, strips])
    return [weights, history, tables, strips]


def study(network: ExplicitNetwork, x: Images, config: DigitsConfig) -> tuple[results.DigitLandscape, dict[str, np.ndarray]]:
    """Return what R of test digits shows, and the arrays of the strips."""
    generator = torch.Generator().manual_seed(Seeds(SEED)("digits", "prior noise") % 2**31)
    field = torch.randn(x.shape, generator=generator)
    first, second = x[: len(x) // 2], x[partners(len(x))][: len(x) // 2]
    # every path begins, and mixing ends, with clean digits, whose R is computed once
    clean = network.prior_values(x)
    half = _part(clean, torch.arange(len(first))), _part(clean, partners(len(x))[: len(first)])
    corruptions = {
        "noise": (config.noise_levels, lambda level: noisy(x, field, level, clip=True), {0.0: clean}),
        "blur": (config.blur_widths, lambda width: blurred(x, width, "zero"), {0.0: clean}),
        "mixing": (config.mixing_shares, lambda share: mixed(first, second, share), {0.0: half[0], 1.0: half[1]}),
    }
    paths: dict[str, Corruption] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, (levels, corrupt, known) in corruptions.items():
        paths[name] = along(network, levels, corrupt, known=known)
        arrays[f"{name}.levels"] = np.array(levels)
        arrays[f"{name}.R"] = paths[name].values.numpy()
        arrays[f"{name}.images"] = torch.stack([corrupt(level)[:STRIPS, 0] for level in levels], 1).numpy()
        log.info("R along %s: %s", name, paths[name].table().median)
    clean = clean.value.double()
    noise = noisy(x, field, DETECTION_SIGMA)
    detected = along(network, (DETECTION_SIGMA,), lambda level: noise)
    lowest = float(min(path.values.min() for path in paths.values()))
    tables = {
        name: Corruption(path.levels, path.values - lowest, path.outside).table().model_copy(update={"lowest": lowest})
        for name, path in paths.items()
    }
    above = humps(paths["mixing"])
    tables["mixing"] = tables["mixing"].model_copy(update={"humps": above})
    detection = results.DigitDetection(
        sigma=DETECTION_SIGMA,
        auroc=auroc(clean, detected.values[0]),
        auroc_total_variation=auroc(_variation(x), _variation(noise)),
        levels=[
            results.LevelDetection(level=level, auroc=auroc(clean, values))
            for level, values in zip(config.noise_levels, paths["noise"].values, strict=True)
        ],
    )
    targets = results.DigitTargets(
        median_rises_with_noise=tables["noise"].median_rises_strictly,
        median_rises_with_blur=tables["blur"].median_rises_strictly,
        median_rises_with_visible_blur=_visible(paths["blur"], VISIBLE_BLUR).table().median_rises_strictly,
        hump_for_more_than_80_percent=above.above_ends > 0.8,
        auroc_above_095=detection.auroc > 0.95,
    )
    outside = float(torch.cat([path.outside.flatten() for path in (*paths.values(), detected)]).double().mean())
    prior = results.Landscapes(**tables)
    return results.DigitLandscape(prior=prior, detection=detection, targets=targets, outside=outside), arrays


def _part(values: PriorValues, index: torch.Tensor) -> PriorValues:
    return PriorValues(values.value[index], values.outside[index], values.residual[index], values.point[index])


def _visible(path: Corruption, least: float) -> Corruption:
    """Return the path without its levels between 0 and `least`."""
    kept = [index for index, level in enumerate(path.levels) if level == 0 or level >= least]
    return Corruption(tuple(path.levels[index] for index in kept), path.values[kept], path.outside[kept])


def _variation(x: Images) -> torch.Tensor:
    """Return the sum of absolute differences of neighbours."""
    return sum(x.diff(dim=axis).abs().sum((1, 2, 3)) for axis in (-2, -1)).double()  # pyright: ignore[reportAttributeAccessIssue]
