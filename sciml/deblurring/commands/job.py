"""What is to be done with photographs and where the results go; what is wrong with that is found before any work."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sciml.deblurring.correction.orientation import ORIENTATIONS
from sciml.deblurring.correction.sensitivity import KERNEL_ERROR, drawn_kernels
from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.kernels.shake import is_shake, read_shake
from sciml.deblurring.restoration.deblur import check_arguments
from sciml.deblurring.settings.structures import DipConfig
from sciml.imaging.operators.kernels import gaussian
from sciml.imaging.priors import resolve
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import merged, validated

ESTIMATE, ESTIMATE_ROTATION, ESTIMATE_SIZE = "estimate", "estimate-rotation", 27


@dataclass(frozen=True)
class JobSpec:
    """What is to be done with photographs, checked by `check`. Names are those of `sciml.deblurring.deblur`.

    Attributes:
        kernel: text for `sciml.deblurring.kernels.canonical.read_kernel`, the name of a table of poses (`.csv`), or `estimate` or
            `estimate-rotation` with a size, `estimate:27`.
        value_range: stored values of floats that become 0 and 1.
        mask: file of trusted pixels.
        strict: refuse kernels that have to be repaired.
        orientation: of `sciml.deblurring.correction.orientation.ORIENTATIONS`.
    """

    kernel: str
    noise_std: float | None = None
    prior: str = "tv"
    error: str = "warp"
    weight: float | None = None
    gamma: str = "auto"
    value_range: tuple[float, float] | None = None
    mask: Path | None = None
    spread: int = 0
    kernel_error: str = KERNEL_ERROR
    strict: bool = False
    orientation: str = "given"
    seed: int = 0
    dip: DipConfig = field(default_factory=DipConfig)

    def check(self) -> None:
        """Refuse what would fail for any photograph, so that many fail at once."""
        estimate_size(self.kernel)
        if is_shake(self.kernel):
            read_shake(Path(self.kernel))
        elif not self.estimates:
            read_kernel(self.kernel, strict=self.strict)
        check_arguments(self.prior, self.error, self.noise_std, self.weight, self.spread)
        if self.spread:
            drawn_kernels(gaussian(1.5), self.kernel_error, self.spread, self.seed)
        if self.orientation not in ORIENTATIONS:
            raise ConfigError(f"--orientation is one of {', '.join(ORIENTATIONS)}, got {self.orientation!r}")
        if self.varies and (self.orientation != "given" or self.prior == "dip"):
            raise ConfigError("a camera that turned has no --orientation, and takes --prior tv or a learned one")
        if self.prior not in ("tv", "dip"):
            resolve(self.prior)

    @property
    def estimates(self) -> bool:
        """Whether the kernel is estimated from each photograph."""
        return estimate_size(self.kernel) is not None

    @property
    def varies(self) -> bool:
        """Whether the kernel varies over the photograph, since the camera turned."""
        return is_shake(self.kernel) or self.kernel.partition(":")[0] == ESTIMATE_ROTATION


@dataclass(frozen=True)
class Outputs:
    """Files to write; see the options of `sciml deblurring restore`."""

    out: Path | None
    kernel: Path | None = None
    residual: Path | None = None
    spread: Path | None = None
    mask: Path | None = None
    progress: Path | None = None
    summary: Path | None = None

    def by_option(self) -> dict[str, Path | None]:
        """Return the files by the option that names them."""
        more = {f"--{name}-out": getattr(self, name) for name in ("kernel", "residual", "spread", "mask")}
        return {"--out": self.out, "--progress-out": self.progress, "--json": self.summary} | more


def estimate_size(text: str) -> int | None:
    """Return the size of a kernel that is to be estimated, or None for any other text (ConfigError: a wrong size)."""
    kind, _, size = text.partition(":")
    if kind not in (ESTIMATE, ESTIMATE_ROTATION):
        return None
    if size and not re.fullmatch(r"\d+", size):
        raise ConfigError(f"a kernel is estimated by {kind} or {kind}:SIZE, got {text!r}")
    return int(size or ESTIMATE_SIZE)


def parse_dip(options: Sequence[str]) -> DipConfig:
    """Return the settings of untrained networks from `key=value` texts, `stop.patience=300` for those of the stop rule."""
    values: dict[str, Any] = {}
    for option in options:
        key, separator, text = option.partition("=")
        if not (key and separator and text):
            raise ConfigError(f"a setting looks like iterations=500, got {option!r}")
        try:
            nested: Any = json.loads(text)
        except json.JSONDecodeError:
            nested = text
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merged(values, nested)
    return validated(DipConfig, values, "--option")
