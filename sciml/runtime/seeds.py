"""Named seeds from one master seed.

Every random number of a run comes from a generator seeded by `Seeds(master)("what", "for")`. Adding
a name never shifts the numbers of another, and the names that were used are recorded.
"""

from __future__ import annotations

import hashlib


class Seeds:
    """Derive independent 63-bit seeds by name and remember which were used.

    Args:
        master: the one seed of the run, from the settings.

    Example:
        >>> seeds = Seeds(0)
        >>> seeds("noise", "kodim23") == Seeds(0)("noise", "kodim23")
        True
        >>> list(seeds.used)
        ['noise/kodim23']
    """

    def __init__(self, master: int) -> None:
        self.master = master
        self.used: dict[str, int] = {}

    def __call__(self, *names: str | int) -> int:
        """Return the seed of this name, an integer in [0, 2^63)."""
        name = "/".join(str(part) for part in names)
        # seed = first 63 bits of SHA-256(master / name)
        seed = int.from_bytes(hashlib.sha256(f"{self.master}/{name}".encode()).digest()[:8], "big") >> 1
        self.used[name] = seed
        return seed
