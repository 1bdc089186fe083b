"""Record what a run at tier `ci` makes, and say what another tree makes otherwise: for changes that leave every number alone.

    python benchmarks/freeze.py record results/ci frozen.json
    python benchmarks/freeze.py compare frozen.json results/ci

A record holds, by name: a digest of the numbers of every JSON and CSV file (without times and digests of code), of the tensors of
every safetensors file, of a stream of every shipped codec, and of every help text. Numbers are those of one kind of machine:
`frozen_ci.json` was made on two cores of an AMD processor with AVX-512 and bfloat16 (EPYC).
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import typer

from sciml.runtime.files import canonical_json, digest_bytes, load_tensors, read_json, write_json
from sciml.training.weight_files import tensors_digest

# what is measured anew by every run, and what names code, packages, settings' texts or places
VOLATILE = re.compile(
    r"(?i)second|minute|_s$|^s$|time|memory|speed|throughput|code$|source|key$|config|commit|command|path|inputs"
    r"|^file_bytes|^front$|^versions$"
)


def numbers(value: Any) -> Any:
    """Return a JSON value without what every run measures anew."""
    if isinstance(value, dict):
        dates = {name for name, item in value.items() if name == "measured" and isinstance(item, str)}
        return {name: numbers(item) for name, item in value.items() if name not in dates and not VOLATILE.search(name)}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def artefacts(results: Path) -> Iterator[tuple[str, str]]:
    """Yield name and digest of every file of a run's results that holds numbers."""
    for path in sorted(results.rglob("*")):
        name = path.relative_to(results).as_posix()
        if name.startswith("benchmarks/") or path.name == "provenance.json" or ".partial" in name or not path.is_file():
            continue
        if path.suffix == ".json" and ".zarr" not in name:
            yield name, digest_bytes(canonical_json(numbers(read_json(path))).encode())
        elif path.suffix == ".csv":
            with path.open(newline="") as file:
                yield name, digest_bytes(canonical_json([numbers(row) for row in csv.DictReader(file)]).encode())
        elif path.suffix == ".safetensors":
            yield name, tensors_digest(load_tensors(path)[0])


def entries(results: Path) -> Iterator[tuple[str, str]]:
    """Yield name and digest of everything that is frozen."""
    yield from artefacts(results)
    yield from streams()
    yield from helps()


def streams() -> Iterator[tuple[str, str]]:
    """Yield a digest of the bytes that every shipped codec makes of a seeded picture."""
    from sciml.compression import Codec

    ramp = np.add.outer(np.arange(96.0), np.arange(128.0))[..., None] + np.random.default_rng(1).normal(0, 12, (96, 128, 3))
    for name in ("field", "mr", "neural", "photo"):
        colours = ramp if name in ("photo", "neural") else ramp[..., 0]
        picture = colours.astype(np.float32) if name == "field" else colours.clip(0, 255).astype(np.uint8)
        yield f"stream {name}", digest_bytes(Codec.load(name).encode(picture, quality=40))


def helps() -> Iterator[tuple[str, str]]:
    """Yield a digest of the help text of every command, 100 columns wide."""
    os.environ["COLUMNS"] = "100"
    from sciml import cli

    cli._mount()

    def walk(command: Any, context: Any) -> Iterator[tuple[str, str]]:
        with contextlib.redirect_stdout(io.StringIO()) as text:
            text.write(command.get_help(context))
        yield f"help {context.command_path}", digest_bytes(text.getvalue().encode())
        for name in getattr(command, "commands", {}):
            found = command.get_command(context, name)
            yield from walk(found, type(context)(found, info_name=name, parent=context))

    root = typer.main.get_command(cli.app)
    yield from walk(root, root.make_context("sciml", [], resilient_parsing=True))


def main() -> int:
    """Record, or compare and say every difference."""
    mode, first, second = sys.argv[1:]
    if mode == "record":
        write_json(second, dict(entries(Path(first))))
        return 0
    before, after = json.loads(Path(first).read_text()), dict(entries(Path(second)))
    different = 0
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            different += 1
            print("gone" if name not in after else "new" if name not in before else "other", name)
    print(f"{different} of {len(before)} differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
