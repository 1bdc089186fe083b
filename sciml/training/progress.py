"""Tell how a training goes: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from sciml.runtime.processes import rank

LINE_EVERY_SECONDS = 5.0


class TrainingProgress:
    """Show steps, loss, speed and used processor time on standard error.

    Args:
        steps: number of steps of the whole run.
        done: steps that an earlier run did already.
    """

    def __init__(self, steps: int, done: int = 0) -> None:
        self._steps = steps
        self._first = done
        self._began = self._last_line = time.monotonic()
        self._bar = None
        if sys.stderr.isatty() and rank() == 0:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("training", total=steps, completed=done, note="")

    def __enter__(self) -> TrainingProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, step: int, loss: float, learning_rate: float, cpu_minutes: float) -> None:
        """Report after `step` completed steps."""
        if self._bar:
            self._bar.update(self._task, completed=step, note=f"loss {loss:.4g}  {cpu_minutes:.1f} CPU min")
            return
        now = time.monotonic()
        if now - self._last_line < LINE_EVERY_SECONDS:
            return
        self._last_line = now
        speed = (step - self._first) / (now - self._began)
        left = (self._steps - step) / speed / 60
        self.say(
            f"step {step}/{self._steps}  loss {loss:.4g}  learning rate {learning_rate:.3g}  {speed:.3g} steps/s  "
            f"{cpu_minutes:.1f} CPU min used  at most {left:.1f} min left"
        )

    def say(self, line: str) -> None:
        """Print one line, above the bar where there is one."""
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False)
        elif rank() == 0:
            print(line, file=sys.stderr, flush=True)
