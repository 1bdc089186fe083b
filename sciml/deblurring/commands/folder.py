"""Many photographs of a folder, one job each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sciml.batch import Job, Outcome, kept, plan, run
from sciml.deblurring.commands.job import JobSpec, Outputs
from sciml.deblurring.commands.single import Done, partial_of, restore_file
from sciml.deblurring.files.progress import Say
from sciml.formats.read import SUFFIXES

READABLE = tuple(suffix for suffix in SUFFIXES if suffix not in (".nii", ".nii.gz"))
WRITTEN = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".tif": ".tif", ".tiff": ".tiff", ".npy": ".npy", ".dcm": ".tif"}


def restore_folder(
    folder: Path,
    out: Path,
    spec: JobSpec,
    device: str,
    say: Say,
    tell: Callable[[str, Done], None],
    force: bool = False,
    summary: Path | None = None,
) -> list[Outcome]:
    """Restore every photograph of a folder.

    Args:
        folder: with photographs.
        out: folder of the results, which bear the names of the photographs; JPEG becomes PNG.
        spec: what is to be done; checked.
        device: `cpu` or `cuda`.
        say: is told what is going on.
        tell: is told the name of each photograph and what came of it.
        force: restore also those whose results are there.
        summary: JSON file with the numbers of each photograph, written after each.

    Raises:
        ScimlError: see `sciml.batch.plan` and `sciml.batch.run`.
    """
    jobs = plan([str(folder)], out, READABLE, tuple(WRITTEN.values()), WRITTEN)

    def restored(job: Job) -> Outcome:
        assert job.target is not None
        partial = partial_of(job.target)
        if not partial.exists() and (there := kept(job, job.target, force)):
            return there
        say(f"photograph {jobs.index(job) + 1} of {len(jobs)}")
        done = restore_file(job.source, Outputs(job.target), spec, device, say)
        tell(job.source.name, done)
        if done.interrupted:
            # so that the next run does not take it for finished
            partial.mkdir(exist_ok=True)
        return Outcome(job.source, interrupted=done.interrupted, record=done.record)

    return run(restored, jobs, say, summary=summary)
