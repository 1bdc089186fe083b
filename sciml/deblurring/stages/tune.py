"""Stage `tune`: the weight of every prior under every error model, on validation photographs and with other kernels."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from sciml.deblurring.config import TuneConfig, TunePriorConfig
from sciml.deblurring.settings.grid import TRUE, folder_name
from sciml.deblurring.study.cells import picture_of, solve_cell
from sciml.deblurring.study.pairs import load_problems, load_truths
from sciml.deblurring.study.results import TunedWeight
from sciml.deblurring.study.scores import display_psnr
from sciml.imaging.plugins import prior_digests
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_file, load_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: TuneConfig, pairs: Path, kernels: list[Path], output: Path, device: str = "cpu") -> list[Path]:
    """Write the weights of every prior into a folder of its name; see `tune_prior`.

    Args:
        config: priors and weights.
        pairs: validation pairs of the `simulate` stage.
        kernels: of the `correct` stage, one file a photograph.
        output: output folder, of all priors.
        device: `cpu` or `cuda`.

    Raises:
        DataError: there is no validation pair.
    """
    folders = ((one, output / folder_name(one.prior)) for one in config.priors)
    return [path for one, folder in folders for path in tune_prior(one, pairs, kernels, folder, device)]


def tune_prior(config: TunePriorConfig, pairs: Path, kernels: list[Path], output: Path, device: str = "cpu") -> list[Path]:
    """Write `weights.json`: by error model the best weight, the mean PSNR at it, and the whole curve.

    Every weight is tried on the same `config.pairs` pairs, spread evenly over the photographs, kernels and errors.

    Args:
        config: prior and weights.
        pairs: validation pairs of the `simulate` stage.
        kernels: of the `correct` stage, one file a photograph.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        DataError: there is no validation pair.
    """
    recorder = Recorder("deblurring.tune", config.model_dump(mode="json"), [pairs, *kernels])
    cases = _cases(pairs, kernels, device)
    if not cases:
        raise DataError(f"{pairs} holds no pair to tune on")
    cases = [cases[index] for index in np.unique(np.linspace(0, len(cases) - 1, config.pairs).round().astype(int))]
    found: dict[str, TunedWeight] = {}
    made_by = [source_digest(__name__), prior_digests([config.prior])]
    identity = [*made_by, config.model_dump(mode="json"), [digest_file(path) for path in [pairs, *kernels]]]
    with Partial(output, identity) as partial:
        for model in config.models:
            curve = {}
            for weight in config.weights:
                part = partial.get(f"{model} {weight}")
                if part is None:
                    scores = [
                        display_psnr(
                            picture_of(solve_cell(p.y, known[model], p.sigma, config.prior, weight), p.y)[0, 0].cpu().numpy(),
                            truth,
                        )
                        for p, truth, known in cases
                    ]
                    part = partial.put(f"{model} {weight}", {"psnr": np.array(scores)}, {})
                curve[weight] = float(part[0]["psnr"].mean())
            best = max(curve, key=curve.__getitem__)
            found[model] = TunedWeight(weight=best, psnr=curve[best], curve=[(w, curve[w]) for w in sorted(curve)])
            log.info("%s/%s: weight %.3g, %.2f dB", config.prior, model, best, curve[best])
    path = output / "weights.json"
    write_result(path, found)
    recorder.notes = {"pairs": len(cases)}
    recorder.write(output / "provenance.json", [path])
    return [path]


def _cases(pairs: Path, corrected: list[Path], device: str) -> list[tuple[Any, np.ndarray, dict[str, np.ndarray]]]:
    """Return problem, true picture and kernels by error model of every pair."""
    found = []
    for path in corrected:
        tensors, notes = load_tensors(path)
        both = zip(load_problems(pairs, notes["photograph"], device), load_truths(pairs, notes["photograph"]), strict=True)
        for number, (problem, truth) in enumerate(both):
            known = {name.partition(".")[2]: k for name, k in tensors.items() if name.startswith(f"{number}.")}
            found.append((problem, truth.picture, {**known, TRUE: truth.kernel}))
    return found
