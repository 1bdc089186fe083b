"""The reader of BibTeX, and what it makes of the real `references.bib`."""

import re

import pytest

from sciml.report.bibliography.bibtex import parse
from sciml.report.bibliography.references import identifiers, load, reference, reference_html
from sciml.report.methods import SOFTWARE, software_text
from sciml.runtime.errors import FormatError

BIB = r"""
% a comment with @ sign
@article{rudin1992, author = {Rudin, Leonid I. and Osher, Stanley and Fatemi, Emad}, title = "{N}onlinear total variation",
  journal = {Physica D}, volume = 60, number = {1-4}, pages = {259--68}, year = 1992, doi = {10.1016/x}}
@misc{garcia2020, author = {Garc{\'\i}a, Jos\'e and M{\"u}ller, K.}, title = {On <b>tags</b>},
  year = {2020}, eprint = {2001.00001}, note = {In parts}}
@misc{firm, author = {{Lamp and Bulb Company} and van der Berg, Jan}, title = {Pictures}, series = {Old},
  howpublished = {\url{https://a.org/~b--c}}}
"""


def test_entries_are_printed_with_all_they_hold():
    entries = parse(BIB)
    assert {key: reference(entry) for key, entry in entries.items()} == {
        "rudin1992": "Rudin L. I., Osher S., Fatemi E. Nonlinear total variation. Physica D 60(1-4), 259–68. 1992. doi:10.1016/x",
        "garcia2020": "García J., Müller K. On <b>tags</b>. 2020. In parts. arXiv:2001.00001",
        "firm": "Lamp and Bulb Company, van der Berg J. Pictures. Old, https://a.org/~b--c.",
    }
    assert entries["rudin1992"].source.startswith("@article{rudin1992") and entries["rudin1992"].source.endswith("}}")
    html = reference_html(entries["garcia2020"])
    assert "&lt;b&gt;" in html and '<a href="https://arxiv.org/abs/2001.00001" rel="external noreferrer">arXiv:2001' in html


@pytest.mark.parametrize(
    "text, words",
    [
        ("@article{x, title = {open", "does not close"),
        ("@article{x, title}", "name = value"),
        ("@article{}", "line 1"),
        ("@a{x, y={1}}\n@a{x, y={2}}", "line 2.*twice"),
        ("@a{x,\n y={1},\n title={\\textit{no}}}", r"line 3: the TeX command '\\\\textit'"),
    ],
)
def test_what_is_no_bibtex_is_refused_with_its_line(text, words):
    with pytest.raises(FormatError, match=words):
        parse(text)


def test_every_reference_of_the_project_has_what_finds_it():
    """DOI, arXiv number, ISBN or address; pages of papers in journals; and no TeX is left."""
    entries = load()
    assert len(entries) > 80
    assert not [key for key, entry in entries.items() if not identifiers(entry)]
    assert not [key for key, entry in entries.items() if "eprint" in entry.fields and entry.text("archiveprefix") != "arXiv"]
    papers = [entry for entry in entries.values() if entry.kind == "article"]
    assert not [entry.key for entry in papers if not all(map(entry.text, ("author", "journal", "volume", "pages", "year")))]
    assert not [line for line in map(reference, entries.values()) if re.search(r"[{}\\]|\.\.(?!\.)|\band\b [A-Z]\.", line[:200])]
    assert reference(entries["kodak1993"]).startswith("Eastman Kodak Company. ")


def test_software_is_cited_with_the_versions_that_ran():
    packages = [{"torch": "2.13.0", "snakemake": "9.27.1"}, {"torch": "2.14.0", "snakemake": "9.27.1"}]
    assert software_text(packages, "torch") == (
        "The stages are jobs of a workflow of Snakemake 9.27.1 [@molder2021]; "
        "they compute with PyTorch 2.13.0 and 2.14.0 [@paszke2019]."
    )
    assert not software_text([], "jax") and {*re.findall(r"@(\w+)", " ".join(SOFTWARE.values()))} <= set(load())
