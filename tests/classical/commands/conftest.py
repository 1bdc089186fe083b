"""What tests of `sciml imaging` share."""

from __future__ import annotations

import pytest


@pytest.fixture
def run(sciml_command):
    """Run one command in an empty folder; return (exit code, standard output, standard error)."""
    return sciml_command
