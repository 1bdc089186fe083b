"""The codecs that are judged: those of the bench, AVIF at more settings, HEVC intra, and our models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sciml.compression.codecs.model_files import Model, load_any
from sciml.compression.coding.model import CodecModel, digest_arrays
from sciml.compression.study.anchors import ANCHORS, Anchor, Codec, Own
from sciml.runtime.extras import remedy

OURS, OURS_MS_SSIM, NEURAL = "nic", "nic-ms-ssim", "nic-neural"
AVIF_QUALITIES = (4, 12, 20, 28, 36, 44, 52, 60, 68, 76, 84, 92, 98, 100)
# half as many for the slowest speed, which takes half a minute a picture
SLOWEST_QUALITIES = (8, 20, 32, 44, 56, 68, 80, 92, 98, 100)
OWN_QUALITIES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)


def _avif(quality: float, channels: int) -> dict[str, Any]:
    return ANCHORS["avif"].options(quality, channels)


def _avif_444(quality: float, channels: int) -> dict[str, Any]:
    return _avif(quality, channels) | {"subsampling": "4:4:4" if channels == 3 else "4:0:0"}


def _avif_3(quality: float, channels: int) -> dict[str, Any]:
    return _avif(quality, channels) | {"speed": 3}


def _avif_0(quality: float, channels: int) -> dict[str, Any]:
    return _avif(quality, channels) | {"speed": 0}


def _hevc(quality: float, channels: int) -> dict[str, Any]:
    # libheif tunes x265 for SSIM unless it is told otherwise
    return {"quality": int(quality), "chroma": 444, "enc_params": {"preset": "placebo", "tune": "psnr"}}


def _no_heif() -> str | None:
    try:
        import pillow_heif  # pyright: ignore[reportMissingImports] - of the extra `compare`
    except ImportError:
        return f"not installed: {remedy('compare')}"
    pillow_heif.register_heif_opener()
    return None if "x265" in pillow_heif.libheif_info()["encoders"] else "not installed: this pillow-heif has no x265"


OTHERS: dict[str, Anchor] = {
    anchor.name: anchor
    for anchor in (
        replace(ANCHORS["jpeg"], qualities=(2, 5, 8, 12, 18, 25, 35, 50, 65, 80, 90, 95, 98)),
        replace(ANCHORS["webp"], qualities=(0, 2, 5, 10, 20, 35, 50, 65, 78, 88, 94, 98, 100)),
        replace(ANCHORS["jpegxl"], qualities=(5, 15, 30, 45, 60, 70, 80, 88, 93, 96, 98)),
        replace(ANCHORS["avif"], qualities=AVIF_QUALITIES),
        replace(
            ANCHORS["avif"],
            name="avif-444",
            settings="colour 4:4:4, speed 6, one thread",
            qualities=AVIF_QUALITIES,
            options=_avif_444,
        ),
        Anchor(
            "hevc-444",
            "HEVC intra, colour 4:4:4, x265 at its preset placebo, tuned for PSNR; in the place of BPG",
            (4, 9, 14, 19, 24, 29, 34, 39, 44, 49, 54, 60, 68, 78, 90, 100),
            "HEIF",
            _hevc,
            _no_heif,
        ),
        replace(
            ANCHORS["avif"],
            name="avif-3",
            settings="colour 4:2:0, speed 3, one thread",
            qualities=AVIF_QUALITIES,
            options=_avif_3,
        ),
        replace(
            ANCHORS["avif"],
            name="avif-0",
            settings="colour 4:2:0, speed 0, the slowest, one thread",
            qualities=SLOWEST_QUALITIES,
            options=_avif_0,
        ),
    )
}


def own_settings(model: Model) -> str:
    """Return our model in the words of a table: what decides its codes, and the network behind them."""
    network = model.network if isinstance(model, CodecModel) else None
    behind = "" if network is None else f", network {digest_arrays(network.arrays()).hex()}"
    return f"model {model.id.hex()}{behind}"


def own_codecs(weights: Path, neural: Sequence[Path], neural_qualities: Sequence[float]) -> list[Codec]:
    """Return our model, the same tuned for MS-SSIM, and a neural model where there is one."""
    words = own_settings(load_any(weights))
    found: list[Codec] = [
        Own(OURS, words, str(weights), OWN_QUALITIES),
        Own(OURS_MS_SSIM, f"{words}, tuned for MS-SSIM", str(weights), OWN_QUALITIES, tune="ms-ssim"),
    ]
    for path in neural:
        found.append(Own(NEURAL, f"neural {own_settings(load_any(path))}", str(path), tuple(neural_qualities)))
    return found
