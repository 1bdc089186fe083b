"""Stage `compare`: all trials, and what compression and active fluids measured, as one matrix; `matrix.json` and `matrix.csv`."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid import CostRow, Scores
from sciml.compression import BenchFile, CurvesFile
from sciml.runtime.errors import DataError
from sciml.runtime.files import write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import read_result, write_result
from sciml.studies.matrix.config import CompareConfig
from sciml.studies.matrix.study.closures import closures
from sciml.studies.matrix.study.codecs import codecs
from sciml.studies.matrix.study.export import matrix_csv
from sciml.studies.matrix.study.imaging import imaging
from sciml.studies.matrix.study.results import Matrix, Trials

SHIPPED = "weights"


def run(
    config: CompareConfig,
    trials: list[Path],
    output: Path,
    curves: Path | None = None,
    bench: Path | None = None,
    scores: Path | None = None,
    cost: Path | None = None,
) -> list[Path]:
    """Write `matrix.json`, `matrix.csv` and `provenance.json`.

    Args:
        config: rows of the run.
        trials: `trials.json` of every job.
        output: output folder.
        curves: curves of the codecs on the crops that judge, of this run or those that came with the model.
        bench: curves of the codecs on the test photographs.
        scores: errors of the closures.
        cost: seconds of their steps.

    Raises:
        DataError: no job wrote trials, or the methods of a row do not have the same cases.
    """
    if not trials:
        raise DataError("the matrix needs the trials of at least one job")
    given = [path for path in (*trials, curves, bench, scores, cost) if path is not None]
    recorder = Recorder("matrix.compare", config.model_dump(mode="json"), given)
    jobs = [read_result(path, Trials) for path in trials]
    shipped = curves is not None and curves.parent.name == SHIPPED
    found = [
        imaging(config, jobs),
        codecs(
            read_result(curves, CurvesFile) if curves else None,
            read_result(bench, BenchFile) if bench else None,
            config.seed,
            shipped,
        ),
        closures(read_result(scores, Scores), read_result(cost, list[CostRow]), config.seed) if scores and cost else None,
    ]
    missing = []
    if found[1] is None:
        missing.append("the codecs: compression was not part of this run")
    if found[2] is None:
        missing.append("the closures: active fluids were not part of this run")
    matrix = Matrix(
        jobs=[path.resolve().parent.relative_to(output.resolve().parent).as_posix() for path in trials],
        sections=[one for one in found if one is not None],
        missing=missing,
        tuned=[one for job in jobs for one in job.tuned],
        reasons={name: reason for job in jobs for name, reason in job.reasons.items()},
    )
    outputs = [output / "matrix.json", output / "matrix.csv"]
    write_result(outputs[0], matrix)
    write_text(outputs[1], matrix_csv(matrix))
    recorder.seeds = {"master": config.seed}
    recorder.write(output / "provenance.json", outputs)
    return outputs
