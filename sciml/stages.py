"""The stages of a family as commands: what each declares, and what every command does around its stage.

A family declares its stages in `commands/stages.py`, as `STAGES`: settings model and inputs of each by its name. The stage itself
is `run` in `stages/<name>.py`, which may import what is heavy: settings and inputs are checked before it is loaded. `sciml stage
FAMILY STAGE` runs it.
"""

from __future__ import annotations

import inspect
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel

from sciml.families import families, room
from sciml.runtime import alive
from sciml.runtime.declared import compared, declare_data
from sciml.runtime.devices import claim_gpus, keep_freed_memory, set_threads
from sciml.runtime.errors import ConfigError, DataError, FormatError, ScimlError
from sciml.runtime.extras import refuse_absent
from sciml.runtime.files import read_json
from sciml.runtime.processes import rank
from sciml.runtime.settings import validated

if TYPE_CHECKING:
    import typer

REPORTS_VARIABLE = "SCIML_REPORTS"
UNFINISHED = "The process ended without a word: it was killed, or the machine ran out of memory."

Config = TypeVar("Config", bound=BaseModel)


@dataclass(frozen=True)
class Input:
    """What a stage is given beside its settings; `File`, `Files`, `Named` and `Word` make one.

    Args:
        help: what it is and which stage makes it.
        kind: type of the option's value.
        convert: from that value, and the option's name for messages, to what `run` gets.
        required: whether it must be given; else `run` gets None, or an empty list.
    """

    help: str
    kind: Any = Path
    convert: Callable[[Any, str], Any] = lambda value, option: value
    required: bool = True


def File(help: str, required: bool = True) -> Input:
    """Return an input that is one file or folder; `run` gets a `Path`, None where it may be left out and is."""
    return Input(help, Path, required=required)


def Files(help: str, required: bool = True) -> Input:
    """Return an input whose option is repeated; `run` gets a list of paths."""
    return Input(f"{help} Repeatable.", list[Path], lambda value, option: list(value or ()), required)


def Named(help: str) -> Input:
    """Return an input whose option is repeated as NAME=FILE; `run` gets the list of paths of each name."""
    return Input(f"{help} Repeatable.", list[str], _named)


def Word(help: str) -> Input:
    """Return an input that is a name; `run` gets the text."""
    return Input(help, str)


def _named(value: list[str], option: str) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for text in value:
        name, separator, path = text.partition("=")
        if not separator or not name:
            raise ConfigError(f"{option} is {text!r}, expected NAME=FILE")
        found.setdefault(name, []).append(Path(path))
    return found


@dataclass(frozen=True)
class Stage:
    """What a stage declares; its `run` takes the settings, then by keyword the inputs, `output`, and `device` if it uses one.

    Args:
        help: what it does, a sentence.
        settings: model of its settings; None for a stage that has none.
        inputs: by name of the keyword of `run`.
        gpu: whether it computes on a GPU where it is given one.
        workers: whether `run` takes `workers`, processes of one thread, in place of threads.
        page: whether the output is a page and no folder.
    """

    help: str
    settings: type[BaseModel] | None
    inputs: Mapping[str, Input]
    gpu: bool = False
    workers: bool = False
    page: bool = False


