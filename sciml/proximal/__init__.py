"""Learned proximal networks: denoise and reconstruct with a learned prior that can be certified.

Example:
    from sciml.proximal import LearnedProximalNetwork, reconstruct

    lpn = LearnedProximalNetwork.load("photo-grey")
    clean = lpn(noisy, sigma=0.1)                                # a proximal operator, exactly
    lpn.prior(clean)                                             # its regulariser R, one number an image
    result = reconstruct(y, physics, lpn, noise_std=0.02)        # image, objective curve and certificate
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.proximal.config import Config
    from sciml.proximal.networks.forms import LearnedProximalNetwork, load_denoiser
    from sciml.proximal.networks.guided import GuidedNetwork
    from sciml.proximal.reconstruction.reconstruct import Reconstruction, reconstruct

_HOMES = {
    "Config": "config",
    "LearnedProximalNetwork": "networks.forms",
    "GuidedNetwork": "networks.guided",
    "load_denoiser": "networks.forms",
    "Reconstruction": "reconstruction.reconstruct",
    "reconstruct": "reconstruction.reconstruct",
}
__all__ = ["Config", "GuidedNetwork", "LearnedProximalNetwork", "Reconstruction", "load_denoiser", "reconstruct"]


__getattr__ = handed_out(__name__, _HOMES)
