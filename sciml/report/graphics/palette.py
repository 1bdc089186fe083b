"""Colour, dash and marker of every series of a page, by its name: the same in all its charts.

Colours are tokens such as `--s0`, which the page's style sheet defines for its light and its dark scheme.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

from sciml.runtime.errors import ScimlError

# Okabe and Ito's order; yellow vanishes on white, black is left to the truth. Contrast of at least 3:1 on white
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c4649b", "#2e93cc", "#b07c00", "#7a7a7a")
TOKENS = tuple(f"--s{place}" for place in range(len(COLOURS)))
DASHES = ((), (6, 3), (2, 2), (8, 3, 2, 3), (12, 3), (4, 2, 1, 2, 1, 2))
MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Look:
    """How a series is drawn; `colour`, `dash` and `marker` are places in the lists of this module."""

    colour: int
    dash: int
    marker: int

    @property
    def line(self) -> dict[str, Any]:
        """Its line as keywords of matplotlib."""
        dash = DASHES[self.dash]
        return {"color": COLOURS[self.colour], "linestyle": (0, tuple(part / 2 for part in dash)) if dash else "-"}

    @property
    def dots(self) -> dict[str, Any]:
        """Its markers alone as keywords of matplotlib."""
        return {"color": COLOURS[self.colour], "marker": MARKERS[self.marker], "linestyle": "none"}


# first every colour with a dash of its own, then the other pairs
_LOOKS = tuple(
    Look(colour, dash, dash)
    for turn, colour in product(range(len(DASHES)), range(len(COLOURS)))
    for dash in [(colour + turn) % len(DASHES)]
)


class Palette:
    """The looks of a page's series; a name keeps the look that it got first.

    Args:
        names: series that get the first looks, in this order.

    Example:
        >>> palette = Palette(["ours"])
        >>> palette.bind(["total variation", "ours"])
        >>> palette["ours"].colour, palette["total variation"].colour
        (0, 1)
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._looks: dict[str, Look] = {}
        self.bind(names)

    def bind(self, names: Iterable[str]) -> None:
        """Give every new name a look that no other name has, in a colour that its chart does not yet show where there is one.

        Args:
            names: all series of one chart.

        Raises:
            ScimlError: more series than looks that can be told apart.
        """
        names = list(dict.fromkeys(names))
        for name in names:
            if name in self._looks:
                continue
            shown = {self._looks[other].colour for other in names if other in self._looks}
            free = [look for look in _LOOKS if look not in self._looks.values()]
            if not free:
                raise ScimlError(
                    f"a page shows at most {len(_LOOKS)} series, which still look different; {name!r} is one more: "
                    "leave some out or name the same thing alike in all charts"
                )
            self._looks[name] = next((look for look in free if look.colour not in shown), free[0])

    def __getitem__(self, name: str) -> Look:
        self.bind([name])
        return self._looks[name]
