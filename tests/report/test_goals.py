import math

import pytest

from sciml.report import Goal, Spread, StudyPage, judge, write_index, write_page
from sciml.report.goals import UNKNOWN, summary
from sciml.report.reportlets import VERDICTS
from sciml.runtime.errors import ScimlError
from sciml.runtime.files import read_json, write_json

INF, NAN = math.inf, math.nan
LARGE, SMALL, NEAR = {"at_least": 3.0}, {"at_most": 3.0}, {"within": (3.0, 0.5)}
ABOVE, BELOW = LARGE | {"strict": True}, SMALL | {"strict": True}


@pytest.mark.parametrize(
    ("bar", "value", "interval", "goal", "paper"),
    [
        # the bar itself is reached; from both sides
        (LARGE, 3.0, None, "met", "reproduced"),
        (LARGE, 2.999, None, "missed", "not"),
        (LARGE, 3.001, None, "met", "reproduced"),
        (SMALL, 3.0, None, "met", "reproduced"),
        (SMALL, 2.999, None, "met", "reproduced"),
        (SMALL, 3.001, None, "missed", "not"),
        (NEAR, 2.5, None, "met", "reproduced"),
        (NEAR, 3.5, None, "met", "reproduced"),
        (NEAR, 2.49, None, "missed", "not"),
        (NEAR, 3.51, None, "missed", "not"),
        # unless the goal is to be above or below it
        (ABOVE, 3.0, None, "missed", "not"),
        (ABOVE, 3.001, None, "met", "reproduced"),
        (ABOVE, 3.2, (3.0, 3.4), "not decided", "not decided"),
        (ABOVE, 2.8, (2.6, 3.0), "missed", "not"),
        (BELOW, 3.0, None, "missed", "not"),
        (BELOW, 2.999, None, "met", "reproduced"),
        # intervals: apart from the bar, across it, touching it from the side that reaches it and from the other one
        (LARGE, 5.0, (4.0, 6.0), "met", "reproduced"),
        (LARGE, 1.0, (0.0, 2.0), "missed", "not"),
        (LARGE, 5.0, (2.0, 8.0), "not decided", "not decided"),
        (LARGE, 2.5, (2.0, 8.0), "not decided", "not decided"),
        (LARGE, 4.0, (3.0, 5.0), "met", "reproduced"),
        (LARGE, 2.0, (1.0, 3.0), "not decided", "not decided"),
        (LARGE, 5.0, (8.0, 2.0), "not decided", "not decided"),
        (SMALL, 1.0, (0.0, 2.0), "met", "reproduced"),
        (SMALL, 5.0, (4.0, 6.0), "missed", "not"),
        (SMALL, 2.0, (1.0, 3.1), "not decided", "not decided"),
        (SMALL, 2.0, (1.0, 3.0), "met", "reproduced"),
        (SMALL, 4.0, (3.0, 5.0), "not decided", "not decided"),
        (NEAR, 3.0, (2.5, 3.5), "met", "reproduced"),
        (NEAR, 3.0, (2.4, 3.1), "not decided", "not decided"),
        (NEAR, 3.0, (2.9, 3.6), "not decided", "not decided"),
        (NEAR, 3.0, (0.0, 6.0), "not decided", "not decided"),
        (NEAR, 9.0, (8.0, 10.0), "missed", "not"),
        # one case has no interval; an interval that is no number says nothing, a boundless one that nothing is known
        (LARGE, 5.0, (NAN, NAN), "met", "reproduced"),
        (LARGE, 5.0, (2.0, NAN), "met", "reproduced"),
        (LARGE, 5.0, UNKNOWN, "not decided", "not decided"),
        (LARGE, 5.0, (4.0, INF), "met", "reproduced"),
        (LARGE, 3.0, (3.0, 3.0), "met", "reproduced"),
        # an exact copy has an infinite PSNR, a run that diverged an infinite error
        (LARGE, INF, None, "met", "reproduced"),
        (LARGE, -INF, None, "missed", "not"),
        (SMALL, INF, None, "missed", "not"),
        (SMALL, -INF, (-INF, -INF), "met", "reproduced"),
        (NEAR, INF, None, "missed", "not"),
        # what was not measured, whatever the interval says
        (LARGE, None, None, "not run", "not run"),
        (LARGE, None, (4.0, 6.0), "not run", "not run"),
        (SMALL, NAN, None, "not run", "not run"),
        (LARGE, Spread(NAN, 1.0, 3), None, "not run", "not run"),
        # without the rival there is no bar
        ({}, 5.0, None, "not run", "not run"),
        # of a spread the mean counts, and of a yes the one
        (LARGE, Spread(3.5, 9.0, 4), None, "met", "reproduced"),
        ({"at_least": 1}, True, None, "met", "reproduced"),
        ({"at_least": 1}, False, None, "missed", "not"),
    ],
)
def test_verdicts_by_hand(bar, value, interval, goal, paper):
    assert judge(Goal("x", "s", **bar), value, interval).status == goal
    assert judge(Goal("x", "s", paper=True, **bar), value, interval).status == paper


@pytest.mark.parametrize(
    ("bar", "lower", "value", "interval", "status"),
    [
        (LARGE, 1.0, 3.0, None, "reproduced"),
        (LARGE, 1.0, 2.9, None, "partly"),
        (LARGE, 1.0, 1.0, None, "partly"),
        (LARGE, 1.0, 0.999, None, "not"),
        (LARGE, 1.0, 1.5, (0.5, 2.5), "partly"),
        (LARGE, 1.0, 1.5, (0.5, 3.5), "not decided"),
        (SMALL, 5.0, 3.1, None, "partly"),
        (SMALL, 5.0, 5.0, None, "partly"),
        (SMALL, 5.0, 5.1, None, "not"),
        # no lower bar is implied
        (LARGE, None, 2.999, None, "not"),
        (LARGE, 0.0, 0.001, None, "partly"),
    ],
)
def test_only_a_stated_lower_bar_is_reached_partly(bar, lower, value, interval, status):
    assert judge(Goal("x", "s", paper=True, partly=lower, **bar), value, interval).status == status


