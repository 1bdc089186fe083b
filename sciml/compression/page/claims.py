"""The page's claims: each with our number, its goal, and whether it is met.

First those about quality at equal rate, then the neural preset, files, and slices and fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from sciml.compression.page.goals import (
    AT_LEAST,
    AT_MOST,
    BD_JPEG,
    BD_JPEG_2000,
    BD_PHOTO,
    BD_WEBP,
    BEYOND_AVIF,
    BEYOND_BPP,
    EQUAL_TO_AVIF,
    LINEAR_OVER_WEBP,
    NEARLY_ALL,
    NEARLY_AVIF,
    OVER_WEBP,
    OVER_WEBP_ELSEWHERE,
    OVERHEAD,
    OVERHEAD_BITS,
    PEER,
    PICTURES,
    PIXEL_SHARE,
    RANGE_BPP,
    RATES_BPP,
    RATIO,
    SPECTRUM_ERROR,
    met,
)
from sciml.compression.page.limits import winning_words
from sciml.compression.page.published import HYPERPRIOR, WHERE, against_jpeg
from sciml.compression.page.results import NEURAL, DomainResults, Inspection
from sciml.compression.page.style import counted, listed, sequence, signed, title_of
from sciml.compression.page.vectors import vector_claim
from sciml.compression.study.bench import RATES_BPP as TABLE_RATES
from sciml.compression.study.quality import METRICS, MS_SSIM, PSNR
from sciml.report.reportlets import Claim

# rates at which a range is looked through
GRID = 25


def claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield every claim of the page; `not run` where its data are absent."""
    yield from webp_claims(domain)
    yield from avif_claims(domain)
    yield from structure_claims(domain)
    yield from bd_claims(domain)
    yield from losing_claims(domain)
    yield from neural_claims(domain)
    yield vector_claim(domain)
    yield from file_claims(domain)


def enough(domain: DomainResults) -> bool:
    """Return whether there are as many test pictures as the goals ask."""
    return domain.pictures >= PICTURES


def mean_words(domain: DomainResults) -> str:
    """Return over what means go."""
    return f"mean over {counted(domain.pictures, 'test picture')}, rates of whole files"


def _lead_claim(
    domain: DomainResults, text: str, codec: str, other: str, rates: tuple[float, ...], goal: float, partly: float
) -> Claim:
    """Return a claim about the least lead in PSNR over some rates."""
    leads = [domain.lead(codec, other, rate, PSNR) for rate in rates]
    if codec not in domain.bench.codecs or any(lead is None for lead in leads):
        return Claim(text, None, goal, AT_LEAST, "dB")
    least = min(lead for lead in leads if lead is not None)
    each = f": {listed(leads)} dB; least" if len(rates) > 1 else ""
    said = f"{text} ({mean_words(domain)}{each})"
    return Claim(said, round(least, 2), goal, AT_LEAST, "dB", met(least, goal, partly, enough(domain)))


def webp_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the leads over WebP, without the network and with it."""
    every = ", ".join(f"{rate:g}" for rate in RATES_BPP)
    text = f"Without the network: PSNR above WebP at {every} bits a pixel"
    yield _lead_claim(domain, text, "nic-linear", "webp", RATES_BPP, LINEAR_OVER_WEBP, 0.0)
    low, middle, high = RATES_BPP
    text = f"With the network: PSNR above WebP at {middle:g} bits a pixel"
    yield _lead_claim(domain, text, "nic", "webp", (middle,), OVER_WEBP, LINEAR_OVER_WEBP)
    text = f"With the network: PSNR above WebP at {low:g} and {high:g} bits a pixel"
    yield _lead_claim(domain, text, "nic", "webp", (low, high), OVER_WEBP_ELSEWHERE, LINEAR_OVER_WEBP)


def avif_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the leads over AVIF: equal to it, and beyond."""
    middle = RATES_BPP[1]
    text = f"With the network: PSNR beside AVIF at {middle:g} bits a pixel, equal within {-EQUAL_TO_AVIF:g} dB or better"
    yield _lead_claim(domain, text, "nic", "avif", (middle,), EQUAL_TO_AVIF, NEARLY_AVIF)
    low, high = BEYOND_BPP
    text = f"Beyond: PSNR above AVIF all over {low:g} to {high:g} bits a pixel"
    grid = [rate for rate in np.geomspace(low, high, GRID) if domain.lead("nic", "avif", float(rate), PSNR) is not None]
    leads = {float(rate): domain.lead("nic", "avif", float(rate), PSNR) or 0.0 for rate in grid}
    if len(leads) < GRID:
        yield Claim(text, None, BEYOND_AVIF, AT_LEAST, "dB")
        return
    worst = min(leads, key=lambda rate: leads[rate])
    said = f"{text} ({mean_words(domain)}; least, at {worst:.2g} bits a pixel; most {signed(max(leads.values()))} dB)"
    yield Claim(said, round(leads[worst], 2), BEYOND_AVIF, AT_LEAST, "dB", met(leads[worst], BEYOND_AVIF, 0.0, enough(domain)))


