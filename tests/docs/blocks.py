"""The code blocks of the README and of the manuals: which of them run, where, and how long that may take.

A fenced block in `bash` or `python` runs as it stands. A comment on the line before its fence, which no reader of the page sees,
says what is special about it: `<!-- slow -->`, `<!-- checkout -->` (it works in a checkout, not in an empty folder),
`<!-- not run: why -->`; commas part more than one. `<!-- all slow -->` anywhere makes all of a page slow. A fence with a file
name after the language is an excerpt of that file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).with_suffix("").as_posix(): path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
RUN = ("bash", "python")
SHOWN = ("text", "yaml", "ini", "json", "csv", "bibtex", "html", "hex")
FENCE = re.compile(
    r"^(?:<!-- (?P<marks>[^\n]*?) -->\n+)?^```(?P<language>\w*)(?: (?P<rest>[^\n]*))?\n(?P<code>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page: its place, language and text, the marks before it and the file that it is an excerpt of."""

    page: str
    line: int
    language: str
    code: str
    marks: tuple[str, ...]
    file: str

    @property
    def why_not(self) -> str:
        """Why it does not run, or nothing."""
        return next((mark.partition(":")[2].strip() for mark in self.marks if mark.startswith("not run:")), "")

    @property
    def runs(self) -> bool:
        """Whether it runs, quickly or slowly."""
        return self.language in RUN and not self.file and not self.why_not


def read(name: str, text: str) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found, every = [], ["slow"] if "<!-- all slow -->" in text else []
    for match in FENCE.finditer(text):
        marks = (*every, *(mark.strip() for mark in (match["marks"] or "").split(",") if mark.strip()))
        file = re.search(r"[\w./-]+/[\w./-]+", match["rest"] or "")
        line = text.count("\n", 0, match.start("code"))
        found.append(Block(name, line, match["language"], match["code"], marks, file[0] if file else ""))
    return found


def prose(name: str) -> str:
    """Return a page without the blocks that run."""
    runs = iter(block.runs for block in ALL[name])
    return FENCE.sub(lambda match: "" if next(runs) else match[0], PAGES[name].read_text())


ALL = {name: read(name, path.read_text()) for name, path in PAGES.items()}
