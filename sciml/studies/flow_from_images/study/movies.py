"""Files of movies and of the flows behind them: what one link hands to the next, with the digest of where each case came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Complex, Float

from sciml.runtime.errors import DataError
from sciml.runtime.files import digest_bytes, load_tensors, save_tensors
from sciml.runtime.results import Result

GRID = 16
"""Points a side at which the order is read and fitted."""
FRAME_GAP = 0.5
"""Time between frames."""
FLOW_STEP = 0.125
"""Time between two saved velocities, by which the texture moves."""
HORIZON = 2.0
"""Time beyond the last frame that is forecast."""
LENGTH = 10.0
"""Side of the square."""
Role = Literal["calibration", "test", "own"]


class Case(Result):
    """One movie: who it is and where it came from.

    Attributes:
        role: what it is for; `own` of a user's movie, whose truth nobody knows.
        times: of its frames, in the theory's unit.
        length: side of the square in the theory's unit.
        origin: digest of the flow or of the user's file that it shows; every link passes it on.
        noise_std: of the camera, over the largest count; None where nobody knows.
        alpha, zeta: truth.
    """

    role: Role
    times: tuple[float, ...]
    length: float
    origin: str
    noise_std: float | None
    alpha: float | None
    zeta: float | None


@dataclass(frozen=True)
class Movie:
    """A case with its arrays.

    Attributes:
        case: who it is.
        arrays: by name; the links know which.
    """

    case: Case
    arrays: Mapping[str, np.ndarray]

    def field(self, name: str) -> Complex[np.ndarray, "frames n n"]:
        """Return a complex field that was written by its two parts."""
        return self.arrays[name][0] + 1j * self.arrays[name][1]

    @property
    def seen(self) -> Bool[np.ndarray, "frames grid grid"]:
        """Where the order was seen."""
        return self.arrays["seen"].astype(bool)


def parts(field: Complex[np.ndarray, "frames n n"]) -> Float[np.ndarray, "2 frames n n"]:
    """Return a complex field as its two parts."""
    return np.stack([np.real(field), np.imag(field)])


def origin_of(m1: Complex[np.ndarray, "frames n n"]) -> str:
    """Return the digest of a flow."""
    return digest_bytes(np.ascontiguousarray(m1).tobytes())


def write_movies(path: Path, movies: Mapping[str, Movie]) -> Path:
    """Write movies to a safetensors file; arrays are named CASE/NAME."""
    arrays = {f"{name}/{key}": array for name, movie in movies.items() for key, array in movie.arrays.items()}
    save_tensors(path, arrays, {"cases": {name: movie.case.model_dump() for name, movie in movies.items()}})
    return path


def read_movies(path: Path) -> dict[str, Movie]:
    """Return the movies of a file by name.

    Raises:
        DataError: no file of this study.
    """
    arrays, metadata = load_tensors(path)
    if "cases" not in metadata:
        raise DataError(f"{path} holds no movies of this study: run the stage that writes it")
    return {
        name: Movie(
            Case.model_validate(case),
            {key.removeprefix(f"{name}/"): array for key, array in arrays.items() if key.startswith(f"{name}/")},
        )
        for name, case in metadata["cases"].items()
    }


def check_chain(path: Path, movies: Mapping[str, Movie], truths: Mapping[str, Movie]) -> None:
    """Refuse links that do not belong together.

    Raises:
        DataError: a case shows another flow than the one it is judged by.
    """
    for name, movie in movies.items():
        if movie.case.role == "own":
            continue
        if name not in truths or truths[name].case.origin != movie.case.origin:
            raise DataError(
                f"{path}: case {name} shows another flow than the truth it is judged by: run the links before it again"
            )


def check_pictures(name: str, order: Complex[np.ndarray, "f g g"], truths: Mapping[str, Movie]) -> None:
    """Refuse frames that look like another case's flow, whatever their file says.

    Raises:
        DataError: the directors agree better with another truth.
    """

    def agreement(movie: Movie) -> float:
        truth = on_grid(movie.field("m1")[: len(order)])
        return float(np.vdot(order, truth).real / np.linalg.norm(order) / np.linalg.norm(truth))

    found = {other: agreement(movie) for other, movie in truths.items()}
    best = max(found, key=lambda other: found[other])
    if best != name:
        raise DataError(
            f"the frames of case {name} show the flow of {best} (agreement {found[best]:.2f}, with its own {found[name]:.2f}): "
            "frames of two runs were mixed up"
        )


def on_grid(field: np.ndarray) -> np.ndarray:
    """Return every so many-th point of fields (..., n, n), GRID a side."""
    every = field.shape[-1] // GRID
    return field[..., ::every, ::every]
