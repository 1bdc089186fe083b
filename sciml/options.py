"""The options that all commands share, one name a meaning, and what every command checks before its work.

| meaning | option | |
|--|--|--|
| result | `--out` | `encode` and `decode` of compression keep IN OUT; the stages of the workflow keep `--output` |
| files beside it | `--NAME-out` | a kernel, a map, a picture, a curve |
| numbers of a result | `--json` | |
| write over what is there | `--force` | refused without; an output that is also an input always |
| values that are black and white | `--range LOW HIGH` | |
| noise | `--noise-std`, `--prior-noise-std` | of the data, and that at which a prior is taken |
| weights | `--model` | a shipped name or a file |
| prior, and how much of it | `--prior`, `--weight` | |
| one setting of a study | `--set KEY.PATH=VALUE` | |
| one option of a task or a method | `--option KEY=VALUE` | |
| size of a study, of the data | `--tier`, `--data-tier` | |
| cores of one computation, files at a time | `--threads`, `--jobs` | |
| GPUs, seed | `--gpu`, `--seed` | |
| what is refused | `--refuse-WHAT` | |

Names of earlier versions are taken too, and shown nowhere: `command(..., formerly={"--sigma": "--noise-std"})`.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_origin

import typer
from pydantic import BaseModel
from typer.core import TyperCommand

from sciml.families import room
from sciml.runtime.errors import ConfigError, DataError, FormatError
from sciml.runtime.files import check_place, refuse_existing

Force = Annotated[bool, typer.Option("--force", help="Write over what is there.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Computing threads.")]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes, each with a file of its own.")]
Gpu = Annotated[int, typer.Option("--gpu", min=0, help="Number of GPUs to claim; 0 computes on the CPU.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random: equal seeds give equal results.")]
MasterSeed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of everything random: equal seeds give equal results.")
]
Tier = Annotated[str, typer.Option("--tier", help="Size of the study: ci, demo, cpu, gpu, or the path of a YAML file.")]
DataTier = Annotated[
    str, typer.Option("--data-tier", help="`ci` (85 MB to download), `default` (200 MB more) or `full` (144 MB more).")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override one setting of the study: KEY.PATH=VALUE. Repeatable.")]
TaskOptions = Annotated[
    list[str] | None,
    typer.Option("--option", help="Option of the task (`sciml imaging tasks`): KEY=VALUE, e.g. views=24. Repeatable."),
]
TrueRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--range",
        help="LOW HIGH: the values that become 0 and 1; values beyond are cut. Without it -1000 1000 for Hounsfield units, "
        "0 1 for integer pictures and floats between 0 and 1, otherwise 0 (or the least value below 0) to the largest.",
    ),
]
NoisyRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--range",
        help="LOW HIGH: the values that become 0 and 1, e.g. -1000 1000 or 0 255; nothing is cut, and noise is a fraction of "
        "HIGH - LOW. Needed for floats that are not on the scale from 0 to 1; all other values are used as they are.",
    ),
]


@dataclass(frozen=True)
class Reads:
    """Marks an input by what reads it: what cannot be read is refused before anything heavy is loaded.

    Args:
        check: takes a path or a text; raises a ScimlError.
    """

    check: Callable[[Any], object]


def check_image(path: Path) -> None:
    """Refuse what is no picture, slice or volume that `sciml.formats.read_image` reads."""
    from sciml.formats.read import read_image

    read_image(path)


def check_plane(path: Path) -> None:
    """Refuse what is neither an image nor an NPY file."""
    from sciml.formats.npy import open_npy

    if path.suffix.lower() == ".npy":
        open_npy(path)
    else:
        check_image(path)


def check_tensors(path: Path) -> None:
    """Refuse what is no safetensors file, or a damaged or truncated one."""
    from safetensors import SafetensorError, safe_open

    from sciml.formats.decoding import check_download

    if not path.is_file():
        raise DataError(f"no such file: {path}")
    check_download(path)
    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path} is not a safetensors file, or damaged: {error}") from error


def check_measurement(path: Path) -> None:
    """Refuse what is neither a measurement of `sciml imaging measure` nor an image."""
    (check_tensors if path.suffix == ".safetensors" else check_image)(path)


def check_model(text: str | Path) -> None:
    """Refuse a file of weights that is absent or damaged; names of shipped ones pass; as in `kind:FILE:number`."""
    for part in str(text).split(":"):
        if part.endswith(".safetensors"):
            check_tensors(Path(part))


def check_folder(path: Path) -> None:
    """Refuse what is no folder."""
    if not path.is_dir():
        raise DataError(f"{path} is no folder")


IMAGE, PLANE, MEASUREMENT = Reads(check_image), Reads(check_plane), Reads(check_measurement)
TENSORS, MODEL, FOLDER = Reads(check_tensors), Reads(check_model), Reads(check_folder)


def command(
    app: typer.Typer, name: str, formerly: Mapping[str, str] | None = None, resumes: bool | str = False, hidden: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that makes a function a command of `app`.

    Inputs are looked at before its work, and its outputs are refused where they are there already; it has `--force` if it has
    outputs. See `checked`.

    Args:
        app: group of the command.
        name: of the command.
        formerly: option of today by the name that it had before; `OUT` stands for a last word that is `--out` today, `-` for
            the value that the option has as the last word. Of an option that takes two values, one text `LOW,HIGH` under the
            old name is taken too.
        resumes: whether a result that is there is gone on with: the file in it that tells that it is finished, or True where
            the command itself sees to that.
        hidden: whether help leaves it out.
    """

    class Renaming(_Renaming):
        old: ClassVar = dict(formerly or {})

    def register(function: Callable[..., None]) -> Callable[..., None]:
        app.command(name, cls=Renaming, hidden=hidden)(checked(function, resumes))
        return function

    return register


