"""What the published figure of robustness shows, read by eye.

Tang et al., CVPR 2023, "robustness to the kernel error": PSNR in dB at the ends and in the middle of four sweeps, read off the
figure in the authors' repository, about +-0.4 dB. The pictures were blurred with the circular boundary and without noise, the
metric of the authors' program is a mean over picture columns: these values are for the shape of the curves, not for comparison.
"""

from __future__ import annotations

from collections.abc import Mapping

NOTE = (
    "read by eye off the figure in the authors' repository, about \u00b10.4 dB; their pictures and their PSNR are others, so "
    "only the shape can be compared"
)
# by key in `references.bib`
METHODS: Mapping[str, str] = {
    "tang2023": "Tang et al. 2023",
    "nan2020": "Nan and Ji 2020",
    "ji2012": "Ji and Wang 2012",
    "krishnan2009": "Krishnan and Fergus 2009, kernel as given",
}

# by sweep and method: PSNR by bias
PSNR: Mapping[str, Mapping[str, Mapping[float, float]]] = {
    "length": {
        "tang2023": {-15: 27.3, 0: 28.7, 15: 26.0},
        "nan2020": {-15: 26.7, 0: 28.2, 15: 25.3},
        "ji2012": {-15: 21.0, 0: 27.8, 15: 21.1},
        "krishnan2009": {-15: 20.5, 0: 26.0, 15: 10.4},
    },
    "angle": {
        "tang2023": {-30: 26.9, 0: 28.7, 30: 26.7},
        "nan2020": {-30: 26.4, 0: 28.4, 30: 26.2},
        "ji2012": {-30: 21.9, 0: 27.7, 30: 21.3},
        "krishnan2009": {-30: 18.3, 0: 26.0, 30: 17.0},
    },
    "width": {
        "tang2023": {-3: 26.6, 0: 27.1, 3: 25.0},
        "nan2020": {-3: 24.6, 0: 25.8, 3: 22.9},
        "ji2012": {-3: 23.6, 0: 24.9, 3: 22.3},
        "krishnan2009": {-3: 22.2, 0: 24.6, 3: 18.7},
    },
    "radius": {
        "tang2023": {-3: 27.9, 0: 29.0, 3: 26.3},
        "nan2020": {-3: 23.8, 0: 28.0, 3: 23.1},
        "ji2012": {-3: 25.9, 0: 27.9, 3: 24.3},
        "krishnan2009": {-3: 23.5, 0: 26.8, 3: 17.1},
    },
}
