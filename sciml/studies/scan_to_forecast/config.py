"""Settings of the chain from scan to forecast: who is scanned, and the levels of every link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from sciml.progression import SCAN_DATA, SimulateConfig, SimulationConfig
from sciml.progression import Config as ProgressionConfig
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

Group = Literal["head", "subjects"]
Reconstruction = Literal["zero-filled", "tv", "lpn"]
Archive = Annotated[str, StringConstraints(pattern=r"^(lossless|near-lossless|quality-[1-9][0-9]?|quality-100)$")]
Diagnosis = Literal["CN", "MCI", "AD"]
HEAD_DATA = "mr_colin27_t1"
HEIGHTS = (0.35, 0.45, 0.5, 0.55, 0.6, 0.7)
"""Axial slices that are shown, as fractions of a volume's height: from the temporal lobes to above the ventricles."""
UNTOUCHED = "none"
"""In place of an archive: the true scan, which went through no link."""
REFERENCE = "reference"
"""Acquisition of all of k-space without noise: what every chain is compared with, zero-filled and without loss in the archive."""


class AcquisitionConfig(StageConfig):
    """One way to measure k-space, slice by slice."""

    acceleration: float = Field(
        default=1.0, ge=1, le=32, description="rows of k-space for one that is measured; 8 % at the centre are"
    )
    coils: int = Field(
        default=1, ge=1, le=64, description="receive coils around the head, with smooth sensitivities that are known"
    )
    noise: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="standard deviation of the complex noise of a sample, as a fraction of the largest magnitude",
    )


