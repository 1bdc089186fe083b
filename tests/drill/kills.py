"""SIGKILL at random moments of `make demo TIER=ci`: stages, trainings, Snakemake, the run, all of it at once."""

from __future__ import annotations

import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drill.tree import Broke, Copy, Ended, cpu_seconds, sessions

TRAINING = re.compile(r"train|fit|toy|digits|dip|fit_\w+")
# processor seconds of a stage before it is killed: most of the tier take longer
EARLY, LATE = 0.3, 5.0
EACH = 5
# beside the stages, by the number of times
OTHERS = {"Snakemake": 2, "the run": 1, "everything": 2}
ROUNDS = 40


@dataclass
class Killer:
    """Kills what belongs to one run after another, until every family was hit often enough.

    Args:
        copy: the tree.
        rng: draws victims and moments.
        families: to hit.
        say: prints a line.
        each: hits a family must get.
        others: how often what is no stage is killed.
    """

    copy: Copy
    rng: random.Random
    families: list[str]
    say: Callable[[str], None]
    each: int = EACH
    others: Mapping[str, int] = field(default_factory=lambda: OTHERS)

    def __post_init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.trained: Counter[str] = Counter()
        self.signals = 0
        self.rest = [kind for kind, count in self.others.items() for _ in range(count)]
        self.rng.shuffle(self.rest)
        self.victims: set[str] = set()
        self.spoiled: list[Path] = []
        self.began_anew = False

    def owed(self) -> dict[str, int]:
        """Return how many hits each family still gets."""
        return {family: self.each - self.hits[family] for family in self.families if self.hits[family] < self.each}

    def run(self, *words: str) -> int:
        """Kill until nothing is owed and a run ends green; return how many runs that took.

        Raises:
            Broke: a run that nobody disturbed failed, another stage than the killed failed, or a run beside a living one began.
        """
        for number in range(1, ROUNDS + 1):
            before = self.signals
            ended = self._disturbed(*words)
            killed = self.signals - before
            self.say(f"run {number}: {killed} kills, exit code {ended.code}, owed {sum(self.owed().values()) + len(self.rest)}")
            if ended.code == 0 and killed:
                raise Broke(f"{killed} processes of the run were killed and it says that it is green")
            if ended.code and not killed and not self.spoiled:
                ended.green()
            self._only_victims_failed()
            if not self.spoiled:
                self._spoil()
            if ended.code == 0:
                if not self.owed() and not self.rest:
                    return number
                self._remove_some()
        raise Broke(f"{ROUNDS} runs, and still owed: {self.owed()}, {self.rest}")

    def _disturbed(self, *words: str) -> Ended:
        run = self.copy.start(*words)
        process = run.process
        armed: dict[int, tuple[str, str, float]] = {}
        other = self.rest[-1] if self.rest and (self.rng.random() < 0.5 or not self.owed()) else ""
        after, first = self.rng.uniform(0, 60 if self.owed() else 3), math.inf
        while process.poll() is None:
            living = sessions(process.pid)
            for number, words_ in living.items():
                if number not in armed and (found := stage_of(words_)):
                    armed[number] = (*found, self._moment(*found))
            for number, (family, stage, seconds) in armed.items():
                if number in living and self.hits[family] < self.each and self._due(number, living[number], stage, seconds):
                    self._kill(number, family, stage)
                    armed[number] = (family, stage, math.inf)  # it may be seen once more while it ends
            if stages_in(living):
                first = min(first, time.monotonic())
            if other and time.monotonic() > first + after and stages_in(living):
                self._kill_other(other, process, words)
                break
            time.sleep(0.05)
        return run.ended()

    def _moment(self, family: str, stage: str) -> float:
        """Return after how many processor seconds a stage is killed, or infinity."""
        training = bool(TRAINING.fullmatch(stage)) and not self.trained[f"{family}.{stage}"]
        if not training and self.rng.random() > 0.75:
            return math.inf
        return self.rng.uniform(EARLY, 2 * LATE if training else LATE)

    def _due(self, number: int, words: list[str], stage: str, seconds: float) -> bool:
        """Say whether a stage is killed now: at its moment, and half of the trainings when they have written a checkpoint."""
        if TRAINING.fullmatch(stage) and LATE < seconds < math.inf and "--output" in words:
            output = self.copy.root / words[words.index("--output") + 1]
            if any(output.glob("*.partial/checkpoint.safetensors")):
                return True
        return cpu_seconds(number) >= seconds

    def _kill(self, number: int, family: str, stage: str) -> None:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.signals += 1
        self.hits[family] += 1
        self.victims.add(f"{family}.{stage}")
        if TRAINING.fullmatch(stage):
            self.trained[f"{family}.{stage}"] += 1

    def _kill_other(self, kind: str, process: subprocess.Popen[bytes], words: tuple[str, ...]) -> None:
        """Kill Snakemake, or the run that started it, and see that a run beside what lives on is refused; or kill everything."""
        living = sessions(process.pid)
        program = {"Snakemake": "snakemake", "the run": "sciml"}.get(kind)
        mains = [number for number, one in living.items() if len(one) > 2 and Path(one[1]).name == program and one[2] != "stage"]
        if program and not mains:
            return
        self.rest.pop()
        self.signals += 1
        running = stages_in(living)
        self.victims |= {f"{family}.{stage}" for family, stage in running.values()}
        self.say(f"   {kind} is killed beside {', '.join(f'{family}.{stage}' for family, stage in running.values())}")
        if not program:
            os.killpg(process.pid, signal.SIGKILL)
            self.hits.update(family for family, _ in running.values())
        else:
            for number in running:  # held, so that they outlive it for sure
                os.kill(number, signal.SIGSTOP)
            os.kill(min(mains), signal.SIGKILL)
            if kind == "Snakemake":
                process.wait(120)
            self.copy.demo(*words).told("is at work in", "wait for its end, or stop it")
            if kind == "Snakemake":
                for number in running:
                    os.kill(number, signal.SIGCONT)
            else:  # Snakemake itself lives on and would run to its end
                os.killpg(process.pid, signal.SIGKILL)
                self.hits.update(family for family, _ in running.values())
        end = time.monotonic() + 300
        while sessions(process.pid):
            if time.monotonic() > end:
                raise Broke(f"what {kind} left did not end")
            time.sleep(0.1)

    def _only_victims_failed(self) -> None:
        """See that only what was killed failed, and the training whose checkpoint was cut: do there what its error says."""
        for path in (self.copy.root / "reports").rglob("failures/*.json"):
            record = json.loads(path.read_text())
            text = record["traceback"]
            if record["stage"] in self.victims and "it was killed" in text:
                continue
            told = re.search(
                r"^\S*FormatError: (checkpoint \S+ is damaged; remove (\S+) to start the training anew.*)", text, re.MULTILINE
            )
            if not told or self.copy.root / told[2] not in self.spoiled:
                raise Broke(f"{record['stage']} failed, which nobody killed: {text[-600:]}")
            self.say(f"   {told[1][:200]}")
            shutil.rmtree(self.copy.root / told[2])
            self.began_anew = True

    def _spoil(self) -> None:
        """Cut the checkpoint of a training that was killed."""
        for path in sorted((self.copy.root / "results").rglob("*.partial/checkpoint.safetensors")):
            path.write_bytes(path.read_bytes()[: self.rng.randrange(path.stat().st_size)])
            self.spoiled.append(path.parent)
            self.say(f"   cut: {path.relative_to(self.copy.root)}")
            return

    def _remove_some(self) -> None:
        """Take a file of a stage away, so that families which are owed a kill have work again."""
        for family in self.owed() or [self.rng.choice(self.families)]:
            records = sorted((self.copy.root / "results").glob(f"*/{family}/**/provenance.json"))
            self.rng.choice(records).unlink()


def stage_of(words: list[str]) -> tuple[str, str] | None:
    """Return family and stage of a process that runs one, by its words."""
    for place in range(1, min(3, len(words) - 3)):
        if Path(words[place]).name == "sciml" and words[place + 1] == "stage" and "python" in words[0]:
            return words[place + 2].replace("-", "_"), words[place + 3].replace("-", "_")
    return None


def stages_in(living: Mapping[int, list[str]]) -> dict[int, tuple[str, str]]:
    """Return family and stage of the processes that run one."""
    return {number: found for number, words in living.items() if (found := stage_of(words))}
