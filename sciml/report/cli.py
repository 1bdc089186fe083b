"""`sciml report`: build the index, check pages, take a picture of one, put the numbers of all together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sciml.options import FOLDER, command

app = typer.Typer(help="Report pages: index, checks, screenshots, verdicts and tables of all.", no_args_is_help=True)


@command(app, "index")
def index_command(folder: Annotated[Path, FOLDER, typer.Argument(help="The reports folder.")]) -> None:
    """Write index.html from the *.report.json files and failure records of a folder.

    Example: sciml report index reports
    """
    from sciml.report.index import write_index

    typer.echo(write_index(folder))


@command(app, "check")
def check_command(files: Annotated[list[Path], typer.Argument(help="HTML pages.")]) -> None:
    """Check that pages load nothing, run only their own scripts and describe every picture.

    Example: sciml report check reports/imaging.html
    """
    from sciml.report.check import check_page
    from sciml.runtime.errors import ScimlError

    count = 0
    for path in files:
        problems = check_page(path)
        count += len(problems)
        typer.echo(f"{path}: {'sound' if not problems else f'{len(problems)} problems'}")
        for problem in problems:
            typer.echo(f"  {problem}")
    if count:
        raise ScimlError(f"{count} problems in {len(files)} pages; see the lines above")


@command(app, "shot", {"OUT": "--out"})
def shot_command(
    page: Annotated[Path, typer.Argument(help="HTML page.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    width: Annotated[int, typer.Option(min=200, max=4000, help="Window width in pixels.")] = 1300,
    height: Annotated[int, typer.Option(min=200, max=20000, help="Window height in pixels.")] = 900,
    dark: Annotated[bool, typer.Option("--dark", help="Use the dark colour scheme.")] = False,
) -> None:
    """Take a screenshot of a page with headless Chromium.

    Example: sciml report shot reports/imaging.html --width 360 --dark --out imaging.png
    """
    from sciml.report.check import take_screenshot

    take_screenshot(page, out, width=width, height=height, dark=dark)
    typer.echo(out)


@command(app, "overview", {"OUT": "--out"})
def overview_command(
    folder: Annotated[Path, FOLDER, typer.Argument(help="The reports folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write claims.md and results.md into.")],
) -> None:
    """Write claims.md and results.md from the *.report.json files of a folder: all verdicts and all tables of a run.

    Example: sciml report overview reports --out docs --force
    """
    from sciml.report.overview.claims import claims_text
    from sciml.report.overview.markdown import read_pages
    from sciml.report.overview.results import results_text
    from sciml.runtime.files import write_text

    pages = read_pages(folder)
    for name, make in (("claims", claims_text), ("results", results_text)):
        write_text(out / f"{name}.md", make(pages, "sciml report overview REPORTS --out docs --force"))
        typer.echo(out / f"{name}.md")


@command(app, "gallery")
def gallery_command(
    folder: Annotated[Path, FOLDER, typer.Argument(help="The reports folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="Folder to write gallery.md and the folder gallery into.")],
) -> None:
    """Write gallery.md: the answer of every page of a run with one of its pictures, of data that may be shown anywhere.

    Example: sciml report gallery reports --out docs --force
    """
    from sciml.report.overview.gallery import write_gallery

    typer.echo(write_gallery(folder, out))
