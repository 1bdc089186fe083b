"""The page's claims: each with our number, its goal, and whether it is met. First those about quality at equal rate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.compression.bench import RATES_BPP as TABLE_RATES
from sciml.compression.quality import MS_SSIM, PSNR
from sciml.compression.report_claims_files import file_claims
from sciml.compression.report_claims_neural import neural_claims
from sciml.compression.report_goals import (
    AT_LEAST,
    AT_MOST,
    BD_JPEG,
    BD_WEBP,
    BEYOND_AVIF,
    BEYOND_BPP,
    EQUAL_TO_AVIF,
    LINEAR_OVER_WEBP,
    NEARLY_AVIF,
    OVER_WEBP,
    OVER_WEBP_ELSEWHERE,
    PEER,
    PICTURES,
    RATES_BPP,
    met,
)
from sciml.compression.report_published import HYPERPRIOR, WHERE, against_jpeg
from sciml.compression.report_results import DomainResults
from sciml.compression.report_style import counted, listed, signed, title_of
from sciml.compression.report_vectors import vector_claim
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
