"""The settings of a whole run: tier, data tier, master seed and one block a family.

with the pydantic defaults at the bottom, one YAML file a tier above them, overrides on top
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from sciml.families import BUILT_IN, families, room
from sciml.runtime.errors import ConfigError
from sciml.runtime.files import canonical_json
from sciml.runtime.places import resource
from sciml.runtime.settings import TIERS, DataTier, StageConfig, merged, read_yaml, validated


class RunSettings(StageConfig):
    """What every run states, whatever its families."""

    tier: Literal["ci", "demo", "cpu", "gpu"] = Field(description="size of the run: minutes, a demonstration, or from scratch")
    data_tier: DataTier = Field(description="which packages of real data are fetched")
    master_seed: int = Field(default=0, ge=0, description="the one seed that all named seeds derive from")


@lru_cache
def settings_model(names: tuple[str, ...]) -> type[BaseModel]:
    """Return the pydantic model of a run with these families."""
    blocks: dict[str, Any] = {}
    for name in names:
        config = room(name, "config").Config
        blocks[name] = (config, Field(default_factory=config, description=(config.__doc__ or "").strip().splitlines()[0]))
    return create_model("Settings", __base__=RunSettings, **blocks)


def load(tier: str, overrides: Iterable[str] = (), folder: Path | None = None) -> Any:
    """Return the resolved settings of a tier.

    Args:
        tier: `ci`, `demo`, `cpu`, `gpu`, or the path of a YAML file.
        overrides: `key.path=value` texts, values as JSON or plain text.
        folder: that of the tiers' files; those of the package by default.

    Raises:
        ConfigError: unknown tier or key, wrong value, missing or broken file.
    """
    if tier in TIERS:
        path = (folder or resource("config")) / f"{tier}.yaml"
    elif "/" in tier or tier.endswith((".yaml", ".yml")):
        path = Path(tier)
    else:
        raise ConfigError(f"no tier is called {tier!r}; there are {', '.join(TIERS)}, or give the path of a YAML file")
    values = read_yaml(path)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"an override looks like master_seed=3, got {override!r}")
        nested: Any = _value(text)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merged(values, nested)
    return validated(settings_model(tuple(families())), values, str(path))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def schema() -> dict[str, Any]:
    """Return the JSON schema of a settings file with the built-in families; editors complete from it.

    Without titles, which repeat the names, and defaults that are objects, lists or null, which `sciml config show` prints.
    """
    result = settings_model(tuple(BUILT_IN)).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_bare(result)}


def _bare(node: Any) -> Any:
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    left_out = {"title", "discriminator"} | ({"default"} if isinstance(node.get("default"), dict | list | None) else set())
    bare = {key: value for key, value in node.items() if key not in left_out}
    # the keys of these are names of settings, not words of the schema
    named = {key: {name: _bare(item) for name, item in bare.pop(key).items()} for key in ("properties", "$defs") if key in bare}
    return {key: _bare(value) for key, value in bare.items()} | named


def schema_text() -> str:
    """Return the schema as JSON, one line a model, sorted: the content of config/schema.json."""
    document = schema()
    models = ",\n".join(f"{json.dumps(name)}: {canonical_json(model)}" for name, model in sorted(document.pop("$defs").items()))
    return canonical_json(document)[:-1] + f',\n"$defs": {{\n{models}\n}}}}'


def slice_of(settings: Any, family: str, stage: str, *arguments: str) -> str:
    """Return what one stage reads, as canonical JSON: the family's `Config.<stage>_config(run settings, ...)`.

    Raises:
        ConfigError: there is no such family or stage, or not for these arguments.
    """
    known = [name for name in families() if hasattr(settings, name)]
    if family not in known:
        raise ConfigError(f"no family is called {family!r}; there are {', '.join(known)}")
    block = getattr(settings, family)
    stages = sorted(name.removesuffix("_config") for name in dir(type(block)) if name.endswith("_config") and name[0] != "_")
    stages = [name for name in stages if name != "model"]  # pydantic's own model_config
    if stage not in stages:
        raise ConfigError(f"{family} has no stage {stage!r}; there are {', '.join(stages)}")
    build = getattr(block, f"{stage}_config")
    wanted = list(signature(build).parameters)[1:]
    if len(arguments) != len(wanted):
        raise ConfigError(f"{family}.{stage} is run for {', '.join(wanted) or 'nothing more'}, got {list(arguments)}")
    try:
        return canonical_json(build(settings, *arguments).model_dump(mode="json"))
    except KeyError as error:
        raise ConfigError(f"{family}.{stage}: these settings have no {wanted[0]} {error}") from error
