"""The training of the network behind the decoder."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.report_results import DomainResults
from sciml.report.reportlets import Curve, Reportlet, Text

SERIES = {"gain_db": "training parts", "validation_gain_db": "validation crops"}


def training_reportlets(domain: DomainResults) -> Iterator[Reportlet]:
    """Yield the gain over the steps, or a sentence."""
    rows = [
        {"step": int(row["step"]), "gain_db": round(float(value), 4), "of": words}
        for key, words in SERIES.items()
        for row in domain.history
        if (value := row.get(key))
    ]
    if len({row["step"] for row in rows}) < 2:
        yield Text("Training", "No training of a network was long enough to note a history.", "curves")
        return
    ends = ", ".join(f"{words} {[row for row in rows if row['of'] == words][-1]['gain_db']:.2f} dB" for words in dict.fromkeys(
        row["of"] for row in rows))  # fmt: skip
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
