"""The methods text: a paragraph for every stage that ran, filled with its real parameters, and the references that it cites.

Example:
    >>> blur = lambda parameters: f"Images were blurred with a Gaussian of {parameters['sigma_px']} pixels."
    >>> methods_text([("example.blur", {"sigma_px": 2})], {"example.blur": blur})
    ('<p>Images were blurred with a Gaussian of 2 pixels.</p>', [])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from markupsafe import escape

from sciml.report.bibliography.bibtex import Entry
from sciml.report.bibliography.references import load, lookup
from sciml.runtime.errors import ScimlError

Paragraph: TypeAlias = Callable[[Mapping[str, Any]], str]

# distribution, and how the software is called and cited
SOFTWARE = {
    "snakemake": "Snakemake {version} [@molder2021]",
    "torch": "PyTorch {version} [@paszke2019]",
    "jax": "JAX {version} [@bradbury2018]",
}

_CITATION = re.compile(r"\[(@[\w:.+/-]+(?:\s*;\s*@[\w:.+/-]+)*)\]")


def methods_text(
    stages: Iterable[tuple[str, Mapping[str, Any]]],
    paragraphs: Mapping[str, Paragraph],
    entries: Mapping[str, Entry] | None = None,
    closing: Iterable[str] = (),
) -> tuple[str, list[str]]:
    """Return the methods text as HTML and the keys of the cited references, in order of appearance.

    A paragraph is plain text; `[@key]` or `[@one; @two]` cites entries of `references.bib`. Equal paragraphs are written once,
    since a stage often runs many times with the same parameters.

    Args:
        stages: name and parameters of the stages that ran, in their order.
        paragraphs: the writer of each stage's paragraph; it takes the parameters and returns plain text.
        entries: the bibliography; by default the package's `references.bib`.
        closing: paragraphs that stand after those of the stages, for instance on data and software.

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
    texts |= dict.fromkeys(" ".join(text.split()) for text in closing)
    cited: dict[str, int] = {}
    found = [_paragraph(text, cited, load() if entries is None else entries) for text in texts if text]
    return "\n".join(found), list(cited)


def software_text(packages: Iterable[Mapping[str, str]], engine: str) -> str:
    """Return what ran the stages and what they computed with, with versions and citations.

    Args:
        packages: versions by distribution, of every provenance record.
        engine: the distribution that the stages computed with: `torch` or `jax`.
    """
    found = list(packages)

    def named(name: str) -> str:
        versions = sorted({versions[name] for versions in found if name in versions})
        return " ".join(SOFTWARE[name].format(version=" and ".join(versions)).split())

    return f"The stages are jobs of a workflow of {named('snakemake')}; they compute with {named(engine)}." if found else ""


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
