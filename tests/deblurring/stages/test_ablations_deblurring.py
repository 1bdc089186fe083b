"""The page of the ablations: differences to the reference pair by pair, and what happens without fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from deblurring_page_artefacts import write_dip

from sciml.deblurring.config import PageConfig
from sciml.deblurring.page.results import read_dip
from sciml.deblurring.stages import ablate_report
from sciml.report.check import check_page
from sciml.report.reportlets import Spread
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json

SETTINGS = PageConfig.model_validate({"tier": "cpu", "data_tier": "default", "sets": ("test",)})


@pytest.fixture
def ablations(tmp_path: Path) -> Path:
    """Fits with a reference and one change, on two pairs."""
    write_dip(tmp_path)
    for path in (tmp_path / "dip").glob("*/runs.json"):
        found = read_json(path)
        names = {"residual/warm": "reference", "none/warm": "mode none"}
        found["runs"] = [{**run, "cell": names[run["cell"]]} for run in found["runs"] if run["cell"] in names]
        for run in found["runs"]:
            run["psnr_network"] -= 0.4 * (run["cell"] == "mode none") * (run["photograph"] == "two")
        found["seeds"] = []
        write_json(path, found)
    return tmp_path / "dip"


def test_a_change_is_compared_with_the_reference_pair_by_pair(ablations):
    found = read_dip(ablations)
    assert found is not None
    table = ablate_report.ablations(found)
    rows = {one.name: one.numbers for one in table}
    assert table[0].name == "reference"
    assert rows["reference"]["gain"] == "reference"
    gain = rows["mode none"]["gain"]
    assert isinstance(gain, Spread)
    assert gain.mean == pytest.approx(-0.2)
    assert rows["mode none"]["worst"] == pytest.approx(-0.4)


def test_the_page_is_whole(ablations, tmp_path):
    (page,) = ablate_report.run(SETTINGS, ablations, tmp_path / "deblurring-ablations.html")
    check_page(page)
    assert "What each term is worth" in page.read_text(encoding="utf-8")


def test_without_fits_the_command_is_named(tmp_path):
    with pytest.raises(DataError, match="make ablations FAMILY=deblurring"):
        ablate_report.run(SETTINGS, tmp_path, tmp_path / "page.html")
