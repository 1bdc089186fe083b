"""Stage `inspect`: where the bits of a model go, what its pictures look like at equal bytes, and what must hold for its files."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from sciml.compression.codecs.codec import Codec
from sciml.compression.codecs.model_files import load_model
from sciml.compression.fitting.pools import pictures
from sciml.compression.settings.stages import InspectConfig, ViewConfig
from sciml.compression.study.inspection import SymbolCounts, inspect_picture, largest_sums, maps_of, model_facts
from sciml.compression.study.inspection_checks import damage, fresh_processes, seam_steps
from sciml.compression.study.inspection_pictures import equal_bytes
from sciml.compression.study.inspection_results import EqualBytes, InspectedRow, InspectionFile, MapNotes, Seams, StaticTables
from sciml.compression.study.quality import measure
from sciml.datasets.splits import check_weight_inputs
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import atomic_path, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

log = logging.getLogger(__name__)

# planes whose classes are shown, from slow waves to fine ones
MAP_PLANES = (1, 5, 20, 100)


def run(config: InspectConfig, weights: Path, output: Path) -> list[Path]:
    """Write `inspect.json` (numbers), `maps.safetensors` (classes, tables) and `pictures/*.png`.

    Args:
        config: pictures, qualities and what is shown.
        weights: model file, with or without a network.
        output: output folder.

    Raises:
        DataError: a test picture was trained on.
        ConfigError: a window leaves its picture.
    """
    recorder = Recorder("compression.inspect", config.model_dump(mode="json"), [weights])
    check_weight_inputs(weights, config.experiment)
    codec = Codec(load_model(weights))
    middle = config.qualities[len(config.qualities) // 2]
    rows: list[InspectedRow] = []
    equal: list[EqualBytes] = []
    seams: list[Seams] = []
    maps: dict[str, MapNotes] = {}
    counts: dict[float, SymbolCounts] = {}
    arrays: dict[str, np.ndarray] = {}
    shown: dict[str, bytes] = {}
    paths: list[Path] = []
    for name, given in pictures(config.experiment, config.role, config.data_tier, config.channels):
        pixels = given if config.channels == 3 else given[..., 0]
        view = config.views.get(name)
        for quality in config.qualities:
            found = inspect_picture(codec, name, pixels, quality)
            rows.append(found.row)
            chosen = found.encoded.header.quality
            tables = counts.setdefault(quality, SymbolCounts(codec.model.sets[chosen].rules.planes))
            for tile in found.encoded.tiles:
                tables.add(tile.symbols)
            if quality == middle and view is not None:
                for number, picture in enumerate(found.decoded, 1):
                    paths.append(_save(output, f"{name}-layer{number}", picture, view))
                if not arrays:
                    arrays, maps["maps"] = _maps(codec, chosen, found.encoded.tiles[0].symbols, name)
                    paths.append(_save(output, f"{name}-whole", pixels))
        if view is not None:
            if (steps := seam_steps(codec, name, pixels, middle)) is not None:
                seams.append(steps)
            paths.append(_save(output, f"{name}-original", pixels, view))
            for row, path, data in _equal(config, codec, name, pixels, view, output):
                equal.append(row)
                paths.append(path)
                if row.codec == "nic":
                    shown[name] = data
        log.info("%s", name)
    numbers = InspectionFile(
        model=model_facts(codec.model, weights),
        rows=rows,
        equal=equal,
        seams=seams,
        sums=largest_sums(codec.model),
        static=[
            StaticTables(quality=quality, band_bits=found.one_table_a_band(), plane_bits=found.one_table_a_plane())
            for quality, found in counts.items()
        ],
        processes=list(fresh_processes(codec, weights, shown)) if shown else [],
        damage=damage(next(iter(shown.values())), config.seed) if shown else None,
        **maps,
    )
    numbers_path, maps_path = output / "inspect.json", output / "maps.safetensors"
    write_result(numbers_path, numbers)
    save_tensors(maps_path, arrays)
    recorder.write(output / "provenance.json", [numbers_path, maps_path, *paths])
    return [numbers_path, maps_path, *paths]


def _equal(
    config: InspectConfig, codec: Codec, name: str, pixels: np.ndarray, view: ViewConfig, output: Path
) -> Iterator[tuple[EqualBytes, Path, bytes]]:
    """Yield row, picture and file of every codec at equal bytes."""
    for coded in equal_bytes(codec, pixels, config.rate_bpp):
        reached = measure(coded.decoded, pixels)
        row = EqualBytes(
            picture=name,
            codec=coded.codec,
            quality=coded.quality,
            bytes=len(coded.data),
            pixels=pixels.shape[0] * pixels.shape[1],
            psnr_db=reached.psnr_db,
            ms_ssim=reached.ms_ssim,
        )
        yield row, _save(output, f"{name}-{coded.codec}", coded.decoded, view), coded.data


def _maps(codec: Codec, quality: int, codes: np.ndarray, name: str) -> tuple[dict[str, np.ndarray], MapNotes]:
    """Return classes of some planes, bits of the blocks and the tables of the set, and of what they are."""
    maps = maps_of(codec.model, quality, codes)
    planes = [plane for plane in MAP_PLANES if plane < len(maps.classes)]
    arrays = {
        "classes": maps.classes[planes],
        "bits": maps.bits.astype(np.float32),
        "usage": maps.usage.astype(np.int32),
        "counts": codec.model.sets[quality].tables.counts.astype(np.int32),
    }
    return arrays, MapNotes(picture=name, planes=planes, step=codec.model.sets[quality].step)


def _save(output: Path, name: str, pixels: np.ndarray, view: ViewConfig | None = None) -> Path:
    """Write the window of a picture, or all of it."""
    top, left, height, width = view.window if view else (0, 0, *pixels.shape[:2])
    part = pixels[top : top + height, left : left + width]
    if part.shape[:2] != (height, width):
        raise ConfigError(f"the window {view and view.window} of {name} leaves the picture, which has {pixels.shape[:2]} pixels")
    target = output / "pictures" / f"{name}.png"
    with atomic_path(target) as path:
        PillowImage.fromarray(np.ascontiguousarray(part)).save(path, optimize=True)
    return target
