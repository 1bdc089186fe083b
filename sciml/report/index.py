"""The index of all pages, built from their JSON files and the records of failed stages alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from sciml.report import rendering
from sciml.report.goals import summary
from sciml.runtime.errors import ScimlError
from sciml.runtime.files import digest_bytes, read_json, write_json, write_text

FAILURE_FOLDER = "failures"
_PAGE_NAME = re.compile(r"[\w.-]+\.html")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_THUMBNAIL = re.compile(r"data:image/(png|webp|jpeg);base64,[A-Za-z0-9+/=]+")


def write_index(folder: Path | str) -> Path:
    """Write `index.html` of a reports folder and return its path.

    It reads `*.report.json` and `failures/*.json` and no page, and names the folders below that have an index of their own:
    studies of one's own. A file that cannot be read becomes a failure on the index instead of an error, since the index must
    stand when other things broke.

    Args:
        folder: the reports folder; it may be empty or absent.
    """
    folder = Path(folder)
    pages, failures = [], []
    for path in sorted(folder.glob("*.report.json")):
        try:
            pages.append(_page(read_json(path)))
        except (ScimlError, KeyError, TypeError, ValueError, AttributeError) as error:
            failures.append(_unreadable(path, error))
    for path in sorted((folder / FAILURE_FOLDER).glob("*.json")):
        try:
            failures.append(_failure(read_json(path)))
        except (ScimlError, KeyError, TypeError, ValueError, AttributeError) as error:
            failures.append(_unreadable(path, error))
    failures += [failure | {"page": page["title"]} for page in pages for failure in page["failures"]]
    studies = sorted(path.parent.name for path in folder.glob("*/index.html"))
    # a study of one's own lies below the reports that name it
    name = folder.name if folder.absolute().parent.name == "reports" else ""
    html = rendering.render("index.html.j2", ("page.js",), pages=pages, failures=failures, studies=studies, name=name)
    write_text(folder / "index.html", html)
    return folder / "index.html"


def record_failure(
    folder: Path | str, stage: str, command: str, traceback: str, rule: str = "", log: str = "", time: str | None = None
) -> Path:
    """Record that a stage failed, for the index; a later failure of the same stage and rule replaces it.

    Args:
        folder: the reports folder.
        stage: dotted name of the stage.
        command: the command that repeats it.
        traceback: the traceback or the end of the log.
        rule: the workflow's rule.
        log: path of the log.
        time: ISO 8601; now by default.

    Returns:
        The record's path, `<folder>/failures/<stage>-<digest>.json`.
    """
    path = _failure_path(folder, stage, rule)
    time = time or datetime.now(UTC).isoformat(timespec="seconds")
    record = {"stage": stage, "rule": rule, "command": command, "traceback": traceback, "log": log, "time": time}
    write_json(path, record)
    return path


def forget_failure(folder: Path | str, stage: str, rule: str = "") -> None:
    """Remove the record of a stage's failure, once the stage has succeeded; absent records are fine."""
    _failure_path(folder, stage, rule).unlink(missing_ok=True)


def keep_failures(folder: Path | str, outputs: Iterable[Path | str]) -> list[Path]:
    """Remove the records of stages that a run no longer has, since they will never succeed; called when the run starts.

    Args:
        folder: the reports folder.
        outputs: every file that the run makes. A record stays when its `rule` is one of them or the folder of one, and when
            it cannot be read or names no output: the index shows those.

    Returns:
        The paths of the removed records.
    """
    current = {PurePath(path) for path in outputs}
    current |= {path.parent for path in current}
    removed = []
    for path in sorted((Path(folder) / FAILURE_FOLDER).glob("*.json")):
        try:
            output = read_json(path).get("rule")
        except (ScimlError, AttributeError):
            continue
        if output and PurePath(str(output)) not in current:
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _failure_path(folder: Path | str, stage: str, rule: str) -> Path:
    name = re.sub(r"[^\w.]+", "-", stage).strip("-.")[:60] or "stage"
    return Path(folder) / FAILURE_FOLDER / f"{name}-{digest_bytes(repr((stage, rule)).encode())[:8]}.json"


def _page(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the index shows of a page's record; links and pictures only in the forms that we write."""
    link, thumbnail = str(record["page"]), record.get("thumbnail")
    checks = record.get("checks") or []
    claims = record.get("claims") or []
    return {
        "title": str(record["title"]),
        "question": str(record["question"]),
        "result": _SENTENCE_END.split(str(record.get("answer") or ""), maxsplit=1)[0],
        "tier": str(record["tier"]),
        "banner": record.get("banner"),
        "link": link if _PAGE_NAME.fullmatch(link) else None,
        "thumbnail": thumbnail if isinstance(thumbnail, str) and _THUMBNAIL.fullmatch(thumbnail) else None,
        "counts": Counter(claim["status"] for claim in claims),
        "papers": sum(claim.get("paper", True) for claim in claims),
        "goals": sum(not claim.get("paper", True) for claim in claims),
        "summary": summary(claims),
        "checks": len(checks),
        "passed": sum(bool(check["passed"]) for check in checks),
        "failures": [_failure(failure) for failure in record.get("failures") or []],
    }


def _failure(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("stage", "rule", "command", "traceback", "log", "time")
    return {name: str(record.get(name) or "") for name in names} | {"stage": str(record["stage"]), "page": ""}


def _unreadable(path: Path, error: Exception) -> dict[str, Any]:
    text = f"{type(error).__name__}: {error}"
    return {"stage": path.name, "rule": "", "command": "", "traceback": text, "log": "", "time": "", "page": ""}
