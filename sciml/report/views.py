"""What a template needs of each reportlet: plain values, encoded pictures, numbers as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from markupsafe import Markup

from sciml.report import pictures, tables
from sciml.report.bibliography.references import load, lookup, reference_html
from sciml.report.graphics import charts
from sciml.report.graphics.drawing import Drawing
from sciml.report.graphics.palette import Palette
from sciml.report.methods import methods_text, software_text
from sciml.report.reportlets import (
    Checks,
    Claim,
    Curve,
    Failure,
    Figure,
    Gallery,
    Matrix,
    Reportlet,
    Scrubber,
    Slider,
    Spread,
    Table,
    Text,
    Value,
    supported,
)
from sciml.report.study import Number, StudyPage
from sciml.runtime.errors import ScimlError, ShapeError
from sciml.runtime.provenance import Record

SCRUBBER_LOSSLESS_BYTES = 24_000
# columns of a table, letters of a cell, and width over height of a figure, that half of the page holds
HALF_COLUMNS, HALF_WORDS, HALF_SHAPE = 4, 40, 2.0


def view(item: Reportlet, anchor: str, palette: Palette) -> dict[str, Any]:
    """Return the template values of a reportlet; `anchor` becomes its id on the page, `palette` is that of the page."""
    makers = {**_MAKERS, Curve: lambda curve: _curve(curve, palette)}
    for kind, make in makers.items():
        if isinstance(item, kind):
            values = {"title": item.title, "anchor": anchor, **make(item)}
            encoded = values.get("encoded", [])
            return values | {"lossy": any(picture.lossy for picture in encoded)}
    raise ScimlError(f"a page takes reportlets; given {type(item).__name__}")


def claim_view(claim: Claim) -> dict[str, Any]:
    """Return the template values of a claim; our number has the decimals that its interval supports."""
    digits = number_digits(claim.ours, claim.interval, None) if claim.interval and isinstance(claim.ours, float) else None
    return {
        "text": claim.text,
        "ours": tables.show_value(claim.ours, digits, guess=digits is None),
        "reference": tables.show_value(claim.reference),
        "unit": claim.unit,
        "source": claim.source,
        "status": claim.status,
    }


def number_view(number: Number) -> dict[str, Any]:
    """Return the template values of a number of the first screen; its interval and the rival's value get its decimals."""
    value = number.value.mean if isinstance(number.value, Spread) else number.value
    interval = number.interval
    if interval is None and isinstance(number.value, Spread):
        interval = number.value.interval
    known = interval is not None and all(math.isfinite(end) for end in interval)
    shown = [value, number.rival_value.mean if isinstance(number.rival_value, Spread) else number.rival_value]
    digits = number_digits(value, interval if known else None, shown[1])

    def said(one: Value) -> str:
        return tables.show_value(one, digits, guess=False) if isinstance(one, float) else tables.show_value(one)

    return {
        "text": number.text,
        "value": said(value),
        "unit": number.unit,
        "interval": f"{said(interval[0])} to {said(interval[1])}" if interval and known else "",
        "rival": number.rival,
        "rival_value": said(shown[1]),
    }


def number_digits(value: Value, interval: tuple[float, float] | None, rival: Value) -> int | None:
    """Return the decimals that a number's interval supports, or else its distance from the rival; None for the form 1.2e-7."""
    if not isinstance(value, float):
        return 2
    scale = (interval[1] - interval[0]) / 2 if interval else abs(value - rival) if isinstance(rival, int | float) else abs(value)
    scale = scale or abs(value)
    if not scale:
        return 1
    if max(abs(value), scale) < 1e-3:
        return None
    if interval:
        return supported(scale)
    digits = 2 - math.floor(math.log10(scale))
    return min(max(digits, 0), 2 if abs(value) >= 1 else 4)


def is_half(item: Reportlet) -> bool:
    """Return whether a reportlet reads well in half of the page's width: curves, narrow tables and upright figures."""
    if isinstance(item, Curve):
        return True
    if isinstance(item, Table):
        words = [value for row in item.rows for value in row.values() if isinstance(value, str)]
        return len(item.columns) <= HALF_COLUMNS and all(len(value) <= HALF_WORDS for value in words)
    if isinstance(item, Figure):
        picture = item.image if isinstance(item.image, Drawing) else pictures.encode(item.image)
        return picture.width < HALF_SHAPE * picture.height
    return False


