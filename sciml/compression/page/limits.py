"""What the page does not show, and where others win, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from sciml.compression.page.margins.words import margin_limits
from sciml.compression.page.results import NEURAL, DomainResults, StudyResults, volumes_and_fields_domains
from sciml.compression.page.style import title_of
from sciml.compression.settings.stages import PageConfig
from sciml.compression.study.quality import METRICS, PSNR, Metric
from sciml.report.words import counted

PEERS = ("webp", "jpeg2000", "avif", "jpegxl")
POINTS = 200


def limits(study: StudyResults) -> Iterator[str]:
    """Yield what the page does not show and where others win, as sentences."""
    main = study.main
    if main.margins is not None:
        yield from margin_limits(main.margins)
    for metric in METRICS:
        if sentences := [words for peer in PEERS if (words := winning_words(main, peer, metric))]:
            yield f"Quick look, {metric.title}, mean curves: {'; '.join(sentences)}."
    for domain in volumes_and_fields_domains(study):
        if words := winning_words(domain, "jpeg2000", PSNR):
            yield f"{domain.name}, PSNR, mean curves: {words}."
    trained = main.records["fit"].notes if "fit" in main.records else {}
    crops = f" ({counted(trained['crops'], 'crop')})" if "crops" in trained else ""
    yield (
        f"Rules, tables and network learned from some thirty photographs{crops}. Pictures of another kind, such as text, "
        "drawings or noise, cost more bytes than they should."
    )
    pictures = counted(main.pictures, "public picture")
    yield (
        f"The quick look is at {pictures}, which the project knew from its beginning: no claim is made on them. Its means and "
        "intervals are over these pictures, and the intervals are too narrow with so few."
    )
    if any("stored as JPEG" in note for notes in main.bench.pictures.values() for note in notes):
        yield "Some test pictures were stored as JPEG before, which favours JPEG."
    yield "Fitted and chosen for the squared error. Nobody was asked which pictures look better."
    yield (
        "The default model is not the published method of mixtures of Gaussians: codebooks of vectors only in a comparison, no "
        "network before the coder. The neural preset has both, trained for minutes on some thirty photographs. Published rates "
        "and speeds, on GPUs, are not reproduced."
    )
    yield "Codes are the same on every machine; pixels may differ by one grey level, since the last steps compute in floats."
    yield "Equal codes were shown on one machine with other settings. Other kinds of processors were not tried here."
    yield "No films; more than 4 megapixels are cut into tiles."


def missing(study: StudyResults, config: PageConfig) -> list[str]:
    """Return what the run lacks."""
    found = [f"the domain {name}" for name in config.domains if name not in study.domains]
    for name, domain in study.domains.items():
        parts: dict[str, Any] = {"bits, layers and pictures at equal bytes": domain.inspection or domain.volumes_and_fields}
        if name == study.main.name:
            parts["the crops that judge"] = domain.margins
        if name in config.networks:
            parts["the network behind the decoder"] = "nic" in domain.bench.codecs or None
        if name in config.neural:
            parts["the neural preset"] = NEURAL in domain.bench.codecs or None
        found += [f"{words} ({name})" for words, part in parts.items() if part is None]
    found += [] if study.lossless is not None else ["files without loss"]
    found += [f"{title_of(codec)} ({why})" for codec, why in study.main.bench.absent.items()]
    return found


def winning_ranges(
    domain: DomainResults, peer: str, metric: Metric, own: str | None = None
) -> tuple[list[tuple[float, float]], tuple[float, float]] | None:
    """Return the ranges of rates in which a peer's mean curve lies above ours, and the range that both cover, or None."""
    own = own or domain.best
    if own is None or peer not in domain.bench.codecs:
        return None
    ours, theirs = domain.curve(own, metric), domain.curve(peer, metric)
    if not ours.rates_bpp or not theirs.rates_bpp:
        return None
    low, high = max(ours.rates_bpp[0], theirs.rates_bpp[0]), min(ours.rates_bpp[-1], theirs.rates_bpp[-1])
    if low >= high:
        return None
    rates = np.geomspace(low, high, POINTS)
    wins = [(domain.lead(own, peer, float(rate), metric) or 0.0) < 0 for rate in rates]
    edges = np.flatnonzero(np.diff([False, *wins, False]))
    return [(float(rates[start]), float(rates[stop - 1])) for start, stop in edges.reshape(-1, 2)], (low, high)


def winning_words(domain: DomainResults, peer: str, metric: Metric, own: str | None = None) -> str:
    """Return where a peer is better than our best codec, or another of ours; empty where the two were not both measured."""
    found = winning_ranges(domain, peer, metric, own)
    if found is None:
        return ""
    ranges, (low, high) = found
    name, whole = title_of(peer), f"{low:.2g} to {high:.2g} bpp, all that both cover"
    if not ranges:
        return f"{name} wins nowhere from {whole}"
    if len(ranges) == 1:
        start, stop = ranges[0]
        if start == low and stop == high:
            return f"{name} wins everywhere from {whole}"
        if stop == high:
            return f"{name} wins above {start:.2g} bpp"
        if start == low:
            return f"{name} wins below {stop:.2g} bpp"
    return f"{name} wins at {', '.join(f'{start:.2g} to {stop:.2g}' for start, stop in ranges)} bits a pixel"
