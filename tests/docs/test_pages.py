"""Every code block of the README and of the manuals runs as pasted, in order, with no file but those that its page makes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from docs.blocks import ALL, PAGES, ROOT, RUN, SHOWN, Block, read

from sciml.families import families
from sciml.runtime.places import cache_folder

HERE = Path(__file__).parent
NOT_RUN = {
    "README": 3,
    "docs/active_fluid": 1,
    "docs/compression": 1,
    "docs/guides/cluster": 5,
    "docs/guides/own-cohort": 2,
    "docs/guides/own-data": 1,
    "docs/install": 5,
    "docs/progression": 2,
    "docs/progression_forecast": 1,
    "docs/flow_from_images": 2,
    "docs/scan_to_forecast": 2,
    "docs/proximal": 1,
    "docs/training": 2,
    "docs/tutorials/active_fluid": 1,
}
PICTURE = re.compile(r"!\[[^\]]+\]\(([\w.]+)\)")
QUICK = [name for name, found in ALL.items() if any(block.runs and "slow" not in block.marks for block in found)]
SLOW = [name for name, found in ALL.items() if any(block.runs and "slow" in block.marks for block in found)]
Play = Callable[[list[Block]], subprocess.CompletedProcess[str]]


def needs(chosen: list[Block], languages: tuple[str, ...] = RUN) -> str:
    """Return the framework of the blocks in these languages: the two never meet in one process."""
    return "jax" if any(re.search(r"active[-_]fluid", block.code) for block in chosen if block.language in languages) else "torch"


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Iterator[Callable[[str], Path]]:
    """Return a function that starts the server of a framework once and returns the folder of the command `sciml`."""
    folder, running = tmp_path_factory.mktemp("bin"), {}
    client = folder / "sciml"
    client.write_text(f"#!{sys.executable} -IS\n{(HERE / 'client.py').read_text()}")
    client.chmod(0o755)

    def start(framework: str) -> Path:
        if framework not in running:
            words = [sys.executable, str(HERE / "server.py"), framework, str(folder / framework)]
            running[framework] = subprocess.Popen(words, cwd=ROOT)
            while not (folder / framework).exists():
                assert running[framework].poll() is None, f"the server with {framework} has ended"
                time.sleep(0.05)
        return folder

    yield start
    for process in running.values():
        process.kill()
        process.wait()


@pytest.fixture
def play(started, tmp_path) -> Play:
    """Return a function that runs blocks in an empty folder, with a list of own data of its own."""

    def run(chosen: list[Block]) -> subprocess.CompletedProcess[str]:
        folder, cache = tmp_path / "page", tmp_path / "cache"
        folder.mkdir()
        cache.mkdir()
        for name in ("data", "code", "progression"):
            (cache / name).symlink_to(cache_folder(name))
        if any("checkout" in block.marks for block in chosen):
            for entry in ("Snakefile", "config", "data", "profiles", "references.bib", "sciml", "tests", "workflows"):
                (folder / entry).symlink_to(ROOT / entry)
        framework = needs(chosen, ("python",))
        folders = [started(name) for name in {framework, *(needs([block], ("bash",)) for block in chosen)}]
        request = tmp_path / "page.json"
        request.write_text(json.dumps([asdict(block) for block in chosen]))
        path = os.pathsep.join([str(folders[0]), str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
        environment |= {"PATH": path, "SCIML_CACHE": str(cache), "SCIML_PYTHON": sys.executable, "SCIML_PAGE": framework}
        environment |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        words = [str(folders[0] / "sciml"), "page", str(request)]
        return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False)

    return run


def check(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-6000:]


@pytest.mark.parametrize("page", QUICK)
def test_page(page, play):
    check(play([block for block in ALL[page] if block.runs and "slow" not in block.marks]))


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW)
def test_whole_page(page, play, tmp_path):
    check(play([block for block in ALL[page] if block.runs]))
    for name in PICTURE.findall(PAGES[page].read_text()) if "/tutorials/" in page else ():
        made, shown = (
            np.asarray(PIL.Image.open(place / name).convert("RGB"), float) for place in (tmp_path / "page", PAGES[page].parent)
        )
        assert made.shape == shown.shape and np.abs(made - shown).mean() < 6, f"{page} makes another {name} than it shows"


def test_every_family_has_a_tutorial_that_ends_in_a_small_picture():
    for family in families("family"):
        found = PICTURE.findall(PAGES[f"docs/tutorials/{family}"].read_text())
        assert found and all((ROOT / "docs" / "tutorials" / name).stat().st_size <= 60_000 for name in found), family


def test_every_block_says_what_it_is():
    """Its language, why it does not run, and of which file it is an excerpt, word for word."""
    bad = []
    for name, found in ALL.items():
        for block in found:
            place = f"{name}:{block.line}"
            if block.language not in (*RUN, *SHOWN):
                bad.append(f"{place}: the language {block.language!r} is none of {', '.join((*RUN, *SHOWN))}")
            if unknown := [m for m in block.marks if m not in ("slow", "checkout") and not re.match(r"not run: \w", m)]:
                bad.append(f"{place}: what is {unknown[0]!r}?")
            if block.file and block.code.strip("\n") not in (ROOT / block.file).read_text():
                bad.append(f"{place}: {block.file} no longer has what is shown")
        inside = "\n".join(block.code for block in found)
        for line in re.findall(r"^ {4}(?:sciml|make|snakemake|pip|import|from) .*", PAGES[name].read_text(), re.M):
            if line not in inside:
                bad.append(f"{name}: a command that no fence holds and no test runs: {line.strip()}")
    assert sum(bool(block.file) for found in ALL.values() for block in found) > 12 and not bad, "\n".join(bad)


def test_few_blocks_do_not_run():
    """Those that need a GPU, a cluster or hours are counted here."""
    found = {name: sum(bool(block.why_not) for block in listed) for name, listed in ALL.items()}
    assert {name: number for name, number in found.items() if number} == NOT_RUN


PAGE = """
```bash
sciml data export camera --out photo.png && test -s photo.png
```

```python
from pathlib import Path
size = Path("photo.png").stat().st_size
```
<!-- not run: a long time -->
```bash
false
```

```python
assert size > 1000
%s
```
"""


def test_a_block_that_fails_fails_the_page(play, tmp_path):
    found = read("page", PAGE % "undefined")
    result = play([block for block in found if block.runs])
    assert [block.runs for block in found] == [True, True, False, True] and found[2].why_not == "a long time"
    assert result.returncode == 1 and "FAILED: page.md, line 16" in result.stderr, result.stderr
    assert "NameError: name 'undefined'" in result.stderr and 'File "page.md", line 17' in result.stderr
