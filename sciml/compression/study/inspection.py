"""Where the bits of a coded picture go: by layer, by band of planes, by block, and what classes are worth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from sciml.compression.codecs.codec import Codec
from sciml.compression.coding.encoding import Encoded
from sciml.compression.coding.model import CodecModel
from sciml.compression.coding.rate_control import quality_code
from sciml.compression.coding.samples import samples_of
from sciml.compression.container.file import file_bytes, read_header
from sciml.compression.entropy.context import Grid
from sciml.compression.entropy.rules import CLASSES, WEIGHT_BOUNDS, walk
from sciml.compression.entropy.tables import BAND_BOUNDS, BANDS, LARGEST_SYMBOL, band_of
from sciml.compression.study.inspection_results import InspectedRow, Layer, ModelFacts
from sciml.compression.study.quality import psnr

SYMBOLS = 2 * LARGEST_SYMBOL + 1


@dataclass(frozen=True)
class Inspected:
    """A picture coded at one quality.

    Attributes:
        encoded: file, and what the encoder knows.
        row: what the page needs of it.
        decoded: after each layer, coarse to fine.
    """

    encoded: Encoded
    row: InspectedRow
    decoded: tuple[np.ndarray, ...]


def inspect_picture(codec: Codec, name: str, pixels: UInt8[np.ndarray, "rows columns *channels"], quality: float) -> Inspected:
    """Return a picture coded at one quality, decoded after every layer, its bits counted."""
    model = codec.model
    encoded = codec.encode_samples(samples_of(pixels, model), quality_code(quality))
    header = read_header(encoded.data)
    chosen = model.sets[header.quality]
    tile_bits = np.sum([tile.bits for tile in encoded.tiles], 0)
    counts = header.bytes_per_layer
    decoded = tuple(codec.decode(encoded.data, layers=number + 1) for number in range(header.layers))
    size = file_bytes(header) - sum(counts)
    layers = []
    for part, count, picture in zip(chosen.layers(), counts, decoded, strict=True):
        size += count
        layers.append(
            Layer(
                planes=(chosen.first_plane(part.start), chosen.first_plane(part.stop)),
                bytes=count,
                ideal_bits=float(tile_bits[part.start : part.stop].sum()),
                file_bytes_so_far=size,
                psnr_db=psnr(picture, pixels),
            )
        )
    bands = np.bincount([band_of(chosen.first_plane(unit)) for unit in range(chosen.units)], tile_bits, BANDS)
    row = InspectedRow(
        picture=name,
        quality=quality,
        pixels=header.pixels,
        set=header.quality,
        file_bytes=len(encoded.data),
        overhead_bytes=file_bytes(header) - sum(counts),
        tiles=len(encoded.tiles),
        layers=layers,
        band_bits=bands.tolist(),
    )
    return Inspected(encoded, row, decoded)


def band_titles() -> list[str]:
    """Return the planes of each band in words, counted from 1."""
    edges = [0, *BAND_BOUNDS]
    titles = [f"{start + 1}" if stop == start + 1 else f"{start + 1} to {stop}" for start, stop in pairwise(edges)]
    return [*titles, f"{edges[-1] + 1} on"]


class SymbolCounts:
    """Counts the symbols of many pictures by plane, to know what tables without classes would cost.

    Args:
        planes: planes of the rules.
    """

    def __init__(self, planes: int):
        self.counts = np.zeros((planes, SYMBOLS))
        self.remainder_bits = 0.0

    def add(self, codes: Int[np.ndarray, "planes rows columns"]) -> None:
        """Take in the codes of a tile."""
        self.remainder_bits += float(_remainder_bits(codes).sum())
        clipped = np.clip(codes, -LARGEST_SYMBOL, LARGEST_SYMBOL).reshape(len(codes), -1) + LARGEST_SYMBOL
        for plane, symbols in enumerate(clipped):
            self.counts[plane] += np.bincount(symbols, minlength=SYMBOLS)

    def one_table_a_plane(self) -> float:
        """Return the bits that the best table of each plane would take, fitted to these very symbols."""
        return _ideal_bits(self.counts) + self.remainder_bits

    def one_table_a_band(self) -> float:
        """Return the bits that the best table of each band would take, fitted to these very symbols."""
        bands = np.zeros((BANDS, SYMBOLS))
        np.add.at(bands, [band_of(plane) for plane in range(len(self.counts))], self.counts)
        return _ideal_bits(bands) + self.remainder_bits


def _remainder_bits(symbols: Shaped[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Return the length of the Exp-Golomb codes behind symbols of the largest size that has a probability, 0 for others."""
    beyond = np.maximum(np.abs(symbols) - (LARGEST_SYMBOL - 1), 0)
    return np.where(beyond, 2 * np.floor(np.log2(np.maximum(beyond, 1))) + 1, 0)


