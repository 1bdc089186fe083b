"""The settings of a whole run: tier, data tier, master seed and one block a family.

With the pydantic defaults at the bottom, one YAML file above them, overrides on top. The file is that of a tier, or that of a
study of one's own: it has a name, that of the file by default, and folders of that name for its results and its pages.
"""

from __future__ import annotations

import json
import re
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
from sciml.runtime.settings import DATA_OF, TIERS, DataTier, StageConfig, merged, read_yaml, validated

Tier = Literal["ci", "demo", "cpu", "gpu"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TAKEN = (*TIERS, "all", "failures", "studies")
"""Names that a study of one's own cannot have: those of the shipped ones, of targets and of a folder of the reports."""


class RunSettings(StageConfig):
    """What every run states, whatever its families."""

    name: str | None = Field(
        default=None,
        description="of a study of one's own and its folders; by default the file's",
    )
    base: Tier | None = Field(default=None, description="tier that this file changes; by default the models")
    tier: Tier = Field(default="demo", description="size of the run")
    data_tier: DataTier = Field(
        default_factory=lambda given: DATA_OF[given["tier"]],
        description="packages of real data to fetch; by default the tier's",
    )
    master_seed: int = Field(default=0, ge=0, description="the one seed that all named seeds derive from")

    @property
    def folder(self) -> str:
        """Folder of the results and logs: the name of a study of one's own, else the tier."""
        return self.name or self.tier

    @property
    def reports(self) -> str:
        """Folder of the pages: `reports`, or one below it for a study of one's own."""
        return f"reports/{self.name}" if self.name else "reports"


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
        tier: `ci`, `demo`, `cpu`, `gpu`, or the path of the YAML file of a study of one's own.
        overrides: `key.path=value` texts, values as JSON or plain text.
        folder: that of the tiers' files; those of the package by default.

    Raises:
        ConfigError: unknown tier or key, wrong value, missing or broken file, or a name that a study cannot have.
    """
    values, source, own = _file(tier, folder or resource("config"))
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise ConfigError(f"an override looks like master_seed=3, got {override!r}")
        nested: Any = _value(text)
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merged(values, nested)
    name = values.get("name")
    if (own or name is not None) and not (isinstance(name, str) and NAME.fullmatch(name) and name.lower() not in TAKEN):
        raise ConfigError(
            f"{source}: no study can be called {name!r}: say `name:` in letters, digits, - and _, not {', '.join(TAKEN)}"
        )
    return validated(settings_model(tuple(families())), values, source)


def _file(tier: str, folder: Path) -> tuple[dict[str, Any], str, bool]:
    """Return the values of a settings file over those of its base, its path, and whether it is of a study of one's own."""
    shipped = {name: folder / f"{name}.yaml" for name in TIERS}
    if tier in TIERS:
        return read_yaml(shipped[tier]), str(shipped[tier]), False
    if "/" not in tier and not tier.endswith((".yaml", ".yml")):
        raise ConfigError(f"no tier is called {tier!r}; there are {', '.join(TIERS)}, or give the path of a YAML file")
    path = Path(tier)
    values = read_yaml(path)
    if any(one.exists() and path.samefile(one) for one in shipped.values()):
        return values, str(path), False
    base = values.get("base")
    under = read_yaml(shipped[base]) if base in TIERS else {}
    return merged(under, {"name": path.stem, **values}), str(path), True


def families_of(settings: Any, tier: str) -> tuple[str, ...]:
    """Return the families of a run: of a study of one's own those that its file speaks of, if it does of any; else all.

    Args:
        settings: those of the run.
        tier: what they were loaded from.
    """
    known = tuple(families())
    values = read_yaml(tier) if settings.name else {}
    return tuple(name for name in known if name in values) or known


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def schema() -> dict[str, Any]:
    """Return the JSON schema of a settings file with the built-in families; editors complete from it.

    Without titles, which repeat the names, and defaults that are objects, lists or null, which `sciml config show` prints. The
    block of a family is defined under the family's name.
    """
    text = json.dumps(settings_model(tuple(BUILT_IN)).model_json_schema())
    for name, package in BUILT_IN.items():
        text = text.replace(f"{package.replace('.', '__')}__config__Config", name)
    result = json.loads(text)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_bare(result)}


def _bare(node: Any) -> Any:
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    left_out = {"title", "discriminator"} | ({"default"} if isinstance(node.get("default"), dict | list | None) else set())
    # values that are named tell their type, a kind that is the only one is no default
    left_out |= {"type"} if {"enum", "const"} & set(node) else set()
    left_out |= {"default"} if "const" in node else set()
    bare = {key: value for key, value in node.items() if key not in left_out}
    if isinstance(bare.get("description"), str):
        bare["description"] = bare["description"].partition("\n\n")[0]
    # the keys of these are names of settings, not words of the schema
    named = {key: {name: _bare(item) for name, item in bare.pop(key).items()} for key in ("properties", "$defs") if key in bare}
    return _short({key: _bare(value) for key, value in bare.items()} | named)


def _short(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node that says the same in fewer words: null as a second type, equal items of a tuple once."""
    one, *null = node.get("anyOf", [{}])
    if null == [{"type": "null"}] and isinstance(one.get("type"), str):
        node = {key: value for key, value in node.items() if key != "anyOf"} | one | {"type": [one["type"], "null"]}
    items = node.get("prefixItems", [])
    if items and all(item == items[0] for item in items):
        node = {key: value for key, value in node.items() if key != "prefixItems"} | {"items": items[0]}
    return node


def schema_text() -> str:
    """Return the schema as JSON, one line a model, sorted: the content of config/schema.json."""
    document = schema()
    models = ",\n".join(f"{json.dumps(name)}: {canonical_json(model)}" for name, model in sorted(document.pop("$defs").items()))
    return canonical_json(document)[:-1] + f',\n"$defs": {{\n{models}\n}}}}'


def check_data(settings: Any, source: str) -> None:
    """Refuse settings that name data which are not declared, or ask for more pictures than there are.

    Args:
        settings: those of a run.
        source: where they came from, for the message.

    Raises:
        ConfigError: the first of these, with its family and place.
    """
    for family in families():
        block = getattr(settings, family)
        try:
            for stage in _stages(block):
                build = getattr(block, f"{stage}_config")
                if len(signature(build).parameters) == 1:  # the others are parts of these, for one task or model
                    build(settings)
            getattr(block, "check_counts", lambda: None)()
        except ConfigError as error:
            raise ConfigError(f"{source}: {family}.{error}") from error


def _stages(block: Any) -> list[str]:
    names = sorted(name.removesuffix("_config") for name in dir(type(block)) if name.endswith("_config") and name[0] != "_")
    return [name for name in names if name != "model"]  # pydantic's own model_config


def slice_of(settings: Any, family: str, stage: str, *arguments: str) -> str:
    """Return what one stage reads, as canonical JSON: the family's `Config.<stage>_config(run settings, ...)`.

    Raises:
        ConfigError: there is no such family or stage, or not for these arguments.
    """
    known = [name for name in families() if hasattr(settings, name)]
    if family not in known:
        raise ConfigError(f"no family is called {family!r}; there are {', '.join(known)}")
    block = getattr(settings, family)
    stages = _stages(block)
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
