"""A workbench for scientific computing and imaging reconstruction.

Every study is a Snakemake run of stages; every stage is a `sciml` command and a Python function.

Example:
    >>> import sciml
    >>> isinstance(sciml.__version__, str)
    True
"""

__version__ = "0.1.0"
