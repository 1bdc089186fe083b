"""Numbers of past runs stand in generated files, not in the prose of the manuals."""

from __future__ import annotations

import re

import pytest
from docs.blocks import ROOT

GENERATED = {"claims.md", "gallery.md", "results.md"}
MANUALS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.name not in GENERATED]
MEASURED = re.compile(
    r"[-+−]?\d[\d.,]* ?(?:dB|CPU s\b|megapixels a second)"  # quality and speed
    r"|BD-rates?\b[^.;\n]{0,30}\d"
    r"|correlat\w+ (?:of|with|by) [-−]?0?\.\d"
    r"|\binterval\b,? (?:of )?[-+−]?\d[\d.]* to"
)
# bars of checks and goals, and numbers that follow from a formula
SETTINGS = {
    "proximal.md": {"0.05 dB", "27 dB", "33 dB", "0.1 dB"},
    "progression_forecast.md": {"25 dB"},
}


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_the_prose_holds_no_number_of_a_past_run(path):
    prose = re.sub(r"^( *)```.*?^\1```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    found = {match[0] for match in MEASURED.finditer(prose)} - SETTINGS.get(path.name, set())
    assert not found, f"{path.name}: {sorted(found)}; put them where `sciml report overview` does, or name them in SETTINGS"
