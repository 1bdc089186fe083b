"""Finished parts of an unfinished stage, kept beside its output folder until the whole is done."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sciml.runtime.errors import FormatError
from sciml.runtime.files import canonical_json, digest_bytes, load_tensors, save_tensors

if TYPE_CHECKING:
    import numpy as np

Part = tuple[dict[str, "np.ndarray"], dict[str, Any]]


class Partial:
    """A store of finished parts in `<folder>.partial`, removed when its block ends well.

    Parts carry a digest of what they were made from; a part of other inputs or settings is ignored and made again, and so is
    a damaged one.

    Args:
        folder: the stage's output folder; the store is its sibling.
        identity: JSON values that determine the parts: settings and digests of inputs.
    """

    def __init__(self, folder: Path, identity: Any) -> None:
        self.folder = folder.with_name(folder.name + ".partial")
        self.identity = digest_bytes(canonical_json(identity).encode())

    def __enter__(self) -> Partial:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, key: str) -> Part | None:
        """Return the arrays and notes of a finished part, or None."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            arrays, metadata = load_tensors(path)
        except FormatError:
            return None
        return (arrays, metadata["notes"]) if metadata.get("identity") == self.identity else None

    def put(self, key: str, arrays: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> Part:
        """Keep a part and return it."""
        save_tensors(self._path(key), arrays, {"identity": self.identity, "notes": dict(notes)})
        return dict(arrays), dict(notes)

    def _path(self, key: str) -> Path:
        return self.folder / f"{digest_bytes(key.encode())[:24]}.safetensors"
