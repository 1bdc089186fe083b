"""Settings of the family and of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from sciml.progression.settings.models import (
    ABLATIONS,
    EvaluateConfig,
    FitCourseConfig,
    FitMotionConfig,
    ForecastConfig,
    LearningConfig,
    PredictConfig,
    TrainAutoencoderConfig,
    TrainControlConfig,
    TrainDiffusionConfig,
    UsedCourse,
)
from sciml.runtime.errors import ConfigError
from sciml.runtime.settings import DataConfig, DataTier, StageConfig

if TYPE_CHECKING:
    from sciml.settings import RunSettings

GridName = Literal["4.5mm", "3mm", "1.5mm"]
CohortName = Literal["cohort", "calibration"]
Law = Literal["constant", "accelerating", "decelerating", "converting", "stepwise"]
TEST_LAW: Law = "stepwise"
"""The law of pace that nobody is trained on, see `simulation.laws`."""

TEMPLATE_DATA = ("mni2009a_t1", "mni2009a_gm", "mni2009a_wm")
ATLASES = ("lab_aal", "lab_aal_2mm")
SCAN_DATA = (*TEMPLATE_DATA, *ATLASES)
"""Data sets that `prepare_scan` reads, of the atlases the first that is there: what a stage that calls it declares."""
"""What the simulated brains are made from, with an atlas."""
PERSON_DATA = ("mr_colin27_t1_brain", "lab_aal")
"""The real scan and its labels."""


class RateConfig(StageConfig):
    """Change of one region's volume, in parts a year (of ln V), by diagnosis."""

    CN: float = Field(ge=-1, le=1, description="of cognitively normal subjects, parts a year")
    MCI: float = Field(ge=-1, le=1, description="with mild cognitive impairment, parts a year")
    AD: float = Field(ge=-1, le=1, description="with Alzheimer's disease, parts a year")
    source: str = Field(description="where the numbers come from")


def default_rates() -> dict[str, RateConfig]:
    """Return rates of six regions; the outer fluid takes the balance."""
    return {
        "ventricle": RateConfig(
            CN=0.030, MCI=0.055, AD=0.090,
            source="order AD > MCI > CN: Nestor 2008; sizes: about 1.3, 2.7 and 5 ml a year, from memory",
        ),
        "hippocampus": RateConfig(
            CN=-0.0141, MCI=-0.0257, AD=-0.0466,
            source="AD 4.66 and controls 1.41 % a year: Barnes 2009; MCI 2.55 (stable): Jack 2000, here 2.57",
        ),
        "amygdala": RateConfig(CN=-0.011, MCI=-0.020, AD=-0.040, source="order of magnitude: Fjell 2009, from memory"),
        "thalamus": RateConfig(CN=-0.006, MCI=-0.009, AD=-0.014, source="from memory, no single study"),
        "grey_matter": RateConfig(
            CN=-0.005, MCI=-0.009, AD=-0.016, source="healthy about 0.5 % a year: Fjell 2009; AD between 1.5 and 2, from memory"
        ),
        "white_matter": RateConfig(CN=-0.004, MCI=-0.007, AD=-0.012, source="from memory, no single study"),
    }  # fmt: skip


class AtrophyConfig(StageConfig):
    """How subjects age."""

    rates: dict[str, RateConfig] = Field(default_factory=default_rates, description="by region")
    pace_spread: float = Field(default=0.25, ge=0, description="std over subjects of ln(pace), a factor of all rates")
    disease_years: float = Field(default=3.0, ge=0, description="years of disease before the first visit")

    @model_validator(mode="after")
    def _all_regions(self) -> AtrophyConfig:
        if set(self.rates) != set(default_rates()):
            raise ValueError(f"rates are given for {', '.join(sorted(self.rates))}: expected {', '.join(default_rates())}")
        return self


class PeopleConfig(StageConfig):
    """When subjects are seen."""

    ages_years: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
        default=(60.0, 82.0), description="range of ages at the first visit, years"
    )
    visits: int = Field(default=4, ge=1, le=12, description="scans of a subject")
    gaps_years: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
        default=(1.0, 2.2), description="range of times between visits, years"
    )
    laws: dict[Law, float] = Field(
        default={"constant": 0.4, "accelerating": 0.2, "decelerating": 0.2, "converting": 0.2},
        min_length=1,
        description="shares of the laws of pace; stepwise for test subjects only",
    )

    @model_validator(mode="after")
    def _shares(self) -> PeopleConfig:
        if min(self.laws.values()) < 0 or sum(self.laws.values()) <= 0:
            raise ValueError(f"laws are {self.laws}: expected shares of 0 and more, one of them above 0")
        return self


class ScannerConfig(StageConfig):
    """What the scanner does to the image, anew at every visit."""

    bias: float = Field(default=0.01, ge=0, description="std of ln(bias field)")
    noise: float = Field(default=0.012, ge=0, description="std of both channels of the Rician noise; white matter has 0.8")
    change: float = Field(
        default=0.25, ge=0, le=1,
        description="chance that a visit changes the scanner",
    )  # fmt: skip


