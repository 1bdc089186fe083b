"""Model files: autoencoder, denoiser and course models in one safetensors file, and what is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sciml.progression.cohorts.covariates import CovariateScale
from sciml.progression.cohorts.grids import Grid, grid_of
from sciml.progression.courses.calibration import Calibrated
from sciml.progression.courses.course import CourseModel
from sciml.progression.courses.fit import ByVisits, course_arrays, courses_from
from sciml.progression.networks.parts import read_part
from sciml.progression.settings.networks import AutoencoderConfig, FormConfig, UNetConfig
from sciml.runtime.errors import ConfigError, FormatError
from sciml.runtime.settings import validated
from sciml.training.store import ModelStore
from sciml.training.weight_files import read_weight_file, write_weight_file

if TYPE_CHECKING:
    from sciml.progression.networks.autoencoder import Autoencoder
    from sciml.progression.networks.denoiser import Denoiser

STORE = ModelStore("sciml.progression")


@dataclass(frozen=True)
class ForecastModel:
    """Everything that a forecast needs.

    Attributes:
        name: of the model.
        grid: that it works on.
        autoencoder: with its scale.
        denoiser: complete, in evaluation mode.
        scale: of the covariates.
        courses: course models by kind.
        about: JSON values: where the parts come from.
    """

    name: str
    grid: Grid
    autoencoder: Autoencoder
    denoiser: Denoiser
    scale: CovariateScale
    courses: Mapping[str, CourseModel]
    about: Mapping[str, Any] = field(default_factory=dict)

    def to(self, device: str) -> ForecastModel:
        """Move the networks and return the model."""
        self.autoencoder.to(device)
        self.denoiser.to(device)
        return self

    def course(self, kind: str) -> CourseModel:
        """Return a course model; `best` is the calibrated one where the model has it, else `by_visits`.

        Raises:
            ConfigError: the model has none of this kind.
        """
        return course_named(self.courses, kind, self.name)


def course_named(courses: Mapping[str, CourseModel], kind: str, model: str) -> CourseModel:
    """Return a course model of several; `best` is the calibrated one where it is among them, else `by_visits`.

    Args:
        courses: by kind.
        kind: of the course.
        model: name of the model that they belong to, for messages.

    Raises:
        ConfigError: there is none of this kind.
    """
    if kind == "best":
        kind = Calibrated.kind if Calibrated.kind in courses else ByVisits.kind
    if kind == ByVisits.kind:
        return ByVisits(course_named(courses, "huber", model), course_named(courses, "logistic_mixed", model))
    if kind not in courses:
        raise ConfigError(f"model {model} has no course model {kind!r}; it has {', '.join(courses) or 'none'}")
    return courses[kind]


def shipped() -> dict[str, Path]:
    """Return the files of the models that come with the package, by name."""
    return STORE.shipped()


def load_model(name: str | Path) -> ForecastModel:
    """Return a shipped model by its name, or the model of a file.

    Raises:
        ConfigError: neither a shipped model nor a file.
        FormatError: the file is damaged or holds something else.
        NumericalError: a weight is not finite.
    """
    path = STORE.find(name)
    arrays, metadata = read_weight_file(path)
    about = metadata["extra"]
    if about.get("part") != "model":
        raise FormatError(f"{path} holds {about.get('part', 'something else')}, expected a model; join its parts with `assemble`")
    # `assemble` halves the weights; the networks compute with whole ones
    arrays = {key: array.astype(np.float32) if array.dtype == np.float16 else array for key, array in arrays.items()}
    denoiser, scale = denoiser_from(part(arrays, "denoiser"), about, path)
    return ForecastModel(
        about["name"],
        grid_of(about["grid"]),
        autoencoder_from(part(arrays, "autoencoder"), about, path),
        denoiser,
        scale,
        courses_from(part(arrays, "course")),
        {**about, "inputs": metadata["inputs"]},
    )


def read_autoencoder(path: Path | str) -> tuple[Autoencoder, dict[str, Any]]:
    """Return the autoencoder of a file of `train-autoencoder`, and the file's metadata."""
    arrays, metadata = read_part(path, "autoencoder")
    return autoencoder_from(arrays, metadata["extra"], path), metadata


