"""Regions, diagnoses and sexes: their names, their order in arrays, and their codes."""

from __future__ import annotations

REGIONS = ("ventricle", "hippocampus", "amygdala", "thalamus", "grey_matter", "white_matter", "csf")
"""Order of the labels in arrays. Left and right are one region; `grey_matter` and `white_matter` are what the others leave;
`csf` is the fluid outside the lateral ventricles."""

TISSUES = REGIONS[:-1]
"""All regions with a rate of their own; `csf` takes the balance of the skull's fixed content."""

DIAGNOSES = ("CN", "MCI", "AD")
"""Cognitively normal, mild cognitive impairment, Alzheimer's disease."""

DIAGNOSIS_CODES = {"CN": 0.0, "MCI": 0.5, "AD": 1.0}
SEX_CODES = {"M": 0.0, "F": 1.0}

CONDITIONED = ("grey_matter", "hippocampus", "amygdala", "white_matter", "ventricle")
"""Regions among the covariates, in the published order; thalamus and fluid are left out on purpose, to test what is not told."""

TITLES = {
    "ventricle": "lateral ventricles",
    "hippocampus": "hippocampus",
    "amygdala": "amygdala",
    "thalamus": "thalamus",
    "grey_matter": "other grey matter",
    "white_matter": "white matter",
    "csf": "outer fluid",
}
"""Names for tables and pictures."""
