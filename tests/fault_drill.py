"""Break a run in every way that happens to one; the next `make demo` must be right: `python tests/fault_drill.py [NAME ...]`.

Fifty SIGKILLs at random moments of the tier `ci` in every family and study, trainings among them, and of Snakemake, the run, all
at once; then a full disk, read-only results, damaged results, weights and data, and other bad luck around a small study. After
each the next `make demo` must end green with the numbers of a run that nobody disturbed and leave nothing half-written, or say in
one line what to do, which is done. It takes about 15 minutes of two idle cores; `--seed` repeats it. The exit code counts the
faults under which something broke.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from drill.faults import AROUND, Drill, NotHere, damaged_weights
from drill.kills import Killer
from drill.tree import ODD, ROOT, Broke, Copy, artefacts

from sciml.families import families

FROZEN = ROOT / "benchmarks" / "frozen_ci.json"
EVERYTHING = ("kills", "damaged_weights")


def say(line: str) -> None:
    """Print a line at once."""
    print(line[:400], flush=True)


def kills(drill: Drill, study: Copy, expected: Mapping[str, str]) -> None:
    """Fifty SIGKILLs in one run of everything, begun again until it ends."""
    killer = Killer(study, drill.rng, [*families()], say)
    runs = killer.run("TIER=ci")
    counts = ", ".join(f"{family} {count}" for family, count in sorted(killer.hits.items()))
    trained = ", ".join(f"{stage} {count}" for stage, count in sorted(killer.trained.items()))
    say(f"   {killer.signals} SIGKILLs in {runs} runs; hits: {counts}; trainings among them: {trained}")
    if not killer.began_anew:
        say("   no training that was killed left a checkpoint to damage: another seed may")
    study.check(expected, "ci")


def undisturbed(folder: Path) -> dict[str, str]:
    """Return the digests of the small study in a plain folder."""
    copy = Copy.make(folder)
    copy.demo().green()
    return dict(artefacts(copy.root / "results" / "small"))


def held(name: str, fault: Callable[[], None]) -> bool:
    """Make a fault and say how it ended; one that this machine cannot make did not break anything."""
    begin = time.monotonic()
    word, reason = "held", ""
    try:
        fault()
    except NotHere as error:
        word, reason = "not run", str(error)
    except Broke as error:
        word, reason = "BROKE", str(error)
    print(f"{word:8} {name:17} {time.monotonic() - begin:5.0f} s  {reason}", flush=True)
    return word != "BROKE"


def main() -> int:
    """Make the faults that are named, by default all; return under how many something broke."""
    known = [*EVERYTHING, *(one.__name__ for one in AROUND)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all by default: {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="what is hit, and when")
    parser.add_argument(
        "--reference", type=Path, help="results/ci of a run that nobody disturbed, where numbers are not the frozen"
    )
    parser.add_argument("--folder", type=Path, help="where the trees are made and left; by default they are removed")
    given = parser.parse_args()
    chosen = given.names or known
    if unknown := set(chosen) - set(known):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; choose among {', '.join(known)}")
    frozen = {name: digest for name, digest in json.loads(FROZEN.read_text()).items() if " " not in name}
    whole = dict(artefacts(given.reference)) if given.reference else frozen
    say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="fault-drill-") as temporary:
        Path(temporary).chmod(0o755)  # another user's turn comes too
        folder = given.folder or Path(temporary)
        faults: dict[str, Callable[[Drill], None]] = {}
        if set(chosen) & set(EVERYTHING):
            study = Copy.make(folder / "everything")
            faults |= {"kills": partial(kills, study=study, expected=whole)}
            faults |= {"damaged_weights": partial(damaged_weights, study=study, expected=whole)}
        expected = {}
        copy = Copy.make(folder / ODD)
        if set(chosen) - set(EVERYTHING):
            expected = undisturbed(folder / "plain")
            faults |= {one.__name__: one for one in AROUND}
            copy.demo().green()
        broke = 0
        for name in chosen:
            drill = Drill(copy, expected, random.Random(f"{given.seed} {name}"), say)
            broke += not held(name, partial(faults[name], drill))
    print(f"{broke} of {len(chosen)} broke something")
    return broke


if __name__ == "__main__":
    sys.exit(main())
