"""The page's claims: each with our number, its goal, and whether it is met.

First those about quality at equal rate, then the neural preset, files, and slices and fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

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
)
from sciml.compression.page.limits import winning_words
from sciml.compression.page.published import HYPERPRIOR, WHERE, against_jpeg
from sciml.compression.page.results import NEURAL, DomainResults, Inspection
from sciml.compression.page.style import title_of
from sciml.compression.page.vectors import vector_claim
from sciml.compression.study.bench import RATES_BPP as TABLE_RATES
from sciml.compression.study.quality import METRICS, MS_SSIM, PSNR
from sciml.compression.study.results import Layer, Row
from sciml.report.goals import UNKNOWN, Goal, judge
from sciml.report.reportlets import Claim
from sciml.report.words import counted, listed, percent, sequence, signed

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


def _lead_claim(domain: DomainResults, text: str, codec: str, other: str, rates: tuple[float, ...], bar: float) -> Claim:
    """Return a claim about the least lead in PSNR over some rates."""
    found = [domain.lead(codec, other, rate, PSNR) for rate in rates] if codec in domain.bench.codecs else []
    leads = [lead for lead in found if lead is not None]
    goal = Goal(text, AT_LEAST, "dB", at_least=bar)
    if len(leads) < len(rates):
        return judge(goal, None)
    each = f": {listed(leads, '+.2f')} dB; least" if len(rates) > 1 else ""
    details = f" ({mean_words(domain)}{each})"
    return judge(goal, min(leads), enough=enough(domain), details=details, shown=round(min(leads), 2))


def webp_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the leads over WebP, without the network and with it."""
    every = ", ".join(f"{rate:g}" for rate in RATES_BPP)
    text = f"Without the network: PSNR above WebP at {every} bpp"
    yield _lead_claim(domain, text, "nic-linear", "webp", RATES_BPP, LINEAR_OVER_WEBP)
    low, middle, high = RATES_BPP
    text = f"With the network: PSNR above WebP at {middle:g} bpp"
    yield _lead_claim(domain, text, "nic", "webp", (middle,), OVER_WEBP)
    text = f"With the network: PSNR above WebP at {low:g} and {high:g} bpp"
    yield _lead_claim(domain, text, "nic", "webp", (low, high), OVER_WEBP_ELSEWHERE)


def avif_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the leads over AVIF: equal to it, and beyond."""
    middle = RATES_BPP[1]
    text = f"With the network: PSNR beside AVIF at {middle:g} bpp, equal within {-EQUAL_TO_AVIF:g} dB or better"
    yield _lead_claim(domain, text, "nic", "avif", (middle,), EQUAL_TO_AVIF)
    low, high = BEYOND_BPP
    text = f"Beyond: PSNR above AVIF all over {low:g} to {high:g} bpp"
    grid = [rate for rate in np.geomspace(low, high, GRID) if domain.lead("nic", "avif", float(rate), PSNR) is not None]
    leads = {float(rate): domain.lead("nic", "avif", float(rate), PSNR) or 0.0 for rate in grid}
    goal = Goal(text, AT_LEAST, "dB", at_least=BEYOND_AVIF)
    if len(leads) < GRID:
        yield judge(goal, None)
        return
    worst = min(leads, key=lambda rate: leads[rate])
    details = f" ({mean_words(domain)}; least, at {worst:.2g} bpp; most {signed(max(leads.values()))} dB)"
    yield judge(goal, leads[worst], enough=enough(domain), details=details, shown=round(leads[worst], 2))


def structure_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield whether MS-SSIM is above that of WebP at every rate of the tables."""
    goal = Goal("MS-SSIM above WebP at all rates", AT_LEAST, at_least=0.0)
    differences = {}
    if domain.best is not None and "webp" in domain.bench.codecs:
        found = {rate: domain.difference(domain.best, "webp", rate, MS_SSIM) for rate in TABLE_RATES}
        differences = {rate: value for rate, value in found.items() if value is not None}
    if not differences or domain.best is None:
        yield judge(goal, None)
        return
    worst = min(differences, key=lambda rate: differences[rate])
    rates = ", ".join(f"{rate:g}" for rate in differences)
    details = f" ({title_of(domain.best)}; {mean_words(domain)}; at {rates} bpp, least at {worst:g})"
    yield judge(goal, differences[worst], enough=enough(domain), details=details, shown=round(differences[worst], 4))


