"""Claims about the neural preset: where it wins and where it loses, and by how much."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sciml.compression.quality import METRICS, MS_SSIM, PSNR
from sciml.compression.report_goals import PEER, met
from sciml.compression.report_limits import winning_words
from sciml.compression.report_results import NEURAL, DomainResults
from sciml.compression.report_style import signed, title_of
from sciml.report.reportlets import Claim

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
