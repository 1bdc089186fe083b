"""References as a page prints them, with DOI, arXiv number and address as links.

Example:
    >>> line = reference(load()["rudin1992"])
    >>> line[:38], line[-32:]
    ('Rudin L. I., Osher S., Fatemi E. Nonli', 'doi:10.1016/0167-2789(92)90242-F')
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup, escape

from sciml.report.bibliography.bibtex import Entry, parse
from sciml.runtime.errors import DataError, ScimlError
from sciml.runtime.places import resource

MOST_PEOPLE = 6
# what links of references say of themselves; no other link may leave a page
EXTERNAL = "external noreferrer"


def reference(entry: Entry) -> str:
    """Return an entry as one line of plain text: authors, title, place, year, note and what identifies it."""
    return " ".join([_described(entry), *(text for text, _ in identifiers(entry))])


def reference_html(entry: Entry) -> Markup:
    """Return an entry as `reference` does, with links."""
    parts = [escape(_described(entry))]
    for text, link in identifiers(entry):
        parts.append(Markup('<a href="{}" rel="{}">{}</a>').format(link, EXTERNAL, text) if link else escape(text))
    return Markup(" ").join(parts)


def identifiers(entry: Entry) -> list[tuple[str, str]]:
    """Return what identifies an entry, each as text and link: DOI, arXiv number, ISBN (no link), address."""
    doi, eprint, isbn, url = (entry.text(name) for name in ("doi", "eprint", "isbn", "url"))
    found = [(f"doi:{doi}", f"https://doi.org/{doi}")] if doi else []
    found += [(f"arXiv:{eprint}", f"https://arxiv.org/abs/{eprint}")] if eprint else []
    found += [(f"ISBN {isbn}", "")] if isbn else []
    return found + ([(url, url)] if url else [])


def _described(entry: Entry) -> str:
    people = entry.people
    if len(people) > MOST_PEOPLE:
        people = [*people[: MOST_PEOPLE - 1], "et al."]
    volume = entry.text("volume") + (f"({entry.text('number')})" if "number" in entry.fields else "")
    home = entry.text("journal") or ", ".join(filter(None, (entry.text("booktitle"), entry.text("series"))))
    place = [f"{home} {volume}".strip(), entry.text("pages"), entry.text("publisher"), entry.text("howpublished")]
    parts = [", ".join(people), entry.text("title"), ", ".join(filter(None, place)), entry.text("year"), entry.text("note")]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


@lru_cache(maxsize=4)
def load(path: Path | None = None) -> Mapping[str, Entry]:
    """Return the entries of a .bib file; by default of the `references.bib` that travels with the package.

    Raises:
        DataError: the file cannot be read.
        FormatError: it is no BibTeX that the reader knows.
    """
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
