"""Random crops of images or volumes, computed ahead in a second thread, the same for the same step."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sciml.runtime.errors import ConfigError, DataError, ShapeError
from sciml.runtime.seeds import Seeds

# of one image that are tried before a constant crop is taken after all
CORNERS = 100


class RandomCrops:
    """Batches of random crops, flipped and turned, as a pure function of (seed, step).

    For each crop: an image (uniformly or by weight), a corner (uniformly), a flip of each axis (one half
    each) and a number of quarter turns of the last two axes. A constant crop, such as one of the air around a body,
    teaches nothing: another corner is drawn, and `skipped` counts it, those of batches ahead included. A thread computes the
    next batches while the model works on the present one; the sequence is the same with and without it.

    Args:
        images: arrays of one channel count: spatial axes as many as `crop_size` has, then channels or nothing.
        crop_size: pixels of each spatial axis; one integer means a square in two dimensions.
        batch_size: crops in a batch.
        seed: master seed; the name of the random numbers is `crops/<step>`.
        weights: relative chance of each image, for instance by `gradient_energy`; default uniform.
        names: what errors call the images, for instance their files; default their positions.
        flip: mirror each spatial axis with probability one half.
        turn: turn the last two spatial axes by 0, 90, 180 or 270 degrees.
        prefetch: batches computed ahead; 0 computes each when it is asked for.

    Raises:
        ConfigError: a size or weight is out of range, or `turn` is asked for an oblong crop.
        DataError: no image, a constant image, or one with NaN or infinity.
        ShapeError: an image has another type than float32, other axes or channels, or is smaller than the crop.

    Example:
        >>> image = np.arange(64, dtype=np.float32).reshape(8, 8)
        >>> with RandomCrops([image], 4, batch_size=2, seed=0) as crops:
        ...     crops.batch(0).shape
        torch.Size([2, 1, 4, 4])
    """

    def __init__(
        self,
        images: Sequence[Float[np.ndarray, " ..."]],
        crop_size: int | tuple[int, ...],
        batch_size: int,
        seed: int,
        *,
        weights: Sequence[float] | None = None,
        names: Sequence[str] | None = None,
        flip: bool = True,
        turn: bool = True,
        prefetch: int = 2,
    ) -> None:
        self.crop_size = (crop_size, crop_size) if isinstance(crop_size, int) else tuple(crop_size)
        if len(self.crop_size) < 2 or min(self.crop_size) < 1:
            raise ConfigError(f"crop_size is {crop_size}, expected at least two positive sizes or one integer")
        if batch_size < 1 or prefetch < 0:
            raise ConfigError(f"batch_size is {batch_size} and prefetch {prefetch}, expected at least 1 and 0")
        if turn and self.crop_size[-1] != self.crop_size[-2]:
            raise ConfigError(
                f"crop_size {self.crop_size} cannot be turned by 90 degrees; make the last two sizes equal or set turn=False"
            )
        self.batch_size, self.seed, self.flip, self.turn, self.prefetch = batch_size, seed, flip, turn, prefetch
        self.skipped = 0
        self._images = _checked(images, self.crop_size, names)
        self._chances = _chances(weights, len(self._images))
        self._ahead: dict[int, Future[Float[Tensor, "batch channel *space"]]] = {}
        self._worker: ThreadPoolExecutor | None = None
        self._closed = False

    def batch(self, step: int) -> Float[Tensor, "batch channel *space"]:
        """Return the batch of a step, in any order of asking; an error of the thread is raised here."""
        if self.prefetch == 0 or self._closed:
            return self._compute(step)
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="crops")
        wanted = range(step, step + self.prefetch + 1)
        for stale in set(self._ahead).difference(wanted):
            self._ahead.pop(stale).cancel()
        for number in wanted:
            if number not in self._ahead:
                self._ahead[number] = self._worker.submit(self._compute, number)
        return self._ahead.pop(step).result()

    def close(self) -> None:
        """End the thread; later batches are computed when asked for."""
        self._closed = True
        self._ahead.clear()
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)
            self._worker = None

    def __enter__(self) -> RandomCrops:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _compute(self, step: int) -> Float[Tensor, "batch channel *space"]:
        random = np.random.default_rng(Seeds(self.seed)("crops", step))
        chosen = random.choice(len(self._images), size=self.batch_size, p=self._chances)
        return torch.from_numpy(np.stack([self._crop(self._images[index], random) for index in chosen]))

    def _crop(
        self, image: Float[np.ndarray, " channel *space"], random: np.random.Generator
    ) -> Float[np.ndarray, " channel *crop"]:
        for _ in range(CORNERS):
            corner = [random.integers(have - want + 1) for have, want in zip(image.shape[1:], self.crop_size, strict=True)]
            crop = image[(slice(None), *(slice(at, at + want) for at, want in zip(corner, self.crop_size, strict=True)))]
            if crop[0].size == 1 or crop.min() < crop.max():
                break
            self.skipped += 1
        if self.flip:
            crop = np.flip(crop, tuple(axis + 1 for axis in range(len(self.crop_size)) if random.integers(2)))
        if self.turn:
            crop = np.rot90(crop, int(random.integers(4)), axes=(-2, -1))
        return crop


def gradient_energy(image: Float[np.ndarray, " ..."]) -> float:
    """Return the mean squared difference of neighbours, summed over axes: large where an image has detail.

    (1 / N) Σ_axes Σ_i (x_{i+1} - x_i)²
    """
    return float(sum(np.mean(np.square(np.diff(image, axis=axis))) for axis in range(image.ndim) if image.shape[axis] > 1))


def _checked(
    images: Sequence[Float[np.ndarray, " ..."]], crop_size: tuple[int, ...], names: Sequence[str] | None
) -> list[Float[np.ndarray, " channel *space"]]:
    """Return the images with channels first, or say which one cannot be cropped and why."""
    if len(images) == 0:
        raise DataError("no image to take crops from; give at least one")
    if names is not None and len(names) != len(images):
        raise ConfigError(f"{len(names)} names for {len(images)} images; give one name an image")
    axes, ready = len(crop_size), []
    for number, image in enumerate(images):
        name = f"image {number}" if names is None else f"image {names[number]}"
        if image.dtype != np.float32:
            raise ShapeError(f"{name} has type {image.dtype}, expected float32; convert it with astype")
        if image.ndim not in (axes, axes + 1):
            raise ShapeError(
                f"{name} has shape {image.shape}, expected {axes} axes for crops of {crop_size}, then channels or nothing"
            )
        if any(have < want for have, want in zip(image.shape, crop_size, strict=False)):
            raise ShapeError(
                f"{name} has size {image.shape[:axes]}, smaller than the crop {crop_size}; take smaller crops or leave it out"
            )
        low, high = image.min(), image.max()
        if not np.isfinite(low) or not np.isfinite(high):
            raise DataError(f"{name} holds NaN or infinity; repair it or leave it out")
        if low == high:
            raise DataError(f"{name} is constant ({low:g} everywhere), nothing can be learned from it; leave it out")
        ready.append(np.moveaxis(image, -1, 0) if image.ndim > axes else image[None])
        if ready[-1].shape[0] != ready[0].shape[0]:
            raise ShapeError(
                f"{name} has {ready[-1].shape[0]} channels, the first image has {ready[0].shape[0]}; make them equal"
            )
    return ready


def _chances(weights: Sequence[float] | None, count: int) -> Float[np.ndarray, " count"] | None:
    if weights is None:
        return None
    chances = np.asarray(weights, dtype=np.float64)
    if chances.shape != (count,) or not np.isfinite(chances).all() or chances.min() < 0 or chances.sum() == 0:
        raise ConfigError(f"weights are {list(weights)}, expected {count} finite numbers of at least 0, not all 0")
    return chances / chances.sum()
