"""The price of provability: networks of about the same size, trained on the same pictures, with and without guarantees."""

from __future__ import annotations

from pathlib import Path

from sciml.proximal.networks.network_table import network_row
from sciml.proximal.networks.weight_files import STORE
from sciml.proximal.page.results import LearnedResults
from sciml.report.reportlets import Column, Table, Value
from sciml.report.words import spread
from sciml.runtime.files import digest_file
from sciml.training import read_weights_metadata

WORDS = {
    "implicit": "prox of a learned R in closed form; any weight and operator",
    "guided": "prox of a learned R whose thresholds follow the picture, fixed before it is solved",
    "explicit": "prox, gradient of a learned convex potential",
    "peer": "none: neither a prox nor an R",
}


def price_table(task: LearnedResults) -> Table:
    """Return guarantee, size and PSNR of every network of the denoising study."""
    rows: list[dict[str, Value]] = []
    for name in task.networks:
        row: dict[str, Value] = {"network": name, "guarantee": WORDS[task.form(name)]}
        file = weight_file_of(task, name)
        row["parameters"] = "file not found" if file is None else count(file)
        row["cpu_minutes"] = "file not found" if file is None else trained_for(file)
        for index, label in enumerate(task.labels):
            found = task.row(label, name)
            row[f"psnr{index}"] = spread(found.psnr) if found else "not run"
        rows.append(row)
    columns = [Column("network", "network"), Column("guarantee", "what is certain"), Column("parameters", "numbers stored")]
    columns += [Column("cpu_minutes", "training", "CPU min", digits=1)]
    columns += [Column(f"psnr{index}", f"PSNR, {label}", "dB", "up", 2) for index, label in enumerate(task.labels)]
    caption = (
        "Networks without constraint are trained on the same pictures. In theory the constraint costs nothing, since the best "
        "denoiser in the mean square is the gradient of a convex function; what is left is capacity, "
        "optimisation and time: compare the processor minutes too. "
        "The filters of the two constrained forms are averaged over the eight symmetries of the square, so that fewer of their "
        "numbers are free than stored."
    )
    return Table("The price of provability", columns, rows, caption)


def weight_file_of(task: LearnedResults, network: str) -> Path | None:
    """Return the very file that was used, found by its digest; None where it is gone."""
    inputs = next(record.inputs for record in task.records if record.stage == "proximal.restore")
    name = f"{network}.safetensors"
    for recorded, digest in inputs.items():
        if Path(recorded).name != name:
            continue
        for path in (Path(recorded), task.folder.parent / "train" / network / name, STORE.folder / name):
            if path.is_file() and digest_file(path) == digest:
                return path
    return None


def trained_for(file: Path) -> float:
    """Return the processor minutes that a network was trained for."""
    return float(read_weights_metadata(file)["cpu_minutes"])


def minutes(task: LearnedResults, network: str) -> str:
    """Return the processor minutes of a network's training in words, nothing where its file is gone."""
    file = weight_file_of(task, network)
    return "" if file is None else f" (trained for {trained_for(file):.0f} CPU min)"


def count(file: Path) -> int:
    """Return the number of weights of a file."""
    return network_row(file).parameters
