"""Stage `theory`: the two studies of small networks on priors that are known or can be seen, one after the other."""

from __future__ import annotations

from pathlib import Path

from sciml.proximal.config import TheoryConfig
from sciml.proximal.stages import digits, toy


def run(config: TheoryConfig, output: Path) -> list[Path]:
    """Write what the stages `toy` and `digits` write, into folders of these names.

    Args:
        config: settings of both.
        output: results folder of the study.
    """
    return [*toy.run(config.toy, output / "toy"), *digits.run(config.digits, output / "digits")]
