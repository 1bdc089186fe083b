"""Weights of torch models to files and back, checked key by key when read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from sciml.runtime.errors import ShapeError
from sciml.training.weight_files import read_weight_file, write_weight_file


def save_weights(
    path: Path | str,
    model: nn.Module,
    *,
    config: BaseModel | Mapping[str, Any],
    seed: int,
    inputs: Mapping[str, str],
    source_digest: str,
    cpu_minutes: float,
    extra: Mapping[str, Any] | None = None,
) -> str:
    """Write the weights of a trained model, atomically.

    Args:
        path: the file, `*.safetensors`.
        model: parameters and buffers are written in their own types.
        config: the resolved settings of the stage.
        seed: the run's master seed.
        inputs: data id to SHA-256 of everything the model was trained on; the split guard reads these.
        source_digest: digest of the code that trained it.
        cpu_minutes: processor time that the training took.
        extra: further JSON values for the reader, for instance what builds the network again.

    Returns:
        The digest of the weights, as `weights_digest` gives it.

    Raises:
        ShapeError: a weight has a type that NumPy lacks (bfloat16).
        ScimlError: the file cannot be written.
    """
    return write_weight_file(
        path,
        to_arrays(model.state_dict()),
        config=config,
        seed=seed,
        inputs=inputs,
        source_digest=source_digest,
        cpu_minutes=cpu_minutes,
        extra=extra,
    )


def load_weights(path: Path | str, model: nn.Module) -> dict[str, Any]:
    """Load a weight file into a model built with the same settings; nothing is loaded unless all of it fits.

    Floats of another precision (a model that was saved in half or in double) take that of the model.

    Returns:
        The metadata: `config`, `seed`, `inputs`, `source_digest`, `cpu_minutes`, `weights_digest`, `extra`.

    Raises:
        DataError: the file is missing.
        FormatError: the file is damaged or no weight file of this workbench.
        ShapeError: a weight is missing, unknown, or has another shape or kind of number than the model's.
    """
    arrays, metadata = read_weight_file(path)
    expected = model.state_dict()
    check_arrays(arrays, expected, str(path), any_precision=True)
    model.load_state_dict(to_tensors(arrays, expected))
    return metadata


def to_arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Copy tensors to NumPy, by name.

    Raises:
        ShapeError: a tensor has a type that NumPy lacks.
    """
    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[name] = tensor.detach().cpu().numpy()
        except TypeError as error:
            raise ShapeError(
                f"weight {name} has type {tensor.dtype}, which files here cannot hold; keep the model in float32"
            ) from error
    return arrays


def to_tensors(arrays: Mapping[str, np.ndarray], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the arrays as CPU tensors in the shapes and types of `like` (already checked to fit)."""
    return {
        name: torch.from_numpy(np.array(array)).reshape(like[name].shape).to(like[name].dtype) for name, array in arrays.items()
    }


def check_arrays(
    arrays: Mapping[str, np.ndarray], expected: Mapping[str, Tensor], where: str, any_precision: bool = False
) -> None:
    """Compare names, shapes and types with those of a model; with `any_precision` floats of another one pass.

    Raises:
        ShapeError: the first difference, with what was found, what was expected and where.
    """
    advice = "build the model with the settings the file was trained with"
    for name, tensor in expected.items():
        if name not in arrays:
            raise ShapeError(f"{where} lacks the weight {name} {list(tensor.shape)}; {advice}")
        array, shape = arrays[name], tuple(tensor.shape)
        if array.shape != shape and not (shape == () and array.size == 1):
            raise ShapeError(f"{where}: weight {name} has shape {list(array.shape)}, the model expects {list(shape)}; {advice}")
        wanted = str(tensor.dtype).removeprefix("torch.")
        if str(array.dtype) != wanted and not (any_precision and tensor.is_floating_point() and array.dtype.kind == "f"):
            raise ShapeError(f"{where}: weight {name} has type {array.dtype}, the model expects {wanted}; {advice}")
    if unknown := sorted(set(arrays) - set(expected)):
        raise ShapeError(f"{where} has the weight {unknown[0]}, which the model lacks; {advice}")
