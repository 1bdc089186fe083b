"""A smooth scene."""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS = np.mgrid[:48, :40] / 40
SCENE = (0.5 + 0.4 * np.sin(6 * COLUMNS) * np.cos(5 * ROWS)).astype(np.float32)
