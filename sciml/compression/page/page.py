"""The page of the study of learned image compression, from its artefacts alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sciml.compression.config import PageConfig
from sciml.compression.page.accounting import accounting_reportlets
from sciml.compression.page.apart import apart_reportlets
from sciml.compression.page.checks import check_reportlets
from sciml.compression.page.claims import apart_claims, claims
from sciml.compression.page.limits import limits
from sciml.compression.page.methods import CODEC
from sciml.compression.page.pictures import picture_reportlets
from sciml.compression.page.rates import other_domain, rate_reportlets
from sciml.compression.page.results import StudyResults, apart_domains, read_study
from sciml.compression.page.training import neural_reportlets, training_reportlets
from sciml.compression.page.vectors import vector_reportlets
from sciml.report.reportlets import Limits, Methods, Provenance, Reportlet, Text, Verdict

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


def reportlets(config: PageConfig, results: Path) -> list[Reportlet]:
    """Return everything that the page shows; a part whose stage has not run is a sentence, and is named under the limits.

    Args:
        config: tier and domains of the run.
        results: results folder of the study.

    Raises:
        DataError: no codec has been compared.
    """
    study = read_study(results, config)
    items: list[Reportlet] = [
        Verdict([*claims(study.main), *(one for domain in apart_domains(study) for one in apart_claims(domain))]),
        Text("How to read this page", READING),
    ]
    items += parts(study)
    stages = [{"stage": record["stage"], "parameters": dict(record["config"])} for record in study.records]
    items.append(Methods([{"stage": CODEC, "parameters": {}}, *stages]))
    items.append(Provenance(study.records))
    items.append(Limits(list(limits(study, config))))
    return items


def parts(study: StudyResults) -> Iterator[Reportlet]:
    """Yield what the stages have made, in the order of the questions."""
    main, *others = study.domains.values()
    yield from picture_reportlets(main)
    yield from rate_reportlets(main)
    yield from accounting_reportlets(main)
    yield from vector_reportlets(main)
    yield from training_reportlets(main)
    yield from neural_reportlets(main)
    yield from check_reportlets(main)
    apart = {domain.name for domain in apart_domains(study)}
    for domain in others:
        yield from apart_reportlets(domain) if domain.name in apart else other_domain(domain)
