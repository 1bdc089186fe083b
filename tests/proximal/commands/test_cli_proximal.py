"""`sciml proximal` as a user meets it, with small untrained networks: files in, files and lines out, one line for a mistake."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest
import tifffile
import torch
from command_line import not_one_line

from sciml.imaging import plugins, priors
from sciml.proximal.networks import loading
from sciml.proximal.networks.explicit import ExplicitNetwork
from sciml.proximal.networks.forms import LearnedProximalNetwork
from sciml.proximal.networks.implicit import ImplicitNetwork
from sciml.proximal.settings.structures import ConvolutionalPotential, DensePotential, PublishedPotential, RegularizerConfig
from sciml.training import save_weights

ROWS, COLUMNS = np.mgrid[:40, :36] / 36
SCENE = (0.5 + 0.4 * np.sin(6 * COLUMNS) * np.cos(5 * ROWS)).astype(np.float32)
COLOURS = np.stack([SCENE, SCENE**2, 1 - SCENE], -1)
GREY = RegularizerConfig(windows=((3,),))


def save(path: Path, network: LearnedProximalNetwork) -> None:
    described = {"network": network.describe()}
    save_weights(path, network, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0, extra=described)


@pytest.fixture
def run(tmp_path, sciml_command):
    """Run one command in a folder with networks and images; return (exit code, standard output, standard error)."""
    noise = np.random.default_rng(0).normal(size=COLOURS.shape).astype(np.float32)
    save(tmp_path / "grey.safetensors", ImplicitNetwork(GREY))
    save(tmp_path / "colour.safetensors", ImplicitNetwork(RegularizerConfig(windows=((3,),), channels=3)))
    save(tmp_path / "explicit.safetensors", ExplicitNetwork(ConvolutionalPotential(window=3)))
    save(tmp_path / "vectors.safetensors", ExplicitNetwork(DensePotential(channels=2)))
    (tmp_path / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    torch.save({"a": torch.zeros(2)}, tmp_path / "new.pt")
    PIL.Image.fromarray((SCENE * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    PIL.Image.fromarray((COLOURS * 255).astype(np.uint8)).save(tmp_path / "colour.png")
    PIL.Image.fromarray((SCENE[:2, :30] * 255).astype(np.uint8)).save(tmp_path / "thin.png")
    arrays = {"noisy": SCENE + 0.1 * noise[..., 0], "bytes": SCENE * 255, "hounsfield": SCENE * 2000 - 1000}
    arrays |= {"colours": COLOURS + 0.1 * noise, "known": noise[..., 1] > 0}
    arrays["holed"] = np.where((ROWS > 0.5) & (COLUMNS > 0.5), np.nan, SCENE)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)

    return partial(sciml_command, "proximal")


DENOISE, RECONSTRUCT = "denoise noisy.npy --out y.npy --model", "reconstruct noisy.npy --out y.npy --model grey.safetensors"
MISTAKES = [
    ("denoise absent.png --out y.png --model grey.safetensors", "no such file: absent.png"),
    (f"{DENOISE} nope", "there is no model nope: shipped are "),
    (f"{DENOISE} old.pt", "old.pt is a pickle file (torch.save), which can run code"),
    (f"{DENOISE} new.pt", "new.pt is a pickle file"),
    (f"{DENOISE} photo.png", "photo.png is not a safetensors file"),
    (f"{DENOISE} vectors.safetensors", "is a network of vectors"),
    (f"{DENOISE} colour.safetensors", "takes 3 channels at once, noisy has 1 channel; take --model photo-grey"),
    (f"{DENOISE} grey.safetensors --noise-std -0.1", "--noise-std is a number from 0 to 1"),
    (f"{DENOISE} grey.safetensors --noise-std 25", "on the scale that the values have or get by --range, got 25"),
    (f"{DENOISE} grey.safetensors --noise-std nan", "got nan"),
    (f"{DENOISE} grey.safetensors --range 1 0", "the lower one first"),
    ("denoise noisy.npy --out y.gif --model grey.safetensors", "results go to a folder or to a file (.png, .tif"),
    ("denoise bytes.npy --out y.npy --model grey.safetensors", "bytes has values from 25.6066 to 229.251"),
    ("denoise hounsfield.npy --out y.npy --model grey.safetensors", "not on the scale from 0 to 1: say with --range LOW HIGH"),
    ("denoise holed.npy --out y.npy --model grey.safetensors", "NaN or infinite values, the first at index (19, 19)"),
    ("denoise thin.png --out y.png --noise-std 0.1 --model grey.safetensors", "at least 3 x 3 pixels"),
    (RECONSTRUCT, "say with --task what noisy.npy is a measurement of"),
    (f"{RECONSTRUCT} --task denoise --solver magic", "the solver is one of auto, variational, pgd, admm"),
    (f"{RECONSTRUCT} --task denoise --weight 0", "the weight is a number above 0"),
    (f"{RECONSTRUCT} --task denoise --noise-std -1", "noise_std is one number of at least 0"),
    (f"{RECONSTRUCT} --task denoise --option sigma=3", "sigma is on the scale from 0 to 1"),
    (f"{RECONSTRUCT.replace('grey', 'colour')} --task denoise", "takes 3 at once; take a grey model"),
    ("reconstruct absent.safetensors --out y.png", "no such file: absent.safetensors"),
    ("prior photo.png --model grey.safetensors --prior-noise-std 0", "sigma is one number above 0"),
    ("prior photo.png --model grey.safetensors --prior-noise-std -1", "sigma is one number above 0"),
    ("evaluate photo.png --model grey.safetensors --noise-std 0", "the noise is a number above 0 and at most 1"),
    ("certify new.pt", "new.pt is a pickle file"),
    ("repair grey.safetensors --out fixed.safetensors", "implicit form"),
    ("train nope --out out", "train no network 'nope'; they train photo-grey"),
    ("train photo-grey --tier gpu --out out", "on the processor train with --tier cpu"),
    (f"{RECONSTRUCT} --task denoise --solver pgd --step 1.5", "the step 1.5 is not below 1 / ||A||^2 = 1"),
    (f"{RECONSTRUCT} --task denoise --solver admm --penalty 0.5", "the penalty 0.5 is not above ||A||^2 = 1"),
    ('stage train --output out --config {"name":"a"}', "domain"),
]


def test_a_mistake_is_one_line_and_leaves_nothing(run, tmp_path):
    assert not not_one_line(run, tmp_path, MISTAKES)


@pytest.mark.parametrize(("low", "high", "words"), [(0, 1, ""), (-1000, 1000, "--range -1000 1000")], ids=str)
@pytest.mark.parametrize("name", ["y.npy", "y.tif", "y.png"])
def test_a_denoised_file_has_the_units_of_the_file(run, tmp_path, low, high, words, name):
    noisy = np.load(tmp_path / "noisy.npy")
    np.save(tmp_path / "own.npy", noisy * (high - low) + low)
    code, out, _ = run(*f"denoise own.npy --out {name} --model grey.safetensors --noise-std 0.1 {words}".split())
    assert code == 0 and "sigma 0.1" in out and "as given" in out
    expected = ImplicitNetwork(GREY)(torch.from_numpy(noisy)[None, None], 0.1)[0, 0].numpy()
    if name.endswith("png"):
        assert np.abs(np.asarray(PIL.Image.open(name)) / 255 - expected.clip(0, 1)).max() < 0.003
    else:
        found = np.load(name) if name.endswith("npy") else tifffile.imread(name)
        assert np.allclose((found - low) / (high - low), expected, atol=2e-4)


def test_a_missing_sigma_is_estimated_and_said(run):
    code, out, _ = run(*["denoise", "noisy.npy", "--out", "y.npy", "--model", "grey.safetensors"])
    level = float(re.findall(r"sigma ([\d.]+), estimated", out)[0])
    assert code == 0 and level == pytest.approx(0.1, rel=0.15)


def test_no_noise_changes_nothing_and_strange_noise_is_warned_of(run, tmp_path):
    code, _, err = run(*f"{DENOISE} grey.safetensors --noise-std 0".split())
    assert code == 0 and "there is no noise to remove" in err
    assert np.array_equal(np.load(tmp_path / "y.npy"), np.load(tmp_path / "noisy.npy").astype(np.float32))
    code, _, err = run(*f"{DENOISE} grey.safetensors --force --noise-std 0.9".split())
    assert code == 0 and "far from the noise" in err and "s = 3" in err and "average blocks" in err
    code, _, err = run(*f"{DENOISE} grey.safetensors --force --noise-std 0.001".split())
    assert code == 0 and "--noise-std 0.01 is the nearest trained level" in err
    assert "far from" not in run(*f"{DENOISE} grey.safetensors --force --noise-std 0.2".split())[2]


def test_colours_go_one_by_one_or_together(run, tmp_path):
    noisy = torch.from_numpy(np.load(tmp_path / "colours.npy")).permute(2, 0, 1)
    for model, images in (("grey", noisy[:, None]), ("colour", noisy[None])):
        assert run(*f"denoise colours.npy --out {model}.npy --model {model}.safetensors --noise-std 0.1".split())[0] == 0
        network = LearnedProximalNetwork.load(tmp_path / f"{model}.safetensors")
        expected = network(images, 0.1).reshape(noisy.shape).permute(1, 2, 0)
        assert np.allclose(np.load(tmp_path / f"{model}.npy"), expected, atol=2e-4)


def test_large_images_of_a_convolutional_potential_go_in_tiles(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "TILE", 8)
    assert loading.load_network("explicit.safetensors").tile == 8
    assert run(*f"{DENOISE} explicit.safetensors --noise-std 0.1".split())[0] == 0
    noisy = torch.from_numpy(np.load("noisy.npy"))[None, None].float()
    expected = LearnedProximalNetwork.load("explicit.safetensors")(noisy, 0.1)[0, 0]
    assert np.allclose(np.load("y.npy"), expected, atol=1e-5)


def test_a_volume_goes_in_batches(run, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(loading, "AT_ONCE", 2 * SCENE.size)
    volume = np.stack([np.load(tmp_path / "noisy.npy") * part for part in (1, 0.9, 0.8, 0.7, 0.6)], -1).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume * 100, np.diag([2.0, 1.5, 3.0, 1.0])), tmp_path / "v.nii.gz")
    line = "denoise v.nii.gz --out w.nii.gz --model grey.safetensors --noise-std 0.1 --range 0 100"
    with caplog.at_level("INFO"):
        assert run(*line.split())[0] == 0
    assert "images 5 to 5 of 5" in caplog.text
    result = nibabel.as_closest_canonical(nibabel.load(tmp_path / "w.nii.gz"))
    network = ImplicitNetwork(GREY)
    expected = network(torch.from_numpy(volume).permute(2, 0, 1)[:, None], 0.1)[:, 0].permute(1, 2, 0)
    assert np.allclose(result.get_fdata() / 100, expected, atol=2e-4) and np.allclose(np.diag(result.affine)[:3], [2, 1.5, 3])


def test_the_noise_level_of_r_is_chosen_from_the_shell(run, tmp_path):
    line = "reconstruct noisy.npy --task denoise --option sigma=0.1 --model grey.safetensors --json c.json --force --out"
    assert run(*line.split(), "plain.npy")[0] == 0
    assert run(*line.split(), "same.npy", "--prior-noise-std", "0.1")[0] == 0
    assert run(*line.split(), "other.npy", "--prior-noise-std", "0.05")[0] == 0
    plain, same, other = (np.load(tmp_path / f"{name}.npy") for name in ("plain", "same", "other"))
    assert np.allclose(plain, same, atol=1e-6) and np.abs(plain - other).max() > 1e-4
    code, _, err = run(*line.split(), "bad.npy", "--prior-noise-std", "-1")
    assert code == 2 and "above 0" in err


@pytest.mark.parametrize(("model", "solver"), [("grey", "variational"), ("explicit", "pgd")])
def test_reconstruction_with_certificate_and_curve(run, tmp_path, model, solver):
    line = f"reconstruct noisy.npy --task denoise --option sigma=0.1 --model {model}.safetensors --out y.npy"
    code, out, err = run(*line.split(), "--json", "c.json", "--curve-out", "f.csv")
    assert code == 0, err
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["certified"] and "y.npy: certified: " in out and record["solver"] == solver and solver in out
    rows = list(csv.DictReader((tmp_path / "f.csv").open()))
    objective = [float(row["objective"]) for row in rows]
    assert objective == sorted(objective, reverse=True) or max(np.diff(objective)) < 1e-4 * objective[0]
    assert objective[-1] == pytest.approx(record["groups"][0]["objective"][0])
    assert f"F {objective[-1]:.6g}" in out and "||A||^2 1" in out and "gradients" in out
    if model == "grey":
        # with A = I the reconstruction is the denoiser
        expected = ImplicitNetwork(GREY)(torch.from_numpy(np.load("noisy.npy"))[None, None], 0.1)[0, 0].numpy()
        assert np.abs(np.load("y.npy") - expected).max() < 2e-3


def test_a_measurement_file_a_mask_and_colours(run, tmp_path):
    words = "reconstruct colours.npy --task inpaint --mask known.npy --option sigma=0.1 --model grey.safetensors --out y.npy"
    code, out, _ = run(*words.split(), "--curve-out", "f.csv")
    assert code == 0 and "(mean of 3)" in out and np.load("y.npy").shape == COLOURS.shape
    assert {row["image"] for row in csv.DictReader((tmp_path / "f.csv").open())} == {"0", "1", "2"}
    from sciml.classical.commands.single import measure_file

    measure_file(tmp_path / "photo.png", "deblur", tmp_path / "m.safetensors", ["kernel_size=5", "kernel=gaussian"], None, 0)
    code, out, _ = run(
        *["reconstruct", "m.safetensors", "--model", "grey.safetensors", "--out", "sharp.png", "--noise-std", "0.03"]
    )
    assert code == 0 and "certified" in out and PIL.Image.open("sharp.png").size == (32, 36)


def test_a_sinogram_counts_its_noise_in_its_own_units(tmp_path):
    from sciml.imaging.tasks.task import task
    from sciml.proximal.commands.single import reconstruct_file

    scan = task("ct-sparse", (24, 24), views=12)
    x = torch.from_numpy(SCENE[None, None, :24, :24])
    save(tmp_path / "grey.safetensors", ImplicitNetwork(GREY))
    np.save(tmp_path / "s.npy", scan.physics.A(x)[0, 0].numpy() * scan.physics.scale)
    words = (tmp_path / "s.npy", tmp_path / "y.npy", str(tmp_path / "grey.safetensors"), "ct-sparse", ["views=12"])
    outcome = reconstruct_file(*words, noise_std=0.02 * scan.physics.scale)
    assert float(outcome.runs[0].noise_std[0]) == pytest.approx(0.02)


def test_what_is_not_certified_is_said_and_ends_with_3(run, tmp_path, monkeypatch):
    from sciml.proximal.commands import single

    found = single.reconstruct
    monkeypatch.setattr(single, "reconstruct", lambda *given, **named: found(*given, **named, iterations=1))
    line = ["reconstruct", "noisy.npy", "--task", "deblur", "--model", "grey.safetensors", "--out", "y.npy"]
    code, out, err = run(*line)
    assert code == 3 and not out and "y.npy is written, uncertified: the relative residual is" in err
    assert (tmp_path / "y.npy").exists()
    code, out, _ = run(*line, "--allow-uncertified", "--force")
    assert code == 0 and "y.npy: uncertified: the relative residual" in out


def test_a_step_beyond_its_bound_runs_where_that_is_allowed_and_carries_the_reason(run, tmp_path):
    line = f"{RECONSTRUCT} --task denoise --solver pgd --step 1.01 --allow-uncertified"
    code, out, err = run(*line.split(), "--json", "c.json")
    assert code == 0, err
    assert "uncertified: the step 1.01 is not below 1 / ||A||^2" in out
    assert not json.loads((tmp_path / "c.json").read_text())["certified"]


def test_a_weight_file_whose_first_bytes_look_like_a_pickle_is_read(run, tmp_path):
    network = ImplicitNetwork(GREY)
    for size in range(256):
        extra = {"network": network.describe(), "more": "x" * 8 * size}
        save_weights(
            tmp_path / "f.safetensors", network, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0, extra=extra
        )
        if (tmp_path / "f.safetensors").read_bytes().startswith(b"\x80"):
            break
    assert (tmp_path / "f.safetensors").read_bytes()[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x80\x06")
    assert run(*f"{DENOISE} f.safetensors --noise-std 0.1".split())[0] == 0


def test_the_prior_of_images_and_its_picture(run, tmp_path):
    code, out, _ = run(*["prior", "photo.png", "colour.png", "noisy.npy", "--model", "grey.safetensors"])
    assert code == 0 and out.count("in the range") == 3 and "noise level 0.1" in out
    code, out, _ = run(*["prior", "noisy.npy", "--model", "grey.safetensors", "--picture-out", "p.png"])
    assert code == 0
    value = float(ImplicitNetwork(GREY).prior(torch.from_numpy(np.load("noisy.npy"))[None, None], 0.1))
    assert f"{value:.6g}" in out and PIL.Image.open("p.png").size[0] > 1000


def test_an_image_outside_the_range_is_said_and_strict_ends_with_3(run, monkeypatch):
    from sciml.proximal.networks.network import PriorValues
    from sciml.proximal.study import prior_picture

    nothing = PriorValues(torch.tensor([torch.inf]), torch.tensor([True]), torch.tensor([0.25]), torch.zeros(1))
    monkeypatch.setattr(ImplicitNetwork, "prior_values", lambda *given: nothing)
    monkeypatch.setattr(prior_picture, "SHOWN", 1)
    line = ["prior", "photo.png", "--model", "grey.safetensors"]
    code, out, _ = run(*line, "--picture-out", "p.svg")
    assert code == 0 and "inf" in out and "outside the range" in out and "2.5e-01" in out
    assert "outside the range" in Path("p.svg").read_text() or Path("p.svg").stat().st_size > 10_000
    code, _, err = run(*line, "--refuse-outside")
    assert code == 3 and "1 of 1 files are outside the range of f" in err


def test_evaluate_prints_scores_before_and_after(run):
    code, out, _ = run(*["evaluate", "photo.png", "--model", "grey.safetensors", "--noise-std", "0.1", "--seed", "3"])
    before, after = map(float, re.findall(r"PSNR ([\d.]+) -> ([\d.]+) dB", out)[0])
    assert code == 0 and before == pytest.approx(20, abs=0.6) and after > before + 2


def test_certify_and_repair(run, tmp_path):
    network = ExplicitNetwork(PublishedPotential(size=(8, 8), width=4, head=4, strides=(1, 2)))
    save(tmp_path / "good.safetensors", network)
    with torch.no_grad():
        layers = network.potential.constrained()
        next(iter(layers.values())).raw.flatten()[0] = -1.0
    save(tmp_path / "bad.safetensors", network)
    assert run("certify", "good.safetensors")[0] == 0
    code, out, _ = run("certify", "good.safetensors", "bad.safetensors")
    assert code == 1 and "FAIL" in out and "pass" in out
    assert run("repair", "bad.safetensors", "--out", "fixed.safetensors")[0] == 0
    assert run("certify", "fixed.safetensors")[0] == 0


def test_models_lists_what_is_shipped(run, tmp_path, monkeypatch):
    assert run("models")[0] == 0
    monkeypatch.setattr("sciml.training.store.ModelStore.folder", tmp_path)
    peer = {"network": {"form": "peer", "peer": {"channels": 1}, "sigma_range": [0.1, 0.1]}}
    layer = torch.nn.Linear(2, 2)
    save_weights("peer.safetensors", layer, config={}, seed=0, inputs={}, source_digest="", cpu_minutes=0.0, extra=peer)
    code, out, _ = run("models")
    assert code == 0 and "implicit" in out and "explicit" in out and "peer" not in out and "0.01 to 0.3" in " ".join(out.split())


@pytest.fixture
def entry_points(monkeypatch):
    """The entry points that the package declares, whether or not this installation knows them yet."""
    declared = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["entry-points"]
    points = [EntryPoint(name, value, "sciml.priors") for name, value in declared["sciml.priors"].items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    assert declared["sciml.families"]["proximal"] == "sciml.proximal"


def test_the_prior_by_name(tmp_path, entry_points):
    network = ImplicitNetwork(GREY).double()
    save(tmp_path / "grey.safetensors", network.float())
    prior = priors.resolve(f"lpn:{tmp_path / 'grey.safetensors'}")
    assert isinstance(prior, priors.Prior)
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(prior.value(x), network.double().prior(x, 0.1) / 0.1)
    slope = (prior.value(x + 1e-5 * d) - prior.value(x - 1e-5 * d)) / 2e-5
    assert torch.allclose(slope, (prior.gradient(x) * d).sum((1, 2, 3)), rtol=1e-6)
    # the natural weight of denoising at noise 0.1 is 0.1: the prox is then the network
    assert torch.allclose(prior.prox(x, 0.1), network(x, 0.1), atol=1e-6)
    p = prior.prox(x, torch.tensor([0.02, 0.05]))
    left = p - x + torch.tensor([0.02, 0.05], dtype=torch.float64)[:, None, None, None] * prior.gradient(p)
    assert left.abs().max() < 1e-4 and torch.equal(prior.prox(x, 0.0), x)
    certificate = prior.certificate()
    assert certificate.exact_prox and certificate.weak_convexity == pytest.approx(network.certificate(0.1).weak_convexity / 0.1)


def test_the_prior_by_name_at_another_noise_level(tmp_path, entry_points):
    save(tmp_path / "grey.safetensors", ImplicitNetwork(GREY))
    name = f"lpn:{tmp_path / 'grey.safetensors'}"
    assert priors.resolve(f"{name}:0.05").sigma == 0.05
    with pytest.raises(priors.ConfigError, match=r"name a higher noise level: lpn:.*grey.safetensors:0.55"):
        priors.resolve(name).prox(torch.rand(1, 1, 16, 16), 0.5)
    assert priors.resolve(f"{name}:0.55").prox(torch.rand(1, 1, 16, 16), 0.5).shape == (1, 1, 16, 16)
    with pytest.raises(priors.ConfigError, match="above 0"):
        priors.resolve(f"{name}:-1")


def test_imaging_solves_with_the_prior_by_name(run, tmp_path, entry_points):
    from sciml.classical.commands.single import solve_file

    words = (tmp_path / "noisy.npy", tmp_path / "y.npy", f"prior:lpn:{tmp_path / 'grey.safetensors'}", None, "denoise")
    solve_file(*words, ["sigma=0.1"], None, 0)
    expected = ImplicitNetwork(GREY)(torch.from_numpy(np.load("noisy.npy"))[None, None], 0.1)[0, 0].numpy()
    assert np.abs(np.load("y.npy") - expected).max() < 2e-4


@pytest.mark.parametrize(
    ("picture", "more", "says"),
    [
        ("colour.png", "", "photo-colour-guided (3 colours, denoised together)"),
        ("photo.png", "", "photo-grey-guided (1 channel)"),
        ("colour.png", " --fast", "photo-grey-explicit (the explicit form, fast, colour by colour)"),
        ("colour.png", " --model grey.safetensors", "grey.safetensors at sigma"),
    ],
)
def test_the_network_is_chosen_by_the_channels_and_said(run, picture, more, says):
    code, out, err = run(*f"denoise {picture} --out y.png --noise-std 0.1{more}".split())
    assert code == 0, err
    assert says in out


def test_every_task_has_its_network_and_a_fast_one():
    from sciml.imaging import TASKS
    from sciml.proximal.networks.choice import TUNED, TUNED_FAST, network_for
    from sciml.proximal.networks.weight_files import shipped

    assert set(TUNED) | set(TUNED_FAST) <= set(TASKS)
    for task in TASKS:
        for fast in (False, True):
            chosen = network_for(task, None, fast)
            assert chosen.name in shipped()
            assert chosen.reason
    assert network_for("deblur", "mine.safetensors").reason == ""