def bd_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the mean BD-rates in PSNR against JPEG and WebP."""
    for anchor, bar in (("jpeg", BD_JPEG), ("webp", BD_WEBP)):
        goal = Goal(f"BD-rate against {title_of(anchor)} (PSNR)", AT_MOST, "%", at_most=bar)
        yield _bd_claim(domain, goal, anchor, enough(domain))


def _bd_claim(domain: DomainResults, goal: Goal, anchor: str, large: bool = True, where: bool = False) -> Claim:
    """Return the mean BD-rate in PSNR with its interval over pictures; `where` adds over which PSNR it goes."""
    found = domain.bd_rates(anchor, PSNR).get(domain.best or "")
    if found is None or found.mean is None:
        return judge(goal, None)
    words = "" if found.interval is None else f"; 95 % interval {listed(found.interval, '+.1f')} %"
    overlap = found.of_mean_curves.overlap_db
    words += f"; over {overlap[0]:.0f} to {overlap[1]:.0f} dB" if where and overlap else ""
    details = f" ({title_of(domain.best or '')}; mean over {counted(found.pictures, 'test picture')}{words})"
    return judge(goal, found.mean, found.interval or UNKNOWN, large, details, round(found.mean, 1))


def losing_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the comparisons that others win or may win; a result either way."""
    best = domain.best or ""
    middle = RATES_BPP[1]
    text = f"MS-SSIM beside AVIF at {middle:g} bpp"
    yield _peer_claim(domain, text, best, "avif", middle, MS_SSIM.key)
    for rate in (BEYOND_BPP[0], middle, BEYOND_BPP[1]):
        text = f"Tuned for MS-SSIM: MS-SSIM beside AVIF at {rate:g} bpp"
        yield _peer_claim(domain, text, "nic-ms-ssim", "avif", rate, MS_SSIM.key)
    shared = [rate for rate in TABLE_RATES if domain.lead(best, "jpegxl", rate, PSNR) is not None]
    high = max(shared, default=1.0)
    yield _peer_claim(domain, f"PSNR beside JPEG XL at {high:g} bpp, a high rate", best, "jpegxl", high, PSNR.key)
    theirs = against_jpeg(HYPERPRIOR)
    text = f"BD-rate against JPEG (PSNR), ours on these pictures, beside the {HYPERPRIOR} on Kodak's"
    source, shown = f"{WHERE}; computed from its points", None if theirs is None else round(theirs, 1)
    found = domain.bd_rates("jpeg", PSNR).get(best)
    mean, interval = (found.mean, found.interval or UNKNOWN) if found else (None, None)
    goal = Goal(text, source, "%", at_most=theirs, reference=shown)
    yield judge(goal, mean, interval, enough(domain), shown=None if mean is None else round(mean, 1))


def _peer_claim(domain: DomainResults, text: str, own: str, other: str, rate: float, key: str) -> Claim:
    """Return our number beside a peer's; met where ours is at least as large."""
    metric = PSNR if key == PSNR.key else MS_SSIM
    unit = "dB" if metric is PSNR else ""
    difference = domain.difference(own, other, rate, metric)
    source = f"{title_of(other)}, {PEER}"
    if difference is None:
        return judge(Goal(text, source, unit), None)
    values = {name: domain.bench.at_rates(metric, [rate])[name][0] for name in (own, other)}
    ours, theirs = (round(value, 2 if metric is PSNR else 4) for value in values.values() if value is not None)
    said = f"{text} ({title_of(own)}; {mean_words(domain)}); at least as high"
    return judge(Goal(said, source, unit, at_least=0.0, reference=theirs), difference, enough=enough(domain), shown=ours)


PEERS = ("jpeg", "webp")


