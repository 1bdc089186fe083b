"""What every stage command does around its stage: settings, threads, cards, log, and a record when it fails."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from sciml.runtime.declared import compared, declare_data
from sciml.runtime.devices import claim_cards, keep_freed_memory, set_threads
from sciml.runtime.errors import FormatError, ScimlError
from sciml.runtime.files import read_json
from sciml.runtime.settings import validated

REPORTS_VARIABLE = "SCIML_REPORTS"
UNFINISHED = "The process ended without a word: it was killed, or the machine ran out of memory."

Config = TypeVar("Config", bound=BaseModel)


class Interrupted(ScimlError):
    """The user stopped a stage; finished parts are kept."""

    exit_code = 130


def parse_config(model: type[Config], given: str) -> Config:
    """Return the settings of a stage from JSON text or from the path of a JSON file.

    Raises:
        ConfigError: a key or value is wrong.
        FormatError: the text is not JSON.
    """
    if given.lstrip().startswith("{"):
        import json

        try:
            values, source = json.loads(given), "--config"
        except json.JSONDecodeError as error:
            raise FormatError(f"--config is not valid JSON: {error}") from error
    else:
        values, source = read_json(given), given
    config = validated(model, values, source)
    declare_data(values)
    return config


@contextmanager
def stage(name: str, output: Path, threads: int | None = None, gpu: int = 0) -> Iterator[str]:
    """Run the body of a stage command; yields the device, `cpu` or `cuda`.

    Sets the threads and claims the cards before torch or jax loads, sends the log to standard error, and keeps a failure
    record in the reports folder named by `SCIML_REPORTS` (set by the workflow) until the stage has succeeded.

    Args:
        name: dotted name such as `imaging.solve`.
        output: the stage's output, which tells its jobs apart.
        threads: computing threads; the environment's choice by default.
        gpu: number of cards; 0 for the CPU.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    # jax tells of every kind of card that it does not find
    logging.getLogger("jax").setLevel(logging.WARNING)
    if threads is not None:
        set_threads(threads)
    keep_freed_memory()
    reports = os.environ.get(REPORTS_VARIABLE)
    command = shlex.join(["sciml", *sys.argv[1:]])
    if reports:
        _record(reports, name, str(output), command, UNFINISHED)
    try:
        with claim_cards(gpu), compared():
            yield "cuda" if gpu else "cpu"
    except KeyboardInterrupt as error:
        raise Interrupted(f"{name} was interrupted; run it again to go on") from error
    except BaseException:
        if reports:
            traceback.print_exc()
            _record(reports, name, str(output), command, traceback.format_exc())
        raise
    if reports:
        from sciml.report.index import forget_failure

        forget_failure(reports, name, str(output))


def _record(reports: str, name: str, output: str, command: str, text: str) -> None:
    from sciml.report.index import record_failure

    record_failure(reports, name, command, text, rule=output)
