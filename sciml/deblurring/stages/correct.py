"""Stage `correct`: the given kernels of one photograph, corrected under every error model, without a look at the truth."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from sciml.deblurring.config import CorrectConfig
from sciml.deblurring.correction.kernel_step import corrected_kernel, evidence_of
from sciml.deblurring.kernels.warp import trimmed
from sciml.deblurring.study.pairs import Problem, load_problems
from sciml.deblurring.study.results import KernelSteps, ModelStep
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(config: CorrectConfig, pairs: Path, photograph: str, output: Path, device: str = "cpu") -> list[Path]:
    """Write `kernels.safetensors`, tensors `<pair>.<error model>`, and `steps.json`, a row a pair.

    A tensor `<pair>.candidate` is the best warp whether it was kept or not. Each finished pair is kept beside the folder until
    all are done, so that an interrupted run goes on where it stopped.

    Args:
        config: error models and seed.
        pairs: file of the `simulate` stage; nothing of its truth is read.
        photograph: whose pairs.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    recorder = Recorder("deblurring.correct", {**config.model_dump(mode="json"), "photograph": photograph}, [pairs])
    identity = [source_digest(__name__), config.model_dump(mode="json"), digest_file(pairs), photograph]
    arrays: dict[str, np.ndarray] = {}
    rows = []
    with Partial(output, identity) as partial:
        for number, problem in enumerate(load_problems(pairs, photograph, device)):
            found = partial.get(str(number))
            if found is None:
                kernels, row = corrections(problem, config)
                found = partial.put(str(number), kernels, row.model_dump(exclude_unset=True))
                log.info("%s: %.1f s", problem.name, row.seconds)
            arrays |= {f"{number}.{name}": kernel for name, kernel in found[0].items()}
            rows.append(KernelSteps.model_validate(found[1]))
        outputs = [output / "kernels.safetensors", output / "steps.json"]
        save_tensors(outputs[0], arrays, {"photograph": photograph})
        write_result(outputs[1], rows)
    recorder.notes = {"seconds": round(sum(row.seconds for row in rows), 1)}
    recorder.write(output / "provenance.json", outputs)
    return outputs


def corrections(problem: Problem, config: CorrectConfig) -> tuple[dict[str, np.ndarray], KernelSteps]:
    """Return the kernel of every error model, and what each step found."""
    begin = time.perf_counter()
    seed = Seeds(config.seed)("held-out pixels", problem.photograph, problem.kernel)
    evidence = evidence_of(problem.y, problem.sigma, None, seed)
    kernels = {"none": problem.given}
    steps: dict[str, Any] = {"kernel": problem.kernel}
    for model in config.errors:
        if model == "none":
            continue
        step = corrected_kernel(problem.y, problem.given, problem.sigma, model, None, seed, evidence)
        kernels[model] = step.kernel
        found = {"by": list(step.corrected_by), "verdict": step.verdict, "gain": step.gain, "sentences": list(step.sentences)}
        if step.warp is not None:
            kernels["candidate"] = trimmed(step.warp.best)
            found["warp"] = (step.warp.angle_degrees, step.warp.scale, step.warp.variance)
        steps[model] = ModelStep(**found)
    return kernels, KernelSteps(pair=problem.name, error=problem.error, **steps, seconds=time.perf_counter() - begin)
