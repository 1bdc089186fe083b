"""Resumable checkpoints: one safetensors file with JSON metadata, whole or absent, tied to its run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sciml.runtime.errors import ConfigError, FormatError, ScimlError
from sciml.runtime.files import canonical_json, digest_bytes, load_tensors, save_tensors, sweep
from sciml.training.weight_files import tensors_digest

KIND = "sciml checkpoint 1"
NAME = "checkpoint.safetensors"


@contextmanager
def partial_folder(output: Path | str) -> Iterator[Path]:
    """Yield `<output>.partial`, the folder for what a training needs to go on; remove it when the block succeeds.

    When the block raises or the process dies the folder stays, and the next try finds it.

    Raises:
        ScimlError: the folder cannot be made.
    """
    folder = Path(f"{output}.partial")
    _make(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process and sweep temporaries that a killed one left there.

    Raises:
        ConfigError: another training holds the folder.
        ScimlError: the folder cannot be written.
    """
    _make(folder)
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ScimlError(f"cannot write {folder}: {error.strerror}; choose another output folder") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"another training is running in {folder}; wait for it or choose another output") from error
        except OSError:
            pass  # A file system without locks: train without this protection rather than not at all.
        sweep(folder)
        yield
    finally:
        os.close(handle)


def write_checkpoint(
    path: Path, tensors: Mapping[str, np.ndarray], state: Mapping[str, Any], identity: Mapping[str, Any]
) -> None:
    """Write a checkpoint atomically: a crash at any moment leaves the previous one whole.

    Args:
        path: the file.
        tensors: arrays by name.
        state: JSON values that go with them (step, used time, history).
        identity: JSON values that decide the run's result; a resumed run must have the same.
    """
    content = {"state": state, "identity": identity}
    save_tensors(path, tensors, {"kind": KIND, **content, "digest": _digest(tensors, content)})


def read_checkpoint(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint that belongs to the run of this identity.

    Returns:
        Arrays by name, and the state.

    Raises:
        FormatError: the file is damaged or something else.
        ConfigError: it was made by a run with other settings; the message names the first difference.
    """
    advice = f"remove {path.parent} to start the training anew"
    try:
        tensors, metadata = load_tensors(path)
    except FormatError as error:
        raise FormatError(f"checkpoint {path} is damaged; {advice} ({error})") from error
    if not isinstance(metadata, dict) or metadata.get("kind") != KIND:
        raise FormatError(f"{path} is not a checkpoint that this version reads (its metadata lacks kind={KIND!r}); {advice}")
    content = {key: metadata.get(key) for key in ("state", "identity")}
    if metadata.get("digest") != _digest(tensors, content):
        raise FormatError(f"checkpoint {path} is damaged: its values do not match the digest inside; {advice}")
    then, now = flatten(content["identity"]), flatten(identity)
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            raise ConfigError(
                f"checkpoint {path} belongs to another run: {name} was {then.get(name)!r} and is now {now.get(name)!r}; "
                f"restore the setting, or {advice}"
            )
    return tensors, metadata["state"]


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names and values as JSON knows them."""
    if isinstance(value, Mapping):
        return {name: leaf for key, item in value.items() for name, leaf in flatten(item, f"{prefix}{key}.").items()}
    return {prefix.removesuffix("."): json.loads(canonical_json(value))}


def _digest(tensors: Mapping[str, np.ndarray], content: Mapping[str, Any]) -> str:
    return digest_bytes(f"{tensors_digest(tensors)}{canonical_json(content)}".encode())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScimlError(f"cannot make the folder {folder}: {error.strerror}; choose another output folder") from error
