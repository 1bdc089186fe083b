"""A brain of ellipsoids in place of the template, and a small cohort of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import install_import_hook

from sciml.progression.cohorts.cohort import Cohort
from sciml.progression.cohorts.grids import GRIDS
from sciml.progression.cohorts.regions import REGIONS
from sciml.progression.config import PeopleConfig, SimulateConfig
from sciml.progression.simulation import cohort
from sciml.progression.simulation.anatomy import Anatomy, Template, build_anatomy

# shapes are checked here and only here; before the modules are imported
install_import_hook(
    [f"sciml.progression.{name}" for name in ("study.evaluation", "study.trajectories", "forecasting.pair_predictions")],
    "beartype.beartype",
)

STEP_MM = 3.0
# region: middles and half axes in mm; later ones lie over earlier ones, both sides
SHAPES = {
    "csf": (((0, -18, 4), (70, 88, 72)),),
    "grey_matter": (((0, -18, 4), (64, 82, 66)),),
    "white_matter": (((0, -18, 4), (50, 66, 50)),),
    "thalamus": (((12, -20, 8), (10, 14, 10)),),
    "ventricle": (((10, 0, 22), (8, 26, 8)),),
    "hippocampus": (((28, -22, -14), (9, 20, 8)),),
    "amygdala": (((26, 2, -16), (8, 8, 8)),),
}
INTENSITY = dict(zip(REGIONS, (0.25, 0.6, 0.62, 0.7, 0.6, 0.85, 0.3), strict=True))


@pytest.fixture(scope="session")
def phantom_template() -> Template:
    """Return hard labels on 3 mm voxels, with a marker in the right frontal white matter only."""
    shape = (64, 78, 64)
    affine = np.diag([STEP_MM] * 3 + [1.0])
    affine[:3, 3] = -96, -134, -72
    places = np.stack(np.indices(shape), -1) * STEP_MM + affine[:3, 3]
    codes = np.full(shape, -1)
    for region, parts in SHAPES.items():
        for middle, half in parts:
            for side in (-1, 1):
                inside = (((places - np.multiply(middle, (side, 1, 1))) / half) ** 2).sum(-1) < 1
                codes[inside] = REGIONS.index(region)
    levels = np.array([*INTENSITY.values(), 0.0])
    t1 = levels[codes].astype(np.float32)
    t1[((places - (30, 25, 20)) ** 2).sum(-1) < 100] = 0.4
    return Template(codes, t1, affine)


@pytest.fixture(scope="session")
def phantom_anatomy(phantom_template) -> Anatomy:
    """Return the phantom for simulations on the 4.5 mm grid."""
    return build_anatomy(phantom_template, GRIDS["4.5mm"])


@pytest.fixture
def phantom_in_place_of_the_template(phantom_template, tmp_path, monkeypatch):
    """Let simulations use the phantom, and a cache of the test's own."""
    _use_phantom(monkeypatch, phantom_template, tmp_path)


def _use_phantom(monkeypatch: pytest.MonkeyPatch, template: Template, folder: Path) -> None:
    source = folder / "source"
    source.write_bytes(b"phantom")
    monkeypatch.setenv("SCIML_CACHE", str(folder / "cache"))
    monkeypatch.setattr(cohort, "local_path", lambda name: source)
    monkeypatch.setattr(cohort, "mni_template", lambda atlas: template)


@pytest.fixture(scope="session")
def phantom_results(phantom_template, tmp_path_factory) -> Iterator[Path]:
    """Return a results folder with a small cohort and a small calibration cohort."""
    from sciml.progression.stages.simulate_cohorts import simulate_one

    folder = tmp_path_factory.mktemp("progression")
    people = PeopleConfig(visits=3, ages_years=(60.0, 64.0))
    with pytest.MonkeyPatch.context() as patch:
        _use_phantom(patch, phantom_template, folder)
        simulate_one(SimulateConfig(subjects={"train": 3, "validation": 1, "test": 3}, people=people, seed=1), folder / "cohort")
        independent = {"subjects": {"calibration": 3}, "independent_rates": True, "people": people}
        simulate_one(SimulateConfig(**independent, seed=1), folder / "calibration")
    yield folder


@pytest.fixture(scope="session")
def phantom_cohort(phantom_results) -> Cohort:
    """Return the small cohort: three people to train on, one to choose by, three to test on."""
    return Cohort(phantom_results / "cohort")
