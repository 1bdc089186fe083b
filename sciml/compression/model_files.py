"""Model files: shipped ones by name, a user's own by path; safetensors, so that nothing in them can run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from sciml.compression.model import CodecModel, model_from
from sciml.runtime.errors import ConfigError, FormatError
from sciml.training.weight_files import read_weight_file, write_weight_file

SUFFIX = ".safetensors"
NETWORK = "network."


def shipped() -> dict[str, Path]:
    """Return the files of the models that come with the package, by name."""
    folder = Path(str(files("sciml.compression"))) / "weights"
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load_model(name: str | Path) -> CodecModel:
    """Return a shipped model by its name, or the model of a file.

    Raises:
        ConfigError: neither a shipped model nor a file.
        FormatError: the file is damaged or no model of this codec.
    """
    known = shipped()
    path = known.get(str(name), Path(name))
    if not path.is_file():
        raise ConfigError(f"there is no model {name}: shipped are {', '.join(known) or 'none'}; or give the path of a model file")
    return _read(path, path.stat().st_mtime_ns)


def find_model(model_id: bytes) -> CodecModel:
    """Return the shipped model that a stream names.

    Raises:
        FormatError: none of them; the message says how to give another.
    """
    known = {name: load_model(name) for name in shipped()}
    for model in known.values():
        if model.id == model_id:
            return model
    listed = ", ".join(f"{name} ({model.id.hex()})" for name, model in known.items()) or "none"
    raise FormatError(f"the file was coded with model {model_id.hex()}: shipped are {listed}; give its file with --model")


def save_model(path: Path, model: CodecModel, **facts: Any) -> None:
    """Write a model; `facts` are those of `sciml.training.weight_files.write_weight_file`."""
    arrays = model.arrays()
    if model.network is not None:
        arrays |= {NETWORK + name: value for name, value in model.network.arrays().items()}
    write_weight_file(path, arrays, extra={"name": model.name, "model_id": model.id.hex(), "about": dict(model.about)}, **facts)


@lru_cache(maxsize=8)
def _read(path: Path, changed: int) -> CodecModel:
    arrays, metadata = read_weight_file(path)
    extra = metadata.get("extra") or {}
    if "model_id" not in extra:
        raise FormatError(f"{path} holds weights of something else than this codec")
    plain: Mapping[str, Any] = {name: value for name, value in arrays.items() if not name.startswith(NETWORK)}
    network = None
    weights = {name.removeprefix(NETWORK): value for name, value in arrays.items() if name.startswith(NETWORK)}
    if weights:
        from sciml.compression.network import Restorer

        network = Restorer.from_arrays(weights)
    return model_from(plain, str(extra.get("name", path.stem)), network, extra.get("about"))