def _ideal_bits(counts: Float[np.ndarray, "tables symbols"]) -> float:
    total = counts.sum(1, keepdims=True)
    present = counts > 0
    share = counts[present] / np.broadcast_to(total, counts.shape)[present]
    return float(-(counts[present] * np.log2(share)).sum())


@dataclass(frozen=True)
class Maps:
    """Classes and bits of one picture.

    Attributes:
        classes: classes of every plane and block.
        bits: ideal code length of all planes of a block.
        usage: how often each band met each class.
    """

    classes: UInt8[np.ndarray, "planes rows columns"]
    bits: Float[np.ndarray, "rows columns"]
    usage: Int[np.ndarray, "bands classes"]


def maps_of(model: CodecModel, quality: int, codes: Int[np.ndarray, "planes rows columns"]) -> Maps:
    """Return which class each symbol of a picture of one tile was coded with, as a decoder meets them."""
    chosen = model.sets[quality]
    planes, rows, columns = codes.shape
    flat = codes.reshape(planes, -1)
    classes = np.zeros(flat.shape, np.uint8)
    bits = np.zeros(flat.shape[1])
    usage = np.zeros((BANDS, CLASSES), np.int64)

    def choose(plane: int, blocks: np.ndarray, mean: np.ndarray, met: np.ndarray) -> np.ndarray:
        symbols = flat[plane, blocks].astype(np.float64)
        classes[plane, blocks] = met
        clipped = np.clip(symbols, -LARGEST_SYMBOL, LARGEST_SYMBOL).astype(np.intp) + LARGEST_SYMBOL
        bits[blocks] += chosen.tables.bits[band_of(plane)][met, clipped] + _remainder_bits(symbols)
        usage[band_of(plane)] += np.bincount(met, minlength=CLASSES)
        return symbols

    walk(chosen.rules, Grid(rows, columns), choose)
    return Maps(classes.reshape(codes.shape), bits.reshape(rows, columns), usage)


def largest_sums(model: CodecModel) -> dict[str, float]:
    """Return for each kind of rule the logarithm to base 2 of the largest sum that any picture can lead to."""
    found = {}
    for name, bound in WEIGHT_BOUNDS.items():
        sums = [(np.abs(getattr(item.rules, name).astype(np.float64)) @ bound).max(initial=1) for item in model.sets]
        found[name] = float(np.log2(max(sums)))
    return found


def model_facts(model: CodecModel, path: Path) -> ModelFacts:
    """Return size and id of a model and of its file."""
    weights = [] if model.network is None else list(model.network.parameters())
    products = None
    if model.network is not None:
        from sciml.compression.coding.network import FACTOR

        products = sum(value.numel() for value in weights if value.ndim == 4) / FACTOR**2
    return ModelFacts(
        id=model.id.hex(),
        name=model.name,
        channels=model.channels,
        steps=[item.step for item in model.sets],
        planes=[item.rules.planes for item in model.sets],
        network_weights=sum(value.numel() for value in weights) if weights else None,
        network_products_per_pixel=products,
        file_bytes=path.stat().st_size,
    )
