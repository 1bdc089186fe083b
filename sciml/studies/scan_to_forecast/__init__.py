"""From an undersampled MR scan to a forecast in an archive: what an error in one link costs in the last. Not for clinical use.

Example:
    from sciml.studies.scan_to_forecast import AcquisitionConfig, acquire, reconstruct_volume, stored

    measured = acquire(volume, AcquisitionConfig(acceleration=8, coils=8), seed=0)     # volume: float32 (slices, rows, columns)
    picture = reconstruct_volume(measured, "lpn")
    decoded, size = stored(picture, "quality-50")                                       # and its bytes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.studies.scan_to_forecast.chain.acquisition import Measured, acquire
    from sciml.studies.scan_to_forecast.chain.archive import stored
    from sciml.studies.scan_to_forecast.chain.reconstruction import reconstruct_volume
    from sciml.studies.scan_to_forecast.config import AcquisitionConfig

_HOMES = {
    "AcquisitionConfig": "config",
    "Measured": "chain.acquisition",
    "acquire": "chain.acquisition",
    "reconstruct_volume": "chain.reconstruction",
    "stored": "chain.archive",
}
__all__ = ["AcquisitionConfig", "Measured", "acquire", "reconstruct_volume", "stored"]


__getattr__ = handed_out(__name__, _HOMES)