def structure_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield whether MS-SSIM is above that of WebP at every rate of the tables."""
    text = "MS-SSIM above WebP at all rates"
    differences = {}
    if domain.best is not None and "webp" in domain.bench.codecs:
        found = {rate: domain.difference(domain.best, "webp", rate, MS_SSIM) for rate in TABLE_RATES}
        differences = {rate: value for rate, value in found.items() if value is not None}
    if not differences or domain.best is None:
        yield Claim(text, None, 0.0, AT_LEAST)
        return
    worst = min(differences, key=lambda rate: differences[rate])
    rates = ", ".join(f"{rate:g}" for rate in differences)
    said = f"{text} ({title_of(domain.best)}; {mean_words(domain)}; at {rates} bits a pixel, least at {worst:g})"
    above = sum(value >= 0 for value in differences.values())
    partly = differences[worst] if above >= len(differences) / 2 else None
    yield Claim(said, round(differences[worst], 4), 0.0, AT_LEAST, "", met(differences[worst], 0.0, partly, enough(domain)))


def bd_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the mean BD-rates in PSNR against JPEG and WebP."""
    for anchor, goal, partly in (("jpeg", BD_JPEG, 0.8 * BD_JPEG), ("webp", BD_WEBP, 0.0)):
        text = f"BD-rate against {title_of(anchor)} (PSNR)"
        found = domain.bd_rates(anchor, PSNR).get(domain.best or "")
        if found is None or found.mean is None:
            yield Claim(text, None, goal, AT_MOST, "%")
            continue
        interval = "" if found.interval is None else f"; 95 % interval {listed(found.interval, 1)} %"
        said = f"{text} ({title_of(domain.best or '')}; mean over {counted(found.pictures, 'test picture')}{interval})"
        yield Claim(said, round(found.mean, 1), goal, AT_MOST, "%", met(-found.mean, -goal, -partly, enough(domain)))


