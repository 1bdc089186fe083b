"""Many photographs of a folder with one order: what fails is told and the others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sciml.deblurring.commands.orders import Order, Outputs
from sciml.deblurring.commands.single import Done, partial_of, restore_file
from sciml.deblurring.files.outputs import check_place
from sciml.deblurring.files.progress import Say
from sciml.formats.read import SUFFIXES
from sciml.runtime.errors import ConfigError, DataError
from sciml.runtime.files import write_json

READABLE = tuple(suffix for suffix in SUFFIXES if suffix not in (".nii", ".nii.gz"))
WRITTEN = {".png": ".png", ".jpg": ".png", ".jpeg": ".png", ".tif": ".tif", ".tiff": ".tiff", ".npy": ".npy", ".dcm": ".tif"}


@dataclass(frozen=True)
class Batch:
    """What became of a folder.

    Attributes:
        done: names of photographs that were restored now.
        skipped: names whose results were there.
        failed: message by name.
        interrupted: whether the rest was left.
    """

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: dict[str, str]
    interrupted: bool


def restore_folder(
    folder: Path,
    out: Path,
    order: Order,
    device: str,
    say: Say,
    tell: Callable[[str, Done | Exception], None],
    overwrite: bool = False,
    summary: Path | None = None,
) -> Batch:
    """Restore every photograph of a folder.

    Args:
        folder: with photographs; folders in it are left alone.
        out: folder of the results, which bear the names of the photographs; JPEG becomes PNG.
        order: what is to be done; checked.
        device: `cpu` or `cuda`.
        say: is told what is going on.
        tell: is told the name of each photograph and what came of it.
        overwrite: restore also those whose results are there.
        summary: JSON file with the numbers of each photograph, written after each.

    Raises:
        ConfigError: the results would fall upon the photographs, or cannot be written.
        DataError: no photographs.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file: the results of a folder go to a folder")
    if out.resolve() == folder.resolve():
        raise ConfigError(f"--out {out} is the folder of the photographs: choose another one")
    names = targets(sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in READABLE))
    if not names:
        raise DataError(f"{folder} holds no photographs: {', '.join(READABLE)} are read")
    check_place("--out", out)
    done, skipped, failed, records = [], [], {}, {}
    interrupted = False
    for count, (path, name) in enumerate(names.items(), 1):
        partial = partial_of(out / name)
        if (out / name).exists() and not partial.exists() and not overwrite:
            skipped.append(path.name)
            say(f"{path.name}: {out / name} is there; --overwrite makes it anew")
            continue
        say(f"photograph {count} of {len(names)}")
        try:
            result = restore_file(path, Outputs(out / name), order, device, say)
        # one damaged or too large photograph of many must not cost the others
        except Exception as error:
            failed[path.name] = records[path.name] = " ".join(f"{error}".split()) or type(error).__name__
            tell(path.name, error)
        else:
            done.append(path.name)
            records[path.name] = result.record
            tell(path.name, result)
            interrupted = result.interrupted
            if interrupted:
                # so that the next run does not take it for finished
                partial.mkdir(exist_ok=True)
        if summary is not None:
            write_json(summary, records)
        if interrupted:
            break
    return Batch(tuple(done), tuple(skipped), failed, interrupted)


def targets(paths: list[Path]) -> dict[Path, str]:
    """Return the name of each result; photographs that differ in their suffix alone keep it within the name."""
    names = {path: f"{path.stem}{WRITTEN[path.suffix.lower()]}" for path in paths}
    often = Counter(names.values())
    return {path: name if often[name] == 1 else f"{path.name}{WRITTEN[path.suffix.lower()]}" for path, name in names.items()}