def _figure(item: Figure) -> dict[str, Any]:
    if isinstance(item.image, Drawing):
        return {"drawing": _drawing(item.image), "caption": item.caption, "alt": item.alt, "csv": _csv(item.image)}
    encoded = pictures.encode(item.image)
    return {"picture": encoded, "drawing": None, "caption": item.caption, "alt": item.alt, "encoded": [encoded], "csv": ""}


def _drawing(drawing: Drawing) -> dict[str, Any]:
    return {"svg": Markup(drawing.svg), "width": drawing.width, "height": drawing.height}


def _csv(drawing: Drawing) -> str:
    return tables.csv_uri(tables.rows_csv(drawing.rows)) if drawing.rows else ""


def _gallery(item: Gallery) -> dict[str, Any]:
    shown = _labelled(item.pictures, item.alt, item.notes)
    return {"pictures": shown, "caption": item.caption, "encoded": [picture["picture"] for picture in shown]}


def _labelled(images: Mapping[str, Any], alt: str, notes: Mapping[str, str], **encoding: int) -> list[dict[str, Any]]:
    return [
        {"label": label, "picture": pictures.encode(image, **encoding), "alt": f"{label}: {alt}", "note": notes.get(label, "")}
        for label, image in images.items()
    ]


def _slider(item: Slider) -> dict[str, Any]:
    shown = _labelled(item.pictures, item.alt, item.notes)
    sizes = {(entry["picture"].width, entry["picture"].height) for entry in shown}
    if len(sizes) > 1:
        raise ShapeError(f"the slider {item.title!r} needs pictures of one size; given {sorted(sizes)} (width, height)")
    # error maps are colours of noise: looked at as a whole, never read pixel by pixel
    errors = _labelled(item.error_maps or {}, f"error map, {item.alt}", {}, lossless_bytes=0, quality=70)
    strangers = [label for label in item.error_maps or {} if label not in item.pictures]
    if strangers:
        raise ScimlError(f"the slider {item.title!r} has error maps without a picture: {', '.join(strangers)}")
    limit = "" if item.error_limit is None else f"{tables.show_value(item.error_limit)} {item.error_unit}".strip()
    return {
        "pictures": shown,
        "errors": errors,
        "caption": item.caption,
        "gradient": pictures.error_gradient() if errors else "",
        "limit": limit,
        "encoded": [entry["picture"] for entry in shown + errors],
    }


def _scrubber(item: Scrubber) -> dict[str, Any]:
    middle = len(item.positions) // 2
    encoded = {
        label: [pictures.encode(image, SCRUBBER_LOSSLESS_BYTES, quality=86) for image in images]
        for label, images in item.series.items()
    }
    positions = [str(position) for position in item.positions]
    shown = [
        {"label": label, "picture": images[middle], "alt": f"{label}, {positions[middle]}: {item.alt}"}
        for label, images in encoded.items()
    ]
    # the picture shown at first stands in its own element; the others wait as data
    waiting = [["" if i == middle else image.uri for i, image in enumerate(images)] for images in encoded.values()]
    data = {"positions": positions, "start": middle, "frames": waiting, "labels": list(encoded), "alt": item.alt}
    return {
        "pictures": shown,
        "positions": positions,
        "middle": middle,
        "data": data,
        "caption": item.caption,
        "encoded": [image for images in encoded.values() for image in images],
    }


def _table(item: Table) -> dict[str, Any]:
    strangers = sorted({key for row in item.rows for key in row} - {column.key for column in item.columns} - {item.group})
    if strangers:
        raise ScimlError(f"the table {item.title!r} has values without a column: {', '.join(strangers)}")
    cells = tables.cells(item)
    counts = {cell["n"] for row in cells for cell in row if cell["n"] is not None}
    return {
        "columns": [
            {
                "title": column.title,
                "unit": column.unit,
                "direction": column.direction,
                "numeric": column.direction is not None or any(row[i]["kind"] == "number" for row in cells),
            }
            for i, column in enumerate(item.columns)
        ],
        "rows": cells,
        "grouped": next((column.title for column in item.columns if column.key == item.group), "kind") if item.group else "",
        "same_n": next(iter(counts)) if len(counts) == 1 else None,
        "has_spread": any(cell["spread"] for row in cells for cell in row),
        "caption": item.caption,
        "note": item.note,
        "csv": tables.csv_uri(tables.table_csv(item)),
    }