def losing_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the comparisons that others win or may win; a result either way."""
    best = domain.best or ""
    middle = RATES_BPP[1]
    text = f"MS-SSIM beside AVIF at {middle:g} bits a pixel"
    yield _peer_claim(domain, text, best, "avif", middle, MS_SSIM.key)
    for rate in (BEYOND_BPP[0], middle, BEYOND_BPP[1]):
        text = f"Tuned for MS-SSIM: MS-SSIM beside AVIF at {rate:g} bits a pixel"
        yield _peer_claim(domain, text, "nic-ms-ssim", "avif", rate, MS_SSIM.key)
    shared = [rate for rate in TABLE_RATES if domain.lead(best, "jpegxl", rate, PSNR) is not None]
    high = max(shared, default=1.0)
    yield _peer_claim(domain, f"PSNR beside JPEG XL at {high:g} bits a pixel, a high rate", best, "jpegxl", high, PSNR.key)
    found = domain.bd_rates("jpeg", PSNR).get(best)
    theirs = against_jpeg(HYPERPRIOR)
    text = f"BD-rate against JPEG (PSNR), ours on these pictures, beside the {HYPERPRIOR} on Kodak's"
    if found is None or found.mean is None or theirs is None:
        yield Claim(text, None, theirs and round(theirs, 1), f"{WHERE}; computed from its points", "%")
    else:
        status = met(theirs, found.mean, None, enough(domain))
        yield Claim(text, round(found.mean, 1), round(theirs, 1), f"{WHERE}; computed from its points", "%", status)


def _peer_claim(domain: DomainResults, text: str, own: str, other: str, rate: float, key: str) -> Claim:
    """Return our number beside a peer's; reproduced where ours is at least as large."""
    metric = PSNR if key == PSNR.key else MS_SSIM
    unit = "dB" if metric is PSNR else ""
    difference = domain.difference(own, other, rate, metric)
    if difference is None:
        return Claim(text, None, None, f"{title_of(other)}, {PEER}", unit)
    values = {name: domain.bench.at_rates(metric, [rate])[name][0] for name in (own, other)}
    ours, theirs = (round(value, 2 if metric is PSNR else 4) for value in values.values() if value is not None)
    said = f"{text} ({title_of(own)}; {mean_words(domain)}); at least as high"
    return Claim(said, ours, theirs, f"{title_of(other)}, {PEER}", unit, met(difference, 0.0, None, enough(domain)))


PEERS = ("jpeg", "webp")


def neural_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the neural preset beside our default model, JPEG and WebP; `not run` where it was not compared."""
    for other in (domain.best or "nic", *PEERS):
        yield _beside(domain, other)


def _beside(domain: DomainResults, other: str) -> Claim:
    """Return the lead in PSNR at the middle of the rates that both cover, with all that the curves say in words."""
    text, source = f"Neural preset beside {title_of(other)}", f"{title_of(other)}, {PEER}"
    if NEURAL not in domain.bench.codecs or other not in domain.bench.codecs:
        return Claim(text, None, None, source, "dB")
    low, high = shared_rates(domain, NEURAL, other)
    if low >= high:
        return Claim(f"{text}: no rate that both reach", None, None, source, "dB")
    middle = float(np.sqrt(low * high))
    lead = domain.lead(NEURAL, other, middle, PSNR) or 0.0
    structure = domain.difference(NEURAL, other, middle, MS_SSIM) or 0.0
    where = "; ".join(f"{metric.title}: {winning_words(domain, other, metric, NEURAL)}" for metric in METRICS)
    bd = domain.bd_rates(other, PSNR)[NEURAL].mean
    rate = "" if bd is None else f", BD-rate {signed(bd, 1)} %"
    said = (
        f"{text}: PSNR at {middle:.2g} bits a pixel, as high as the other's (MS-SSIM {signed(structure, 3)} there{rate}; {where})"
    )
    values = domain.bench.at_rates(PSNR, [middle])
    ours, theirs = (values[name][0] for name in (NEURAL, other))
    shown = [None if value is None else round(value, 2) for value in (ours, theirs)]
    return Claim(said, shown[0], shown[1], source, "dB", met(lead, 0.0))


def shared_rates(domain: DomainResults, one: str, other: str) -> tuple[float, float]:
    """Return the range of rates that the mean curves of two codecs both cover; the first is larger where there is none."""
    curves = [domain.curve(name, PSNR).rates_bpp for name in (one, other)]
    if not all(len(rates) for rates in curves):
        return np.inf, 0.0
    return max(float(rates[0]) for rates in curves), min(float(rates[-1]) for rates in curves)


def file_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about files; `not run` where nothing was inspected."""
    yield quality_claim(domain)
    yield overhead_claim(domain.inspection)
    yield progressive_claim(domain.inspection)
    yield codes_claim(domain.inspection)


