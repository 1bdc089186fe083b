"""Pages of the reference, written from the code: Python names, commands, settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import typer.main

from sciml import cli
from sciml.families import BUILT_IN
from sciml.settings import settings_model

PACKAGES = ("imaging", "proximal", "deblurring", "active_fluid", "compression", "progression")
SHARED = ("datasets", "formats", "training", "report", "runtime")
AUTHORS = ("sciml.families", "sciml.settings", "sciml.stages", "sciml.options", "sciml.batch")
"""Modules that a package with a family of its own uses."""

SETTINGS_HEAD = """# Settings

Every key of a settings file, with its type and its default; a page a family. A tier's file (`config/ci.yaml`,
`demo.yaml`, `cpu.yaml`, `gpu.yaml`) stands over the defaults, and `--set KEY=VALUE` over both; `sciml config show --tier TIER`
prints what a run reads. `NAME` stands for a name of your choice, `[]` for each member of a list."""
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
ABSENT = object()


def pages() -> dict[str, str]:
    """Return the Markdown of every page by its place in the site."""
    return {**api_pages(), **command_pages(), **settings_pages()}


def public_names(package: str) -> list[str]:
    """Return the full public names of a package: what it exports, or the modules that its docstring names."""
    module = import_module(package)
    if hasattr(module, "__all__"):
        return [f"{package}.{name}" for name in module.__all__]
    there = {found.name for found in iter_modules(module.__path__)}
    named = dict.fromkeys(re.findall(rf"`(?:{package}\.)?(\w+)(?:\.\w+)?`", module.__doc__ or ""))
    return [f"{package}.{name}" for name in named if name in there]


def api_pages() -> dict[str, str]:
    """Return a page a package, with one directive a public name; the text comes from the docstrings."""
    result = {}
    for name in (*PACKAGES, *SHARED):
        package = f"sciml.{name}"
        directives = "\n".join(f"::: {path}\n" for path in public_names(package))
        head = f"::: {package}\n    options:\n      members: false\n      heading_level: 1\n"
        result[f"reference/api/{name}.md"] = f"---\ntitle: {package}\n---\n\n{head}\n{directives}"
    text = "# A family of your own\n\nWhat [a package with a family](../../add-a-family.md) uses beside the shared packages.\n\n"
    result["reference/api/your_own.md"] = text + "\n".join(f"::: {path}\n" for path in AUTHORS)
    return result


def commands() -> Iterator[tuple[Any, Any]]:
    """Yield every command that help shows, groups before their members, with its context."""
    cli._mount()
    yield from _below(typer.main.get_command(cli.app), "sciml", None)


def _below(command: Any, name: str, parent: Any) -> Iterator[tuple[Any, Any]]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield command, context
    for word, below in _shown(command, context).items():
        yield from _below(below, word, context)


def _shown(group: Any, context: Any) -> dict[str, Any]:
    below = (
        {name: group.get_command(context, name) for name in group.list_commands(context)} if hasattr(group, "commands") else {}
    )
    return {name: command for name, command in below.items() if not command.hidden}


def command_pages() -> dict[str, str]:
    """Return a page a group of commands, and one of those that stand alone, each with its help, arguments and options."""
    texts: dict[str, list[str]] = {}
    for command, context in commands():
        words = context.command_path.split()
        group = words[1] if len(words) > 1 and (len(words) > 2 or hasattr(command, "commands")) else "index"
        texts.setdefault(f"reference/commands/{group}.md", []).append(_command(command, context, words))
    return {place: "\n".join(parts) for place, parts in texts.items()}


def _command(command: Any, context: Any, words: list[str]) -> str:
    group = hasattr(command, "commands")
    level = max(len(words) - 1, 1 if group else 2)
    text, _, examples = (command.help or "").partition("Example")
    parts = [f"{'#' * level} {' '.join(words)}", text.strip()]
    if group:
        first = {name: _cell((one.help or "").partition("\n\n")[0]) for name, one in _shown(command, context).items()}
        rows = [f"| `{' '.join(words)} {name}` | {told} |" for name, told in first.items()]
        parts.append("\n".join(["| command | what it does |", "|--|--|", *rows]))
    else:
        parts.append(f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```")
    records = [param.get_help_record(context) for param in command.get_params(context) if param.name != "help"]
    rows = [f"| `{_cell(name)}` | {_cell(told)} |" for name, told in filter(None, records)]
    if rows:
        parts.append("\n".join(["| argument or option | meaning |", "|--|--|", *rows]))
    if examples:
        lines = re.split(r";\s+", " ".join(examples.partition(":")[2].split()))
        parts.append("Example:\n\n```bash\n" + "\n".join(lines) + "\n```")
    return "\n\n".join(part for part in parts if part) + "\n"


def settings_pages() -> dict[str, str]:
    """Return a page a family, and one of what every run states: each key with its type, its default and what it means."""
    names = tuple(BUILT_IN)
    model = settings_model(names)
    schema, defaults = model.model_json_schema(), model(tier="demo", data_tier="default").model_dump(mode="json")
    models, properties = schema["$defs"], schema["properties"]
    run = {"properties": {name: node for name, node in properties.items() if name not in names}}
    result = {"index": f"{SETTINGS_HEAD}\n\n{_table(_rows(run, models, {'master_seed': defaults['master_seed']}))}\n"}
    for name in names:
        node = _resolved(properties[name], models)
        table = _table(_rows(node, models, defaults[name], name))
        result[name] = f"# Settings of {name}\n\n{node['description']}\n\n{table}\n"
    return {f"reference/settings/{name}.md": text for name, text in result.items()}


def _table(rows: Iterator[tuple[str, str, str, str]]) -> str:
    return "\n".join(["| key | type | default | meaning |", "|--|--|--|--|", *(f"| {' | '.join(row)} |" for row in rows)])


def _rows(
    node: dict[str, Any], models: dict[str, Any], default: dict[str, Any], above: str = ""
) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, type, default and description of a model's settings, and of those of the models in it."""
    for name, given in node.get("properties", {}).items():
        key, value = f"{above}.{name}".lstrip("."), default[name] if name in default else given.get("default", ABSENT)
        found = _resolved(given, models)
        kind, below = _kind(found, models)
        told = given.get("description") or found.get("description", "")
        yield (
            f"<code>{key.replace('.', '.<wbr>')}</code>",
            _cell(kind),
            _default(value, kind, bool(below)),
            _cell(told),
        )
        for suffix, model in below:
            yield from _rows(model, models, value if not suffix and isinstance(value, dict) else {}, key + suffix)


