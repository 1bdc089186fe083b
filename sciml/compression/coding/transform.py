"""The transform: colour rotation, lapping across block borders, DCT of 16x16 blocks, planes sorted by energy.

A picture x of C channels becomes 256 C planes, one for each frequency and rotated channel, of one number a block:

    y = order( DCT2( P x U ) )

U is an orthonormal C x C rotation (principal axes of the training colours). P is the time-domain lapping of Tran,
Liang and Tu (2003): an orthonormal filter on the 16 samples around every block border, along rows and columns,

    P = 1/2 B diag(I, V) B,   B = [[I, J], [J, -I]],   V = J C2^T C4 J

with C2 and C4 the orthonormal DCT-II and DCT-IV of size 8 and J the reversal. Every factor is orthonormal: the
squared error of the planes is that of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy.fft import dct

BLOCK = 16
HALF = BLOCK // 2


@lru_cache(maxsize=1)
def dct_matrix() -> Float[np.ndarray, "16 16"]:
    """Return the orthonormal DCT-II of a block's side, one basis vector a row."""
    return np.ascontiguousarray(dct(np.eye(BLOCK), type=2, norm="ortho", axis=0), np.float32)


@lru_cache(maxsize=1)
def lapping_matrix() -> Float[np.ndarray, "16 16"]:
    """Return the orthonormal filter P of the samples around a block border."""
    identity, reversal = np.eye(HALF), np.eye(HALF)[::-1]
    second, fourth = (np.asarray(dct(identity, type=kind, norm="ortho", axis=0)) for kind in (2, 4))
    turn = reversal @ second.T @ fourth @ reversal
    butterfly = np.block([[identity, reversal], [reversal, -identity]])
    middle = np.block([[identity, np.zeros_like(turn)], [np.zeros_like(turn), turn]])
    return (0.5 * butterfly @ middle @ butterfly).astype(np.float32)


def lap(picture: Float[np.ndarray, "channels rows columns"], inverse: bool = False) -> Float[np.ndarray, "channels rows columns"]:
    """Return the picture filtered across all inner block borders; sides are multiples of 16.

    The outer 8 samples belong to no inner border and stay.
    """
    matrix = lapping_matrix() if inverse else lapping_matrix().T
    channels, rows, columns = picture.shape
    result = picture.astype(np.float32, copy=True)
    if columns > BLOCK:
        inner = result[:, :, HALF:-HALF].reshape(-1, BLOCK)
        result[:, :, HALF:-HALF] = (inner @ matrix).reshape(channels, rows, -1)
    if rows > BLOCK:
        inner = result[:, HALF:-HALF].reshape(-1, BLOCK, columns)
        result[:, HALF:-HALF] = (matrix.T @ inner).reshape(channels, -1, columns)
    return result


def block_dct(picture: Float[np.ndarray, "channels rows columns"]) -> Float[np.ndarray, "planes rows16 columns16"]:
    """Return the DCT of every 16x16 block: plane (channel, row frequency, column frequency)."""
    channels, rows, columns = picture.shape
    across = picture.reshape(-1, BLOCK) @ dct_matrix().T
    both = dct_matrix() @ across.reshape(-1, BLOCK, columns)
    planes = both.reshape(channels, rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    return planes.transpose(0, 2, 4, 1, 3).reshape(-1, rows // BLOCK, columns // BLOCK)


def inverse_block_dct(planes: Float[np.ndarray, "planes rows16 columns16"]) -> Float[np.ndarray, "channels rows columns"]:
    """Return the picture of which `planes` is the block DCT."""
    rows, columns = (side * BLOCK for side in planes.shape[1:])
    blocks = planes.reshape(-1, BLOCK, BLOCK, *planes.shape[1:]).transpose(0, 3, 1, 4, 2)
    down = dct_matrix().T @ blocks.reshape(-1, BLOCK, columns)
    return (down.reshape(-1, BLOCK) @ dct_matrix()).reshape(-1, rows, columns)


@dataclass(frozen=True)
class Transform:
    """The orthonormal map between pictures and planes.

    Attributes:
        colour: rotation U^T, one axis a row.
        order: plane k of the codec is plane `order[k]` of the block DCT; energy falls with k.
    """

    colour: Float[np.ndarray, "channels channels"]
    order: Int[np.ndarray, " planes"]

    @property
    def channels(self) -> int:
        """Channels of the pictures."""
        return len(self.colour)

    def forward(self, picture: Float[np.ndarray, "rows columns channels"]) -> Float[np.ndarray, "planes rows16 columns16"]:
        """Return the planes of a picture with sides that are multiples of 16."""
        return block_dct(lap(self.rotate(picture)))[self.order]

    def rotate(self, picture: Float[np.ndarray, "rows columns channels"]) -> Float[np.ndarray, "channels rows columns"]:
        """Return the rotated channels, channel first."""
        return np.ascontiguousarray((picture @ self.colour.T).transpose(2, 0, 1), np.float32)

    def inverse(self, planes: Float[np.ndarray, "planes rows16 columns16"]) -> Float[np.ndarray, "rows columns channels"]:
        """Return the picture with these planes."""
        return self.unrotate(lap(self.blocks(planes), inverse=True))

    def blocks(self, planes: Float[np.ndarray, "planes rows16 columns16"]) -> Float[np.ndarray, "channels rows columns"]:
        """Return the rotated channels before the lapping is undone."""
        plain = np.empty_like(planes, np.float32)
        plain[self.order] = planes
        return inverse_block_dct(plain)

    def unrotate(self, channels: Float[np.ndarray, "channels rows columns"]) -> Float[np.ndarray, "rows columns channels"]:
        """Return the picture, channel last."""
        return np.ascontiguousarray(channels.transpose(1, 2, 0) @ self.colour)


def fit_transform(pictures: list[Float[np.ndarray, "rows columns channels"]]) -> Transform:
    """Return the colour rotation and the plane order of training pictures with sides that are multiples of 16.

    The rotation diagonalises the colours' covariance; planes are sorted by their mean square.
    """
    channels = pictures[0].shape[2]
    colours = np.concatenate([picture.reshape(-1, channels) for picture in pictures]).astype(np.float64)
    axes = np.linalg.eigh(np.cov(colours, rowvar=False).reshape(channels, channels))[1].T[::-1]
    # each axis points to its largest component, so that equal data give equal signs
    axes *= np.sign(axes[np.arange(channels), np.abs(axes).argmax(1)])[:, None]
    plain = Transform(axes.astype(np.float32), np.arange(256 * channels))
    energy = np.mean([np.square(plain.forward(picture)).mean((1, 2)) for picture in pictures], 0)
    return Transform(plain.colour, np.argsort(-energy, kind="stable"))
