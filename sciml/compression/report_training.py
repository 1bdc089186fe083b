"""The training of the network behind the decoder."""

from __future__ import annotations

from collections.abc import Iterator

from sciml.compression.report_results import DomainResults
from sciml.compression.report_style import signed
from sciml.report.reportlets import Curve, Reportlet, Text


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
        yield Text("Training", "No training of a network was long enough to note a history.", "curves")
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


def _series(column: str) -> str:
    return "validation crops" if column.startswith("validation") else "training parts"
