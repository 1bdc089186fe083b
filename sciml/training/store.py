"""The models that come with a package, by name, and a user's own by path; nothing here loads torch or jax."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sciml.runtime.errors import ConfigError, FormatError

SUFFIX = ".safetensors"
# the first bytes of files of torch.save, new and old, and of Python's pickle
PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class ModelStore:
    """The folder `weights` of a package.

    Args:
        package: its name, for instance `sciml.proximal`.

    Example:
        >>> ModelStore("sciml.training").shipped()
        {}
    """

    package: str

    @property
    def folder(self) -> Path:
        """Where the package keeps its models."""
        return Path(str(files(self.package))) / "weights"

    def shipped(self) -> dict[str, Path]:
        """Return the files of the models that come with the package, by name, in alphabetical order."""
        return {path.stem: path for path in sorted(self.folder.glob(f"*{SUFFIX}"), key=lambda path: path.stem)}

    def find(self, name: str | Path) -> Path:
        """Return the file of a shipped name, or a model file that is no pickle.

        Raises:
            ConfigError: there is neither; the message lists the shipped names.
            FormatError: a pickle file, which could run code.
        """
        inside, path = self.folder / f"{name}{SUFFIX}", Path(name)
        if inside.is_file():
            return inside
        if not path.is_file():
            known = ", ".join(self.shipped()) or "none"
            raise ConfigError(f"there is no model {name}: shipped are {known}; or give the path of a model file")
        with path.open("rb") as file:
            begin = file.read(9)
        # a safetensors file begins with eight bytes, the length of the JSON text that follows: they may look like a pickle's
        if begin.startswith(PICKLES) and not begin.endswith(b"{"):
            raise FormatError(
                f"{path} is a pickle file (torch.save), which can run code when it is read: only {SUFFIX} are read; "
                "write it with sciml.training.save_weights, or train it again"
            )
        return path