class SimulationConfig(StageConfig):
    """One simulated cohort."""

    grid: GridName = Field(default="4.5mm", description="voxel size; all grids have one field of view")
    subjects: dict[Literal["train", "validation", "test", "calibration"], int] = Field(
        default={"train": 108, "validation": 12, "test": 12}, description="subjects by split; diagnoses take turns"
    )
    independent_rates: bool = Field(default=False, description="later visits have rates of their own")
    pattern: float = Field(
        default=1.0, ge=0, le=2,
        description="strength of the pattern within regions; 1: as measured",
    )  # fmt: skip
    lesions: float = Field(default=1.0, ge=0, le=3, description="factor of the number of lesions of white matter")
    people: PeopleConfig = PeopleConfig()
    atrophy: AtrophyConfig = AtrophyConfig()
    scanner: ScannerConfig = ScannerConfig()

    @model_validator(mode="after")
    def _kept_for_tests(self) -> SimulationConfig:
        others = [split for split, count in self.subjects.items() if split != "test" and count]
        if others and self.people.laws.get(TEST_LAW):
            raise ValueError(
                f"{TEST_LAW} is the law kept for test subjects; this cohort has {', '.join(others)} subjects as well"
            )
        return self


class SimulateConfig(SimulationConfig, DataConfig):
    """What `simulate` reads: one cohort."""

    atlas: Literal["lab_aal", "lab_aal_2mm"] = Field(default="lab_aal", description="data set of the AAL labels")
    seed: int


class TablesConfig(StageConfig):
    """Volumes without images: who the courses are learned from and tested on."""

    retired = frozenset({"people", "atrophy"})
    subjects: dict[Literal["train", "validation", "test"], int] = Field(
        default={"train": 160, "validation": 40, "test": 300},
        description="subjects by split",
    )


class SimulateTablesConfig(TablesConfig, DataConfig):
    """What `simulate-cohorts` reads of the tables."""

    people: PeopleConfig = PeopleConfig()
    atrophy: AtrophyConfig = AtrophyConfig()
    atlas: Literal["lab_aal", "lab_aal_2mm"] = Field(default="lab_aal", description="data set of the AAL labels")
    seed: int


class SimulateCohortsConfig(StageConfig):
    """What `simulate-cohorts` reads."""

    cohorts: dict[CohortName, SimulateConfig]
    tables: SimulateTablesConfig


class PrepareConfig(StageConfig):
    """What `prepare` reads: how a user's table becomes a cohort."""

    grid: GridName = "4.5mm"
    coding: Literal["standard", "brlp-cli"] = Field(default="standard", description="brlp-cli: sex 1/2 and diagnosis 1/2/3")
    diagnosis: Literal["CN", "MCI", "AD"] | None = Field(default=None, description="of rows that have none")
    shares: tuple[float, float, float] = Field(
        default=(0.8, 0.05, 0.15), description="of train, validation and test, for subjects whom the table gives no split"
    )
    register_to: Literal["none", "affine"] = Field(default="none", description="affine maps every image to the template")
    allow_skull: bool = False
    codes: str = Field(default="synthseg", description="code table of the label images: synthseg, published or a CSV file")
    synthseg: bool = Field(default=False, description="segment what has no label image, with mri_synthseg")
    seed: int = 0

    @model_validator(mode="after")
    def _whole(self) -> PrepareConfig:
        if min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares are {self.shares}: expected three numbers from 0 to 1 that sum to 1")
        return self


class PersonConfig(DataConfig):
    """What `person` reads: what is asked of the one real brain, Colin27.

    Attributes:
        how: names the course that is used elsewhere, whose volumes stand beside.
    """

    age_years: float = Field(default=70.0, ge=18, le=100, description="as if he were so old; he was young")
    years_ahead: tuple[float, ...] = Field(default=(4.0,), min_length=1, description="beside the scan itself")
    diagnoses: tuple[Literal["CN", "MCI", "AD"], ...] = Field(default=("CN", "MCI", "AD"), min_length=1)
    course: UsedCourse = Field(
        default="linear_population", description="of his volumes; a regression on volumes need not hold for another anatomy"
    )
    how: ForecastConfig = Field(default_factory=ForecastConfig)
    seed: int = 0


class PageConfig(StageConfig):
    """What `report` reads."""

    tier: str
    data_tier: DataTier = "default"


def default_cohorts() -> dict[CohortName, SimulationConfig]:
    """Return the cohort of the study and the one that calibrates its measurements."""
    return {
        "cohort": SimulationConfig(),
        "calibration": SimulationConfig(
            subjects={"calibration": 36}, independent_rates=True, people=PeopleConfig(visits=6, gaps_years=(0.0, 0.0))
        ),
    }


