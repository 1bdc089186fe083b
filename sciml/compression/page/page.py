"""The page of the study of learned image compression, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sciml.compression.page.accounting import accounting_reportlets
from sciml.compression.page.checks import check_reportlets
from sciml.compression.page.claims import claims, volumes_and_fields_claims
from sciml.compression.page.limits import limits, missing
from sciml.compression.page.lossless.claims import lossless_claims
from sciml.compression.page.lossless.tables import lossless_reportlets
from sciml.compression.page.margins.tables import margin_reportlets
from sciml.compression.page.margins.words import margin_answer, margin_numbers
from sciml.compression.page.methods import CODEC, PARAGRAPHS
from sciml.compression.page.pictures import picture_reportlets
from sciml.compression.page.published import published_table
from sciml.compression.page.rates import other_domain, rate_reportlets
from sciml.compression.page.results import DomainResults, read_study, volumes_and_fields_domains
from sciml.compression.page.style import SERIES
from sciml.compression.page.training import neural_reportlets, training_reportlets
from sciml.compression.page.vectors import vector_reportlets
from sciml.compression.page.volumes_and_fields import volumes_and_fields_reportlets
from sciml.compression.settings.stages import PageConfig
from sciml.datasets.cards import data_text
from sciml.report.reportlets import Checks, Reportlet
from sciml.report.study import Number, StudyPage, Tab, tier_of
from sciml.report.words import counted
from sciml.runtime.errors import DataError

QUESTION = (
    "Can a codec that is fitted in an hour on two cores, and whose files decode to the same codes on every machine, "
    "be better than WebP and equal to AVIF and HEVC at equal bytes?"
)
DOMAINS = {"photo": "Photographs", "mr": "MR slices", "ct": "CT slices", "field": "Simulated fields"}
READING = """A picture becomes planes of waves; the decoder predicts from what it has decoded how large each number will be, and
the better it predicts, the fewer bits are sent.

- **ours**: the whole codec, with a small network behind the decoder that adds what the rest misses.
- **ours, no network**: the same model without it, in encoder and decoder.
- **ours, tuned for MS-SSIM**: the encoder spends more bits where the picture is smooth and fewer where it is busy.
- **neural preset**: networks on both sides of vector codebooks, as in the published method, small enough to train here.
- **JPEG, WebP, JPEG 2000, AVIF, JPEG XL, HEVC**: measured on the same pictures. AVIF stands at its default speed 6, at the slower
  3, and with all its colours (4:4:4); HEVC intra in 4:4:4, at its slowest preset, stands in the place of BPG.

**Claims are made on crops of photographs that nothing was learned from**, chosen by a rule that was written before anything was
measured and that looks at no content: every photograph of its list, halved, cut into disjoint parts of 768 x 512, at most four of
each. Each crop's own curve is read at the rates of the tables. Intervals draw whole photographs, since crops of one resemble each
other, and beside every mean stands the share of crops on which the other codec is the better one. The **quick look** is at a few
public pictures that this project has known from its beginning; no claim is made on them.

Rates are bits of the whole file over the number of pixels, header and checksums included. One model serves all rates.

**Slices and fields** have models of their own, fitted by the same rule; they are compared with the photo model and with JPEG 2000
in 16 bits. Of slices four neighbours go into one of our files, the others code them slice by slice; bits are those of a pixel of
a slice.

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
        "Beside other codecs": [*(margin_reportlets(main.margins) if main.margins is not None else ()), published_table()],
        f"Quick look: {counted(main.pictures, 'picture')}": list(rate_reportlets(main)),
        "Pictures": pictures[1:],
        "Where the bits go": list(accounting_reportlets(main)),
        **{DOMAINS.get(name, name): _without(items, checks) for name, items in others.items()},
        "Without loss": list(lossless_reportlets(study.lossless)),
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
            *lossless_claims(study.lossless),
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
    words = "Photographs and slices are real; the fields are simulated."
    return f"{words} The models are the shipped ones; none was fitted in this run." if config.weights == "shipped" else words


def answer(domain: DomainResults) -> str:
    """Return what ours needs beside the codecs of the question, on the crops that judge."""
    if domain.best is None:
        return "Our codec was not compared in this run."
    if domain.margins is None:
        return "Not judged in this run: there is only the quick look at a few pictures, on which no claim is made."
    return margin_answer(domain.margins)


def numbers(domain: DomainResults) -> Iterator[Number]:
    """Yield the numbers of the first screen."""
    if domain.margins is not None:
        yield from margin_numbers(domain.margins)
