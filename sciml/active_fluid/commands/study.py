"""`sciml active-fluid train|evaluate`: parts of the study in a folder of the user's choice."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sciml.options import MODEL, Force, Gpu, MasterSeed, Set, Threads, Tier, finished, study_settings
from sciml.runtime.files import refuse_existing

RUNS = "trajectories.safetensors"


def train_command(
    out: Annotated[Path, typer.Option(help="Folder: kinetic runs and weights. What is there is used again.")],
    closure: Annotated[str, typer.Option(help="Name in the settings: order, offline, rollout, or one of yours.")] = "offline",
    tier: Tier = "demo",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Train a closure: kinetic runs first, then the network, point by point and, where the settings say so, through the solver.

    A stopped command goes on where it stopped. The weights are used by name of the file.

    Examples: sciml active-fluid train --out my --closure offline;
    sciml active-fluid train --out my --closure rollout --set active_fluid.closures.rollout.batch=8;
    sciml active-fluid simulate --closure neural:my/rollout/0.safetensors --out run.zarr
    """
    from sciml.runtime.errors import ConfigError
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    if closure not in settings.active_fluid.closures:
        known = ", ".join(settings.active_fluid.closures)
        raise ConfigError(f"no closure is called {closure!r}: the settings have {known}")
    refuse_existing(out / closure / "provenance.json", force)
    with stage("active-fluid.train", out, threads, gpu):
        from sciml.active_fluid.stages.train import run

        learned, judged = (_kinetic(settings, which, out, force) for which in ("train", "validation"))
        written = run(settings.active_fluid.train_config(settings, closure), learned, judged, out / closure)
    for path in written:
        typer.echo(path)


def evaluate_command(
    out: Annotated[Path, typer.Option(help="Folder: kinetic test runs, scores.json and fields.")],
    model: Annotated[
        list[Path] | None, MODEL, typer.Option(help="Weight file of a closure; repeat for more. The package's without one.")
    ] = None,
    tier: Tier = "demo",
    overrides: Set = None,
    seed: MasterSeed = None,
    threads: Threads = None,
    gpu: Gpu = 0,
    force: Force = False,
) -> None:
    """Compare closures with kinetic runs that none was trained on, and print a table.

    Examples: sciml active-fluid evaluate --out my; sciml active-fluid evaluate --model my/offline/0.safetensors --out my
    """
    from sciml.stages import stage

    settings = study_settings(tier, overrides, seed)
    refuse_existing(out / "evaluate" / "scores.json", force)
    with stage("active-fluid.evaluate", out, threads, gpu):
        from sciml.active_fluid.closures.neural import STORE
        from sciml.active_fluid.stages.evaluate import run
        from sciml.runtime.files import read_json

        named: dict[str, list[Path]] = {}
        for path in model or [STORE.find("default")]:
            named.setdefault(path.parent.name if model else "shipped", []).append(path)
        test = _kinetic(settings, "test", out, force)
        written = run(settings.active_fluid.evaluate_config(settings), test, named, out / "evaluate")
        rows = read_json(written[0])["rows"]
    typer.echo(
        f"{'closure':12} {'error of h* m2':>15} {'time to 10 %':>13}   (means of {len({row['place'] for row in rows})} runs)"
    )
    for name in dict.fromkeys(row["closure"] for row in rows):
        mine = [row for row in rows if row["closure"] == name]
        error, time = ([row[key] for row in mine if row[key] is not None] for key in ("closure_error", "first_above"))
        # the model of a closure of second order keeps m2
        shown = f"{sum(error) / len(error):.4f}" if error else "keeps m2"
        typer.echo(f"{name:12} {shown:>15} {sum(time) / len(time):13.2f}")


def _kinetic(settings: Any, which: Any, out: Path, force: bool) -> Path:
    """Return the kinetic runs of a set, made unless they are there for the same settings."""
    from sciml.active_fluid.stages.generate import run

    config, folder = settings.active_fluid.generate_config(settings, which), out / which / "generate"
    return folder / RUNS if finished(folder, config, force) else run(config, folder)[0]
