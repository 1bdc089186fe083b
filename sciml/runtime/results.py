"""What a stage writes as JSON and a page reads: frozen pydantic models, so that both mean the same by every name.

Example:
    >>> import tempfile
    >>> class Score(Result):
    ...     photograph: str
    ...     psnr: float | None
    >>> path = write_result(Path(tempfile.mkdtemp()) / "scores.json", [Score(photograph="camera", psnr=31.5)])
    >>> read_result(path, list[Score])[0].psnr
    31.5
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from sciml.runtime.errors import DataError, FormatError
from sciml.runtime.files import read_json, write_json

Content = TypeVar("Content")
AGAIN = "remove it, and the workflow makes it again"


class Result(BaseModel):
    """Base of what crosses the disk: frozen, and a name that is missing or unknown is an error.

    A number that may be infinite or undefined is `float | None`: JSON holds null in its place. A value that was not given is not
    written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


def write_result(path: Path | str, content: Any) -> Path:
    """Write models, or lists and mappings of them, as readable JSON; return `path`."""
    write_json(path, TypeAdapter(Any).dump_python(content, exclude_unset=True))
    return Path(path)


def read_result(path: Path | str, kind: type[Content]) -> Content:
    """Read what `write_result` wrote.

    Args:
        path: the JSON file.
        kind: a model, or a list or mapping of models: `list[Score]`, `dict[str, Score]`.

    Raises:
        DataError: the file is missing, or its content is not of that kind: an older version wrote it, or a hand changed it.
        FormatError: it is no JSON.
    """
    try:
        content = read_json(path)
    except FormatError as error:
        raise FormatError(f"{error}; {AGAIN}") from error
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise DataError(f"{path}: {place}: {first['msg']}; run the stage that writes it again") from error
