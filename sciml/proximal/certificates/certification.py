"""Certify the weights of a learned proximal network: every invariant that a correct network has whatever its weights.

The invariants are measured in float64 on small images, through the functions that users call. They are mathematics, not quality:
training cannot make a network pass. A network that fails is not a proximal operator, or not that of the R it reports.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from sciml.proximal.certificates import prox, solvers, structure
from sciml.proximal.certificates.subject import Invariant, Subject, at_most
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import GuidedNetwork, LearnedProximalNetwork
from sciml.proximal.networks.weight_files import weight_file
from sciml.runtime.errors import ConfigError, DataError, ScimlError

SIZE = 12
# a group that ends in an error is reported under its id
GROUPS: tuple[tuple[str, str, Callable[[Subject], Iterator[Invariant]]], ...] = (
    ("I1", "Jacobian: symmetry and lower bound", prox.jacobians),
    ("I2c", "signs and modulus", structure.signs),
    ("I3", "prox optimality", prox.optimality),
    ("I4", "round trips and gradient of R", prox.round_trips),
    ("I6", "descent of proximal gradients", solvers.descent),
    ("I7", "descent of ADMM", solvers.lagrangian),
    ("I8", "patches and tiles", structure.pieces),
    ("I9", "prox of other weights", prox.weighted),
    ("I11", "boundedness", solvers.boundedness),
    ("R1", "bounds of the regulariser", structure.bounds),
)


@torch.no_grad()
def certify_network(
    network: LearnedProximalNetwork | GuidedNetwork,
    *,
    size: int = SIZE,
    sigma: float | None = None,
    seed: int = 0,
    groups: Sequence[str] | None = None,
) -> list[Invariant]:
    """Return the invariants of a network, measured on a copy in float64.

    Args:
        network: either form, trained or not; left as it is. One with a guide is tested with its thresholds fixed for one picture.
        size: rows and columns of the test images; potentials of one size take theirs, and coarse levels may need more.
        sigma: noise level; None: the network's default.
        seed: seed of the test images, directions and competitors.
        groups: ids of the groups in `GROUPS` to measure; None: all of them.

    Raises:
        ConfigError: the size is below 2, sigma is not positive, or there is no such group.
        ShapeError: the network takes far larger images only.

    Example:
        >>> from sciml.proximal.settings.structures import DensePotential
        >>> found = certify_network(ExplicitNetwork(DensePotential(channels=2, alpha=0.05)))
        >>> all(invariant.passed for invariant in found)
        True
    """
    finite = _finite_weights(network)
    if not finite.passed:
        return [finite]
    if sigma is not None and not (sigma > 0 and math.isfinite(sigma)):
        raise ConfigError(f"sigma is a number above 0, got {sigma}")
    if unknown := sorted(set(groups or ()) - {id for id, _, _ in GROUPS}):
        raise ConfigError(f"no group of invariants is called {unknown[0]}; known: {', '.join(id for id, _, _ in GROUPS)}")
    subject = Subject(network, size, sigma, seed)
    found = [finite]
    for id, name, group in GROUPS:
        if groups is not None and id not in groups:
            continue
        try:
            # one by one, so that what was measured before an error is kept
            for invariant in group(subject):
                found.append(invariant)
        except (ScimlError, torch.linalg.LinAlgError) as error:
            witness = "; ".join(filter(None, (subject.negative_weights(), str(error))))
            found.append(Invariant(id, name, None, None, "<=", False, "ended in an error", witness))
    return sorted(found, key=_order)


def passed(invariants: Sequence[Invariant]) -> bool:
    """Return whether all invariants hold."""
    return all(invariant.passed for invariant in invariants)


def as_rows(invariants: Sequence[Invariant]) -> list[dict[str, Any]]:
    """Return one JSON object an invariant; numbers that are not finite become null and are named in the note."""
    return [
        {
            "id": one.id,
            "name": one.name,
            "value": _number(one.value),
            "threshold": _number(one.threshold),
            "comparison": one.comparison,
            "passed": one.passed,
            "note": one.note if one.value is None or math.isfinite(one.value) else f"{one.note}; the value is {one.value}",
            "witness": one.witness,
        }
        for one in invariants
    ]


def load_unchecked(name: str | Path) -> tuple[LearnedProximalNetwork | GuidedNetwork, dict[str, Any]]:
    """Return a network with its weights, whatever their signs, and the metadata of its file.

    Raises:
        DataError, FormatError, ShapeError, ConfigError: as `LearnedProximalNetwork.load`.
    """
    from sciml.training import load_weights, read_weights_metadata

    path = weight_file(name)
    description = read_weights_metadata(path)["extra"].get("network")
    if not isinstance(description, Mapping):
        raise ConfigError(f"{path} holds no learned proximal network: its metadata lacks extra.network")
    guided = description.get("form") == GuidedNetwork.form
    network = (GuidedNetwork.from_description if guided else LearnedProximalNetwork.build)(description)
    metadata = load_weights(path, network)
    return network.eval(), metadata


def certify_file(
    path_or_name: str | Path, *, size: int = SIZE, sigma: float | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Return the rows of a shipped network or a weight file; one with negative weights is certified too, and fails.

    Args:
        path_or_name: one of `shipped()`, or the path of a weight file.
        size: rows and columns of the test images.
        sigma: noise level; None: the network's default.
        seed: seed of the test images.

    Raises:
        DataError, FormatError, ShapeError, ConfigError: as `LearnedProximalNetwork.load`.
    """
    return as_rows(certify_network(load_unchecked(path_or_name)[0], size=size, sigma=sigma, seed=seed))


