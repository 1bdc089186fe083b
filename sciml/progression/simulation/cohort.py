"""A whole cohort: subject after subject in several processes, kept in the cache, an accuracy table beside it."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from sciml.datasets import local_path
from sciml.progression.cohorts.cohort import Visit, write_cohort, write_subject
from sciml.progression.cohorts.grids import grid_of
from sciml.progression.config import TEMPLATE_DATA, SimulateConfig, SimulationConfig
from sciml.progression.simulation.accounts import accuracy_of, accuracy_table, life_notes, worst_error
from sciml.progression.simulation.anatomy import Anatomy, build_anatomy, mni_template
from sciml.progression.simulation.simulator import simulate
from sciml.progression.simulation.subjects import draw_subject, subject_list
from sciml.runtime.errors import FormatError, NumericalError, ScimlError
from sciml.runtime.files import canonical_json, check_place, digest_bytes, digest_file, load_tensors, save_tensors, write_text
from sciml.runtime.places import cache_folder
from sciml.runtime.results import write_result
from sciml.runtime.seeds import Seeds
from sciml.runtime.sources import source_digest

log = logging.getLogger(__name__)
# how often a subject is drawn whose brain would lose more than its skull can make good
DRAWS = 4

FILES = ("cohort.json", "visits.csv", "accuracy.csv", "accuracy.json")


def simulate_cohort(config: SimulateConfig, folder: Path, processes: int = 1) -> list[Path]:
    """Write a simulated cohort and the table of how well its volumes were reached.

    A cohort of the same settings, data and code is taken from the cache; a simulation that was stopped goes on with the subjects
    that are missing. The result does not depend on the number of processes.

    Args:
        config: of the cohort.
        folder: of the cohort.
        processes: subjects at a time.

    Returns:
        The paths of `cohort.json`, `visits.csv`, `accuracy.csv` and `accuracy.json`.
    """
    inputs = {name: digest_file(local_path(name)) for name in (*TEMPLATE_DATA, config.atlas)}
    key = digest_bytes(canonical_json([config.model_dump(mode="json"), inputs, source_digest(__name__)]).encode())
    store = _store(key[:32], folder)
    if all((store / name).is_file() for name in FILES):
        log.info("this cohort was simulated before: taken from %s", store)
    else:
        people = _simulate_people(config, store, processes)
        about = {"kind": "simulated", "config": config.model_dump(mode="json"), "inputs": inputs, "key": key}
        for title, name in (("laws", "law"), ("scanners", "scanners"), ("lesions_ml", "lesions_ml"), ("draws", "draws")):
            about[title] = {notes["visits"][0][0]: notes.get(name) for notes in people}
        write_text(store / "accuracy.csv", accuracy_table(people))
        write_result(store / "accuracy.json", accuracy_of(people))
        visits = [_visit(values) for notes in people for values in notes["visits"]]
        write_cohort(store, grid_of(config.grid), visits, about)
    _place(store, folder)
    if store.parent.name.endswith(".partial"):
        shutil.rmtree(store.parent)
    return [folder / name for name in FILES]


def _store(name: str, folder: Path) -> Path:
    """Return where a cohort is kept: in the cache, or beside its folder where the cache lacks it and cannot be written."""
    try:
        store = cache_folder("progression") / name
        if not all((store / file).is_file() for file in FILES):
            check_place("", store)
    except ScimlError:
        return folder.with_name(f"{folder.name}.partial") / name
    return store


def _simulate_people(config: SimulateConfig, store: Path, processes: int) -> list[dict[str, Any]]:
    """Return the notes of all subjects, in the order of `subject_list`, simulating those whose file is missing."""
    everybody = subject_list(config)
    notes = {name: _notes(store, name) for _, name, _ in everybody}
    missing = [one for one in everybody if notes[one[1]] is None]
    if missing:
        anatomy = store / "anatomy.safetensors"
        _write_anatomy(anatomy, config)
        for done, (name, found) in enumerate(_work_through(config, store, anatomy, missing, processes), start=1):
            notes[name] = found
            log.info("%s: %d of %d, worst volume %.3f %%", name, done, len(missing), 100 * worst_error(found))
        anatomy.unlink()
    return [found for found in notes.values() if found is not None]


def _work_through(
    config: SimulateConfig, store: Path, anatomy: Path, people: list[tuple[int, str, str]], processes: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    if processes == 1:
        _start_worker(config, store, anatomy)
        for subject in people:
            yield subject[1], _work(subject)
        return
    # a forked copy of a process with threads may hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(people)), context, _start_worker, (config, store, anatomy))
    try:
        futures = {pool.submit(_work, subject): subject[1] for subject in people}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise ScimlError("a process of the simulation was killed, or the machine ran out of memory: use fewer threads") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: dict[str, Any] = {}  # of this process


def _start_worker(config: SimulateConfig, store: Path, anatomy: Path) -> None:
    if multiprocessing.parent_process() is not None:
        from sciml.runtime.devices import set_threads

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
        set_threads(1)
    arrays, _ = load_tensors(anatomy)
    box_mm = grid_of(config.grid).spacing_mm
    _worker.update(config=config, store=store, anatomy=Anatomy(arrays["labels"], arrays["inside"], arrays["t1"], box_mm))


def _work(subject: tuple[int, str, str]) -> dict[str, Any]:
    config: SimulateConfig = _worker["config"]
    # the settings of a cohort, without atlas and seed, draw its subjects: the atlas changes labels, not who is there
    settings = SimulationConfig(**{name: getattr(config, name) for name in SimulationConfig.model_fields})
    number, name, split = subject
    explain = split == "test" or not settings.subjects.get("test")
    for draw in range(DRAWS):
        seeds = Seeds(config.seed) if draw == 0 else Seeds(Seeds(config.seed)("again", name, draw))
        drawn = draw_subject(settings, number, name, split, seeds)
        try:
            life = simulate(drawn, _worker["anatomy"], settings, seeds, explain)
            break
        except NumericalError as error:
            # about one subject in a hundred asks for more than the skull holds
            if draw + 1 == DRAWS:
                raise NumericalError(f"{name}: {error}") from error
            log.warning("%s is drawn again: %s", name, error)
    notes = life_notes(life) | {"law": drawn.law.law, "draws": draw + 1}
    write_subject(_worker["store"], name, life.arrays, grid_of(config.grid), notes)
    return notes


def _visit(values: list[Any]) -> Visit:
    subject, number, split, age, sex, diagnosis, volumes = values
    return Visit(subject, number, split, age, sex, diagnosis, tuple(volumes))


def _notes(store: Path, name: str) -> dict[str, Any] | None:
    from safetensors import SafetensorError, safe_open

    path = store / "subjects" / f"{name}.safetensors"
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            return json.loads(file.metadata()["sciml"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is damaged: delete it, it is made again") from error


def _write_anatomy(path: Path, config: SimulateConfig) -> None:
    anatomy = build_anatomy(mni_template(config.atlas), grid_of(config.grid))
    save_tensors(path, {"labels": anatomy.labels, "inside": anatomy.inside, "t1": anatomy.t1})


def _place(store: Path, folder: Path) -> None:
    """Put the cohort into its folder, as links to the files of the cache where that is one file system."""
    wanted = {path.relative_to(store) for path in store.rglob("*") if path.is_file()}
    for stale in (folder / "subjects").glob("*"):
        if stale.relative_to(folder) not in wanted:
            stale.unlink()
    for name in sorted(wanted):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(store / name, target)
        except OSError:
            shutil.copyfile(store / name, target)