def declare(
    help: str,
    settings: type[BaseModel] | None,
    gpu: bool = False,
    workers: bool = False,
    page: bool = False,
    **inputs: Input,
) -> Stage:
    """Return a stage, its inputs as keywords; see `Stage`.

    Example:
        >>> from sciml.runtime.settings import StageConfig
        >>> declare("Count the pictures.", StageConfig, pictures=Files("Pictures to count.")).inputs["pictures"].help
        'Pictures to count. Repeatable.'
    """
    return Stage(help, settings, inputs, gpu, workers, page)


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

    Sets the threads and claims the GPUs before torch or jax loads, sends the log to standard error, and keeps a failure
    record in the reports folder named by `SCIML_REPORTS` (set by the workflow) until the stage has succeeded.

    Args:
        name: dotted name such as `imaging.solve`.
        output: the stage's output, which tells its jobs apart.
        threads: computing threads; the environment's choice by default.
        gpu: number of GPUs; 0 for the CPU.
    """
    logging.basicConfig(
        level=logging.WARNING if rank() else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr
    )
    # jax tells of every kind of GPU that it does not find
    logging.getLogger("jax").setLevel(logging.WARNING)
    if threads is not None:
        set_threads(threads)
    keep_freed_memory()
    if mark := os.environ.get(alive.VARIABLE):
        alive.join(mark, name)
    reports = None if rank() else os.environ.get(REPORTS_VARIABLE)
    command = shlex.join(["sciml", *sys.argv[1:]])
    if reports:
        _record(reports, name, str(output), command, UNFINISHED)
    try:
        with claim_gpus(gpu), compared():
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


def run_stage(family: str, name: str, given: Mapping[str, Any]) -> None:
    """Run a stage of a family; of several processes, as `torchrun` starts them, the first alone writes its output.

    Args:
        family: name of the family.
        name: of the stage, as in the family's `STAGES`.
        given: values of the command's options by name: `config`, the inputs, `output`, `threads`, `gpu`.

    Raises:
        ConfigError: wrong settings, or an input that is not what its option wants.
        DataError: an input that is not there.
        MissingPackage: a package of the family's extra is not installed.
        ScimlError: whatever the stage refuses.
    """
    refuse_absent(family.replace("_", "-"))
    declared = stages_of(family)[name]
    threads, output = given.get("threads"), given["output"]
    computing = 1 if declared.workers else threads
    with _thrown_away(output) as output, stage(f"{family}.{name}", output, computing, given.get("gpu", 0)) as device:
        settings = [parse_config(declared.settings, given["config"])] if declared.settings else []
        values = {key: one.convert(given[key], f"--{key.replace('_', '-')}") for key, one in declared.inputs.items()}
        _check_there(values)
        run = room(family, f"stages.{name}").run
        if "device" in inspect.signature(run).parameters:
            values["device"] = device
        if declared.workers:
            values["workers"] = threads or 1
        run(*settings, **values, output=output)


@contextmanager
def _thrown_away(output: Path) -> Iterator[Path]:
    """Yield the output of the first process; another one's is a folder that goes at the end."""
    if rank() == 0:
        yield output
        return
    with TemporaryDirectory(prefix="sciml-process-") as folder:
        yield Path(folder) / output.name


def _check_there(values: Mapping[str, Any]) -> None:
    for value in values.values():
        named = value if isinstance(value, dict) else {"": value if isinstance(value, list) else [value]}
        for path in (one for paths in named.values() for one in paths if isinstance(one, Path)):
            if not path.exists():
                raise DataError(f"no such file: {path}")


def stage_command(family: str, name: str, declared: Stage) -> Callable[..., None]:
    """Return the function of a stage's command, as typer reads one: an option for everything that the stage declares."""
    import typer

    def options() -> Iterator[inspect.Parameter]:
        def option(key: str, kind: Any, default: Any, *flags: str, **more: Any) -> inspect.Parameter:
            annotation = Annotated[kind, typer.Option(*flags, **more)]
            return inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

        needed = inspect.Parameter.empty
        if declared.settings:
            yield option("config", str, needed, help="Settings of the stage: JSON text or the path of a JSON file.")
        for key, one in declared.inputs.items():
            yield option(key, one.kind if one.required else one.kind | None, needed if one.required else None, help=one.help)
        yield option("output", Path, needed, "--output", help="The page, .html." if declared.page else "Output folder.")
        if declared.page:
            return
        threads = "Processes of one thread." if declared.workers else "Computing threads."
        yield option("threads", int | None, None, help=threads)
        if declared.gpu:
            yield option("gpu", int, 0, min=0, help="Number of GPUs to claim; 0 computes on the CPU.")

    def command(**given: Any) -> None:
        run_stage(family, name, given)

    parameters = list(options())
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = declared.help
    return command


def stages_app(family: str) -> typer.Typer:
    """Return the group `sciml stage FAMILY`; the family's settings are loaded when one of its stages is asked for."""
    import typer
    from typer.core import TyperGroup
    from typer.main import get_command

    class Stages(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return [name.replace("_", "-") for name in stages_of(family)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            name = cmd_name.replace("-", "_")
            # a family's stages by their names of earlier versions
            name = getattr(room(family, "commands.stages"), "FORMER", {}).get(name, name)
            declared = stages_of(family).get(name)
            if declared is None:
                return None
            app = typer.Typer(add_completion=False)
            app.command(cmd_name)(stage_command(family, name, declared))
            return get_command(app)

    text = "The stages of the study, as the workflow calls them."
    return typer.Typer(cls=Stages, help=text, no_args_is_help=True)


def stages_of(family: str) -> Mapping[str, Stage]:
    """Return the stages that a family declares, by name.

    Raises:
        ConfigError: there is no such family.
    """
    return room(family, "commands.stages").STAGES


def all_stages_app() -> typer.Typer:
    """Return the group `sciml stage`."""
    import typer

    app = typer.Typer(help="Run one stage of one family, as the workflow does.", no_args_is_help=True)
    for family in families():
        app.add_typer(stages_app(family), name=family.replace("_", "-"), help=f"Stages of {family}.")
    return app
