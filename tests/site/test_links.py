"""Links of README and manuals lead to files of the repository, as a git host shows them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")


def test_links_lead_to_files_of_the_repository():
    texts = [ROOT / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md", "data/ATTRIBUTION.md")]
    texts += (ROOT / "docs").rglob("*.md")
    links = [(path, link) for path in texts for link in LINK.findall(path.read_text()) if ":" not in link]
    assert len(links) > 30
    assert not [f"{path.relative_to(ROOT)}: {link}" for path, link in links if not (path.parent / link).exists()]
