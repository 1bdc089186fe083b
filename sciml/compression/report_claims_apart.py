"""Claims about the models of slices and fields: against the photo model, beside JPEG 2000, in physical terms."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.quality import PSNR
from sciml.compression.report_goals import AT_MOST, BD_JPEG_2000, BD_PHOTO, PIXEL_SHARE, RATIO, SPECTRUM_ERROR, met
from sciml.compression.report_results import DomainResults
from sciml.compression.report_style import counted, listed, title_of
from sciml.report.reportlets import Claim


def apart_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about one domain; `not run` where its data are absent."""
    yield bd_claim(domain, "photo", BD_PHOTO)
    yield bd_claim(domain, "jpeg2000", BD_JPEG_2000)
    if domain.apart is not None:
        yield pixel_claim(domain)
    if domain.apart is not None and domain.apart.numbers["kind"] == "fields":
        yield spectrum_claim(domain)


def bd_claim(domain: DomainResults, anchor: str, goal: float) -> Claim:
    """Return the BD-rate against another codec on the domain's test pictures."""
    text = f"Model {domain.name}: BD-rate against {'the photo model' if anchor == 'photo' else title_of(anchor)} (PSNR)"
    found = domain.bd_rates(anchor, PSNR).get(domain.best or "")
    if found is None or found.mean is None:
        return Claim(text, None, goal, AT_MOST, "%")
    interval = "" if found.interval is None else f"; 95 % interval {listed(found.interval, 1)} %"
    overlap = found.of_mean_curves.overlap_db
    where = "" if overlap is None else f"; over {overlap[0]:.0f} to {overlap[1]:.0f} dB"
    said = f"{text} ({title_of(domain.best or '')}; mean over {counted(found.pictures, 'test picture')}{interval}{where})"
    return Claim(said, round(found.mean, 1), goal, AT_MOST, "%", met(-found.mean, -goal, -goal / 2 if goal else None))


def pixel_claim(domain: DomainResults) -> Claim:
    """Return the largest difference of a pixel between processes, over the range."""
    text = f"Model {domain.name}: decoded values in other processes are equal within a share of the range"
    rows = domain.apart.numbers["processes"] if domain.apart else []
    if not rows:
        return Claim(text, None, PIXEL_SHARE, AT_MOST)
    worst = max(row["share_of_range"] for row in rows)
    words = ", ".join(dict.fromkeys(row["environment"] for row in rows))
    same = all(row["codes_equal"] for row in rows)
    said = f"{text} ({words}; one machine; codes {'equal' if same else 'NOT equal'})"
    return Claim(said, float(f"{worst:.2g}"), PIXEL_SHARE, AT_MOST, "", met(-worst, -PIXEL_SHARE, enough=same))


def spectrum_claim(domain: DomainResults) -> Claim:
    """Return the worst error of the enstrophy spectrum at 20 times smaller than float32."""
    text = (
        f"Model {domain.name}: enstrophy spectrum up to the wavenumber below which 99 % lies, {RATIO} times smaller than float32"
    )
    rows = (
        [row for row in domain.apart.numbers["spectra"] if row["codec"] == "nic" and row["ratio"] == RATIO]
        if domain.apart
        else []
    )
    if not rows:
        return Claim(text, None, SPECTRUM_ERROR, AT_MOST, "%")
    worst = 100 * max(row["largest"] for row in rows)
    runs = len({row["run"] for row in rows})
    said = f"{text} (largest relative error of a shell, worst of {counted(len(rows), 'field')} of {counted(runs, 'run')})"
    return Claim(said, float(f"{worst:.2g}"), SPECTRUM_ERROR, AT_MOST, "%", met(-worst, -SPECTRUM_ERROR))
