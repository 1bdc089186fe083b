"""Settings of the study: what is refused before torch loads, and what a job's parameters depend on."""

from __future__ import annotations

import json

import pytest

from sciml.classical import config as study_config
from sciml.datasets import record
from sciml.runtime.errors import ConfigError
from sciml.settings import load, slice_of


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ('imaging.studies.denoise.variants={"a":{"sigma":-1}}', "sigma of task denoise is a float that is at least 0, got -1"),
        ('imaging.studies.denoise.variants={"a":{"views":3}}', "no option 'views'; it takes sigma"),
        ('imaging.studies.ct-sparse.variants={"a":{"views":1.5}}', "views of task ct-sparse is a int"),
        ('imaging.studies.denoise.methods=["fbp"]', "method 'fbp' does not apply to denoise"),
        ("imaging.studies.denoise.test_images=0", "greater than or equal to 1, got 0"),
        ("imaging.studies.denoise.size=[256,-4]", "greater than or equal to 16, got -4"),
        ('imaging.studies.denoise.test_data=["camera"]', None),
    ],
)
def test_wrong_settings_are_named_in_one_line(override, words):
    if words is None:
        assert load("ci", [override]).imaging.studies["denoise"].test_data == ("camera",)
        return
    with pytest.raises(ConfigError) as caught:
        load("ci", [override])
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_the_parameters_of_measure_hold_the_data_by_id_and_hash_in_their_order(monkeypatch):
    settings = load("ci")
    part = json.loads(slice_of(settings, "imaging", "measure", "ct-sparse"))
    assert part["test_data"] == ["ct_cranium"] and part["digests"]["ct_cranium"] == record("ct_cranium").sha256
    monkeypatch.setattr("sciml.datasets.splits.split", lambda experiment, role, tier: ["dcm_693_uncr"])
    other = json.loads(slice_of(settings, "imaging", "measure", "ct-sparse"))
    assert other["test_data"] == ["dcm_693_uncr"] != part["test_data"]


def test_variants_keep_the_order_of_the_settings():
    part = json.loads(slice_of(load("demo"), "imaging", "measure", "denoise"))
    assert part["variant_order"] == ["sigma 15/255", "sigma 25/255", "sigma 50/255", "sigma 0.1"]


def test_the_defaults_hold_every_task_and_noise_level_of_the_study():
    studies = study_config.default_studies()
    assert set(studies) == {"denoise", "deblur", "ct-sparse", "ct-limited", "mri-cs", "inpaint"}
    assert sorted(options["sigma"] for options in studies["denoise"].variants.values()) == [15 / 255, 25 / 255, 0.1, 50 / 255]
    deblur = {(options["kernel"], options["sigma"]) for options in studies["deblur"].variants.values()}
    assert deblur == {(kernel, sigma) for kernel in ("shake", "gaussian") for sigma in (0.01, 0.02, 0.04)}
    assert [options["acceleration"] for options in studies["mri-cs"].variants.values()] == [4.0, 8.0]
