"""Settings: frozen pydantic models, tier files over their defaults, errors that name the path, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from sciml.runtime.errors import ConfigError

TIERS = ("ci", "demo", "cpu", "gpu")
DataTier = Literal["pip", "ci", "default", "full"]

DATA_OF: dict[str, DataTier] = {"ci": "ci", "demo": "default", "cpu": "default", "gpu": "full"}
"""Data that a tier is made for."""
SHOWN = 5

Model = TypeVar("Model", bound=BaseModel)


class StageConfig(BaseModel):
    """Base of every settings model: frozen, unknown keys refused, no silent conversion of text to numbers.

    Attributes:
        retired: names of settings of earlier versions that are constants now; a file that has one is told so.
    """

    retired: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def in_parts(schema: dict[str, Any]) -> None:
    """Ask for no key in the schema of a model that a file may change in parts: the rest is that of a default."""
    del schema["required"]


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
        # a default that depends on a wrong value is no mistake of its own
        found = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        first = found[0]
        path = _path(values, first)
        others = list(dict.fromkeys(other for one in found[1:] if (other := _path(values, one)) != path))
        rest = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        more = f"; wrong too: {', '.join(others[:SHOWN])}{rest}" if others else ""
        if first["type"] == "extra_forbidden":
            if first["loc"][-1] in getattr(_model_at(model, first["loc"][:-1]), "retired", ()):
                raise ConfigError(
                    f"{source}: {path} is a constant of the code and no setting any more: take it out{more}"
                ) from error
            allowed = ", ".join(_keys_at(model, first["loc"][:-1])) or "nothing more"
            raise ConfigError(f"{source}: unknown key {path}; allowed here: {allowed}{more}") from error
        raise ConfigError(f"{source}: {path}{_words(model, first)}{more}") from error


def _path(values: Any, error: Any) -> str:
    """Return the keys that lead to what is wrong, without the names of types that pydantic puts between them."""
    parts, last = [], len(error["loc"]) - 1
    for index, part in enumerate(error["loc"]):
        inside = part in values if isinstance(values, dict) else isinstance(values, list | tuple) and isinstance(part, int)
        if inside:
            values = values[part] if isinstance(values, dict) or part < len(values) else None
        if inside or (index == last and error["type"] == "missing"):
            parts.append(str(part))
    return ".".join(parts) or "the whole"


def _words(model: type[BaseModel], error: Any) -> str:
    """Return what follows the path: what was expected, and what was given where the text does not say it."""
    text = error["msg"].removeprefix("Value error, ").removesuffix(" after validation")
    if error["type"] == "missing":
        return " is missing"
    if error["type"] == "value_error":  # a model's own check says in its message what was given
        return f": {text}"
    if error["loc"][-1:] == ("[key]",):
        return f": no such name; {text.replace('Input should', 'it should')}"
    if error["type"] in ("model_type", "dict_type", "model_attributes_type"):
        keys = ", ".join(_keys_at(model, error["loc"]))
        text = "Input should be a mapping" + (f" with keys among {keys}" if keys else " of settings by name")
    return f": {text}, got {error['input']!r}"


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the field names of the model that a location inside `model` leads to; empty when it is no model."""
    return sorted(getattr(_model_at(model, location), "model_fields", {}))


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> Any:
    """Return what a location inside `model` leads to: a model, or another annotation."""
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", None)
        arguments = getattr(current, "__args__", None) or [None]
        if fields is not None:
            current = fields[part].annotation if part in fields else None
        else:  # the kind of a union's model stands in the location as if it were a key
            kinds = (one for one in arguments if any(part in _literals(field) for field in _fields_of(one)))
            current = next(kinds, arguments[-1])
    return current


def _fields_of(annotation: Any) -> list[Any]:
    return [field.annotation for field in getattr(annotation, "model_fields", {}).values()]


def _literals(annotation: Any) -> tuple[Any, ...]:
    return annotation.__args__ if getattr(annotation, "__origin__", None) is Literal else ()


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML mapping with the safe loader.

    Raises:
        ConfigError: missing file, broken YAML or a key that stands twice (with its line), or something else than a mapping.
    """
    import yaml

    path = Path(path)

    class Loader(yaml.SafeLoader):
        """The safe loader, which takes the last of two equal keys without a word; this one refuses them."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: dict[Any, int] = {}
            for key, _ in node.value:
                line = key.start_mark.line + 1
                if key.value in seen and key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                    raise ConfigError(f"{path}: {key.value} stands twice, in lines {seen[key.value]} and {line}: leave one")
                if isinstance(key, yaml.ScalarNode):
                    seen[key.value] = line
            return super().construct_mapping(node, deep)

    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader)
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
