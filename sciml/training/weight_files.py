"""Weight files: safetensors with settings, seed and data digests, for any framework."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from sciml.runtime.errors import FormatError
from sciml.runtime.extras import DISTRIBUTION
from sciml.runtime.files import canonical_json, json_values, load_tensors, save_tensors

KIND, OF_METADATA = "sciml weights 1", "metadata_digest"
PACKAGE = Path(__file__).resolve().parents[1]


def write_weight_file(
    path: Path | str,
    arrays: Mapping[str, np.ndarray],
    *,
    config: BaseModel | Mapping[str, Any],
    seed: int,
    inputs: Mapping[str, str],
    source_digest: str,
    cpu_minutes: float,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Write arrays as the weights of a trained model, atomically, and return their digest.

    Args:
        path: the file, `*.safetensors`.
        arrays: weights by name, written in their own types.
        config: the resolved settings of the stage.
        seed: the run's master seed.
        inputs: data id to SHA-256 of everything the model was trained on.
        source_digest: digest of the code that trained it.
        cpu_minutes: processor time that the training took.
        extra: further JSON values for the reader.

    Raises:
        ScimlError: the file cannot be written.
    """
    digest = tensors_digest(arrays)
    metadata = {
        "kind": KIND,
        "config": config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config),
        "seed": seed,
        "inputs": dict(inputs),
        "source_digest": source_digest,
        "cpu_minutes": round(cpu_minutes, 3),
        "weights_digest": digest,
        "extra": dict(extra or {}),
    }
    metadata[OF_METADATA] = metadata_digest(metadata)
    save_tensors(path, arrays, metadata)
    return digest


def read_weight_file(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the metadata of a weight file, checked against its digest.

    Raises:
        DataError: the file is missing.
        FormatError: the file is damaged or no weight file of this workbench.
    """
    try:
        arrays, metadata = load_tensors(path)
    except FormatError as error:
        raise FormatError(f"{error}; {remedy(path)}") from error
    if not isinstance(metadata, dict) or metadata.get("kind") != KIND:
        raise FormatError(
            f"{path} is not a weight file of this workbench (its metadata lacks kind={KIND!r}): write it with save_weights, "
            f"or {remedy(path)}"
        )
    if tensors_digest(arrays) != metadata.get("weights_digest"):
        raise FormatError(f"{path} is damaged: its values do not match the digest inside; {remedy(path)}")
    # files of earlier versions have none
    if metadata.get(OF_METADATA, (found := metadata_digest(metadata))) != found:
        raise FormatError(f"{path} is damaged: its description does not match the digest inside; {remedy(path)}")
    return arrays, metadata


def remedy(path: Path | str) -> str:
    """Return what brings a damaged weight file back: git for a shipped one in a checkout, pip for one that is installed."""
    path = Path(path).resolve()
    if not path.is_relative_to(PACKAGE):
        return "train it again, or take it from where it came"
    if (PACKAGE.parent / ".git").exists():
        return f"`git checkout -- {shlex.quote(str(path))}` brings the shipped one back"
    return f"`pip install --force-reinstall --no-deps {DISTRIBUTION}` brings the shipped one back"


def read_weights_metadata(path: Path | str) -> dict[str, Any]:
    """Return the metadata of a weight file after checking the file against its digest; raises as `read_weight_file`."""
    return read_weight_file(path)[1]


def weights_digest(path: Path | str) -> str:
    """Return the SHA-256 over names, types, shapes and values of a file's tensors.

    Unlike the file's own digest it does not change with the metadata (processor time, for instance).
    """
    return tensors_digest(load_tensors(path)[0])


def metadata_digest(metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a file says about its tensors, but for this digest itself."""
    described = json_values({name: value for name, value in metadata.items() if name != OF_METADATA})
    return hashlib.sha256(canonical_json(described).encode()).hexdigest()


def tensors_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and values, names sorted."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        # A scalar and a vector of one count as one: safetensors files may hold either for a scalar.
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape or (1,)}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
