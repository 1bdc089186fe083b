"""A process that has a framework loaded and forks for every command: `sciml` starts in no time; a page is one of its children.

Usage: python server.py FRAMEWORK SOCKET. A request is a JSON list of words, folder and environment, with the client's standard
streams; the answer is the exit code. The words are those of `sciml`, or `page FILE`: the blocks of a page, as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

LOADED = {
    "torch": ("torch", "numpy", "scipy.ndimage", "scipy.optimize", "skimage", "PIL.Image", "nibabel", "deepinv"),
    "jax": ("jax", "numpy", "scipy.ndimage", "xarray", "zarr", "equinox"),
}


def serve(framework: str, place: str) -> None:
    """Answer requests until the process that started this one has ended."""
    for name in LOADED[framework]:
        importlib.import_module(name)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from command_line import root_command

    from sciml import cli
    from sciml.families import families

    cli.app, cli._mount = root_command(tuple(families())), lambda: None
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{place}.new")
    listener.listen()
    listener.settimeout(2)
    Path(f"{place}.new").rename(place)
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            answer(client)
        client.close()


def answer(client: socket.socket) -> None:
    """Run one request in a process of its own and end it."""
    text, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
    words, folder, environment = json.loads(text)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    code = 1
    try:
        code = play(json.loads(Path(words[1]).read_text())) if words[0] == "page" else command(words)
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    if "PAGE_TIMES" in environment:
        with Path(environment["PAGE_TIMES"]).open("a") as stream:
            print(f"{sum(os.times()[:2]):6.1f} s  {' '.join(words)[:110]}", file=stream)
    client.sendall(str(code).encode())
    os._exit(code)


def command(words: list[str]) -> int:
    """Run `sciml` with these words."""
    from sciml import cli

    sys.argv = words
    try:
        cli.main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def play(given: list[dict[str, Any]]) -> int:
    """Run the blocks of a page in order, those in Python in this process; the first that fails ends it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    sys.path.insert(0, "")
    for block in given:
        place = f"{block['page']}.md, line {block['line'] + 1}"
        print(f"--- {place} ({block['language']})", flush=True)
        if block["language"] == "python":
            try:
                exec(compile("\n" * block["line"] + block["code"], f"{block['page']}.md", "exec"), names)
            except BaseException:
                traceback.print_exc()
                print(f"FAILED: {place}", file=sys.stderr)
                return 1
        elif (code := subprocess.run(["bash", "-euo", "pipefail", "-c", block["code"]]).returncode) != 0:
            print(f"FAILED: {place}: exit code {code}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    serve(*sys.argv[1:])
