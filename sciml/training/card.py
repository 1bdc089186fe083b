"""Model cards: what a weight file was trained on, how, how well it does and where it stops."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sciml.runtime.errors import ConfigError
from sciml.runtime.files import atomic_path, digest_file, write_text
from sciml.training.weight_files import read_weights_metadata


def publish(
    weights: Path,
    folder: Path,
    name: str,
    *,
    family: str,
    title: str,
    licences: Mapping[str, str],
    metrics: Sequence[Mapping[str, Any]],
    limits: Sequence[str],
) -> list[Path]:
    """Copy a weight file to `<name>.safetensors` of a package and write its card `<name>.md`; return both.

    Args:
        weights: what a stage has trained.
        folder: where the package keeps its models.
        name: by which the model is loaded.
        family: that made it, as `make` names it.
        title: of the card, behind the name.
        licences: licence of each training input, as for `write_model_card`.
        metrics: rows of the card's table, as for `write_model_card`.
        limits: where the model must not be trusted, one sentence each.

    Raises:
        ConfigError: as `write_model_card`.
        DataError: the weight file is missing or damaged.
    """
    target = folder / f"{name}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as path:
        shutil.copyfile(weights, path)
    card, command = target.with_suffix(".md"), f"make cpu FAMILY={family} && make weights FAMILY={family}"
    facts = {"licences": licences, "command": command, "metrics": metrics, "limits": limits}
    write_model_card(card, title=f"{name}: {title}", weights=target, **facts)
    return [target, card]


def write_model_card(
    path: Path | str,
    *,
    title: str,
    weights: Path | str,
    licences: Mapping[str, str],
    command: str,
    metrics: Sequence[Mapping[str, Any]],
    limits: Sequence[str],
) -> None:
    """Write the Markdown card of a weight file; seed, settings, minutes and digests are read from that file.

    Args:
        path: the card, `*.md`.
        title: name of the model and its task.
        weights: the weight file.
        licences: licence of each training input, by data id.
        command: what makes the weights again.
        metrics: rows with `name`, `value`, `unit`, `data` and `n` (number of cases).
        limits: where the model must not be trusted, one sentence each.

    Raises:
        ConfigError: an input has no licence, a licence has no input, or no limit is stated.
        DataError: the weight file is missing, damaged or of another kind.
    """
    metadata = read_weights_metadata(weights)
    inputs: dict[str, str] = metadata["inputs"]
    if unmatched := sorted(set(inputs) ^ set(licences)):
        raise ConfigError(
            f"card of {weights}: {unmatched[0]} stands in only one of inputs and licences; list exactly the training inputs"
        )
    if not limits:
        raise ConfigError(f"card of {weights}: state at least one limit of the model")
    sections = [
        f"# {title}",
        _table(
            ("weights", "value"),
            [
                ("file", f"`{Path(weights).name}`"),
                ("SHA-256 of the file", f"`{digest_file(weights)}`"),
                ("digest of the tensors", f"`{metadata['weights_digest']}`"),
                ("digest of the sources", f"`{metadata['source_digest']}`"),
                ("seed", metadata["seed"]),
                ("training, CPU minutes", metadata["cpu_minutes"] or "not kept, so that equal fits give equal bytes"),
            ],
        ),
        "## Made by",
        f"```sh\n{command}\n```",
        "## Training data",
        _table(("id", "licence", "SHA-256"), [(name, licences[name], f"`{inputs[name]}`") for name in sorted(inputs)]),
        "## Metrics",
        _table(
            ("metric", "value", "unit", "data", "n"),
            [[row[key] for key in ("name", "value", "unit", "data", "n")] for row in metrics],
        ),
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits),
        "## Settings",
        _table(("setting", "value"), sorted((key, f"`{value}`") for key, value in metadata["config"].items())),
    ]
    write_text(path, "\n\n".join(sections) + "\n")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["--"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )
