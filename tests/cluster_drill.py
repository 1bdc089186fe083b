"""Run a family of the tier `ci` on a Slurm cluster of one node and compare: `python tests/cluster_drill.py [FAMILY]`.

The cluster is Debian's (`apt-get install slurmctld slurmd slurm-client munge`), with settings, keys and state in a temporary
folder and on the loopback interface: one node, two partitions, a pretended card. The environment needs `make dev EXTRAS=slurm`.
A stage is killed, another job is cancelled; the run must fail, the next one must end green with the numbers of a run on this
machine. Then the card: a job that asks for one is given it by the scheduler. Exit code 0 where all of that held, 1 where it
broke, 3 where this machine cannot run the cluster; the reason is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from drill.kills import stage_of
from drill.slurm import NoCluster, asked, cluster
from drill.tree import Broke, Copy, Ended, artefacts

from sciml.families import families

# what a site of one's own changes of profiles/slurm: here a cluster without accounts, and a short wait between questions
SITE = {
    "slurm-no-account": True,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 2,
    "seconds-between-status-checks": 2,
    "latency-wait": 10,
}
LIMIT_SECONDS = 3600


def say(line: str) -> None:
    """Print a line at once."""
    print(line[:300], flush=True)


def site_profile(copy: Copy, name: str, **changes: object) -> str:
    """Write a profile of a site beside the shipped one; return its folder."""
    folder = copy.root / "profiles" / name
    folder.mkdir()
    shipped = yaml.safe_load((copy.root / "profiles" / "slurm" / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**shipped, **SITE, **changes}))
    return f"profiles/{name}"


def start(copy: Copy, family: str, profile: str, log: Path) -> subprocess.Popen[bytes]:
    """Start `sciml run` of a family with a profile."""
    words = ["sciml", "run", "ci", "--family", family, "--profile", profile]
    with log.open("wb") as file:
        return subprocess.Popen(words, cwd=copy.root, env=copy.environment(), stdout=file, stderr=subprocess.STDOUT)


def finished(process: subprocess.Popen[bytes], log: Path) -> Ended:
    """Wait for the end of a run."""
    code = process.wait(LIMIT_SECONDS)
    return Ended(code, log.read_text(errors="replace"))


def stages_at_work(root: Path) -> dict[int, tuple[str, str]]:
    """Return family and stage of the processes that run one in a folder, whoever started them."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == root:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                if stage := stage_of(words):
                    found[int(entry.name)] = stage
        except OSError:  # it ended meanwhile
            continue
    return found


def killed_in_the_middle(copy: Copy, family: str, profile: str, rng: random.Random) -> None:
    """Kill a stage and cancel a job of a run; Broke if the run does not say so."""
    log = copy.root.parent / "killed.txt"
    process = start(copy, family, profile, log)
    waiting = [lambda number, job: os.kill(number, signal.SIGKILL), lambda number, job: cancel(copy, job)]
    seen: set[int] = set()
    while process.poll() is None:
        for number, (_, stage) in stages_at_work(copy.root.resolve()).items():
            job = Path(f"/proc/{number}/environ")
            if waiting and number not in seen:
                seen.add(number)
                time.sleep(rng.uniform(0, 3))
                try:
                    values = dict(one.partition("=")[::2] for one in job.read_text(errors="replace").split("\0"))
                    waiting[0](number, values["SLURM_JOB_ID"])
                except (OSError, KeyError):  # it ended meanwhile
                    continue
                waiting.pop(0)
                say(f"   {stage} of job {values['SLURM_JOB_ID']} is {'cancelled' if not waiting else 'killed'}")
        time.sleep(0.2)
    ended = finished(process, log)
    if waiting:
        raise Broke(f"no job was there to be {'killed' if len(waiting) == 2 else 'cancelled'}: {ended.tail()}")
    if ended.code == 0 or "Error in rule" not in ended.output:
        raise Broke(f"two jobs were stopped and the run ended with {ended.code}")


def cancel(copy: Copy, job: str) -> None:
    """Cancel a job as its user does."""
    subprocess.run(["scancel", job], env=copy.environment(), check=True)


def card_is_asked_for(copy: Copy, profile: str) -> None:
    """Run a stage that computes on a GPU where it gets one; Broke if the scheduler was not asked, or the stage says nothing."""
    log = copy.root.parent / "card.txt"
    for path in (copy.root / "results/ci/imaging/denoise").glob("solve/*"):
        path.unlink()
    process = start(copy, "imaging", profile, log)
    asked_for = ""
    while process.poll() is None:
        asked_for += asked(copy.variables, "squeue", "--noheader", "--states=all", "--Format=tres-per-job:40")
        time.sleep(1)
    ended = finished(process, log)
    if "gpu" not in asked_for:
        raise Broke(f"no job asked for a GPU: {ended.tail()}")
    # the card is a pretended one: where the packages know none, the stage that was told of it must say so
    says = re.search(r"sciml: error: Torch not compiled with CUDA enabled: .*", ended.output)
    if not says and '"--gpu",\n    "1"' not in (copy.root / "results/ci/imaging/denoise/solve/provenance.json").read_text():
        raise Broke(f"the scheduler gave a GPU and the stage was not told: {ended.tail()}")
    say(f"   asked for {asked_for.split()[-1]}; {says[0] if says else 'computed on it'}")


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="?", default="imaging", choices=["all", *families()], help="family, study, or `all`")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="what is killed, and when")
    parser.add_argument("--reference", type=Path, help="results/ci of a run on this machine; made by default")
    parser.add_argument("--folder", type=Path, help="where the trees are made and left; by default they are removed")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="cluster-drill-") as temporary:
        folder = given.folder or Path(temporary)
        (folder / "cluster").mkdir(parents=True)
        try:
            with cluster(folder / "cluster") as variables:
                say(asked(variables, "sinfo", "--noheader", "--format=%P %D %c cores %G").replace("\n", "; "))
                copy = Copy.make(folder / "slurm")
                copy.variables = {**variables, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"}
                # no card, and the second partition for one rule
                long = {"resources": ["gpu=0"], "set-resources": ["imaging_check_operators:slurm_partition=long"]}
                profile = site_profile(copy, "site", **long)
                killed_in_the_middle(copy, given.family, profile, rng)
                log = folder / "rerun.txt"
                finished(start(copy, given.family, profile, log), log).green()
                say("   the rerun is green")
                results = given.reference or undisturbed(folder, given.family)
                prefix = "" if given.family == "all" else f"{given.family}/"
                expected = {name: digest for name, digest in artefacts(results) if name.startswith(prefix)}
                copy.check(expected, "ci")
                say(f"   {len(expected)} results are those of a run on this machine")
                if given.family in ("imaging", "all"):
                    card_is_asked_for(copy, site_profile(copy, "card", resources=["gpu=1"]))
        except NoCluster as reason:
            say(f"not run: {reason}")
            return 3
        except Broke as reason:
            say(f"BROKE: {reason}")
            return 1
    say("held")
    return 0


def undisturbed(folder: Path, family: str) -> Path:
    """Return the results of a family that ran on this machine alone."""
    copy = Copy.make(folder / "local")
    copy.demo("TIER=ci", f"FAMILY={family}").green()
    return copy.root / "results" / "ci"


if __name__ == "__main__":
    sys.exit(main())
