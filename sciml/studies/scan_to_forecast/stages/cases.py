"""Stage `cases`: who is scanned, and what is asked."""

from __future__ import annotations

from pathlib import Path

from sciml.runtime.files import save_tensors
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result
from sciml.studies.scan_to_forecast.chain.cases import head_case, simulated_cases
from sciml.studies.scan_to_forecast.config import CasesConfig


def run(config: CasesConfig, output: Path, scan: Path | None = None) -> list[Path]:
    """Write `cases.json`, `cases.safetensors`, the true scans, and `masks.safetensors`, the brains that are known.

    Args:
        config: the group.
        output: output folder.
        scan: T1 of a user in place of Colin27.
    """
    recorder = Recorder("scan_to_forecast.cases", config.model_dump(mode="json"), [scan] if scan else [])
    if config.cohort is not None:
        cases, volumes, masks = simulated_cases(config.cohort)
    else:
        assert config.head is not None
        cases, volumes = head_case(config.head, scan)
        masks = {}
    write_result(output / "cases.json", cases)
    save_tensors(output / "cases.safetensors", volumes)
    save_tensors(output / "masks.safetensors", masks)
    written = [output / name for name in ("cases.json", "cases.safetensors", "masks.safetensors")]
    recorder.write(output / "provenance.json", written)
    return [*written, output / "provenance.json"]
