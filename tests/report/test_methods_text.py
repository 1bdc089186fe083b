import pytest

from sciml.report import bibliography, methods
from sciml.runtime.errors import FormatError, ScimlError

BIB = r"""
% a comment with @ sign
@article{rudin1992, author = {Rudin, Leonid I. and Osher, Stanley and Fatemi, Emad}, title = "{N}onlinear total variation",
  journal = {Physica D}, volume = 60, number = {1-4}, pages = {259--268}, year = 1992, doi = {10.1016/x}}
@misc{garcia2020, author = {Garc{\'\i}a, Jos\'e and M{\"u}ller, K.}, title = {On <b>tags</b>},
  year = {2020}, eprint = {2001.00001}}
"""


def test_parser_reads_fields_and_accents():
    entries = bibliography.parse(BIB)
    assert list(entries) == ["rudin1992", "garcia2020"]
    assert bibliography.reference(entries["rudin1992"]).startswith(
        "Rudin L. I., Osher S., Fatemi E. Nonlinear total variation. Physica D 60(1-4), 259–268"
    )
    assert "Müller K." in bibliography.reference(entries["garcia2020"])
    assert entries["rudin1992"].source.startswith("@article{rudin1992") and entries["rudin1992"].source.endswith("}}")


@pytest.mark.parametrize("text", ["@article{x, title = {open", "@article{x, title}", "@article{}", "@a{x, y={1}}\n@a{x, y={2}}"])
def test_parser_refuses(text):
    with pytest.raises(FormatError):
        bibliography.parse(text)


def test_methods_text(monkeypatch):
    monkeypatch.setattr(methods, "_PARAGRAPHS", {})
    entries = bibliography.parse(BIB)

    @methods.stage_paragraph("t.tv")
    def tv(parameters):
        return f"TV <{parameters['weight']}> [@rudin1992; @garcia2020] and again [@rudin1992]."

    stage = {"stage": "t.tv", "parameters": {"weight": 0.1}}
    html, keys = methods.methods_text([stage, stage], entries)
    assert keys == ["rudin1992", "garcia2020"] and html.count("<p>") == 1 and "&lt;0.1&gt;" in html
    with pytest.raises(ScimlError, match="rudin1992"):
        methods.methods_text([stage], {})
    with pytest.raises(ScimlError, match="no methods paragraph"):
        methods.methods_text([{"stage": "t.none"}], entries)
    with pytest.raises(ScimlError, match="weight"):
        methods.methods_text([{"stage": "t.tv", "parameters": {}}], entries)
