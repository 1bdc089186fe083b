import re

import pytest
from browser import contrast

from sciml.report import Curve, rendering
from sciml.report.graphics.charts import spec, static_drawing
from sciml.report.graphics.drawing import panels
from sciml.report.graphics.palette import COLOURS, TOKENS, Palette
from sciml.runtime.errors import ScimlError


def curve(*names):
    rows = [{"x": x, "y": x + place, "of": name} for place, name in enumerate(names) for x in (1, 2)]
    return Curve("t", rows, "x", "y", "of", "x", "y", "c", "a", log_x=True)


def drawn(curve, palette):
    """Return colour and dash by series, as Vega draws them."""
    encoding = spec(curve, palette)["encoding"]
    colour, dash = (encoding[key]["scale"] for key in ("color", "strokeDash"))
    return dict(zip(colour["domain"], zip(colour["range"], map(tuple, dash["range"]), strict=True), strict=True))


def test_a_series_looks_alike_in_all_charts_of_a_page():
    palette = Palette(["ours"])
    first, second = drawn(curve("AVIF", "ours", "JPEG"), palette), drawn(curve("JPEG", "new", "ours"), palette)
    assert first["ours"] == second["ours"] and first["ours"][0] == TOKENS[0] and first["JPEG"] == second["JPEG"]
    assert len({look[0] for look in second.values()}) == 3


def test_many_series_stay_distinct_and_more_are_refused():
    names = [f"series {number}" for number in range(42)]
    looks = drawn(curve(*names), Palette())
    assert len(set(looks.values())) == len(names) and len({look[0] for look in list(looks.values())[:7]}) == 7
    with pytest.raises(ScimlError, match="at most 42 series"):
        drawn(curve(*names, "one more"), Palette())


def test_colours_are_seen_on_the_ground_of_their_scheme():
    style = (rendering.FOLDER / "templates" / "style.css").read_text(encoding="utf-8")

    def rgb(text):
        return [int(text[place : place + 2], 16) for place in (1, 3, 5)]

    schemes = re.findall(r"--card: (#\w{6}).*?((?:--s\d: #\w{6}; ?)+)", style, re.DOTALL)
    assert len(schemes) == 3 and tuple(re.findall(r"#\w{6}", schemes[0][1])) == COLOURS
    for ground, colours in schemes:
        found = re.findall(r"#\w{6}", colours)
        assert len(set(found)) == len(COLOURS)
        assert all(contrast(rgb(colour), rgb(ground)) >= 3 for colour in found), ground


def test_a_logarithmic_axis_ends_with_the_data():
    assert spec(curve("a"))["encoding"]["x"]["scale"] == {"type": "log", "nice": False}


def test_a_drawing_follows_the_scheme_and_holds_its_numbers():
    def draw(axes, _):
        axes[0].plot([1, 2], [3, 4.5], color=COLOURS[1], label="ours")
        axes[0].scatter([0], [1], label="<dot>")
        axes[0].axhline(7)
        axes[1].imshow([[1.0, 2.0]])
        axes[1].set_title("map")

    made = panels(2, (4, 2), draw)
    assert f"var({TOKENS[1]})" in made.svg and COLOURS[1] not in made.svg and "var(--ink)" in made.svg
    assert not re.search(r"<style|<script|<metadata|#000000", made.svg) and made.svg == panels(2, (4, 2), draw).svg
    assert made.rows == [
        {"panel": "panel 1", "series": "ours", "x": 1, "y": 3},
        {"panel": "panel 1", "series": "ours", "x": 2, "y": 4.5},
        {"panel": "panel 1", "series": "<dot>", "x": 0, "y": 1},
        {"panel": "map", "series": "map", "x": 0, "y": 0, "value": 1},
        {"panel": "map", "series": "map", "x": 1, "y": 0, "value": 2},
    ]
    names = set(re.findall(r' id="([^"]+)"', made.svg))
    other = panels(2, (4, 2.5), draw)
    assert names and not names & set(re.findall(r' id="([^"]+)"', other.svg))
    assert len(static_drawing(curve("a", "b")).rows) == 4
