"""The methods text: paragraphs that stages declare, filled with the parameters of what really ran.

Example:
    >>> @stage_paragraph("example.blur")
    ... def blur(parameters):
    ...     return f"Images were blurred with a Gaussian of {parameters['sigma_px']} pixels."
    >>> methods_text([{"stage": "example.blur", "parameters": {"sigma_px": 2}}])
    ('<p>Images were blurred with a Gaussian of 2 pixels.</p>', [])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from markupsafe import escape

from sciml.report import bibliography
from sciml.runtime.errors import ScimlError

Paragraph: TypeAlias = Callable[[Mapping[str, Any]], str]

_PARAGRAPHS: dict[str, Paragraph] = {}
_CITATION = re.compile(r"\[(@[\w:.+/-]+(?:\s*;\s*@[\w:.+/-]+)*)\]")


def stage_paragraph(stage: str) -> Callable[[Paragraph], Paragraph]:
    """Register a function as the writer of a stage's paragraph.

    The function takes the stage's parameters and returns plain text; `[@key]` or `[@one; @two]` cites
    entries of `references.bib`.

    Args:
        stage: dotted name, for instance `imaging.solve`.
    """

    def register(writer: Paragraph) -> Paragraph:
        other = _PARAGRAPHS.get(stage)
        # a module that is imported again under the same name may bring its paragraph again
        if other is not None and (other.__module__, other.__qualname__) != (writer.__module__, writer.__qualname__):
            raise ScimlError(f"the stage {stage!r} has a paragraph already, in {other.__module__}")
        _PARAGRAPHS[stage] = writer
        return writer

    return register


def register(paragraphs: Mapping[str, Paragraph]) -> None:
    """Register the writers of several stages, by stage; those that are registered already may come again."""
    for stage, writer in paragraphs.items():
        stage_paragraph(stage)(writer)


def methods_text(
    stages: Sequence[Mapping[str, Any]], entries: Mapping[str, bibliography.Entry] | None = None
) -> tuple[str, list[str]]:
    """Return the methods text as HTML and the keys of the cited references, in order of appearance.

    Equal paragraphs are written once, since a stage often runs many times with the same parameters.

    Args:
        stages: `{"stage": name, "parameters": {...}}` of the stages that ran, in their order.
        entries: the bibliography; by default the package's `references.bib`.

    Raises:
        ScimlError: no paragraph is registered for a stage, or a cited key is unknown.
    """
    texts: dict[str, None] = {}
    for item in stages:
        stage = str(item["stage"])
        writer = _PARAGRAPHS.get(stage)
        if writer is None:
            known = ", ".join(sorted(_PARAGRAPHS)) or "none"
            raise ScimlError(
                f"the stage {stage!r} has no methods paragraph (known: {known}); import the module that registers it"
            )
        try:
            text = writer(item.get("parameters", {}))
        except KeyError as error:
            raise ScimlError(f"the methods paragraph of {stage!r} needs the parameter {error}") from error
        texts.setdefault(" ".join(text.split()))
    cited: dict[str, int] = {}
    paragraphs = [_paragraph(text, cited, entries) for text in texts if text]
    return "\n".join(paragraphs), list(cited)


def _paragraph(text: str, cited: dict[str, int], entries: Mapping[str, bibliography.Entry] | None) -> str:
    pieces, end = [], 0
    for found in _CITATION.finditer(text):
        keys = [key.strip().removeprefix("@") for key in found[1].split(";")]
        numbers = []
        for key in keys:
            bibliography.lookup(key, bibliography.load() if entries is None else entries)
            numbers.append(cited.setdefault(key, len(cited) + 1))
        links = ", ".join(f'<a href="#ref-{number}">{number}</a>' for number in numbers)
        pieces += [str(escape(text[end : found.start()])), f'<span class="cite">[{links}]</span>']
        end = found.end()
    return f"<p>{''.join(pieces)}{escape(text[end:])}</p>"
