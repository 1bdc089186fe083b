"""The site beside the manuals: pages from the code, files that stand outside docs/, and sections that list what is there."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files
from reference import pages

ROOT = Path(__file__).parents[2]
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/README.md": "benchmarks.md",
    "data/ATTRIBUTION.md": "attribution.md",
}
"""Page of the site by the file of the repository that it shows."""
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)([^)]*\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages and those outside docs/, and fill the sections."""
    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    there = [file.src_uri for file in files.documentation_pages()]
    config.nav = _filled(config.nav, sorted(there, key=lambda uri: (not uri.endswith("index.md"), uri)), _named(config.nav))
    return files


def _named(nav: Any) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    return {name for entry in (nav.values() if isinstance(nav, dict) else nav) for name in _named(entry)}


def _filled(nav: list[Any], there: list[str], named: set[str]) -> list[Any]:
    """Return the navigation with each pattern replaced by the pages that it matches and that stand nowhere else."""
    result: list[Any] = []
    for entry in nav:
        if isinstance(entry, str):
            pattern = "*" in entry
            result += [uri for uri in there if uri not in named and _matches(uri, entry)] if pattern else [entry]
        else:
            ((title, below),) = entry.items()
            filled = _filled(below, there, named) if isinstance(below, list) else below
            result += [{title: filled}] if filled else []
    return result


def _matches(uri: str, pattern: str) -> bool:
    return fnmatch(uri, pattern) and uri.count("/") == pattern.count("/")


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to files of the repository at their place in the site: a page, or a copy of the file."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    origin = {place: source for source, place in OUTSIDE.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def placed(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        path = normpath(str(Path(origin).parent / target))
        if ":" in target or not (ROOT / path).exists():
            return match[0]
        if path.startswith("docs/"):
            place = path.removeprefix("docs/")
        elif path in OUTSIDE:
            place = OUTSIDE[path]
        else:
            place = f"files/{path}"
            if place not in files.src_uris:
                files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
        return before + relpath(place, str(Path(page.file.src_uri).parent)) + after

    return LINK.sub(placed, markdown)
