"""The authors' weights: names, shapes and numbers, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny_learning import UNET

from sciml.formats.nifti import read_scan
from sciml.options import check_model
from sciml.progression.cohorts.regions import CONDITIONED
from sciml.progression.courses.course import Course
from sciml.progression.courses.curves import curves
from sciml.progression.networks.autoencoder import Autoencoder
from sciml.progression.networks.convert import convert_autoencoder, convert_course, convert_denoiser, read_state_dict, renamed
from sciml.progression.networks.denoiser import Denoiser
from sciml.progression.networks.model_files import autoencoder_from, load_model
from sciml.progression.networks.published import convert_weights, reconstruction_psnr
from sciml.progression.settings.networks import FORMS, PUBLISHED_AUTOENCODER, PUBLISHED_UNET, AutoencoderConfig
from sciml.runtime.errors import ConfigError, DataError, FormatError, NumericalError

# of the published shape, with fewer channels
SMALL = AutoencoderConfig(unshuffle=1, channels=(8, 8, 8, 8), residual_blocks=2, groups=4, mirrored=True, initial_sd=None)


def old_names(state):
    """Return a state dict under the names of monai-generative, as the authors' program wrote it."""
    found = {}
    for name, value in state.items():
        old = name.replace(".out_proj.", ".to_out.0.")
        found[old.replace(".postconv.conv.", ".conv.conv.")] = value
    return found


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    autoencoder, denoiser = Autoencoder(SMALL).eval(), Denoiser(FORMS["official"], UNET).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return autoencoder, denoiser


@pytest.fixture
def files(networks, tmp_path):
    autoencoder, denoiser = networks
    parts = {"autoencoder": autoencoder.network, "unet": denoiser.unet, "controlnet": denoiser.control}
    for name, network in parts.items():
        torch.save(old_names(network.state_dict()), tmp_path / f"{name}.pth")
    return {name: tmp_path / f"{name}.pth" for name in parts}


def images(seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 1, 24, 24, 16, generator=torch.Generator().manual_seed(seed))


def test_the_published_sizes_have_the_published_numbers_of_weights():
    with torch.device("meta"):
        autoencoder = Autoencoder(PUBLISHED_AUTOENCODER)
        denoiser = Denoiser(FORMS["official"], PUBLISHED_UNET)
    assert sum(parameter.numel() for parameter in autoencoder.parameters()) == 13_766_248
    assert sum(parameter.numel() for parameter in denoiser.unet.parameters()) == 553_198_595
    assert denoiser.control is not None
    assert sum(parameter.numel() for parameter in denoiser.control.parameters()) == 229_658_624
    assert autoencoder.latent_shape((120, 144, 120)) == (3, 15, 18, 15)
    names = {"unet": list(denoiser.unet.state_dict()), "control": list(denoiser.control.state_dict())}
    assert [len(found) for found in names.values()] == [528, 264]
    changed = {part: sum(old != new for old, new in zip(old_names(dict.fromkeys(found)), found, strict=True))
               for part, found in names.items()}  # fmt: skip
    assert changed == {"unet": 44, "control": 20}
    kept = list(autoencoder.network.state_dict())
    assert sum(old != new for old, new in zip(old_names(dict.fromkeys(kept)), kept, strict=True)) == 6


def test_old_names_give_the_same_numbers(networks, files):
    autoencoder, denoiser = networks
    found = convert_autoencoder(files["autoencoder"], latent_scale=2.0, config=SMALL)
    mean, _ = autoencoder.encode(images())
    torch.testing.assert_close(found.latent(images()), 2 * mean, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.image(2 * mean), autoencoder.decode(mean), rtol=0, atol=1e-6)
    again = convert_denoiser(files["unet"], files["controlnet"], UNET)
    generator = torch.Generator().manual_seed(2)
    noisy, start = (torch.randn(2, 3, 6, 6, 6, generator=generator) for _ in range(2))
    given = (noisy, torch.tensor([10, 900]), torch.randn(2, 8, generator=generator), start, torch.tensor([0.7, 0.8]))
    with torch.no_grad():
        torch.testing.assert_close(again(*given), denoiser(*given), rtol=0, atol=1e-6)


