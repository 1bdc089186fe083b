"""What `info` says of `.nic` files: all that is in the header, without a model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.batch import find
from sciml.compression.codecs.model_files import LOSSLESS, shipped_ids, shipped_steps
from sciml.compression.coding.model import step_of
from sciml.compression.coding.rate_control import COARSEST, HIGHEST, LOWEST, finest_step
from sciml.compression.commands.decode import ANY_PIXELS, NIC, limits_of, read_file
from sciml.compression.container.file import Header, layer_table, read_container
from sciml.runtime.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table


def describe_files(words: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return `describe` of each file of names, folders and patterns, and why others could not be read.

    Raises:
        DataError: none could.
    """
    found, failed = [], []
    for item in find(words, (NIC,)):
        try:
            found.append(describe(item.path))
        except DataError as error:
            failed.append(f"{error}" if str(item.path) in str(error) else f"{item.path}: {error}")
    if not found:
        raise DataError("; ".join(failed))
    return found, failed


def describe(path: Path) -> dict[str, Any]:
    """Return what a file says of itself, as JSON values; `damage` names payloads whose checksums fail.

    Raises:
        DataError: no such file.
        FormatError: no `.nic` file, or a damaged header.
    """
    data, header = read_file(path, ANY_PIXELS, ANY_PIXELS)
    container = read_container(data, limits_of(ANY_PIXELS, ANY_PIXELS), salvage=True)
    model = shipped_ids().get(header.model_id)
    step = None if model == LOSSLESS else step_of(header.quantiser_code)
    return {
        "file": str(path),
        "bytes": len(data),
        "bpp": 8 * len(data) / header.pixels,
        "width": header.width,
        "height": header.height,
        "type": header.sample_type,
        "channels": len(header.channels),
        "alpha": header.alpha_bytes is not None,
        "icc_profile_bytes": header.profile_bytes or 0,
        "scales": [{"offset": one.offset, "scale": one.scale, "unit": one.unit} for one in header.channels],
        "model_id": header.model_id.hex(),
        "model": model,
        "table_set": header.quality,
        "step": step,
        "quality": None if step is None else _quality(step, shipped_steps(header.model_id)),
        "max_error": _bound(header) if model == LOSSLESS else None,
        "region_of_interest": header.roi,
        "tile_side": 2**header.tile_log2 if header.tile_log2 else None,
        "tile_rows": header.tile_rows,
        "tile_columns": header.tile_columns,
        "layers": [{"name": row.name, "bytes": row.bytes, "bpp": row.bits_per_pixel} for row in layer_table(header)],
        "checksum_bits": 32 if header.crc32 else 16,
        "codes_crc32": None if header.codes_crc is None else f"{header.codes_crc:08x}",
        "picture_crc32": None if header.reconstruction_crc is None else f"{header.reconstruction_crc:08x}",
        "damage": list(container.damage),
    }


def tables(facts: Mapping[str, Any]) -> Iterator[Table]:
    """Yield the two tables of a file: what it says, and where its bytes go."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(facts["file"]), title_justify="left", show_header=False)
    for name, value in _rows(facts):
        table.add_row(name, Text(value))
    yield table
    parts = Table()
    for name in ("part", "bytes", "bits a pixel", "share"):
        parts.add_column(name, justify="left" if name == "part" else "right")
    for row in facts["layers"]:
        parts.add_row(row["name"], str(row["bytes"]), f"{row['bpp']:.4f}", f"{row['bpp'] / facts['bpp']:.1%}")
    yield parts


def _quality(step: float, steps: tuple[float, ...] | None) -> float | None:
    """Return the quality of a step on the scale of a model, None where the model is not known."""
    if steps is None:
        return None
    return LOWEST + (HIGHEST - LOWEST) * math.log(step / COARSEST) / math.log(finest_step(steps) / COARSEST)


def _quality_text(facts: Mapping[str, Any]) -> str:
    quality = "unknown without the model" if facts["quality"] is None else f"{facts['quality']:.1f}"
    return f"{quality}: step {facts['step']:.4g} of the range, table set {facts['table_set']}"


def _bound(header: Header) -> float:
    """Return the largest error of a file without loss or within a bound, in levels or in the field's unit."""
    if header.sample_type != "f32":
        return header.quantiser_code
    return header.channels[0].scale * (header.quantiser_code + 0.5) if header.quantiser_code else 0


def _rows(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "size", f"{facts['width']} x {facts['height']} pixels, {facts['bytes']} bytes, {facts['bpp']:.4f} bits a pixel"
    alpha = " and alpha" if facts["alpha"] else ""
    yield "samples", f"{facts['type']}, {facts['channels']} channel{'s' * (facts['channels'] > 1)}{alpha}"
    for number, scale in enumerate(facts["scales"], 1):
        if (scale["offset"], scale["scale"], scale["unit"]) != (0.0, 1.0, ""):
            yield f"channel {number}", f"value = {scale['offset']:g} + {scale['scale']:g} x number {scale['unit']}".rstrip()
    yield "model", f"{facts['model'] or 'none that is shipped'}, id {facts['model_id']}"
    if facts["step"] is None:
        bound = facts["max_error"]
        yield "largest error", f"{bound:g}" if bound else "none: without loss"
    else:
        yield "quality", _quality_text(facts)
    if facts["region_of_interest"]:
        yield "region of interest", "regions were coded with different weights of their errors"
    side = facts["tile_side"]
    yield "tiles", "one" if side is None else f"{facts['tile_rows']} x {facts['tile_columns']} of {side} pixels a side"
    if facts["icc_profile_bytes"]:
        yield "ICC profile", f"{facts['icc_profile_bytes']} bytes"
    codes = facts["codes_crc32"] or "none"
    yield "checksums", f"{facts['checksum_bits']} bits a layer; CRC32 of the codes {codes}"
    yield "payloads", "; ".join(facts["damage"]) or "intact"
