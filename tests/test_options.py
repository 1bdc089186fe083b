"""One vocabulary of options in all commands, and names of before."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import typer.main
from command_line import root_command, user_commands
from docs.blocks import PAGES, prose
from imports import ROOT

from sciml.families import families
from sciml.options import command, is_output

REPOSITORY = ROOT.parent
TREE = root_command(tuple(families()))
COMMANDS = user_commands()
POSITIONAL_OUT = {("compression", "encode"), ("compression", "decode"), ("init",)}
# what each shared word is: number of values, and whether it is given more than once
VOCABULARY = {
    "--out": (1, False),
    "--json": (1, False),
    "--force": (0, False),
    "--range": (2, False),
    "--noise-std": (1, False),
    "--prior-noise-std": (1, False),
    "--prior": (1, False),
    "--weight": (1, False),
    "--set": (1, True),
    "--option": (1, True),
    "--tier": (1, False),
    "--data-tier": (1, False),
    "--threads": (1, False),
    "--jobs": (1, False),
    "--gpu": (1, False),
    "--seed": (1, False),
    "--mask": (1, False),
    "--kernel": (1, False),
    "--closure": (1, False),
}
OTHER_WORDS = {
    *("--output", "--overwrite", "--window", "--sigma", "--noise", "--prior-sigma", "--weights", "--start", "--parameter"),
    *("--summary", "--certificate", "--curve", "--picture", "--progress", "--strict", "--lenient", "--lambda", "--gpus"),
    *("--processes", "--workers", "--cores", "--device", "--in", "--verbose", "--master-seed", "--random-seed"),
}


def options(one) -> list:
    return [param for param in one.params if param.param_type_name == "option" and not param.hidden]


def test_a_word_means_one_thing_and_a_thing_has_one_word():
    wrong = []
    for words, one in COMMANDS.items():
        for param in options(one):
            for name in param.opts:
                if name in OTHER_WORDS:
                    wrong.append(f"{' '.join(words)} {name}: the vocabulary has another word")
                if name in VOCABULARY:
                    values = 0 if getattr(param, "is_flag", False) else param.nargs
                    if (values, bool(param.multiple)) != VOCABULARY[name]:
                        wrong.append(f"{' '.join(words)} {name}: takes {values} values, repeated {param.multiple}")
        outputs = [param for param in one.params if is_output(param.name)]
        if any(param.param_type_name == "argument" for param in outputs) and words not in POSITIONAL_OUT:
            wrong.append(f"{' '.join(words)}: its result has no --out")
        if outputs and "--force" not in [name for param in one.params for name in param.opts]:
            wrong.append(f"{' '.join(words)}: writes, and has no --force")
    assert len(COMMANDS) > 50 and not wrong, "\n".join(wrong)


def test_shared_options_are_said_in_the_same_words():
    """`--seed`, `--gpu`, `--threads` and others come from one module, with one text of help."""
    texts: dict[str, set[str]] = {}
    for one in COMMANDS.values():
        for param in options(one):
            for name in set(param.opts) & {"--seed", "--gpu", "--threads", "--force", "--set", "--data-tier"}:
                texts.setdefault(name, set()).add(param.help)
    assert {name for name, found in texts.items() if len(found) > 1} <= {"--data-tier"}
    assert {name: len(found) for name, found in texts.items()}["--seed"] == 1


def test_reports_have_one_form():
    forms = {
        tuple(name for param in one.params for name in param.opts) for words, one in COMMANDS.items() if words[1:] == ("report",)
    }
    assert forms == {("results", "--out", "--tier", "--set", "--force")}


def test_every_help_shows_a_command_that_is_there():
    bad = []
    for words, one in COMMANDS.items():
        shown = shown_commands((one.help or "").replace("\n", " "))
        if not any(line[1 : 1 + len(words)] == list(words) for line in shown):
            bad.append(f"{' '.join(words)}: no example")
        bad += [f"{' '.join(words)}: {told}" for line in shown if (told := what_is_wrong(line))]
    assert not bad, "\n".join(bad)


def shown_commands(text: str) -> list[list[str]]:
    """Return the `sciml` lines of a text as words; `;`, `&&`, `|`, comments and backquotes end one."""
    found = []
    for start in re.finditer(r"(?<![\w./-])sciml (?=[a-z])", text):
        line = re.split(r"\s#\s|`|;|&&| \|| > |\n|\)\s|$", text[start.start() :].replace("\\\n", " "), maxsplit=1)[0]
        try:
            words = shlex.split(line.strip().rstrip(".,:"))
        except ValueError:
            continue
        if len(words) > 1 and words[1] in TREE.commands:
            found.append(words)
    return found


def what_is_wrong(words: list[str]) -> str:
    """Return what is wrong with a shown command: a name that is not there, or an option that it has not or not any more."""
    node = TREE
    for place, word in enumerate(words[1:], 1):
        below = getattr(node, "commands", None)
        if below is None and not isinstance(node, typer.core.TyperGroup):
            break
        if not re.fullmatch(r"[a-z-]+", word):
            return ""
        node = node.get_command(None, word) if node is not None else None
        if node is None:
            return f"{shlex.join(words)}: there is no {' '.join(words[: place + 1])}"
        if node.hidden and words[1] != "stage":
            return f"{shlex.join(words)}: {word} is a name of before"
    known = {name for param in getattr(node, "params", ()) for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    if "OUT" in getattr(node, "old", {}) and len(words) > 3 and "--out" not in words:
        return f"{shlex.join(words)}: without --out"
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{shlex.join(words)}: no option {wrong[0]}" if wrong else ""


def test_every_command_of_the_manuals_is_there():
    """Names and options of all lines and code spans that call `sciml`, but for the blocks that `tests/docs` runs."""
    texts = {name: prose(name) for name in PAGES} | {"Makefile": (REPOSITORY / "Makefile").read_text()}
    lines = [(name, line) for name, text in texts.items() for line in shown_commands(text) if "example" not in line]
    bad = [f"{name}: {told}" for name, line in lines if (told := what_is_wrong(line))]
    assert len(lines) > 25 and not bad, "\n".join(bad)


# names of before


@pytest.fixture
def group():
    """A group whose commands write down what they are given."""
    app, given = typer.Typer(), {}

    @app.callback()
    def root() -> None:
        """A group."""

    def simulate(
        out: Path, noise_std: float = 0.0, range: tuple[float, float] | None = None, force: bool = False, json: Path | None = None
    ) -> None:
        """Write down."""
        given.update(out=out, noise_std=noise_std, range=range, force=force, json=json)

    from typing import Annotated

    simulate.__annotations__ |= {
        "out": Annotated[Path, typer.Option("--out")],
        "force": Annotated[bool, typer.Option("--force")],
    }
    old = {"--sigma": "--noise-std", "--window": "--range", "--overwrite": "--force", "OUT": "--out", "--json": "-"}
    command(app, "simulate", old)(simulate)
    return lambda *words: (given.clear(), typer.main.get_command(app)(["simulate", *words], standalone_mode=False), given)[2]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--out", "a", "--sigma", "2"], {"noise_std": 2.0}),
        (["--out=a", "--sigma=2"], {"noise_std": 2.0}),
        (["a", "--sigma", "2"], {"noise_std": 2.0}),
        (["--sigma", "2", "a"], {"noise_std": 2.0}),
        (["--out", "a", "--window", "-160", "240"], {"range": (-160.0, 240.0)}),
        (["--out", "a", "--window=-160,240"], {"range": (-160.0, 240.0)}),
        (["a", "--window", "0,4000", "--overwrite"], {"range": (0.0, 4000.0), "force": True}),
        (["a", "--json"], {"json": Path("-")}),
        (["a", "--json", "b.json"], {"json": Path("b.json")}),
    ],
)
def test_names_of_before_are_taken(group, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert group(*words) == {"out": Path("a"), "noise_std": 0.0, "range": None, "force": False, "json": None} | expected


OLD_NAMES = [
    (words, old, new) for words, one in COMMANDS.items() for old, new in sorted(getattr(one, "old", {}).items()) if new[:1] == "-"
]


def test_every_name_of_before_leads_to_an_option_and_is_not_shown():
    assert len(OLD_NAMES) > 25
    for words, old, new in OLD_NAMES:
        known = {name for param in COMMANDS[words].params for name in (*param.opts, *param.secondary_opts)}
        assert new == "-" or (new in known and old not in known), (words, old, new)
    shown = {(words, old) for words, old, _ in OLD_NAMES}
    before = {("imaging", "--set"), ("imaging", "--parameter"), ("proximal", "--sigma"), ("proximal", "--output")}
    before |= {("proximal", "--certificate"), ("proximal", "--curve"), ("proximal", "--picture"), ("proximal", "--prior-sigma")}
    before |= {("deblurring", name) for name in ("--overwrite", "--summary", "--progress", "--strict", "--set", "--noise")}
    before |= {("active-fluid", name) for name in ("--model", "--weights", "--picture", "--noise")}
    before |= {("compression", name) for name in ("--window", "--strict", "--threads")}
    before |= {("progression", "--picture"), ("progression", "--threads"), ("data", "--tier"), ("data", "--strict")}
    assert before <= {(words[0], old) for words, old in shown}
