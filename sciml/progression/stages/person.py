"""Stage `person`: the brain of a real man, Colin27, forecast as if he were old; no model of the family has seen a real subject.

He was young and healthy, and nobody knows how his brain looked years later: what is compared is the forecast image with the
course that it was told, and with the flow that moves his own labels to the same volumes.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from sciml.datasets import local_path
from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.grids import Grid
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.config import PERSON_DATA, PersonConfig
from sciml.progression.courses.fit import anchored, course_of
from sciml.progression.forecasting.forecast import Forecaster, ImagedVisit
from sciml.progression.forecasting.pair_predictions import reconstructions
from sciml.progression.networks.model_files import load_model
from sciml.progression.scans.preparation import Reading, prepare_cohort
from sciml.progression.scans.segmentation import code_table
from sciml.progression.scans.tables import read_table
from sciml.progression.simulation.anatomy import colin_template
from sciml.progression.stages.evaluate import fit_readouts
from sciml.progression.stages.forecast import save
from sciml.progression.study.baselines import prescribed_forecast, volume_ratios
from sciml.progression.study.evaluation import lowest_frequencies
from sciml.progression.study.readout import neighbourhoods
from sciml.progression.study.results import CodeScores, SubjectForecast, SubjectResult
from sciml.progression.study.scores import brain_psnr
from sciml.runtime.files import save_tensors, write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

SUBJECT = "colin27"
SCAN, ATLAS = PERSON_DATA


def run(config: PersonConfig, calibration: Path, model: Path, output: Path, device: str = "cpu") -> list[Path]:
    """Write `person.json`, `person.safetensors` with the images, and the cohort of one that they are made from.

    Args:
        config: how old he is thought to be, how far ahead, with which diagnoses.
        calibration: folder of subjects whose regions change independently, for the readouts.
        model: model file.
        output: output folder.
        device: `cpu` or `cuda`.
    """
    inputs = [local_path(SCAN), local_path(ATLAS), calibration / "visits.csv", model]
    recorder = Recorder("progression.person", config.model_dump(mode="json"), inputs)
    loaded = load_model(model).to(device)
    forecaster = Forecaster(loaded, config.how.model_copy(update={"course": config.course}), device)
    warnings = prepare_person(config, loaded.grid, output)
    cohort = Cohort(output / "cohort")
    (visit,) = cohort.visits
    image, mask, labels = cohort.image(visit)[0], cohort.mask(visit)[0], cohort.labels(visit)
    decoded = reconstructions(loaded, cohort, [visit], device)[0, 0].numpy()
    readouts, places = fit_readouts(Cohort(calibration), loaded, device), neighbourhoods(cohort, [visit])

    def points(kind: str, before: np.ndarray, after: np.ndarray) -> list[float | None]:
        change = readouts[kind].change(places, before[None, None], after[None, None].astype(np.float32))
        return (100 * change[0]).tolist()

    before = image if config.how.decoding == "residual" else decoded
    ages = [visit.age_years + years for years in (0.0, *config.years_ahead)]
    images = {"scan": image, "mask": mask.astype(np.uint8)}
    found = []
    for diagnosis in config.diagnoses:
        forecast = forecaster.forecast([ImagedVisit(visit, image)], ages, diagnosis=diagnosis, seed=config.seed)
        usual = anchored(loaded.course(config.how.course), course_of([visit], diagnosis), ages)
        for age, after, volumes, others in zip(ages, forecast.images, forecast.volumes_ml, usual, strict=True):
            years = age - visit.age_years
            flow = prescribed_forecast(image, labels, mask, volume_ratios(volumes, visit))
            images |= {f"{diagnosis}_{years:g}": after, f"{diagnosis}_{years:g}_flow": flow.astype(np.float32)}
            found.append(
                SubjectForecast(
                    diagnosis=diagnosis,
                    years=years,
                    expected_points=(100 * np.log(volumes / visit.volumes_ml)).tolist(),
                    usual_points=(100 * np.log(others / visit.volumes_ml)).tolist(),
                    read_points=points("decoded", before, after),
                    flow_points=points("scans", image, flow),
                    psnr_db=brain_psnr(after, flow, mask),
                    # at no gap the flow is the scan
                    no_change_psnr_db=brain_psnr(image, flow, mask) if years else None,
                    notes=list(forecast.notes),
                )
            )
    count = int(np.prod(loaded.autoencoder.latent_shape(loaded.grid.shape)))
    result = SubjectResult(
        regions=list(REGIONS),
        age_years=visit.age_years,
        volumes_ml=list(visit.volumes_ml),
        grid=loaded.grid.name,
        warnings=warnings,
        forecasts=found,
        floor_points={
            kind: [readout.floor[region].mean_error_points for region in REGIONS] for kind, readout in readouts.items()
        },
        autoencoder=CodeScores(
            psnr_db=brain_psnr(decoded, image, mask),
            cosines_psnr_db=brain_psnr(lowest_frequencies(image, count), image, mask),
            numbers=count,
        ),
    )
    written = [output / "person.json", output / "person.safetensors"]
    write_result(written[0], result)
    save_tensors(written[1], images)
    recorder.seeds = {"chains": config.seed}
    recorder.write(output / "provenance.json", written)
    return [*written, output / "provenance.json"]


def prepare_person(config: PersonConfig, grid: Grid, folder: Path) -> list[str]:
    """Write his labels, a code table and a user's table, and prepare a cohort from them; return the warnings.

    Raises:
        DataError: the image is not fetched, or fails the checks of every user's image.
    """
    template = colin_template()
    labels = nibabel.Nifti1Image((template.codes + 1).astype(np.uint8), template.affine)
    save(labels, folder / "labels.nii.gz")
    _write_csv(folder / "codes.csv", [("region", "code"), *((region, code) for code, region in enumerate(REGIONS, start=1))])
    row = {
        "subject": SUBJECT, "age": config.age_years, "sex": "M", "diagnosis": "CN", "image": local_path(SCAN),
        "segmentation": "labels.nii.gz", "split": "test",
    }  # fmt: skip
    _write_csv(folder / "person.csv", [tuple(row), tuple(row.values())])
    rows, codes = read_table(folder / "person.csv"), code_table(str(folder / "codes.csv"))
    return prepare_cohort(rows, folder / "cohort", grid, Reading(), codes, synthseg=False, source=SCAN)


def _write_csv(path: Path, rows: list[tuple[Any, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
