"""A results folder of the study in the stages' own formats, with made-up numbers, for tests of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from records import whole as record

from sciml.imaging.metrics import spread
from sciml.imaging.tasks.scores import write_scores
from sciml.runtime.files import save_tensors, write_json, write_text

NETWORKS = {
    "denoise": {"photo-grey-guided": "guided", "photo-grey": "variational", "photo-grey-explicit": "pgd", "peer-residual": None},
    "deblur": {"photo-deblur": "variational"},
    "ct-sparse": {"ct": "variational"},
    "mri-cs": {"mr-t1": "variational"},
}
CLASSICAL = {"denoise": ("tv", "nlm"), "deblur": ("wiener", "tv"), "ct-sparse": ("fbp", "fbp-hann", "tv"), "mri-cs": ("tv",)}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "denoise": {"sigma 0.1": {"sigma": 0.1}, "<script>alert(1)</script>": {"sigma": 0.05}},
    "deblur": {
        f"{kernel}, noise {sigma:g}": {"kernel": kernel, "kernel_size": 5, "sigma": sigma}
        for kernel in ("Gaussian", "disk", "shake")
        for sigma in (0.01, 0.02)
    },
    "ct-sparse": {f"{views} views": {"views": views, "range_degrees": 180.0, "noise": 0.002} for views in (60, 24)},
    "mri-cs": {"4x": {"acceleration": 4.0, "centre_fraction": 0.08, "noise": 0.01}},
}
# error of a method's pictures; what is learned is better
ERRORS = {"tv": 0.05, "nlm": 0.045, "wiener": 0.07, "fbp": 0.1, "fbp-hann": 0.08, "peer-residual": 0.041}
LEARNED = 0.03


def truths(count: int, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Return pictures with edges, shape (count, 1, rows, columns), float32 on [0, 1]."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    waves = [np.sin(rows / generator.uniform(2, 9) + index) * np.cos(columns / generator.uniform(2, 9)) for index in range(count)]
    return (0.5 + 0.3 * np.sign(waves) + 0.1 * np.array(waves)).astype(np.float32)[:, None]


def write_task(root: Path, task: str, size: tuple[int, int] = (24, 24), cases: int = 3, steps: int = 12) -> None:
    """Write everything that the stages of one task write."""
    generator, folder = np.random.default_rng(0), root / task
    networks, methods = NETWORKS[task], CLASSICAL[task]
    measured, solved, learned = {}, {}, {}
    runs, variants = [], []
    for index, (label, options) in enumerate(VARIANTS[task].items()):
        truth = truths(cases, size, generator)
        variants.append(
            {
                "name": task, "label": label, "options": options, "size": list(size), "seed": 0,
                "test": {"cases": [f"camera[{k}]" for k in range(cases)], "positions_mm": [None] * cases},
                "validation": {"cases": ["perched-osprey"], "positions_mm": [None]},
            }
        )  # fmt: skip
        measured[f"{index}.test.truth"] = truth
        measured[f"{index}.test.data"] = truth + 0.1 * generator.standard_normal(truth.shape).astype(np.float32)
        for method in (*methods, *networks):
            error = ERRORS.get(method, LEARNED)
            picture = (truth + error * generator.standard_normal(truth.shape)).astype(np.float32)
            (learned if method in networks else solved)[f"{index}.{method}"] = picture
        runs += [run_row(label, index, name, solver, cases, steps) for name, solver in networks.items()]
    save_tensors(folder / "measure" / "measurements.safetensors", measured, {"variants": variants})
    save_tensors(folder / "solve" / "reconstructions.safetensors", solved, {"variants": list(VARIANTS[task])})
    save_tensors(folder / "restore" / "reconstructions.safetensors", learned, {"variants": list(VARIANTS[task])})
    write_scores("proximal.evaluate", folder, ("solve", "restore"), folder / "evaluate")
    write_json(folder / "restore" / "runs.json", runs)
    curve = [{"value": value, "psnr_db": 25.0 - value} for value in (0.5, 1.0, 2.0)]
    tuned = {"tv": {"value": 1.0, "parameter": "weight", "bracketed": True, "curve": curve, "cases": ["perched-osprey"]}}
    write_json(folder / "tune" / "parameters.json", dict.fromkeys(VARIANTS[task], tuned))
    seconds = {f"{label}, {name}": 0.5 for label in VARIANTS[task] for name in (*methods, *networks)}
    measure_config = {"task": task, "size": list(size), "variants": VARIANTS[task]}
    records = {
        "measure": record("imaging.measure", measure_config, notes={"data": ["camera"]}),
        "tune": record("imaging.tune", {}),
        "solve": record("imaging.solve", {"methods": list(methods)}, notes={"seconds_per_image": seconds}),
        "restore": record(
            "proximal.restore",
            {"networks": list(networks), "iterations": 300, "tolerance": 3e-4, "drift": True},
            notes={"seconds_per_image": seconds},
        ),
        "evaluate": record("proximal.evaluate", {"data_range": 1.0}),
    }
    for stage, value in records.items():
        write_json(folder / stage / "provenance.json", value)


def run_row(label: str, order: int, network: str, solver: str | None, cases: int, steps: int) -> dict[str, Any]:
    """Return a row of `runs.json`; a peer's has a reason alone."""
    row: dict[str, Any] = {"variant": label, "order": order, "network": network}
    if solver is None:
        return {**row, "certified": False, "reason": "no proximal operator by construction"}
    return {
        **row,
        "certified": True,
        "reason": "a critical point of F to a relative residual of 1.0e-05; no step raised its objective",
        "numbers": {
            "norm_squared": 1.0,
            "column_norm": 1.0,
            "adjoint_gap": 0.0,
            "weight": 1.0,
            "weak_convexity": 0.9,
            "smoothness": 60.0,
            "length": None,
            "largest_rise": -1e-6,
            "allowed_rise": 1e-7,
            "residual": 1e-4,
            "relative_residual": 1e-5,
            "threshold": 3e-4,
            "convex": False,
        },
        "solver": solver,
        "gradients": steps,
        "converged": True,
        "monotone": True,
        "objective": [1.0 + 0.5**step for step in range(steps)],
        "sigma": [0.1] * cases,
        "weight": [1.0] * cases,
        "psnr_along": [[step, *[20.0 + step] * cases] for step in range(1, steps)],
        "below_best_db": [0.01] * cases,
        "drift_db": [-0.001] * cases,
    }


