"""The matrix: every task of imaging by every method that solves it, with what each costs, on cases chosen by a rule.

Example:
    from sciml.studies.matrix import contest, holm, signed_rank

    values = {"ours": {"a": 31.0, "b": 29.5}, "theirs": {"a": 30.0, "b": 30.5}}       # dB by method and case
    found = contest(values, {"a": "photograph 1", "b": "photograph 2"}, seed=0)
    found.leader, found.standings["theirs"].lost, found.words                          # and why no winner is marked
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

if TYPE_CHECKING:
    from sciml.studies.matrix.config import Config
    from sciml.studies.matrix.study.contest import Contest, contest, front, holm, signed_rank
    from sciml.studies.matrix.study.results import Matrix
    from sciml.studies.matrix.trial.cost import Cost, costed

_HOMES = {
    "Config": "config",
    "Contest": "study.contest",
    "Cost": "trial.cost",
    "Matrix": "study.results",
    "contest": "study.contest",
    "costed": "trial.cost",
    "front": "study.contest",
    "holm": "study.contest",
    "signed_rank": "study.contest",
}
__all__ = ["Config", "Contest", "Cost", "Matrix", "contest", "costed", "front", "holm", "signed_rank"]


__getattr__ = handed_out(__name__, _HOMES)
