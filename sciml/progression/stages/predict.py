"""Stage `predict`: every variant's forecasts of all pairs of a split, one file a variant; finished variants are kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.forecasting.pair_predictions import (
    Pair,
    PairPredictions,
    decode_chains,
    pairs_of,
    predict_pairs,
    sampling_of,
)
from sciml.progression.networks.model_files import ForecastModel, load_model
from sciml.progression.settings.models import PredictConfig, VariantConfig
from sciml.progression.study.results import PairRow
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import digest_file, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)


def run(
    config: PredictConfig, cohort: Path, model: Mapping[str, Sequence[Path]], output: Path, device: str = "cpu"
) -> list[Path]:
    """Write `<variant>.safetensors` for each variant and `pairs.json`.

    A variant's file holds `images` (pairs, x, y, z) as float16, `volumes_ml` (pairs, regions) that the image model was told,
    `latent_errors` (pairs, counts) after averaging `counts` chains (0: no change), `spread_errors` (pairs, 2) with the mean
    deviation of the chains and the mean absolute error of their mean, and `chain_images` (m, pairs, x, y, z) where wanted.

    Args:
        config: split and variants.
        cohort: folder of the cohort with the pairs.
        model: the model file of each form.
        output: output folder.
        device: `cpu` or `cuda`.

    Raises:
        ConfigError: a variant's form has no model, or a form has two.
    """
    if several := [form for form, files in model.items() if len(files) > 1]:
        raise ConfigError(f"the form {several[0]!r} is given {len(model[several[0]])} models, expected one")
    models = {form: path for form, (path,) in model.items()}
    if missing := sorted({variant.form for variant in config.variants.values()} - set(models)):
        raise ConfigError(f"no model of the form {missing[0]!r} is given; given are {', '.join(models) or 'none'}")
    recorder = Recorder("progression.predict", config.model_dump(mode="json"), [cohort / "visits.csv", *models.values()])
    people = Cohort(cohort)
    pairs = pairs_of(people, config.split)[:: config.every]
    loaded = {form: load_model(path).to(device) for form, path in models.items()}
    identity = {
        "seed": config.seed,
        "split": [config.split, config.every],
        "data": people.digests(people.select(config.split)),
        "code": source_digest(__name__),
    }
    digests = {form: digest_file(path) for form, path in models.items()}
    written = []
    sampled: dict[str, Tensor] = {}
    with Partial(output, identity) as partial:
        # the most chains first: those of fewer are among them
        for name, variant in sorted(config.variants.items(), key=lambda item: -item[1].how.samples):
            # a form trained anew leaves the forecasts of the others
            key = f"{name}/{variant.model_dump_json()}/{digests[variant.form]}"
            found = partial.get(key)
            if found is None:
                found = partial.put(key, *_predict(loaded[variant.form], people, pairs, variant, config.seed, device, sampled))
                log.info("%s: %.1f CPU seconds", name, found[1]["cpu_seconds"])
            arrays, notes = found
            recorder.notes[name] = notes
            path = output / f"{name}.safetensors"
            save_tensors(path, arrays, {"variant": variant.model_dump(mode="json")})
            written.append(path)
        table = output / "pairs.json"
        write_result(table, [_row(pair) for pair in pairs])
        written.append(table)
    recorder.write(output / "provenance.json", written)
    return written


def _predict(
    model: ForecastModel,
    cohort: Cohort,
    pairs: list[Pair],
    variant: VariantConfig,
    seed: int,
    device: str,
    sampled: dict[str, Tensor],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    begun = time.process_time()
    if variant.zero_gap:
        pairs = [Pair(pair.history, pair.start) for pair in pairs]
    key = sampling_of(variant)
    own_chains = key not in sampled
    found = predict_pairs(model, cohort, pairs, variant, seed, device, sampled.get(key))
    sampled.setdefault(key, found.chains)
    errors = found.latent_errors()
    arrays = {
        "images": found.images[:, 0].numpy().astype(np.float16),
        "volumes_ml": found.volumes_ml,
        "counts": np.array(list(errors)),
        "latent_errors": np.stack(list(errors.values()), axis=1),
        "spread_errors": _spread_and_error(found),
    }
    if variant.keep_chains:
        arrays["chain_images"] = decode_chains(model, cohort, pairs, found, variant, device).astype(np.float16)
    return arrays, {"cpu_seconds": round(time.process_time() - begun, 2), "own_chains": own_chains}


def _spread_and_error(found: PairPredictions) -> np.ndarray:
    spread = found.chains.std(0, correction=0).mean((1, 2, 3, 4))
    error = (found.chains.mean(0) - found.truth).abs().mean((1, 2, 3, 4))
    return np.stack([spread.numpy(), error.numpy()], axis=1)


def _row(pair: Pair) -> PairRow:
    return PairRow(
        subject=pair.start.subject,
        start=pair.start.number,
        followup=pair.followup.number,
        history=len(pair.history),
        gap_years=round(pair.gap_years, 4),
        diagnosis=pair.start.diagnosis,
    )
