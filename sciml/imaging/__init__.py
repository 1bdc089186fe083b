"""Imaging inverse problems on real data, with classical methods to compare every learned one with.

Example:
    >>> import torch
    >>> from sciml.imaging import task, tv
    >>> built = task("ct-sparse", size=(64, 64), views=30)
    >>> x = torch.zeros(1, 1, 64, 64)
    >>> x[..., 20:44, 24:40] = 0.5
    >>> y = built.measure(x, torch.Generator().manual_seed(0))
    >>> bool((tv(y, built.physics) - x).abs().mean() < 0.02)
    True
"""

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.formats.image import Image
    from sciml.formats.read import read_image
    from sciml.formats.write import write_image
    from sciml.imaging.metrics import psnr
    from sciml.imaging.operators.convolution import ValidBlur
    from sciml.imaging.operators.kernels import camera_shake, check_kernel, disk, gaussian, line
    from sciml.imaging.operators.linear import LinearPhysics, Physics, as_deepinv
    from sciml.imaging.operators.physics import Identity, Noise
    from sciml.imaging.operators.tomography import ParallelBeam
    from sciml.imaging.priors import Certificate, Prior, TotalVariation, resolve
    from sciml.imaging.similarity import ssim
    from sciml.imaging.solvers.classical import (
        bm3d,
        fbp,
        non_local_means,
        proximal_gradient,
        richardson_lucy,
        tv,
        wavelet_l1,
        wiener,
        zero_filled,
    )
    from sciml.imaging.solvers.tuning import METHODS, tune
    from sciml.imaging.solvers.wavelets import WaveletSparsity
    from sciml.imaging.tasks.task import TASKS, Task, task

_HOMES = {
    "operators.kernels": ("camera_shake", "check_kernel", "disk", "gaussian", "line"),
    "solvers.tuning": ("METHODS", "tune"),
    "metrics": ("psnr",),
    "similarity": ("ssim",),
    "operators.convolution": ("ValidBlur",),
    "operators.linear": ("LinearPhysics", "Physics", "as_deepinv"),
    "operators.physics": ("Identity", "Noise"),
    "priors": ("Certificate", "Prior", "TotalVariation", "resolve"),
    "solvers.classical": (
        "bm3d",
        "fbp",
        "non_local_means",
        "proximal_gradient",
        "richardson_lucy",
        "tv",
        "wavelet_l1",
        "wiener",
        "zero_filled",
    ),
    "tasks.task": ("TASKS", "Task", "task"),
    "operators.tomography": ("ParallelBeam",),
    "solvers.wavelets": ("WaveletSparsity",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_HOME |= {"Image": "sciml.formats.image", "read_image": "sciml.formats.read", "write_image": "sciml.formats.write"}

__all__ = [
    "METHODS",
    "TASKS",
    "Certificate",
    "Identity",
    "Image",
    "LinearPhysics",
    "Noise",
    "ParallelBeam",
    "Physics",
    "Prior",
    "Task",
    "TotalVariation",
    "ValidBlur",
    "WaveletSparsity",
    "as_deepinv",
    "bm3d",
    "camera_shake",
    "check_kernel",
    "disk",
    "fbp",
    "gaussian",
    "line",
    "non_local_means",
    "proximal_gradient",
    "psnr",
    "read_image",
    "resolve",
    "richardson_lucy",
    "ssim",
    "task",
    "tune",
    "tv",
    "wavelet_l1",
    "wiener",
    "write_image",
    "zero_filled",
]


__getattr__ = handed_out(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
