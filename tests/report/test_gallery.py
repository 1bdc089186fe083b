"""The gallery of a run: a picture and the answer of every page, and nothing whose data may not be shown."""

from __future__ import annotations

import re

import numpy as np
import pytest
from demo_page import record

from sciml.families import families
from sciml.report import Slider, StudyPage, write_page
from sciml.report.overview.gallery import BYTES, chosen, write_gallery
from sciml.runtime.errors import DataError
from sciml.runtime.places import resource

NOISE = np.random.default_rng(0).random((3, 40, 60, 3))


def slider(alt: str) -> Slider:
    return Slider("Pictures", {"measured": NOISE[0], "ours": NOISE[1], "truth": NOISE[2]}, "A caption.", alt)


def page(folder, *alts: str, banner: str | None = None):
    made = StudyPage(
        "demo",
        "A demo",
        "Does it?",
        "ci",
        "It does.",
        picture=slider(alts[0]),
        banner=banner,
        records=[record()],
        paragraphs={"demo.solve": lambda _: "It was solved."},
    )
    path = folder / "demo.html"
    write_page(made, path)
    text = path.read_text()
    more = "".join(
        f"<img alt='{label}: {alt}' src='data:image/png;base64,{png}'>"
        for alt in alts[1:]
        for label, png in (("a", "AAAA"), ("b", "BBBB"))
    )
    path.write_text(text.replace("</main>", f"{more}</main>"))
    return path


def test_pictures_of_free_data_are_taken_and_named_with_licence_and_author(tmp_path):
    shown, credit = chosen(page(tmp_path, "Denoising, kodim23", "Denoising, casa-mila"), False)
    assert shown.subject == "Denoising, casa-mila" and list(shown.pictures) == ["a", "b"]
    assert credit == "casa-mila (CC0-1.0, Budgie Desktop Developers)"
    shown, _ = chosen(page(tmp_path, "Denoising, coffee", "Denoising, kodim23"), False)
    assert shown.subject == "Denoising, coffee" and list(shown.pictures) == ["measured", "ours", "truth"]


def test_without_free_data_a_diagram_is_taken_and_without_one_none(tmp_path):
    made = page(tmp_path, "Denoising, kodim23")
    with pytest.raises(DataError, match="no picture that may be shown"):
        chosen(made, False)
    assert chosen(made, True)[1] == "simulated fields"
    diagram = "<img alt='error over time' src='data:image/png;base64,AAAA'></main>"
    made.write_text(made.read_text().replace("</main>", diagram))
    assert chosen(made, False)[0].subject == "error over time"


def test_the_page_has_answer_picture_and_links_and_small_files(tmp_path):
    page(tmp_path, "fields of one run", banner="Everything is simulated.")
    text = write_gallery(tmp_path, tmp_path / "docs").read_text()
    assert "It does." in text and "![fields of one run](gallery/demo.webp)" in text and "measured; ours; truth" in text
    assert "[manual](demo.md)" in text and "make demo FAMILY=demo" in text
    assert (tmp_path / "docs" / "gallery" / "demo.webp").stat().st_size <= BYTES


def test_the_gallery_of_the_manuals_has_every_family():
    folder = resource("docs", "gallery.md").parent
    text = (folder / "gallery.md").read_text()
    for family in families("family"):
        assert f"make demo FAMILY={family}`" in text and (folder / "gallery" / f"{family}.webp").stat().st_size <= BYTES
    pictures = re.findall(r"\]\((gallery/[\w.]+)\)", text)
    assert sorted(pictures) == sorted(path.relative_to(folder).as_posix() for path in (folder / "gallery").iterdir())