def repair_file(path: str | Path, out: str | Path, *, size: int = SIZE, seed: int = 0) -> list[dict[str, Any]]:
    """Set the negative weights of a file to 0, certify the network anew and write it with its metadata and a note.

    f becomes another network, the nearest with a convex potential; how well it denoises must be tested again.

    Args:
        path: a weight file, or a shipped name.
        out: file to write; `path` itself is allowed.
        size: rows and columns of the test images.
        seed: seed of the test images.

    Returns:
        The rows of the repaired network, of which some may still fail.

    Raises:
        ConfigError: the network has no weights of a fixed sign (implicit form).
        DataError: no weight is negative, or one is NaN; nothing is written.
    """
    from sciml.training import save_weights

    network, metadata = load_unchecked(path)
    if not isinstance(network, ExplicitNetwork):
        raise ConfigError(
            f"{path} is a network of the implicit form, whose weights have no fixed signs; there is nothing to repair"
        )
    LearnedProximalNetwork.check_weights(network, str(path))
    negative = network.potential.negative_weights()
    if not negative:
        raise DataError(f"{path} has no negative weight; there is nothing to repair")
    layers = network.potential.constrained()
    changed = {f"potential.{name}": int((layers[name].raw < 0).sum()) for name, _, _ in negative}
    network.repair_()
    rows = as_rows(certify_network(network, size=size, seed=seed))
    note = {
        "negative_weights_set_to_zero": changed,
        "weights_digest_before": metadata["weights_digest"],
        "certified": all(row["passed"] for row in rows),
    }
    save_weights(
        out,
        network,
        config=metadata["config"],
        seed=metadata["seed"],
        inputs=metadata["inputs"],
        source_digest=metadata["source_digest"],
        cpu_minutes=metadata["cpu_minutes"],
        extra={**metadata["extra"], "repaired": note},
    )
    return rows


def _finite_weights(network: LearnedProximalNetwork | GuidedNetwork) -> Invariant:
    witness, count = "", 0
    for key, tensor in network.state_dict().items():
        wrong = ~tensor.isfinite()
        count += int(wrong.sum())
        if count and not witness:
            index = wrong.nonzero()[0].tolist()
            witness = f"weight {key} is {float(tensor[tuple(index)])} at {index}"
    return at_most("I0", "all weights are finite", float(count), 0.0, "number of weights that are NaN or infinite", witness)


def _order(invariant: Invariant) -> tuple[str, int, str]:
    digits = "".join(c for c in invariant.id[1:] if c.isdigit())
    return invariant.id[0], int(digits), invariant.id


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