def _default(value: Any, kind: str, block: bool) -> str:
    if block:
        return ", ".join(f"`{name}`" for name in value) if kind.startswith("{") and value is not ABSENT else ""
    return "" if value is ABSENT else f"`{_cell(json.dumps(value))}`"


def _resolved(node: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    return models[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _kind(node: dict[str, Any], models: dict[str, Any]) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """Return a type in words, and the models in it by what follows the key."""
    node = _resolved(node, models)
    several = node.get("anyOf") or node.get("oneOf")
    if several:
        kinds = [_kind(one, models) for one in several]
        return " or ".join(dict.fromkeys(kind for kind, _ in kinds)), [below for _, found in kinds for below in found]
    if "const" in node or "enum" in node:
        return ", ".join(f"`{json.dumps(value)}`" for value in node.get("enum", [node.get("const")])), []
    if "properties" in node:
        return "block", [("", node)]
    if node.get("type") == "object":
        kind, below = _kind(node.get("additionalProperties", {}), models)
        return f"{{NAME: {kind}}}", [(f".NAME{suffix}", model) for suffix, model in below]
    if node.get("type") == "array":
        parts = node.get("prefixItems")
        kinds = [_kind(part, models) for part in parts or [node.get("items", {})]]
        words = [kind for kind, _ in kinds] + ([] if parts else ["..."])
        return f"[{', '.join(words)}]", [(f"[]{suffix}", model) for _, found in kinds for suffix, model in found]
    limits = [f"{sign} {node[word]}" for word, sign in LIMITS.items() if word in node]
    return " ".join([WORDS.get(node.get("type", ""), "any"), " and ".join(limits)]).strip(), []


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
