"""A picture of a page by headless Chromium, without any network."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from sciml.runtime.errors import DataError, ScimlError
from sciml.runtime.files import atomic_path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    # containers seldom offer the namespaces that Chromium's sandbox needs; the pages are our own
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def take_screenshot(page: Path | str, picture: Path | str, width: int = 1300, height: int = 900, dark: bool = False) -> None:
    """Write a PNG of a page as Chromium shows it.

    Args:
        page: HTML file.
        picture: PNG file to write.
        width: window width in pixels.
        height: window height in pixels.
        dark: use the dark colour scheme.

    Raises:
        DataError: the page does not exist.
        ScimlError: there is no Chromium, or it wrote no picture.
    """
    page = Path(page).resolve()
    if not page.is_file():
        raise DataError(f"no such page: {page}")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ScimlError(
            f"no browser found (looked for {', '.join(BROWSERS)}); install one, for instance `apt-get install chromium`"
        )
    with tempfile.TemporaryDirectory() as profile, atomic_path(picture) as target:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "--hide-scrollbars"]
        command += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        command += ["--virtual-time-budget=3000", f"--screenshot={target}", page.as_uri()]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired as error:
            raise ScimlError("the browser took more than two minutes for the screenshot") from error
        if result.returncode != 0 or not target.stat().st_size:
            lines = result.stderr.strip().splitlines() or ["it said nothing"]
            raise ScimlError(f"the browser wrote no picture: {lines[-1]}")
