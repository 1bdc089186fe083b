"""Stage `compare-vectors`: a scalar model and models whose later planes are vectors, at equal rates, on validation pictures."""

from __future__ import annotations

import logging
from itertools import islice
from pathlib import Path

from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.model import CodecModel
from sciml.compression.fitting.pools import FOLDER, pictures
from sciml.compression.settings.vectors import SCALAR, CompareVectorsConfig
from sciml.compression.study.anchors import Codec, Own
from sciml.compression.study.bench import Picture, run_bench
from sciml.compression.study.results import GroupSettings, Structure
from sciml.datasets.splits import check_weight_inputs
from sciml.runtime.errors import ConfigError
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.training.weight_files import read_weights_metadata

log = logging.getLogger(__name__)


def run(config: CompareVectorsConfig, base: Path, weights: list[Path], output: Path) -> list[Path]:
    """Write `bench.json` and `bench.csv` (the scalar model is the anchor), and `structures.json`: what the models are.

    All choose their symbols with the same price of a bit. One process, so that times can be compared.

    Args:
        config: pictures and qualities.
        base: the scalar model.
        weights: models with groups behind planes of this very model.
        output: output folder.

    Raises:
        ConfigError: a model with groups was not fitted to this base.
        DataError: a picture was trained on, or there is none.
    """
    recorder = Recorder("compression.compare_vectors", config.model_dump(mode="json"), [base, *weights])
    scalar = load_model(base)
    codecs: list[Codec] = [Own(SCALAR, f"model {scalar.id.hex()}", str(base), config.qualities, refine=False)]
    structures: dict[str, Structure] = {}
    for path in weights:
        # pictures of a folder validate or are learned from, never both
        if not config.experiment.startswith(FOLDER):
            check_weight_inputs(path, config.experiment)
        model = load_model(path)
        if model.about.get("base") != scalar.id.hex():
            raise ConfigError(f"{path} has groups behind another model than {base}: fit it to this one")
        codecs.append(Own(model.name, f"model {model.id.hex()}", str(path), config.qualities))
        structures[model.name] = _facts(model, path)
    source = pictures(config.experiment, config.role, config.data_tier, config.channels)
    found = [
        Picture(name, pixels if config.channels == 3 else pixels[..., 0]) for name, pixels in islice(source, config.pictures)
    ]
    bench = run_bench(found, codecs, progress=lambda done, every, last: log.info("%d of %d: %s", done, every, last))
    bench.write(output, SCALAR, config.seed)
    structures[SCALAR] = Structure(units=[item.units for item in scalar.sets], file_bytes=base.stat().st_size)
    write_result(output / "structures.json", structures)
    paths = [output / name for name in ("bench.json", "bench.csv", "structures.json")]
    recorder.write(output / "provenance.json", paths)
    return paths


def _facts(model: CodecModel, path: Path) -> Structure:
    """Return how a model groups its planes, and usage, perplexity and bits of its codebooks by step."""
    settings = read_weights_metadata(path)["config"]
    return Structure(
        settings=GroupSettings(**{name: settings[name] for name in GroupSettings.model_fields}),
        units=[item.units for item in model.sets],
        file_bytes=path.stat().st_size,
        groups=model.about["groups"],
    )
