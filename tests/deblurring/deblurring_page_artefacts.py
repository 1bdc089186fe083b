"""A results folder of the study in the stages' own formats, with made-up pictures and kernels, for tests of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from blurred_scenes import sharp

from sciml.deblurring.kernels.canonical import read_kernel
from sciml.deblurring.settings.grid import cells
from sciml.deblurring.stages.calibrate import calibrate_spreads
from sciml.deblurring.stages.evaluate import score_set
from sciml.deblurring.study.blurring import MARGIN, wrong_kernel
from sciml.imaging.operators.convolution import ValidBlur
from sciml.runtime.files import save_tensors, write_json
from sciml.runtime.provenance import Recorder

SIZE, SIGMA = 40, 0.01
PRIORS = ("tv", "lpn:photo-deblur", "tv-circular")
CHOSEN = ("tv/none", "tv/warp", "tv/kernel", "tv/true", "lpn:photo-deblur/warp", "lpn:photo-deblur/true", "tv-circular/true")
CELLS = cells(PRIORS, CHOSEN)
ERRORS = ("exact", "rotation:10", "truncation:0.2", "rotation:7+scale:0.9")
# error of a cell's pictures by its error model
LEVELS = {"none": 0.05, "warp": 0.03, "kernel": 0.045, "both": 0.03, "true": 0.025}
SETS: dict[str, dict[str, Any]] = {
    "validation": {"role": "validation", "photographs": ["one"], "kernels": ["motion:9,20"]},
    "test": {"photographs": ["two", "three"], "kernels": ["motion:11,30"]},
    "shakes": {"photographs": ["two"], "kernels": ["shake:12,13"], "errors": ("rotation:10",)},
    "length": {
        "photographs": ["two"],
        "kernels": ["motion:11,30"],
        "errors": ("bias:length=-4", "exact", "bias:length=4"),
    },
    "length-circular": {
        "photographs": ["two"],
        "kernels": ["motion:11,30"],
        "errors": ("bias:length=-4", "exact", "bias:length=4"),
        "noise": 0.0,
        "boundary": "circular",
    },
}


def write_study(root: Path) -> None:
    """Write everything that the stages before the page write."""
    for name in SETS:
        write_set(root, name)
    for prior in PRIORS:
        folder = root / "tune" / prior.replace(":", "-")
        recorder = Recorder("deblurring.tune", {"prior": prior, "weights": [0.5, 1.0], "pairs": 2})
        recorder.notes = {"pairs": 2}
        models = [cell.rpartition("/")[2] for cell in CELLS if cell.startswith(f"{prior}/")]
        found = {model: {"weight": 1.0, "psnr": 25.0, "curve": [[0.5, 24.0], [1.0, 25.0], [2.0, 24.5]]} for model in models}
        write_json(folder / "weights.json", found)
        recorder.write(folder / "provenance.json", [folder / "weights.json"])
    roles = [(root / name / "simulate" / "pairs.safetensors", *files_of(root, name)) for name in ("validation", "test")]
    calibrate_spreads(*roles[0], *roles[1], root / "calibrate")
    write_dip(root)
    write_photo(root)


def write_dip(root: Path) -> None:
    """Write the fits of untrained networks of two photographs: from nothing the residual network is worth 0.5 dB."""
    generator = np.random.default_rng(1)
    levels = {"none/cold": 26.0, "residual/cold": 26.5, "none/warm": 27.0, "residual/warm": 27.0}
    for photo in SETS["test"]["photographs"]:
        pair, folder = f"{photo} motion:11,30 rotation:10", root / "dip" / photo
        about = {"pair": pair, "photograph": photo, "kernel": "motion:11,30", "error": "rotation:10"}
        runs, arrays, curves = [], {}, {}
        for cell, level in levels.items():
            for seed in range(2):
                scores = {"psnr": level, "psnr_start": 26.8, "psnr_network": level, "psnr_last": level - 0.3}
                stops = {"held-out": {"at": 5, "psnr": level}, "discrepancy": {"at": None, "psnr": None}}
                more = {"psnr_oracle": level + 0.2, "oracle_at": 10, "gap": 0.2, "chosen": 5, "iterations": 20, "share": 0.5}
                run = {**about, "cell": cell, "seed": seed, **scores, **more, "stops": stops, "fell_back": False}
                run |= {"reason": "held-out pixels", "seconds": 60.0, "seconds_per_iteration": 0.1}
                runs.append(run | ({"residual": {"rms": 1.0, "true_rms": 1.0, "correlation": 0.4}} if "residual" in cell else {}))
            points = [[5 * step, 1 / (1 + step)] for step in range(5)]
            curves[cell] = {"psnr": points, "held-out": points, "discrepancy": points, "loss": points}
            kinds = ("image", "start", "network", "residual", "artefact", "spread")
            arrays |= {f"{pair}/{cell}/{kind}": generator.random((SIZE, SIZE)).astype(np.float32) for kind in kinds}
        spread = {"rms_spread": 0.1, "rms_error": 0.2, "rank_correlation": 0.3, "psnr_of_mean": 27.0}
        seeds = [{**about, "cell": cell, "count": 2, "returned": spread, "networks": spread} for cell in levels]
        baselines = {pair: {"blurred": 20.0, "tv/none": 26.8, "tv/warp": 29.0, "tv/true": 30.0}}
        write_json(folder / "runs.json", {"runs": runs, "baselines": baselines, "seeds": seeds, "curves": {pair: curves}})
        save_tensors(folder / "pictures.safetensors", arrays, {"photograph": photo})
        Recorder("deblurring.dip", {"pairs": [pair], "seeds": 2, "photograph": photo}).write(folder / "provenance.json", [])


def write_photo(root: Path) -> None:
    """Write what is made of the real photograph."""
    folder, image = root / "photo", sharp(SIZE, 9)[0, 0].numpy().astype(np.float32)
    kernel = read_kernel("motion:9,20").kernel
    cell = {"blur_index": 0.4, "misfit": 1.0, "held_out": 0.98, "noise": 0.004, "seconds": 3.0, "warnings": []}
    rows = [{"cell": "blurred", "blur_index": 0.5}]
    rows += [{"cell": name, **cell, "sentences": ["The given kernel was kept."]} for name in ("tv/none", "tv/warp")]
    arrays = {"blurred": image, "kernel.estimated": kernel}
    arrays |= {
        f"{kind}.{name}": array for name in ("tv/none", "tv/warp") for kind, array in (("image", image), ("kernel", kernel))
    }
    names = ("blurred", "one kernel", "poses", "true poses")
    arrays |= {f"turned.{name}": image for name in names}
    arrays |= {f"turned.kernels.{name}": np.tile(kernel, (3, 3)) for name in ("found", "true")}
    turned = {"photograph": "camera", "turn_degrees": 0.4, "found_degrees": 0.3, "agreement": 0.9}
    turned["psnr_db"] = {name: 25.0 + index for index, name in enumerate(names)}
    save_tensors(folder / "pictures.safetensors", arrays, {"photograph": "clock"})
    write_json(folder / "photo.json", {"photograph": "clock", "notes": [], "rows": rows, "turned": turned})
    Recorder("deblurring.photo", {"photograph": "clock", "kernel_size": 9}).write(folder / "provenance.json", [])


def files_of(root: Path, name: str) -> tuple[list[Path], list[Path]]:
    """Return restored pictures and spreads of a set."""
    photos = SETS[name]["photographs"]
    return (
        [root / name / photo / "restore" / "restored.safetensors" for photo in photos],
        [root / name / photo / "spread" / "spreads.safetensors" for photo in photos],
    )


def write_set(root: Path, name: str) -> None:
    """Write pairs, kernels, pictures, spreads and scores of one set."""
    generator, folder, options = np.random.default_rng(len(name)), root / name, SETS[name]
    errors, noise = options.get("errors", ERRORS), options.get("noise", SIGMA)
    tensors: dict[str, np.ndarray] = {}
    scenes: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    canvases = {photo: sharp(SIZE + 2 * MARGIN, index)[0, 0].numpy() for index, photo in enumerate(options["photographs"])}
    for photo, canvas in canvases.items():
        for text in options["kernels"]:
            kernel, number = read_kernel(text).kernel, len(scenes)
            spare = MARGIN - len(kernel) // 2
            inner = torch.from_numpy(canvas[spare : len(canvas) - spare, spare : len(canvas) - spare])[None, None]
            y = ValidBlur(kernel, (SIZE, SIZE), torch.float64).A(inner)[0, 0].numpy()
            tensors |= {f"scene.{number}.canvas": canvas.astype(np.float32), f"scene.{number}.kernel": kernel}
            tensors[f"scene.{number}.y"] = (y + SIGMA * generator.standard_normal(y.shape)).astype(np.float32)
            scenes.append({"photograph": photo, "kernel": text})
            for error in errors:
                tensors[f"pair.{len(pairs)}.given"] = wrong_kernel(text, kernel, error, 0)
                pairs.append({"scene": number, "error": error})
    boundary = options.get("boundary", "valid")
    path = folder / "simulate" / "pairs.safetensors"
    save_tensors(path, tensors, {"scenes": scenes, "pairs": pairs, "sigma": SIGMA, "margin": MARGIN, "boundary": boundary})
    config = {
        "role": "test",
        "size": SIZE,
        **options,
        "errors": errors,
        "noise": noise,
        "boundary": boundary,
        "name": name,
        "seed": 0,
    }
    Recorder("deblurring.simulate", config).write(folder / "simulate" / "provenance.json", [path])
    for photo, canvas in canvases.items():
        mine = [pair for pair in pairs if scenes[pair["scene"]]["photograph"] == photo]
        given = [tensors[f"pair.{n}.given"] for n, pair in enumerate(pairs) if scenes[pair["scene"]]["photograph"] == photo]
        true = [tensors[f"scene.{pair['scene']}.kernel"] for pair in mine]
        write_photograph(folder / photo, photo, canvas[MARGIN:-MARGIN, MARGIN:-MARGIN], mine, given, true, generator)
    photos = options["photographs"]
    kernels = [folder / photo / "correct" / "kernels.safetensors" for photo in photos]
    score_set(path, files_of(root, name)[0], kernels, folder / "evaluate")


def write_photograph(
    folder: Path,
    photo: str,
    truth: np.ndarray,
    pairs: list[dict[str, Any]],
    given: list[np.ndarray],
    true: list[np.ndarray],
    generator: np.random.Generator,
) -> None:
    """Write kernels, pictures and spreads of one photograph: the warp finds the true kernel, or keeps it."""
    kernels, pictures, spreads, steps = {}, {}, {}, []
    for number, pair in enumerate(pairs):
        kept = pair["error"] in ("exact", "truncation:0.2")
        found = {"none": given[number], "warp": given[number] if kept else true[number], "kernel": given[number]}
        found["both"] = found["warp"]
        kernels |= {f"{number}.{model}": kernel for model, kernel in found.items()}
        wrong = generator.standard_normal(truth.shape)
        for cell in CELLS:
            model = cell.rpartition("/")[2]
            level = LEVELS["true" if kept and model != "kernel" else model] * (2.5 if "circular" in cell else 1)
            level *= 0.95 if cell.startswith("lpn") else 1
            pictures[f"{number}.{cell}"] = (truth + level * wrong).astype(np.float32)
        for model in ("warp", "kernel", "both"):
            size = 0.0 if kept or model == "kernel" else 0.01
            pictures[f"{number}.residual.{model}"] = (size * generator.standard_normal(truth.shape)).astype(np.float32)
        spreads[str(number)] = (np.abs(wrong) * LEVELS["warp"] / 2 + 1e-3).astype(np.float32)
        by = [] if kept else ["warp"]
        warp = {
            "by": by,
            "verdict": "unchanged" if kept else "confident",
            "gain": 0.0 if kept else 0.1 + 0.01 * number,
            "sentences": ["<script>alert(1)</script>"],
        }
        warp["warp"] = [0.0, 1.0, 0.0] if kept else [-9.5, 1.1, 0.1]
        plain = {"by": [], "verdict": "unchanged", "gain": 0.0, "sentences": ["Kept."]}
        steps.append({"pair": "", "error": pair["error"], "warp": warp, "kernel": plain, "both": warp, "seconds": 3.0})
    save_tensors(folder / "correct" / "kernels.safetensors", kernels, {"photograph": photo})
    write_json(folder / "correct" / "steps.json", steps)
    Recorder("deblurring.correct", {"errors": ["none", "warp"], "seed": 0}).write(folder / "correct" / "provenance.json", [])
    save_tensors(folder / "restore" / "restored.safetensors", pictures, {"photograph": photo, "cells": CELLS})
    recorder = Recorder("deblurring.restore", {"cells": list(CHOSEN), "priors": list(PRIORS), "photograph": photo})
    recorder.notes = {"seconds_per_image": dict.fromkeys(CELLS, 0.5)}
    recorder.write(folder / "restore" / "provenance.json", [])
    save_tensors(folder / "spread" / "spreads.safetensors", spreads, {"photograph": photo, "cell": "tv/warp"})
    spread = {"model": "warp", "count": 4, "error": "rotation:~8+scale:~0.1", "seed": 0, "photograph": photo}
    Recorder("deblurring.spread", spread).write(folder / "spread" / "provenance.json", [])