def read_denoiser(path: Path | str) -> tuple[Denoiser, CovariateScale, dict[str, Any]]:
    """Return the denoiser of a file of `train-diffusion` or `train-controlnet`, its covariate scale, and the file's metadata."""
    arrays, metadata = read_part(path, "denoiser")
    return *denoiser_from(arrays, metadata["extra"], path), metadata


def write_model(path: Path, model: ForecastModel, about: Mapping[str, Any], **facts: Any) -> None:
    """Write a model whose parts are in memory.

    Args:
        path: of the model file.
        model: complete.
        about: further JSON values; `network` holds the autoencoder's settings.
        facts: those of `sciml.training.weight_files.write_weight_file`.
    """
    states = {"autoencoder": model.autoencoder.state_dict(), "denoiser": model.denoiser.state_dict()}
    arrays = {f"{name}/{key}": value.cpu().numpy() for name, state in states.items() for key, value in state.items()}
    arrays |= {f"course/{key}": value for key, value in course_arrays(model.courses).items()}
    extra = {**about, **describe_denoiser(model.denoiser, model.scale), "grid": model.grid.name}
    write_weight_file(path, arrays, extra={**extra, "part": "model", "name": model.name}, **facts)


def describe_denoiser(denoiser: Denoiser, scale: CovariateScale) -> dict[str, Any]:
    """Return the JSON values from which a denoiser is built again."""
    return {
        "form": denoiser.form.model_dump(mode="json"),
        "unet": denoiser.config.model_dump(mode="json"),
        "latent_channels": denoiser.latent_channels,
        "control": denoiser.control is not None,
        "covariates": {name: value.tolist() for name, value in scale.arrays().items()},
    }


def autoencoder_from(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], where: Path | str) -> Autoencoder:
    """Build an autoencoder from arrays that are checked key by key.

    Raises:
        ShapeError: a weight is missing, unknown or of another shape.
        ConfigError: the scale of its latents is missing.
    """
    import torch

    from sciml.progression.networks.autoencoder import Autoencoder

    with torch.device("meta"):
        model = Autoencoder(validated(AutoencoderConfig, about["network"], str(where)))
    _load(model, arrays, where)
    model.check_scale()
    return model


def denoiser_from(
    arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], where: Path | str
) -> tuple[Denoiser, CovariateScale]:
    """Build a denoiser from arrays that are checked key by key, and return it with its covariate scale."""
    import torch

    from sciml.progression.networks.denoiser import Denoiser

    form, unet = validated(FormConfig, about["form"], str(where)), validated(UNetConfig, about["unet"], str(where))
    with torch.device("meta"):
        model = Denoiser(form, unet, about["latent_channels"], about["control"])
    _load(model, arrays, where)
    return model, CovariateScale.from_arrays(about["covariates"])


def part(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the arrays below one name."""
    return {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}


def write_courses(path: Path, models: Mapping[str, CourseModel], **facts: Any) -> None:
    """Write course models; `facts` are those of `sciml.training.weight_files.write_weight_file`."""
    write_weight_file(path, course_arrays(models), extra={"part": "course"}, **facts)


def _load(model: Any, arrays: Mapping[str, np.ndarray], where: Path | str) -> None:
    import torch

    from sciml.progression.networks.self_check import check_finite
    from sciml.training.weights import check_arrays

    expected = model.state_dict()
    check_arrays(arrays, expected, str(where))
    # the network takes over the file's arrays: the published ones have three gigabytes, which are not to be held twice
    tensors = {name: torch.from_numpy(np.asarray(array)).reshape(expected[name].shape) for name, array in arrays.items()}
    check_finite(tensors, where)
    model.load_state_dict(tensors, assign=True)
    model.eval()
