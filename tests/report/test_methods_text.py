import pytest

from sciml.report import methods
from sciml.report.bibliography.bibtex import parse
from sciml.runtime.errors import ScimlError

BIB = r"""
% a comment with @ sign
@article{rudin1992, author = {Rudin, Leonid I. and Osher, Stanley and Fatemi, Emad}, title = "{N}onlinear total variation",
  journal = {Physica D}, volume = 60, number = {1-4}, pages = {259--268}, year = 1992, doi = {10.1016/x}}
@misc{garcia2020, author = {Garc{\'\i}a, Jos\'e and M{\"u}ller, K.}, title = {On <b>tags</b>},
  year = {2020}, eprint = {2001.00001}}
"""


def test_methods_text():
    entries = parse(BIB)

    def tv(parameters):
        return f"TV <{parameters['weight']}> [@rudin1992; @garcia2020] and again [@rudin1992]."

    stage = ("t.tv", {"weight": 0.1})
    html, keys = methods.methods_text([stage, stage], {"t.tv": tv}, entries)
    assert keys == ["rudin1992", "garcia2020"] and html.count("<p>") == 1 and "&lt;0.1&gt;" in html
    for stages, known, word in (
        ([stage], {}, "rudin1992"),
        ([("t.none", {})], entries, "no methods paragraph"),
        ([("t.tv", {})], entries, "weight"),
    ):
        with pytest.raises(ScimlError, match=word):
            methods.methods_text(stages, {"t.tv": tv}, known)
