"""The page of the study of learned image compression, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sciml.compression.config import PageConfig
from sciml.compression.page.accounting import accounting_reportlets
from sciml.compression.page.checks import check_reportlets
from sciml.compression.page.claims import claims, volumes_and_fields_claims
from sciml.compression.page.goals import RATES_BPP
from sciml.compression.page.limits import limits, missing, winning_words
from sciml.compression.page.methods import CODEC, PARAGRAPHS
from sciml.compression.page.pictures import picture_reportlets
from sciml.compression.page.rates import other_domain, rate_reportlets
from sciml.compression.page.results import DomainResults, read_study, volumes_and_fields_domains
from sciml.compression.page.style import SERIES, title_of
from sciml.compression.page.training import neural_reportlets, training_reportlets
from sciml.compression.page.vectors import vector_reportlets
from sciml.compression.page.volumes_and_fields import volumes_and_fields_reportlets
from sciml.compression.study.anchors import ANCHORS
from sciml.compression.study.quality import MS_SSIM, PSNR, Metric
from sciml.datasets.cards import data_text
from sciml.report.reportlets import Checks, Reportlet
from sciml.report.study import Number, StudyPage, Tab, tier_of
from sciml.report.words import counted, with_interval
from sciml.runtime.errors import DataError

QUESTION = (
    "Can a codec that is fitted in an hour on two cores, and whose files decode to the same codes on every machine, "
    "be better than WebP and equal to AVIF at equal bytes?"
)
# the rate at which codecs are compared, and those that the question names
RATE_BPP = RATES_BPP[1]
ASKED = ("webp", "avif")
DOMAINS = {"photo": "Photographs", "mr": "MR slices", "field": "Simulated fields"}
READING = """A picture becomes planes of waves; the decoder predicts from what it has decoded how large each number will be, and
the better it predicts, the fewer bits are sent.

- **ours**: the whole codec, with a small network behind the decoder that adds what the rest misses.
- **ours, no network**: the same model without it, in encoder and decoder.
- **ours, tuned for MS-SSIM**: the encoder spends more bits where the picture is smooth and fewer where it is busy.
- **neural preset**: networks on both sides of vector codebooks, as in the published method, small enough to train here.
- **JPEG, WebP, JPEG 2000, AVIF, JPEG XL**: measured in this run, on the same pictures.

Rates are bits of the whole file over the number of pixels, header and checksums included. Values at equal rate are read from the
curve of the means over the test pictures; none of them was trained on. One model serves all rates.

**Slices and fields** have models of their own, fitted by the same rule; they are compared with the photo model and with JPEG 2000
in 16 bits.

**The reference column holds goals of this project or peers measured in the same run.** Published numbers of learned codecs are
on other pictures and were not run; they are marked so, and none is quoted from memory."""


def study_page(config: PageConfig, results: Path) -> StudyPage:
    """Return the page of the study; a part whose stage has not run is left out and named under the limits.

    Args:
        config: tier and domains of the run.
        results: results folder of the study.

    Raises:
        DataError: no codec has been compared.
    """
    study = read_study(results, config)
    main = study.main
    pictures = list(picture_reportlets(main))
    samples = {domain.name: list(volumes_and_fields_reportlets(domain)) for domain in volumes_and_fields_domains(study)}
    others = {
        name: samples.get(name) or list(other_domain(domain)) for name, domain in study.domains.items() if domain is not main
    }
    checks = [item for items in others.values() for item in items if isinstance(item, Checks)]
    tabs = {
        "Rate and quality": list(rate_reportlets(main)),
        "Pictures": pictures[1:],
        "Where the bits go": list(accounting_reportlets(main)),
        **{DOMAINS.get(name, name): _without(items, checks) for name, items in others.items()},
        "Vectors": list(vector_reportlets(main)),
        "Training": [*training_reportlets(main), *neural_reportlets(main)],
    }
    return StudyPage(
        "compression",
        "Learned image compression",
        QUESTION,
        config.tier,
        answer(main),
        picture=pictures[0] if pictures else None,
        numbers=list(numbers(main)),
        claims=[
            *claims(main),
            *(one for domain in volumes_and_fields_domains(study) for one in volumes_and_fields_claims(domain)),
        ],
        tabs=[Tab(title, items) for title, items in tabs.items() if items],
        checks=[*check_reportlets(main), *checks],
        reading=READING,
        records=study.records,
        paragraphs=PARAGRAPHS,
        closing=[data_text(study.records)],
        stages=[(CODEC, {})],
        limits=list(limits(study)),
        missing=missing(study, config),
        banner=banner(config),
        series=SERIES,
        data_tier=config.data_tier,
    )


def _without(items: list[Reportlet], left_out: list[Checks]) -> list[Reportlet]:
    return [item for item in items if not any(item is one for one in left_out)]


def settings_of(results: Path) -> PageConfig:
    """Return the settings of the page of a results folder, by what lies there.

    Raises:
        DataError: no codec has been compared there.
    """
    domains = tuple(sorted(path.parents[1].name for path in results.glob("*/evaluate/bench.json")))
    if not domains:
        raise DataError(
            f"{results} holds no comparison of codecs: give the results folder of the study, such as results/cpu/compression"
        )
    networks = tuple(name for name in domains if (results / name / "train").is_dir())
    neural = tuple(name for name in domains if (results / name / "neural").is_dir())
    weights = "trained" if any((results / name / "fit").is_dir() for name in domains) else "shipped"
    return PageConfig(tier=tier_of(results), domains=domains, networks=networks, neural=neural, weights=weights)


def banner(config: PageConfig) -> str:
    """Return what the pictures are, and whose models are compared where they were not fitted in the run."""
    words = "Photographs and MR slices are real; the fields are simulated."
    return f"{words} The models are the shipped ones; none was fitted in this run." if config.weights == "shipped" else words


def rival_of(domain: DomainResults, metric: Metric, rate_bpp: float = RATE_BPP) -> tuple[str, float] | None:
    """Return the strongest codec that is not ours at a rate, and its quality there in the metric's own unit."""
    values = domain.bench.at_rates(metric, [rate_bpp])
    found = {name: values[name][0] for name in domain.codecs if name in ANCHORS}
    known = {name: value for name, value in found.items() if value is not None}
    return max(known.items(), key=lambda pair: pair[1], default=None)


