"""Model files: shipped ones by name, a user's own by path; safetensors, so that nothing in them can run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sciml.compression.coding.model import CodecModel, model_from
from sciml.runtime.errors import ConfigError, FormatError
from sciml.runtime.files import note_opened
from sciml.training.store import ModelStore
from sciml.training.weight_files import read_weight_file, remedy, write_weight_file

if TYPE_CHECKING:
    from sciml.compression.container.header import Limits
    from sciml.compression.lossless.codec import LosslessCodec
    from sciml.compression.lossless.model import LosslessModel
    from sciml.compression.neural.model import NeuralModel

STORE = ModelStore("sciml.compression")
NETWORK = "network."
LONGEST_NAME = 200
# in the head of a file: ids of models whose files this one decodes too
EARLIER = "earlier_ids"
# what any codec codes with where no sample may be off by more than a bound
LOSSLESS = "lossless"
# array that models without loss alone have
COUNTS = "counts"
Model: TypeAlias = "CodecModel | NeuralModel | LosslessModel"


def shipped() -> dict[str, Path]:
    """Return the files of the models that come with the package, by name."""
    return STORE.shipped()


def load_model(name: str | Path) -> CodecModel:
    """Return a shipped model by its name, or the model of a file; one with planes, rules and tables, no neural one.

    Raises:
        ConfigError: neither a shipped model nor a file, or a neural model.
        FormatError: the file is damaged or no model of this codec.
    """
    model = load_any(name)
    if not isinstance(model, CodecModel):
        raise ConfigError(f"{name} is a neural or lossless model: expected one of the stages fit and train")
    return model


def load_any(name: str | Path) -> Model:
    """Return a shipped model by its name, or the model of a file, of either kind.

    Raises:
        ConfigError: neither a shipped model nor a file.
        FormatError: the file is damaged or no model of this codec.
    """
    path = STORE.find(name)
    return _read(path, path.stat().st_mtime_ns)


def lossless_codec(limits: Limits | None = None) -> LosslessCodec:
    """Return the codec of the shipped model without loss."""
    from sciml.compression.lossless.codec import LosslessCodec
    from sciml.compression.lossless.model import LosslessModel

    model = load_any(LOSSLESS)
    if not isinstance(model, LosslessModel):
        raise ConfigError(f"the shipped model {LOSSLESS} is of another kind: install the package anew")
    return LosslessCodec(model, limits)


def find_model(model_id: bytes) -> Model:
    """Return the shipped model that a stream names.

    Raises:
        FormatError: none of them; the message says how to give another.
    """
    known = shipped_ids()
    if model_id in known:
        model = load_any(known[model_id])
        if model.id == model_id or (isinstance(model, CodecModel) and model_id in model.earlier_ids):
            return model
        raise FormatError(
            f"the shipped model {model.name} is damaged: its id is {model.id.hex()}, its file says {model_id.hex()}"
        )
    # the first id of a model is its own
    own = {name: found.hex() for found, name in reversed(known.items())}
    listed = ", ".join(f"{name} ({own[name]})" for name in sorted(own)) or "none"
    raise FormatError(f"the file was coded with model {model_id.hex()}: shipped are {listed}; give its file with --model")


def shipped_ids() -> dict[bytes, str]:
    """Return the names of the shipped models by id, those of models that they extend too, from the heads of their files."""
    return {found: name for name, path in shipped().items() for found in _ids_in_head(path, path.stat().st_mtime_ns)}


def save_model(path: Path, model: Model, **facts: Any) -> None:
    """Write a model; `facts` are those of `sciml.training.weight_files.write_weight_file`."""
    arrays, extra = model.arrays(), {"name": model.name, "model_id": model.id.hex(), "about": dict(model.about)}
    from sciml.compression.lossless.model import LosslessModel

    if not isinstance(model, CodecModel | LosslessModel):
        extra["neural"] = model.settings.model_dump(mode="json")
    elif isinstance(model, CodecModel):
        extra[EARLIER] = [found.hex() for found in model.earlier_ids]
        if model.network is not None:
            arrays |= {NETWORK + name: value for name, value in model.network.arrays().items()}
    write_weight_file(path, arrays, extra=extra, **facts)


def shipped_steps(model_id: bytes) -> tuple[float, ...] | None:
    """Return the steps of the shipped model with an id, from coarse to fine, without loading it; None where none has the id."""
    from safetensors import safe_open

    name = shipped_ids().get(model_id)
    if name is None:
        return None
    note_opened(path := shipped()[name])
    with safe_open(path, framework="np") as file:
        return tuple(float(step) for step in file.get_tensor("steps")) if "steps" in file.keys() else None  # noqa: SIM118


@lru_cache
def _ids_in_head(path: Path, changed: int) -> tuple[bytes, ...]:
    from safetensors import SafetensorError, safe_open

    try:
        note_opened(path)
        with safe_open(path, framework="np") as file:
            metadata = json.loads((file.metadata() or {}).get("sciml", "{}"))
        extra = metadata["extra"]
        return tuple(bytes.fromhex(found) for found in (extra["model_id"], *extra.get(EARLIER, ())))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path} is damaged or no model of this codec: {error}") from error


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> Model:
    arrays, metadata = read_weight_file(path)
    extra = metadata.get("extra")
    if not isinstance(extra, dict) or "model_id" not in extra:
        raise FormatError(f"{path} holds weights of something else than this codec")
    name, about = extra.get("name", path.stem), extra.get("about", {})
    if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME or not isinstance(about, dict):
        raise FormatError(f"{path} is damaged: its name is no short text, or what it says about itself is no mapping")
    try:
        model = _model(arrays, name, extra.get("neural"), about)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        # arrays of any type and shape: what no check names is as damaged
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{path} is damaged or of another version: {reason}; {remedy(path)}") from error
    if model.id.hex() != extra["model_id"]:
        raise FormatError(
            f"{path} is damaged: its id is {model.id.hex()}, it says {str(extra['model_id'])[:16]!r}; {remedy(path)}"
        )
    return model


def _model(arrays: Mapping[str, Any], name: str, neural: Any, about: Mapping[str, Any]) -> Model:
    """Return the model of a file's arrays; `neural` are the settings of a neural one."""
    if neural is not None:
        from sciml.compression.neural.model import neural_model_from

        return neural_model_from(arrays, name, neural, about)
    if COUNTS in arrays:
        from sciml.compression.lossless.model import lossless_model_from

        return lossless_model_from(arrays, name, about)
    plain = {key: value for key, value in arrays.items() if not key.startswith(NETWORK)}
    network = None
    weights = {key.removeprefix(NETWORK): value for key, value in arrays.items() if key.startswith(NETWORK)}
    if weights:
        from sciml.compression.coding.network import Restorer

        network = Restorer.from_arrays(weights)
    return model_from(plain, name, network, about)
