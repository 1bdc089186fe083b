"""Faults around a small study: each breaks one thing, sees what the run says, repairs it as the run says, and compares."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from drill.tree import ROOT, Broke, Copy
from sciml.datasets.manifest import packages, record, tier_ids
from sciml.runtime.places import cache_folder

NOBODY = 65534
COVER = """
top=$1; shift
here=$PWD; keep=$(mktemp -d); count=0
while [ "$1" != -- ]; do
  case "$1" in "$top"/*)
    count=$((count + 1)); mkdir "$keep/$count"; mount --bind "$1" "$keep/$count"; printf '%s\\n' "$1" >> "$keep/list" ;;
  esac
  shift
done
shift
mount -t tmpfs -o mode=755 tmpfs "$top"
count=0
while IFS= read -r place; do
  count=$((count + 1)); mkdir -p "$place"; mount --bind "$keep/$count" "$place"
done < "$keep/list"
cd "$here"
exec "$@"
"""
DISK_BYTES = 96 * 2**20
# the least and the most that the small study finds free on the full disk, of the 250 kB that it writes
FREE_BYTES = (0, 200_000)
FILE_BYTES = 8_000
# read by few and short stages
SHIPPED = ("progression/weights/mni-motion.safetensors", "active_fluid/weights/default.safetensors")
TRAINED = Path("results/ci/progression/motion/flow.safetensors")
RESULT = Path("results", "small", "imaging")


class NotHere(Exception):
    """This machine cannot make the fault; the reason."""


@dataclass
class Drill:
    """What every fault needs.

    Args:
        copy: a tree at a path of its own kind, where the small study has run and is green.
        expected: digests of its results, made in a plain folder by a run that nobody disturbed.
        rng: draws what is hit.
        say: prints a line.
    """

    copy: Copy
    expected: Mapping[str, str]
    rng: random.Random
    say: Callable[[str], None]

    def fresh(self, **changes: object) -> Copy:
        """Return the tree without what runs left, with another environment."""
        self.copy.clean()
        return replace(self.copy, **changes)

    def ends_green(self, copy: Copy) -> None:
        """Run to the end and compare."""
        copy.demo().green()
        copy.check(self.expected)


def odd_path(drill: Drill) -> None:
    """A path with a blank, an umlaut and a quote."""
    drill.ends_green(drill.fresh())


def without_home(drill: Drill) -> None:
    """No HOME, with the data of the usual place."""
    drill.ends_green(drill.fresh(variables={"HOME": "", "XDG_CACHE_HOME": "", "SCIML_CACHE": str(cache_folder())}))


def umask(drill: Drill) -> None:
    """Files for nobody else."""
    copy = drill.fresh(umask=0o077)
    drill.ends_green(copy)
    open_to_others = [path for path in (copy.root / "results").rglob("*") if path.stat().st_mode & 0o077]
    if open_to_others:
        raise Broke(f"with umask 077 others may read {open_to_others[0]}")


def another_user(drill: Drill) -> None:
    """Another user in the folder of one who ran there, then in a folder of his own."""
    words = as_nobody(drill.copy.root.parent)
    place = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "", "SCIML_CACHE": str(cache_folder())}
    other = replace(drill.copy, before=words, variables=place)
    drill.say(f"   {other.demo().told('cannot be written', 'run in a folder of your own')}")
    drill.copy.check(drill.expected)
    own = drill.fresh(before=words, variables=place)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(own.root)], check=True)
    try:
        drill.ends_green(own)
    finally:
        subprocess.run(["chown", "-R", f"{os.geteuid()}:{os.getegid()}", str(own.root)], check=True)


def as_nobody(work: Path) -> tuple[str, ...]:
    """Return the words before a command that make it another user's, who reaches the environment, the data and `work`."""
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all")
    if os.geteuid():
        raise NotHere("only root may run a program as somebody else")
    needed = [Path(sys.prefix), Path(sys.executable).resolve().parents[1], cache_folder(), work]
    closed = {parent for path in needed for parent in path.resolve().parents if not parent.stat().st_mode & 0o001}
    if not closed:
        return user
    # a home that is closed to others is covered, for this command alone, by a folder that holds just these
    top = min(closed, key=lambda path: len(path.parts))
    words = ("unshare", "--mount", "sh", "-euc", COVER, "sh", str(top), *map(str, dict.fromkeys(needed)), "--", *user)
    done = subprocess.run([*words, "true"], cwd=work, check=False, capture_output=True, text=True)
    if done.returncode:
        raise NotHere(f"{top} is closed to others and cannot be covered: {done.stderr.strip()}")
    return words


def two_at_once(drill: Drill) -> None:
    """Two runs that begin in the same moment: one goes on, the other is told."""
    copy = drill.fresh()
    runs = [copy.start() for _ in range(2)]
    ended = sorted((run.ended() for run in runs), key=lambda one: one.code)
    ended[0].green()
    drill.say(f"   {ended[1].told('another run', 'wait for its end')}")
    copy.check(drill.expected)


def equal_seconds(drill: Drill) -> None:
    """A file system that knows whole seconds, and all files of one."""
    for path in drill.copy.root.rglob("*"):
        if not path.is_symlink() and ".venv" not in path.parts:
            os.utime(path, (1_700_000_000, 1_700_000_000))
    ended = drill.copy.demo().green()
    if "Nothing to be done" not in ended.output:
        raise Broke(f"jobs ran again: {ended.tail()}")
    drill.copy.check(drill.expected)


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[None]:
    """Mount something at a place while the body lasts."""
    done = subprocess.run(["mount", *words, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"mounting is refused: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def full_disk(drill: Drill) -> None:
    """A disk that fills up, at the beginning and somewhere on the way; or files that may not grow, where mounting is refused."""
    disk = drill.copy.root.parent / "disk"
    disk.mkdir()
    try:
        with mounted(disk, "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"):
            copy = Copy.make(disk / "tree")
            # the caches of Python and of Snakemake's sources are elsewhere
            copy.variables = {"PYTHONDONTWRITEBYTECODE": "1"}
            for free in (FREE_BYTES[0], drill.rng.randint(*FREE_BYTES), drill.rng.randint(*FREE_BYTES)):
                copy.clean()
                filler = disk / "filler"
                filler.write_bytes(b"\0" * (shutil.disk_usage(disk).free - free))
                drill.say(f"   {free:,} bytes free: {copy.demo().told('space left', 'free some')}")
                filler.unlink()
                drill.ends_green(copy)
    except NotHere as reason:
        if not shutil.which("prlimit"):
            raise
        drill.say(f"   {reason}; files that may not grow in its place")
        limited = drill.fresh(before=("prlimit", f"--fsize={FILE_BYTES}"))
        drill.say(f"   {limited.demo().told('File too large', 'free some space')}")
        drill.ends_green(drill.copy)
    finally:
        disk.rmdir()


def read_only(drill: Drill) -> None:
    """Results that cannot be written: the whole folder, and one in the middle of it."""
    copy = drill.fresh()
    for name in ("results", RESULT):
        place = copy.root / name
        place.mkdir(parents=True)
        with sealed(place):
            drill.say(f"   {copy.demo().told(f'{name} must be a folder that can be written')}")
        drill.ends_green(copy)
        copy.clean()


@contextmanager
def sealed(place: Path) -> Iterator[None]:
    """Make a folder one that nobody may write to while the body lasts, root neither."""
    if os.geteuid():
        place.chmod(0o555)
        try:
            yield
        finally:
            place.chmod(0o755)
        return
    with mounted(place, "--bind", str(place)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        yield


def flipped(path: Path, rng: random.Random) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def cut(path: Path, rng: random.Random) -> None:
    """Leave the first part of a file."""
    path.write_bytes(path.read_bytes()[: rng.randrange(1, path.stat().st_size)])


def emptied(path: Path, rng: random.Random) -> None:
    """Leave nothing of a file."""
    path.write_bytes(b"")


def removed(path: Path, rng: random.Random) -> None:
    """Leave no file."""
    path.unlink()


DAMAGES = (flipped, cut, emptied, removed)


def damaged_results(drill: Drill) -> None:
    """Every kind of damage to files that a later stage reads, while that stage has to run again."""
    copy = drill.copy
    copy.demo().green()
    inputs = [
        RESULT / "denoise" / name
        for name in (
            "measure/measurements.safetensors",
            "measure/provenance.json",
            "solve/reconstructions.safetensors",
            "solve/provenance.json",
            "tune/parameters.json",
        )
    ] + [RESULT / "check" / "checks.json", RESULT / "denoise" / "evaluate" / "metrics.json"]
    kinds = [*DAMAGES, *drill.rng.choices(DAMAGES, k=len(inputs) - len(DAMAGES))]
    drill.rng.shuffle(kinds)
    for path, damage in zip(inputs, kinds, strict=True):
        target = copy.root / path
        damage(target, drill.rng)
        page = copy.root / "reports" / "small" / "imaging.html"
        page.unlink()
        if path.parent.name != "check" and path.parent.name != "evaluate":
            (copy.root / RESULT / "denoise" / "evaluate" / "metrics.json").unlink()
        for _ in range(3):
            ended = copy.demo()
            if not ended.code:
                break
            line = ended.told("remove ")
            drill.say(f"   {path} {damage.__name__}: {line}")
            named = re.search(r"results/\S+?\.(json|safetensors)", line)
            if named is None or not (copy.root / named[0]).exists():
                raise Broke(f"the line names no file that is there: {line}")
            (copy.root / named[0]).unlink()
        ended.green()
        copy.check(drill.expected)


def damaged_cache(drill: Drill) -> None:
    """Data sets of a cache of one's own that were cut off, changed or lost: fetched again, or said where no network is."""
    cache = drill.copy.root.parent / "cache"
    shutil.copytree(cache_folder(), cache, symlinks=True)
    by_pip = [record(name) for name in tier_ids("ci") if packages()[record(name).package].kind == "pip"]
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1"}
    copy = drill.fresh(variables={"SCIML_CACHE": str(cache)})
    try:
        for damage in (flipped, cut, removed):
            row = drill.rng.choice([one for one in by_pip if not one.is_folder])
            target = cache / row.location.relative_to(cache_folder())
            damage(target, drill.rng)
            no_network = replace(copy, variables={**copy.variables, **offline})
            drill.say(f"   {row.id} {damage.__name__}: {no_network.demo().told('could not download', 'check the network')}")
            copy.demo().green()
            copy.check(drill.expected)
            if target.read_bytes() != row.location.read_bytes():
                raise Broke(f"{row.id} was not fetched again")
    finally:
        shutil.rmtree(cache)


def no_package_lists(drill: Drill) -> None:
    """A cache that lacks what comes by apt, on a machine whose lists of packages are missing."""
    cache, lists = drill.copy.root.parent / "cache", drill.copy.root.parent / "lists"
    (lists / "partial").mkdir(parents=True)
    shutil.copytree(cache_folder(), cache, symlinks=True)
    by_apt = [record(name) for name in tier_ids("ci") if packages()[record(name).package].kind == "apt"]
    row = drill.rng.choice(by_apt)
    shutil.rmtree(cache / row.location.relative_to(cache_folder()).parent)
    settings = lists / "apt.conf"
    settings.write_text(f'Dir::State::lists "{lists}";\nDir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n')
    copy = drill.fresh(variables={"SCIML_CACHE": str(cache), "APT_CONFIG": str(settings), "CI": ""})
    try:
        ended = copy.demo().green()
        (line,) = [line for line in ended.output.splitlines() if row.id in line and "missing" in line]
        if "apt-get update" not in line:
            raise Broke(f"the line does not say what to do: {line}")
        drill.say(f"   {line[:240]}")
        drill.ends_green(drill.copy)
    finally:
        shutil.rmtree(cache)
        shutil.rmtree(lists)


def damaged_weights(drill: Drill, study: Copy, expected: Mapping[str, str]) -> None:
    """Weights of the package and of the run itself that changed on disk, in the finished run of everything."""
    words = ("TIER=ci",)
    shipped = study.root / "sciml" / drill.rng.choice(SHIPPED)
    flipped(shipped, drill.rng)
    line = study.demo(*words).told(shipped.name, "brings the shipped one back")
    drill.say(f"   {line}")
    shutil.copy2(ROOT / shipped.relative_to(study.root), shipped)
    study.demo(*words).green()
    study.check(expected, "ci")
    own = study.root / TRAINED
    flipped(own, drill.rng)
    drill.say(f"   {study.demo(*words).told(str(TRAINED), 'remove it')}")
    own.unlink()
    study.demo(*words).green()
    study.check(expected, "ci")


AROUND = (
    odd_path,
    equal_seconds,
    another_user,
    without_home,
    umask,
    two_at_once,
    full_disk,
    read_only,
    damaged_results,
    damaged_cache,
    no_package_lists,
)