def answer(domain: DomainResults) -> str:
    """Return how far ours is above the codecs of the question at one rate, what it saves at equal quality, and who wins where."""
    best = domain.best
    if best is None:
        return "Our codec was not compared in this run."
    parts = []
    for name in ASKED:
        lead = domain.lead(best, name, RATE_BPP, PSNR)
        rate = domain.bd_rates(name, PSNR).get(best)
        said = [] if lead is None else [f"{with_interval(lead, None, 'dB', sign=True)} against {title_of(name)}"]
        if rate is not None and rate.mean is not None:
            said.append(f"{with_interval(rate.mean, rate.interval, '%', 0, sign=True)} of its bits")
        if said:
            parts.append(" and ".join(said))
    if not parts:
        return f"At {RATE_BPP:g} bpp ours could be compared with neither {' nor '.join(map(title_of, ASKED))}."
    pictures = counted(domain.pictures, "test picture")
    head = f"PSNR at {RATE_BPP:g} bpp, and bits at equal PSNR, on {pictures}: {'; '.join(parts)}."
    rival = rival_of(domain, PSNR)
    words = "" if rival is None else winning_words(domain, rival[0], PSNR)
    return f"{head} The strongest codec there, by PSNR: {words}." if words else head


def numbers(domain: DomainResults) -> Iterator[Number]:
    """Yield quality beside the strongest rival, what is saved at equal quality, the speed, and whether codes are equal."""
    best = domain.best
    if best is None:
        return
    for metric, unit in ((PSNR, "dB"), (MS_SSIM, "")):
        ours = domain.bench.at_rates(metric, [RATE_BPP])[best][0]
        rival = rival_of(domain, metric)
        if ours is not None and rival is not None:
            yield Number(f"{metric.title} at {RATE_BPP:g} bpp", ours, unit, None, title_of(rival[0]), rival[1])
    for name in ASKED:
        rate = domain.bd_rates(name, PSNR).get(best)
        if rate is not None and rate.mean is not None:
            yield Number(f"Bits at equal PSNR against {title_of(name)} (BD-rate)", rate.mean, "%", rate.interval)
    speeds = domain.bench.speeds()
    fastest = max((name for name in domain.codecs if name in ANCHORS), key=lambda name: speeds[name][1], default=None)
    if fastest is not None:
        yield Number("Decoding", speeds[best][1], "Mpx / CPU s", None, title_of(fastest), speeds[fastest][1])
    rows = [] if domain.inspection is None else domain.inspection.numbers.processes
    if rows:
        yield Number("Decodings with equal codes in other processes", f"{sum(row.codes_equal for row in rows)} of {len(rows)}")
