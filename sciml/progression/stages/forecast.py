"""Stage `forecast`: subjects of a cohort at later ages, one folder a subject, finished ones kept; or one raw scan."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np

from sciml.progression.cohorts.cohort import Cohort, Visit
from sciml.progression.forecasting.flow_forecast import FlowForecaster
from sciml.progression.forecasting.forecast import Forecast, Forecaster, imaged
from sciml.progression.forecasting.scan_forecast import ScanForecast, forecast_scan
from sciml.progression.forecasting.scan_picture import scan_picture
from sciml.progression.scans.native import trajectory
from sciml.progression.scans.preparation import Reading, examine_image
from sciml.progression.settings.models import AskConfig, AskScanConfig
from sciml.runtime.checkpoints import Partial
from sciml.runtime.errors import ConfigError, DataError, PartialResult, ScimlError
from sciml.runtime.files import atomic_path, digest_file, write_json, write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)
ARRAYS = ("ages", "images", "uncertainty", "volumes_ml", "low_ml", "high_ml", "latent_spread")


def run(
    config: AskConfig, cohort: Path, model: str | Path, output: Path, device: str = "cpu", scan: Path | None = None
) -> list[Path]:
    """Write for each subject `trajectory.nii.gz`, `uncertainty.nii.gz`, `volumes.csv` and `forecast.json`.

    The images are on the grid of the model. `native.nii.gz` in the voxels, orientation and intensities of the last scan comes
    with it where that scan is given.

    Args:
        config: who, when, how.
        cohort: folder of prepared or simulated subjects.
        model: shipped model or model file.
        output: output folder, with a folder for each subject.
        device: `cpu` or `cuda`.
        scan: the last scan of the one subject that is asked for, as it was before it was prepared.

    Raises:
        ConfigError: a scan is given and not exactly one subject.
        PartialResult: some subjects could not be forecast; the others are written.
    """
    recorder = Recorder("progression.forecast", config.model_dump(mode="json"), [cohort / "visits.csv"])
    known = Cohort(cohort)
    forecaster = (
        FlowForecaster.load(model, samples=config.how.samples, course=config.how.course)
        if config.form == "flow"
        else Forecaster.load(model, device, **config.how.model_dump())
    )
    people = known.subjects()
    if unknown := sorted(set(config.subjects) - set(people)):
        raise DataError(f"{cohort} has nobody called {unknown[0]}; it has {', '.join(sorted(people)[:8])} ...")
    wanted = config.subjects or tuple(people)
    identity = {"config": config.model_dump(mode="json"), "model": forecaster.model.about, "code": source_digest(__name__)}
    if scan is not None and len(wanted) != 1:
        raise ConfigError(f"one scan is given and {len(wanted)} subjects are asked for; name the one with --subject")
    written: list[Path] = []
    failed: dict[str, str] = {}
    for subject in wanted:
        try:
            forecast = _forecast(config, known, people[subject], forecaster, Partial(output, identity))
            written += _write(forecast, known, people[subject], output / subject, scan, config.registration)
            log.info("%s: %s", subject, ", ".join(f"{age:.1f}" for age in forecast.ages))
        except ScimlError as error:
            failed[subject] = str(error)
    with Partial(output, identity):
        recorder.write(output / "provenance.json", written)
    if failed:
        told = "; ".join(f"{subject}: {message}" for subject, message in failed.items())
        raise PartialResult(f"{len(failed)} of {len(wanted)} subjects were not forecast: {told}")
    return [*written, output / "provenance.json"]


def run_scan(
    config: AskScanConfig,
    scan: Path,
    model: str | Path,
    output: Path,
    device: str = "cpu",
    segmentation: Path | None = None,
    brain_mask: Path | None = None,
) -> list[Path]:
    """Write `forecast.nii.gz`, `labels.nii.gz`, `volumes.csv`, `forecast.png` and `forecast.json` of one raw scan.

    Args:
        config: whose scan, when, how.
        scan: T1 in any orientation, with skull or without.
        model: shipped model or model file.
        output: output folder.
        device: `cpu` or `cuda`.
        segmentation: label image of the scan, on any grid; without it regions are estimated.
        brain_mask: brain of the scan, on any grid; without it a skull is removed.

    Raises:
        DataError: the scan is no whole T1 head or brain; `check.png` shows what was found.
    """
    inputs = [path for path in (scan, segmentation, brain_mask) if path is not None]
    recorder = Recorder("progression.forecast", config.model_dump(mode="json"), inputs)
    found = forecast_scan(
        config, scan, model, segmentation=segmentation, brain_mask=brain_mask, device=device, check_picture=output / "check.png"
    )
    log.info("%s: writing", scan.name)
    paths = [output / name for name in ("forecast.nii.gz", "labels.nii.gz", "volumes.csv", "forecast.png", "forecast.json")]
    given, labels = found.ready.scan, found.regions.labels
    image = nibabel.Nifti1Image(np.stack([given.array, *found.images], axis=-1).astype(np.float32), given.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"scan, then the ages of forecast.json; not for clinical use"
    save(image, paths[0])
    save(nibabel.Nifti1Image(labels.array.astype(np.uint8), labels.affine), paths[1])
    _write_table(paths[2], found.rows)
    scan_picture(paths[3], found)
    write_json(paths[4], _scan_summary(config, found))
    for text in (*found.warnings, *found.forecast.notes):
        log.warning("%s", text)
    recorder.seeds = {"chains": config.seed}
    recorder.write(output / "provenance.json", paths)
    return [*paths, output / "provenance.json"]


def _forecast(
    config: AskConfig, cohort: Cohort, visits: Sequence[Visit], forecaster: Forecaster | FlowForecaster, partial: Partial
) -> Forecast:
    subject = visits[0].subject
    scans = [imaged(cohort, visit) for visit in visits]
    last = visits[-1].age_years
    ages = config.ages or tuple(last + years for years in config.years_ahead)
    diagnosis = config.diagnosis or visits[-1].diagnosis
    key = f"{subject}/{digest_file(cohort.folder / 'subjects' / f'{subject}.safetensors')}"
    if found := partial.get(key):
        arrays, notes = found
        return Forecast(diagnosis=diagnosis, grid=cohort.grid, start=scans[-1].image, notes=tuple(notes["notes"]), **arrays)
    # a flow knows no grid
    own: dict[str, Any] = {"grid": cohort.grid} if isinstance(forecaster, FlowForecaster) else {}
    forecast = forecaster.forecast(scans, ages, diagnosis=config.diagnosis, seed=config.seed, **own)
    partial.put(key, {name: getattr(forecast, name) for name in ARRAYS}, {"notes": list(forecast.notes)})
    return forecast


def _write(
    forecast: Forecast,
    cohort: Cohort,
    visits: Sequence[Visit],
    folder: Path,
    scan: Path | None,
    register: Literal["none", "affine"],
) -> list[Path]:
    paths = [folder / name for name in ("trajectory.nii.gz", "uncertainty.nii.gz", "volumes.csv", "forecast.json")]
    stack = np.moveaxis(np.concatenate([forecast.start[None], forecast.images]), 0, -1)
    save(nibabel.Nifti1Image(stack, cohort.affine), paths[0])
    save(nibabel.Nifti1Image(np.moveaxis(forecast.uncertainty, 0, -1), cohort.affine), paths[1])
    _write_table(paths[2], forecast.table())
    write_json(paths[3], _summary(forecast, visits))
    if scan is not None:
        examined = examine_image(scan, cohort.grid, Reading(register, allow_skull=True))
        if examined.errors:
            raise DataError(f"{scan}: {examined.errors[0].text}")
        paths.append(folder / "native.nii.gz")
        save(trajectory(forecast, examined.scan, examined.placed), paths[-1])
    return paths


def _summary(forecast: Forecast, visits: Sequence[Visit]) -> dict[str, Any]:
    return {
        "subject": visits[0].subject,
        "history_ages_years": [visit.age_years for visit in visits],
        "ages_years": forecast.ages.tolist(),
        "diagnosis": forecast.diagnosis,
        "latent_spread": forecast.latent_spread.tolist(),
        "notes": list(forecast.notes),
    }


def _scan_summary(config: AskScanConfig, found: ScanForecast) -> dict[str, Any]:
    return {
        "scan": found.ready.scan.path.name,
        "age_years": config.age_years,
        "sex": config.sex,
        "diagnosis": config.diagnosis,
        "ages_years": found.forecast.ages.tolist(),
        "form": config.form,
        "course": config.how.course,
        "skull_removed": found.ready.skull_removed,
        "template_to_scan_mm": found.ready.placed.to_scan.tolist(),
        "scan_volume_per_template_volume": found.size,
        "warnings": found.warnings,
        "notes": list(found.forecast.notes),
    }


def _write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def save(image: Any, path: Path) -> None:
    """Write a NIfTI image, whole or not at all."""
    with atomic_path(path) as temporary:
        # the temporary of `x.nii.gz` ends in `.gz` alone, by which nibabel would not know the format
        inner = temporary.with_name(temporary.stem + ".nii.gz")
        nibabel.save(image, inner)
        inner.replace(temporary)
