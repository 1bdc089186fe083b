"""What the page says of slices and fields, from made-up results: claims by hand, pictures, spectra, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sciml.compression.page.claims import volumes_and_fields_claims
from sciml.compression.page.limits import winning_words
from sciml.compression.page.results import DomainResults, VolumesAndFields
from sciml.compression.page.volumes_and_fields import spectrum_table, strip, volumes_and_fields_reportlets
from sciml.compression.study.bench import Bench
from sciml.compression.study.inspection_results import VolumesAndFieldsFile
from sciml.compression.study.quality import PSNR
from sciml.compression.study.results import Row
from sciml.report.reportlets import Checks, Claim, Curve, Figure, Gallery, Table

# bits at equal quality over those of the photo model
BITS = {"photo": 1.0, "nic-linear": 0.8, "jpeg2000": 0.75}
RATES = (0.1, 0.2, 0.4, 0.8, 1.6)
SIDE = 32


def bench() -> Bench:
    rows = [
        Row(
            picture=picture,
            codec=codec,
            quality=number,
            height=128,
            width=128,
            channels=1,
            file_bytes=100,
            rate_bpp=BITS[codec] * rate,
            psnr_db=30 + 6.0 * number + place,
            ms_ssim=None,
            encode_s=0.1,
            decode_s=0.1,
        )
        for place, picture in enumerate(("one", "two"))
        for codec in BITS
        for number, rate in enumerate(RATES)
    ]
    return Bench(tuple(rows), (), dict.fromkeys(BITS, "made up"), {}, {"one": (), "two": ()}, 1, {})


def samples(kind: str = "fields", largest: float = 0.02, share: float = 3e-7, codes_equal: bool = True) -> VolumesAndFields:
    wave = np.sin(np.arange(SIDE) / 3)[:, None] * np.ones(SIDE)
    arrays = {"one/original": ((wave + 1) / 2).astype(np.float32), "spectrum/original": np.exp(-np.arange(23.0))}
    numbers: dict[str, Any] = {"kind": kind, "equal": [], "spectra": [], "borders": [{"picture": "one", "ratio": 1.25}]}
    for place, codec in enumerate(("jpeg2000", "photo", "nic")):
        arrays[f"one/{codec}"] = arrays["one/original"] + np.float32(0.01 * (3 - place))
        row = {"picture": "one", "codec": codec, "bytes": 400 - place, "pixels": SIDE**2, "psnr_db": 40.0 + place}
        numbers["equal"].append(row | {"range": 2.0, "unit": "1/s"})
    for codec in ("jpeg2000", "nic") if kind == "fields" else ():
        arrays[f"spectrum/{codec}/20"] = arrays["spectrum/original"] * 1.01
        row = {"picture": "one", "run": "run", "codec": codec, "ratio": 20.0, "bytes": 400, "at": 3, "last": 9}
        numbers["spectra"].append(row | {"largest": largest, "total": -0.001, "rms_over_deviation": 0.002})
    row = {"environment": "two threads", "picture": "0", "codes_equal": codes_equal, "largest_pixel_difference": 1e-6}
    numbers["processes"] = [row | {"share_of_range": share}]
    return VolumesAndFields(VolumesAndFieldsFile.model_validate(numbers), arrays)


def results(**more: Any) -> DomainResults:
    return DomainResults("field", bench(), 0, None, samples(**more))


def found(domain: DomainResults) -> list[Claim]:
    return list(volumes_and_fields_claims(domain))


def test_claims_are_what_the_numbers_say() -> None:
    against_photo, against_jpeg, pixels, spectrum = found(results())
    assert against_photo.ours == pytest.approx(-20) and against_photo.status == "met"
    # 0.8 / 0.75 of the bits of JPEG 2000
    assert against_jpeg.ours == pytest.approx(6.7) and against_jpeg.status == "missed"
    assert pixels.ours == 3e-7 and pixels.status == "met"
    assert spectrum.ours == 2.0 and spectrum.reference == 5.0 and spectrum.status == "met"


def test_goals_that_are_missed_are_said_to_be() -> None:
    *_, pixels, spectrum = found(results(largest=0.06, share=2e-4))
    assert (pixels.status, spectrum.status) == ("missed", "missed")
    pixels = found(results(codes_equal=False))[2]
    assert pixels.status == "missed" and "NOT equal" in pixels.text


def test_slices_have_no_spectrum_and_what_has_not_run_is_said() -> None:
    assert len(found(results(kind="slices"))) == 3
    bare = replace(results(), volumes_and_fields=None)
    assert len(found(bare)) == 2
    assert not any(isinstance(one, Gallery) for one in volumes_and_fields_reportlets(bare))


def test_the_page_shows_rates_pictures_spectra_and_checks() -> None:
    domain = results()
    items = list(volumes_and_fields_reportlets(domain))
    kinds = [type(one) for one in items]
    assert [kinds.count(one) for one in (Table, Curve, Gallery, Figure, Checks)] == [4, 1, 1, 1, 1]
    assert domain.codecs == ["nic-linear", "photo", "jpeg2000"]
    assert all(check.passed for one in items if isinstance(one, Checks) for check in one.checks)
    curve = next(one for one in items if isinstance(one, Curve))
    assert curve.y_title == "PSNR (dB)" and curve.title.endswith(", field")


def test_a_strip_has_every_codec_with_its_errors_on_one_scale() -> None:
    domain = results()
    assert domain.volumes_and_fields is not None
    shown = strip(domain, domain.volumes_and_fields, "one")
    assert list(shown.pictures) == [
        "original", "JPEG 2000", "photo model", "ours", "error, JPEG 2000", "error, photo model", "error, ours",
    ]  # fmt: skip
    assert shown.notes["ours"] == "398 bytes, 42.00 dB"
    # the largest error is 0.03 everywhere
    assert "from 0 to 0.12" in shown.caption and "range is 2 1/s" in shown.caption


def test_the_table_of_spectra_takes_the_worst_field() -> None:
    one = samples()
    more = {"picture": "two", "largest": 0.04, "total": 0.002}
    one.numbers.spectra.append(one.numbers.spectra[-1].model_copy(update=more))
    rows = list(spectrum_table(one, "").rows)
    assert rows[0]["codec"] == "ours" and rows[0]["worst"] == pytest.approx(4) and rows[0]["mean"] == pytest.approx(3)
    assert rows[0]["total"] == pytest.approx(0.2)


def test_where_jpeg_2000_wins_is_said_in_words() -> None:
    assert "JPEG 2000 wins everywhere" in winning_words(results(), "jpeg2000", PSNR)
