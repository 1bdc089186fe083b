"""The `sciml scan-to-forecast` command; the study runs by `sciml run`, its links by `sciml stage scan-to-forecast`."""

from __future__ import annotations

import typer

from sciml.options import add_report

app = typer.Typer(
    help="From an undersampled MR scan to a forecast in an archive: what an error in one link costs in the last. `make demo "
    "FAMILY=scan_to_forecast` runs all of it; the setting `scan_to_forecast.head.scan` takes a scan of your own. Not for "
    "clinical use.",
    no_args_is_help=True,
)
add_report(app, "scan_to_forecast")
