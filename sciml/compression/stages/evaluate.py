"""Stage `evaluate`: our model beside the classical codecs, on the test pictures of one domain, from the sizes of files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from sciml.compression.anchors import ANCHORS, Codec, Own
from sciml.compression.bench import Picture, run_bench
from sciml.compression.config import EvaluateConfig
from sciml.compression.model_files import load_any
from sciml.compression.pools import pictures
from sciml.datasets.splits import check_weight_inputs
from sciml.runtime.provenance import Recorder

log = logging.getLogger(__name__)

ANCHOR = "jpeg"


def run(config: EvaluateConfig, weights: Path, folder: Path, jobs: int = 1, neural: Sequence[Path] = ()) -> list[Path]:
    """Write `bench.json` and `bench.csv`: every picture through every codec at every quality.

    Args:
        config: pictures and qualities.
        weights: model file, with or without a network.
        folder: output folder.
        jobs: processes.
        neural: file of a neural model that is compared too, or nothing.

    Raises:
        DataError: a test picture was trained on, or there is none.
    """
    recorder = Recorder("compression.evaluate", config.model_dump(mode="json"), [weights, *neural])
    for path in (weights, *neural):
        check_weight_inputs(path, config.experiment)
    model = load_any(weights)
    source = pictures(config.experiment, config.role, config.data_tier, config.channels)
    some = islice(source, config.pictures)
    found = [Picture(name, pixels if config.channels == 3 else pixels[..., 0]) for name, pixels in some]
    codecs: list[Codec] = [*ANCHORS.values()]
    identity = model.id.hex()
    codecs.append(Own("nic-linear", f"model {identity}, without its network", str(weights), config.qualities, refine=False))
    if model.network is not None:
        codecs.append(Own("nic", f"model {identity}", str(weights), config.qualities))
        codecs.append(Own("nic-ms-ssim", f"model {identity}, tuned for MS-SSIM", str(weights), config.qualities, tune="ms-ssim"))
    for path in neural:
        words = f"neural model {load_any(path).id.hex()}"
        codecs.append(Own("nic-neural", words, str(path), config.neural_qualities))
    bench = run_bench(found, codecs, jobs=jobs, progress=lambda done, every, last: log.info("%d of %d: %s", done, every, last))
    bench.write(folder, ANCHOR, config.seed)
    paths = [folder / "bench.json", folder / "bench.csv"]
    recorder.write(folder / "provenance.json", paths)
    return paths
