"""A study on synthetic pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sciml.classical.stages import measure, solve, tune
from sciml.imaging.tasks import scores
from sciml.imaging.tasks.records import TunedParameter
from sciml.imaging.tasks.studies import MeasureConfig, SolveConfig, TuneConfig

METHODS = ("tv", "wavelet-l1", "nlm")
ONE = TunedParameter(value=1.0, parameter="weight", bracketed=True, curve=[], cases=[])
VARIANTS = {"mild": {"sigma": 0.05}, "strong": {"sigma": 0.2}}


@dataclass
class Study:
    """A study on synthetic pictures in one folder."""

    folder: Path
    seed: int = 0
    methods: tuple[str, ...] = METHODS

    @property
    def measurements(self) -> Path:
        return self.folder / "measure" / "measurements.safetensors"

    @property
    def parameters(self) -> Path:
        return self.folder / "tune" / "parameters.json"

    @property
    def reconstructions(self) -> Path:
        return self.folder / "solve" / "reconstructions.safetensors"

    @property
    def metrics(self) -> Path:
        return self.folder / "evaluate" / "metrics.json"

    def measure(self, task: str = "denoise", variants=None, size=(32, 24)) -> None:
        config = MeasureConfig(
            task=task,
            size=size,
            variants=VARIANTS if variants is None else variants,
            validation_images=1,
            test_images=2,
            data_tier="ci",
            seed=self.seed,
        )
        measure.run(config, self.measurements.parent)

    def tune(self) -> None:
        tune.run(TuneConfig(methods=self.methods), self.measurements, self.parameters.parent)

    def solve(self) -> None:
        solve.run(SolveConfig(methods=self.methods), self.measurements, self.parameters, self.reconstructions.parent)

    def evaluate(self) -> None:
        scores.write_scores("imaging.evaluate", self.folder, ("solve",), self.metrics.parent)

    def all(self, **options) -> None:
        self.measure(**options)
        self.tune()
        self.solve()
        self.evaluate()


def without_record(path: Path) -> None:
    """Make a changed file one that no stage wrote: beside its record it is refused for its digest already."""
    path.with_name("provenance.json").unlink()
