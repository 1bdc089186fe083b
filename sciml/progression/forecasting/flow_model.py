"""What a forecast by motion needs of a model file: the courses of volumes and, where it has them, motion and spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sciml.progression.cohorts.grids import Grid, grid_of
from sciml.progression.courses.course import CourseModel
from sciml.progression.courses.fit import course_arrays, courses_from
from sciml.progression.forecasting.motion import MotionModel
from sciml.progression.forecasting.spread import Spread
from sciml.progression.networks.model_files import STORE, course_named, part
from sciml.runtime.errors import ConfigError, FormatError
from sciml.training.weight_files import read_weight_file, write_weight_file


@dataclass(frozen=True)
class FlowModel:
    """Courses of volumes.

    Attributes:
        name: of the model.
        grid: that it was learned on.
        courses: course models by kind.
        motion: what goes on beside the volumes; None moves by volumes alone.
        spread: how far images may be from the truth; None knows the spread of the draws alone.
        about: JSON values: where the parts come from.
    """

    name: str
    grid: Grid
    courses: Mapping[str, CourseModel]
    motion: MotionModel | None = None
    spread: Spread | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def course(self, kind: str) -> CourseModel:
        """Return a course model; `best` is the calibrated one where the model has it, else `by_visits`.

        Raises:
            ConfigError: the model has none of this kind.
        """
        return course_named(self.courses, kind, self.name)


def load_flow_model(name: str | Path) -> FlowModel:
    """Return what a flow needs of a shipped model by its name, or of the model of a file.

    Raises:
        ConfigError: neither a shipped model nor a file.
        FormatError: the file is damaged or holds something else.
    """
    path = STORE.find(name)
    arrays, metadata = read_weight_file(path)
    about = metadata["extra"]
    if about.get("part") not in ("model", "flow"):
        raise FormatError(f"{path} holds {about.get('part', 'something else')}, expected a model; join its parts with `assemble`")
    motion = MotionModel.from_arrays(part(arrays, "motion")) if about["part"] == "flow" else None
    # earlier files have none
    known = part(arrays, "spread")
    spread = Spread.from_arrays(known) if known else None
    return FlowModel(about["name"], grid_of(about["grid"]), courses_from(part(arrays, "course")), motion, spread, about)


def write_flow_model(path: Path, model: FlowModel, **facts: Any) -> None:
    """Write a model of courses and motion; `facts` are those of `sciml.training.weight_files.write_weight_file`.

    Raises:
        ConfigError: the model has no motion.
    """
    if model.motion is None:
        raise ConfigError(f"model {model.name} has no motion model: its courses alone are a file of `fit-course`")
    arrays = {f"course/{key}": value for key, value in course_arrays(model.courses).items()}
    for name, learned in (("motion", model.motion), ("spread", model.spread)):
        arrays |= {f"{name}/{key}": value for key, value in (learned.arrays() if learned else {}).items()}
    write_weight_file(path, arrays, extra={"part": "flow", "name": model.name, "grid": model.grid.name}, **facts)
