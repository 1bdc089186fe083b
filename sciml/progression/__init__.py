"""Brain latent progression: forecast a brain MRI years ahead. Not for clinical use.

Example:
    from sciml.progression import Cohort, Forecaster, ImagedVisit

    cohort = Cohort("results/demo/progression/cohort")
    subject = next(iter(cohort.subjects("test").values()))
    visits = [ImagedVisit(visit, cohort.image(visit)[0]) for visit in subject[:2]]      # float32 (40, 48, 40)
    forecast = Forecaster.load("mni-4p5mm").forecast(visits, ages=[80, 85], diagnosis="MCI", samples=16)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.progression.cohorts.cohort import Cohort, Visit
    from sciml.progression.cohorts.grids import GRIDS, Grid
    from sciml.progression.cohorts.regions import REGIONS
    from sciml.progression.config import SCAN_DATA, Config, SimulateConfig, SimulationConfig
    from sciml.progression.forecasting.flow_forecast import FlowForecast, FlowForecaster, OwnLabels
    from sciml.progression.forecasting.forecast import Forecast, Forecaster, ImagedVisit, VolumeForecast
    from sciml.progression.forecasting.scan_forecast import PreparedScan, ScanForecast, forecast_scan, prepare_scan
    from sciml.progression.settings.models import AskScanConfig
    from sciml.progression.simulation.cohort import simulate_cohort

_HOMES = {
    "AskScanConfig": "settings.models",
    "Config": "config",
    "GRIDS": "cohorts.grids",
    "REGIONS": "cohorts.regions",
    "Cohort": "cohorts.cohort",
    "FlowForecast": "forecasting.flow_forecast",
    "FlowForecaster": "forecasting.flow_forecast",
    "Forecast": "forecasting.forecast",
    "Forecaster": "forecasting.forecast",
    "Grid": "cohorts.grids",
    "ImagedVisit": "forecasting.forecast",
    "OwnLabels": "forecasting.flow_forecast",
    "PreparedScan": "forecasting.scan_forecast",
    "SCAN_DATA": "config",
    "ScanForecast": "forecasting.scan_forecast",
    "SimulateConfig": "config",
    "SimulationConfig": "config",
    "Visit": "cohorts.cohort",
    "VolumeForecast": "forecasting.forecast",
    "forecast_scan": "forecasting.scan_forecast",
    "prepare_scan": "forecasting.scan_forecast",
    "simulate_cohort": "simulation.cohort",
}
__all__ = [
    "GRIDS",
    "REGIONS",
    "SCAN_DATA",
    "AskScanConfig",
    "Cohort",
    "Config",
    "FlowForecast",
    "FlowForecaster",
    "Forecast",
    "Forecaster",
    "Grid",
    "ImagedVisit",
    "OwnLabels",
    "PreparedScan",
    "ScanForecast",
    "SimulateConfig",
    "SimulationConfig",
    "Visit",
    "VolumeForecast",
    "forecast_scan",
    "prepare_scan",
    "simulate_cohort",
]


__getattr__ = handed_out(__name__, _HOMES)
