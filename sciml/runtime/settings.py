"""Settings: frozen pydantic models, tier files over their defaults, errors that name the path, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from sciml.runtime.errors import ConfigError

TIERS = ("ci", "demo", "cpu", "gpu")
DataTier = Literal["pip", "ci", "default", "full"]

Model = TypeVar("Model", bound=BaseModel)


class StageConfig(BaseModel):
    """Base of every settings model: frozen, unknown keys refused, no silent conversion of text to numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class DataConfig(StageConfig):
    """Base of the settings of a stage that reads declared data: a change of the data, or of who is in a split, runs it again.

    Attributes:
        digests: SHA-256 by entry of the splits, such as `ct_cranium[40:60]`; filled in when a run's settings are cut into slices.
    """

    digests: SkipJsonSchema[dict[str, str]] = Field(default_factory=dict)


def validated(model: type[Model], values: Any, source: str) -> Model:
    """Return `values` as a settings model.

    Args:
        model: the pydantic model.
        values: plain values, as from YAML or JSON.
        source: where they came from, for the message.

    Raises:
        ConfigError: the first thing that is wrong, with its path, the value and what was allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"]) or "the whole"
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(_keys_at(model, first["loc"][:-1])) or "nothing more"
            raise ConfigError(f"{source}: unknown key {path}; allowed here: {allowed}") from error
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        # a model's own check says in its message what was given
        given = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r}"
        raise ConfigError(f"{source}: {path}: {first['msg'].removeprefix('Value error, ')}{given}{more}") from error


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model that a location inside `model` leads to; empty when it is no model."""
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", None)
        if fields is not None:
            annotation = fields[part].annotation if part in fields else None
        else:
            annotation = (getattr(current, "__args__", None) or [None])[-1]
        current = annotation
    return sorted(getattr(current, "model_fields", {}))


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader.

    Raises:
        ConfigError: missing file, broken YAML (with its line), or something else than a mapping.
    """
    import yaml

    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings {path}: {getattr(error, 'strerror', None) or error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must be a YAML mapping of settings, got {type(values).__name__}")
    return values


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` laid over it, mappings merged key by key and everything else replaced."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result
