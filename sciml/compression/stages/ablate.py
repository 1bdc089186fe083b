"""Stage `ablate`: what each part of the codec is worth, on validation pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.coding.model import StepSet, step_code, step_set_arrays, step_set_from
from sciml.compression.coding.samples import samples_of
from sciml.compression.coding.transform import BLOCK
from sciml.compression.fitting.pools import pictures, reduced, training_crops
from sciml.compression.settings.domains import SourceConfig
from sciml.compression.settings.stages import AblateConfig
from sciml.compression.study.ablations import ABLATIONS, FULL, Variant, psnr_of
from sciml.compression.study.curves import Points, bd_rate_over_pictures
from sciml.compression.study.quality import PSNR, psnr
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import DataError
from sciml.runtime.files import write_json
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)

# validation pictures are halved, and their middle is taken
REDUCTION = 2.0
LARGEST_SIDES = (512, 768)

Row = dict[str, Any]


def run(config: AblateConfig, weights: Path, output: Path) -> list[Path]:
    """Write `ablations.json`: BD-rates of variants against the whole; fitted variants are kept when a run is stopped.

    Args:
        config: crops, pictures and steps.
        weights: model file with a network, to know what that is worth.
        output: output folder.

    Raises:
        DataError: there is no validation picture, or the model has no network.
    """
    recorder = Recorder("compression.ablate", config.model_dump(mode="json"), [weights])
    source = SourceConfig(experiment=config.experiment, channels=config.channels)
    crops = training_crops(source, "train", config.data_tier, config.crop_size, config.crops, config.seed)
    shown = validation_pictures(config)
    sizes = {name: picture.shape[0] * picture.shape[1] for name, picture in shown.items()}
    curves: dict[str, Points] = {}
    path = output / "ablations.json"
    with Partial(output, [source_digest(__name__), config.model_dump(mode="json"), crops.inputs]) as partial:
        for name in ABLATIONS:
            variant = Variant(ABLATIONS[name], crops.array)
            planes = {picture: variant.planes(array) for picture, array in shown.items()}
            sets = _fitted(partial, name, variant, config.steps)
            curves[name] = _curve(variant, [(step, (one,)) for step, one in zip(config.steps, sets, strict=True)], planes, sizes)
            log.info("%s", name)
            if name == FULL:
                between = _fitted(partial, "between", variant, config.between)
                own = [(step, (one,)) for step, one in zip(config.between, between, strict=True)]
                curves["own-tables"] = _curve(variant, own, planes, sizes)
                curves["shared-tables"] = _curve(variant, [(step, sets) for step in config.between], planes, sizes)
        curves |= _network_curves(weights, shown, config.steps)
        pairs = {name: (FULL, ablation.meaning) for name, ablation in ABLATIONS.items() if name != FULL} | {
            "shared-tables": ("own-tables", "tables of other steps in place of those of the very step"),
            "linear": ("network", "no network behind the decoder"),
        }
        rows = [_compared(curves, name, anchor, meaning, config.seed) for name, (anchor, meaning) in pairs.items()]
        write_json(path, {"crops": len(crops.array), "pictures": list(shown), "rows": rows, "curves": _plain(curves)})
    recorder.notes = {"crops": len(crops.array), "pictures": list(shown)}
    recorder.write(output / "provenance.json", [path])
    return [path]


def validation_pictures(config: AblateConfig) -> dict[str, UInt8[np.ndarray, "rows columns channels"]]:
    """Return the middles of the halved validation pictures, sides multiples of 16.

    Raises:
        DataError: there is none.
    """
    found = {}
    for name, picture in pictures(config.experiment, "validation", config.data_tier, config.channels):
        small = reduced(picture, REDUCTION)
        largest = LARGEST_SIDES if small.shape[1] >= small.shape[0] else LARGEST_SIDES[::-1]
        sides = [min(side, most) // BLOCK * BLOCK for side, most in zip(small.shape[:2], largest, strict=True)]
        top, left = ((whole - part) // 2 for whole, part in zip(small.shape[:2], sides, strict=True))
        found[name] = np.ascontiguousarray(small[top : top + sides[0], left : left + sides[1]])
    if not found:
        raise DataError(f"{config.experiment} has no validation picture in the data tier {config.data_tier}")
    return found


def _fitted(partial: Partial, name: str, variant: Variant, steps: tuple[float, ...]) -> tuple[StepSet, ...]:
    sets = []
    for step in steps:
        key = f"{name} {step}"
        kept = partial.get(key)
        if kept is None:
            kept = partial.put(key, step_set_arrays(variant.fit(step)), {"step": step})
        sets.append(step_set_from(kept[0], step))
    return tuple(sets)


def _curve(
    variant: Variant,
    coded_with: Iterable[tuple[float, tuple[StepSet, ...]]],
    planes: dict[str, np.ndarray],
    sizes: dict[str, int],
) -> Points:
    """Return (bits a pixel, PSNR) by picture and step."""
    points: dict[str, dict[float, tuple[float, float]]] = {name: {} for name in planes}
    for step, sets in coded_with:
        for name, array in planes.items():
            bits, error = variant.code(sets, step, array)
            points[name][step] = (bits / sizes[name], psnr_of(error))
    return points


def _network_curves(weights: Path, shown: dict[str, np.ndarray], steps: tuple[float, ...]) -> dict[str, Points]:
    """Return the curves of a whole model with and without its network, from the bytes of files."""
    model = load_model(weights)
    if model.network is None:
        raise DataError(f"{weights} has no network: give the model of the training, not that of the fit")
    codecs = {"network": Codec(model), "linear": Codec(model, refine=False)}
    curves: dict[str, dict[str, dict[float, tuple[float, float]]]] = {name: {} for name in codecs}
    for picture, pixels in shown.items():
        for kind in codecs:
            curves[kind][picture] = {}
        for step in steps:
            encoded = codecs["linear"].encode_samples(samples_of(pixels, model), step_code(step))
            for kind, codec in codecs.items():
                curves[kind][picture][step] = (encoded.bpp, psnr(codec.decode(encoded.data), pixels))
    return dict(curves)


def _compared(curves: dict[str, Points], name: str, anchor: str, meaning: str, seed: int) -> Row:
    found = bd_rate_over_pictures(curves[anchor], curves[name], PSNR, seed)
    if found.mean is None:
        raise DataError(f"{name} and {anchor} share no range of quality: {'; '.join(found.without.values())}")
    return {
        "variant": name,
        "anchor": anchor,
        "meaning": meaning,
        "bd_rate_percent": found.mean,
        "std_percent": float(np.std(list(found.by_picture.values()))),
        "interval_percent": found.interval,
        "by_picture_percent": found.by_picture,
    }


def _plain(curves: dict[str, Points]) -> list[Row]:
    return [
        {"variant": name, "picture": picture, "step": step, "bpp": rate, "psnr_db": quality}
        for name, points in curves.items()
        for picture, of_picture in points.items()
        for step, (rate, quality) in of_picture.items()
    ]
