"""Sharpen a photograph whose blur kernel is only roughly known.

Example:
    from sciml.deblurring import deblur

    result = deblur(blurred, "motion:15,30", noise_std=0.01)      # total variation; turn, scale and width of the kernel corrected
    result.image, result.kernel                                  # as the picture was given
    print(*result.sentences, *result.warnings, sep="\\n")          # what was done, and what speaks against it
    deblur(blurred, kernel, prior="lpn:photo-deblur", spread=16).spread
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.deblurring.correction.estimate import estimate_kernel, noise_std
    from sciml.deblurring.correction.sensitivity import bootstrap_std, spread_map
    from sciml.deblurring.kernels.canonical import Canonical, canonicalise, read_kernel
    from sciml.deblurring.kernels.errors import perturbed
    from sciml.deblurring.kernels.shake import Shake
    from sciml.deblurring.restoration.deblur import Deblurred, deblur
    from sciml.deblurring.settings.structures import DipConfig

_HOMES = {
    "Canonical": "kernels.canonical",
    "Deblurred": "restoration.deblur",
    "DipConfig": "settings.structures",
    "Shake": "kernels.shake",
    "bootstrap_std": "correction.sensitivity",
    "canonicalise": "kernels.canonical",
    "deblur": "restoration.deblur",
    "estimate_kernel": "correction.estimate",
    "noise_std": "correction.estimate",
    "perturbed": "kernels.errors",
    "read_kernel": "kernels.canonical",
    "spread_map": "correction.sensitivity",
}
__all__ = [
    "Canonical",
    "Deblurred",
    "DipConfig",
    "Shake",
    "bootstrap_std",
    "canonicalise",
    "deblur",
    "estimate_kernel",
    "noise_std",
    "perturbed",
    "read_kernel",
    "spread_map",
]


__getattr__ = handed_out(__name__, _HOMES)
