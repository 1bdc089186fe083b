"""A neural model: networks, codebooks, and the static tables that its files are coded with.

Files are decoded to codes by the tables alone, and they are whole numbers: no float is between bytes and codes. The model id is
a digest of all arrays, weights included, since a code means nothing without its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from constriction import stream  # pyright: ignore[reportAttributeAccessIssue] - made by the extension
from jaxtyping import Int
from pydantic import ValidationError

from sciml.compression.coding.model import digest_arrays, step_code
from sciml.compression.entropy.tables import TOTAL
from sciml.compression.neural.cascade import Cascade
from sciml.compression.neural.published import PublishedCascade
from sciml.compression.neural.small import SmallCascade
from sciml.compression.settings.models import CascadeConfig
from sciml.runtime.errors import FormatError

KIND = "neural"
TABLES, WEIGHTS = "tables.", "network."
# state of the training, or what follows from the tables
LEFT_OUT = ("age", "usage", "bits", "change")


@dataclass(frozen=True, eq=False)
class NeuralModel:
    """Everything that encoder and decoder share.

    Attributes:
        name: name of the model, for people.
        network: network in evaluation mode; its code lengths are those of the tables.
        tables: tables of each level, coarse to fine; every row sums to 2^20.
        settings: settings that build the network.
        step: step at which it was trained: a bit was worth 0.15 squared steps; 0 where distance alone was trained on.
        about: further facts for `info` and the card.
    """

    name: str
    network: Cascade
    tables: tuple[Int[np.ndarray, "groups words"], ...]
    settings: CascadeConfig
    step: float
    about: Mapping[str, Any] = field(default_factory=dict)

    channels = 3
    centre, span = 127.5, 255.0

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything that a file holds, by name: tables, and weights in half precision."""
        found = {f"{TABLES}{level}": table.astype(np.uint32) for level, table in enumerate(self.tables)}
        for name, value in self.network.state_dict().items():
            if name.rpartition(".")[2] not in LEFT_OUT:
                found[WEIGHTS + name] = value.detach().cpu().numpy().astype(np.float16)
        return found | {"step": np.array([self.step])}

    @cached_property
    def id(self) -> bytes:
        """The 8 bytes that name the model in a stream."""
        return digest_arrays(self.arrays())

    @property
    def test_codes(self) -> tuple[int, ...]:
        """Step codes at which the self-test codes."""
        return (step_code(2 * self.step), step_code(self.step)) if self.step else (step_code(0.2),)

    @lru_cache(maxsize=256)  # noqa: B019 - tables live as long as their model
    def coder(self, level: int, group: int) -> stream.model.Categorical:
        """Return the coder's model of a table; the probabilities are exact in float64."""
        return stream.model.Categorical(self.tables[level][group] / TOTAL, perfect=False)


def cascade_of(settings: CascadeConfig) -> Cascade:
    """Return networks as the settings say, with random weights from torch's generator."""
    if settings.preset == "published":
        return PublishedCascade(settings.width, settings.groups, settings.words)
    return SmallCascade(settings.width, words=settings.words)


def neural_model(
    name: str,
    network: Cascade,
    tables: list[Int[np.ndarray, "groups words"]],
    settings: CascadeConfig,
    step: float,
    about: Mapping[str, Any] | None = None,
) -> NeuralModel:
    """Return the model of trained networks, rounded as its file will be."""
    plain = NeuralModel(name, network, tuple(tables), settings, step)
    return neural_model_from(plain.arrays(), name, settings.model_dump(mode="json"), about)


def neural_model_from(
    arrays: Mapping[str, np.ndarray], name: str, settings: Mapping[str, Any], about: Mapping[str, Any] | None = None
) -> NeuralModel:
    """Return the model with these arrays.

    Raises:
        FormatError: arrays are missing, of other shapes, not finite, or hold tables that no coder can use.
    """
    try:
        checked = CascadeConfig.model_validate(settings)
        weights = {key.removeprefix(WEIGHTS): value for key, value in arrays.items() if key.startswith(WEIGHTS)}
        # nothing is allocated for networks that the file claims and does not hold
        with torch.device("meta"):
            planned = cascade_of(checked).state_dict()
        expected = {key: tuple(value.shape) for key, value in planned.items() if key.rpartition(".")[2] not in LEFT_OUT}
        found = {key: value.shape for key, value in weights.items()}
        if strange := [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]:
            raise KeyError(f"weights {', '.join(sorted(strange)[:3])} are missing, unknown or of another shape")
        network = cascade_of(checked)
        network.load_state_dict({key: torch.from_numpy(value.astype(np.float32)) for key, value in weights.items()}, strict=False)
        tables = tuple(arrays[f"{TABLES}{level}"].astype(np.int64) for level in range(len(network.levels)))
        step = float(arrays["step"].reshape(1)[0])
    except (KeyError, ValueError, TypeError, RuntimeError, ValidationError) as error:
        raise FormatError(f"the model {name} is damaged or of another version: {str(error).splitlines()[0]}") from error
    for table, codebook in zip(tables, network.codebooks(), strict=True):
        if table.shape != codebook.bits.shape or table.min() < 1 or (table.sum(1) != TOTAL).any():
            raise FormatError(f"the model {name} is damaged: a table has a word without probability, or does not sum to {TOTAL}")
        codebook.set_tables(torch.from_numpy(table / TOTAL).float())
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()) or not 0 <= step < 2:
        raise FormatError(f"the model {name} is damaged: a weight is not finite, or the step is none")
    return NeuralModel(name, network.eval().requires_grad_(requires_grad=False), tables, checked, step, dict(about or {}))
