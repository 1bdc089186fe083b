"""Eight files and two models whose codes must never change: six of scalar symbols, two of a model with groups.

`python golden_files.py` decodes them and prints a line of JSON: the CRC32 of each file's codes by name. With the
environment variable SCIML_REGENERATE_GOLDEN=1 `test_golden.py` writes all anew: only for a new version of the format.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "golden"
MODEL = FOLDER / "model.safetensors"
GROUPS = FOLDER / "groups" / "model.safetensors"
CODES = FOLDER / "codes.json"


def codes_digest(codes: list[np.ndarray]) -> str:
    """Return the CRC32 of all tiles' codes as little-endian int32, planes first."""
    checksum = 0
    for tile in codes:
        checksum = zlib.crc32(np.ascontiguousarray(tile, "<i4").tobytes(), checksum)
    return f"{checksum:08x}"


def decoded() -> dict[str, str]:
    """Return the digest of every file's codes, decoded here and now."""
    from sciml.compression.codecs.codec import Codec

    found = {}
    for model in (MODEL, GROUPS):
        codec = Codec.load(model)
        for path in sorted(model.parent.glob("*.nic")):
            found[path.relative_to(FOLDER).as_posix()] = codes_digest(codec.codes(path.read_bytes()))
    return found


def model_of(name: str) -> Path:
    """Return the model that a file of this name was coded with."""
    return (FOLDER / name).parent / MODEL.name


def regenerate() -> None:
    """Write model, files and digests."""
    from tiny_models import make_model, texture

    from sciml.compression.codecs.codec import Codec
    from sciml.compression.codecs.model_files import save_model
    from sciml.compression.container.file import Channel

    FOLDER.mkdir(exist_ok=True)
    facts = {"config": {}, "seed": 0, "inputs": {}, "source_digest": "", "cpu_minutes": 0.0}
    save_model(MODEL, make_model(3, steps=(0.2,), name="golden"), **facts)
    codec = Codec.load(MODEL)
    colour = np.rint(texture(63, 65, seed=1)).astype(np.uint8)
    alpha = (np.arange(40)[:, None] * np.arange(50) % 256).astype(np.uint8)
    floats = texture(33, 1, seed=4) * np.float32(0.01) - 1
    noise = np.random.default_rng(0).standard_normal((48, 40, 3)).astype(np.float32)
    files = {
        "colour": codec.encode(colour, quality=40),
        "tiles": codec.encode(colour[:50, :60], quality=70, tile_log2=5, crc32=True),
        "alpha": codec.encode(np.dstack([texture(40, 50, 1, 2).astype(np.uint8), alpha]), quality=50),
        "sixteen": codec.encode(np.rint(257 * texture(64, 64, seed=3)).astype(np.uint16), quality=100),
        "floats": codec.encode(floats, quality=20, icc_profile=b"profile"),
        # numbers far beyond the model's range: remainders, and sums near their bounds
        "extreme": codec.encode(noise, quality=90, scale=(Channel(0.0, 1e-4, "K"),) * 3),
    }
    for name, data in files.items():
        (FOLDER / f"{name}.nic").write_bytes(data)
    regenerate_groups()
    CODES.write_text(json.dumps(decoded(), indent=2) + "\n")


def regenerate_groups() -> None:
    """Write the model with groups and its files: vectors of four and of eight, in one pass."""
    from tiny_models import make_model, texture, with_groups

    from sciml.compression.codecs.codec import Codec
    from sciml.compression.codecs.model_files import save_model
    from sciml.compression.fitting.groups import Structure

    GROUPS.parent.mkdir(exist_ok=True)
    structure = Structure({24: 4, 56: 8}, words=24, rounds=6)
    facts = {"config": {}, "seed": 0, "inputs": {}, "source_digest": "", "cpu_minutes": 0.0}
    save_model(GROUPS, with_groups(make_model(3, steps=(0.2,)), structure, "golden-groups"), **facts)
    codec = Codec.load(GROUPS)
    colour = np.rint(texture(63, 65, seed=1)).astype(np.uint8)
    (GROUPS.parent / "colour.nic").write_bytes(codec.encode(colour, quality=60))
    (GROUPS.parent / "tiles.nic").write_bytes(codec.encode(colour[:50, :60], quality=75, tile_log2=5, crc32=True))


if __name__ == "__main__":
    print(json.dumps(decoded()))
