"""What tests of every family share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from command_line import root_command

from sciml import cli
from sciml.datasets import manifest
from sciml.families import families

pytest_plugins = ["since"]

# a job that loads or opens what its rule does not declare fails, wherever a test runs a workflow
os.environ["SCIML_STRICT"] = "1"

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sciml_command(tmp_path, monkeypatch, capfd) -> Call:
    """Run `sciml` with some words in an empty folder; return (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "SCIML_DEBUG"):
        monkeypatch.setenv(name, "1" if name.endswith("THREADS") else "")
    monkeypatch.delenv("SCIML_REPORTS", raising=False)
    monkeypatch.setattr(cli, "app", root_command(tuple(families())))
    monkeypatch.setattr(cli, "_mount", lambda: None)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sciml", *map(str, words)])
        capfd.readouterr()
        code: int | str | None = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        captured = capfd.readouterr()
        return int(code or 0), captured.out, captured.err

    return call


@pytest.fixture
def need_data() -> Callable[..., None]:
    """Return a function that skips the test where data is not fetched; a check run must have its smallest tier."""

    def need(*names: str) -> None:
        absent = [name for name in names if not manifest.is_present(manifest.record(name))]
        if absent:
            must = manifest.in_ci() and set(absent) & set(manifest.tier_ids("ci"))
            (pytest.fail if must else pytest.skip)(f"not fetched: {', '.join(absent)}; run `sciml data fetch`")

    return need
