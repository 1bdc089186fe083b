"""From the slots of a study to one self-contained HTML file, with the machine-readable JSON beside it.

Above everything else stand question, answer, picture and numbers; then the claims; then the tabs; what is looked up is folded.
Without JavaScript, and on paper, everything is shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sciml.report import rendering
from sciml.report.check import BUDGET_BYTES, check_page
from sciml.report.graphics.drawing import Drawing
from sciml.report.graphics.palette import Palette
from sciml.report.reportlets import (
    VERDICTS,
    Checks,
    Claim,
    Curve,
    Figure,
    Gallery,
    Reportlet,
    Scrubber,
    Slider,
    Spread,
    Table,
)
from sciml.report.study import Ablation, Number, StudyPage, Tab
from sciml.report.views import claim_view, data_view, is_half, methods_view, number_view, provenance_view, view
from sciml.runtime.errors import ScimlError
from sciml.runtime.files import digest_bytes, write_json, write_text
from sciml.runtime.provenance import Record

__all__ = ["Ablation", "Number", "StudyPage", "Tab", "check_page", "write_page"]

SCHEMA = 2
# claims above the fold
FIRST_CLAIMS = 6
NOT_RUN = "not run"
# kinds of which a tab shows one at a time
MENUS = ("slider", "gallery")
# pictures side by side in a thumbnail
THUMBNAILS = 4


def write_page(page: StudyPage, path: Path | str, budget_bytes: int = BUDGET_BYTES) -> Path:
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
    assembly = _Assembly(page)
    values = assembly.values()
    curves = any(part["kind"] == "curve" for part in assembly.parts)
    html = rendering.render(
        "page.html.j2",
        ("page.js", *rendering.VEGA_FILES, "curves.js") if curves else ("page.js",),
        page=page,
        **values,
    )
    size = len(html.encode())
    if size > budget_bytes:
        biggest = sorted(assembly.parts, key=lambda part: -len(part["html"].encode()))[:3]
        names = ", ".join(f"{part['kind']} {part['title']!r} {len(part['html'].encode()) / 1e6:.2f} MB" for part in biggest)
        raise ScimlError(
            f"the page {page.name!r} has {size / 1e6:.2f} MB, its budget is {budget_bytes / 1e6:.2f} MB; "
            f"show fewer or smaller pictures in: {names}"
        )
    write_text(path, html)
    write_json(path.with_suffix(".report.json"), _record(page, path, html))
    return path


class _Assembly:
    """The parts of one page as the template wants them."""

    def __init__(self, page: StudyPage) -> None:
        self.page = page
        self.parts: list[dict[str, Any]] = []
        self.palette = Palette(page.series)
        self._macros = rendering.environment().get_template("reportlets.html.j2").module

    def values(self) -> dict[str, Any]:
        """Return what the template shows."""
        page = self.page
        picture = None if page.picture is None else self._part(page.picture, compact=True)
        # what failed comes before what the stages made
        failures = [self._part(item) for item in page.failures]
        tabs = [
            {"title": tab.title, "anchor": f"tab-{number}-{_slug(tab.title)}", "parts": self._paired(tab.items)}
            for number, tab in enumerate((tab for tab in page.tabs if tab.items), start=1)
        ]
        checks = [check for item in page.items if isinstance(item, Checks) for check in item.checks]
        return {
            "picture": picture,
            "failures": failures,
            "tabs": tabs,
            "checks": [self._part(item) for item in page.checks],
            "claims": claim_groups(page.claims),
            "numbers": [number_view(number) for number in page.numbers],
            "counts": Counter(claim.status for claim in page.claims),
            "all_checks": len(checks),
            "failed_checks": sum(not check.passed for check in checks),
            "methods": methods_view(page),
            "data": data_view(page.data),
            "provenance": provenance_view([*page.records, *page.further_records]),
            "lossy": any(part["lossy"] for part in self.parts),
        }

    def _part(self, item: Reportlet, compact: bool = False) -> dict[str, Any]:
        kind = type(item).__name__.lower()
        values = view(item, f"{_slug(item.title or kind)}-{len(self.parts) + 1}", self.palette) | {"compact": compact}
        html = getattr(self._macros, kind)(values)
        part = {key: values[key] for key in ("title", "anchor", "lossy")} | {"kind": kind, "html": html, "half": is_half(item)}
        part["cases"] = []
        self.parts.append(part)
        return part

    def _paired(self, items: Iterable[Reportlet]) -> list[dict[str, Any]]:
        """Return parts of which two narrow ones stand side by side; a narrow one without a neighbour gets the whole width."""
        paired = []
        for half, run in groupby(self._chosen(items), key=lambda part: part["half"]):
            parts = list(run)
            if half and len(parts) % 2:
                parts[-1]["half"] = False
            paired += parts
        return paired

    def _chosen(self, items: Iterable[Reportlet]) -> Iterator[dict[str, Any]]:
        """Yield parts; several sliders or several galleries of one tab share the place of the first, by a menu."""
        parts = [self._part(item) for item in items]
        for part in parts:
            cases = [other for other in parts if other["kind"] == part["kind"] in MENUS]
            if len(cases) < 2:
                yield part
            elif part is cases[0]:
                yield part | {"cases": cases, "html": self._macros.menu(cases)}  # type: ignore[attr-defined]


def claim_groups(claims: Sequence[Claim]) -> dict[str, Any]:
    """Return the claims that are shown and those that are folded, each as groups of papers' claims and of goals.

    Shown are the first ones that ran, those of papers before the goals of this project.
    """
    order = sorted(claims, key=lambda claim: (claim.status == NOT_RUN, not claim.paper))
    first, rest = order[:FIRST_CLAIMS], order[FIRST_CLAIMS:]
    counts = Counter(claim.status for claim in rest)
    words = ", ".join(f"{counts[status]} {VERDICTS[status][1]}" for status in VERDICTS if counts[status])
    return {"first": _grouped(first), "rest": _grouped(rest), "folded": len(rest), "words": words}


def _grouped(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    groups = []
    for paper, title, head in ((True, "Claims of papers", "Reference"), (False, "Goals of this project", "Goal")):
        found = [claim_view(claim) for claim in claims if claim.paper == paper]
        groups += [{"title": title, "reference": head, "claims": found}] if found else []
    return groups


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "part"


def _record(page: StudyPage, path: Path, html: str) -> dict[str, Any]:
    """The page as JSON values: all that the index and other programs need."""
    items = page.items
    claims = [
        {
            "text": claim.text,
            "ours": _plain(claim.ours),
            "reference": _plain(claim.reference),
            "unit": claim.unit,
            "source": claim.source,
            "status": claim.status,
            "paper": claim.paper,
            "interval": claim.interval,
        }
        for claim in page.claims
    ]
    return {
        "schema": SCHEMA,
        "name": page.name,
        "title": page.title,
        "question": page.question,
        "answer": page.answer,
        "tier": page.tier,
        "run": _run([*page.records, *page.further_records]),
        "banner": page.notice or None,
        "page": path.name,
        "bytes": len(html.encode()),
        "digest": digest_bytes(html.encode()),
        "numbers": [
            {
                "text": number.text,
                "value": _plain(number.value),
                "interval": number.interval,
                "unit": number.unit,
                "rival": number.rival,
                "rival_value": _plain(number.rival_value),
            }
            for number in page.numbers
        ],
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
        "failures": [{"stage": item.stage, "command": item.command, "traceback": item.traceback} for item in page.failures],
        "thumbnail": _thumbnail(items),
    }


def _run(records: Sequence[Record]) -> dict[str, Any] | None:
    """Which versions made the results, on how many cores, and when the first and the last of the stages began."""
    if not records:
        return None
    started = sorted(record.started for record in records)
    return {
        "versions": sorted({record.version for record in records}),
        "commits": sorted({record.commit for record in records if record.commit}),
        "cores": sorted({cores for record in records if (cores := record.hardware.get("cores")) is not None}),
        "first": started[0],
        "last": started[-1],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Spread):
        return {"mean": _plain(value.mean), "std": _plain(value.std), "n": value.n}
    return value.item() if hasattr(value, "item") else value


def _thumbnail(items: Sequence[Reportlet]) -> str | None:
    """Return a small copy of the page's own picture, or of the first one that it shows, as the reader meets it."""
    from sciml.report.pictures import montage, thumbnail, wiped

    for item in items:
        if isinstance(item, Figure) and not isinstance(item.image, Drawing):
            return thumbnail(item.image)
        if isinstance(item, Slider):
            first, *_, last = item.pictures.values()
            return thumbnail(wiped(first, last))
        if isinstance(item, Gallery | Scrubber):
            shown = item.pictures.values() if isinstance(item, Gallery) else [one[len(one) // 2] for one in item.series.values()]
            return thumbnail(montage(list(shown)[:THUMBNAILS]))
    return None