def neural_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the neural preset beside our default model, JPEG and WebP; `not run` where it was not compared."""
    for other in (domain.best or "nic", *PEERS):
        yield _beside(domain, other)


def _beside(domain: DomainResults, other: str) -> Claim:
    """Return the lead in PSNR at the middle of the rates that both cover, with all that the curves say in words."""
    text, source = f"Neural preset beside {title_of(other)}", f"{title_of(other)}, {PEER}"
    if NEURAL not in domain.bench.codecs or other not in domain.bench.codecs:
        return judge(Goal(text, source, "dB"), None)
    low, high = shared_rates(domain, NEURAL, other)
    if low >= high:
        return judge(Goal(f"{text}: no rate that both reach", source, "dB"), None)
    middle = float(np.sqrt(low * high))
    lead = domain.lead(NEURAL, other, middle, PSNR) or 0.0
    structure = domain.difference(NEURAL, other, middle, MS_SSIM) or 0.0
    where = "; ".join(f"{metric.title}: {winning_words(domain, other, metric, NEURAL)}" for metric in METRICS)
    bd = domain.bd_rates(other, PSNR)[NEURAL].mean
    rate = "" if bd is None else f", BD-rate {signed(bd, 1)} %"
    said = f"{text}: PSNR at {middle:.2g} bpp, as high as the other's (MS-SSIM {signed(structure, 3)} there{rate}; {where})"
    values = domain.bench.at_rates(PSNR, [middle])
    ours, theirs = (values[name][0] for name in (NEURAL, other))
    shown = [None if value is None else round(value, 2) for value in (ours, theirs)]
    return judge(Goal(said, source, "dB", at_least=0.0, reference=shown[1]), lead, shown=shown[0])


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
    text = f"One model from {low:g} to {high:g} bpp: rate and PSNR rise with the quality, on every picture"
    if domain.best is None:
        return judge(Goal(text, AT_LEAST, "pictures"), None)
    rows: dict[str, list[Row]] = {}
    for row in domain.bench.rows:
        if row.codec == domain.best:
            rows.setdefault(row.picture, []).append(row)
    rising = 0
    for mine in rows.values():
        ordered = sorted(mine, key=lambda row: row.quality)
        rising += all(a.rate_bpp < b.rate_bpp and a.psnr_db < b.psnr_db for a, b in pairwise(ordered))
    every = [sorted(mine, key=lambda row: row.quality) for mine in rows.values()]
    ends = [sum(mine[place].rate_bpp for mine in every) / len(every) for place in (0, -1)]
    details = f" ({title_of(domain.best)}; the bench goes from {ends[0]:.3f} to {ends[1]:.2f} on the mean)"
    reaches = ends[0] <= low and ends[1] >= high
    return judge(Goal(text, AT_LEAST, "pictures", at_least=len(rows)), rising, enough=reaches, details=details)


def overhead(layer: Layer, tiles: int) -> float:
    """Return the bits of a layer beyond its ideal code length, over those that are allowed."""
    return (8 * layer.bytes - layer.ideal_bits) / (OVERHEAD * layer.ideal_bits + OVERHEAD_BITS * tiles)


def overhead_claim(inspection: Inspection | None) -> Claim:
    """Return whether every layer keeps to its overhead."""
    text = f"Payload within {100 * OVERHEAD:g} % and {OVERHEAD_BITS / 8:g} bytes a layer of the ideal code length of the tables"
    if inspection is None:
        return judge(Goal(text, AT_MOST), None)
    found = [overhead(layer, row.tiles) for row in inspection.rows for layer in row.layers]
    actual = sum(8 * layer.bytes for row in inspection.rows for layer in row.layers)
    ideal = sum(layer.ideal_bits for row in inspection.rows for layer in row.layers)
    kept = sum(one <= 1 for one in found)
    details = f" (all layers together {100 * (actual / ideal - 1):.2f} % above it; the worst layer uses "
    details += f"{percent(max(found), 0)} of that)"
    return judge(Goal(text, AT_LEAST, "layers", at_least=len(found)), kept, details=details)


def progressive_steps(inspection: Inspection) -> tuple[int, int]:
    """Return how many layers raise the PSNR of a picture, and how many there are after the first."""
    steps = [after.psnr_db > before.psnr_db for row in inspection.rows for before, after in pairwise(row.layers)]
    return sum(steps), len(steps)


def progressive_claim(inspection: Inspection | None) -> Claim:
    """Return whether PSNR grows with every layer."""
    text = "PSNR grows with every progressive layer on every picture"
    if inspection is None:
        return judge(Goal(text, AT_LEAST), None)
    growing, every = progressive_steps(inspection)
    qualities = sequence([f"{quality:g}" for quality in inspection.qualities])
    count = len({row.picture for row in inspection.rows})
    same = sum(a.psnr_db == b.psnr_db for row in inspection.rows for a, b in pairwise(row.layers))
    others = f"; {same} change nothing, {every - growing - same} lower it" if growing < every else ""
    details = f" ({counted(count, 'picture')} at the qualities {qualities}{others})"
    return judge(Goal(text, AT_LEAST, "layers", at_least=every), growing, details=details)


def codes_claim(inspection: Inspection | None) -> Claim:
    """Return whether other processes find the same codes."""
    text = "Decoded codes are equal across processes, threads and instruction sets"
    rows = [] if inspection is None else inspection.numbers.processes
    if not rows:
        return judge(Goal(text, AT_LEAST), None)
    equal = sum(row.codes_equal for row in rows)
    words = sequence(list(dict.fromkeys(row.environment for row in rows)))
    details = f" ({counted(len({row.picture for row in rows}), 'picture')}: {words}; one machine)"
    return judge(Goal(text, AT_LEAST, "decodings", at_least=len(rows)), equal, details=details)


def volumes_and_fields_claims(domain: DomainResults) -> Iterator[Claim]:
    """Yield the claims about one domain; `not run` where its data are absent."""
    yield bd_claim(domain, "photo", BD_PHOTO)
    yield bd_claim(domain, "jpeg2000", BD_JPEG_2000)
    if domain.volumes_and_fields is not None:
        yield pixel_claim(domain)
    if domain.volumes_and_fields is not None and domain.volumes_and_fields.numbers.kind == "fields":
        yield spectrum_claim(domain)


def bd_claim(domain: DomainResults, anchor: str, bar: float) -> Claim:
    """Return the BD-rate against another codec on the domain's test pictures."""
    text = f"Model {domain.name}: BD-rate against {'the photo model' if anchor == 'photo' else title_of(anchor)} (PSNR)"
    return _bd_claim(domain, Goal(text, AT_MOST, "%", at_most=bar), anchor, where=True)


