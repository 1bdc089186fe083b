"""What a call costs: wall time, processor time of this process, and by how much its resident memory grew at the highest.

The kernel is asked to forget the process's peak before the call (`/proc/self/clear_refs`, Linux) and memory that was freed is
given back to it, so that a method is not spared what an earlier one left. What a method keeps for all calls, such as the weights
of a network, was there before and does not count.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Cost:
    """Of one call.

    Attributes:
        wall_s: seconds that passed.
        cpu_s: processor seconds of this process.
        memory_mib: growth of the resident memory at its peak, in MiB; None where the system does not let it be measured.
    """

    wall_s: float
    cpu_s: float
    memory_mib: float | None


def costed(call: Callable[[], Found]) -> tuple[Found, Cost]:
    """Return what a call returns, and what it cost.

    Example:
        >>> found, cost = costed(lambda: sum(range(10)))
        >>> found, cost.wall_s >= 0
        (45, True)
    """
    before = _forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return found, Cost(wall, cpu, None if before is None else max(_kib("VmHWM") - before, 0) / 1024)


def _forget_peak() -> int | None:
    """Return the resident memory in KiB after the peak was set to it; None where that cannot be done."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        RESET.write_text("5")
    except (OSError, AttributeError):
        return None
    return _kib("VmRSS")


def _kib(name: str) -> int:
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