class _Renaming(TyperCommand):
    """A command that takes names of earlier versions too."""

    old: ClassVar[dict[str, str]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = self._placed(ctx, list(self._renamed(args)))
        try:
            return super().parse_args(ctx, list(words))
        except Exception as error:
            # click gives the only word to the last argument and misses the first: people read it the other way round
            places = [one for one in self.params if one.param_type_name == "argument"]
            if len(places) > 1 and places[0].nargs == -1 and getattr(error, "param", None) is places[0]:
                given, _, _ = self.make_parser(ctx).parse_args(args=list(words))
                if given.get(places[-1].name or ""):
                    error.param = places[-1]  # pyright: ignore[reportAttributeAccessIssue]
            raise

    def _renamed(self, args: Sequence[str]) -> Iterator[str]:
        pairs = {option for one in self.params if one.nargs == 2 for option in one.opts}
        waiting = False
        if args and self.old.get(args[-1]) == "-":
            args = [*args, "-"]
        for word in args:
            if waiting and "," in word:
                yield from word.split(",")
                waiting = False
                continue
            waiting = False
            name, equals, value = word.partition("=")
            new = self.old.get(name) if name.startswith("--") else None
            if new in (None, "-"):
                yield word
            elif new not in pairs:
                yield new + equals + value
            else:
                yield new
                yield from value.split(",") if equals else ()
                waiting = not equals

    def _placed(self, ctx: Any, args: list[str]) -> list[str]:
        if "OUT" not in self.old:
            return args
        given, extra, _ = self.make_parser(ctx).parse_args(args=list(args))
        if len(extra) == 1 and "out" not in given:
            last = len(args) - 1 - args[::-1].index(extra[0])
            return ["--out", extra[0], *args[:last], *args[last + 1 :]]
        return args


def is_output(name: str) -> bool:
    """Say whether a parameter of a command is a file or folder that it writes."""
    return name in ("out", "json") or name.endswith("_out")


def checked(function: Callable[..., None], resumes: bool | str = False) -> Callable[..., None]:
    """Return a command's function with a look at all files before its work; it has the parameter `force` if it has outputs.

    An input that is absent, or that its `Reads` refuses, ends the command, and so does an output that is there (unless
    `force`), that is an input or another output, or whose folder cannot be written. Of several inputs of one argument what cannot
    be read is the command's own affair, which goes on with the others.

    Args:
        function: takes options and arguments by keyword.
        resumes: as in `command`.
    """
    signature = inspect.signature(function, eval_str=True)
    parameters = dict(signature.parameters)
    outputs = [name for name in parameters if is_output(name)]
    takes_force = "force" in parameters
    if outputs and not takes_force:
        parameters["force"] = inspect.Parameter("force", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Force)

    @wraps(function)
    def looked(**given: Any) -> None:
        force = given["force"] if takes_force else given.pop("force", False)
        inputs = list(_check_inputs(parameters, given))
        _check_outputs({name: given[name] for name in outputs if isinstance(given[name], Path)}, inputs, force, resumes)
        function(**given)

    looked.__signature__ = signature.replace(parameters=list(parameters.values()))  # type: ignore[attr-defined]
    looked.__annotations__ = {name: one.annotation for name, one in parameters.items()}
    return looked


def _check_inputs(parameters: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> Iterator[Path]:
    for name, value in given.items():
        if value is None or is_output(name):
            continue
        kind = parameters[name].annotation
        readers = [one for one in get_args(kind) if isinstance(one, Reads)] if get_origin(kind) is Annotated else []
        several = isinstance(value, list | tuple) and len(value) > 1
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Path) and not several and not one.exists():
                raise DataError(f"no such file: {one}")
            for reader in () if several else readers:
                reader.check(one)
            if isinstance(one, str | Path) and one and os.path.exists(one):  # noqa: PTH110 (texts of any kind)
                yield Path(one)


def _check_outputs(outputs: Mapping[str, Path], inputs: Sequence[Path], force: bool, resumes: bool | str) -> None:
    taken = {path.resolve(): "an input" for path in inputs}
    goes_on = resumes is True and "out" in outputs and outputs["out"].exists()
    for name, path in outputs.items():
        if str(path) == "-":
            continue
        option = f"--{name.replace('_', '-')}"
        own = bool(resumes) and (name == "out" or goes_on)
        same = path.resolve() in taken or any(path.exists() and path.samefile(one) for one in inputs)
        if same and not (own and path.is_dir()):
            raise ConfigError(f"{option} {path} is also {taken.get(path.resolve(), 'an input')}: choose another name")
        taken[path.resolve()] = option
        if not own or (isinstance(resumes, str) and (path / resumes).exists()):
            refuse_existing(path, force)
        check_place(option, path.parent)


def study_settings(tier: str, overrides: Sequence[str] | None = None, seed: int | None = None) -> Any:
    """Return the settings of a tier with the values of `--set` and `--seed`."""
    from sciml.settings import load

    return load(tier, [*(overrides or ()), *([] if seed is None else [f"master_seed={seed}"])])


def finished(folder: Path, config: BaseModel, force: bool = False) -> bool:
    """Say whether the results of a stage are there, made with these settings; tell that they are kept.

    Raises:
        ConfigError: they were made with other settings.
    """
    from sciml.runtime.provenance import read_record

    if force or not (folder / "provenance.json").is_file():
        return False
    if read_record(folder).config != config.model_dump(mode="json"):
        raise ConfigError(f"{folder} was made with other settings: choose another --out, or make it again with --force")
    print(f"sciml: note: {folder} is there already and kept: --force makes it again", file=sys.stderr, flush=True)
    return True


def add_report(app: typer.Typer, family: str) -> None:
    """Give a family's group the command `report`, which writes the page of its study from results."""

    def report(
        results: Annotated[
            Path | None, typer.Argument(help="Results folder of the study; results/TIER/FAMILY by default.")
        ] = None,
        out: Annotated[
            Path | None,
            typer.Option("--out", help="The page; reports/FAMILY.html by default, in reports/NAME of a study that has a name."),
        ] = None,
        tier: Annotated[
            str | None, typer.Option("--tier", help="Tier or settings file of the results; what their folder says by default.")
        ] = None,
        overrides: Set = None,
        force: Force = False,
    ) -> None:
        from sciml.runtime.settings import TIERS
        from sciml.stages import stage

        above = None if results is None else results.resolve().parent.name
        chosen = tier or (above if above in TIERS else "demo")
        settings = study_settings(chosen, overrides)
        place = results or Path("results", settings.folder, family)
        if not place.is_dir():
            raise DataError(f"{place} is no folder: give the results of a study, e.g. results/demo/{family}")
        if out is None:
            out = Path(settings.reports, f"{family}.html")
            refuse_existing(out, force)
            check_place("--out", out.parent)
        with stage(f"{family}.report", out, 1):
            told = getattr(room(family, "page.page"), "settings_of", None)
            if tier is None and not overrides and told is not None:
                config = told(place)
            else:
                config = getattr(settings, family).report_config(settings)
            room(family, "stages.report").run(config, place, out)
        typer.echo(out)

    name = family.replace("_", "-")
    report.__doc__ = f"""Write the page of the study from its results, as the workflow does.

    Example: sciml {name} report results/demo/{family} --out {family}.html
    """
    command(app, "report", {"OUT": "--out"})(report)
