"""Stage `forecast`: volumes measured in every decoded scan of one reconstruction, and their forecasts."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sciml.progression import AskScanConfig, FlowForecaster, PreparedScan, forecast_scan
from sciml.runtime.files import load_tensors, save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result
from sciml.studies.scan_to_forecast.chain.archive import stored
from sciml.studies.scan_to_forecast.chain.levels import WINDOW
from sciml.studies.scan_to_forecast.chain.measuring import (
    COURSE,
    answers,
    check_owner,
    from_the_same_scans,
    measured,
    psnr_in_head,
)
from sciml.studies.scan_to_forecast.chain.records import Case
from sciml.studies.scan_to_forecast.config import HEIGHTS, REFERENCE, UNTOUCHED, ForecastConfig
from sciml.studies.scan_to_forecast.study.results import Archived, Chain, Chains

log = logging.getLogger(__name__)


def run(
    config: ForecastConfig,
    cases: Path,
    decoded: list[Path],
    model: Path,
    codec: Path,
    acquisition: str,
    output: Path,
) -> list[Path]:
    """Write `chains.json`, and `slices.safetensors` with some slices of each decoded scan.

    Args:
        config: archives, and whether forecasts are pictured.
        cases: folder of the `cases` stage.
        decoded: decoded.safetensors of the `archive` stage, one a reconstruction.
        model: model file of the forecasts.
        codec: model file of the archive of their images.
        acquisition: name of the acquisition.
        output: output folder.

    Raises:
        DataError: the volumes were made from other scans than the cases.
    """
    recorder = Recorder(
        "scan_to_forecast.forecast",
        config.model_dump(mode="json"),
        [cases / "cases.safetensors", cases / "masks.safetensors", *decoded, model, codec],
    )
    known, truths = read_result(cases / "cases.json", dict[str, Case]), load_tensors(cases / "cases.safetensors")[0]
    forecaster = FlowForecaster.load(model, samples=1, course=COURSE)
    measure = Once(known, load_tensors(cases / "masks.safetensors")[0])
    chains: list[Chain] = []
    archived: list[Archived] = []
    slices: dict[str, np.ndarray] = {}
    for path in decoded:
        volumes, metadata = from_the_same_scans(path, known)
        method = metadata["method"]
        ends = [
            (name, archive, volumes[f"{archive}/{name}"], metadata["bytes"][f"{archive}/{name}"])
            for archive in config.archives
            for name in known
        ]
        if acquisition == REFERENCE and method == "zero-filled":
            ends += [(name, UNTOUCHED, truth, 2 * truth.size) for name, truth in truths.items()]
        for name, archive, volume, size in ends:
            log.info("%s, %s, %s: %s", acquisition, method, archive, name)
            check_owner(name, volume, truths)
            found, refused = measure(name, volume)
            chains.append(
                Chain(
                    case=name,
                    method=method,
                    archive=archive,
                    bytes=size,
                    bits_per_voxel=8 * size / volume.size,
                    psnr_db=psnr_in_head(volume, truths[name]),
                    refused=refused,
                    volumes_ml=[] if found is None else found.regions.volumes_ml.tolist(),
                    answers=[] if found is None else answers(found, known[name], forecaster, config.seed),
                )
            )
            slices[f"{method}/{archive}/{name}"] = _slices(volume)
            if found is not None and archive == "lossless" and config.pictured_years is not None:
                image = _forecast_image(found, known[name], model, config.pictured_years, config.seed)
                slices[f"{method}/forecast/{name}"] = _slices(image)
                if acquisition == REFERENCE:
                    archived += _archived(image, known[name], config.archives, codec)
    write_result(output / "chains.json", Chains(acquisition=acquisition, chains=chains, archived=archived))
    save_tensors(output / "slices.safetensors", slices)
    written = [output / "chains.json", output / "slices.safetensors"]
    recorder.seeds = {"master": config.seed}
    recorder.write(output / "provenance.json", written)
    return [*written, output / "provenance.json"]


class Once:
    """Prepares volumes, equal ones of a case once.

    Args:
        cases: by name.
        masks: their brains, where they are known.
    """

    def __init__(self, cases: dict[str, Case], masks: dict[str, np.ndarray]) -> None:
        self.cases, self.masks = cases, masks
        self.found: dict[tuple[str, str], tuple[PreparedScan | None, str | None]] = {}

    def __call__(self, name: str, volume: np.ndarray) -> tuple[PreparedScan | None, str | None]:
        """Return what `measured` does."""
        key = (name, hashlib.sha256(volume.tobytes()).hexdigest())
        if key not in self.found:
            self.found[key] = measured(volume, self.cases[name], self.masks.get(name))
        return self.found[key]


def _forecast_image(scan: PreparedScan, case: Case, model: Path, years: float, seed: int) -> np.ndarray:
    """Return the scan as it is expected after so many years under the last diagnosis that is asked about, axial slices."""
    how = {"course": COURSE}
    asked = AskScanConfig.model_validate(
        {
            "age_years": case.age_years,
            "sex": case.sex,
            "diagnosis": case.questions[-1].diagnosis,
            "years_ahead": (years,),
            "how": how,
            "seed": seed,
        }
    )
    return np.ascontiguousarray(forecast_scan(asked, scan, model).images[0].transpose(2, 1, 0), np.float32)


def _archived(image: np.ndarray, case: Case, archives: Sequence[str], codec: Path) -> list[Archived]:
    """Return the forecast image in each archive; the first is without loss."""
    found = []
    for archive in archives:
        decoded, size = stored(image, archive, codec)
        scan, refused = measured(decoded, case)
        volumes = [] if scan is None else scan.regions.volumes_ml.tolist()
        psnr = psnr_in_head(decoded, np.clip(image, 0, WINDOW))
        found.append(Archived(archive=archive, bytes=size, psnr_db=psnr, refused=refused, volumes_ml=volumes))
    return found


def _slices(volume: np.ndarray) -> np.ndarray:
    """Return axial slices from the temporal lobes to above the ventricles, the front above, 0 to 255."""
    at = (np.array(HEIGHTS) * len(volume)).astype(int)
    return np.round(255 * np.clip(volume[at][:, ::-1], 0, 1)).astype(np.uint8)
