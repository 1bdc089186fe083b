"""Stage `evaluate`: how good pictures, kernels and residuals of every set are, and what the maps of spreads are worth."""

from __future__ import annotations

from pathlib import Path

from sciml.deblurring.config import DECIDING, EvaluateConfig
from sciml.deblurring.stages.calibrate import calibrate_spreads
from sciml.deblurring.study.pairs import load_problems, load_truths
from sciml.deblurring.study.results import KernelSteps, PairScores
from sciml.deblurring.study.scores import kernel_scores, picture_scores, residual_scores
from sciml.runtime.files import load_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result


def run(config: EvaluateConfig, results: Path, output: Path) -> list[Path]:
    """Write the scores of every set into `<set>/evaluate`, see `score_set`, and the maps' calibration into `calibrate`.

    Args:
        config: photographs of every set.
        results: results folder of the study, with what the stages before have written.
        output: the same folder, or another one.
    """

    def files(name: str, stage: str, file: str) -> list[Path]:
        return [results / name / photograph / stage / file for photograph in config.photographs[name]]

    pairs = {name: results / name / "simulate" / "pairs.safetensors" for name in config.photographs}
    restored = {name: files(name, "restore", "restored.safetensors") for name in pairs}
    written = []
    for name in pairs:
        kernels = files(name, "correct", "kernels.safetensors")
        written += score_set(pairs[name], restored[name], kernels, output / name / "evaluate")
    fitted, tested = ((pairs[name], restored[name], files(name, "spread", "spreads.safetensors")) for name in DECIDING)
    return written + calibrate_spreads(*fitted, *tested, output / "calibrate")


def score_set(pairs: Path, restored: list[Path], kernels: list[Path], output: Path) -> list[Path]:
    """Write `scores.json` of one set: a row a pair with the scores of every cell, kernel and residual.

    Args:
        pairs: file of the `simulate` stage.
        restored: pictures of the `restore` stage, one file a photograph.
        kernels: of the `correct` stage, in the same order; `steps.json` lies beside each.
        output: output folder.
    """
    recorder = Recorder("deblurring.evaluate", {}, [pairs, *restored, *kernels])
    rows = []
    for pictures, corrected in zip(restored, kernels, strict=True):
        arrays, notes = load_tensors(pictures)
        found, _ = load_tensors(corrected)
        steps = read_result(corrected.with_name("steps.json"), list[KernelSteps])
        photograph = notes["photograph"]
        both = zip(load_problems(pairs, photograph), load_truths(pairs, photograph), strict=True)
        for number, (problem, truth) in enumerate(both):
            mine = {name.partition(".")[2]: kernel for name, kernel in found.items() if name.partition(".")[0] == str(number)}
            estimates = {model: arrays.get(f"{number}.residual.{model}") for model in mine}
            scores = PairScores(
                photograph=photograph,
                kernel=problem.kernel,
                error=problem.error,
                blurred=picture_scores(problem.picture, truth.picture),
                step=steps[number],
                cells={name: picture_scores(arrays[f"{number}.{name}"], truth.picture) for name in notes["cells"]},
                kernels={model: kernel_scores(kernel, truth, problem.sigma) for model, kernel in mine.items()},
                residuals={
                    model: residual_scores(estimate, truth, problem.given, problem.sigma)
                    for model, estimate in estimates.items()
                    if estimate is not None
                },
            )
            rows.append(scores)
    path = output / "scores.json"
    write_result(path, rows)
    recorder.write(output / "provenance.json", [path])
    return [path]