def quality_claim(domain: DomainResults) -> Claim:
    """Return whether rate and PSNR rise with the quality on every picture, and how far one model reaches."""
    low, high = RANGE_BPP
    text = f"One model from {low:g} to {high:g} bits a pixel: rate and PSNR rise with the quality, on every picture"
    if domain.best is None:
        return Claim(text, None, None, AT_LEAST, "pictures")
    rows: dict[str, list[Any]] = {}
    for row in domain.bench.rows:
        if row.codec == domain.best:
            rows.setdefault(row.picture, []).append(row)
    rising = 0
    for mine in rows.values():
        ordered = sorted(mine, key=lambda row: row.quality)
        rising += all(a.rate_bpp < b.rate_bpp and a.psnr_db < b.psnr_db for a, b in pairwise(ordered))
    every = [sorted(mine, key=lambda row: row.quality) for mine in rows.values()]
    ends = [sum(mine[place].rate_bpp for mine in every) / len(every) for place in (0, -1)]
    said = f"{text} ({title_of(domain.best)}; the bench goes from {ends[0]:.3f} to {ends[1]:.2f} on the mean)"
    reaches = ends[0] <= low and ends[1] >= high
    return Claim(said, rising, len(rows), AT_LEAST, "pictures", met(rising, len(rows), None, reaches))


def overhead(layer: Mapping[str, Any], tiles: int) -> float:
    """Return the bits of a layer beyond its ideal code length, over those that are allowed."""
    return (8 * layer["bytes"] - layer["ideal_bits"]) / (OVERHEAD * layer["ideal_bits"] + OVERHEAD_BITS * tiles)


def overhead_claim(inspection: Inspection | None) -> Claim:
    """Return whether every layer keeps to its overhead."""
    text = f"Payload within {100 * OVERHEAD:g} % and {OVERHEAD_BITS / 8:g} bytes a layer of the ideal code length of the tables"
    if inspection is None:
        return Claim(text, None, None, AT_MOST)
    found = [overhead(layer, row["tiles"]) for row in inspection.rows for layer in row["layers"]]
    actual = sum(8 * layer["bytes"] for row in inspection.rows for layer in row["layers"])
    ideal = sum(layer["ideal_bits"] for row in inspection.rows for layer in row["layers"])
    kept = sum(one <= 1 for one in found)
    said = (
        f"{text} (all layers together {100 * (actual / ideal - 1):.2f} % above it; the worst layer uses {max(found):.0%} of that)"
    )
    return Claim(said, kept, len(found), AT_LEAST, "layers", met(kept, len(found), NEARLY_ALL * len(found)))


def progressive_steps(inspection: Inspection) -> tuple[int, int]:
    """Return how many layers raise the PSNR of a picture, and how many there are after the first."""
    steps = [after["psnr_db"] > before["psnr_db"] for row in inspection.rows for before, after in pairwise(row["layers"])]
    return sum(steps), len(steps)


def progressive_claim(inspection: Inspection | None) -> Claim:
    """Return whether PSNR grows with every layer."""
    text = "PSNR grows with every progressive layer on every picture"
    if inspection is None:
        return Claim(text, None, None, AT_LEAST)
    growing, every = progressive_steps(inspection)
    qualities = sequence([f"{quality:g}" for quality in inspection.qualities])
    count = len({row["picture"] for row in inspection.rows})
    same = sum(a["psnr_db"] == b["psnr_db"] for row in inspection.rows for a, b in pairwise(row["layers"]))
    others = f"; {same} change nothing, {every - growing - same} lower it" if growing < every else ""
    said = f"{text} ({counted(count, 'picture')} at the qualities {qualities}{others})"
    return Claim(said, growing, every, AT_LEAST, "layers", met(growing, every, NEARLY_ALL * every))


def codes_claim(inspection: Inspection | None) -> Claim:
    """Return whether other processes find the same codes."""
    text = "Decoded codes are equal across processes, threads and instruction sets"
    rows = [] if inspection is None else inspection.numbers["processes"]
    if not rows:
        return Claim(text, None, None, AT_LEAST)
    equal = sum(row["codes_equal"] for row in rows)
    words = sequence(list(dict.fromkeys(row["environment"] for row in rows)))
    said = f"{text} ({counted(len({row['picture'] for row in rows}), 'picture')}: {words}; one machine)"
    return Claim(said, equal, len(rows), AT_LEAST, "decodings", met(equal, len(rows)))


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