class Config(StageConfig):
    """Brain latent progression: a simulated cohort with exact truth, forecasts, the study. Not for clinical use."""

    retired = frozenset({"person"})
    cohorts: dict[CohortName, SimulationConfig] = Field(default_factory=default_cohorts, description="who is simulated")
    tables: TablesConfig = TablesConfig()
    learning: LearningConfig = LearningConfig()

    def simulate_config(self, run: RunSettings, cohort: CohortName) -> SimulateConfig:
        """Return the slice of one cohort."""
        return SimulateConfig(**self.cohorts[cohort].model_dump(), **_template(run))

    def simulate_cohorts_config(self, run: RunSettings) -> SimulateCohortsConfig:
        """Return the slice of all cohorts."""
        return SimulateCohortsConfig(
            cohorts={name: self.simulate_config(run, name) for name in sorted(self.cohorts)},
            tables=SimulateTablesConfig(**self.tables.model_dump(), **_template(run)),
        )

    def train_autoencoder_config(self, run: RunSettings) -> TrainAutoencoderConfig:
        """Return the slice of the autoencoder's training."""
        return TrainAutoencoderConfig(**self.learning.autoencoder.model_dump(), seed=run.master_seed)

    def train_diffusion_config(self, run: RunSettings, form: str) -> TrainDiffusionConfig:
        """Return the slice of the training of one form.

        Raises:
            ConfigError: there is no such form.
        """
        learning = self.learning
        if form in ABLATIONS.forms:
            like = learning.forms[learning.variants["main"].form].model_dump()
            like["form"] = ABLATIONS.forms[form]
            like["budget"]["steps"] = min(like["budget"]["steps"], ABLATIONS.steps)
            return TrainDiffusionConfig(**like, name=form, seed=run.master_seed)
        if form not in learning.forms:
            raise ConfigError(f"no form is called {form!r}; the settings have {', '.join(learning.forms)}")
        return TrainDiffusionConfig(**learning.forms[form].model_dump(), name=form, seed=run.master_seed)

    def train_control_config(self, run: RunSettings, form: str) -> TrainControlConfig:
        """Return the slice of the training of one form's ControlNet."""
        like = self.learning.control.model_dump()
        if form in ABLATIONS.forms:
            like["budget"]["steps"] = min(like["budget"]["steps"], ABLATIONS.control_steps)
        return TrainControlConfig(**like, name=form, seed=run.master_seed)

    def fit_course_config(self, run: RunSettings) -> FitCourseConfig:
        """Return the slice of the course models."""
        return FitCourseConfig(**self.learning.course.model_dump(), seed=run.master_seed)

    def fit_motion_config(self, _run: RunSettings) -> FitMotionConfig:
        """Return the slice of the motion beside the volumes."""
        return self.learning.motion

    def predict_config(self, run: RunSettings) -> PredictConfig:
        """Return the slice of the forecasts of test pairs."""
        variants = {name: variant for name, variant in self.learning.variants.items() if variant.form in self.learning.forms}
        return PredictConfig(split="test", variants=variants, every=self.learning.every, seed=run.master_seed)

    def ablate_predict_config(self, run: RunSettings) -> PredictConfig:
        """Return the slice of the forecasts of validation pairs by forms that differ in one switch."""
        return PredictConfig(split="validation", variants=ABLATIONS.variants(), every=1, seed=run.master_seed)

    def ablate_evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of their table."""
        return EvaluateConfig(
            split="validation",
            population_field=False,
            prescribed=False,
            flow_samples=0,
            trajectory_people=0,
            seed=run.master_seed,
        )

    def evaluate_config(self, run: RunSettings) -> EvaluateConfig:
        """Return the slice of the table."""
        learning = self.learning
        return EvaluateConfig(
            split="test", every=learning.every, course=learning.variants["main"].how.course,
            population_field=learning.population_field, prescribed=learning.prescribed,
            flow_samples=learning.flow_samples, trajectory_people=learning.trajectory_people, seed=run.master_seed,
        )  # fmt: skip

    def person_config(self, run: RunSettings) -> PersonConfig:
        """Return the slice of the real brain."""
        from sciml.datasets.splits import entry_digests

        how, digests = self.learning.variants["main"].how, entry_digests(*PERSON_DATA, *TEMPLATE_DATA)
        return PersonConfig(how=how, seed=run.master_seed, digests=digests)

    def report_config(self, run: RunSettings) -> PageConfig:
        """Return the slice of the page."""
        return PageConfig(tier=run.tier, data_tier=run.data_tier)


def _template(run: RunSettings) -> dict[str, Any]:
    """Return which atlas a run labels its template with, the digests of both, and its seed."""
    from sciml.datasets.splits import entry_digests

    atlas = "lab_aal" if run.data_tier in ("default", "full") else "lab_aal_2mm"
    return {"atlas": atlas, "seed": run.master_seed, "digests": entry_digests(*TEMPLATE_DATA, atlas)}
