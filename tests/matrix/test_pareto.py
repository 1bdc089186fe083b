"""Names in the pictures of quality against time."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from sciml.studies.matrix.page.pareto import _name


@pytest.mark.parametrize("larger", [True, False])
def test_names_of_near_points_do_not_run_into_each_other(larger):
    canvas = Figure(figsize=(3.9, 2.7))
    panel = canvas.add_subplot()
    sign = 1 if larger else -1
    front = [
        (0.01, 30 * sign, "wavelet"),
        (0.02, 32.9 * sign, "a residual network"),
        (0.03, 32.95 * sign, "non-local means"),
        (1, 34 * sign, "learned"),
    ]
    panel.plot([x for x, _, _ in front], [y for _, y, _ in front])
    panel.set_xscale("log")
    panel.margins(0.22, 0.18)
    _name(panel, front, larger)
    canvas.draw_without_rendering()
    boxes = [text.get_window_extent() for text in panel.texts]
    assert [text.get_text() for text in panel.texts] == [name for _, _, name in front]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
