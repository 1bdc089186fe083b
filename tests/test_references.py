"""Every entry of `references.bib` is used, and what uses it reaches the list of references of a page."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from imports import ROOT

from sciml.datasets.cards import data_text
from sciml.datasets.manifest import packages, tracked
from sciml.deblurring.page.sweeps import published_text
from sciml.deblurring.study import published
from sciml.families import families
from sciml.imaging.tasks.catalogue import BUILT_IN
from sciml.imaging.tasks.paragraphs import PARAGRAPHS
from sciml.progression.settings.rates import QUOTED
from sciml.report.bibliography.references import load
from sciml.report.methods import methods_text

CITED = re.compile(r"@([a-z]+\d{4}\w*|[a-z]+)(?=[\];])")


def cited(text: str) -> set[str]:
    return set(methods_text([], {}, closing=[text])[1])


def test_the_data_of_a_run_are_cited_on_its_page():
    stage = SimpleNamespace(config={"digests": {f"{name}[0:1]": row.sha256 for name, row in tracked().items()} | {"mine": "0"}})
    text = data_text([stage, SimpleNamespace(config={})])
    assert cited(text) == {row.citation for row in tracked().values()} | {one.citation for one in packages().values()}
    assert "files of one's own: mine" in text and "camera" not in data_text([SimpleNamespace(config={"digests": {"mine": "0"}})])


def test_a_method_of_the_tables_is_cited_where_it_ran(monkeypatch):
    monkeypatch.setattr("sciml.imaging.tasks.paragraphs.is_installed", lambda method: True)
    for methods in (None, list(BUILT_IN)):
        assert {one.citation for one in BUILT_IN.values()} <= cited(PARAGRAPHS["imaging.solve"]({"methods": methods}))
    assert "dabov2007" not in cited(PARAGRAPHS["imaging.solve"]({"methods": ["tv"]}))


def test_published_values_are_cited_where_they_are_shown():
    shown = SimpleNamespace(sets={"radius": None, "angle-circular": None})
    assert cited(published_text(shown)) == set(published.METHODS)  # pyright: ignore[reportArgumentType]
    assert not published_text(SimpleNamespace(sets={"test": None}))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("family", sorted({one for row in tracked().values() for one in row.families} & set(families())))
def test_the_page_of_a_family_that_reads_data_cites_them(family):
    assert "data_text(" in (ROOT / family / "page" / "page.py").read_text(encoding="utf-8")


def test_no_reference_is_unreachable_or_unknown():
    """Reachable: in the text of a page, or named by data, a table of methods, a published curve or a quoted rate."""
    texts = [path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")]
    keys = {key for text in texts for key in CITED.findall(text)} - {"key", "one", "two"}
    keys |= {row.citation for row in tracked().values()} | {one.citation for one in packages().values()}
    keys |= {one.citation for one in BUILT_IN.values()} | set(published.METHODS) | {one.reference for one in QUOTED}
    assert keys == set(load())
