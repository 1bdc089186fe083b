"""What each part of the codec is worth: the codec without it, fitted to the same crops and measured on the same pictures.

Rates are ideal code lengths and errors are those of the planes. The transform is orthonormal in every variant, so the error
of the planes is that of the picture before it is rounded to grey levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from sciml.compression.coding.model import CodecModel, StepSet
from sciml.compression.coding.symbol_choice import LAMBDA
from sciml.compression.coding.tile_coding import encode_planes
from sciml.compression.coding.transform import Transform, block_dct, fit_transform, lap
from sciml.compression.entropy.context import VALUE_UNITS, Grid
from sciml.compression.entropy.tables import Tables
from sciml.compression.fitting.scalar import DEAD_ZONE, Fit
from sciml.imaging.metrics import decibels

# counts of 2^16 are the multiples of this among counts of 2^20
SIXTEEN_BITS = 16
# grey levels: of the middle, and from black to white
CENTRE, SPAN = 127.5, 255.0
# orthonormal opponent colours: sum, red against blue, green against both
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)

Planes = Float[np.ndarray, "planes rows16 columns16"]


@dataclass(frozen=True)
class Ablation:
    """What a variant of the codec has.

    Attributes:
        meaning: the variant in words.
        classes: predicted magnitudes choose the table; without them a plane's mean magnitude does.
        means: low planes are predicted from decoded neighbours.
        chroma: planes of colours are predicted from luma.
        lapping: across block borders.
        transform: `dct`, or `klt`: the principal axes of blocks of all colours.
        colours: `principal`, or `opponent`: fixed.
        choice: squared steps that a bit is worth to the encoder; 0 takes the nearest value.
        dead_zone: dead zone of the symbols that rules and tables are fitted to.
        fine_tables: counts of 2^20, else of 2^16.
    """

    meaning: str
    classes: bool = True
    means: bool = True
    chroma: bool = True
    lapping: bool = True
    transform: str = "dct"
    colours: str = "principal"
    choice: float = LAMBDA
    dead_zone: float = DEAD_ZONE
    fine_tables: bool = True


FULL = "full"
ABLATIONS = {
    FULL: Ablation("all parts"),
    "no-classes": Ablation("one table a plane in place of classes", classes=False),
    "no-means": Ablation("no prediction of low planes", means=False),
    "no-classes-no-means": Ablation("neither classes nor prediction", classes=False, means=False),
    "no-chroma": Ablation("no prediction of chroma from luma", chroma=False),
    "no-lapping": Ablation("no lapping across block borders", lapping=False),
    "klt": Ablation("principal axes of 16x16 colour blocks in place of the DCT", transform="klt"),
    "opponent-colours": Ablation("fixed opponent colours in place of principal ones", colours="opponent"),
    "no-choice": Ablation("nearest values, without a dead zone, in place of rate-distortion choice", choice=0.0),
    "wide-dead-zone": Ablation("fitted with a dead zone of 0.35 in place of 0.17", dead_zone=0.35),
    "coarse-tables": Ablation("probabilities of 2^-16 in place of 2^-20", fine_tables=False),
}


class Variant:
    """A variant of the codec, its transform fitted to crops.

    Args:
        ablation: what it has.
        crops: grey levels, of one size.
    """

    def __init__(self, ablation: Ablation, crops: UInt8[np.ndarray, "crops size size channels"]):
        self.ablation = ablation
        transform = fit_transform([_centred(crop) for crop in crops[::3]])
        if ablation.colours == "opponent":
            transform = Transform(OPPONENT, transform.order)
        self.transform = Transform(transform.colour, np.arange(len(transform.order)))
        self.axes: np.ndarray | None = None
        planes = np.stack([self.planes(crop) for crop in crops], 1)
        if ablation.transform == "klt":
            flat = planes.reshape(len(planes), -1).astype(np.float64)
            self.axes = np.linalg.eigh(flat @ flat.T)[1].T[::-1].astype(np.float32)
            planes = np.tensordot(self.axes, planes, 1)
        else:
            order = np.argsort(-np.square(planes).mean((1, 2, 3)), kind="stable")
            self.transform = Transform(transform.colour, order)
            planes = planes[order]
        self.grid = Grid(planes.shape[2], planes.shape[3], len(crops))
        self.training = np.ascontiguousarray(planes.reshape(len(planes), -1))

    def planes(self, picture: UInt8[np.ndarray, "rows columns channels"]) -> Planes:
        """Return the planes of a picture whose sides are multiples of 16."""
        rotated = self.transform.rotate(_centred(picture))
        planes = block_dct(lap(rotated) if self.ablation.lapping else rotated)[self.transform.order]
        return planes if self.axes is None else np.tensordot(self.axes, planes, 1)

    def fit(self, step: float) -> StepSet:
        """Return rules and tables of one step."""
        ablation = self.ablation
        # principal axes of blocks have no waves
        order = self.transform.order if ablation.chroma and self.axes is None else None
        fit = Fit(self.training / np.float32(step), self.grid, ablation.dead_zone, ablation.means, ablation.classes, order)
        rules, tables = fit.run()
        return StepSet(step, rules, tables if ablation.fine_tables else coarse(tables))

    def code(self, sets: tuple[StepSet, ...], step: float, planes: Planes) -> tuple[float, float]:
        """Return bits and mean squared error in grey levels of a picture coded at a step with the nearest set."""
        model = CodecModel("variant", self.transform, CENTRE, SPAN, sets)
        coded = encode_planes(model, model.set_for(step), step, planes, self.ablation.choice, bytes_too=False)
        decoded = coded.values.astype(np.float64) * (step / VALUE_UNITS)
        missed = np.square(planes[: len(decoded)] - decoded).sum() + np.square(planes[len(decoded) :], dtype=np.float64).sum()
        numbers = planes.size
        return float(coded.bits.sum()), float(missed / numbers * SPAN**2)


def psnr_of(error: float) -> float:
    """Return the peak signal-to-noise ratio in dB of a mean squared error in grey levels."""
    return decibels(error, SPAN)


def coarse(tables: Tables) -> Tables:
    """Return the tables with probabilities of at least 2^-16 and multiples of it."""
    sizes = np.maximum(np.rint(tables.sizes / SIXTEEN_BITS).astype(np.int64), 1) * SIXTEEN_BITS
    half = tables.counts.sum(-1) // 2
    excess = np.maximum(sizes.sum(-1) - (half - SIXTEEN_BITS), 0)
    np.put_along_axis(sizes, sizes.argmax(-1)[..., None], (sizes.max(-1) - excess)[..., None], -1)
    return Tables(sizes)


def _centred(picture: UInt8[np.ndarray, "rows columns channels"]) -> Float[np.ndarray, "rows columns channels"]:
    return (picture.astype(np.float32) - np.float32(CENTRE)) / np.float32(SPAN)
