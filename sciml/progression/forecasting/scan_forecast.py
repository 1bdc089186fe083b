"""From one raw T1 scan to its forecast: in its own voxels, orientation and intensities, with volumes in its own space."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sciml.progression.cohorts.cohort import Visit
from sciml.progression.cohorts.grids import GRIDS, Grid
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.forecasting.flow_forecast import FlowForecast, FlowForecaster, OwnLabels
from sciml.progression.forecasting.forecast import Forecast, Forecaster, ImagedVisit
from sciml.progression.scans.check_picture import write_check_picture
from sciml.progression.scans.native import at_voxels_of, gain_of
from sciml.progression.scans.one_scan import Ready, Regions, find_regions, make_ready
from sciml.progression.scans.preparation import file_name
from sciml.progression.settings.models import AskScanConfig
from sciml.runtime.errors import ConfigError, DataError

log = logging.getLogger(__name__)
# what a flow is found on, whatever the grid of the model
FLOW_GRID = GRIDS["3mm"]


@dataclass(frozen=True)
class PreparedScan:
    """A raw scan made ready: whatever is forecast from it, and for whom, this is done once.

    Attributes:
        ready: the scan, its brain, and where both lie in MNI space.
        regions: at the scan, volumes in its own space.
        grid: that both are on.
    """

    ready: Ready
    regions: Regions
    grid: Grid

    @property
    def warnings(self) -> list[str]:
        """Return what the reader must know of the scan and its regions."""
        return [*(f"{one.code}: {one.text}" for one in self.ready.findings), *self.regions.warnings]

    @property
    def size(self) -> float:
        """Return the volume of the scan's space for one of the template's."""
        return abs(float(np.linalg.det(self.ready.placed.to_scan[:3, :3])))

    def visit(self, age_years: float, sex: Literal["M", "F"], diagnosis: Literal["CN", "MCI", "AD"]) -> Visit:
        """Return the scan as a visit of its subject; volumes of the models are those of brains in the space of the template.

        Args:
            age_years: of the subject at the scan.
            sex: M or F.
            diagnosis: CN, MCI or AD.
        """
        name = file_name(self.ready.scan.path.name.partition(".")[0])
        return Visit(name, 0, "test", age_years, sex, diagnosis, tuple(self.regions.volumes_ml / self.size))


@dataclass(frozen=True)
class ScanForecast:
    """A raw scan and its forecast. Not for clinical use.

    Attributes:
        prepared: the scan made ready.
        forecast: in MNI space.
        images: at each age, on the voxels of the scan, in its intensities.
        rows: of the table: a row for each age and region, the scan's own age first; volumes in ml in the space of the scan.
    """

    prepared: PreparedScan
    forecast: Forecast
    images: Sequence[np.ndarray]
    rows: list[dict[str, Any]]

    @property
    def ready(self) -> Ready:
        """Return the scan, its brain, and where both lie in MNI space."""
        return self.prepared.ready

    @property
    def regions(self) -> Regions:
        """Return the regions at the scan."""
        return self.prepared.regions

    @property
    def warnings(self) -> list[str]:
        """Return what the reader must know of the scan and its regions."""
        return self.prepared.warnings

    @property
    def size(self) -> float:
        """Return the volume of the scan's space for one of the template's."""
        return self.prepared.size


def prepare_scan(
    scan: Path,
    *,
    grid: Grid = FLOW_GRID,
    segmentation: Path | None = None,
    brain_mask: Path | None = None,
    codes: str = "synthseg",
    volume: int | None = None,
    check_picture: Path | None = None,
) -> PreparedScan:
    """Make a raw T1 scan ready for forecasts: registered, without skull and shading, its regions found and measured.

    Args:
        scan: T1 in any orientation, with skull or without.
        grid: that of the model for a forecast by a network; a flow is found on 3 mm.
        segmentation: label image of the scan, on any grid; without it regions are estimated.
        brain_mask: brain of the scan, on any grid; without it a skull is removed.
        codes: code table of the segmentation, as in `AskScanConfig`.
        volume: which of several volumes in the file.
        check_picture: PNG of what was found, written where the scan cannot be used.

    Raises:
        DataError: the scan is no whole T1 head or brain.
        NumericalError: it cannot be registered.
    """
    ready = make_ready(scan, grid, volume=volume, brain_mask=brain_mask, segmentation=segmentation)
    if ready.errors:
        seen = ""
        if check_picture is not None:
            write_check_picture(check_picture, ready.placed, grid)
            seen = f"; see {check_picture}"
        raise DataError(f"{scan} cannot be used: {ready.errors[0].text}{seen}")
    return PreparedScan(ready, find_regions(ready, grid, segmentation, codes), grid)


def forecast_scan(
    config: AskScanConfig,
    scan: Path | PreparedScan,
    model: str | Path,
    *,
    segmentation: Path | None = None,
    brain_mask: Path | None = None,
    device: str = "cpu",
    check_picture: Path | None = None,
) -> ScanForecast:
    """Make a raw T1 scan ready and forecast it.

    Args:
        config: whose scan, when, how.
        scan: T1 in any orientation, with skull or without; one that `prepare_scan` returned needs none of the files below.
        model: shipped model or model file.
        segmentation: label image of the scan, on any grid; without it regions are estimated.
        brain_mask: brain of the scan, on any grid; without it a skull is removed.
        device: `cpu` or `cuda`.
        check_picture: PNG of what was found, written where the scan cannot be used.

    Raises:
        DataError: the scan is no whole T1 head or brain.
        NumericalError: it cannot be registered.
        ConfigError: it was prepared on the grid of another form.

    Example:
        asked = AskScanConfig(age_years=71, sex="F", diagnosis="MCI", years_ahead=(5,))
        found = forecast_scan(asked, Path("scan.nii.gz"), "mni-motion")
        found.images[0].shape, found.rows[-1]
    """
    # intervals are those of many draws of the course; more motions than the expected one would not be shown
    forecaster = (
        FlowForecaster.load(model, samples=1, course=config.how.course)
        if config.form == "flow"
        else Forecaster.load(model, device, **config.how.model_dump())
    )
    grid = FLOW_GRID if config.form == "flow" else forecaster.model.grid
    prepared = (
        scan
        if isinstance(scan, PreparedScan)
        else prepare_scan(
            scan,
            grid=grid,
            segmentation=segmentation,
            brain_mask=brain_mask,
            codes=config.codes,
            volume=config.volume,
            check_picture=check_picture,
        )
    )
    if prepared.grid != grid:
        raise ConfigError(f"the scan was prepared on {prepared.grid.name}, this forecast needs {grid.name}")
    ready, regions = prepared.ready, prepared.regions
    ages = [config.age_years + years for years in config.years_ahead]
    visit = prepared.visit(config.age_years, config.sex, config.diagnosis)
    imaged = ImagedVisit(visit, ready.placed.image, regions.shares, ready.placed.mask)
    log.info("%s: forecasting to %s", ready.scan.path.name, ", ".join(f"{age:g}" for age in ages))
    if isinstance(forecaster, FlowForecaster):
        own = OwnLabels(regions.labels, ready.placed.to_scan)
        forecast: Forecast = forecaster.forecast([imaged], ages, seed=config.seed, grid=grid, own=own)
    else:
        forecast = forecaster.forecast([imaged], ages, seed=config.seed)
    return ScanForecast(prepared, forecast, _native(forecast, ready), _rows(config, regions, forecast, prepared.size))


def _native(forecast: Forecast, ready: Ready) -> list[np.ndarray]:
    scan, to_scan = ready.scan, ready.placed.to_scan
    if isinstance(forecast, FlowForecast):
        mover = forecast.mover(scan, to_scan)
        return [mover.image(shift).array for shift in forecast.shift]
    affine = np.linalg.inv(to_scan) @ scan.affine
    change = at_voxels_of(forecast.images - forecast.start, forecast.grid, affine, scan.array.shape)
    # y(t) = y_A + gain * shading * change(t)
    gain = gain_of(ready.brain, ready.placed, forecast.grid) * ready.shading
    return [scan.array + gain * part for part in change]


def _rows(config: AskScanConfig, regions: Regions, forecast: Forecast, size: float) -> list[dict[str, Any]]:
    source = "estimated" if regions.estimated else "segmentation"
    own = {"age_years": config.age_years, "diagnosis": config.diagnosis}
    rows: list[dict[str, Any]] = [
        {**own, "region": region, "volume_ml": volume, "low_ml": volume, "high_ml": volume, "source": source}
        for region, volume in zip(REGIONS, regions.volumes_ml.tolist(), strict=True)
    ]
    for row in forecast.table():
        rows.append({**row, **{key: row[key] * size for key in ("volume_ml", "low_ml", "high_ml")}, "source": "forecast"})
    return rows
