"""Pictures at equal bytes, enlarged parts, and one picture after each of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sciml.compression.page.goals import EQUAL_BYTES
from sciml.compression.page.results import DomainResults, Inspection
from sciml.compression.page.style import title_of
from sciml.compression.settings.stages import ViewConfig
from sciml.compression.study.inspection_results import EqualBytes
from sciml.report.pictures import error_map, gallery
from sciml.report.reportlets import Gallery, Reportlet, Slider
from sciml.report.words import thousands

ERROR_LIMIT = 0.15
ZOOM = 80
SCALE = 3
ORIGINAL = "original"


def picture_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield sliders and enlarged parts of the shown pictures, and the layers of the first, or a sentence."""
    inspection = domain.inspection
    if inspection is None or not inspection.views:
        return
    views = _views(domain)
    for name in inspection.views:
        yield slider(inspection, name, views[name])
        yield zoom(inspection, name, views[name])
    yield strip(inspection, inspection.views[0])


def _views(domain: DomainResults) -> dict[str, ViewConfig]:
    stored = domain.records["inspect"].config["views"]
    return {name: ViewConfig.model_validate(view) for name, view in stored.items()}


def rows_of(inspection: Inspection, name: str) -> dict[str, EqualBytes]:
    """Return the rows of a picture at equal bytes by codec, in the order in which they were made."""
    return {row.codec: row for row in inspection.numbers.equal if row.picture == name}


def spread_of_bytes(rows: Sequence[EqualBytes]) -> float:
    """Return the largest relative difference in bytes to the first row."""
    return max(abs(row.bytes / rows[0].bytes - 1) for row in rows)


def note(row: EqualBytes) -> str:
    """Return size and quality of a coded picture in words."""
    structure = "" if row.ms_ssim is None else f", MS-SSIM {row.ms_ssim:.3f}"
    return f"{thousands(row.bytes)} bytes, {row.psnr_db:.2f} dB{structure}"


def slider(inspection: Inspection, name: str, view: ViewConfig) -> Slider:
    """Return any two of a picture's versions at equal bytes, with error maps on the scale of the whole page."""
    rows = rows_of(inspection, name)
    original = inspection.picture(f"{name}-original")
    *others, own = ((title_of(codec), inspection.picture(f"{name}-{codec}")) for codec in rows)
    # first and last are what is compared at the start
    pictures = {**dict(others), ORIGINAL: original, own[0]: own[1]}
    first = next(iter(rows.values()))
    spread = spread_of_bytes(list(rows.values()))
    equal = "" if spread <= EQUAL_BYTES else f"; no settings of these codecs come nearer than {100 * spread:.1f} %"
    top, left, height, width = view.window
    return Slider(
        f"{name} at {8 * first.bytes / first.pixels:.2f} bpp",
        pictures,
        f"Files of the whole picture, equal within {100 * spread:.1f} %{equal}. Shown are rows {top} to {top + height} and "
        f"columns {left} to {left + width}; numbers are of the whole picture. All error maps of the page have one scale.",
        f"a part of the photograph {name}",
        {label: error_map(picture, original, ERROR_LIMIT) for label, picture in pictures.items() if label != ORIGINAL},
        ERROR_LIMIT,
        "of the range",
        notes={title_of(codec): note(row) for codec, row in rows.items()},
    )


def zoom(inspection: Inspection, name: str, view: ViewConfig) -> Gallery:
    """Return the same enlarged part of all versions."""
    pictures = {ORIGINAL: inspection.picture(f"{name}-original")}
    pictures |= {title_of(codec): inspection.picture(f"{name}-{codec}") for codec in rows_of(inspection, name)}
    top, left = view.zoom[0] - view.window[0], view.zoom[1] - view.window[1]
    return gallery(
        f"{name}, enlarged: {view.shows}",
        pictures,
        (top, left, ZOOM, ZOOM),
        f"{ZOOM} x {ZOOM} pixels at the same place, every pixel {SCALE} times as large; nothing is smoothed.",
        f"{view.shows} in the photograph {name}, enlarged",
        SCALE,
    )


def strip(inspection: Inspection, name: str) -> Gallery:
    """Return a picture after each of its layers."""
    row = next(row for row in inspection.at(inspection.middle) if row.picture == name)
    pictures: dict[str, np.ndarray] = {}
    notes = {}
    for number, layer in enumerate(row.layers, 1):
        label = "layer 1" if number == 1 else f"layers 1 to {number}"
        pictures[label] = inspection.picture(f"{name}-layer{number}")
        start, stop = layer.planes
        notes[label] = f"{thousands(layer.file_bytes_so_far)} bytes so far, {layer.psnr_db:.2f} dB; planes {start + 1} to {stop}"
    return Gallery(
        f"One file, layer by layer: {name}",
        pictures,
        f"The same file, cut after each layer, at quality {row.quality:g}: {8 * row.file_bytes / row.pixels:.2f} bits "
        "a pixel in all. The first layers hold slow waves, the last one the finest.",
        f"the photograph {name} from the first layers of its file",
        notes,
    )
