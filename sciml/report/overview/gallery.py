"""`gallery.md`: one picture and the answer of every page of a run; only pictures whose data may be shown anywhere."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from PIL import Image

from sciml.report.overview.markdown import escaped, header, read_pages
from sciml.runtime.errors import DataError
from sciml.runtime.files import write_bytes, write_text
from sciml.runtime.places import resource

HEIGHT, WIDTH, GAP = 440, 1200, 6
BYTES = 60_000
MOST = 5
SIMULATED = "Everything is simulated"
"""How the banner of a page begins that shows no data of anybody's."""
FREE = re.compile(r"CC0|CC-BY-\d")
"""Licences, by their beginnings, under which a picture may be shown, with its author's name."""
URI = re.compile(r"data:image/(?:png|webp);base64,(.+)", re.DOTALL)


@dataclass
class Shown:
    """Pictures of one subject on a page, by their labels; a diagram has one without a label."""

    subject: str
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def diagram(self) -> bool:
        """Whether it shows one quantity over another, and so no data set."""
        return len(self.pictures) == 1 and " over " in self.subject


class _Pictures(HTMLParser):
    """Collects the pictures of a page but those of its data cards."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Shown] = {}
        self.cards = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: text or "" for name, text in attrs}
        self.cards |= tag == "section" and values.get("id") == "data"
        match = URI.fullmatch(values.get("src", "")) if tag == "img" else None
        label, _, subject = values.get("alt", "").rpartition(": ")
        if match and not self.cards and not subject.startswith("error map"):
            shown = self.found.setdefault(subject, Shown(subject))
            shown.pictures.setdefault(label, base64.b64decode(match[1]))


def write_gallery(reports: Path | str, out: Path | str) -> Path:
    """Write `gallery.md` and the folder `gallery` with one WebP file a page; return the path of the former.

    Args:
        reports: the reports folder of a finished run.
        out: folder of the manuals.

    Raises:
        DataError: there is no page, or a page has no picture that may be shown.
    """
    pages, out = read_pages(reports), Path(out)
    parts = [
        "# Gallery",
        header(pages, "sciml report gallery REPORTS --out docs --force"),
        "What each page of the run answers, with a picture from it. Shown are pictures of data in the public domain (CC0) or "
        "under CC BY, simulated fields, and diagrams; the pages themselves have more.",
    ]
    for page in pages:
        shown, credit = chosen(Path(reports) / page["page"], str(page["banner"]).startswith(SIMULATED))
        write_bytes(out / "gallery" / f"{page['name']}.webp", row(list(shown.pictures.values())))
        parts += [f"## {page['title']}", page["answer"], _picture(page, shown), _credit(shown, credit), _links(page)]
    path = out / "gallery.md"
    write_text(path, "\n\n".join(part for part in parts if part) + "\n")
    return path


def chosen(page: Path, simulated: bool) -> tuple[Shown, str]:
    """Return the first pictures of a page that may be shown, and what data they are of; else its first diagram.

    Args:
        page: the HTML file.
        simulated: whether it shows no data of anybody's.

    Raises:
        DataError: there is none.
    """
    parser = _Pictures()
    parser.feed(page.read_text(encoding="utf-8"))
    found = [shown for shown in parser.found.values() if shown.subject]
    if simulated and found:
        return _few(found[0]), "simulated fields"
    known = _data_sets()
    for shown in found:
        named = [known[word] for word in re.findall(r"[\w-]+", shown.subject) if word in known]
        if len(shown.pictures) > 1 and named and all(FREE.match(one["licence"]) for one in named):
            return _few(shown), ", ".join(f"{one['id']} ({one['licence']}{_by(one)})" for one in named)
    for shown in found:
        if shown.diagram:
            return shown, ""
    raise DataError(f"{page} has no picture that may be shown everywhere: neither of free data nor a diagram")


def row(pictures: Sequence[bytes]) -> bytes:
    """Return pictures side by side as a WebP file of at most `BYTES`; one alone as wide as it may be.

    Args:
        pictures: PNG or WebP files.

    Raises:
        DataError: it stays larger at the least quality.
    """
    opened = [Image.open(io.BytesIO(one)).convert("RGB") for one in pictures]
    if len(opened) == 1:
        whole = opened[0]
    else:
        height = min(HEIGHT, round(WIDTH / sum(one.width / one.height for one in opened)))
        scaled = [
            one.resize((max(1, round(one.width * height / one.height)), height), Image.Resampling.LANCZOS) for one in opened
        ]
        whole = Image.new("RGB", (sum(one.width + GAP for one in scaled) - GAP, height), "white")
        place = 0
        for one in scaled:
            whole.paste(one, (place, 0))
            place += one.width + GAP
    whole.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    for quality in range(85, 20, -5):
        stream = io.BytesIO()
        whole.save(stream, "WEBP", quality=quality, method=4)
        if stream.tell() <= BYTES:
            return stream.getvalue()
    raise DataError(f"a picture of {whole.width} x {whole.height} pixels does not fit into {BYTES} bytes")


def _few(shown: Shown) -> Shown:
    """Return the first picture and the last ones: of a slider the measurement, the best methods and the truth."""
    labels = list(shown.pictures)
    if len(labels) > MOST:
        labels = [labels[0], *labels[1 - MOST :]]
    return Shown(shown.subject, {label: shown.pictures[label] for label in labels})


def _data_sets() -> dict[str, dict[str, str]]:
    with resource("data", "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return {entry["id"]: entry for entry in csv.DictReader(stream)}


def _by(entry: Mapping[str, str]) -> str:
    return f", {entry['author']}" if entry["author"] else ""


def _picture(page: Mapping[str, Any], shown: Shown) -> str:
    return f"![{escaped(shown.subject)}](gallery/{page['name']}.webp)"


def _credit(shown: Shown, credit: str) -> str:
    labels = [label for label in shown.pictures if label]
    row_of = f"From left to right: {'; '.join(labels)}. " if len(labels) > 1 else ""
    data = f" Data: {credit}." if credit else ""
    return escaped(f"{row_of}{shown.subject[:1].upper()}{shown.subject[1:].rstrip('.')}.{data}")


def _links(page: Mapping[str, Any]) -> str:
    name = page["name"]
    return f"`make demo FAMILY={name}` makes the page; [tutorial](tutorials/{name}.md), [manual]({name}.md)."