Acquisitions = dict[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")], AcquisitionConfig]


def default_acquisitions() -> Acquisitions:
    """Return all of k-space, a fourth and an eighth of it, by one coil and by eight."""
    return {
        f"{acceleration}x{'-8-coils' if coils > 1 else ''}": AcquisitionConfig(acceleration=acceleration, coils=coils)
        for coils in (1, 8)
        for acceleration in (1, 4, 8)
    }


class LinksConfig(StageConfig):
    """The levels of the links of one group of subjects; every level meets every other."""

    acquisitions: Acquisitions = Field(
        min_length=1, description="by name; `reference`, all of k-space without noise, is always there beside them"
    )
    reconstructions: tuple[Reconstruction, ...] = Field(
        default=("zero-filled", "tv", "lpn"), min_length=1,
        description="from k-space to the picture: missing samples as zeros, total variation, learned proximal network",
    )  # fmt: skip
    archives: tuple[Archive, ...] = Field(
        default=("lossless", "near-lossless", "quality-80", "quality-50", "quality-20"), min_length=1,
        description="of the reconstructed slices, 16 bits: without loss, with errors up to a thousandth, or by the learned codec",
    )  # fmt: skip

    @model_validator(mode="after")
    def _with_a_base(self) -> LinksConfig:
        if REFERENCE in self.acquisitions:
            raise ValueError(f"{REFERENCE!r} is the name of the scan without noise: give the acquisition another one")
        if "zero-filled" not in self.reconstructions or "lossless" not in self.archives:
            raise ValueError("reconstructions need zero-filled and archives lossless: the others are compared with them")
        return self


class WhoConfig(StageConfig):
    """Whose head is scanned, and what is asked of it."""

    scan: str | None = Field(
        default=None, description="T1 of your own, NIfTI or MGH, with its skull or without; Colin27 by default"
    )
    reduction: int = Field(
        default=1, ge=1, le=4, description="so many voxels along each edge become one by their mean: for short runs"
    )
    age_years: float = Field(default=70.0, ge=18, le=110, description="age that the subject is taken to have")
    sex: Literal["M", "F"] = Field(default="M", description="of the subject")
    diagnoses: tuple[Diagnosis, Diagnosis] = Field(
        default=("CN", "AD"), description="two answers to `what if`; their difference is what a forecast is asked for"
    )
    years_ahead: tuple[float, ...] = Field(default=(2.0, 5.0, 10.0), min_length=1, description="of the forecasts, after the scan")


class HeadConfig(WhoConfig, LinksConfig):
    """One head, scanned again and again."""

    judged_years: float = Field(default=5.0, gt=0, description="which of them the error budget is made for")
    acquisitions: Acquisitions = Field(
        default_factory=default_acquisitions, min_length=1, description="by name; `reference` is always there beside them"
    )

    @model_validator(mode="after")
    def _judged(self) -> HeadConfig:
        if self.judged_years not in self.years_ahead:
            raise ValueError(f"judged_years is {self.judged_years:g}, which is none of years_ahead")
        return self


def by_hardness(links: LinksConfig) -> list[str]:
    """Return the acquisitions, those with the fewest samples, of the fewest coils, first."""
    found = links.acquisitions
    return sorted(found, key=lambda name: (-found[name].acceleration, found[name].coils))


class SubjectsConfig(LinksConfig):
    """Simulated subjects whose later volumes are known."""

    grid: Literal["3mm", "4.5mm"] = Field(default="3mm", description="voxels of the simulation and of the scan")
    test: int = Field(default=8, ge=1, description="subjects on whom intervals are judged")
    validation: int = Field(
        default=8, ge=1, description="subjects on whom the error of each chain is measured, for its intervals"
    )
    acquisitions: Acquisitions = Field(
        default_factory=lambda: {"4x-8-coils": AcquisitionConfig(acceleration=4, coils=8)},
        min_length=1,
        description="as for the head",
    )
    archives: tuple[Archive, ...] = Field(default=("lossless", "quality-50"), min_length=1, description="as for the head")


class CasesConfig(DataConfig):
    """What `cases` reads: one group of subjects."""

    group: Group
    head: WhoConfig | None
    cohort: SimulateConfig | None


class AcquireConfig(StageConfig):
    """What `acquire` reads: one acquisition."""

    acquisition: AcquisitionConfig
    seed: int


class ReconstructConfig(StageConfig):
    """What `reconstruct` reads."""

    method: Reconstruction


class ArchiveConfig(StageConfig):
    """What `archive` reads."""

    archives: tuple[Archive, ...]


class ForecastConfig(DataConfig):
    """What `forecast` reads; its questions come with the cases."""

    pictured_years: float | None = Field(
        description="at which the head is moved to its last diagnosis, and that picture archived"
    )
    archives: tuple[Archive, ...]
    seed: int


class EvaluateConfig(StageConfig):
    """What `evaluate` reads."""

    head: HeadConfig | None
    subjects: SubjectsConfig | None
    seed: int


class PageConfig(StageConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier = "default"


class Config(StageConfig):
    """From an undersampled scan to a forecast in an archive: the error budget of the chain. Not for clinical use."""

    head: HeadConfig | None = Field(default_factory=HeadConfig, description="one head, the full grid of links; null for none")
    subjects: SubjectsConfig | None = Field(
        default_factory=lambda: SubjectsConfig.model_validate({}),
        description="simulated subjects with known truth; null for none",
    )

    @property
    def groups(self) -> dict[Group, LinksConfig]:
        """Return the groups that are scanned."""
        found: dict[Group, LinksConfig | None] = {"head": self.head, "subjects": self.subjects}
        return {group: links for group, links in found.items() if links is not None}

    def cases_config(self, run: RunSettings, group: Group) -> CasesConfig:
        """Return the slice of one group."""
        from sciml.datasets.splits import entry_digests

        if group == "head" and self.head is not None:
            who = WhoConfig(**{name: getattr(self.head, name) for name in WhoConfig.model_fields})
            return CasesConfig(group=group, head=who, cohort=None, digests={} if who.scan else entry_digests(HEAD_DATA))
        if self.subjects is not None:
            people = SimulationConfig(
                grid=self.subjects.grid, subjects={"validation": self.subjects.validation, "test": self.subjects.test}
            )
            cohort = ProgressionConfig(cohorts={"cohort": people}).simulate_config(run, "cohort")
            return CasesConfig(group="subjects", head=None, cohort=cohort, digests=cohort.digests)
        raise ConfigError(f"scan_to_forecast.{group} is null: nobody of that group is scanned")

    def acquire_config(self, run: RunSettings, group: Group, acquisition: str) -> AcquireConfig:
        """Return the slice of one acquisition."""
        exact = AcquisitionConfig(noise=0)
        chosen = exact if acquisition == REFERENCE else self.groups[group].acquisitions[acquisition]
        return AcquireConfig(acquisition=chosen, seed=run.master_seed)

    def reconstruct_config(self, _run: RunSettings, method: Reconstruction) -> ReconstructConfig:
        """Return the slice of one method."""
        return ReconstructConfig(method=method)

    def archive_config(self, _run: RunSettings, group: Group) -> ArchiveConfig:
        """Return the slice of the archives of one group."""
        return ArchiveConfig(archives=self.groups[group].archives)

    def forecast_config(self, run: RunSettings, group: Group, acquisition: str) -> ForecastConfig:
        """Return the slice of the forecasts from one acquisition."""
        from sciml.datasets.splits import entry_digests

        pictured = (
            self.head.judged_years
            if self.head and group == "head" and acquisition in (REFERENCE, by_hardness(self.head)[0])
            else None
        )
        archives, digests = self.groups[group].archives, entry_digests(*SCAN_DATA)
        return ForecastConfig(pictured_years=pictured, archives=archives, seed=run.master_seed, digests=digests)

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the budget."""
        return EvaluateConfig(head=self.head, subjects=self.subjects, seed=run.master_seed)

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(tier=run.tier, data_tier=run.data_tier)
