"""What the guides say of files and messages is so: every file of a run has its line, every message is one of the code's."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest
from docs.blocks import ROOT

GUIDES = ROOT / "docs" / "guides"
ELSEWHERE = {"LockException", "No space left on device", "apt-get update"}


def listed() -> list[re.Pattern[str]]:
    """Return the patterns of the table of files: `*` is any name, `**` any path."""
    text = (GUIDES / "reading-a-report.md").read_text()
    table = text[text.index("| file in `results/TIER` |") :]
    names = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([^`]+)`", row)]
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    return [
        re.compile("".join(parts.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*\*|\*)", name))) for name in names
    ]


def test_every_file_of_a_finished_run_is_listed():
    if not os.environ.get("REPORTS"):
        pytest.skip("REPORTS names no reports folder of a finished run")
    results = Path(os.environ["REPORTS"]).parent / "results"
    patterns = listed()
    files = [path.relative_to(tier).as_posix() for tier in results.iterdir() for path in tier.rglob("*") if path.is_file()]
    files = [name for name in files if "/." not in f"/{name}" and ".partial" not in name]
    unknown = {name for name in files if not any(pattern.fullmatch(name) for pattern in patterns)}
    assert len(files) > 50 and not unknown, sorted(unknown)
    unused = [pattern.pattern for pattern in patterns if not any(map(pattern.fullmatch, files))]
    assert len(unused) <= 6, unused


def test_every_symptom_of_the_guide_is_a_message_of_the_code():
    code = "".join(
        path.read_text()
        for place in ("sciml", "workflows")
        for path in (ROOT / place).rglob("*.*")
        if path.suffix in (".py", ".smk")
    )
    code = re.sub(r'"\s*\n\s*f?"', "", code) + "".join(code.split("\n"))
    rows = re.findall(r"^\| (.+?) \|", (GUIDES / "troubleshooting.md").read_text(), re.M)[1:]
    spans = [part.strip() for row in rows for span in re.findall(r"`([^`]+)`", row) for part in span.split("...")]
    assert len(rows) > 12 and not [span for span in spans if span not in code and span not in ELSEWHERE]


def test_run_times_are_those_of_the_records_and_every_tier_is_named(tmp_path):
    spec = importlib.util.spec_from_file_location("run_times", ROOT / "benchmarks" / "run_times.py")
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    hardware = {"cores": 2, "processor": "P", "memory_gib": 8, "gpus": ""}
    for stage, minute, wall in (("one.train", 0, 300), ("one.solve", 4, 120)):
        folder = tmp_path / "demo" / "one" / stage
        folder.mkdir(parents=True)
        record = {"stage": stage, "wall_seconds": wall, "cpu_seconds": 90, "peak_memory_mib": 2048, "hardware": hardware}
        (folder / "provenance.json").write_text(json.dumps(record | {"started": f"2026-01-02T03:0{minute}:00+00:00"}))
    text = program.text([tmp_path / "demo"])
    assert "| `one` | 2 | 3.0 | `one.train`, 5.0 | 2.0 |" in text and "6.0 minutes from the first" in text
    for shown in (text, (GUIDES / "run-times.md").read_text()):
        assert all(f"## Tier `{tier}`" in shown for tier in ("ci", "demo", "cpu", "gpu")) and "run_times.py" in shown
