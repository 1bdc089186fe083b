"""Settings of the classical reconstruction study, one model a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from sciml.imaging.tasks.studies import (
    MeasureConfig,
    ReconstructConfig,
    Size,
    Study,
    TaskName,
    check_study,
    check_study_counts,
    measure_slice,
    measured_digests,
    reconstruct_slice,
)
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

REFERENCE_SLICE = ("ct_amos0336", 70)
"""The real slice whose filtered back-projection is compared with scikit-image's."""
REFERENCE_VIEWS = (180, 60, 24)
"""Noiseless views of these back-projections."""


def default_studies() -> dict[TaskName, Study]:
    """Return the whole study: every noise level, kernel, number of views and acceleration."""
    return {
        "denoise": Study(
            variants={
                "sigma 15/255": {"sigma": 15 / 255},
                "sigma 25/255": {"sigma": 25 / 255},
                "sigma 50/255": {"sigma": 50 / 255},
                "sigma 0.1": {"sigma": 0.1},
            }
        ),
        "deblur": Study(
            variants={
                f"{kernel}, sigma {sigma}": {"kernel": kernel, "kernel_size": size, "width": 1.6, "sigma": sigma}
                for kernel, size in (("shake", 19), ("gaussian", 11))
                for sigma in (0.01, 0.02, 0.04)
            }
        ),
        "ct-sparse": Study(variants={"60 views": {"views": 60}, "24 views": {"views": 24}}, test_images=16),
        "ct-limited": Study(variants={"120 views over 120 degrees": {}}, test_images=16),
        "mri-cs": Study(size=(224, 192), variants={"4x": {"acceleration": 4.0}, "8x": {"acceleration": 8.0}}, test_images=16),
        "inpaint": Study(variants={"50 % of the pixels": {}}),
    }


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    tasks: tuple[TaskName, ...] = Field(description="tasks whose reconstructions are scored")


class CheckConfig(DataConfig):
    """What `check` reads: the certificates of the operators and the reference figures."""

    data_tier: DataTier
    seed: int
    size: Size = Field(default=(256, 256), description="size at which the operators are checked")


class ReportConfig(DataConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier
    tasks: tuple[TaskName, ...]


class Config(StageConfig):
    """Classical reconstruction on real photographs, CT and MR."""

    studies: dict[TaskName, Study] = Field(default_factory=default_studies, min_length=1, description="tasks on real data")
    check_size: Size = Field(default=(256, 256), description="size at which the operators are checked")

    @field_validator("studies")
    @classmethod
    def _known(cls, studies: dict[TaskName, Study]) -> dict[TaskName, Study]:
        for name, study in studies.items():
            try:
                check_study(name, study)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return studies

    def check_counts(self) -> None:
        """Refuse more pictures than there are (ConfigError)."""
        check_study_counts(self.studies)

    def measure_config(self, run: RunSettings, task: TaskName) -> MeasureConfig:
        """Return the slice of one task: its data by id and hash too, so that an edit of the splits runs it again."""
        return measure_slice(self.studies[task], run, task)

    def reconstruct_config(self, run: RunSettings, task: TaskName) -> ReconstructConfig:
        """Return the slice of one task, from its pictures to the reconstructions."""
        return reconstruct_slice(self.studies[task], run, task)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the scores of all tasks."""
        return EvaluateConfig(tasks=tuple(sorted(self.studies)))

    def check_config(self, run: RunSettings) -> CheckConfig:
        """Return the slice of the operator checks."""
        from sciml.datasets.splits import entry_digests, split_digests

        digests = entry_digests(REFERENCE_SLICE[0]) | split_digests("imaging-photos", run.data_tier, "test")
        return CheckConfig(data_tier=run.data_tier, seed=run.master_seed, size=self.check_size, digests=digests)

    def report_config(self, run: RunSettings) -> ReportConfig:
        """Return the slice of the report."""
        digests = {**self.check_config(run).digests, **measured_digests(self, run)}
        return ReportConfig(tier=run.tier, data_tier=run.data_tier, tasks=tuple(sorted(self.studies)), digests=digests)
