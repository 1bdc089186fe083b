"""Stage `dip`: do untrained networks help, and does the residual network? Fits on a few fixed pairs, with several seeds."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from sciml.deblurring.settings.grid import TRUE
from sciml.deblurring.settings.structures import DipCell, DipStudyConfig
from sciml.deblurring.study.cells import Weights, picture_of, read_weights, solve_cell, weight_of
from sciml.deblurring.study.dip import Fit, Scorer, fit_of, scores_of, seed_scores
from sciml.deblurring.study.pairs import Problem, Truth, load_problems, load_truths
from sciml.deblurring.study.results import CellSeeds, DipResult, FitScores
from sciml.deblurring.study.scores import display_psnr
from sciml.imaging.operators.kernels import Kernel
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_file, load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)
Part = tuple[dict[str, np.ndarray], dict[str, Any]]


def run(
    config: DipStudyConfig, pairs: Path, photograph: str, kernels: Path, weights: Path, output: Path, device: str = "cpu"
) -> list[Path]:
    """Write `runs.json` and `pictures.safetensors` of the pairs of one photograph.

    `runs.json` holds `runs`, a row a fit; `baselines`, PSNR by pair of the blurred picture and of total variation with the given,
    the corrected and the true kernel; `seeds`, by pair and cell how the spread over seeds compares with the error; `curves`, of
    the pairs that are shown. Tensors are named `<pair>/<cell>/image`, `residual`, `artefact`, `start` and `spread`. Each
    finished fit is kept beside the folder until all are done, so that an interrupted run goes on where it stopped; the first
    seed of every cell comes first.

    Args:
        config: pairs, cells and seeds; pairs of other photographs are other jobs'.
        pairs: file of the `simulate` stage; its truth is read for scores alone.
        photograph: whose pairs.
        kernels: of the `correct` stage.
        weights: of the `tune` stage for total variation.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: a pair of this photograph is not in the file.
    """
    named = {**config.model_dump(mode="json"), "photograph": photograph}
    recorder = Recorder("deblurring.dip", named, [pairs, kernels, weights])
    cases = _cases(config, pairs, photograph, kernels, device)
    tuned = read_weights({"tv": weights})
    parts: dict[tuple[str, str], list[Part]] = {}
    with Partial(
        output, [source_digest(__name__), config.seed, [digest_file(path) for path in (pairs, kernels, weights)]]
    ) as partial:
        for number in range(config.seeds):
            for name, (problem, truth, known) in cases.items():
                for label, cell in _cells(config, name, number):
                    key = f"{name} {number} {cell.model_dump_json()}"
                    part = partial.get(key)
                    if part is None:
                        seed = Seeds(config.seed)("dip", name, number)
                        part = partial.put(key, *_fitted(problem, truth, known, tuned, cell, seed))
                        _say(name, label, number, part[1])
                    parts.setdefault((name, label), []).append(part)
        outputs = [output / "runs.json", output / "pictures.safetensors"]
        write_result(outputs[0], _table(config, cases, parts, tuned))
        save_tensors(outputs[1], _pictures(config, parts), {"photograph": photograph, "cells": list(config.cells)})
    rows = [notes for some in parts.values() for _, notes in some]
    recorder.notes = {"fits": len(rows), "seconds": round(sum(row["seconds"] for row in rows), 1)}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def wanted(config: DipStudyConfig, photograph: str) -> list[str]:
    """Return the pairs of a photograph that any cell runs on, in the order of the settings."""
    every = [*config.pairs, *(name for cell in config.cells.values() for name in cell.pairs or ())]
    return [name for name in dict.fromkeys(every) if name.split(" ")[0] == photograph]


def _cells(config: DipStudyConfig, pair: str, number: int) -> list[tuple[str, DipCell]]:
    """Return the cells that run on a pair with the seed of this number."""
    return [
        (label, cell)
        for label, cell in config.cells.items()
        if pair in (config.pairs if cell.pairs is None else cell.pairs) and number < (cell.seeds or config.seeds)
    ]


def _cases(
    config: DipStudyConfig, pairs: Path, photograph: str, kernels: Path, device: str
) -> dict[str, tuple[Problem, Truth, dict[str, Kernel]]]:
    """Return problem, truth and kernels by error model of every pair that is wanted."""
    corrected, _ = load_tensors(kernels)
    found = {}
    both = zip(load_problems(pairs, photograph, device), load_truths(pairs, photograph), strict=True)
    for number, (problem, truth) in enumerate(both):
        known = {"none": problem.given, "warp": corrected[f"{number}.warp"], TRUE: truth.kernel}
        found[problem.name] = problem, truth, known
    names = wanted(config, photograph)
    if missing := [name for name in names if name not in found]:
        raise ConfigError(
            f"the pair {missing[0]!r} is not in {pairs}: name photograph, kernel and error as in the set's settings"
        )
    return {name: found[name] for name in names}


def _fitted(problem: Problem, truth: Truth, kernels: dict[str, Kernel], tuned: Weights, cell: DipCell, seed: int) -> Part:
    """Run one fit and score it."""
    model = "warp" if cell.start == "corrected" else "none"
    scorer = Scorer(truth)
    fit = fit_of(problem, kernels[model], weight_of(tuned, "tv", model), cell, seed, scorer)
    row = scores_of(fit, scorer, problem, kernels[model])
    curves = {**fit.found.curves, "psnr": scorer.curve}
    return _arrays(fit), {**row, "curves": curves}


def _arrays(fit: Fit) -> dict[str, np.ndarray]:
    named = {
        "image": fit.picture,
        "start": fit.start,
        "network": fit.network,
        "residual": fit.found.network_residual,
        "artefact": fit.found.artefact,
    }
    return {name: value[0, 0].detach().cpu().numpy() for name, value in named.items() if value is not None}


def _table(
    config: DipStudyConfig,
    cases: dict[str, tuple[Problem, Truth, dict[str, Kernel]]],
    parts: dict[tuple[str, str], list[Part]],
    tuned: Weights,
) -> DipResult:
    runs, seeds, curves, baselines = [], [], {}, {}
    for name, (problem, truth, kernels) in cases.items():
        baselines[name] = {"blurred": display_psnr(problem.picture, truth.picture)}
        for model, kernel in kernels.items():
            x = solve_cell(problem.y, kernel, problem.sigma, "tv", weight_of(tuned, "tv", model))
            baselines[name][f"tv/{model}"] = display_psnr(picture_of(x, problem.y)[0, 0].cpu().numpy(), truth.picture)
    for (name, label), some in parts.items():
        problem, truth, _ = cases[name]
        about = {"pair": name, "photograph": problem.photograph, "kernel": problem.kernel, "error": problem.error, "cell": label}
        for number, (_, notes) in enumerate(some):
            runs.append(FitScores(**about, seed=number, **{key: value for key, value in notes.items() if key != "curves"}))
        if len(some) > 1:
            pictures = [arrays["image"] for arrays, _ in some]
            networks = [arrays["network"] for arrays, _ in some]
            returned, alone = seed_scores(pictures, truth), seed_scores(networks, truth)
            seeds.append(CellSeeds(**about, count=len(some), returned=returned, networks=alone))
        if name in config.shown:
            curves.setdefault(name, {})[label] = some[0][1]["curves"]
    return DipResult(runs=runs, baselines=baselines, seeds=seeds, curves=curves)


def _pictures(config: DipStudyConfig, parts: dict[tuple[str, str], list[Part]]) -> dict[str, np.ndarray]:
    found = {}
    for (name, label), some in parts.items():
        if name in config.shown:
            found |= {f"{name}/{label}/{kind}": array for kind, array in some[0][0].items()}
            if len(some) > 1:
                found[f"{name}/{label}/spread"] = np.std([arrays["network"] for arrays, _ in some], axis=0, ddof=1)
    return found


def _say(name: str, label: str, number: int, row: dict[str, Any]) -> None:
    log.info(
        "%s, %s, seed %d: %.2f dB, start %.2f, networks %.2f, %.0f s",
        name, label, number, row["psnr"], row["psnr_start"], row["psnr_network"], row["seconds"],
    )  # fmt: skip