def write_certificates(root: Path) -> None:
    """Write the invariants of two networks, one of which fails."""
    good = {"id": "I1", "name": "Jacobian is symmetric", "value": 1e-15, "threshold": 1e-10, "comparison": "<=", "passed": True,
            "note": "full Jacobian", "witness": ""}  # fmt: skip
    absent = {**good, "id": "I8", "value": None, "threshold": None, "comparison": "n/a"}
    failed = {
        **good,
        "id": "I3",
        "value": None,
        "threshold": None,
        "passed": False,
        "note": "ended in an error",
        "witness": "weight w[3]",
    }
    write_json(root / "certify" / "certificates.json", {"photo-grey": [good, absent], "broken": [good, failed]})
    write_json(root / "certify" / "provenance.json", record("proximal.certify", {"size": 12, "sigma": None, "seed": 0}))


def write_toy(root: Path) -> None:
    """Write the study of the line: three seeds, absolute error and matching."""
    y = np.linspace(-3.5, 3.5, 41)
    arrays: dict[str, np.ndarray] = {"y": y, "laplace.regularizer": np.abs(y)}
    soft = np.sign(y) * np.maximum(np.abs(y) - 1, 0)
    for key in ("map", "gamma-0.1", "l1", "small.0.l1", "small.0.gamma-0.1"):
        arrays[f"laplace.{key}.f"] = 0.9 * soft + 0.1 * y
        if key != "l1":
            arrays |= {f"laplace.{key}.psi": y**2 / 4, f"laplace.{key}.R": np.abs(arrays[f"laplace.{key}.f"])}
    errors = {"own_max": 0.03, "own_mean": 0.01, "map_max": 0.14, "map_mean": 0.03, "slope_max": 1.1,
              "prior_map_mean": 0.06, "prior_map_max": 0.1}  # fmt: skip
    rows = [
        {"network": "small", "seed": seed, "target": target, **errors, "own_max": 0.03 + 0.01 * seed}
        for seed in (0, 1)
        for target in ("l1", "gamma-0.1")
    ]
    exact = [{"target": "l1", **errors, "prior_map_mean": None, "prior_map_max": None}, {"target": "gamma-0.1", **errors}]
    priors = [
        {"prior": "box", "sigma": 0.5, "target": target, "points": 9, "map_relative": 0.02} for target in ("l1", "gamma-0.2")
    ]
    save_tensors(root / "toy" / "toy.safetensors", arrays, {})
    write_json(root / "toy" / "toy.json", {"laplace": rows, "exact": exact, "priors": priors, "endings": {}})
    stages = [{"loss": "l1", "gamma": None, "steps": 9}, {"loss": "matching", "gamma": 0.1, "steps": 9}]
    config = {"schedule": stages, "batch_size": 256, "seeds": [0, 1]}
    write_json(root / "toy" / "provenance.json", record("proximal.toy", config))


