"""How long a restoration takes, whether that is bearable, and what is told while it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sciml.deblurring.files.photos import Photo, write_photo
from sciml.deblurring.files.picture import Array
from sciml.deblurring.settings.structures import DipConfig
from sciml.runtime.errors import ConfigError

LARGE = 4_000_000
# seconds of one core: for a pixel and channel by total variation and by a learned prior, for the fit of a kernel, and for a
# pixel and step of untrained networks
TV_SECONDS, PRIOR_SECONDS, FIT_SECONDS = 5e-6, 4e-5, {"warp": 15.0, "kernel": 10.0, "both": 25.0}
DIP_SECONDS = {"tiny": 2.3e-6, "small": 3e-6, "published": 3e-5}
PROGRESS_SECONDS = 5.0
Say = Callable[[str], None]


def check_size(photo: Photo, prior: str, dip: DipConfig) -> None:
    """Refuse untrained networks for photographs that would take them days (ConfigError)."""
    pixels = photo.size[0] * photo.size[1]
    if prior != "dip" or pixels <= LARGE:
        return
    slow, quick = (words(seconds_of(photo, which, "none", dip)) for which in (prior, "tv"))
    raise ConfigError(
        f"{photo.size[0]} x {photo.size[1]} pixels are too many: untrained networks take {slow} of one core and much memory; "
        f"take --prior tv ({quick}), or a part of the photograph of at most {LARGE / 1e6:g} megapixels"
    )


def seconds_of(photo: Photo, prior: str, error: str, dip: DipConfig, spread: int = 0) -> float:
    """Return about how many seconds a restoration takes one core."""
    pixels = photo.size[0] * photo.size[1]
    seconds = pixels * photo.channels * TV_SECONDS * (1 + (error != "none") + 0.6 * spread) + FIT_SECONDS.get(error, 0.0)
    if prior == "dip":
        return seconds + pixels * dip.iterations * DIP_SECONDS[dip.network]
    return seconds + (0 if prior == "tv" else pixels * photo.channels * PRIOR_SECONDS)


def words(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


class Progress:
    """Tells what is going on, at most every few seconds, and keeps the current estimate in a file.

    Args:
        photo: form of the file.
        file: written whole each time, or None.
        say: is told.
    """

    def __init__(self, photo: Photo, file: Path | None, say: Say) -> None:
        self.photo, self.file, self.say = photo, file, say
        self.kind, self.first = "", (0, 0.0)
        self.told = self.written = -PROGRESS_SECONDS

    def __call__(self, what: str, estimate: Array) -> None:
        """Take in what begins or goes on, and the estimate so far."""
        now = time.monotonic()
        kind = re.sub(r"\d+", "", what)
        new = kind != self.kind
        step = re.match(r"(?:step|part) (\d+) of (?:at most )?(\d+)", what)
        if step and new:
            self.first = (int(step[1]), now)
        if new or now - self.told >= PROGRESS_SECONDS:
            left = ""
            if step and int(step[1]) > self.first[0]:
                pace = (now - self.first[1]) / (int(step[1]) - self.first[0])
                left = f", at most {words(pace * (int(step[2]) - int(step[1]))).removeprefix('about ')} left"
            self.say(what + left)
            self.told, self.kind = now, kind
        if self.file is not None and now - self.written >= PROGRESS_SECONDS:
            write_photo(self.file, torch.as_tensor(estimate), self.photo)
            self.written = time.monotonic()