def _matrix(item: Matrix) -> dict[str, Any]:
    """Return the values of a matrix; a filter offers what its rows and fields have, where that is more than one thing."""
    found: dict[str, dict[str, None]] = {key: {} for key in item.filters}
    for head, cells in item.rows:
        for tags in [head.tags, *(cell.tags for cell in cells)]:
            for key, value in tags.items():
                found[key][value] = None
    return {
        "columns": item.columns,
        "rows": item.rows,
        "filters": [
            {"key": key, "title": title, "values": list(found[key])} for key, title in item.filters.items() if len(found[key]) > 1
        ],
        "caption": item.caption,
        "note": item.note,
        "csv": tables.csv_uri(item.csv) if item.csv else "",
        "json": tables.json_uri(item.json) if item.json else "",
    }


def _curve(item: Curve, palette: Palette) -> dict[str, Any]:
    return {
        "spec": charts.spec(item, palette),
        "static": _drawing(charts.static_drawing(item, palette)),
        "caption": item.caption,
        "alt": item.alt,
        "csv": tables.csv_uri(tables.rows_csv(charts.plain_rows(item))),
    }


def _checks(item: Checks) -> dict[str, Any]:
    checks = [
        {
            "name": check.name,
            "value": tables.show_value(check.value),
            "tolerance": tables.show_value(check.tolerance),
            "unit": check.unit,
            "passed": bool(check.passed),
            "explanation": check.explanation,
        }
        for check in item.checks
    ]
    return {"checks": checks, "passed": sum(check["passed"] for check in checks)}


def methods_view(page: StudyPage) -> dict[str, Any]:
    """Return the methods text and the references that it cites."""
    records = [*page.records, *page.further_records]
    software = software_text([record.packages for record in records], page.engine)
    html, keys = methods_text(page.ran, page.paragraphs, closing=[*page.closing, software])
    entries = [lookup(key, load()) for key in keys]
    return {
        "html": Markup(html),
        "references": [reference_html(entry) for entry in entries],
        "bibtex": "\n\n".join(entry.source for entry in entries),
    }


def data_view(cards: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a thumbnail of every data set that has one, with package, licence and author."""
    shown = [card for card in cards if card["thumbnail"]]
    notes = {card["id"]: " · ".join(str(card[key]) for key in ("package", "licence", "author") if card[key]) for card in shown}
    return _labelled({card["id"]: card["thumbnail"] for card in shown}, "data set", notes)


def provenance_view(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return what the page shows of each record, and the whole of it as JSON."""
    return [_summary(record.model_dump(mode="json")) for record in records]


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    hardware = record.get("hardware") or {}
    packages = record.get("packages") or {}
    command = record.get("command") or []
    commit = str(record.get("commit") or "")[:12]
    if commit and record.get("dirty"):
        commit += " with uncommitted changes"
    machine = ", ".join(
        str(part) for part in (hardware.get("processor"), hardware.get("cores") and f"{hardware['cores']} cores") if part
    )
    times = f"{record.get('wall_seconds', '?')} s wall, {record.get('cpu_seconds', '?')} s CPU"
    facts = {
        "Command": " ".join(map(str, command)) if isinstance(command, list | tuple) else str(command),
        "Version": f"sciml {record.get('version', '?')}" + (f", commit {commit}" if commit else ""),
        "Started": record.get("started"),
        "Time": f"{times}, peak memory {record.get('peak_memory_mib', '?')} MiB",
        "Machine": machine,
        "Seeds": ", ".join(f"{name} = {seed}" for name, seed in (record.get("seeds") or {}).items()),
        "Packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
        "Inputs": f"{len(record.get('inputs') or {})} with digests",
    }
    return {
        "stage": str(record.get("stage", "unnamed stage")),
        "facts": {name: str(value) for name, value in facts.items() if value},
        "json": json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False, default=str),
    }


_MAKERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Text: lambda item: {"body": item.body},
    Figure: _figure,
    Gallery: _gallery,
    Slider: _slider,
    Scrubber: _scrubber,
    Table: _table,
    Matrix: _matrix,
    Checks: _checks,
    Failure: lambda item: {"title": item.stage, "command": item.command, "traceback": item.traceback},
}
