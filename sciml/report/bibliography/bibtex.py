r"""A reader of the BibTeX that `references.bib` needs: entries with braced, quoted or bare values.

There are no macros and no concatenation. Of TeX it knows accents, some letters, `\url` and dashes; any other command is refused
with its line.

Example:
    >>> entry = parse(r"@book{kak, author = {Kak, A. and {IEEE}}, title = {On {\"U}bung}, url = {https://a.b/~c}}")["kak"]
    >>> entry.text("title"), entry.people, entry.fields["url"]
    ('On Übung', ['Kak A.', 'IEEE'], 'https://a.b/~c')
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from sciml.runtime.errors import FormatError

# these hold no TeX
VERBATIM = frozenset({"doi", "eprint", "archiveprefix", "isbn", "url"})

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
_ACCENTED = r"\\(['`^\"~=]|[cv](?=[\s{]))\s*(?:\{\\?([a-zA-Z])\}|\\?([a-zA-Z]))"
_ACCENT = re.compile(rf"\{{{_ACCENTED}\}}|{_ACCENTED}")
_LETTERS = {r"\ss": "ß", r"\o": "ø", r"\O": "Ø", r"\l": "ł", r"\L": "Ł", r"\ae": "æ", r"\aa": "å"}
_LETTER = re.compile(r"(\\(?:ss|o|O|l|L|ae|aa))(?![a-zA-Z])\s?")
_ADDRESS = re.compile(r"\\url\s*\{([^{}]*)\}")
_COMMAND = re.compile(r"\\(?:[a-zA-Z]+|.?)")


@dataclass(frozen=True)
class Entry:
    """One entry.

    Attributes:
        kind: `article`, `book` and so on.
        key: what cites it.
        fields: lower-case names and values, with accents as Unicode; braces stay, since they hold names together.
        source: the BibTeX text.
    """

    kind: str
    key: str
    fields: Mapping[str, str]
    source: str = field(compare=False)

    def text(self, name: str) -> str:
        """Return a field as plain text; empty where it is absent."""
        value = self.fields.get(name, "")
        return value if name in VERBATIM else unbraced(value)

    @property
    def people(self) -> list[str]:
        """The authors, or else the editors, each as `Family I. N.`; a name in braces, such as a company's, stays as it is."""
        names = _split(self.fields.get("author") or self.fields.get("editor", ""))
        return [_person(name) for name in names]


def parse(text: str) -> dict[str, Entry]:
    """Return the entries of a BibTeX text by key, in its order.

    Raises:
        FormatError: an entry does not close, a field has no value, a key appears twice, or a TeX command is unknown.
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
        known = name[1].lower()
        fields[known] = value.strip() if known in VERBATIM else _letters(value, text.count("\n", 0, name.start(1)) + 1)


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


def _letters(text: str, line: int) -> str:
    """Return TeX text with accents, letters, dashes and spaces as Unicode, addresses as they stand, and the braces kept."""
    return "".join(part if number % 2 else _prose(part, line) for number, part in enumerate(_ADDRESS.split(text)))


def _prose(text: str, line: int) -> str:
    text = _ACCENT.sub(_accented, text)
    text = _LETTER.sub(lambda found: _LETTERS[found[1]], text)
    text = re.sub(r"\\([&%_$#])", r"\1", text)
    if (unknown := _COMMAND.search(text)) is not None:
        raise FormatError(f"BibTeX line {line}: the TeX command {unknown[0]!r} is unknown; write the letter itself")
    return text.replace("---", "—").replace("--", "–").replace("~", " ")


def _accented(found: re.Match[str]) -> str:
    accent, letter = (part for part in found.groups() if part)
    return unicodedata.normalize("NFC", letter + _ACCENTS[accent])


def unbraced(text: str) -> str:
    """Return a value without its braces and with single spaces."""
    return " ".join(text.replace("{", "").replace("}", "").split())


def _split(names: str) -> list[str]:
    """Return the names between the words `and` that stand outside braces."""
    parts, depth = [""], 0
    for word in re.split(r"(\s+and\s+|[{}])", names):
        depth += {"{": 1, "}": -1}.get(word, 0)
        if depth == 0 and word.strip() == "and":
            parts.append("")
        else:
            parts[-1] += word
    return [part.strip() for part in parts if part.strip()]


def _person(name: str) -> str:
    if name == "others":
        return "et al."
    if name.startswith("{") and name.endswith("}"):
        return unbraced(name)
    name = unbraced(name)
    if "," in name:
        family, _, given = (part.strip() for part in name.partition(","))
    else:
        *front, family = name.split()
        given = " ".join(front)
    initials = " ".join("-".join(f"{part[0]}." for part in word.split("-") if part) for word in given.split())
    return f"{family} {initials}".strip()
