"""Report pages: the slots of a study in, one self-contained HTML file and one JSON file out.

Example:
    >>> from sciml.report import Check, Checks, StudyPage
    >>> checks = [Checks([Check("adjoint", 1e-7, 1e-5, True)])]
    >>> page = StudyPage("demo", "A demo", "Does it work?", "ci", answer="Yes: the error is 1e-7.", checks=checks)
    >>> page.name
    'demo'

`write_page(page, "reports/demo.html")` writes the page; `write_index("reports")` the index of all pages.
Neither torch nor jax is imported, and nothing is loaded before a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sciml.runtime.extras import handed_out

_HOMES = {
    "reportlets": (
        "Check Checks Claim Column Curve Failure Figure Gallery Heading Matrix MatrixCell Scrubber Slider Spread Table Text"
    ),
    "pictures": "error_map gallery to_display zoom_crops",
    "page": "write_page",
    "check": "check_page",
    "goals": "Goal judge",
    "index": "forget_failure record_failure write_index",
    "methods": "methods_text",
    "study": "Ablation Number StudyPage Tab",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from sciml.report.check import check_page as check_page
    from sciml.report.goals import Goal as Goal
    from sciml.report.goals import judge as judge
    from sciml.report.index import forget_failure as forget_failure
    from sciml.report.index import record_failure as record_failure
    from sciml.report.index import write_index as write_index
    from sciml.report.methods import methods_text as methods_text
    from sciml.report.page import write_page as write_page
    from sciml.report.pictures import error_map as error_map
    from sciml.report.pictures import gallery as gallery
    from sciml.report.pictures import to_display as to_display
    from sciml.report.pictures import zoom_crops as zoom_crops
    from sciml.report.reportlets import Check as Check
    from sciml.report.reportlets import Checks as Checks
    from sciml.report.reportlets import Claim as Claim
    from sciml.report.reportlets import Column as Column
    from sciml.report.reportlets import Curve as Curve
    from sciml.report.reportlets import Failure as Failure
    from sciml.report.reportlets import Figure as Figure
    from sciml.report.reportlets import Gallery as Gallery
    from sciml.report.reportlets import Heading as Heading
    from sciml.report.reportlets import Matrix as Matrix
    from sciml.report.reportlets import MatrixCell as MatrixCell
    from sciml.report.reportlets import Scrubber as Scrubber
    from sciml.report.reportlets import Slider as Slider
    from sciml.report.reportlets import Spread as Spread
    from sciml.report.reportlets import Table as Table
    from sciml.report.reportlets import Text as Text
    from sciml.report.study import Ablation as Ablation
    from sciml.report.study import Number as Number
    from sciml.report.study import StudyPage as StudyPage
    from sciml.report.study import Tab as Tab


__getattr__ = handed_out(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return __all__
