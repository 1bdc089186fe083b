"""Profiles, linters and refusals of the workflow; fresh copies give equal numbers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import tomllib

import pytest
import yaml
from trees import BOTH, EXAMPLE, ROOT, Tree, child_seconds, jobs

from sciml.datasets.manifest import data_folder
from sciml.families import BUILT_IN

pytestmark = pytest.mark.workflow
SLURM = pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_slurm") is None, reason="not installed: the Slurm executor"
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Tree:
    return Tree.make(tmp_path_factory.mktemp("forms"))


@pytest.mark.parametrize(
    ("profile", "gpus"),
    [
        pytest.param("default", "0", marks=pytest.mark.slow),
        ("gpu", "1"),
        pytest.param("slurm", "1", marks=[SLURM, pytest.mark.slow]),
    ],
)
def test_everything_dry_runs_under_each_profile_and_gets_its_cards(tree, profile, gpus):
    before = child_seconds()
    result = tree.snakemake("-n", "-p", "--profile", f"profiles/{profile}", settings="ci")
    print(f"snakemake -n --profile profiles/{profile}: {child_seconds() - before:.2f} s of processor time")
    assert result.returncode == 0, result.stdout
    given = re.findall(r"Shell command: (?:SCIML_\w+=\S* )+sciml stage (\w+ \w+) .*?(?:--gpu (\d+))? >", result.stdout)
    wanted = {"imaging reconstruct", "example train"}
    assert {command for command, _ in given} > wanted
    assert {(command, number) for command, number in given if number} == {(command, gpus) for command in wanted}


@pytest.mark.parametrize("gpus", ["0", "1"])
def test_a_job_on_another_machine_is_told_the_cards_of_its_run(tree, gpus):
    before = tree.environment
    tree.environment = {**before, "SCIML_GPUS": gpus}
    try:
        result = tree.snakemake("-n", "-p", "--mode", "remote", snakefile=EXAMPLE)
    finally:
        tree.environment = before
    assert result.returncode == 0, result.stdout
    assert re.findall(r"sciml stage example train .* --gpu (\d)", result.stdout) == [gpus]


@pytest.mark.slow
@pytest.mark.parametrize("snakefile", ["Snakefile", "workflows/imaging/Snakefile", BOTH, EXAMPLE])
def test_the_workflow_linter_finds_nothing(tree, snakefile):
    # the linter wants an image; only who has one names it
    result = tree.call(*tree.command("--lint", snakefile=snakefile, settings="ci"), "container=sciml.sif")
    assert result.returncode == 0 and "good condition" in result.stdout, result.stdout


def test_the_image_is_given_all_that_the_package_is_built_from():
    lines = (ROOT / "Containerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], *project["project"]["license-files"]}
    assert copied == wanted | {"pyproject.toml", "constraints.txt"} and all((ROOT / name).exists() for name in copied)


def test_the_workflow_is_formatted(tree):
    result = tree.call("snakefmt", "--check", "Snakefile", "workflows", "tests/example_family")
    assert result.returncode == 0, result.stdout


COMMON = ROOT / "workflows" / "common.smk"


def test_no_rule_holds_code_or_an_absolute_path():
    files = [ROOT / "Snakefile", *(ROOT / "workflows").rglob("*.smk"), *(ROOT / "workflows").rglob("Snakefile")]
    assert len(files) >= 5
    for path in files:
        text = path.read_text()
        assert not re.search(r"^\s*(run|script|notebook):", text, re.MULTILINE), path
        assert not re.search(r"[\"'\s]/(home|work|tmp|usr|root)/", text), path
        # `CALL` of workflows/common.smk declares; nothing else calls a stage
        assert not re.search(r"sciml [\w-]+ (stage|simulate) ", text), (
            f"a rule of {path} does not tell its stage what it declares"
        )
        assert text.count("{params.command}") == (path == COMMON), path
    text = COMMON.read_text()
    assert 'DECLARED = "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q}"\n' in text
    assert 'CALL = f"{DECLARED} sciml {{params.command}}"\n' in text


def test_the_root_runs_every_family_of_the_tree_and_no_plugin(tree):
    result = tree.snakemake("-n", snakefile="Snakefile", settings="ci")
    assert result.returncode == 0, result.stdout
    pages = {name for name in jobs(result.stdout) if name.endswith("write_page")}
    assert pages == {f"{family}_write_page" for family in BUILT_IN}


@pytest.mark.parametrize("tier", ["ci", pytest.param("demo", marks=pytest.mark.slow)])
def test_a_run_asks_for_every_file_of_its_stages_by_name(tree, tier):
    """Snakemake does not make a missing file again that is only read below an older one."""
    result = tree.snakemake("-n", snakefile="Snakefile", settings=tier)
    assert result.returncode == 0, result.stdout
    (asked,) = re.findall(r"^(?:local)?rule all:\n    input: (.*)", result.stdout, re.MULTILINE)
    made = {name for line in re.findall(r"^    output: (.*)", result.stdout, re.MULTILINE) for name in line.split(", ")}
    assert len(made) > 200 and made <= set(asked.split(", ")), sorted(made - set(asked.split(", ")))


def test_wrong_settings_are_refused_before_anything_runs(tree):
    tree.settings("wrong.yaml", stepps=3)
    result = tree.snakemake("-n", snakefile=EXAMPLE, settings="./wrong.yaml")
    assert result.returncode != 0 and not (tree.root / "results").exists()
    assert all(word in result.stdout for word in ("wrong.yaml", "example.stepps", "steps")), result.stdout


def test_a_results_path_that_is_a_file_is_refused_with_what_to_do(tree):
    (tree.root / "results").write_text("a file")
    try:
        result = tree.snakemake(snakefile=EXAMPLE)
    finally:
        text = (tree.root / "results").read_text()
        (tree.root / "results").unlink()
    assert result.returncode == 1 and "Traceback" not in result.stdout
    assert f"{tree.root}/results must be a folder that can be written: move it away" in result.stdout
    assert text == "a file" and not (tree.root / "logs").exists()


@pytest.mark.slow
def test_a_stage_below_a_file_is_one_line(tree):
    (tree.root / "blocked").write_text("a file")
    config = (
        '{"pictures":2,"size":32,"sigma":0.1,"filter_size":3,"steps":2,"learning_rate":0.1,"checkpoint_every_steps":1,"seed":0}'
    )
    result = tree.call("sciml", "stage", "example", "train", "--config", config, "--output", "blocked/train")
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("sciml: error:")]
    assert "blocked/train" in line and "Not a directory" in line and "choose another" in line
    assert "Traceback" not in result.stdout and (tree.root / "blocked").read_text() == "a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("name", ["results", "results/tiny/example"])
def test_a_sealed_results_folder_is_refused_with_what_to_do(tree, name):
    folder = tree.root / name
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    try:
        result = tree.snakemake(snakefile=EXAMPLE)
        assert result.returncode == 1 and "Traceback" not in result.stdout and not list(folder.iterdir())
        assert "must be a folder that can be written" in result.stdout
    finally:
        folder.chmod(0o755)
        shutil.rmtree(tree.root / "results")


@pytest.mark.slow
def test_two_fresh_copies_give_the_same_numbers_and_the_real_stages_report_them(tmp_path):
    trees = [Tree.make(tmp_path / name, stand_in=False) for name in ("one", "two")]
    for tree in trees:
        result = tree.snakemake("--forceall")
        assert result.returncode == 0, result.stdout
    names = sorted(path.relative_to(trees[0].root) for path in (trees[0].root / "results").rglob("metrics.json"))
    assert len(names) == 2
    for name in names:
        first, second = ((tree.root / name).read_bytes() for tree in trees)
        assert first == second, name
        assert json.loads(first)
    index = (trees[0].root / "reports" / "tiny" / "index.html").read_text()
    assert "Classical reconstruction" in index and "A learned filter" in index and not trees[0].pending()


def manuals_example() -> str:
    """Return the settings file of docs/imaging.md, as its reader pastes it."""
    (text,) = re.findall(
        r"^cat > my\.yaml <<END\n(.*?)^END$", (ROOT / "docs" / "imaging.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return text


@pytest.fixture
def own_data(tmp_path, monkeypatch):
    """Return a function that adds the picture of the manual's example in a cache of its own, with the data of this machine's."""

    def add(tree: Tree) -> None:
        cache = tmp_path / "cache"
        (cache / "data").mkdir(parents=True)
        for folder in data_folder().iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                (cache / "data" / folder.name).symlink_to(folder)
        tree.environment["SCIML_CACHE"] = str(cache)
        for line in ("export camera --crop 60 190 128 128 --out photo.png", "add mine photo.png"):
            assert f"sciml data {line}" in (ROOT / "docs" / "imaging.md").read_text()
            result = tree.call("sciml", "data", *line.split())
            assert result.returncode == 0, result.stdout

    return add


def test_the_manuals_example_is_a_study_of_its_own_of_one_task(tmp_path, own_data, need_data):
    need_data("camera")
    tree = Tree.make(tmp_path / "tree", stand_in=False)
    own_data(tree)
    (tree.root / "my.yaml").write_text(manuals_example())
    result = tree.snakemake("-n", snakefile="Snakefile", settings="my.yaml")
    assert result.returncode == 0, result.stdout
    tasks = {f"imaging_{name}" for name in ("check_operators", "reconstruct_problems", "evaluate_reconstructions", "write_page")}
    assert jobs(result.stdout) == {*tasks, "write_index"}
    outputs = {name for line in re.findall(r"output: (.*)", result.stdout) for name in line.split(", ")}
    assert {name for name in outputs if "denoise" not in name} == {
        *(f"results/my/imaging/check/{name}.json" for name in ("checks", "provenance")),
        *(f"reports/my/{name}" for name in ("imaging.html", "imaging.report.json", "index.html")),
    }
    assert all(name.startswith("results/my/imaging/denoise/") for name in outputs if "denoise" in name)


@pytest.mark.slow
def test_the_manuals_example_runs_and_leaves_the_shipped_studies_alone(tmp_path, own_data, need_data):
    need_data("camera")
    tree = Tree.make(tmp_path / "tree", stand_in=False)
    own_data(tree)
    settings = yaml.safe_load(manuals_example())
    settings["data_tier"] = "ci"
    settings["imaging"]["check_size"] = [16, 16]
    settings["imaging"]["studies"]["denoise"] |= {"size": [32, 32], "validation_images": 1, "methods": ["nlm"]}
    (tree.root / "my.yaml").write_text(yaml.safe_dump(settings))
    shipped = {"reports/imaging.html": "shipped", "results/demo/imaging/denoise/evaluate/metrics.json": "{}"}
    for name, text in shipped.items():
        (tree.root / name).parent.mkdir(parents=True)
        (tree.root / name).write_text(text)
    result = tree.call("sciml", "run", "my.yaml")
    assert result.returncode == 0 and f"report: {tree.root}/reports/my/index.html" in result.stdout, result.stdout
    assert {name: (tree.root / name).read_text() for name in shipped} == shipped
    assert {path.name for path in (tree.root / "results").iterdir()} == {"demo", "my"}
    assert {path.name for path in (tree.root / "reports").iterdir()} == {"imaging.html", "index.html", "my"}
    metrics = (tree.root / "results/my/imaging/denoise/evaluate/metrics.json").read_text()
    assert "mine" in metrics and '"n": 1' in metrics
    assert 'href="my/index.html"' in (tree.root / "reports/index.html").read_text()
    assert "of the study my" in (tree.root / "reports/my/index.html").read_text()
    assert (tree.root / "reports/my/audit.zip").is_file()


@pytest.mark.slow
def test_the_settings_of_one_task_run_that_task_alone(tmp_path):
    tree = Tree.make(tmp_path / "tree")
    assert tree.snakemake().returncode == 0
    tree.settings("tiny.yaml", test_pictures=3)
    assert tree.pending() == {"example_evaluate_filter", "example_write_page", "write_index"}