@pytest.mark.parametrize(
    ("value", "interval", "goal", "paper"),
    [
        (4.0, None, "met at demo size", "not decided"),
        (2.0, None, "missed", "not"),
        (4.0, (2.0, 6.0), "not decided", "not decided"),
        (4.0, (3.5, 6.0), "met at demo size", "not decided"),
        (None, None, "not run", "not run"),
    ],
)
def test_a_run_smaller_than_the_goal_asks(value, interval, goal, paper):
    assert judge(Goal("x", "s", at_least=3.0), value, interval, enough=False).status == goal
    assert judge(Goal("x", "s", at_least=3.0, paper=True), value, interval, enough=False).status == paper


def test_the_table_knows_every_verdict_and_goals_have_one_bar():
    tests = (test_verdicts_by_hand, test_only_a_stated_lower_bar_is_reached_partly, test_a_run_smaller_than_the_goal_asks)
    rows = [row for test in tests for row in test.pytestmark[0].args[1]]  # pyright: ignore[reportFunctionMemberAccess]
    assert {word for row in rows for word in row if isinstance(word, str)} == set(VERDICTS)
    with pytest.raises(ScimlError, match="one bar"):
        Goal("x", "s", at_least=1.0, at_most=2.0)
    with pytest.raises(ScimlError, match="strict"):
        Goal("x", "s", within=(1.0, 0.1), strict=True)
    for wrong in ({"at_least": 1.0}, {"within": (1.0, 0.1), "paper": True}):
        with pytest.raises(ScimlError, match="partly"):
            Goal("x", "s", partly=0.5, **wrong)  # pyright: ignore[reportArgumentType]


def test_a_claim_shows_number_reference_and_details():
    claim = judge(Goal("The gain", "Table 2", "dB", at_least=3.0, paper=True), 3.14159, shown=3.14, details=" (9 cases)")
    assert (claim.text, claim.ours, claim.reference, claim.source, claim.unit) == (
        "The gain (9 cases)",
        3.14,
        3.0,
        "Table 2",
        "dB",
    )
    assert judge(Goal("x", "s", within=(3.0, 0.5)), None).reference == 3.0 and judge(Goal("x", "s"), 1.0).ours is None
    asked = judge(Goal("x", "s", at_least=9, reference="all"), 9, shown="9 of 9")
    assert (asked.ours, asked.reference, asked.status, asked.paper) == ("9 of 9", "all", "met", False)
    assert judge(Goal("x", "s", at_least=1), None, shown="words").ours is None


def test_interval_of_a_mean():
    # t of 0.975 is 4.3027 for two degrees of freedom and 12.706 for one
    assert Spread(1.0, 3.0, 3).interval == pytest.approx((1 - 4.3027 * 3**0.5, 1 + 4.3027 * 3**0.5), abs=1e-3)
    assert Spread(0.0, 2**0.5, 2).interval == pytest.approx((-12.706, 12.706), abs=1e-3)
    assert Spread(1.0, None, 1).interval == UNKNOWN and Spread(1.0, 0.0, 4).interval == (1.0, 1.0)


def test_pages_and_index_tell_papers_from_goals(tmp_path):
    paper, own = Goal("Published", "Table 2", at_least=3.0, paper=True, partly=1.0), Goal("Wanted", "set before", at_least=3.0)
    claims = [judge(paper, 4.0), judge(paper, 2.0), judge(own, 4.0), judge(own, 4.0, enough=False), judge(own, 2.0, (1.0, 9.0))]
    page = write_page(
        StudyPage("p", "P", "?", "ci", "Yes.", claims=[*claims, judge(own, None), judge(own, 1.0)]), tmp_path / "p.html"
    )
    html, record = page.read_text(), read_json(tmp_path / "p.report.json")
    assert html.index("<h3>Claims of papers</h3>") < html.index("Table 2") < html.index("<h3>Goals of this project</h3>")
    assert [claim["paper"] for claim in record["claims"]] == [True] * 2 + [False] * 5 and record["verdict"]["met"] == 1
    words = "1 of 2 claims reproduced, 1 of 5 goals met, 1 partly, 1 met at demo size, 1 not decided, 1 not run"
    assert summary(record["claims"]) == words and words in write_index(tmp_path).read_text()
    only = write_page(StudyPage("q", "Q", "?", "ci", "Yes.", claims=[judge(own, 4.0)]), tmp_path / "q.html")
    assert "Claims of papers" not in only.read_text()


def test_the_index_reads_pages_written_before_goals(tmp_path):
    claims = [{"text": "x", "status": word} for word in ("reproduced", "partly", "not", "not run")]
    write_json(
        tmp_path / "old.report.json", {"page": "old.html", "title": "Old", "question": "?", "tier": "ci", "claims": claims}
    )
    text = write_index(tmp_path).read_text()
    assert "1 of 4 claims reproduced, 1 partly, 1 not run" in text and "1 / 4" in text and "old.report.json" not in text


def test_a_claim_holds_the_interval_of_the_number_that_it_shows():
    goal = Goal("Gains", "goal", "dB", at_least=1.0)
    assert judge(goal, 2.0, (1.5, 2.5)).interval == (1.5, 2.5)
    assert judge(goal, 2.0, (1.5, 2.5), shown=29.3).interval is None
    assert judge(goal, 2.0, UNKNOWN).interval is None and judge(goal, None, (1.5, 2.5)).interval is None
