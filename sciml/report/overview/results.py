"""`results.md`: what each page answers, its first numbers, and every table that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sciml.report.overview.markdown import escaped, header, table, value, with_unit


def results_text(pages: Sequence[Mapping[str, Any]], command: str) -> str:
    """Return the document.

    Args:
        pages: records, see `sciml.report.overview.markdown.read_pages`.
        command: what makes the document again.
    """
    parts = [
        "# Results",
        header(pages, command),
        "Verdicts on them: [claims.md](claims.md). Pictures and curves are on the pages.",
    ]
    for page in pages:
        parts += [
            f"## {page['title']} (`{page['name']}`)",
            escaped(page["question"]),
            escaped(page["answer"]),
            *_numbers(page),
            *_tables(page),
        ]
    return "\n\n".join(parts) + "\n"


def _numbers(page: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (
            number["text"],
            with_unit(number["value"], number["unit"], number["interval"]),
            number["rival"],
            "" if number["rival_value"] is None else with_unit(number["rival_value"], number["unit"]),
        )
        for number in page["numbers"]
    ]
    if rows:
        yield table(("number", "ours (95 % interval)", "rival", "the rival's"), rows)


def _tables(page: Mapping[str, Any]) -> Iterator[str]:
    for found in page["tables"]:
        yield f"### {escaped(found['title'])}"
        heads = [f"{one['title']} ({one['unit']})" if one["unit"] else one["title"] for one in found["columns"]]
        rows = ([value(row.get(one["key"])) for one in found["columns"]] for row in found["rows"])
        yield table(heads, rows)
