"""The training of the network behind the decoder."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.page.results import NEURAL, DomainResults
from sciml.compression.page.style import title_of
from sciml.report.reportlets import Curve, Reportlet
from sciml.report.words import signed

USAGE = (
    (
        "dead",
        "share of words hardly used",
        "Below 2 % of an equal share; they are used anew in the first half. The rate in the cost makes rare words rarer, so many "
        "of them is no failure.",
    ),
    ("perplexity", "perplexity over the number of words", "2 to the power of the entropy: 1 where all words are equally likely."),
)


def training_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield the gain over the steps, or a sentence."""
    rows = [
        {"step": int(row["step"]), "gain_db": round(float(value), 4), "of": _series(key)}
        for row in domain.history
        for key, value in row.items()
        if key.endswith("gain_db") and value
    ]
    rows.sort(key=lambda row: row["of"])
    if len({row["step"] for row in rows}) < 2:
        return
    last = {row["of"]: row["gain_db"] for row in rows}
    ends = ", ".join(f"{words} {signed(gain)} dB" for words, gain in last.items())
    yield Curve(
        "Training of the network: gain in PSNR",
        rows,
        "step",
        "gain_db",
        "of",
        "step",
        "gain over the linear path (dB)",
        f"Mean over pictures and rates of what the network adds to the PSNR of the decoder without it; at the end {ends}. "
        "Training parts are crops with much structure, so the two lines need not meet.",
        f"gain in dB over training steps; at the end {ends}",
    )


def neural_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield cost and usage of words over the steps of the neural model's training; nothing where there was none."""
    found = [row for row in domain.neural_history if row.get("validation_cost")]
    if not found:
        return
    ends = [f"{float(row['validation_psnr_db']):.2f} dB at {float(row['validation_bpp']):.3f} bits a pixel" for row in found]
    yield Curve(
        "Training of the neural preset: cost on validation crops",
        [{"step": int(row["step"]), "cost": round(float(row["validation_cost"]), 4), "of": "validation crops"} for row in found],
        "step",
        "cost",
        "of",
        "step",
        "squared error + \u03bb bits, a block",
        f"Of {title_of(NEURAL)} with the rate of its running tables; first {ends[0]}, last {ends[-1]}.",
        f"cost over training steps; first {ends[0]}, last {ends[-1]}",
    )
    for key, words, caption in USAGE:
        rows = [
            {"step": int(row["step"]), "share": round(float(row[f"{key}_{stride}"]), 4), "of": f"stride {stride}"}
            for stride in (64, 32, 16)
            for row in domain.neural_history
            if row.get(f"{key}_{stride}")
        ]
        yield Curve(
            f"Codebooks of the neural preset: {words}", rows, "step", "share", "of", "step", words,
            f"Means over the groups of a level. {caption}", f"{words} over training steps",
        )  # fmt: skip


def _series(column: str) -> str:
    return "validation crops" if column.startswith("validation") else "training parts"
