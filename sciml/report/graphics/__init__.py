"""How numbers become graphics: the looks of series, drawings of axes, curves."""
