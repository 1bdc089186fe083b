"""Weight files of networks by shipped name or path; nothing here loads torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from sciml.runtime.errors import DataError, FormatError

WEIGHTS = Path(str(files("sciml.proximal"))) / "weights"
# the first bytes of files of torch.save, new and old, and of Python's pickle
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def shipped() -> list[str]:
    """Return the names of the weights that come with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def weight_file(name: str | Path) -> Path:
    """Return the path of a shipped name, or of a weight file that is no pickle.

    Raises:
        DataError: there is neither; the message lists the shipped names.
        FormatError: a pickle file, which could run code.
    """
    inside, path = WEIGHTS / f"{name}.safetensors", Path(name)
    if inside.is_file():
        return inside
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(9)
        # a safetensors file begins with eight bytes, the length of the JSON text that follows: they may look like a pickle's
        if begin.startswith(PICKLES) and not begin.endswith(b"{"):
            raise FormatError(
                f"{path} is a pickle file (torch.save), which can run code when it is read: only .safetensors are read; "
                "write it with sciml.training.save_weights, or train it with `sciml proximal train`"
            )
        return path
    raise DataError(f"no learned proximal network is called {name!r}; shipped: {', '.join(shipped()) or 'none'}, or give a file")
