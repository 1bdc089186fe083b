"""Stage `evaluate`: our model beside the classical codecs, on the test pictures of one domain, from the sizes of files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from sciml.compression.codecs.model_files import load_any, load_model, shipped
from sciml.compression.fitting.pools import check_inputs, samples, spread
from sciml.compression.lossless.model import LosslessModel
from sciml.compression.settings.stages import EvaluateConfig
from sciml.compression.study.anchors import ANCHORS, Codec, Own
from sciml.compression.study.anchors_deep import BySlice, DeepJpeg2000
from sciml.compression.study.bench import Picture, run_bench
from sciml.runtime.errors import ConfigError
from sciml.runtime.provenance import Recorder

log = logging.getLogger(__name__)

# what BD-rates are against: of photographs the oldest codec, of other domains the model of photographs
ANCHOR, PHOTO = "jpeg", "photo"


def run(
    config: EvaluateConfig,
    weights: Path,
    output: Path,
    workers: int = 1,
    neural: Sequence[Path] = (),
    runs: Path | None = None,
) -> list[Path]:
    """Write `bench.json` and `bench.csv`: every picture through every codec at every quality.

    Args:
        config: pictures and qualities.
        weights: model file, with or without a network.
        output: output folder.
        workers: processes of one thread.
        neural: file of a neural model that is compared too, or nothing.
        runs: folder of simulated runs, for fields that come from them.

    Raises:
        ConfigError: a model without loss.
        DataError: a test picture was trained on, or there is none.
    """
    recorder = Recorder("compression.evaluate", config.model_dump(mode="json"), [weights, *neural])
    model = load_any(weights)
    if isinstance(model, LosslessModel):
        raise ConfigError(f"{weights} codes without loss, which has one rate: compare it with the stage compare-lossless")
    every = samples(config, config.role, config.data_tier, runs)
    some = list(islice(every, config.pictures)) if config.kind == "pictures" else spread(list(every), config.pictures)
    for path in (weights, *neural):
        check_inputs(path, config, some)
    found = [Picture(one.name, one.array if one.array.shape[2] > 1 else one.array[..., 0]) for one in some]
    codecs: list[Codec] = [*ANCHORS.values()]
    if config.kind != "pictures":
        recorder.reads([shipped()[PHOTO]])
        shipped_photo = f"the shipped model of photographs {load_model(PHOTO).id.hex()}, the picture as grey over its range"
        codecs = [DeepJpeg2000(), Own(PHOTO, shipped_photo, PHOTO, config.qualities)]
        codecs = codecs if config.channels == 1 else [BySlice(codec) for codec in codecs]
    identity = model.id.hex()
    codecs.append(Own("nic-linear", f"model {identity}, without its network", str(weights), config.qualities, refine=False))
    if model.network is not None:
        codecs.append(Own("nic", f"model {identity}", str(weights), config.qualities))
        if config.kind == "pictures":
            codecs.append(
                Own("nic-ms-ssim", f"model {identity}, tuned for MS-SSIM", str(weights), config.qualities, tune="ms-ssim")
            )
    for path in neural:
        words = f"neural model {load_any(path).id.hex()}"
        codecs.append(Own("nic-neural", words, str(path), config.neural_qualities))
    bench = run_bench(found, codecs, jobs=workers, progress=lambda done, every, last: log.info("%d of %d: %s", done, every, last))
    bench.write(output, ANCHOR if config.kind == "pictures" else PHOTO, config.seed)
    paths = [output / "bench.json", output / "bench.csv"]
    recorder.write(output / "provenance.json", paths)
    return paths
