"""Measurements on disk: one safetensors file with truth and data of every variant, and the tasks to rebuild the physics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from sciml.imaging.tasks.records import Part, Variant
from sciml.imaging.tasks.task import Task, task
from sciml.runtime.errors import FormatError
from sciml.runtime.files import load_tensors, save_tensors

ROLES = ("validation", "test")


@dataclass(frozen=True)
class Measured:
    """One role of one variant: truth on the canvas, data, and which pictures they are.

    Attributes:
        truth: (batch, 1, canvas height, canvas width).
        data: (batch, channel, ...) as the physics makes them.
        cases: names of the pictures, in order.
        positions_mm: place of each slice along its volume, or None for pictures.
    """

    truth: Tensor
    data: Tensor
    cases: tuple[str, ...]
    positions_mm: tuple[float | None, ...]


@dataclass(frozen=True)
class Measurements:
    """All that was measured for one task: its variants, each with validation and test data."""

    tasks: Mapping[str, Task]
    parts: Mapping[tuple[str, str], Measured]

    def part(self, variant: str, role: str) -> Measured:
        """Return the data of one variant and role."""
        return self.parts[variant, role]

    def save(self, path: Path) -> None:
        """Write one safetensors file."""
        tensors, variants = {}, []
        for index, (label, built) in enumerate(self.tasks.items()):
            parts = {}
            for role in ROLES:
                part = self.part(label, role)
                tensors[f"{index}.{role}.truth"] = part.truth.numpy()
                tensors[f"{index}.{role}.data"] = part.data.numpy()
                parts[role] = Part(cases=list(part.cases), positions_mm=list(part.positions_mm))
            about = Variant(label=label, name=built.name, options=dict(built.options), seed=built.seed, size=built.size, **parts)
            variants.append(about.model_dump(mode="json"))
        save_tensors(path, tensors, {"variants": variants})

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Measurements:
        """Read what `save` wrote and rebuild the physics on a device.

        Raises:
            FormatError: the file is no measurement file.
        """
        arrays, metadata = load_tensors(path)
        tasks: dict[str, Task] = {}
        parts: dict[tuple[str, str], Measured] = {}
        try:
            for index, variant in enumerate(Variant.model_validate(one) for one in metadata["variants"]):
                tasks[variant.label] = build(variant, device)
                for role, part in zip(ROLES, (variant.validation, variant.test), strict=True):
                    truth, data = (torch.from_numpy(arrays[f"{index}.{role}.{kind}"]).to(device) for kind in ("truth", "data"))
                    parts[variant.label, role] = Measured(truth, data, tuple(part.cases), tuple(part.positions_mm))
        except (KeyError, TypeError) as error:
            raise FormatError(f"{path} is not a measurement file: it lacks {error}") from error
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise FormatError(f"{path} is not a measurement file: {place}: {error.errors()[0]['msg']}") from error
        return cls(tasks, parts)


def build(variant: Variant, device: str = "cpu") -> Task:
    """Return the task that a variant's record describes."""
    return task(variant.name, variant.size, variant.seed, device=device, **variant.options)
