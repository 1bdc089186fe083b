"""From reportlets to one self-contained HTML file, with the machine-readable JSON beside it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sciml.report import rendering
from sciml.report.check import BUDGET_BYTES, check_page
from sciml.report.reportlets import (
    SECTIONS,
    VERDICTS,
    Checks,
    Curve,
    Failure,
    Figure,
    Gallery,
    Reportlet,
    Scrubber,
    Slider,
    Spread,
    Table,
    Verdict,
)
from sciml.report.views import view
from sciml.runtime.errors import ScimlError
from sciml.runtime.files import digest_bytes, write_json, write_text

__all__ = ["Page", "check_page", "write_page"]

SCHEMA = 1


@dataclass(frozen=True)
class Page:
    """A report page.

    Args:
        name: short name, used in file names and in the index (`imaging`).
        title: heading of the page.
        question: the question that the page answers, as a sentence.
        tier: name of the settings (`ci`, `demo`, `cpu`, `gpu`).
        reportlets: what the page shows, in any order; within a section the order is kept.
        banner: a further line beside the tier, for instance what was trained and what was shipped.
    """

    name: str
    title: str
    question: str
    tier: str
    reportlets: Sequence[Reportlet] = field(default_factory=list)
    banner: str | None = None


def write_page(page: Page, path: Path | str, budget_bytes: int = BUDGET_BYTES) -> Path:
    """Write the page to `path` and its `<stem>.report.json` beside it; return `path`.

    The same page gives the same bytes.

    Args:
        page: what to write.
        path: the HTML file.
        budget_bytes: largest file allowed.

    Raises:
        ScimlError: the page is over its budget (the message names the biggest reportlets), or it would
            break a rule that `check_page` knows.
    """
    path = Path(path)
    # the claims come first, whatever text stands beside them
    parts = sorted(_parts(page), key=lambda part: part["kind"] != "verdict")
    sections = [
        {"key": key, "title": title, "parts": [part for part in parts if part["section"] == key]}
        for key, title in SECTIONS.items()
    ]
    scripts = ("page.js", *rendering.VEGA_FILES, "curves.js") if any(part["kind"] == "curve" for part in parts) else ("page.js",)
    html = rendering.render(
        "page.html.j2",
        scripts,
        page=page,
        sections=[section for section in sections if section["parts"]],
        counts=Counter(claim["status"] for claim in _claims(page)),
        failed=sum(isinstance(item, Failure) for item in page.reportlets),
        failed_checks=sum(not check.passed for item in page.reportlets if isinstance(item, Checks) for check in item.checks),
        lossy=any(part["lossy"] for part in parts),
    )
    size = len(html.encode())
    if size > budget_bytes:
        biggest = sorted(parts, key=lambda part: -len(part["html"].encode()))[:3]
        names = ", ".join(f"{part['kind']} {part['title']!r} {len(part['html'].encode()) / 1e6:.2f} MB" for part in biggest)
        raise ScimlError(
            f"the page {page.name!r} has {size / 1e6:.2f} MB, its budget is {budget_bytes / 1e6:.2f} MB; "
            f"show fewer or smaller pictures in: {names}"
        )
    write_text(path, html)
    write_json(path.with_suffix(".report.json"), _record(page, path, html))
    return path


def _parts(page: Page) -> list[dict[str, Any]]:
    template = rendering.environment().get_template("reportlets.html.j2").module
    parts = []
    for number, item in enumerate(page.reportlets, start=1):
        if item.section not in SECTIONS:
            raise ScimlError(f"{type(item).__name__} {item.title!r} names the unknown section {item.section!r}")
        kind = type(item).__name__.lower()
        values = view(item, f"{_slug(item.title or kind)}-{number}")
        html = getattr(template, kind)(values)
        parts.append(
            {
                "kind": kind,
                "section": item.section,
                "title": values["title"],
                "anchor": values["anchor"],
                "html": html,
                "lossy": values.get("lossy", False),
            }
        )
    return parts


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "part"


def _claims(page: Page) -> list[dict[str, Any]]:
    return [
        {
            "text": claim.text,
            "ours": _plain(claim.ours),
            "reference": _plain(claim.reference),
            "unit": claim.unit,
            "source": claim.source,
            "status": claim.status,
            "paper": claim.paper,
        }
        for item in page.reportlets
        if isinstance(item, Verdict)
        for claim in item.claims
    ]


def _record(page: Page, path: Path, html: str) -> dict[str, Any]:
    """The page as JSON values: all that the index and other programs need."""
    items, claims = page.reportlets, _claims(page)
    return {
        "schema": SCHEMA,
        "name": page.name,
        "title": page.title,
        "question": page.question,
        "tier": page.tier,
        "banner": page.banner,
        "page": path.name,
        "bytes": len(html.encode()),
        "digest": digest_bytes(html.encode()),
        "verdict": {status: sum(claim["status"] == status for claim in claims) for status in VERDICTS},
        "claims": claims,
        "tables": [
            {
                "title": item.title,
                "columns": [{"key": c.key, "title": c.title, "unit": c.unit, "direction": c.direction} for c in item.columns],
                "rows": [{c.key: _plain(row.get(c.key)) for c in item.columns} for row in item.rows],
            }
            for item in items
            if isinstance(item, Table)
        ],
        "curves": [{"title": item.title, "rows": len(item.rows)} for item in items if isinstance(item, Curve)],
        "checks": [
            {
                "name": check.name,
                "value": _plain(check.value),
                "tolerance": _plain(check.tolerance),
                "unit": check.unit,
                "passed": bool(check.passed),
            }
            for item in items
            if isinstance(item, Checks)
            for check in item.checks
        ],
        "failures": [
            {"stage": item.stage, "command": item.command, "traceback": item.traceback}
            for item in items
            if isinstance(item, Failure)
        ],
        "thumbnail": _thumbnail(items),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Spread):
        return {"mean": _plain(value.mean), "std": _plain(value.std), "n": value.n}
    return value.item() if hasattr(value, "item") else value


def _thumbnail(items: Sequence[Reportlet]) -> str | None:
    from sciml.report.pictures import thumbnail

    for item in items:
        if isinstance(item, Figure):
            return thumbnail(item.image)
        if isinstance(item, Slider | Gallery) and item.pictures:
            return thumbnail(_last(item.pictures))
        if isinstance(item, Scrubber):
            pictures = _last(item.series)
            return thumbnail(pictures[len(pictures) // 2])
    return None


def _last(mapping: Mapping[str, Any]) -> Any:
    return list(mapping.values())[-1]
