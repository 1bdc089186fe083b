"""GPUs and threads of this process: claim free GPUs, hide the others, count the threads.

Run before torch or jax loads, since both read the environment once. Neither is imported here.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from sciml.runtime.errors import ConfigError, ScimlError

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
ONE_XLA_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
POLL_SECONDS = 0.05
ON_CPU = "run on the CPU with gpu 0, which profiles/default does"


@dataclass
class CardClaim:
    """GPUs that this process may use, until `release`, the end of the block or the end of the process.

    Attributes:
        gpus: names as they stand in the visible-devices variable; empty for a CPU run.
        claimed: False where a scheduler had chosen the GPUs.
    """

    gpus: tuple[str, ...]
    claimed: bool = False
    _locks: list[int] = field(default_factory=list, repr=False)
    _before: dict[str, str | None] = field(default_factory=dict, repr=False)

    def release(self) -> None:
        """Free the GPUs and put the environment back; a second call does nothing."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}
        _unlock(self._locks)

    def __enter__(self) -> CardClaim:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def claim_gpus(
    count: int,
    gpus: Sequence[int | str] | None = None,
    lock_folder: Path | str | None = None,
    timeout_seconds: float | None = None,
) -> CardClaim:
    """Claim free GPUs for this process and make only those visible to torch and jax.

    A GPU is claimed by a lock on `gpu-K.lock`, which the system frees when the process ends in any way.
    Waits while too few are free, with one line on standard error; takes all that were asked for or none,
    so that waiting processes never block each other. GPUs that a scheduler chose (the variable is set
    already) are used as they are.

    Args:
        count: number of GPUs; 0 hides all of them.
        gpus: GPUs to choose from, in order; default all that `nvidia-smi -L` lists.
        lock_folder: where the lock files live; default `sciml-gpus` in the machine's temporary folder,
            which all users and sessions of the machine share.
        timeout_seconds: how long to wait; default without end.

    Raises:
        ConfigError: fewer GPUs exist than were asked for, or there is none.
        ScimlError: torch or jax is loaded already, the locks cannot be made, or the time is up.

    Example:
        >>> with claim_gpus(0) as claim:
        ...     claim.gpus, os.environ["CUDA_VISIBLE_DEVICES"]
        ((), '')
    """
    if count < 0:
        raise ConfigError(f"asked for {count} GPUs, expected 0 or more")
    if count == 0:
        return _make_visible(CardClaim(()))
    if loaded := [name for name in ("torch", "jax") if name in sys.modules]:
        raise ScimlError(f"GPUs must be claimed before {loaded[0]} is imported; call claim_gpus first")
    if VISIBLE in os.environ:
        given = _listed(os.environ[VISIBLE])
        # each of several processes of this machine takes its own
        beside, place = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
        if count * beside > len(given):
            raise ConfigError(
                f"asked for {count * beside} GPUs, {VISIBLE}={os.environ[VISIBLE]!r} lists {len(given)}; ask for fewer, "
                f"or {ON_CPU}"
            )
        if beside == 1:
            return CardClaim(tuple(given))
        return _make_visible(CardClaim(tuple(given[place * count : (place + 1) * count])))
    known = [str(gpu) for gpu in (find_gpus() if gpus is None else gpus)]
    if count > len(known):
        raise ConfigError(f"asked for {count} GPUs, this machine has {len(known)}; ask for fewer, or {ON_CPU}")
    folder = Path(lock_folder) if lock_folder is not None else Path(tempfile.gettempdir()) / "sciml-gpus"
    taken = _wait(count, known, folder, timeout_seconds)
    return _make_visible(CardClaim(tuple(taken), claimed=True, _locks=list(taken.values())))


