"""The rates of the simulation beside what the studies that it cites state."""

import pytest

from sciml.progression.config import default_rates
from sciml.progression.page.methods import rates_text
from sciml.progression.settings.rates import QUOTED

# % a year; what is used in place of what its study states
DIFFERS = {("hippocampus", "MCI"): -2.57}


@pytest.mark.parametrize("one", [one for one in QUOTED if one.basis], ids=lambda one: one.name)
def test_a_rate_is_what_its_study_states(one):
    used = 100 * getattr(default_rates()[one.region], one.diagnosis)
    assert used == pytest.approx(DIFFERS.get((one.region, one.diagnosis), one.percent), abs=1e-9)
    assert one.interval is None or one.interval[0] <= one.percent <= one.interval[1]


def test_the_page_says_what_differs_and_what_no_study_states():
    text = rates_text(default_rates())
    assert "hippocampus MCI (who stayed stable) 2.55 [@jack2000] (used here: 2.57, which no study states)" in text
    assert text.count("used here") == len(DIFFERS)
    assert "(ventricle, amygdala, thalamus, grey matter MCI and AD, white matter) are from memory" in text
