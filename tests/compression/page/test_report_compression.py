"""The page of the study from a made-up results folder: claims by hand, pictures, missing parts, the same bytes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from compression_page_artefacts import LEVELS, NAMES, OTHERS, SHOWN, STRUCTURE, write_study

from sciml.compression.entropy.rules import WEIGHT_BOUNDS
from sciml.compression.page.checks import KINDS, check_reportlets
from sciml.compression.page.claims import claims
from sciml.compression.page.limits import limits, missing, winning_ranges, winning_words
from sciml.compression.page.lossless.claims import lossless_claims
from sciml.compression.page.lossless.tables import lossless_reportlets
from sciml.compression.page.methods import PARAGRAPHS
from sciml.compression.page.page import answer, banner, numbers, settings_of, study_page
from sciml.compression.page.published import AGAINST_VTM, HYPERPRIOR, POINTS, against_jpeg, published_curve
from sciml.compression.page.rates import bd_table, fixed_rates, lead_curve, times
from sciml.compression.page.results import StudyResults, read_study
from sciml.compression.page.vectors import vector_reportlets
from sciml.compression.settings.stages import PageConfig
from sciml.compression.stages import report
from sciml.compression.study.curves import bd_rate
from sciml.compression.study.quality import MS_SSIM, PSNR
from sciml.report.check import check_page
from sciml.report.reportlets import Checks, Claim, Figure, Gallery, Slider, Table
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json

SETTINGS = PageConfig(tier="cpu", domains=("photo",), networks=("photo",), neural=("photo",), weights="trained")

# of every study that was asked for, which is kept with them
CLAIMS: dict[int, tuple[StudyResults, list[Claim]]] = {}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("results")
    write_study(root)
    return root


@pytest.fixture(scope="module")
def study(results) -> StudyResults:
    return read_study(results, SETTINGS)


def changed(results: Path, tmp_path: Path, name: str, change) -> StudyResults:
    """Return the study with one JSON file of the photographs changed."""
    root = tmp_path / "results"
    shutil.copytree(results, root)
    content = read_json(root / "photo" / name)
    change(content)
    write_json(root / "photo" / name, content)
    return read_study(root, SETTINGS)


def one(study: StudyResults, *words: str) -> Claim:
    """Return the claim with all of these words."""
    if id(study) not in CLAIMS:
        CLAIMS[id(study)] = study, list(claims(study.main))
    (found,) = [claim for claim in CLAIMS[id(study)][1] if all(word in claim.text for word in words)]
    return found


@pytest.mark.slow
def test_the_page_is_sound_whole_and_the_same_again(results, tmp_path):
    paths = [tmp_path / name for name in ("one.html", "two.html")]
    for path in paths:
        report.run(SETTINGS, results, path)
    html = paths[0].read_text(encoding="utf-8")
    assert check_page(paths[0]) == [] and paths[0].read_bytes() == paths[1].read_bytes()
    for heading in (
        "BD-rate against JPEG", "BD-rate against AVIF", "PSNR at equal rate", "MS-SSIM at equal rate", "Times on one core",
        "Rate and PSNR of every picture", "Lead over WebP", "Bits by band of planes", "Where the bytes of a file are",
        "What the classes are worth", "Bits and classes over one picture", "Probability tables", "Training of the network",
        "Training of the neural preset", "Codebooks of the neural preset",
        "Ours: PSNR at equal rate and bits", "Ours, tuned for MS-SSIM: MS-SSIM at equal rate", "Spread over the crops",
        "Times of one crop", "One file, layer by layer", "published, other pictures, not run", "sail, enlarged",
    ):  # fmt: skip
        assert heading in html, heading
    assert "Not run" not in html and "\u2014" not in html.partition("Provenance</h2>")[0].partition("<body")[2]


def test_leads_over_webp_and_avif_by_hand(study):
    # straight lines over the logarithm of the rate: PCHIP gives them back
    found = one(study, "PSNR above WebP at 0.25")
    assert found.ours == pytest.approx(LEVELS["nic"] - LEVELS["webp"], abs=0.006) and found.status == "met"
    assert "42 crops of 21 photographs; lost on 0 %" in found.text
    assert one(study, "PSNR above WebP at 0.15, 0.5, 1").status == "met"
    # AVIF is 0.05 dB below on one half of the crops and 0.95 above on the other
    found = one(study, "PSNR above AVIF at its default speed")
    assert found.ours == pytest.approx(0.05 - 0.5, abs=0.006) and found.status == "missed" and "lost on 50 %" in found.text
    found = one(study, "Crops on which PSNR is below AVIF at its default speed")
    assert found.ours == 50 and found.status == "missed" and "(50, 50, 50, 50 %; 42 crops of 21 photographs)" in found.text
    found = one(study, "Crops on which PSNR is below AVIF at speed 3")
    assert found.ours == 100 and found.status == "missed"
    assert one(study, "PSNR gained from 0.5 to 1 bpp").ours == pytest.approx(0, abs=0.006)


def test_bd_rates_by_hand(study):
    # 3 dB for a factor of two in rate
    for anchor, title in (("jpeg", "JPEG"), ("webp", "WebP"), ("hevc-444", "HEVC")):
        found = next(claim for claim in claims(study.main) if claim.text.startswith(f"BD-rate against {title} "))
        level = (LEVELS | OTHERS)[anchor]
        assert found.ours == pytest.approx(100 * (2 ** (-(LEVELS["nic"] - level) / 3) - 1), abs=0.06)
        assert found.status == "met"
    one_half, other = (100 * (2 ** (-(LEVELS["nic"] - LEVELS["avif"] - more) / 3) - 1) for more in (0, 1))
    assert one(study, "BD-rate against AVIF at its default").ours == pytest.approx((one_half + other) / 2, abs=0.06)
    table = bd_table(study.main, "avif")
    row = {row["codec"]: row for row in table.rows}["ours"]
    assert row["psnr_db.mean"] == pytest.approx(100 * (2 ** (-0.05 / 3) - 1), abs=0.01) and row["psnr_db.pictures"] == "9 of 9"
    assert row["ms_ssim.mean"] == pytest.approx(100 * (2 ** ((STRUCTURE["avif"] - STRUCTURE["nic"]) / 2) - 1), abs=0.1)


def test_comparisons_that_others_win_stand_on_the_page(study):
    assert one(study, "Tuned for MS-SSIM").status == "met"
    found = one(study, HYPERPRIOR, "on Kodak's")
    assert found.reference == pytest.approx(against_jpeg(HYPERPRIOR), abs=0.05) and "not run" in found.source
    words = " ".join(limits(study))
    assert "ours, mean PSNR: AVIF, speed 6 at 0.15, 0.25, 0.5 and 1 bpp;" in words and "28 photographs" not in words
    assert "ours, tuned for MS-SSIM, mean MS-SSIM: no codec is ahead." in words
    assert "AVIF wins everywhere" in winning_words(study.main, "avif", MS_SSIM)
    assert "nowhere" in winning_words(study.main, "avif", PSNR) and winning_words(study.main, "absent", PSNR) == ""


def test_the_first_screen_answers_with_the_crops_that_judge(study):
    said = answer(study.main)
    assert said.startswith("Bits of ours at equal PSNR, on 42 crops of 21 photographs") and "more on 100 % of the crops" in said
    assert "AVIF, speed 3 is ahead at 0.15, 0.25, 0.5 and 1 bpp on the mean" in said
    shown = list(numbers(study.main))
    assert len(shown) == 6 and shown[2].interval is not None and "more on 100 %" in shown[2].text
    bare = dataclasses.replace(study.main, margins=None)
    assert "no claim is made" in answer(bare) and list(numbers(bare)) == []


def test_what_the_neural_preset_wins_and_loses_is_said(study):
    for other, words in (("nic", "ours"), ("jpeg", "JPEG"), ("webp", "WebP")):
        found = one(study, f"Neural preset beside {words}:")
        lead = LEVELS["nic-neural"] - LEVELS[other]
        assert found.ours == pytest.approx(100 * (2 ** (-lead / 3) - 1), abs=0.06)
        assert found.status == ("met" if lead > 0 else "missed") and f"lost on {0 if lead > 0 else 100} %" in found.text


def test_what_was_not_judged_is_told(results, tmp_path):
    def without(curves):
        del curves["points"]["nic-neural"], curves["codecs"]["nic-neural"]

    bare = changed(results, tmp_path, "judge/curves.json", without)
    assert one(bare, "Neural preset beside JPEG").status == "not run"
    assert one(bare, "PSNR above WebP at 0.25").status == "met"


def test_where_a_peer_wins_is_found_on_the_curves(results, tmp_path):
    def steeper(bench):
        for row in bench["rows"]:
            if row["codec"] == "jpegxl":
                # 3 dB below at 1/4 bit a pixel, 4.5 dB a doubling: equal at half a bit... 28.5 = 29.5 + 3 d - 1.5 d at d = 2
                row["psnr_db"] += 1.5 * np.log2(row["rate_bpp"] / 0.25)

    found = winning_ranges(changed(results, tmp_path, "evaluate/bench.json", steeper).main, "jpegxl", PSNR)
    assert found is not None
    ((start, stop),), (low, high) = found
    assert start == pytest.approx(0.25 * 2**2, rel=0.02) and stop == high and low < start


def test_published_points_agree_with_the_published_bd_rates():
    # the whole files have points at higher rates, where the learned ones are nearer to VTM
    for name in (HYPERPRIOR, "scale hyperprior", "factorised prior"):
        found = bd_rate(published_curve("VVC (VTM)"), published_curve(name)).percent
        assert found == pytest.approx(AGAINST_VTM[name], abs=12)
    assert set(POINTS) == set(AGAINST_VTM) and against_jpeg("WebP") == pytest.approx(-40, abs=8)


def test_claims_about_files(study):
    assert one(study, "One model from").ours == len(NAMES) and one(study, "One model from").status == "met"
    assert one(study, "Payload within").status == "met" and one(study, "progressive layer").ours == 9 * 3 * 3
    assert one(study, "Decoded codes").ours == 9


def test_failing_files_are_told(results, tmp_path):
    def spoil(numbers):
        numbers["rows"][0]["layers"][1]["bytes"] += 400
        numbers["rows"][0]["layers"][2]["psnr_db"] = 0.0
        numbers["processes"][0]["codes_equal"] = False
        numbers["damage"]["found"] = 499
        numbers["seams"][0]["step_tiled"] = 9.0
        numbers["equal"][3]["bytes"] = 11_000
        numbers["sums"]["mean"] = 53.5

    found = changed(results, tmp_path, "inspect/inspect.json", spoil)
    assert [one(found, words).status for words in ("Payload within", "progressive layer")] == ["missed", "missed"]
    assert one(found, "Decoded codes").status == "missed"
    (checks,) = [item for item in check_reportlets(found.main) if isinstance(item, Checks)]
    failed = [check.name for check in checks.checks if not check.passed]
    assert set(KINDS) == set(WEIGHT_BOUNDS)
    for words in ("whole sums", "equal codes", "damage", "payload", "raise the PSNR", "seams", "equal bytes, barbara"):
        assert sum(name.startswith(words) or words in name for name in failed) == 1, words


def test_quality_that_does_not_rise_is_told(results, tmp_path):
    def swap(bench):
        row = next(row for row in bench["rows"] if row["codec"] == "nic" and row["quality"] == 30.0)
        row["psnr_db"] -= 10

    found = one(changed(results, tmp_path, "evaluate/bench.json", swap), "One model from")
    assert found.ours == len(NAMES) - 1 and found.status == "missed"


def test_few_pictures_meet_a_goal_at_demo_size(tmp_path):
    write_study(tmp_path, photographs=3)
    assert one(read_study(tmp_path, SETTINGS), "PSNR above WebP at 0.25").status == "met at demo size"


def test_parts_that_did_not_run_are_said_to_be_missing(results, tmp_path):
    shutil.copytree(results / "photo" / "evaluate", tmp_path / "photo" / "evaluate")
    path = tmp_path / "photo" / "evaluate" / "bench.json"
    bench = read_json(path)
    bench["rows"] = [row for row in bench["rows"] if row["codec"] != "nic"]
    del bench["codecs"]["nic"]
    write_json(path, bench | {"absent": {"jpegxl": "not installed: it needs the package pillow-jxl-plugin"}})
    bare = read_study(tmp_path, SETTINGS)
    assert one(bare, "PSNR above WebP at 0.25").status == one(bare, "Decoded codes").status == "not run"
    named = missing(bare, SETTINGS)
    assert any("network" in name for name in named) and any("equal bytes" in name for name in named) and len(named) == 5
    assert not {"Pictures", "Where the bits go", "Training"} & {tab.title for tab in study_page(SETTINGS, tmp_path).tabs}
    with pytest.raises(DataError, match="no comparison of codecs"):
        read_study(tmp_path / "photo", SETTINGS)
    assert settings_of(results) == SETTINGS.model_copy(update={"tier": settings_of(results).tier})
    assert "shipped" in str(banner(SETTINGS.model_copy(update={"weights": "shipped"}))) and "shipped" not in banner(SETTINGS)


def test_every_picture_is_described_every_table_names_its_columns_and_a_further_domain_has_its_curves(results, tmp_path):
    shutil.copytree(results, tmp_path / "results")
    shutil.copytree(results / "photo" / "evaluate", tmp_path / "results" / "anatomy" / "evaluate")
    settings = SETTINGS.model_copy(update={"domains": ("anatomy", "photo", "absent")})
    found = read_study(tmp_path / "results", settings)
    assert found.main.name == "photo" and "the domain absent" in missing(found, settings)
    items = study_page(settings, tmp_path / "results").items
    titles = [item.title for item in items]
    assert "Rate and PSNR, anatomy" in titles and "BD-rate against JPEG: bits at equal quality, anatomy" in titles
    assert all(len(item.alt) > 20 for item in items if isinstance(item, Figure | Slider | Gallery))
    tables = [item for item in items if isinstance(item, Table)]
    assert all({column.key for column in table.columns} == set(row) for table in tables for row in table.rows)
    sliders = [item for item in items if isinstance(item, Slider)]
    assert [list(item.pictures) for item in sliders] == [["JPEG", "WebP", "AVIF", "original", "ours"]] * len(SHOWN)
    assert all(set(item.error_maps or {}) == set(item.pictures) - {"original"} for item in sliders)


def test_tables_and_curves_by_hand(study):
    row = {row["codec"]: row for row in fixed_rates(study.main, PSNR).rows}["AVIF"]
    assert row["0.25"] == pytest.approx(LEVELS["avif"]) and row["0.5"] == pytest.approx(LEVELS["avif"] + 3)
    row = next(row for row in times(study.main).rows if row["codec"] == "ours")
    assert row["encode"] == pytest.approx(0.4) and row["decoding"] == pytest.approx(0.393216 / 0.2)
    leads = [row["lead_db"] for row in lead_curve(study.main, "webp").rows if row["codec"] == "ours"]
    assert leads == pytest.approx([1.5] * len(leads), abs=0.002)


def test_exact_copies_have_no_place_in_json_but_on_the_page(results, tmp_path):
    def exact(bench):
        bench["rows"][0]["psnr_db"] = None

    found = changed(results, tmp_path, "evaluate/bench.json", exact)
    assert np.isinf(found.main.bench.rows[0].psnr_db) and json.dumps(found.main.bench.rows[1].psnr_db)


def test_vectors_stand_beside_scalars(study, results, tmp_path):
    claim = one(study, "Vectors beside scalar symbols")
    assert claim.ours == pytest.approx(2.0, abs=0.01) and claim.status == "missed"
    assert "16 planes a group from plane 89 on, 256 words, one pass" in claim.text and "2 validation pictures" in claim.text
    items = list(vector_reportlets(study.main))
    rows = {row["model"]: row for row in items[0].rows}
    assert rows["photo-vector"]["psnr_db"] == pytest.approx(2.0, abs=0.01) and rows["scalar"]["psnr_db"] == "anchor"
    assert rows["photo-vector"]["symbols"] == "119 to 121"
    assert rows["photo-vector"]["decode"] == pytest.approx(rows["scalar"]["decode"] / 2)
    assert {row["picture"]: row["photo-vector"] for row in items[1].rows} == pytest.approx({"dune": 2.0, "house": 2.0}, abs=0.01)
    assert len(items[2].rows) == 12 and "2334 of 3072 words used, 24 revived" in items[2].caption

    def better(bench):
        for row in bench["rows"]:
            row["rate_bpp"] *= 0.9 if row["codec"] == "photo-vector" else 1

    assert one(changed(results, tmp_path, "compare_vectors/bench.json", better), "Vectors").status == "met"
    (tmp_path / "results" / "photo" / "compare_vectors" / "bench.json").unlink()
    bare = read_study(tmp_path / "results", SETTINGS)
    assert one(bare, "Vectors beside").status == "not run"
    assert not list(vector_reportlets(bare.main))


def test_files_without_loss_stand_beside_others(results: Path) -> None:
    study = read_study(results, SETTINGS)
    assert {record.stage for record in study.lossless_records} | {"compression.fit_lossless"} <= set(PARAGRAPHS)
    claims = {claim.text.split(":")[0]: claim for claim in lossless_claims(study.lossless)}
    png, webp, fields = claims.values()
    assert png.status == "met at demo size" and webp.status == "missed" and fields.status == "met"
    assert webp.ours == pytest.approx(9.7, abs=0.3) and fields.ours == -10
    tables: list[Table] = [item for item in lossless_reportlets(study.lossless) if isinstance(item, Table)]
    table, single = tables
    first, *rest = table.rows
    assert first["nic"] == pytest.approx(8 * 67_000 / (3 * 768 * 512)) and first["encode"] == 2 and first["zfp"] == "not run"
    assert [row["bound"] for row in rest] == ["0.001 of the range", "0.01 of the range"]
    assert "zfpy" in table.caption and len(single.rows) == 3
    assert not list(lossless_reportlets(None)) and all(claim.status == "not run" for claim in lossless_claims(None))
