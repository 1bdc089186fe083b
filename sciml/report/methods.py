"""The methods text: a paragraph for every stage that ran, filled with its real parameters, and the references that it cites.

The reader of BibTeX reads what `references.bib` needs: entries with braced, quoted or bare values. There are no macros, no
concatenation and no TeX beyond accents; anything else is refused with its line.

Example:
    >>> blur = lambda parameters: f"Images were blurred with a Gaussian of {parameters['sigma_px']} pixels."
    >>> methods_text([("example.blur", {"sigma_px": 2})], {"example.blur": blur})
    ('<p>Images were blurred with a Gaussian of 2 pixels.</p>', [])
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from markupsafe import escape

from sciml.runtime.errors import DataError, FormatError, ScimlError
from sciml.runtime.places import resource

Paragraph: TypeAlias = Callable[[Mapping[str, Any]], str]

_CITATION = re.compile(r"\[(@[\w:.+/-]+(?:\s*;\s*@[\w:.+/-]+)*)\]")
_HEAD = re.compile(r"@(\w+)\s*\{\s*([^\s,{}]+)\s*,")
_FIELD = re.compile(r"\s*([\w-]+)\s*=\s*")
_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "c": "\u0327",
    "v": "\u030c",
    "=": "\u0304",
}
_ACCENT = re.compile(r"\\(['`^\"~=]|[cv](?=[\s{]))\s*\{?\\?([a-zA-Z])\}?")
_SPECIAL = {
    r"\ss": "ß",
    r"\o": "ø",
    r"\O": "Ø",
    r"\l": "ł",
    r"\L": "Ł",
    r"\ae": "æ",
    r"\aa": "å",
    r"\&": "&",
    r"\%": "%",
    r"\_": "_",
}


@dataclass(frozen=True)
class Entry:
    """One entry: its kind, key, fields (lower-case names, plain text) and the BibTeX source."""

    kind: str
    key: str
    fields: Mapping[str, str]
    source: str = field(compare=False)


def parse(text: str) -> dict[str, Entry]:
    """Return the entries of a BibTeX text by key, in its order.

    Raises:
        FormatError: an entry does not close, a field has no value, or a key appears twice.
    """
    entries: dict[str, Entry] = {}
    position = 0
    while (start := text.find("@", position)) >= 0:
        line_start = text.rfind("\n", 0, start) + 1
        if text[line_start:start].lstrip().startswith("%"):
            position = start + 1
            continue
        line = text.count("\n", 0, start) + 1
        head = _HEAD.match(text, start)
        if head is None:
            raise FormatError(f"BibTeX line {line}: expected `@kind{{key,`; found {text[start : start + 40]!r}")
        kind, key = head[1].lower(), head[2]
        fields, position = _fields(text, head.end(), f"BibTeX entry {key!r} (line {line})")
        if key in entries:
            raise FormatError(f"BibTeX line {line}: the key {key!r} appears twice")
        entries[key] = Entry(kind, key, fields, text[start:position])
    return entries


def _fields(text: str, position: int, where: str) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position >= len(text):
            raise FormatError(f"{where}: the closing brace is missing")
        if text[position] == "}":
            return fields, position + 1
        name = _FIELD.match(text, position)
        if name is None:
            raise FormatError(f"{where}: expected `name = value`; found {text[position : position + 40]!r}")
        value, position = _value(text, name.end(), where)
        fields[name[1].lower()] = plain(value)


def _value(text: str, position: int, where: str) -> tuple[str, int]:
    opening = text[position : position + 1]
    if opening not in ("{", '"'):
        bare = re.compile(r"[\w.-]+").match(text, position)
        if bare is None:
            raise FormatError(f"{where}: a field has no value")
        return bare[0], bare.end()
    depth, start = 0, position + 1
    for index in range(start, len(text)):
        letter = text[index]
        if depth == 0 and letter == ("}" if opening == "{" else '"'):
            return text[start:index], index + 1
        depth += {"{": 1, "}": -1}.get(letter, 0)
    raise FormatError(f"{where}: a value does not close")


def plain(text: str) -> str:
    """Return TeX text with accents as Unicode, without braces, with dashes and single spaces."""
    text = _ACCENT.sub(lambda found: unicodedata.normalize("NFC", found[2] + _ACCENTS[found[1]]), text)
    for command, letter in _SPECIAL.items():
        text = re.sub(re.escape(command) + (r"(?![a-zA-Z])\s?" if command[1].isalpha() else ""), letter, text)
    text = text.replace("{", "").replace("}", "").replace("---", "—").replace("--", "–").replace("~", " ")
    return " ".join(text.split())


def reference(entry: Entry) -> str:
    """Return an entry as one line of plain text: authors, title, place, year, DOI or address."""
    fields = entry.fields
    people = [_person(name) for name in re.split(r"\s+and\s+", fields.get("author", fields.get("editor", ""))) if name]
    if len(people) > 6:
        people = [*people[:5], "et al."]
    place = fields.get("journal") or fields.get("booktitle") or fields.get("publisher") or fields.get("howpublished") or ""
    volume = fields.get("volume", "") + (f"({fields['number']})" if "number" in fields else "")
    pages = fields.get("pages", "")
    place = ", ".join(part for part in (" ".join(part for part in (place, volume) if part), pages) if part)
    if not place and "eprint" in fields:
        place = f"arXiv:{fields['eprint']}"
    link = f"doi:{fields['doi']}" if "doi" in fields else "" if place.startswith("arXiv") else fields.get("url", "")
    parts = (", ".join(people), fields.get("title", ""), place, fields.get("year", ""), link)
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def _person(name: str) -> str:
    if "," in name:
        family, _, given = (part.strip() for part in name.partition(","))
    else:
        *front, family = name.split()
        given = " ".join(front)
    initials = " ".join("-".join(f"{part[0]}." for part in word.split("-") if part) for word in given.split())
    return f"{family} {initials}".strip() if name != "others" else "et al."


@lru_cache(maxsize=4)
def load(path: Path | None = None) -> Mapping[str, Entry]:
    """Return the entries of a .bib file; by default of the `references.bib` that travels with the package."""
    path = path or resource("references.bib")
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the bibliography {path}: {error}") from error


def lookup(key: str, entries: Mapping[str, Entry]) -> Entry:
    """Return the entry of a key, or raise ScimlError with keys that look like it."""
    if key in entries:
        return entries[key]
    from difflib import get_close_matches

    near = get_close_matches(key, entries, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "add it to references.bib"
    raise ScimlError(f"no reference has the key {key!r}; {hint}")


def methods_text(
    stages: Iterable[tuple[str, Mapping[str, Any]]],
    paragraphs: Mapping[str, Paragraph],
    entries: Mapping[str, Entry] | None = None,
) -> tuple[str, list[str]]:
    """Return the methods text as HTML and the keys of the cited references, in order of appearance.

    A paragraph is plain text; `[@key]` or `[@one; @two]` cites entries of `references.bib`. Equal paragraphs are written once,
    since a stage often runs many times with the same parameters.

    Args:
        stages: name and parameters of the stages that ran, in their order.
        paragraphs: the writer of each stage's paragraph; it takes the parameters and returns plain text.
        entries: the bibliography; by default the package's `references.bib`.

    Raises:
        ScimlError: there is no writer for a stage, or a cited key is unknown.
    """
    texts: dict[str, None] = {}
    for stage, parameters in stages:
        writer = paragraphs.get(stage)
        if writer is None:
            known = ", ".join(sorted(paragraphs)) or "none"
            raise ScimlError(f"the stage {stage!r} has no methods paragraph (known: {known}); pass its writer to the page")
        try:
            text = writer(parameters)
        except KeyError as error:
            raise ScimlError(f"the methods paragraph of {stage!r} needs the parameter {error}") from error
        texts.setdefault(" ".join(text.split()))
    cited: dict[str, int] = {}
    found = [_paragraph(text, cited, load() if entries is None else entries) for text in texts if text]
    return "\n".join(found), list(cited)


def _paragraph(text: str, cited: dict[str, int], entries: Mapping[str, Entry]) -> str:
    pieces, end = [], 0
    for found in _CITATION.finditer(text):
        keys = [key.strip().removeprefix("@") for key in found[1].split(";")]
        numbers = []
        for key in keys:
            lookup(key, entries)
            numbers.append(cited.setdefault(key, len(cited) + 1))
        links = ", ".join(f'<a href="#ref-{number}">{number}</a>' for number in numbers)
        pieces += [str(escape(text[end : found.start()])), f'<span class="cite">[{links}]</span>']
        end = found.end()
    return f"<p>{''.join(pieces)}{escape(text[end:])}</p>"
