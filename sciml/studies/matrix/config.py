"""Settings of the matrix, one model a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, field_validator

from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig
from sciml.studies.matrix.settings.rows import FURTHER, PRIOR, ROWS, networks_of, rows_of

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Names = tuple[str, ...]


class TrialsConfig(DataConfig):
    """What a job of trials reads.

    Attributes:
        group: name of the job: of a group of methods, or of a method of a user's own.
        rows: rows that it solves.
        left_out: `row/method` of what it leaves out.
    """

    group: str
    rows: Names
    left_out: Names
    size: int
    cases: int
    seeds: int
    validation_images: int
    data_tier: DataTier
    seed: int


class ClassicalConfig(TrialsConfig):
    """What `classical` reads."""

    methods: Names


class LearnedConfig(TrialsConfig):
    """What `learned` reads."""

    networks: Names
    tolerance: float


class KernelConfig(TrialsConfig):
    """What `kernel` reads."""

    dip_iterations: int


class CompareConfig(StageConfig):
    """What `compare` reads."""

    rows: Names
    left_out: Names
    seed: int


class ReportConfig(DataConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier


class Config(StageConfig):
    """Every task of imaging by every method that solves it, codecs and closures beside their rivals."""

    rows: Names = Field(default=tuple(ROWS), min_length=1, description=f"rows of the matrix: {', '.join(ROWS)}")
    left_out: Names = Field(default=(), description="not run: method or row/method, such as ct-limited/learned")
    priors: Names = Field(default=(), description="installed priors for every row, such as smooth:4")
    size: Annotated[int, Field(ge=64, le=512)] = Field(default=256, description="height and width of pictures, in pixels")
    cases: int = Field(default=20, ge=1, le=42, description="pictures or slices of a row")
    seeds: int = Field(default=3, ge=1, description="noise seeds of a case")
    validation_images: int = Field(default=4, ge=1, description="pictures or slices to tune on")
    tolerance: float = Field(default=3e-4, gt=0, description="relative residual that ends a learned reconstruction")
    dip_iterations: int = Field(default=400, ge=1, description="steps of the deep residual prior")

    @field_validator("rows")
    @classmethod
    def _known(cls, rows: Names) -> Names:
        unknown = [name for name in rows if name not in ROWS]
        if unknown:
            raise ValueError(f"no row is called {unknown[0]!r}; there are {', '.join(ROWS)}")
        return tuple(name for name in ROWS if name in rows)

    @field_validator("left_out")
    @classmethod
    def _meant(cls, left_out: Names) -> Names:
        from sciml.imaging.tasks.catalogue import METHODS

        for entry in left_out:
            row, _, method = entry.rpartition("/")
            if (row and row not in ROWS) or (method not in METHODS and method not in FURTHER):
                raise ValueError(f"nothing is called {entry!r}: a method or row/method, rows {', '.join(ROWS)}")
        return left_out

    @field_validator("priors")
    @classmethod
    def _installed(cls, priors: Names) -> Names:
        from sciml.imaging.plugins import find_prior

        for name in priors:
            try:
                find_prior(name)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return priors

    def own_methods(self) -> list[str]:
        """Return the methods of a user's own that solve a row of this run."""
        from sciml.imaging.tasks.catalogue import BUILT_IN, METHODS

        tasks = {ROWS[name].task for name in self.rows}
        return [name for name, method in METHODS.items() if name not in BUILT_IN and tasks & {*method.tasks}]

    def domains(self) -> list[str]:
        """Return the domains of the rows of this run."""
        return list(dict.fromkeys(ROWS[name].domain for name in self.rows))

    def networks(self, domain: str) -> list[str]:
        """Return the networks that a job of learned methods loads."""
        return networks_of(rows_of(domain, self.rows))

    def inexact(self) -> Names:
        """Return the rows whose kernel is only roughly known."""
        return tuple(name for name in self.rows if ROWS[name].kernel_error)

    def classical_config(self, run: RunSettings, domain: str) -> ClassicalConfig:
        """Return the slice of the built-in classical methods on the rows of a domain."""
        from sciml.imaging.tasks.catalogue import BUILT_IN, is_installed

        methods = tuple(name for name, method in BUILT_IN.items() if is_installed(method))
        return ClassicalConfig(**self._trials(run, "classical", rows_of(domain, self.rows)), methods=methods)

    def own_config(self, run: RunSettings, method: str) -> ClassicalConfig:
        """Return the slice of one method of a user's own on every row that it solves."""
        from sciml.imaging.tasks.catalogue import METHODS

        rows = tuple(name for name in self.rows if ROWS[name].task in METHODS[method].tasks)
        return ClassicalConfig(**self._trials(run, method, rows), methods=(method,))

    def prior_config(self, run: RunSettings, prior: str) -> ClassicalConfig:
        """Return the slice of one installed prior on every row."""
        return ClassicalConfig(**self._trials(run, f"{PRIOR}{prior}", self.rows), methods=(f"{PRIOR}{prior}",))

    def learned_config(self, run: RunSettings, domain: str) -> LearnedConfig:
        """Return the slice of the learned proximal networks on the rows of a domain."""
        rows = rows_of(domain, self.rows)
        return LearnedConfig(**self._trials(run, "learned", rows), networks=tuple(networks_of(rows)), tolerance=self.tolerance)

    def kernel_config(self, run: RunSettings) -> KernelConfig:
        """Return the slice of the methods that correct a kernel."""
        return KernelConfig(**self._trials(run, "kernel", self.inexact()), dip_iterations=self.dip_iterations)

    def compare_config(self, run: RunSettings) -> CompareConfig:
        """Return the slice of the comparison."""
        return CompareConfig(rows=self.rows, left_out=self.left_out, seed=run.master_seed)

    def report_config(self, run: RunSettings) -> ReportConfig:
        """Return the slice of the report."""
        return ReportConfig(tier=run.tier, data_tier=run.data_tier, digests=self._digests(self.rows, run))

    def _digests(self, rows: Names, run: RunSettings) -> dict[str, str]:
        from sciml.studies.matrix.trial.cases import case_digests

        return case_digests(rows, self.cases, run.data_tier)

    def _trials(self, run: RunSettings, group: str, rows: Names) -> dict:
        return {
            "group": group,
            "rows": rows,
            "left_out": self.left_out,
            "size": self.size,
            "cases": self.cases,
            "seeds": self.seeds,
            "validation_images": self.validation_images,
            "data_tier": run.data_tier,
            "seed": run.master_seed,
            "digests": self._digests(rows, run),
        }


def takes_part(row: str, method: str, left_out: Names) -> bool:
    """Return whether a method is not left out of a row."""
    return method not in left_out and f"{row}/{method}" not in left_out