def test_monais_own_loader_agrees(networks, files):
    from monai.networks.nets.autoencoderkl import AutoencoderKL
    from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet

    for file, kind, network in (
        ("autoencoder", AutoencoderKL, networks[0].network),
        ("unet", DiffusionModelUNet, networks[1].unet),
    ):
        assert isinstance(network, kind)
        ours = renamed(read_state_dict(files[file]), network.state_dict(), file)
        torch.manual_seed(5)
        other = Autoencoder(SMALL).network if kind is AutoencoderKL else Denoiser(FORMS["official"], UNET).unet
        left = read_state_dict(files[file])
        other.load_old_state_dict(left)
        assert left == {}
        assert all(torch.equal(value, ours[name]) for name, value in other.state_dict().items())


def test_names_of_a_parallel_run_and_new_names_are_taken(networks, tmp_path):
    network = networks[1].unet
    for name, state in (("new", network.state_dict()), ("module", {f"module.{k}": v for k, v in network.state_dict().items()})):
        torch.save(state, tmp_path / f"{name}.pth")
        found = renamed(read_state_dict(tmp_path / f"{name}.pth"), network.state_dict(), name)
        assert all(torch.equal(value, found[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv_in.conv.weight"), "lacks the weight conv_in.conv.weight"),
        (lambda s: s.update(extra=torch.zeros(1)), "has the weight extra, which the network lacks"),
        (lambda s: s.update({"conv_in.conv.bias": torch.zeros(9)}), r"conv_in.conv.bias has shape \[9\], expected \[8\]"),
        # a network without output projections: MONAI's loader takes it in silence
        (lambda s: [s.pop(name) for name in list(s) if ".to_out.0." in name], r"lacks the weight .*attn1\.out_proj\.weight"),
    ],
)
def test_other_weights_are_refused_by_name(networks, tmp_path, change, message):
    state = old_names(networks[1].unet.state_dict())
    change(state)
    torch.save(state, tmp_path / "unet.pth")
    with pytest.raises(FormatError, match=message):
        renamed(read_state_dict(tmp_path / "unet.pth"), networks[1].unet.state_dict(), "unet.pth")


def test_files_that_could_run_code_or_hold_something_else_are_refused(tmp_path):
    torch.save({"network": np.random.default_rng}, tmp_path / "code.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("nothing")
    for name, message in (
        ("code", "no torch file of plain tensors"),
        ("other", "expected tensors by name"),
        ("text", "no torch"),
    ):
        with pytest.raises(FormatError, match=message):
            read_state_dict(tmp_path / f"{name}.pth")
    with pytest.raises(DataError, match="no such file"):
        read_state_dict(tmp_path / "absent.pth")


def damaged(state):
    state["down_blocks.0.resnets.0.conv1.conv.weight"][0, 0, 0, 0, 0] = float("nan")


def huge(state):
    # finite values whose product is not
    for name in state:
        if name.endswith("conv1.conv.weight"):
            state[name] *= 1e30


def turned(state):
    name = "middle_block.attention.transformer_blocks.0.attn1.to_k.weight"
    state[name] = state[name].t().contiguous()


def stored_turned(state):
    name = "middle_block.attention.transformer_blocks.0.attn1.to_k.weight"
    state[name] = state[name].t()


@pytest.mark.parametrize("part", ["unet", "controlnet"])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (damaged, NumericalError, r"down_blocks\.0\.resnets\.0\.conv1\.conv\.weight has 1 values of"),
        (huge, NumericalError, "answers with values that are not finite"),
        (turned, FormatError, r"attn1\.to_k\.weight of one is like the transpose of the other"),
        (stored_turned, FormatError, r"attn1\.to_k\.weight is stored as the transpose"),
    ],
)
def test_right_shapes_with_wrong_numbers_are_found_in_both_networks(networks, tmp_path, part, change, error, words):
    denoiser = networks[1]
    unet = {name: value.clone() for name, value in denoiser.unet.state_dict().items()}
    # as training begins: a ControlNet is a copy of the UNet's encoder
    control = {name: (unet.get(name, value) + 0.01).clone() for name, value in denoiser.control.state_dict().items()}
    states = {"unet": unet, "controlnet": control}
    change(states[part])
    for name, state in states.items():
        torch.save(state, tmp_path / f"{name}.pth")
    with pytest.raises(error, match=words):
        convert_denoiser(tmp_path / "unet.pth", tmp_path / "controlnet.pth", UNET)


