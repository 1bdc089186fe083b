"""Any closure of a weight file, by the form that the file names."""

from __future__ import annotations

from pathlib import Path

from sciml.active_fluid.closures import own, second
from sciml.active_fluid.closures.neural import STORE, NeuralClosure
from sciml.runtime.errors import ConfigError
from sciml.training.weight_files import read_weight_file

AnyLearned = NeuralClosure | second.SecondOrderClosure | own.OwnClosure


def load_closure(name: str | Path = "default") -> AnyLearned:
    """Return the closure of a name that is shipped, or of a file, whatever its order and maker.

    Raises:
        ConfigError: there is neither, or a closure of a user's own that is not installed.
        FormatError: the file is damaged or holds no closure.
    """
    path = STORE.find(name)
    arrays, metadata = read_weight_file(path)
    form = metadata["extra"].get("form")
    if form == own.FORM:
        return own.OwnClosure.of_file(arrays, metadata["extra"], path)
    return second.SecondOrderClosure.load(path) if form == second.FORM else NeuralClosure.load(path)


def load_first_order(name: str | Path = "default") -> NeuralClosure | own.OwnClosure:
    """Return a closure of m2 of a shipped name or a file.

    Raises:
        ConfigError: there is neither, it is not installed, or it is one of m3.
        FormatError: the file is damaged or holds no closure.
    """
    found = load_closure(name)
    if isinstance(found, second.SecondOrderClosure):
        raise ConfigError(f"{name}: a closure of second order, where one of m2 is expected")
    return found
