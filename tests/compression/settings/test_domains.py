"""Slices of volumes and simulated fields: loaders, roles that never mix, crops, round trips in their units, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter

from sciml.compression import Channel, Codec
from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.transform import Transform, fit_transform
from sciml.compression.config import Config
from sciml.compression.entropy.context import Grid
from sciml.compression.fitting.pools import FOLDER, Sample, check_inputs, numbers, samples, training_crops
from sciml.compression.fitting.scalar import Fit
from sciml.compression.pictures import simulations as fields
from sciml.compression.pictures import volumes as slices
from sciml.compression.settings.domains import FlowRunConfig, FlowRunsConfig, SourceConfig
from sciml.compression.study.anchors_deep import BySlice, DeepJpeg2000
from sciml.compression.study.bench import pixels_of
from sciml.compression.study.quality import psnr
from sciml.datasets.splits import conflicts, roles
from sciml.formats.fields import fields_of, open_dataset
from sciml.runtime.errors import ConfigError, DataError, FormatError, ShapeError

SIDE = 64


def flow(seed: int, side: int = SIDE) -> np.ndarray:
    """Return a smooth periodic field of deviation 3 and mean 1/2."""
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 3, mode="wrap")
    return (0.5 + 3 * noise / noise.std()).astype(np.float32)


def write_run(path: Path, seed: int, times: int = 3, **more: np.ndarray) -> None:
    import xarray

    axes = ("time", "x", "y")
    data = {"vorticity": np.stack([flow(10 * seed + time) for time in range(times)]).astype(float), **more}
    store = xarray.Dataset(
        {name: (axes, values, {"units": "1/s"}) for name, values in data.items()}, coords={"time": np.arange(times) * 2.0}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    store.to_zarr(path, consolidated=False) if path.suffix == ".zarr" else store.to_netcdf(path, engine="scipy")


@pytest.fixture(scope="module")
def field_codec() -> Codec:
    """Return a codec of fields in deviations, fitted to four of them."""
    made = [fields.standardised(flow(seed))[..., None] for seed in range(4)]
    transform: Transform = fit_transform(made)
    sets = []
    for step in (0.4, 0.02):
        planes = np.concatenate([transform.forward(one).reshape(256, -1) for one in made], 1) / np.float32(step)
        sets.append(StepSet(step, *Fit(planes, Grid(SIDE // 16, SIDE // 16, 4)).run()))
    return Codec(CodecModel("flow", transform, 0.0, 1.0, tuple(sets)))


# roles


def test_no_run_shares_a_point_or_a_seed_with_another_role() -> None:
    runs = Config().simulations.runs
    for one in runs:
        for other in set(runs) - {one}:
            assert not {(run.alpha, run.zeta) for run in runs[one]} & {(run.alpha, run.zeta) for run in runs[other]}
            assert not {run.seed for run in runs[one]} & {run.seed for run in runs[other]}


@pytest.mark.parametrize(
    ("other", "words"),
    [({"alpha": -2, "zeta": 0.5, "seed": 9}, "share the point"), ({"alpha": -1, "zeta": 0.5, "seed": 1}, "share the seed 1")],
)
def test_runs_that_two_roles_share_are_refused(other: dict[str, float], words: str) -> None:
    train = (FlowRunConfig(alpha=-2, zeta=0.5, seed=1),)
    with pytest.raises(ValidationError, match=words):
        FlowRunsConfig(runs={"train": train, "test": (FlowRunConfig.model_validate(other),)})


def test_volumes_are_split_by_person() -> None:
    assert conflicts("compression-mr") == []
    found = roles("compression-mr")
    assert found["test"] == ["mr_colin27_t1"] and not any("colin27" in one for one in found["train"] + found["validation"])


def test_a_model_is_refused_on_runs_that_it_learned_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {"inputs": {"run1": "ab"}}
    monkeypatch.setattr("sciml.compression.fitting.pools.read_weights_metadata", lambda path: metadata)
    source = SourceConfig(kind="fields", experiment="runs", channels=1)
    zeros = np.zeros((4, 4, 1), np.float32)
    check_inputs(tmp_path, source, [Sample("a", zeros, "run2", "cd")])
    for tested in (Sample("a", zeros, "run1", "cd"), Sample("a", zeros, "copy", "ab")):
        with pytest.raises(DataError, match="which is tested"):
            check_inputs(tmp_path, source, [tested])


def test_runs_of_a_folder_have_one_role_each(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / f"{seed}.zarr", seed)
    source = SourceConfig(kind="fields", experiment=f"{FOLDER}{tmp_path}", channels=1, variables=("vorticity",))
    seen = {role: {one.source for one in samples(source, role, "ci")} for role in ("train", "validation")}
    assert seen == {"train": {"0", "1"}, "validation": {"2"}}


# fields


def test_fields_of_a_store_have_names_units_and_times(tmp_path: Path) -> None:
    write_run(tmp_path / "run.zarr", 1)
    found = list(fields_of(tmp_path / "run.zarr", ("vorticity",), begin=2))
    assert [one.name for one in found] == ["run-vorticity-0", "run-vorticity-1"]
    assert found[0].unit == "1/s" and found[0].values.dtype == np.float32
    np.testing.assert_array_equal(found[0].values, flow(11))


@pytest.mark.parametrize("suffix", [".zarr", ".nc"])
def test_a_digest_does_not_depend_on_the_kind_of_file(tmp_path: Path, suffix: str) -> None:
    write_run(tmp_path / f"run{suffix}", 1)
    found = list(fields_of(tmp_path / f"run{suffix}", ("vorticity",)))
    np.save(tmp_path / "run-vorticity.npy", np.stack([one.values for one in found]))
    assert fields.values_digest(found) == fields.values_digest(list(fields_of(tmp_path / "run-vorticity.npy", ())))


def test_runs_that_went_astray_and_missing_variables_are_refused(tmp_path: Path) -> None:
    bad = np.zeros((3, SIDE, SIDE))
    bad[1, 2, 3] = np.nan
    write_run(tmp_path / "run.zarr", 1, speed=bad, phase=np.zeros((3, SIDE, SIDE), complex))
    with pytest.raises(DataError, match=r"1 NaN or infinite values at \(1,\)"):
        list(fields_of(tmp_path / "run.zarr", ("speed",)))
    with pytest.raises(DataError, match="no variable speeed: it has"):
        list(fields_of(tmp_path / "run.zarr", ("speeed",)))
    with pytest.raises(DataError, match="complex128: expected real"):
        list(fields_of(tmp_path / "run.zarr", ("phase",)))
    with pytest.raises(DataError, match="no such file"):
        open_dataset(tmp_path / "none.zarr")
    (tmp_path / "four.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FormatError, match="version 4 needs"):
        open_dataset(tmp_path / "four.nc")


def test_a_constant_field_is_refused_where_it_would_be_learned_from() -> None:
    with pytest.raises(DataError, match="constant, 7"):
        numbers("fields", np.full((8, 8, 1), 7, np.float32))


@given(st.integers(0, 2**20), st.booleans())
@settings(max_examples=20, deadline=None)
def test_crops_of_periodic_fields_go_over_the_border_and_hold_the_field(seed: int, periodic: bool) -> None:
    field = flow(1, 48)
    crop = fields.field_crop(field, 48, periodic, np.random.default_rng(seed))
    assert crop.shape == (48, 48)
    np.testing.assert_array_equal(np.sort(crop, None), np.sort(field, None))


def test_crops_of_fields_are_in_deviations_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    for role, seed in (("train", 1), ("validation", 2)):
        write_run(tmp_path / role / f"run{seed}.zarr", seed)
    source = SourceConfig(kind="fields", experiment="runs", channels=1, variables=("vorticity",), periodic=True)
    one, other = (training_crops(source, "train", "ci", 48, {1.0: 2}, 3, tmp_path) for _ in range(2))
    assert one.array.shape == (6, 48, 48, 1) and one.array.dtype == np.float32 and list(one.inputs) == ["run1"]
    np.testing.assert_array_equal(one.array, other.array)
    assert abs(float(one.array.std()) - 1) < 0.2
    with pytest.raises(ConfigError, match="--runs"):
        list(samples(source, "train", "ci"))
    with pytest.raises(DataError, match="no run in its folder test"):
        list(samples(source, "test", "ci", tmp_path))
    with pytest.raises(DataError, match="sides of 128 pixels"):
        training_crops(source, "train", "ci", 128, {1.0: 2}, 3, tmp_path)


# slices


def test_a_window_becomes_16_bits_and_is_checked() -> None:
    values = np.array([-5.0, 0.0, 50.0, 100.0, 200.0])
    np.testing.assert_array_equal(slices.windowed_bits(values, (0, 100)), [0, 0, 32768, 65535, 65535])
    for window in ((100, 0), (5, 5), (0, np.inf)):
        with pytest.raises(ConfigError, match="the lower first"):
            slices.windowed_bits(values, window)
    with pytest.raises(ValidationError, match="the lower first"):
        SourceConfig(window=(100, 0))
    with pytest.raises(ValidationError, match="slices go together by 1, 2, 4, 8, 3"):
        SourceConfig(kind="slices", channels=3)


def test_inner_slices_leave_out_the_ends_and_constant_ones() -> None:
    volume = np.random.default_rng(0).random((16, 8, 8))
    volume[4] = 0.5
    assert [number for number, _ in slices.inner_slices(volume, 2)] == [2, 6, 8, 10, 12]
    with pytest.raises(ShapeError, match="grey slice or a volume"):
        list(slices.inner_slices(np.zeros((8, 8, 3)), 1))
    together = dict(slices.inner_slices(volume, 2, 4))
    assert list(together) == [2, 6, 10] and all(np.array_equal(one, volume[n : n + 4]) for n, one in together.items())
    assert [one.shape for _, one in slices.inner_slices(volume[0], 2, 4)] == [(1, 8, 8)]


def test_volumes_of_a_folder_need_a_window_where_the_file_names_no_range(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", (generator.random((16, 32, 32)) * 1000 - 500).astype(np.float32))
    source = SourceConfig(kind="slices", experiment=f"{FOLDER}{tmp_path}", channels=1)
    with pytest.raises(ConfigError, match=r"--range LOW HIGH .*--range -160 240"):
        list(samples(source, "train", "ci"))
    source = source.model_copy(update={"window": (-500.0, 500.0)})
    found = {role: list(samples(source, role, "ci")) for role in ("train", "validation")}
    assert [len({one.source for one in of}) for of in found.values()] == [2, 1]
    assert found["train"][0].array.dtype == np.uint16 and found["train"][0].array.shape == (32, 32, 1)
    (tmp_path / "1.npy").unlink()
    (tmp_path / "2.npy").unlink()
    with pytest.raises(DataError, match=r"holds 1 files .*at least 2"):
        list(samples(source, "train", "ci"))


def test_neighbouring_slices_are_the_channels_of_a_picture(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", generator.random((16, 32, 40)).astype(np.float32))
    source = SourceConfig(kind="slices", experiment=f"{FOLDER}{tmp_path}", channels=4, window=(0.0, 1.0))
    found = list(samples(source, "train", "ci"))
    volume = np.load(tmp_path / "0.npy")
    assert found[0].array.shape == (32, 40, 4)
    np.testing.assert_array_equal(found[0].array, slices.windowed_bits(np.moveaxis(volume[2:6], 0, -1), (0, 1)))
    crops = training_crops(source, "train", "ci", 16, {1.0: 2, 2.0: 1}, 3)
    assert crops.array.shape[1:] == (16, 16, 4) and len(crops.array) == 3 * len(found)
    np.save(tmp_path / "1.npy", volume[0])
    with pytest.raises(DataError, match="is one slice, 4 neighbours go together: train single slices with --neighbours 1"):
        training_crops(source, "train", "ci", 16, {1.0: 1}, 3)


def test_codecs_of_single_slices_take_several_one_by_one() -> None:
    jpeg = BySlice(DeepJpeg2000())
    slab = np.random.default_rng(0).integers(0, 2**16, (40, 48, 4)).astype(np.uint16)
    data = jpeg.encode(slab, 2.0)
    singles = [jpeg.codec.encode(np.ascontiguousarray(slab[..., n]), 2.0) for n in range(4)]
    assert len(data) == sum(map(len, singles)) + 4 * 3
    np.testing.assert_array_equal(jpeg.decode(data), np.stack([jpeg.codec.decode(one) for one in singles], -1))
    assert jpeg.decode(jpeg.encode(slab[..., 0], 2.0)).shape == (40, 48)
    assert [pixels_of(40, 48, channels) for channels in (1, 3, 4)] == [1920, 1920, 4 * 1920]


def test_a_test_volume_in_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sciml.datasets.manifest import record

    for number in range(2):
        np.save(tmp_path / f"{number}.npy", np.random.default_rng(0).random((16, 32, 32)).astype(np.float32))
    monkeypatch.setattr("sciml.compression.fitting.pools.digest_file", lambda path: record("mr_colin27_t1").sha256)
    source = SourceConfig(kind="slices", experiment=f"{FOLDER}{tmp_path}", channels=1)
    with pytest.raises(DataError, match="is the test volume mr_colin27_t1"):
        list(samples(source, "train", "ci"))


# round trips


def test_fields_come_back_in_their_own_unit_and_finer_steps_come_nearer(field_codec: Codec) -> None:
    field = 1e-3 * flow(99)
    errors = []
    for quality in (20, 60, 100):
        decoded = field_codec.decode(field_codec.encode(field, quality=quality))
        assert decoded.dtype == np.float32 and decoded.shape == field.shape
        errors.append(float(np.std(decoded - field) / field.std()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.01


def test_the_quality_scale_ends_at_the_finest_step_of_the_model(field_codec: Codec) -> None:
    from sciml.compression.coding.model import step_of
    from sciml.compression.container.file import read_container

    header = read_container(field_codec.encode(flow(5), quality=100)).header
    assert step_of(header.quantiser_code) == pytest.approx(0.02 * 2 / 3, rel=0.003) and header.quality == 1


def test_a_constant_field_keeps_its_value_and_bad_input_is_refused(field_codec: Codec) -> None:
    constant = np.full((40, 40), -2.5, np.float32)
    np.testing.assert_allclose(field_codec.decode(field_codec.encode(constant)), constant, rtol=1e-6)
    bad = flow(1)
    bad[3, 4] = np.nan
    with pytest.raises(DataError, match="1 of 4096 samples are not finite"):
        field_codec.encode(bad)
    with pytest.raises(ShapeError, match="2 channels: the model flow codes 1"):
        field_codec.encode(np.stack([flow(1), flow(2)], -1))
    with pytest.raises(FormatError, match="scale of channel 0"):
        field_codec.encode(flow(1), scale=(Channel(0, 0),))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_jpeg_2000_of_16_bits_keeps_slices_and_fields(kind: type) -> None:
    codec, picture = DeepJpeg2000(), flow(1)
    if kind is np.uint16:
        picture = slices.windowed_bits(picture, (float(picture.min()), float(picture.max())))
    qualities = [psnr(codec.decode(codec.encode(picture, rate)), picture) for rate in (0.5, 2.0, 8.0)]
    assert qualities == sorted(qualities) and qualities[-1] > 65
    with pytest.raises(ShapeError, match="takes"):
        codec.encode(picture.astype(np.float64), 1)
    with pytest.raises(FormatError, match="no jpeg2000 file"):
        codec.decode(b"nothing of this kind")
