"""From blurred microscope frames back to the physics: six links, each with its own error, from the kinetic theory to a forecast.

Example:
    from sciml.studies.flow_from_images import Microscope, orientation, rendered

    frames, kernel = rendered(m1, velocity, 0.125, 10.0, Microscope(pixels=192), seed=0)    # uint16 (frames, rows, columns)
    tensor = orientation(frames)                                                             # complex: twice the director's angle
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.studies.flow_from_images.directors.calibration import Calibration, calibrated
    from sciml.studies.flow_from_images.directors.tensor import orientation, seen_order
    from sciml.studies.flow_from_images.microscope.camera import Microscope, point_spread, rendered
    from sciml.studies.flow_from_images.microscope.texture import advected, line_integral
    from sciml.studies.flow_from_images.sharpening.methods import sharpened

_HOMES = {
    "Calibration": "directors.calibration",
    "Microscope": "microscope.camera",
    "advected": "microscope.texture",
    "calibrated": "directors.calibration",
    "line_integral": "microscope.texture",
    "orientation": "directors.tensor",
    "point_spread": "microscope.camera",
    "rendered": "microscope.camera",
    "seen_order": "directors.tensor",
    "sharpened": "sharpening.methods",
}
__all__ = [
    "Calibration",
    "Microscope",
    "advected",
    "calibrated",
    "line_integral",
    "orientation",
    "point_spread",
    "rendered",
    "seen_order",
    "sharpened",
]


__getattr__ = handed_out(__name__, _HOMES)
