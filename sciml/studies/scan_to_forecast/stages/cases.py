"""Stage `cases`: who is scanned, and what is asked."""

from __future__ import annotations

from pathlib import Path

from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.studies.scan_to_forecast.chain.cases import head_case, simulated_cases
from sciml.studies.scan_to_forecast.config import CasesConfig


def run(config: CasesConfig, output: Path, scan: Path | None = None) -> list[Path]:
    """Write `cases.json` and `cases.safetensors`, the true scans.

    Args:
        config: the group.
        output: output folder.
        scan: T1 of a user in place of Colin27.
    """
    recorder = Recorder("scan_to_forecast.cases", config.model_dump(mode="json"), [scan] if scan else [])
    if config.cohort is not None:
        cases, volumes = simulated_cases(config.cohort, output / "cohort")
    else:
        assert config.head is not None
        cases, volumes = head_case(config.head, scan)
    write_result(output / "cases.json", cases)
    save_tensors(output / "cases.safetensors", volumes)
    written = [output / "cases.json", output / "cases.safetensors"]
    recorder.write(output / "provenance.json", written)
    return [*written, output / "provenance.json"]
