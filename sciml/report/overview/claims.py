"""`claims.md`: every claim of a paper and every goal of this project, with our number, its setting and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sciml.report.goals import summary
from sciml.report.overview.markdown import header, table, value, with_unit

KINDS = (
    (True, "Claims of papers", "the paper's", "What published papers say, and what this run found."),
    (False, "Goals of this project", "goal", "Bars that this project set before its runs, and rivals measured in the same run."),
)


def claims_text(pages: Sequence[Mapping[str, Any]], command: str) -> str:
    """Return the document: first the papers' claims, then the goals, each by page.

    Args:
        pages: records, see `sciml.report.overview.markdown.read_pages`.
        command: what makes the document again.
    """
    counts = table(("page", "verdicts"), [(page["title"], summary(page["claims"]) or "no claims") for page in pages])
    parts = [
        "# Claims and goals",
        header(pages, command),
        "The [verdicts](report.md#verdicts) and what they mean. Numbers of a small tier show that everything works; "
        "only larger ones compare with a paper's.",
        counts,
    ]
    for paper, title, head, words in KINDS:
        parts += [f"## {title}", words]
        for page in pages:
            rows = [_row(claim, page["tier"]) for claim in page["claims"] if bool(claim["paper"]) == paper]
            if rows:
                parts += [
                    f"### {page['title']} (`{page['name']}`)",
                    table(("claim", "ours", head, "setting", "verdict", "source"), rows),
                ]
    return "\n\n".join(parts) + "\n"


def _row(claim: Mapping[str, Any], tier: str) -> list[str]:
    cases = f", {claim['ours']['n']} cases" if isinstance(claim["ours"], Mapping) else ""
    ours = with_unit(claim["ours"], claim["unit"], claim.get("interval"))
    reference = claim["reference"]
    reference = value(reference) if isinstance(reference, str) else with_unit(reference, claim["unit"])
    return [claim["text"], ours, reference, f"{tier}{cases}", claim["status"], claim["source"]]
