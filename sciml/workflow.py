"""The workflow as files of a folder of one's own, for an installation without a checkout."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from sciml.runtime.errors import ConfigError
from sciml.runtime.extras import absent, remedy
from sciml.runtime.files import refuse_existing, write_text
from sciml.runtime.places import resource

PARTS = ("Snakefile", "config", "profiles", "workflows")
MAKEFILE = """# The studies of sciml: `make help`. Package and Snakemake are those of the environment that wrote this file.
BIN := {scripts}
export PATH := $(BIN):$(PATH)

include workflows/runs.mk

.PHONY: env
env:
	@command -v snakemake > /dev/null || {{ echo {advice} >&2; exit 2; }}
"""


def lay_down(folder: Path, force: bool = False) -> list[Path]:
    """Write the workflow into a folder: Snakefile, rules, profiles, settings of the tiers, and a Makefile that runs them.

    Args:
        folder: made where it is not there.
        force: write over what is there of these files; other files stay.

    Returns:
        the files.

    Raises:
        ConfigError: the folder is a file, or holds something and `force` is not given.
    """
    refuse_existing(folder, force)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file: give the name of a folder")
    written = []
    for part in PARTS:
        source = resource(part)
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file():
                target = folder / part / path.relative_to(source) if source.is_dir() else folder / part
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                written.append(target)
    makefile = folder / "Makefile"
    advice = shlex.quote(f"snakemake is not installed: {remedy('workflow')}")
    write_text(makefile, MAKEFILE.format(scripts=Path(sys.executable).parent, advice=advice))
    return [*written, makefile]


def advice(folder: Path) -> list[str]:
    """Return what to do next in a folder with the workflow, a line each."""
    lines = [remedy("workflow")] if absent("workflow") else []
    return [*lines, f"cd {shlex.quote(str(folder))}", "make demo  # `make help` explains"]
