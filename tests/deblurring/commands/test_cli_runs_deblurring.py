"""`sciml deblurring` over longer runs: networks, interruptions, folders, and the way from a sharp picture to a score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from blurred_scenes import rng
from photo_files import BYTES, FAST, TRUTH, names, refused

from sciml.deblurring.files import progress
from sciml.deblurring.restoration import steps
from sciml.formats.image import linear_to_srgb
from sciml.formats.read import read_image

# noise, networks, size, interruption


def test_the_noise_is_printed_and_too_little_of_it_warned_of(run):
    code, out, err = run("restore", "photo.png", "--kernel", "motion:9,30", "--error", "none", "--out", "y.png")
    assert code == 0 and "The noise was estimated" in out and "estimated, misfit" in out and "sciml: warning" not in err
    assert "near the rounding" in run("restore", "photo.png", *FAST[:4], "--noise-std", 0.001, "--out", "z.png")[2]


DIP = ("--prior", "dip", "--option", "network=tiny", "--option", "iterations=12", "--option", "stop.look_every=2")


def test_untrained_networks_take_settings_and_any_size(run):
    PIL.Image.fromarray(BYTES[:41, :50]).save("odd.png")
    words = ("restore", "odd.png", "--kernel", "motion:5,30", "--error", "residual", *DIP)
    code, _, err = run(*words, "--out", "y.png", "--residual-out", "r.npy")
    assert code == 0 and np.asarray(PIL.Image.open("y.png")).shape == (41, 50, 3) and np.load("r.npy").shape == (41, 50, 3)
    assert "of at most 12 of the untrained networks" in err and not list(Path().glob("*.partial"))
    assert "unknown key iteration" in refused(run, *words, "--option", "iteration=3", "--out", "z.png")
    assert "looks like iterations=500" in refused(run, *words, "--option", "tiny", "--out", "z.png")
    assert "needs the prior dip" in refused(run, "restore", "odd.png", *FAST[:2], "--error", "residual", "--out", "z.png")


def test_a_fit_that_diverges_gives_the_start_and_a_warning(run):
    code, _, err = run(
        "restore", "photo.png", *FAST, *DIP, "--option", "offset_rate=1e30", "--option", "ramp_iterations=0", "--out", "y.png"
    )
    run("restore", "photo.png", *FAST, "--weight", 0.75, "--out", "z.png")
    assert code == 0 and "fell back" in err and Path("y.png").read_bytes() == Path("z.png").read_bytes()


def test_networks_are_refused_for_large_photographs_before_any_work(run, monkeypatch):
    monkeypatch.setattr(progress, "LARGE", 72 * 72 - 1)
    told = refused(run, "restore", "photo.png", *FAST, "--prior", "dip", "--out", "y.png")
    assert "too many" in told and "--prior tv (about" in told
    assert run("restore", "photo.png", *FAST, "--out", "y.png")[0] == 0


def test_an_interruption_writes_the_best_so_far_and_the_same_command_goes_on(run, monkeypatch):
    words = ("restore", "photo.png", *FAST, *DIP, "--option", "checkpoint_every=2", "--out")
    told = progress.Progress.__call__

    def stop(self, what, estimate):
        told(self, what, estimate)
        if "step 8 " in what:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(progress.Progress, "__call__", stop)
        code, _, err = run(*words, "y.png")
    assert code == 130 and "the best so far" in err and "Traceback" not in err
    assert np.asarray(PIL.Image.open("y.png")).shape == (72, 72, 3) and Path("y.png.partial").is_dir()
    assert run(*words, "y.png")[0] == 0 and not Path("y.png.partial").exists()
    run(*words, "z.png")
    assert Path("y.png").read_bytes() == Path("z.png").read_bytes()


def test_an_interruption_before_there_is_anything_leaves_nothing(run, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sciml.deblurring.commands.single.read_photo", stop)
    code, _, err = run("restore", "photo.png", *FAST, "--out", "y.png")
    assert code == 130 and "interrupted" in err and not Path("y.png").exists()


# folders


def test_of_a_folder_failures_are_told_and_the_others_go_on(run):
    Path("in/deeper").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "b.png", "notes.txt"):
        Path("in", name).write_bytes(b"torn" if name == "b.png" else Path("photo.png").read_bytes())
    words = ("restore", "in", *FAST, "--out", "out", "--json", "all.json")
    code, out, err = run(*words)
    assert code == 3 and "sciml: error: in/b.png" in err and "1 of 3 files failed: in/b.png" in err
    assert names("out") == ["a.png", "b.jpg.png"]
    assert set(json.loads(Path("all.json").read_text())) == {"in/a.png", "in/b.jpg", "in/b.png"}
    Path("in/b.png").unlink()
    code, out, err = run(*words)
    assert code == 0 and "--force makes it again" in err and "skipped" in out
    assert "2 restored, 0 skipped" in run(*words, "--force")[1]


def test_a_folder_can_be_interrupted(run, monkeypatch):
    Path("in").mkdir()
    for name in ("a.png", "b.png"):
        Path("in", name).write_bytes(Path("photo.png").read_bytes())

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(steps.Restoration, "_variation", stop)
        code, _, err = run("restore", "in", *FAST, "--out", "out")
    assert code == 130 and "run it again" in err and names("out") == ["a.png", "a.png.partial"]
    code, out, _ = run("restore", "in", *FAST, "--out", "out")
    assert code == 0 and "2 restored, 0 skipped" in out and names("out") == ["a.png", "b.png"]


# trying it out


def test_simulate_restore_and_evaluate_are_one_way(run):
    PIL.Image.fromarray(np.round(255 * linear_to_srgb(TRUTH)).astype(np.uint8)).save("sharp.png")
    words = ("--kernel", "motion:9,30", "--seed", 3)
    error = ("--kernel-error", "rotation:12", "--given-out", "wrong.npy")
    code, out, _ = run("simulate", "sharp.png", *words, *error, "--noise-std", 0.005, "--out", "y.npy", "--truth-out", "t.png")
    assert code == 0 and "62 x 62 pixels, values proportional to light" in out and "kernel error rotation:12" in out
    stored = np.load("y.npy")
    assert stored.dtype == np.float32 and stored.shape == (62, 62, 3)
    run("simulate", "sharp.png", *words, "--noise-std", 0.005, "--out", "again.npy")
    np.testing.assert_array_equal(np.load("again.npy"), stored)
    run("simulate", "sharp.png", *words, "--noise-std", 0, "--out", "clean.npy", "--truth-out", "t.npy")
    assert (stored - np.load("clean.npy")).std() == pytest.approx(0.005, rel=0.05)
    run("simulate", "sharp.png", *words, "--reduce", 2, "--kernel", "disk:2", "--out", "half.png")
    assert read_image("half.png").array.shape == (32, 32, 3)
    psnr = {}
    np.save("over.npy", np.load("t.npy") * 1.5)
    assert run("compare", "over.npy", "t.npy")[0] == 0 and "--range" in refused(run, "compare", "t.npy", "over.npy")
    assert "inf dB" in run("compare", "over.npy", "over.npy", "--range", 0, 2)[1]
    for name in ("motion:9,30", "wrong.npy"):
        run("restore", "y.npy", "--kernel", name, *FAST[2:4], "--out", "x.npy", "--force")
        code, out, _ = run(
            "compare", "x.npy", "t.png", "--kernel", name, "--true-kernel", "motion:9,30", "--json", "e.json", "--force"
        )
        found = json.loads(Path("e.json").read_text())
        psnr[name] = found["psnr_db"]
        assert code == 0 and f"{found['psnr_db']:.2f} dB" in out and found["best_shift_psnr_db"] >= found["unshifted_psnr_db"]
        assert (found["kernel_ncc"] == pytest.approx(1)) == (name != "wrong.npy") == (found["kernel_blur_rms"] < 1e-9)
    assert psnr["motion:9,30"] > psnr["wrong.npy"] + 1


def test_a_displaced_result_is_scored_where_it_lies_and_at_its_best(run):
    wide = rng(2).random((60, 60)).astype(np.float32)
    np.save("a.npy", wide[2:-3, 1:-4])
    np.save("b.npy", wide[:-5, :-5])
    code, out, _ = run("compare", "a.npy", "b.npy", "--as-stored", "--json", "e.json")
    found = json.loads(Path("e.json").read_text())
    assert code == 0 and "moved by 2 rows and 1 columns" in out and found["best_shift_psnr_db"] is None and found["psnr_db"] < 12
