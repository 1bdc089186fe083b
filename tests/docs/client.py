"""The command `sciml` of pages under test: it asks the server that has the command's framework loaded, with its own streams."""

import json
import os
import socket
import sys

words = ["sciml", *sys.argv[1:]] if sys.argv[1:2] != ["page"] else sys.argv[1:]
if "SCIML_DECLARED" in os.environ:  # a job of a workflow watches what it loads
    os.execv(os.environ["SCIML_PYTHON"], [os.environ["SCIML_PYTHON"], "-m", "sciml.cli", *words[1:]])
jax = os.environ["SCIML_PAGE"] == "jax" if words[0] == "page" else bool({"active-fluid", "active_fluid"} & set(words[1:3]))
with socket.socket(socket.AF_UNIX) as server:
    server.connect(f"{os.path.dirname(__file__)}/{'jax' if jax else 'torch'}")  # noqa: PTH120 - pathlib would take longer than all the rest
    request = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109
    socket.send_fds(server, [request], [0, 1, 2])
    sys.exit(int(server.recv(16) or 1))
