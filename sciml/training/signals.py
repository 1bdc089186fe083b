"""End a training at the next step when the user or the scheduler asks for it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from sciml.runtime.errors import ScimlError


class TrainingInterrupted(ScimlError):
    """A signal ended the training; the checkpoint is written. Exit code 130 (Ctrl-C) or 143 (SIGTERM)."""

    def __init__(self, step: int, steps: int, folder: Path, number: int) -> None:
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} after step {step} of {steps}; the same command goes on from {folder}")
        self.exit_code = 128 + number


class StopSignals:
    """Note the first SIGINT or SIGTERM so that the step can end; a second one acts at once.

    Attributes:
        number: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else.
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)
