"""Part of the stage `restore`: maps of how far the restored pictures of one photograph depend on the kernel's stated error."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sciml.deblurring.config import SpreadConfig
from sciml.deblurring.correction.sensitivity import bootstrap_std
from sciml.deblurring.files.picture import srgb_encoded
from sciml.deblurring.solvers.image import noise_unit
from sciml.deblurring.study.cells import read_weights, weight_of
from sciml.deblurring.study.pairs import load_problems
from sciml.runtime.checkpoints import Partial
from sciml.runtime.files import digest_file, load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

# the error model whose kernels others are drawn around, with a stated error: normal, of these standard deviations
MODEL, ERROR = "warp", "rotation:~8+scale:~0.1+smoothing:~0.5"


def map_spreads(
    config: SpreadConfig, pairs: Path, photograph: str, kernels: Path, weights: Path, output: Path, device: str = "cpu"
) -> list[Path]:
    """Write `spreads.safetensors`: a tensor `<pair>` (height, width) a pair, in display values, not calibrated.

    Args:
        config: number of kernels.
        pairs: file of the `simulate` stage; nothing of its truth is read.
        photograph: whose pairs.
        kernels: of the `correct` stage.
        weights: of the `tune` stage for total variation.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    settings = {"model": MODEL, "error": ERROR, **config.model_dump(mode="json")}
    recorder = Recorder("deblurring.spread", {**settings, "photograph": photograph}, [pairs, kernels, weights])
    identity = [
        source_digest(__name__),
        settings,
        [digest_file(path) for path in (pairs, kernels, weights)],
    ]
    corrected, _ = load_tensors(kernels)
    factor = weight_of(read_weights({"tv": weights}), "tv", MODEL)
    arrays: dict[str, np.ndarray] = {}
    with Partial(output, identity) as partial:
        for number, problem in enumerate(load_problems(pairs, photograph, device)):
            found = partial.get(str(number))
            if found is None:
                kernel = corrected[f"{number}.{MODEL}"]
                weight = factor * noise_unit(kernel, problem.sigma)
                seed = Seeds(config.seed)("spread", problem.name)
                spread = bootstrap_std(problem.y, kernel, weight, ERROR, config.count, seed, display=srgb_encoded)
                found = partial.put(str(number), {"spread": spread[0, 0].cpu().numpy()}, {})
            arrays[str(number)] = found[0]["spread"]
        path = output / "spreads.safetensors"
        save_tensors(path, arrays, {"photograph": photograph, "cell": f"tv/{MODEL}"})
    recorder.write(output / "provenance.json", [path])
    return [path]
