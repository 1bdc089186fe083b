"""Stage `publish`: a model into the package, with its card and the reference of the self-test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciml.compression.codecs.model_files import LOSSLESS, Model, load_any
from sciml.compression.study.margins.codecs import OURS, own_settings
from sciml.compression.study.margins.records import CurvesFile
from sciml.compression.study.margins.statistics import RATES_BPP, Margins
from sciml.compression.study.quality import MS_SSIM, PSNR
from sciml.compression.study.selftest import reference_path, selftest_reference
from sciml.datasets.manifest import record
from sciml.report.words import counted
from sciml.runtime.errors import DataError
from sciml.runtime.files import read_json, write_json, write_text
from sciml.runtime.results import read_result
from sciml.training.card import publish
from sciml.training.weight_files import read_weights_metadata

SIMULATED = "simulated by this project, MIT"
LIMITS = {
    LOSSLESS: [
        "Learned from some tens of photographs; weights of predictions are fitted to every picture, and sent where that pays.",
        "Text and drawings, where whole patterns come again, are coded by deflate where that is smaller.",
        "Decoded samples are the same on every machine: nothing is computed in floats that are rounded.",
    ],
    "pictures": [
        "Learned from some tens of photographs: text, drawings, flat graphics and noise cost more bytes than they should.",
        "Chosen for the mean squared error; by MS-SSIM slow AVIF is ahead at low rates unless files are tuned for it.",
        "Codes are the same on every machine; pixels may differ by one grey level, since the network computes in floats.",
    ],
    "mr": ["Learned from axial slices of two averaged heads, T1: other contrasts and organs cost more bytes."],
    "ct": ["Learned from axial slices of two patients' heads, -1000 to 1000 Hounsfield units: other organs cost more bytes."],
    "slices": [
        "Lossy, and no medical device: nobody has judged whether findings survive.",
        "Codes are the same on every machine; values may differ in the last bits of a float32.",
    ],
    "fields": [
        "Learned from runs of one theory, active rods on a periodic square, at one grid: shocks and noise cost more bytes.",
        "The border of a periodic field is coded as that of a picture.",
        "Codes are the same on every machine; values may differ in the last bits of a float32.",
    ],
}
DATA = {
    "pictures": "test photographs",
    "slices": "files of neighbouring test slices",
    "fields": "test fields",
    LOSSLESS: "test pictures",
}


def run(weights: Path, bench: Path | None, output: Path, curves: Path | None = None) -> list[Path]:
    """Copy a model file to `<name>.safetensors` and write `<name>.md` and `<name>.selftest.json`, and its curves beside it.

    Args:
        weights: weights of the `train` or `fit` stage.
        bench: `bench.json` of the `evaluate` stage for the same model; no use where the curves have it.
        output: where the package keeps its models.
        curves: `curves.json` of the `judge` stage, whose numbers the card then has; it becomes `<name>.curves.json` if our codec
            in it is this model.

    Raises:
        DataError: the measurement is of another model.
    """
    model = load_any(weights)
    metadata = read_weights_metadata(weights)
    config = metadata["config"].get("data", metadata["config"])
    kind = "lossless" if model.name == LOSSLESS else config.get("kind", "pictures")
    target, card = publish(
        weights,
        output,
        model.name,
        family="compression",
        title=f"codec model {model.id.hex()}",
        licences={name: SIMULATED if kind == "fields" else record(name).licence for name in metadata["inputs"]},
        metrics=_metrics(model, kind, bench, None if curves is None else read_result(curves, CurvesFile)),
        limits=LIMITS[kind] if model.name == kind else [*LIMITS.get(model.name, []), *LIMITS[kind]],
    )
    reference = reference_path(target)
    write_json(reference, selftest_reference(model))
    if curves is None or read_result(curves, CurvesFile).codecs.get(OURS) != own_settings(model):
        return [target, card, reference]
    copy = target.with_name(f"{model.name}.curves.json")
    write_text(copy, curves.read_text(encoding="utf-8"))
    return [target, card, reference, copy]


def _metrics(model: Model, kind: str, bench: Path | None, curves: CurvesFile | None) -> list[dict[str, Any]]:
    if curves is not None and kind == "pictures":
        return judged_metrics(curves, model.id.hex())
    if bench is None:
        raise DataError(f"no measurement of {model.name} is given: evaluate it first")
    return (exact_metrics if kind == LOSSLESS else bench_metrics)(read_json(bench), model.id.hex(), DATA[kind])


def judged_metrics(curves: CurvesFile, model_id: str) -> list[dict[str, Any]]:
    """Return the rows of the card of a model of photographs, from the crops that judge: quality at some rates, BD-rates."""
    margins, rows = Margins(curves), []
    where = f"crops of {counted(margins.photographs, 'photograph')}"
    for name in _names(curves.codecs, model_id):
        for metric in (PSNR, MS_SSIM):
            for rate in RATES_BPP:
                means, count = margins.means([name], rate, metric)
                if count:
                    rows.append(_at_rate(name, metric.key, rate, means[name], where, count))
        for other in ("jpeg", "webp", "avif", "avif-3", "avif-0", "hevc-444"):
            saving = margins.saving(name, other, PSNR) if other in curves.codecs else None
            if saving is not None and saving.mean is not None:
                rows.append(_saved(name, other, saving.mean, where, len(saving.by_crop)))
    return rows


def exact_metrics(numbers: dict[str, Any], model_id: str, data: str) -> list[dict[str, Any]]:
    """Return the rows of the card of the model without loss: mean bits of a sample by domain and bound."""
    if numbers["model_id"] != model_id:
        raise DataError(f"the numbers are not of the model {model_id}: compare it first")
    found: dict[tuple[str, str], list[float]] = {}
    for row in numbers["rows"]:
        if row["codec"] == "nic":
            bound = f"{row['share']:g} of the range" if row["share"] else f"{row['bound']:g}"
            found.setdefault((row["domain"], bound), []).append(8 * row["bytes"] / row["samples"])
    return [
        _row(f"{domain}, largest error {bound}", f"{sum(bits) / len(bits):.3f}", "bits a sample", data, len(bits))
        for (domain, bound), bits in found.items()
    ]


def bench_metrics(bench: dict[str, Any], model_id: str, data: str) -> list[dict[str, Any]]:
    """Return the rows of the card of other models, from the study's bench: quality at some rates, BD-rates."""
    rows, count = [], len(bench["pictures"])
    for name in _names(bench["codecs"], model_id):
        for key in (PSNR.key, MS_SSIM.key):
            for rate, value in zip(bench["rates_bpp"], bench["at_rates"][key][name], strict=True):
                if value is not None and rate in RATES_BPP:
                    rows.append(_at_rate(name, key, rate, value, data, count))
        saved = bench["bd_rates"][PSNR.key].get(name, {}).get("mean")
        if saved is not None:
            rows.append(_saved(name, bench["anchor"], saved, data, count))
    return rows


def _names(codecs: dict[str, str], model_id: str) -> list[str]:
    """Return the names under which a model was measured."""
    names = [name for name, words in codecs.items() if model_id in words]
    if not names:
        raise DataError(f"nothing was measured of the model {model_id}: evaluate or judge it first")
    return names


def _at_rate(name: str, key: str, rate: float, value: float, data: str, n: int) -> dict[str, Any]:
    decibels = key == PSNR.key
    return _row(
        f"{name}: {key} at {rate:g} bits per pixel", f"{value:.{2 if decibels else 4}f}", "dB" if decibels else "1", data, n
    )


def _saved(name: str, other: str, percent: float, data: str, n: int) -> dict[str, Any]:
    return _row(f"{name}: BD-rate (PSNR) against {other}", f"{percent:.1f}", "%", data, n)


def _row(name: str, value: str, unit: str, data: str, n: int) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "data": data, "n": n}
