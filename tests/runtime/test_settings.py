"""Settings: every tier loads, and a wrong one says where, what was given and what is allowed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from typing import Literal

import jsonschema
import pytest
from pydantic import Field, ValidationError

from sciml.families import BUILT_IN, families
from sciml.runtime.errors import ConfigError
from sciml.runtime.places import resource
from sciml.runtime.settings import TIERS, StageConfig, merged, read_yaml, validated
from sciml.settings import families_of, load, schema, schema_text, slice_of

STUDY = "imaging.studies.denoise"


class Inner(StageConfig):
    size_px: int = Field(default=8, ge=1)
    mode: Literal["fast", "exact"] = "fast"


class First(StageConfig):
    kind: Literal["first"]
    first: int = 0


class Second(StageConfig):
    kind: Literal["second"]
    second: int = 0


class Outer(StageConfig):
    one: First | Second = Field(default=Second(kind="second"), discriminator="kind")
    inner: Inner = Field(default_factory=Inner)
    named: dict[str, Inner] = Field(default_factory=dict)
    retired = frozenset({"width"})
    ratio: float = 0.5


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"inner": {"size": 3}}, "file: unknown key inner.size; allowed here: mode, size_px"),
        ({"iner": {}}, "file: unknown key iner; allowed here: inner, named, one, ratio"),
        ({"named": {"a": {"b": 1}}}, "file: unknown key named.a.b; allowed here: mode, size_px"),
        ({"inner": {"size_px": -3}}, "file: inner.size_px: Input should be greater than or equal to 1, got -3"),
        ({"inner": {"mode": "slow"}}, "file: inner.mode: Input should be 'fast' or 'exact', got 'slow'"),
        ({"inner": {"size_px": "large"}}, "inner.size_px: .*integer.*, got 'large'"),
        ({"inner": {"size_px": 2.5}}, "inner.size_px: .*integer.*, got 2.5"),
        ({"ratio": float("nan")}, "ratio: .*finite.*, got nan"),
        ({"ratio": "x", "inner": {"mode": "slow"}}, r"got 'slow'; wrong too: ratio$"),
        ({"ratio": "x", **dict.fromkeys("abcdefg")}, r"wrong too: a, b, c, d, e and 2 more$"),
        ({"width": 3, "a": 1}, "file: width is a constant of the code and no setting any more: take it out; wrong too: a$"),
        ({"inner": {"width": 3}}, "file: unknown key inner.width; allowed here"),
        ({"inner": 3}, "inner: Input should be a mapping with keys among mode, size_px, got 3"),
        ({"one": {"kind": "first", "of": 1}}, "unknown key one.of; allowed here: first, kind$"),
        ({"one": {"kind": "first", "first": "x"}}, r"file: one\.first: .*got 'x'"),
        ([1], r"file: the whole: .*, got \[1\]"),
    ],
)
def test_wrong_values_are_refused_with_path_value_and_what_is_allowed(values, says):
    with pytest.raises(ConfigError, match=says) as caught:
        validated(Outer, values, "file")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named():
    class Needs(StageConfig):
        seed: int

    with pytest.raises(ConfigError, match=r"file: seed is missing$"):
        validated(Needs, {}, "file")


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Outer().ratio = 1.0


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_loads_and_every_stage_gets_its_slice(tier):
    settings = load(tier)
    assert settings.tier == tier
    assert settings.data_tier == {"ci": "ci", "demo": "default", "cpu": "default", "gpu": "full"}[tier]
    for task in settings.imaging.studies:
        for stage in ("measure", "reconstruct"):
            text = slice_of(settings, "imaging", stage, task)
            assert json.loads(text) is not None and "\n" not in text
    assert json.loads(slice_of(settings, "imaging", "evaluate"))["tasks"] == sorted(settings.imaging.studies)
    measure = json.loads(slice_of(settings, "imaging", "measure", "denoise"))
    assert measure["seed"] == settings.master_seed and measure["data_tier"] == settings.data_tier


def test_a_slice_holds_only_what_its_stage_reads():
    before, after = load("ci"), load("ci", [f'{STUDY}.methods=["tv"]', "imaging.studies.deblur.test_images=1"])
    changed = {
        (part, task)
        for task in before.imaging.studies
        for part in ("measure", "tune", "solve")
        if _reconstruct(before, task)[part] != _reconstruct(after, task)[part]
    }
    assert changed == {("tune", "denoise"), ("solve", "denoise"), ("measure", "deblur")}


def _reconstruct(settings, task):
    return json.loads(slice_of(settings, "imaging", "reconstruct", task))


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("master_seed=7", "master_seed", 7),
        ("data_tier=full", "data_tier", "full"),
        (f"{STUDY}.test_images=2", f"{STUDY}.test_images", 2),
        (f"{STUDY}.size=[32,48]", f"{STUDY}.size", (32, 48)),
        (f'{STUDY}.methods=["tv"]', f"{STUDY}.methods", ("tv",)),
    ],
)
def test_overrides_lie_on_top(override, path, value):
    found = load("ci", [override])
    for part in path.split("."):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert found == value


def test_the_last_override_wins_and_the_rest_stays():
    settings = load("ci", ["master_seed=1", "master_seed=2"])
    assert settings.master_seed == 2
    assert settings.imaging == load("ci").imaging


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("master_seed", "master_seed=3"),
        ("=3", "an override looks like"),
        ("master_sed=3", "unknown key master_sed; allowed here: .*master_seed"),
        ("master_seed=-1", "master_seed: .*greater than or equal to 0, got -1"),
        ("master_seed=many", "master_seed: .*got 'many'"),
        (f"{STUDY}.size=[8,8]", r"studies\.denoise\.size.*16.*got 8"),
        (f"{STUDY}.size=[-32,32]", r"size.*got -32"),
        (f"{STUDY}.test_images=0", "test_images.*got 0"),
        (f"{STUDY}.sizes=3", r"unknown key imaging\.studies\.denoise\.sizes; allowed here: .*variants"),
        ("imaging.studies.blur.size=[32,32]", r"imaging\.studies\.blur.*'deblur'"),
        ("tier=huge", "'ci', 'demo', 'cpu' or 'gpu', got 'huge'"),
    ],
)
def test_wrong_overrides_are_one_clear_line(override, says):
    with pytest.raises(ConfigError, match=says) as caught:
        load("ci", [override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tier: [", "not valid YAML: .*line"),
        ("- tier\n", "must be a YAML mapping .* got list"),
        ("", "must be a YAML mapping .* got NoneType"),
        ("tier: ci\nmaster_seed: 1\ntier: gpu\n", "tier stands twice, in lines 1 and 3"),
        (
            "imaging:\n  studies:\n    denoise: {variants: {a: {}}}\n    denoise: {variants: {}}\n",
            "denoise stands twice, in lines 3 and 4",
        ),
        ("imaging: {studies: {denoize: {variants: {}}}}\n", r"imaging\.studies\.denoize: no such name; it should be 'denoise', "),
        ("base: big\n", "base: .*'demo'.*got 'big'"),
        ("tier: big\n", "mine.yaml: tier: .*'demo', 'cpu' or 'gpu', got 'big'$"),
        ("name: my/own\n", "no study can be called 'my/own'"),
        ("name: Demo\n", "no study can be called 'Demo': .*not ci, demo, cpu, gpu"),
        ("name: null\n", "no study can be called None"),
        ("tier: ci\ndata_tier: ci\ncolour: red\n", "unknown key colour"),
        ("tier: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_broken_files_are_one_clear_line(tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        load(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00tier")
    with pytest.raises(ConfigError, match=str(path)):
        read_yaml(path)


def test_missing_files_and_unknown_tiers_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file"):
        load(str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match="'big'; there are ci, demo, cpu, gpu"):
        load("big")


def test_a_file_of_ones_own_needs_only_what_it_changes(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("master_seed: 5\n")
    settings = load(str(path))
    assert (settings.master_seed, settings.tier, settings.data_tier, settings.name) == (5, "demo", "default", "mine")
    assert set(settings.imaging.studies) == {"denoise", "deblur", "ct-sparse", "ct-limited", "mri-cs", "inpaint"}
    assert families_of(settings, str(path)) == tuple(families())
    path.write_text("name: Other-1\nbase: ci\nimaging: {studies: {denoise: {test_images: 1}}}\nproximal: {}\n")
    settings, shipped = load(str(path)), load("ci")
    assert (settings.tier, settings.data_tier, settings.folder, settings.reports) == ("ci", "ci", "Other-1", "reports/Other-1")
    assert settings.imaging.studies["denoise"].test_images == 1 and settings.proximal == shipped.proximal
    assert settings.imaging.studies["deblur"] == shipped.imaging.studies["deblur"]
    assert families_of(settings, str(path)) == ("imaging", "proximal") and families_of(shipped, "ci") == tuple(families())


def test_the_shipped_studies_keep_their_folders(tmp_path, monkeypatch):
    """Their own files by path are the tiers; a copy is a study of its own, under a name of its own."""
    for tier in TIERS:
        settings = load(tier)
        assert (settings.name, settings.folder, settings.reports) == (None, tier, "reports")
    path = resource("config", "ci.yaml")
    assert load(str(path)) == load("ci")
    copy = tmp_path / "ci.yaml"
    shutil.copy(path, copy)
    with pytest.raises(ConfigError, match="no study can be called 'ci'"):
        load(str(copy))
    assert load(str(copy), ["name=copy"]).folder == "copy"
    for override in ("name=demo", "name=null", "name=a b"):
        with pytest.raises(ConfigError, match="no study can be called"):
            load(str(copy), [override])


@pytest.mark.parametrize(
    ("base", "changes", "expected"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": {"b": 1}}, {"a": 4}, {"a": 4}),
        ({"a": 4}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_merging_goes_key_by_key_and_leaves_its_arguments_alone(base, changes, expected):
    before = json.dumps([base, changes])
    assert merged(base, changes) == expected
    assert json.dumps([base, changes]) == before


def test_every_setting_that_is_a_constant_now_is_refused_as_such():
    def retired(node: type[StageConfig], path: str) -> Iterator[str]:
        yield from (f"{path}{name}" for name in node.retired)
        for name, field in node.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, StageConfig):
                yield from retired(field.annotation, f"{path}{name}.")

    paths = [*retired(type(load("ci")), "")]
    assert "proximal.certify" in paths and "progression.learning.autoencoder.network.kl_weight" in paths
    for path in paths:
        with pytest.raises(ConfigError, match=f"{path} is a constant of the code and no setting any more: take it out"):
            load("ci", [f"{path}=1"])


@pytest.mark.parametrize("tier", TIERS)
def test_an_editor_finds_nothing_wrong_in_a_tier(tier):
    jsonschema.Draft202012Validator(schema()).validate(read_yaml(resource("config", f"{tier}.yaml")))


def test_the_schema_describes_every_setting():
    document = schema()
    assert document["$schema"].startswith("https://json-schema.org")
    assert set(document["properties"]) == {"name", "base", "tier", "data_tier", "master_seed", *BUILT_IN}
    assert document["additionalProperties"] is False
    text = schema_text()
    assert json.loads(text) == document and not re.search(r'"title":"|"default":[\[{n]', text)
    for name, model in document["$defs"].items():
        assert model["additionalProperties"] is False and model["description"], name
        for key, setting in model["properties"].items():
            assert {"description", "$ref", "const"} & set(setting), f"{name}.{key} has no description"
    assert len(text.encode()) < 60_000, "a setting that nobody sets is a constant beside its code"
    study = document["$defs"]["Study"]
    assert "variants" in study["required"] and study["properties"]["test_images"]["minimum"] == 1