def pixel_claim(domain: DomainResults) -> Claim:
    """Return the largest difference of a pixel between processes, over the range."""
    text = f"Model {domain.name}: decoded values in other processes are equal within a share of the range"
    goal = Goal(text, AT_MOST, at_most=PIXEL_SHARE)
    rows = domain.volumes_and_fields.numbers.processes if domain.volumes_and_fields else []
    if not rows:
        return judge(goal, None)
    worst = max(row.share_of_range for row in rows)
    words = ", ".join(dict.fromkeys(row.environment for row in rows))
    same = all(row.codes_equal for row in rows)
    details = f" ({words}; one machine; codes {'equal' if same else 'NOT equal'})"
    # values from other codes are equal by chance
    return judge(goal, worst if same else np.inf, details=details, shown=float(f"{worst:.2g}"))


def spectrum_claim(domain: DomainResults) -> Claim:
    """Return the worst error of the enstrophy spectrum at 20 times smaller than float32."""
    text = (
        f"Model {domain.name}: enstrophy spectrum up to the wavenumber below which 99 % lies, {RATIO} times smaller than float32"
    )
    rows = (
        [row for row in domain.volumes_and_fields.numbers.spectra if row.codec == "nic" and row.ratio == RATIO]
        if domain.volumes_and_fields
        else []
    )
    goal = Goal(text, AT_MOST, "%", at_most=SPECTRUM_ERROR)
    if not rows:
        return judge(goal, None)
    worst = 100 * max(row.largest for row in rows)
    runs = len({row.run for row in rows})
    details = f" (largest relative error of a shell, worst of {counted(len(rows), 'field')} of {counted(runs, 'run')})"
    return judge(goal, worst, details=details, shown=float(f"{worst:.2g}"))