def test_what_a_failed_download_left_is_named(tmp_path):
    page, nothing, pointer = tmp_path / "page.pth", tmp_path / "nothing.pth", tmp_path / "pointer.pth"
    page.write_text("\n<!DOCTYPE html><title>Sign in</title>")
    nothing.touch()
    pointer.write_text("version https://git-lfs.github.com/spec/v1\n")
    for path, words in ((page, "web page"), (nothing, "is empty"), (pointer, "git lfs pull")):
        with pytest.raises(FormatError, match=words):
            read_state_dict(path)
        with pytest.raises(FormatError, match=words):
            convert_course({"AD": path})
        scan = path.rename(tmp_path / "scan.nii.gz")
        with pytest.raises(FormatError, match=words):
            read_scan(scan)
        scan.rename(tmp_path / "model.safetensors")
        with pytest.raises(FormatError, match=words):
            check_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latent_scale_that_is_none_is_refused(tmp_path, scale):
    absent = tmp_path / "absent.pth"
    with pytest.raises(ConfigError, match="--latent-scale"):
        convert_weights(absent, absent, absent, tmp_path / "m.safetensors", latent_scale=scale)


def test_a_model_file_with_a_value_that_is_not_finite_is_refused(networks):
    arrays = {name: value.numpy().copy() for name, value in networks[0].state_dict().items()}
    arrays["latent_sd"] = np.ones((3, 1, 1, 1), np.float32)
    arrays["network.quant_conv_mu.conv.bias"][0] = np.nan
    with pytest.raises(NumericalError, match=r"quant_conv_mu\.conv\.bias has 1 values"):
        autoencoder_from(arrays, {"network": SMALL.model_dump(mode="json")}, "file")


def test_a_converted_model_is_whole_and_one_that_decodes_nothing_is_refused(networks, files, tmp_path, caplog):
    brain = np.full((40, 48, 40), 0.5, dtype=np.float32)
    options = {"check": brain, "grid": "4.5mm", "networks": (SMALL, UNET)}
    paths = (files["autoencoder"], files["unet"], files["controlnet"])
    with pytest.raises(NumericalError, match="expected at least 25"):
        convert_weights(*paths, tmp_path / "model.safetensors", **options)
    assert not (tmp_path / "model.safetensors").exists()
    # an autoencoder that gives grey back: zero weights, the right bias at the end
    grey = {name: torch.zeros_like(value) for name, value in networks[0].network.state_dict().items()}
    last = sorted((name for name in grey if name.startswith("decoder") and name.endswith("conv.bias")), key=_position)[-1]
    grey[last] += 0.5
    torch.save(old_names(grey), files["autoencoder"])
    model_file, card = convert_weights(*paths, tmp_path / "model.safetensors", latent_scale=3.0, **options)
    model = load_model(model_file)
    torch.testing.assert_close(model.autoencoder.latent_sd, torch.full((3, 1, 1, 1), 1 / 3))
    assert model.denoiser.form == FORMS["official"]
    assert reconstruction_psnr(model.autoencoder, brain) > 100
    assert json.loads(card.read_text())["from"].keys() == {"autoencoder.pth", "unet.pth", "controlnet.pth"}
    assert "--latent-scale" in caplog.text


def _position(name: str) -> int:
    return int(name.split(".")[2])


def test_a_published_course_gives_its_known_curve(tmp_path):
    mixing = np.random.default_rng(0).normal(size=(4, 5)) * 0.02
    parameters = {
        "log_g_mean": [0.2, 0.4, 0.6, 0.1, 0.9], "log_v0_mean": [-4.0, -3.8, -3.9, -4.2, -3.7], "tau_mean": [75.0],
        "tau_std": [6.0], "xi_std": [0.4], "mixing_matrix": mixing.tolist(), "noise_std": [0.03],
    }  # fmt: skip
    path = tmp_path / "dcm_ad.json"
    path.write_text(json.dumps({"name": "logistic", "parameters": parameters}))
    model = convert_course({"AD": path})
    # at tau each feature stands at 1 / (1 + g)
    values, _ = curves(model.populations["AD"], torch.zeros(1, 6).double(), torch.tensor([[75.0]]).double())
    np.testing.assert_allclose(values[0, 0], 1 / (1 + np.exp(parameters["log_g_mean"])), rtol=1e-12)
    volumes = model.scale[0] + 0.5 * (model.scale[1] - model.scale[0])
    forecast = model.predict(Course(np.array([74.0]), volumes[None], 1, "AD"), [80.0])
    change = forecast.mean[0] - model.predict(Course(np.array([74.0]), volumes[None], 1, "AD"), [74.0]).mean[0]
    assert (np.sign(change) == [1 if region == "ventricle" else -1 for region in CONDITIONED]).all()
    path.write_text(json.dumps({"parameters": {key: value for key, value in parameters.items() if key != "tau_std"}}))
    with pytest.raises(FormatError, match="none of the parameters tau_std"):
        convert_course({"AD": path})
