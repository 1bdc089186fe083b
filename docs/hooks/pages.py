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
TABLES = ("claims.md", "results.md", "attribution.md")
"""Long tables: behind the manuals in search."""
EXCERPT = re.compile(r"^(```\w+) ([\w./-]+)$", re.MULTILINE)
"""Fence with the file that it is an excerpt of."""
LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s#]+)([^)]*\))")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages and those outside docs/, and fill the sections."""
    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    there = sorted((file.src_uri for file in files.documentation_pages()), key=lambda uri: (not uri.endswith("index.md"), uri))
    lines = _lines(config.nav)
    # a page belongs to its own name, else to the longest pattern that it matches
    lines_of = {uri: max((line for line in lines if _matches(uri, line)), key=len, default="") for uri in there}
    config.nav = _filled(config.nav, {line: [uri for uri in there if lines_of[uri] == line] for line in lines if "*" in line})
    return files


def _matches(uri: str, line: str) -> bool:
    return uri == line or ("*" in line and fnmatch(uri, line) and uri.count("/") == line.count("/"))


def _lines(nav: Any) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    return {line for entry in (nav.values() if isinstance(nav, dict) else nav) for line in _lines(entry)}


def _filled(nav: list[Any], found: dict[str, list[str]]) -> list[Any]:
    """Return the navigation with each pattern replaced by its pages; a section without pages is left out."""
    result: list[Any] = []
    for entry in nav:
        if isinstance(entry, str):
            result += found.get(entry, [entry])
        else:
            ((title, below),) = entry.items()
            filled = _filled(below, found) if isinstance(below, list) else below
            result += [{title: filled}] if filled else []
    return result


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to files of the repository at their place in the site: a page, or a copy of the file; name excerpts."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    if page.file.src_uri in TABLES or page.file.src_uri.startswith("reference/settings/"):
        page.meta["search"] = {"boost": 0.5}
    origin = {place: source for source, place in OUTSIDE.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def placed(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        path = normpath(str(Path(origin).parent / target))
        if ":" in target or not (ROOT / path).exists():
            return match[0]
        if before == f"[{target}](" and path.endswith(".md"):  # named by its file: here by its title
            before = f"[{re.search('^# (.*)$', (ROOT / path).read_text(), re.MULTILINE)[1]}]("
        if path.startswith("docs/"):
            place = path.removeprefix("docs/")
        elif path in OUTSIDE:
            place = OUTSIDE[path]
        else:
            place = f"files/{path}"
            if place not in files.src_uris:
                files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
        return before + relpath(place, str(Path(page.file.src_uri).parent)) + after

    return LINK.sub(placed, EXCERPT.sub(r'\1 title="\2"', markdown))
