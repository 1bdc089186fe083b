"""Stage `restore`: every cell of the grid on the pairs of one photograph, and where they depend on the kernel."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sciml.deblurring.config import RestoreConfig
from sciml.deblurring.settings.grid import TRUE, cells, parted
from sciml.deblurring.solvers.image import residual
from sciml.deblurring.stages.spread import map_spreads
from sciml.deblurring.study.cells import Weights, picture_of, read_weights, solve_cell, weight_of
from sciml.deblurring.study.pairs import Problem, load_problems, load_truths
from sciml.imaging.operators.kernels import Kernel
from sciml.imaging.plugins import prior_digests
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file, load_tensors, read_json, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(
    config: RestoreConfig,
    pairs: Path,
    photograph: str,
    kernels: Path,
    weights: dict[str, list[Path]],
    output: Path,
    device: str = "cpu",
) -> list[Path]:
    """Write the pictures into `restore`, see `restore_pairs`, and maps of spreads into `spread` where the settings ask for them.

    Args:
        config: cells, priors and maps.
        pairs: file of the `simulate` stage.
        photograph: whose pairs.
        kernels: of the `correct` stage.
        weights: of the `tune` stage by prior, one file each.
        output: output folder of the photograph.
        device: `cpu` or `cuda`.
    """
    files = {prior: path for prior, (path,) in weights.items()}
    written = restore_pairs(config, pairs, photograph, kernels, files, output / "restore", device)
    if config.spread is not None:
        written += map_spreads(config.spread, pairs, photograph, kernels, files["tv"], output / "spread", device)
    return written


def restore_pairs(
    config: RestoreConfig,
    pairs: Path,
    photograph: str,
    kernels: Path,
    weights: Mapping[str, Path],
    output: Path,
    device: str = "cpu",
) -> list[Path]:
    """Write `restored.safetensors`: pictures `<pair>.<cell>` in linear light, and residuals `<pair>.residual.<error model>`.

    Of the truth only its kernel is read, and only for the oracle cells `<prior>/true`. Finished pairs are kept until all are
    done, so that an interrupted run goes on where it stopped.

    Args:
        config: cells and priors.
        pairs: file of the `simulate` stage.
        photograph: whose pairs.
        kernels: of the `correct` stage.
        weights: of the `tune` stage by prior.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    given = {"photograph": photograph, "weights": {prior: read_json(path) for prior, path in weights.items()}}
    tuned = read_weights(weights)
    settings = config.model_dump(mode="json", exclude={"spread"})
    recorder = Recorder("deblurring.restore", {**settings, **given}, [pairs, kernels, *weights.values()])
    made_by = [source_digest(__name__), prior_digests(config.priors)]
    identity = [*made_by, settings, given, digest_file(pairs), digest_file(kernels)]
    corrected, _ = load_tensors(kernels)
    names = cells(config.priors, config.cells)
    arrays: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = dict.fromkeys(names, 0.0)
    true = [truth.kernel for truth in load_truths(pairs, photograph)]
    problems = load_problems(pairs, photograph, device)
    with Partial(output, identity) as partial:
        for number, problem in enumerate(problems):
            found = partial.get(str(number))
            if found is None:
                known = {name.partition(".")[2]: k for name, k in corrected.items() if name.startswith(f"{number}.")}
                found = partial.put(str(number), *restorations(problem, {**known, TRUE: true[number]}, names, tuned))
                log.info("%s: %.1f s", problem.name, sum(found[1]["seconds"].values()))
            arrays |= {f"{number}.{name}": array for name, array in found[0].items()}
            seconds = {name: value + found[1]["seconds"][name] / len(problems) for name, value in seconds.items()}
        path = output / "restored.safetensors"
        save_tensors(path, arrays, {"photograph": photograph, "cells": names})
    recorder.notes = {"seconds_per_image": {name: round(value, 3) for name, value in seconds.items()}}
    recorder.write(output / "provenance.json", [path])
    return [path]


def restorations(
    problem: Problem, kernels: dict[str, Kernel], names: list[str], weights: Weights
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the picture of every cell, the residuals by total variation, and the seconds that each cell took."""
    arrays, seconds = {}, {}
    for name in names:
        prior, model = parted(name)
        begin = time.perf_counter()
        weight = weight_of(weights, prior, model)
        x = solve_cell(problem.y, kernels[model], problem.sigma, prior, weight)
        seconds[name] = time.perf_counter() - begin
        arrays[name] = picture_of(x, problem.y)[0, 0].cpu().numpy()
        if prior == "tv" and model not in ("none", TRUE):
            arrays[f"residual.{model}"] = residual(x, kernels[model], problem.given, problem.y)[0, 0].cpu().numpy()
    return arrays, {"seconds": seconds}