def path_of(values: np.ndarray, levels: list[float]) -> dict[str, Any]:
    """Return the table of a corruption."""
    low, median, high = np.quantile(values, (0.25, 0.5, 0.75), axis=1).tolist()
    return {
        "levels": levels, "lower_quartile": low, "median": median, "upper_quartile": [*high[:-1], None],
        "median_rises_strictly": True, "share_rising_at_each_step": [1.0] * (len(levels) - 1), "share_rising_throughout": 1.0,
        "share_outside": [0.0] * len(levels), "humps": {"above_chord": 1.0, "above_ends": 0.9, "top_in_middle": 0.9},
    }  # fmt: skip


def corrupted(prefix: str, size: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Put strips and values of R into `arrays` and return the tables; `prefix` formats the name of the strips."""
    levels, generator, tables = [0.0, 0.5, 1.0], np.random.default_rng(1), {}
    for name in ("noise", "blur", "mixing"):
        values = np.array(levels)[:, None] + generator.random((3, 4))
        arrays[f"{name}.R"], arrays[f"{name}.levels"] = values, np.array(levels)
        arrays[prefix.format(name)] = generator.random((3, 3, size, size)).astype(np.float32)
        tables[name] = path_of(values, levels)
    return tables


def write_digits(root: Path) -> None:
    """Write the study of digits, whose prior has no hump."""
    arrays: dict[str, np.ndarray] = {}
    prior = corrupted("{}.images", 8, arrays)
    prior["noise"]["share_outside"] = [0.0, 0.0, 0.25]
    errors = {"noisy_rmse": 0.1, "denoised_rmse": 0.06, "noisy_psnr": 20.0, "denoised_psnr": 24.0}
    stage = {
        "loss": "matching",
        "gamma": 0.08,
        "steps": 9,
        **errors,
        "zero_share": 0.1,
        "mean_weight": 0.7,
        "effective_share": 0.9,
    }
    prior["mixing"]["humps"]["above_ends"] = 0.4
    numbers = {
        "training": [{**stage, "loss": "l1", "gamma": None}, stage],
        "test": errors,
        "ended": "all stages done",
        "certificate": "f is the gradient of a convex function",
        "parameters": 1234,
        "prior": prior,
        "detection": {"sigma": 0.1, "auroc": 0.97, "auroc_total_variation": 0.8, "levels": []},
        "targets": {
            "median_rises_with_noise": True,
            "median_rises_with_visible_blur": False,
            "median_rises_with_blur": False,
            "hump_for_more_than_80_percent": False,
            "auroc_above_095": True,
        },
        "outside": 0.02,
    }
    save_tensors(root / "digits" / "strips.safetensors", arrays, {})
    write_json(root / "digits" / "digits.json", numbers)
    config = {"sigma": 0.1, "width": 8, "digits": "digits8", "test_digits": 4,
              "schedule": [{"loss": "matching", "gamma": 0.08, "steps": 9}]}  # fmt: skip
    write_json(root / "digits" / "provenance.json", record("proximal.digits", config))


def write_prior(root: Path, size: int = 16) -> None:
    """Write the study of trained priors; there is no other region of CT."""
    arrays: dict[str, np.ndarray] = {}
    generator = np.random.default_rng(2)
    tables = corrupted("strip.{}", size, arrays)
    detection: dict[str, Any] = {
        "abdomen": {"absent": "no slices of another region"},
        "reference": {"median": 0.5, "slices": 2},
        "slices": 4,
    }
    for name in ("head", "noisy", "fbp_30"):
        arrays[f"detection.{name}.R"] = generator.random(4)
        arrays[f"detection.{name}.image"] = generator.random((size, size)).astype(np.float32)
        scores = {"auroc": 0.9, "auroc_two_sided": 0.9, "auroc_total_variation": 0.9, "verdict": "R is higher"}
        detection[name] = {} if name == "head" else scores
    for name in ("truth", "noisy", "denoised", "deviation", "error"):
        arrays[f"covariance.{name}"] = generator.random((2, size, size)).astype(np.float32)
    arrays["covariance.directions"] = generator.standard_normal((2, size, size)).astype(np.float32)
    calibration = {
        "ratio": 1.1, "correlation": 0.3, "rank_correlation": 0.3, "ceiling": 0.4, "coverage_95": 0.94,
        "bins": [{"predicted": 0.01 * k, "observed": 0.011 * k} for k in range(1, 5)],
    }  # fmt: skip
    directions = {"variance": [0.2, 0.1], "share_of_total": [0.1, 0.05], "residual": [0.001, 0.01], "total_variance": 2.0}
    numbers = {
        "sigma": 0.1, "photo_network": "photo-grey", "ct_network": "ct",
        "photographs": {"names": ["camera", "coffee", "chelsea"], **tables},
        "detection": detection,
        "covariance": {"directions": directions, "calibration": calibration, "crops": 2},
        "wrong_sigma": {"noisy_psnr": 20.0, "photographs": 3, "rows": [{"factor": f, "psnr": 30.0 - f} for f in (0.7, 1.0)]},
        "readings": [],
    }  # fmt: skip
    save_tensors(root / "prior" / "pictures.safetensors", arrays, {})
    write_json(root / "prior" / "prior.json", numbers)
    write_json(root / "prior" / "provenance.json", record("proximal.prior", {"sigma": 0.1, "photographs": 3}))


def write_colour(root: Path, size: int = 16) -> None:
    """Write the study of colour photographs: two pictures, the colour network 1 dB above the grey one."""
    generator = np.random.default_rng(3)
    titles = [
        ("noisy", "noisy"), ("tv-channels", "total variation, each channel alone"), ("tv", "total variation, channels together"),
        ("nlm", "non-local means on colour patches"), ("grey", "photo-grey on each channel alone"), ("colour", "photo-colour"),
    ]  # fmt: skip
    arrays: dict[str, np.ndarray] = {"truth": generator.random((size, size, 3)).astype(np.float32)}
    methods: dict[str, Any] = {}
    for place, (name, _) in enumerate(titles):
        values = [25.0 + place, 28.0 + place]
        methods[name] = {"psnr": {**spread(values), "values": values}, "ssim": {**spread([0.8, 0.9]), "values": [0.8, 0.9]}}
        methods[name]["above_tv"] = 2 * (place > 2)
        arrays[f"0.{name}"] = arrays["truth"] + 0.1 * generator.standard_normal((size, size, 3)).astype(np.float32)
    tuned = {"parameter": "weight / sigma", "value": 1.4, "bracketed": True, "curve": [{"value": 1.4, "psnr_db": 28.0}]}
    run = {"certified": [True, True], "reason": "the global minimiser of F", "gradients": [25, 27]}
    level = {"sigma": 0.1, "methods": methods, "tuned": {"tv": tuned}, "runs": {"grey": run, "colour": run}}
    numbers = {
        "networks": {"colour": "photo-colour", "grey": "photo-grey"}, "titles": titles, "pictures": ["kodim23", "sail"],
        "validation": ["perched-osprey"], "size": size, "shown": "sail", "levels": [level],
        "reading": "Taken together instead of one by one, the channels gain the networks 1.00 dB.",
    }  # fmt: skip
    save_tensors(root / "colour" / "pictures.safetensors", arrays, {})
    write_json(root / "colour" / "colour.json", numbers)
    config = {"sigmas": [0.1], "photographs": 2, "size": size}
    write_json(root / "colour" / "provenance.json", record("proximal.colour", config))


def write_training(root: Path, name: str, history: str, kind: str = "weakly-convex", task: str = "denoise") -> None:
    """Write a training with a history."""
    write_text(root / "train" / name / "history.csv", history)
    config = {
        "name": name, "network": {"kind": kind}, "task": task, "domain": "photo-grey", "sigma_range": [0.01, 0.3], "steps": 60,
        "batch_size": 4, "crop_size": 40, "schedule": {"solver_steps": [10, 16]}, "start_from": None,
    }  # fmt: skip
    notes = {"steps": 60, "ended": "all steps done", "cpu_minutes": 0.2}
    write_json(root / "train" / name / "provenance.json", record("proximal.train", config, notes=notes))


HISTORY = "step,loss,validation_psnr_0.1_16,validation_psnr_0.1_48\n1,2.0,,\n60,1.0,30.0,29.8\n"


def write_study(root: Path, **sizes: Any) -> None:
    """Write all of it."""
    for task in NETWORKS:
        write_task(root, task, **sizes)
    write_certificates(root)
    write_toy(root)
    write_digits(root)
    write_prior(root)
    write_colour(root)
    write_training(root, "short", HISTORY)