def find_gpus() -> list[str]:
    """Return the numbers of the machine's GPUs, as `nvidia-smi -L` lists them.

    Raises:
        ConfigError: there is none, or the driver does not answer; says how to run on the CPU.
    """
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except FileNotFoundError as error:
        raise ConfigError(f"no GPU found: nvidia-smi is not installed; {ON_CPU}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"no GPU found: nvidia-smi does not answer ({error}); {ON_CPU}") from error
    gpus = re.findall(r"^GPU (\d+):", answer.stdout, flags=re.MULTILINE)
    if answer.returncode or not gpus:
        said = (answer.stderr or answer.stdout).strip().splitlines() or ["it lists none"]
        raise ConfigError(f"no GPU found: nvidia-smi says {said[0]!r}; {ON_CPU}")
    return gpus


def thread_count() -> int:
    """Return the threads that this process should use: OMP_NUM_THREADS, else the cores it may run on."""
    # OpenMP allows one number a nesting level, "4,2"; the first is ours.
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if first.isdecimal() and int(first) > 0:
        return int(first)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory() -> None:
    """Let the C library keep freed blocks of up to 32 MiB instead of handing them back to the system (glibc only).

    The arrays of one image of 256 x 256 with 48 channels have 12 MiB: handed back and forth at every operation, they cost as
    much processor time in page faults as in arithmetic.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    trim_threshold, mmap_threshold = -1, -3
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 512 << 20)


def set_threads(count: int) -> None:
    """Tell NumPy's, torch's and jax's libraries how many threads to use; they read it when they load.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"asked for {count} threads, expected at least 1")
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    # jax takes all cores or one
    if count == 1:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_XLA_THREAD}".strip()


def _listed(value: str) -> list[str]:
    """Return the GPUs of a visible-devices variable; CUDA ignores everything from the first invalid entry on."""
    gpus = []
    for entry in (part.strip() for part in value.split(",")):
        if not entry or entry.startswith("-") or entry == "NoDevFiles":
            break
        gpus.append(entry)
    return gpus


def _make_visible(claim: CardClaim) -> CardClaim:
    # nvidia-smi numbers the GPUs by bus, CUDA by speed unless it is told otherwise.
    chosen = {VISIBLE: ",".join(claim.gpus)} | ({ORDER: "PCI_BUS_ID"} if claim.gpus else {})
    claim._before = {name: os.environ.get(name) for name in chosen}
    os.environ.update(chosen)
    return claim


def _wait(count: int, gpus: Sequence[str], folder: Path, timeout_seconds: float | None) -> dict[str, int]:
    """Return locks by GPU, `count` of them, as soon as as many are free."""
    until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    told = False
    while True:
        if taken := _try(count, gpus, folder):
            return taken
        if until is not None and time.monotonic() >= until:
            raise ScimlError(
                f"no {count} of the GPUs {','.join(gpus)} became free in {timeout_seconds:g} s; their locks are in {folder}"
            )
        if not told:
            print(f"waiting for {count} free of the GPUs {','.join(gpus)} (locks in {folder})", file=sys.stderr, flush=True)
            told = True
        time.sleep(POLL_SECONDS * (1 + random.random()))


def _try(count: int, gpus: Sequence[str], folder: Path) -> dict[str, int] | None:
    """Lock `count` free GPUs, or none. One process tries at a time, so two never hold half each."""
    gate = _open(folder, "gate.lock")
    taken: dict[str, int] = {}
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for gpu in gpus:
            if len(taken) == count:
                break
            handle = _open(folder, f"gpu-{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.lock")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken[gpu] = handle
            except BlockingIOError:
                os.close(handle)
        if len(taken) == count:
            return taken
        _unlock(list(taken.values()))
        return None
    except OSError as error:
        _unlock(list(taken.values()))
        raise ScimlError(f"cannot lock GPUs in {folder}: {error.strerror or error}; name another lock folder") from error
    finally:
        os.close(gate)


def _open(folder: Path, name: str) -> int:
    """Open a lock file that every user of the machine can open; reading is enough to lock."""
    path = folder / name
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o1777)
        try:
            # Without O_CREAT first: in a shared folder Linux refuses it on another user's file.
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            os.fchmod(handle, 0o666)
            return handle
    except OSError as error:
        raise ScimlError(f"cannot make the lock {path}: {error.strerror}; name another lock folder") from error


def _unlock(handles: list[int]) -> None:
    while handles:
        os.close(handles.pop())
