"""What to say about the data in a report: the data card with thumbnails, and `data/ATTRIBUTION.md`."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.datasets.manifest import Package, Record, packages, record, records, tracked
from sciml.runtime.errors import DataError
from sciml.runtime.files import write_bytes, write_json

if TYPE_CHECKING:
    import numpy as np

    from sciml.formats.image import Image
    from sciml.runtime.provenance import Record as Stage

THUMBNAIL_PIXELS = 128
# more files of a package are counted, not named
MOST_NAMES = 4


def card(ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return one entry a data set for a report's data card.

    Args:
        ids: ids or ranges, as `load` takes them.

    Returns:
        Mappings with `id`, `package`, `version`, `licence`, `author`, `citation`, `role`, `patient`,
        `shape`, `sha256`, and `thumbnail` (bytes of a PNG of at most 128 x 128; None where the file
        is not fetched).
    """
    from sciml.datasets.loaders import load
    from sciml.datasets.splits import parse_entry

    found = []
    for entry in ids:
        row = record(parse_entry(entry)[0])
        try:
            thumbnail = _png(load(entry))
        except DataError:
            thumbnail = None
        texts = {
            key: getattr(row, key)
            for key in ("package", "version", "licence", "author", "citation", "role", "patient", "shape", "sha256")
        }
        found.append({"id": entry, **texts, "thumbnail": thumbnail})
    return found


def data_text(stages: Iterable[Stage]) -> str:
    """Return which data sets a run used, by package, with the citations of the files and of the package; empty for none.

    Args:
        stages: provenance records of the run, whose settings hold the digests of the data that the stage was given.
    """
    names = dict.fromkeys(name.partition("[")[0] for stage in stages for name in sorted(stage.config.get("digests") or {}))
    known, own = records(), []
    groups: dict[str, list[Record]] = {}
    for name in names:
        row = known.get(name)
        if row is None or row.package not in packages():
            own.append(name)
        else:
            groups.setdefault(row.package, []).append(row)
    parts = [_group_text(packages()[package], rows) for package, rows in sorted(groups.items())]
    parts += [f"files of one's own: {', '.join(own)}"] if own else []
    return f"Data: {'; '.join(parts)}." if parts else ""


def _group_text(package: Package, rows: list[Record]) -> str:
    keys = dict.fromkeys(key for key in (*(row.citation for row in rows), package.citation) if key)
    names = ", ".join(row.id for row in rows) if len(rows) <= MOST_NAMES else f"{len(rows)} files"
    return f"{names} of {package.package} {package.version} [{'; '.join(f'@{key}' for key in keys)}]"


def write_card(ids: Iterable[str], folder: Path | str) -> Path:
    """Write `card.json` and one PNG a data set into a folder; return the JSON file's path."""
    folder = Path(folder)
    entries = card(ids)
    for entry in entries:
        content, name = entry["thumbnail"], f"{entry['id'].replace('/', '_').replace(':', '-')}.png"
        entry["thumbnail"] = name if content else None
        if content:
            write_bytes(folder / name, content)
    write_json(folder / "card.json", entries)
    return folder / "card.json"


def _png(image: Image) -> bytes:
    import numpy as np
    import PIL.Image

    view = _view(image)
    view = np.round(view.clip(0, 1) * 255).astype(np.uint8)
    picture = PIL.Image.fromarray(view)
    picture.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), PIL.Image.Resampling.BOX)
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _view(image: Image) -> np.ndarray:
    """Return a picture in [0, 1]: the middle slice of a volume, a sheet of digits, CT through a window."""
    import numpy as np

    from sciml.datasets.loaders import window_hu
    from sciml.formats.image import HOUNSFIELD, LINEAR, linear_to_srgb

    array = image.array
    if image.axes == "DHW" and max(array.shape[1:]) <= 20:
        count = min(6, int(len(array) ** 0.5))
        tiles = array[: count**2].reshape(count, count, *array.shape[1:])
        array = tiles.transpose(0, 2, 1, 3).reshape(count * array.shape[1], -1)
    elif image.axes == "DHW":
        array = array[len(array) // 2]
    if image.unit == HOUNSFIELD:
        return window_hu(array)
    low, high = image.value_range
    shown = ((array - low) / (high - low)).clip(0, 1)
    return linear_to_srgb(shown) if image.unit == LINEAR else np.asarray(shown)


def attribution() -> str:
    """Return the text of `data/ATTRIBUTION.md`: every package and file with licence, author and citation."""
    lines = [
        "# Where the data come from",
        "",
        "Generated from `manifest.csv` and `packages.csv` by `sciml data attribution`; edit those instead. Nothing listed",
        "here is part of this repository: the files are fetched from their packages, which are never installed. Citation",
        "keys refer to `references.bib`.",
        "",
    ]
    rows = list(tracked().values())
    for package in packages().values():
        own = [row for row in rows if row.package == package.package]
        lines += [
            f"## {package.package} {package.version} ({package.kind}, data tier `{package.tier}`)",
            "",
            f"Licence: {package.licence}. Cite: `{package.citation}`.",
            "",
            "| id | file | shape | licence | author | cite |",
            "|--|--|--|--|--|--|",
            *(_line(row) for row in own),
            "",
        ]
    return "\n".join(lines)


def _line(row: Record) -> str:
    name = row.path.rstrip("/").rpartition("/")[2]
    return f"| {row.id} | {name} | {row.shape} | {row.licence} | {row.author or 'as the package says'} | `{row.citation}` |"
