"""Stage `held_out`: the kinetic runs of both sets that no closure learns from, in one process."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid.config import HeldOutConfig
from sciml.active_fluid.stages import generate


def run(config: HeldOutConfig, output: Path) -> list[Path]:
    """Write `validation/generate` and `test/generate`, each as `generate` does.

    Args:
        config: settings of both sets.
        output: results folder of the study.

    Raises:
        NumericalError: a run is not resolved; it names the quantity and the time.
    """
    sets = {"validation": config.validation, "test": config.test}
    return [path for name, settings in sets.items() for path in generate.run(settings, output / name / "generate")]
