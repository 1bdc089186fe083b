"""The `sciml` command: one sub-command a family, and the shared ones.

Errors that a user can act on are printed in one line: exit code 2 for a user's mistake, 1 for a failure, 3 for a partial result.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from sciml import __version__
from sciml.families import families, room
from sciml.options import Force, Set, Tier, command
from sciml.runtime.errors import ConfigError, ScimlError
from sciml.runtime.extras import absent, explained, remedy, wanted_extra
from sciml.runtime.places import keep_programs
from sciml.runtime.processes import count

DEBUG_VARIABLE = "SCIML_DEBUG"
INTERRUPTED = 130
WITHOUT_CUDA = "Torch not compiled with CUDA enabled"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    help="A workbench for scientific computing and imaging reconstruction. `make demo` runs every study and writes its report; "
    "each command here runs one step alone, on your data too.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
config_app = typer.Typer(help="Settings of a run: show, check, schema.", no_args_is_help=True)
app.add_typer(config_app, name="config")


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options that stand before every command."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


@command(app, "doctor", {"--cards": "--try-gpu"})
def doctor_command(
    try_gpu: Annotated[bool, typer.Option("--try-gpu", help="Try a GPU instead, in five minutes at most.")] = False,
) -> None:
    """Say what this machine has and what to do about what it lacks. Exits 1 when something needed is missing.

    With --try-gpu it runs commands of each family on a GPU and on the processor and says which work and agree; without a GPU it
    says so in one line, and exits 2.

    Examples: sciml doctor; sciml doctor --try-gpu
    """
    if try_gpu:
        from sciml.gpu_test import examine_gpus

        raise typer.Exit(0 if examine_gpus() else 1)
    from sciml.doctor import examine, print_findings

    findings = examine()
    print_findings(findings)
    if any(finding.verdict == "missing" for finding in findings):
        raise typer.Exit(1)


@command(app, "init")
def init_command(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made where it is not there.")], force: Force = False
) -> None:
    """Write the workflow of all studies into a folder, to run and change there without a checkout.

    Snakefile, rules, profiles, the settings of the tiers, and a Makefile: `make demo` works there with the packages of this
    environment. --force writes over what is there of these files and leaves others alone.

    Example: sciml init studies
    """
    from sciml.workflow import advice, lay_down

    lay_down(out, force)
    typer.echo("\n".join(advice(out)))


@command(app, "run")
def run_command(
    settings: Annotated[
        str, typer.Argument(help="ci, demo, cpu, gpu, or the settings file of a study of your own.", metavar="SETTINGS")
    ] = "demo",
    family: Annotated[
        str, typer.Option(help="Only this family or study; `studies` for all studies, `all` for whatever the settings speak of.")
    ] = "all",
    profile: Annotated[str, typer.Option(help="Folder of Snakemake's options.")] = "profiles/default",
) -> None:
    """Fetch the data, run the studies of some settings and write their pages; needs the workflow in this folder.

    Example: sciml run my.yaml
    """
    from sciml.running import run

    if code := run(settings, family, profile):
        raise typer.Exit(code)


@command(config_app, "show")
def config_show(
    tier: Tier = "demo",
    overrides: Set = None,
    stage: Annotated[str | None, typer.Option(help="Only what one stage reads: family.stage, e.g. imaging.report.")] = None,
    argument: Annotated[list[str] | None, typer.Option(help="What the stage is run for, e.g. a task's name.")] = None,
) -> None:
    """Print the resolved settings of a tier as JSON: the defaults, the tier's file and the overrides, in that order.

    Example: sciml config show --tier ci --stage imaging.measure --argument denoise
    """
    from sciml.settings import load, slice_of

    settings = load(tier, overrides or [])
    if stage is None:
        typer.echo(settings.model_dump_json(indent=2))
        return
    family, _, name = stage.partition(".")
    typer.echo(json.dumps(json.loads(slice_of(settings, family, name, *(argument or []))), indent=2))


@command(config_app, "check")
def config_check(
    files: Annotated[list[str] | None, typer.Argument(help="Tier names or YAML files; all tiers by default.")] = None,
    overrides: Set = None,
) -> None:
    """Check settings files; the first wrong key or value is named with what is allowed, and data that are not declared.

    Example: sciml config check demo --set master_seed=3
    """
    from sciml.runtime.settings import TIERS
    from sciml.settings import check_data, load

    for name in files or TIERS:
        check_data(load(name, overrides or []), name)
        typer.echo(f"{name}: good")


@command(config_app, "schema")
def config_schema() -> None:
    """Print the JSON schema that editors complete from (config/schema.json).

    Example: sciml config schema
    """
    from sciml.settings import schema_text

    typer.echo(schema_text())


def _mount() -> None:
    from sciml.datasets.cli import app as data_app
    from sciml.report.cli import app as report_app
    from sciml.stages import all_stages_app, stages_app

    app.add_typer(data_app, name="data")
    app.add_typer(report_app, name="report")
    app.add_typer(all_stages_app(), name="stage")
    for family in families():
        family_app = room(family, "cli").app
        # the place of the stages in earlier versions
        family_app.add_typer(stages_app(family), name="stage", hidden=True)
        name = family.replace("_", "-")
        note = f"NOT INSTALLED, {remedy(name)}: " if absent(name) else ""
        app.add_typer(family_app, name=name, help=f"{note}{family_app.info.help}")
        if name != family:  # settings and pages have an underscore
            app.add_typer(family_app, name=family, hidden=True)


def main() -> None:
    """Run the command line and turn errors into one line and an exit code."""
    warnings.showwarning = _warn
    keep_programs()
    try:
        if count() > 1 and sys.argv[1:2] != ["stage"]:
            raise ConfigError("several processes run one stage together: torchrun ... -m sciml stage FAMILY STAGE ...")
        _mount()
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # typer's own answer to Ctrl-C, without a word
            raise KeyboardInterrupt
        if isinstance(code, int) and code:
            sys.exit(code)
    except KeyboardInterrupt as error:
        _end(error, INTERRUPTED, "interrupted")
    except ScimlError as error:
        _end(error, error.exit_code, str(error))
    except BrokenPipeError:
        sys.exit(1)
    except ModuleNotFoundError as error:
        known = explained(error, wanted_extra())
        if not isinstance(known, ScimlError):
            _end_unexpected(error)
        _end(error, known.exit_code, str(known))
    except (OSError, MemoryError) as error:
        full = getattr(error, "errno", None) in FULL
        _end(error, 1, f"{type(error).__name__}: {error}{'; free some space, the same command goes on' if full else ''}")
    except Exception as error:
        if hasattr(error, "format_message"):  # of typer's own errors; their class is private and has moved
            _end_usage(error)
        if WITHOUT_CUDA in str(error):  # a scheduler gave a GPU to packages that cannot use one
            _end(error, 2, f"{error}: `make env EXTRAS=cuda` brings packages for GPUs; without --gpu the CPU computes")
        _end_unexpected(error)


def _end_unexpected(error: Exception) -> NoReturn:
    _end(error, 1, f"unexpected {type(error).__name__}: {error} (sciml --debug shows where; please report it)")


def _end_usage(error: Any) -> NoReturn:
    """Print what is wrong with the words after `sciml`, in one line; a group without a command shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.ctx.get_help(), nl=False)
        sys.exit(error.exit_code)
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "sciml"
    print(f"sciml: error: {' '.join(error.format_message().split())} See: {path} --help", file=sys.stderr)
    sys.exit(error.exit_code)


def _warn(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """Print a warning in one line, without the place in the code that raised it."""
    print(f"sciml: warning: {' '.join(str(message).split())}", file=sys.stderr)


def _end(error: BaseException, code: int, message: str) -> NoReturn:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)
    print(f"sciml: error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
