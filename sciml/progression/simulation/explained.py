"""How much of the true change volumes explain, and how much of the rest could be learned.

With x_A the first image and x_B a later one, both without noise, and x_A moved by the flow to the true volumes at B with a part
of the pattern,

    (1)  share = 1 - sum_B |x_B - moved x_A|^2 / sum_B |x_B - x_A|^2

over the visits B three years and more after the first. Images are looked up in the start's anatomy, so no interpolation counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sciml.progression.simulation.atrophy import Atrophy, Pattern
from sciml.progression.simulation.pattern import Part

LEAST_GAP_YEARS = 3.0
PARTS: dict[str, Part | None] = {"volumes": None, "expected": "expected", "lasting": "lasting"}
"""What is told beside the volumes, by name: nothing; the part of the pattern that follows from age, sex, diagnosis, shape and
pace; all that lasts from the first visit on."""


def explained_shares(
    atrophy: Atrophy,
    first: tuple[np.ndarray, np.ndarray],
    visits: np.ndarray,
    volumes: np.ndarray,
    gaps_years: np.ndarray,
    paint: Callable[[np.ndarray], np.ndarray],
    pattern: Callable[[int, Part], Pattern | None],
    moved: Sequence[np.ndarray],
) -> dict[str, float] | None:
    """Return (1) by what is told: `PARTS`, and `motion` for the whole pattern, short of 1 by what no motion explains.

    Args:
        atrophy: of the subject; its state is lost.
        first: map and labels at the first visit.
        visits: images without noise, the first one included, (visits, D, H, W).
        volumes: true ones in voxels, (visits, regions).
        gaps_years: from the first visit, (visits,).
        paint: the first visit's image moved by a map back to the start, (D, H, W).
        pattern: g of a period and a part.
        moved: the maps of all visits.

    Returns:
        None where nobody was seen so late.
    """
    late = [number for number, gap in enumerate(gaps_years) if gap >= LEAST_GAP_YEARS]
    if not late:
        return None
    change = sum(_energy(visits[number] - visits[0]) for number in late)
    shares = {"motion": 1 - sum(_energy(visits[number] - paint(moved[number])) for number in late) / change}
    for name, part in PARTS.items():
        if part and pattern(0, part) is None:
            shares[name] = shares["volumes"]
            continue
        atrophy.back, atrophy.labels = first
        left = 0.0
        for number in range(1, late[-1] + 1):
            atrophy.advance(volumes[number, :-1], pattern(number, part) if part else None)
            if number in late:
                left += _energy(visits[number] - paint(atrophy.back))
        shares[name] = 1 - left / change
    return shares


def _energy(difference: np.ndarray) -> float:
    return float(np.square(difference).sum())
