"""Who is trained on and who is tested on: the roles of `data/splits.yaml` and their guards.

Three guards keep test data out of training: no id and no subject is in two roles of an experiment;
no two pictures of different roles are near-duplicates; and a weight file names the digests of its own
training data, which are compared with the test data before it is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sciml.datasets.manifest import TIERS, check_tier, record, records
from sciml.runtime.errors import ConfigError, DataError, FormatError
from sciml.runtime.places import resource

if TYPE_CHECKING:
    import numpy as np

ENTRY = re.compile(r"(?P<id>[^\[\]]+)(\[(?P<start>\d+):(?P<stop>\d+)\])?")
THUMBNAIL = 16
SAME_PICTURE = 0.98


@lru_cache(maxsize=1)
def experiments() -> dict[str, dict[str, Any]]:
    """Return the experiments of `data/splits.yaml`: role to entries, and tier to replaced roles."""
    import yaml

    path = resource("data", "splits.yaml")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))["experiments"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is damaged: {error}") from error


def roles(experiment: str, tier: str = "default") -> dict[str, list[str]]:
    """Return all roles of an experiment at a data tier, each with its entries.

    Raises:
        ConfigError: the experiment or the tier is unknown.
    """
    check_tier(tier)
    known = experiments()
    if experiment not in known:
        raise ConfigError(f"unknown experiment {experiment!r}: choose one of {', '.join(sorted(known))}")
    settings = known[experiment]
    base = {role: list(entries) for role, entries in settings.items() if role not in TIERS}
    # without apt an experiment that says nothing for `pip` uses its lists for `ci`
    special = settings.get(tier, settings.get("ci", {}) if tier == "pip" else {})
    return {**base, **{role: list(entries) for role, entries in special.items()}}


def split(experiment: str, role: str, tier: str = "default") -> list[str]:
    """Return the entries of one role: ids, or ranges such as `digits8[0:1400]`; `load` takes both.

    Args:
        experiment: for instance `imaging-photos`.
        role: for instance `train`, `validation`, `test`.
        tier: the data tier, `pip`, `ci`, `default` or `full`.

    Raises:
        ConfigError: an unknown experiment, role or tier; the message lists what there is.

    Example:
        >>> split("imaging-photos", "validation", "ci")
        ['perched-osprey', 'casa-mila']
    """
    found = roles(experiment, tier)
    if role not in found:
        raise ConfigError(f"experiment {experiment} has no role {role!r}: it has {', '.join(found)}")
    return found[role]


def split_digests(experiment: str, tier: str, *chosen: str) -> dict[str, str]:
    """Return SHA-256 by entry of the roles of an experiment, for the settings of the stages that read them.

    Args:
        experiment: as in `split`; a folder of the user's own, which is no experiment, has none.
        tier: the data tier.
        chosen: roles; one that the experiment lacks is left out.
    """
    found = roles(experiment, tier) if experiment in experiments() else {}
    return entry_digests(*(entry for role in chosen for entry in found.get(role, ())))


def entry_digests(*entries: str) -> dict[str, str]:
    """Return SHA-256 by entry; an entry is an id or a range such as `digits8[0:1400]`."""
    return {entry: record(parse_entry(entry)[0]).sha256 for entry in entries}


def parse_entry(entry: str) -> tuple[str, range | None]:
    """Return (id, range of the first axis, or None for all of it) of a split's entry.

    Raises:
        ConfigError: the text is neither an id nor `id[start:stop]`.
    """
    match = ENTRY.fullmatch(entry)
    if match is None or (match["start"] and int(match["start"]) >= int(match["stop"])):
        raise ConfigError(f"{entry!r} is neither an id nor a range like digits8[0:1400]")
    return match["id"], range(int(match["start"]), int(match["stop"])) if match["start"] else None


def overlap(first: str, second: str) -> str | None:
    """Return why two entries must not be in different roles, or None when they may."""
    (one, rows), (other, others) = parse_entry(first), parse_entry(second)
    if one == other:
        shared = rows is None or others is None or (rows.start < others.stop and others.start < rows.stop)
        return f"both hold {one}" if shared else None
    patient = record(one).patient
    return f"both show the subject {patient}" if patient and patient == record(other).patient else None


def conflicts(experiment: str) -> list[str]:
    """Return every pair of roles of an experiment, over all tiers, that share an id or a subject."""
    pairs = {(role, entry) for tier in TIERS for role, entries in roles(experiment, tier).items() for entry in entries}
    ordered = sorted(pairs)
    found = []
    for index, (role, entry) in enumerate(ordered):
        for other_role, other in ordered[index + 1 :]:
            if role != other_role and (reason := overlap(entry, other)):
                found.append(f"{experiment}: {entry} ({role}) and {other} ({other_role}): {reason}")
    return found


def test_entries(experiment: str) -> list[str]:
    """Return the entries of every role that begins with `test`, over all tiers."""
    found = {
        entry
        for tier in TIERS
        for role, entries in roles(experiment, tier).items()
        if role.startswith("test")
        for entry in entries
    }
    return sorted(found)


test_entries.__test__ = False  # type: ignore[attr-defined]  # the name is not a test for pytest


def check_weight_inputs(weight_file: Path | str, experiment: str) -> dict[str, str]:
    """Refuse a weight that was trained on anything the experiment tests with.

    The weight's metadata must hold `inputs`: entry (id or range) to SHA-256 of the file. An input is
    refused for its id, for its subject, or for its digest (a copy under another name).

    Args:
        weight_file: a safetensors file written by `sciml.runtime.files.save_tensors`.
        experiment: the experiment that is to be evaluated.

    Returns:
        The inputs, entry to digest.

    Raises:
        DataError: an input belongs to the test data, or the file does not say what it was trained on.
    """
    from sciml.runtime.files import load_tensors

    _, metadata = load_tensors(weight_file)
    inputs = metadata.get("inputs")
    if not isinstance(inputs, Mapping):
        raise DataError(
            f"{weight_file} does not name its training data (metadata key `inputs`): it cannot be evaluated on {experiment}"
        )
    known = records()
    for entry, sha256 in inputs.items():
        name, rows = parse_entry(entry)
        for test in test_entries(experiment):
            other, _ = parse_entry(test)
            real = other if sha256 == known[other].sha256 else name
            part = real if rows is None else f"{real}[{rows.start}:{rows.stop}]"
            if real in known and (reason := overlap(part, test)):
                raise DataError(f"{weight_file} was trained on {entry}, and {experiment} tests with {test}: {reason}")
    return dict(inputs)


def near_duplicates(images: Mapping[str, np.ndarray] | Sequence[tuple[str, np.ndarray]]) -> list[tuple[str, str, float]]:
    """Return pairs of pictures that look the same at 16 x 16 pixels, also mirrored or turned by 180 degrees.

    Args:
        images: name to array of shape (rows, columns) or (rows, columns, channels), any range.

    Returns:
        (name, name, normalised correlation) for every pair above 0.98, largest first.

    Example:
        >>> import numpy as np
        >>> ramp = np.outer(np.arange(64.0), np.ones(64))
        >>> [pair[:2] for pair in near_duplicates({"a": ramp, "b": ramp[::-1] * 2 + 1})]
        [('a', 'b')]
    """
    import numpy as np

    named = list(images.items() if isinstance(images, Mapping) else images)
    thumbnails = [_thumbnail(array) for _, array in named]
    found = []
    for index, (name, _) in enumerate(named):
        one = thumbnails[index]
        turned = np.stack([one, one[::-1], one[:, ::-1], one[::-1, ::-1]])
        for other in range(index + 1, len(named)):
            alike = float((turned * thumbnails[other]).sum(axis=(1, 2)).max())
            if alike > SAME_PICTURE:
                found.append((name, named[other][0], alike))
    return sorted(found, key=lambda pair: -pair[2])


def _thumbnail(array: np.ndarray) -> np.ndarray:
    """Return block means on 16 x 16, without mean and of unit norm, so that a product is a correlation."""
    import numpy as np

    grey = np.asarray(array, dtype=np.float64)
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    if grey.ndim != 2 or min(grey.shape) < THUMBNAIL:
        raise DataError(
            f"a picture of shape {np.shape(array)} is too small for a comparison; {THUMBNAIL} x {THUMBNAIL} is the least"
        )
    rows, columns = (np.linspace(0, size, THUMBNAIL + 1).astype(int) for size in grey.shape)
    sums = np.add.reduceat(np.add.reduceat(grey, rows[:-1], axis=0), columns[:-1], axis=1)
    means = sums / np.outer(np.diff(rows), np.diff(columns))
    means -= means.mean()
    norm = np.linalg.norm(means)
    return means / norm if norm > 0 else means
