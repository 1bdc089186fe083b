"""Settings of a study of one task: which pictures, which physics, which methods; and what its first stages read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from sciml.imaging.tasks.catalogue import TASKS, check_methods, resolve_options
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

TaskName = Literal["denoise", "deblur", "ct-sparse", "ct-limited", "mri-cs", "inpaint"]
Options = dict[str, float | int | str]
Size = tuple[Annotated[int, Field(ge=16, le=4096)], Annotated[int, Field(ge=16, le=4096)]]


class Study(StageConfig):
    """One task on real data: pictures, variants of the physics, methods."""

    size: Size = Field(default=(256, 256), description="height and width of the pictures, in pixels")
    variants: dict[str, Options] = Field(description="options of the task by label: {'60 views': {views: 60}}")
    validation_images: int = Field(default=4, ge=1, description="pictures or slices to tune on")
    test_images: int = Field(default=9, ge=1, description="pictures or slices that are reported")
    methods: tuple[str, ...] | None = Field(default=None, description="classical methods; all that apply by default")
    validation_data: tuple[str, ...] = Field(default=(), description="data ids in place of the validation split's")
    test_data: tuple[str, ...] = Field(default=(), description="data ids in place of the test split's")

    @model_validator(mode="after")
    def _apart(self) -> Study:
        shared = sorted(set(self.validation_data) & set(self.test_data))
        if shared:
            raise ValueError(f"{', '.join(shared)} cannot be both validation and test data")
        return self


class MeasureConfig(DataConfig):
    """What `measure` reads: which pictures, which physics, which seed."""

    task: TaskName
    size: Size
    variants: dict[str, Options]
    validation_images: int
    test_images: int
    variant_order: tuple[str, ...] = ()
    validation_data: tuple[str, ...] = ()
    test_data: tuple[str, ...] = ()
    data_tier: DataTier
    seed: int


class TuneConfig(StageConfig):
    """What `tune` reads."""

    methods: tuple[str, ...] | None


class SolveConfig(StageConfig):
    """What `solve` reads."""

    methods: tuple[str, ...] | None


class ReconstructConfig(StageConfig):
    """What `reconstruct` reads: the settings of `measure`, `tune` and `solve`."""

    measure: MeasureConfig
    tune: TuneConfig
    solve: SolveConfig


def check_study(task: TaskName, study: Study) -> None:
    """Refuse options that a task does not take and methods that do not apply to it (ConfigError)."""
    for options in study.variants.values():
        resolve_options(task, options)
    check_methods(task, study.methods)


def entries(study: Study, task: TaskName, role: str, data_tier: str) -> tuple[str, ...]:
    """Return the data of a role, validation or test: the study's own, else those of the split.

    Raises:
        ConfigError: a name is not declared.
    """
    from sciml.datasets.manifest import members
    from sciml.datasets.splits import split

    own = study.validation_data if role == "validation" else study.test_data
    try:
        return tuple(member for name in own or split(TASKS[task].experiment, role, data_tier) for member in members(name))
    except ConfigError as error:
        raise ConfigError(f"studies.{task}.{role}_data: {error}") from error


def check_study_counts(studies: Mapping[Any, Study]) -> None:
    """Refuse numbers of pictures that the settings state and that no data tier has, nor the study's own data (ConfigError)."""
    from sciml.datasets.manifest import record
    from sciml.datasets.splits import parse_entry

    def slices(entry: str) -> int:
        name, part = parse_entry(entry)
        lengths = record(name).shape.split("x")
        return len(part) if part else int(lengths[0]) if len(lengths) == 3 else 1

    for task, study in studies.items():
        for role in ("validation", "test"):
            count = f"{role}_images"
            found = entries(study, task, role, "full")
            there = len(found) if TASKS[task].experiment == "imaging-photos" else sum(map(slices, found))
            if count in study.model_fields_set and getattr(study, count) > max(there, 1):
                raise ConfigError(f"studies.{task}.{count}: there are {there}, got {getattr(study, count)}")


def measure_slice(study: Study, run: RunSettings, task: TaskName) -> MeasureConfig:
    """Return what `measure` reads of a study: its data by id and hash too, so that an edit of the splits runs it again.

    Raises:
        ConfigError: the study does not fit the task.
    """
    from sciml.datasets.splits import entry_digests

    check_study(task, study)
    names = {role: entries(study, task, role, run.data_tier) for role in ("validation", "test")}
    return MeasureConfig(
        task=task,
        size=study.size,
        variants=study.variants,
        validation_images=study.validation_images,
        test_images=study.test_images,
        variant_order=tuple(study.variants),
        validation_data=names["validation"],
        test_data=names["test"],
        digests=entry_digests(*names["validation"], *names["test"]),
        data_tier=run.data_tier,
        seed=run.master_seed,
    )


def reconstruct_slice(study: Study, run: RunSettings, task: TaskName) -> ReconstructConfig:
    """Return what `reconstruct` reads of a study; raises as `measure_slice`."""
    methods = {"methods": study.methods}
    return ReconstructConfig(measure=measure_slice(study, run, task), tune=TuneConfig(**methods), solve=SolveConfig(**methods))


def measured_digests(config: Any, run: RunSettings) -> dict[str, str]:
    """Return SHA-256 by entry of the data of all tasks of a family's settings, whose thumbnails its page shows."""
    return {entry: found for task in config.studies for entry, found in config.measure_config(run, task).digests.items()}
