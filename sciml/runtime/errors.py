"""Errors that a user can act on: what was given, what was expected, what to do.

The command line prints the message in one line and exits with `exit_code`:
2 for a user's mistake, 1 for a failure, 3 for a partial result.
"""


class ScimlError(Exception):
    """Base of all errors raised on purpose by the workbench."""

    exit_code = 1


class ConfigError(ScimlError):
    """A setting is unknown, out of range or contradicts another."""

    exit_code = 2


class DataError(ScimlError):
    """An input file or folder is missing, damaged or not what it claims to be."""

    exit_code = 2


class FormatError(DataError):
    """A file's content does not follow its format."""


class ShapeError(ScimlError):
    """An array has another shape, channel count or type than the operation needs."""

    exit_code = 2


class NumericalError(ScimlError):
    """A computation left the range where its result means something (NaN, divergence)."""


class PartialResult(ScimlError):
    """Some of the requested work was done and kept; the message says what is missing."""

    exit_code = 3
