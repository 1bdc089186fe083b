"""`sciml progression`: forecasts of brain MRI, and a cohort whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import Jobs, Seed, add_report, command
from sciml.progression.commands.data import Grid, check_command, prepare_command
from sciml.progression.commands.study import (
    assemble_command,
    evaluate_command,
    fit_course_command,
    train_autoencoder_command,
    train_controlnet_command,
    train_diffusion_command,
)
from sciml.progression.commands.uses import convert_weights_command, forecast_command

FINISHED = "provenance.json"

app = typer.Typer(
    help="Brain latent progression: forecast a brain MRI years ahead, on a cohort whose truth is known. Not for clinical use.",
    no_args_is_help=True,
)

command(app, "train-autoencoder", resumes=FINISHED)(train_autoencoder_command)
command(app, "train-diffusion", resumes=FINISHED)(train_diffusion_command)
command(app, "train-controlnet", resumes=FINISHED)(train_controlnet_command)
command(app, "fit-course", resumes=FINISHED)(fit_course_command)
command(app, "assemble", {"OUT": "--out"})(assemble_command)
command(app, "evaluate", resumes=FINISHED)(evaluate_command)
command(app, "forecast", resumes=FINISHED)(forecast_command)
command(app, "convert-weights", {"OUT": "--out"})(convert_weights_command)
add_report(app, "progression")
command(app, "check", {"--picture": "--picture-out"})(check_command)
command(app, "prepare", {"OUT": "--out"}, resumes=FINISHED)(prepare_command)


@command(app, "simulate", {"OUT": "--out", "--threads": "--jobs"}, resumes=FINISHED)
def simulate_command(
    out: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    grid: Grid = "4.5mm",
    train: Annotated[int, typer.Option(min=0, help="Subjects to train on.")] = 108,
    validation: Annotated[int, typer.Option(min=0, help="Subjects to choose by.")] = 12,
    test: Annotated[int, typer.Option(min=0, help="Subjects to test on.")] = 12,
    visits: Annotated[int, typer.Option(min=1, max=12, help="Scans a subject.")] = 4,
    calibration: Annotated[
        int,
        typer.Option(min=0, help="Instead: this many subjects whose regions change independently, to calibrate measurements."),
    ] = 0,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file of rates, subjects and scanner, as the block of a cohort in config/cpu.yaml.")
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
) -> None:
    """Simulate a cohort: variants of the MNI152 brain whose regions shrink and grow at known rates.

    Equal settings come from the cache. Beside the cohort lies accuracy.csv: target and measured volume of every region at
    every visit. Not for clinical use: nothing here is a subject.

    Examples: sciml progression simulate --out cohort;
    sciml progression simulate --out small --train 9 --validation 3 --test 3;
    sciml progression simulate --out calibration --calibration 36
    """
    from sciml.progression.config import SimulateConfig, default_cohorts
    from sciml.runtime.errors import ConfigError
    from sciml.runtime.settings import merged, read_yaml, validated
    from sciml.stages import stage

    kind = "calibration" if calibration else "cohort"
    subjects = {"train": train, "validation": validation, "test": test}
    values = default_cohorts()[kind].model_dump()
    values = merged(values, read_yaml(settings)) if settings else values
    if not calibration:
        values["people"]["visits"] = visits
    values |= {"grid": grid, "subjects": {"calibration": calibration} if calibration else subjects, "seed": seed}
    config = validated(SimulateConfig, values, str(settings or "simulate"))
    if not sum(config.subjects.values()):
        raise ConfigError("a cohort of 0 subjects was asked for: give --train, --validation, --test or --calibration")
    with stage("progression.simulate", out, 1):
        from sciml.progression.cohorts.accuracy import Accuracy
        from sciml.progression.stages.simulate_cohorts import simulate_one
        from sciml.runtime.results import read_result

        simulate_one(config, out, jobs or 1)
        accuracy = read_result(out / "accuracy.json", Accuracy)
        worst = max(accuracy.volume_error.worst.values())
        typer.echo(
            f"{out}: {accuracy.subjects} subjects, {accuracy.visits} scans; worst volume {worst:.3f} % from its target, "
            f"least Jacobian determinant {accuracy.atrophy_determinant.least:.2f}"
        )
