"""A results folder of the study as its stages write it, with numbers that are made up and therefore known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from sciml.compression.config import Config
from sciml.compression.settings.stages import FitConfig, TrainConfig
from sciml.compression.study.bench import Bench
from sciml.compression.study.margins.records import CurvesFile, Point
from sciml.compression.study.results import Row
from sciml.runtime.files import save_tensors, write_json, write_text
from sciml.runtime.provenance import Recorder
from sciml.runtime.results import write_result

# PSNR at 1/4 bit a pixel; every codec gains 3 dB with every doubling of the rate, the structure 2 dB
LEVELS = {"jpeg": 25.5, "webp": 28.0, "jpeg2000": 28.9, "avif": 29.45, "jpegxl": 26.5}
LEVELS |= {"nic-linear": 28.95, "nic": 29.5, "nic-ms-ssim": 29.2, "nic-neural": 26.9}
STRUCTURE = {"jpeg": 9.5, "webp": 12.0, "jpeg2000": 12.4, "avif": 14.2, "jpegxl": 11.4}
STRUCTURE |= {"nic-linear": 12.6, "nic": 13.3, "nic-ms-ssim": 14.4, "nic-neural": 11.0}
# on the crops that judge
OTHERS = {"avif-3": 29.8, "avif-444": 29.3, "hevc-444": 29.6}
# rates of the settings, beside small ones of the pictures
RATES = (0.06, 0.11, 0.2, 0.36, 0.65, 1.2)
NAMES = ("barbara", "monarch", "sail", "one", "two", "three", "four", "five", "six")
SHOWN = ("barbara", "monarch", "sail")
HEIGHT, WIDTH = 512, 768
QUALITIES = (15.0, 35.0, 60.0)
MODEL = "00112233aabbccdd"
LAYERS = ((0, 8), (8, 24), (24, 88), (88, 600))


class Run:
    """What settings of a run the slices ask for."""

    data_tier, master_seed, tier = "default", 7, "cpu"


def write_study(root: Path, pictures: int = 9, window: int = 96, photographs: int = 21) -> None:
    """Write everything that the stages before the page write.

    Args:
        root: results folder.
        pictures: on the bench.
        window: side of the parts that are shown, at least 80.
        photographs: that judge, two crops of each.
    """
    folder = root / "photo"
    write_bench(folder / "evaluate", pictures)
    write_judge(folder / "judge", photographs)
    write_fit(folder / "fit")
    write_training(folder / "train")
    write_neural(folder / "neural")
    write_inspection(folder / "inspect", window)
    write_vectors(folder / "compare_vectors")
    write_lossless(root / "lossless" / "compare")


def record(folder: Path, stage: str, config: dict[str, Any], notes: dict[str, Any], *outputs: str) -> None:
    """Write the provenance of a stage."""
    recorder = Recorder(f"compression.{stage}", config)
    recorder.notes = notes
    recorder.write(folder / "provenance.json", [folder / name for name in outputs])


def write_lossless(folder: Path) -> None:
    """Write files without loss, ours 40 % smaller than PNG and 10 % larger than WebP, and fields beside SZ3."""
    sizes = {"nic": 66_000, "png": 110_000, "webp": 60_000}
    rows = [
        {"domain": "photo", "picture": name, "codec": codec, "bound": 0.0, "share": 0.0, "bytes": size + 1000 * place,
         "samples": 3 * HEIGHT * WIDTH, "largest_error": 0.0, "encode_s": 2.0, "decode_s": 1.0}
        for place, name in enumerate(SHOWN) for codec, size in sizes.items()
    ] + [
        {"domain": "field", "picture": name, "codec": codec, "bound": bound, "share": bound / 10, "bytes": size,
         "samples": 2**14, "largest_error": bound / 2, "unit": "1/s", "encode_s": 0.2, "decode_s": 0.1}
        for name in ("early", "late") for bound in (0.01, 0.1) for codec, size in (("nic", 900), ("sz3", 1000))
    ]  # fmt: skip
    settings = {"nic": f"model {MODEL}", "png": "optimised", "webp": "lossless", "sz3": "bound", "zfp": "accuracy"}
    missing = {"zfp": "not installed: it needs the package zfpy"}
    write_json(folder / "lossless.json", {"model_id": MODEL, "settings": settings, "missing": missing, "rows": rows})
    config = Config().compare_lossless_config(Run).model_dump(mode="json")  # pyright: ignore[reportArgumentType]
    record(folder, "compare_lossless", config, {}, "lossless.json")


def write_bench(folder: Path, pictures: int) -> None:
    """Write rows that lie on straight lines over the logarithm of the rate."""
    names = NAMES[:pictures]
    rows = [
        bench_row(name, codec, setting, 0.4 * (place - 4))
        for place, name in enumerate(names)
        for codec in LEVELS
        for setting in range(len(RATES))
    ]
    codecs = {codec: f"model {MODEL}" if codec.startswith("nic") else "as usual" for codec in LEVELS}
    bench = Bench(tuple(rows), (), codecs, {}, dict.fromkeys(names, ()), 1, {"numpy": "2"})
    bench.write(folder, "jpeg", 7)
    config = Config().evaluate_config(Run, "photo").model_dump(mode="json")  # pyright: ignore[reportArgumentType]
    record(folder, "evaluate", config, {}, "bench.json", "bench.csv")


def bench_row(name: str, codec: str, setting: int, shift: float) -> Row:
    """Return the row of a setting; `shift` dB tell the pictures apart."""
    rate = RATES[setting]
    doublings = np.log2(rate / 0.25)
    structure = 1 - 10 ** (-(STRUCTURE[codec] + 2 * doublings) / 10)
    return Row(
        picture=name, codec=codec, quality=10.0 * (setting + 1), height=HEIGHT, width=WIDTH, channels=3,
        file_bytes=round(rate * HEIGHT * WIDTH / 8), rate_bpp=rate, psnr_db=LEVELS[codec] + shift + 3 * float(doublings),
        ms_ssim=float(structure), encode_s=0.4, decode_s=0.2,
    )  # fmt: skip


def write_judge(folder: Path, photographs: int = 21) -> None:
    """Write curves on the same straight lines, of two crops a photograph; on the second AVIF is 1 dB better, at any speed."""
    names = {f"p{place}-{part}": f"p{place}" for place in range(photographs) for part in range(2)}
    levels = {codec: level for codec, level in LEVELS.items() if codec not in ("jpeg2000", "nic-linear")} | OTHERS
    points = {
        codec: {crop: crop_points(codec, level + codec.startswith("avif") * int(crop[-1])) for crop in names}
        for codec, level in levels.items()
    }
    codecs = {codec: f"model {MODEL}" if codec.startswith("nic") else "as usual" for codec in levels}
    curves = CurvesFile(
        measured="2024-09-01", versions={"numpy": "2"}, codecs=codecs, absent={"avif-0": "not installed: no AVIF"},
        pixels=HEIGHT * WIDTH, photographs=names, digests=dict.fromkeys(names.values(), "0"), points=points, seed=7,
    )  # fmt: skip
    write_result(folder / "curves.json", curves)
    config = Config().judge_config(Run).model_dump(mode="json")  # pyright: ignore[reportArgumentType]
    record(folder, "judge", config, {}, "curves.json")


def crop_points(codec: str, level: float) -> tuple[Point, ...]:
    """Return the points of a codec with this PSNR at 1/4 bit a pixel."""
    found = []
    for setting in range(len(RATES)):
        row = bench_row("crop", codec if codec in STRUCTURE else "avif", setting, 0.0)
        psnr = level + 3 * float(np.log2(row.rate_bpp / 0.25))
        found.append(
            Point(
                quality=row.quality,
                file_bytes=row.file_bytes,
                psnr_db=psnr,
                ms_ssim=row.ms_ssim or 0.0,
                encode_s=0.4,
                decode_s=0.2,
            )
        )
    return tuple(found)


def write_fit(folder: Path) -> None:
    """Write what the page reads of the fit."""
    config = FitConfig(domain="photo", data_tier="default", seed=7)
    record(folder, "fit", config.model_dump(mode="json"), {"crops": 201, "cpu_minutes": 12.5})


def write_training(folder: Path) -> None:
    """Write a history of three rows."""
    lines = ["step,loss,gain_db,validation_gain_db", "500,0.95,0.2,0.1", "1000,0.93,0.3,0.2", "1500,0.9,0.45,0.31"]
    write_text(folder / "history.csv", "\n".join(lines) + "\n")
    config = TrainConfig(domain="photo", data=FitConfig(domain="photo", data_tier="default", seed=7))
    record(folder, "train", config.model_dump(mode="json"), {"cpu_minutes": 60.0}, "history.csv")


def write_neural(folder: Path) -> None:
    """Write a history of two rows, one of them a validation."""
    usage = ",".join(f"{name}_{stride}" for name in ("dead", "perplexity") for stride in (64, 32, 16))
    lines = [
        f"step,loss,{usage},validation_bpp,validation_psnr_db,validation_cost",
        "50,2.2,0.1,0.2,0.3,0.4,0.5,0.6,,,",
        "500,2.0,0.1,0.2,0.25,0.4,0.5,0.55,0.2,26.5,2.4",
        "1000,1.9,0.1,0.2,0.25,0.4,0.5,0.55,0.2,26.8,2.3",
    ]
    write_text(folder / "history.csv", "\n".join(lines) + "\n")
    config = Config().train_neural_config(Run, "photo")  # pyright: ignore[reportArgumentType]
    record(folder, "train_neural", config.model_dump(mode="json"), {"cpu_minutes": 6.0}, "history.csv")


def inspected_row(name: str, quality: float) -> dict[str, Any]:
    """Return a file whose layers take 24 bits more than their ideal length, and raise the PSNR by 2 dB each."""
    size = 4000 + 200 * quality
    layers = []
    so_far = 60
    for number, planes in enumerate(LAYERS):
        count = round(size * (0.4, 0.25, 0.25, 0.1)[number] / 4) * 4
        so_far += count
        layers.append(
            {
                "planes": list(planes), "bytes": count, "ideal_bits": 8.0 * count - 24, "file_bytes_so_far": so_far,
                "psnr_db": 22 + 2 * number + quality / 20,
            }
        )  # fmt: skip
    ideal = sum(layer["ideal_bits"] for layer in layers)
    return {
        "picture": name, "quality": quality, "pixels": HEIGHT * WIDTH, "set": 2, "file_bytes": so_far, "overhead_bytes": 60,
        "tiles": 1, "layers": layers, "band_bits": [ideal * share for share in (0.1, 0.1, 0.2, 0.15, 0.15, 0.1, 0.12, 0.08)],
    }  # fmt: skip


def write_vectors(folder: Path) -> None:
    """Write a comparison in which vectors take 2 % more bits, and decode in half the time."""
    rows = []
    for place, name in enumerate(("dune", "house")):
        for setting in range(len(RATES)):
            row = bench_row(name, "nic-linear", setting, 0.4 * place)
            rows.append(row.model_copy(update={"codec": "scalar"}))
            rows.append(row.model_copy(update={"codec": "photo-vector", "rate_bpp": 1.02 * row.rate_bpp, "decode_s": 0.1}))
    codecs = {"scalar": f"model {MODEL}", "photo-vector": "model 0123456789abcdef"}
    Bench(tuple(rows), (), codecs, {}, {"dune": (), "house": ()}, 1, {"numpy": "2"}).write(folder, "scalar", 7)
    groups = [
        {
            "planes": list(range(88 + 16 * group, 104 + 16 * group)), "used": 200 - group, "perplexity": 3.0 - 0.1 * group,
            "bits": 0.4, "squared_error": 1.5, "revived": 2,
        }
        for group in range(12)
    ]  # fmt: skip
    structures = {
        "scalar": {"units": [580, 610], "file_bytes": 900_000},
        "photo-vector": {
            "settings": {"dimensions": {"88": 16}, "words": 256, "passes": 1, "together": "energy", "rounds": 12},
            "units": [119, 121], "file_bytes": 1_500_000, "groups": {"0.4": groups, "0.2": groups},
        },
    }  # fmt: skip
    write_json(folder / "structures.json", structures)
    config = Config().compare_vectors_config(Run).model_dump(mode="json")  # pyright: ignore[reportArgumentType]
    record(folder, "compare_vectors", config, {}, "bench.json", "structures.json")


def write_inspection(folder: Path, window: int) -> None:
    """Write accounting of nine pictures, three of them shown, and checks that all hold."""
    generator = np.random.default_rng(0)
    rows = [inspected_row(name, quality) for name in NAMES for quality in QUALITIES]
    equal, views = [], {}
    for name in SHOWN:
        views[name] = {"window": (0, 0, window, window), "zoom": (4, 8), "shows": "made-up texture"}
        smooth = np.kron(generator.integers(60, 200, (window // 8, window // 8, 3)), np.ones((8, 8, 1)))
        for place, codec in enumerate(("original", "jpeg", "webp", "avif", "nic")):
            noise = 0 if codec == "original" else generator.integers(-20 + 4 * place, 21 - 4 * place, smooth.shape)
            write_picture(folder, f"{name}-{codec}", smooth + noise)
            if codec != "original":
                equal.append(
                    {
                        "picture": name, "codec": codec, "quality": None if codec == "nic" else 10.0,
                        "bytes": 10_000 + 30 * place, "pixels": HEIGHT * WIDTH, "psnr_db": 24.0 + place,
                        "ms_ssim": 0.9 + 0.01 * place,
                    }
                )  # fmt: skip
        for layer in range(1, 5):
            write_picture(folder, f"{name}-layer{layer}", smooth)
    write_picture(folder, f"{SHOWN[0]}-whole", np.full((HEIGHT // 2, WIDTH // 2, 3), 120.0))
    environments = ("a fresh process, one thread", "two threads", "without vector extensions")
    numbers = {
        "model": {
            "id": MODEL, "name": "photo", "channels": 3, "steps": [0.4, 0.2], "planes": [580, 610], "file_bytes": 900_000,
            "network_weights": 204_000, "network_products_per_pixel": 12_700.0,
        },
        "rows": rows,
        "equal": equal,
        "seams": [
            {"picture": name, "step_tiled": 3.1, "step_whole": 3.0, "bytes_tiled": 21e3, "bytes_whole": 20e3} for name in SHOWN
        ],
        "sums": {"mean": 44.0, "spread_first": 41.0, "spread_rest": 40.0},
        "static": [
            {"quality": quality, "plane_bits": 1.25 * ideal, "band_bits": 1.4 * ideal}
            for quality in QUALITIES
            for ideal in [sum(layer["ideal_bits"] for row in rows if row["quality"] == quality for layer in row["layers"])]
        ],
        "processes": [
            {"environment": words, "picture": name, "codes_equal": True, "largest_pixel_difference": 0, "share_of_range": 0.0}
            for words in environments
            for name in SHOWN
        ],
        "damage": {"tried": 500, "found": 500},
        "maps": {"picture": SHOWN[0], "planes": [1, 5, 20, 100], "step": 0.2},
    }  # fmt: skip
    write_json(folder / "inspect.json", numbers)
    symbols = np.abs(np.arange(-40, 41))
    counts = 65536 * np.exp(-symbols / np.linspace(0.1, 8, 40)[:, None])
    arrays = {
        "classes": generator.integers(0, 40, (4, HEIGHT // 16, WIDTH // 16)).astype(np.uint8),
        "bits": generator.gamma(2, 30, (HEIGHT // 16, WIDTH // 16)).astype(np.float32),
        "usage": generator.integers(0, 1000, (8, 40)).astype(np.int32),
        "counts": np.maximum(np.stack([counts] * 8), 1).astype(np.int32),
    }
    save_tensors(folder / "maps.safetensors", arrays)
    config = Config().inspect_config(Run, "photo").model_dump(mode="json") | {"views": views}  # pyright: ignore[reportArgumentType]
    record(folder, "inspect", config, {}, "inspect.json", "maps.safetensors")


def write_picture(folder: Path, name: str, pixels: np.ndarray) -> None:
    """Write one picture of the stage."""
    path = folder / "pictures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
