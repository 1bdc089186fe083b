# Shared by the root Snakefile and by every family: settings, what a stage reads, what its code is, and how it is called.
import os
import re
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

import sciml

from sciml.families import families
from sciml.imaging.plugins import method_modules
from sciml.runtime import alive
from sciml.runtime.declared import declaration, files_in_package
from sciml.runtime.files import digest_file
from sciml.runtime.sources import source_digest
from sciml.settings import families_of, load, slice_of


# Snakemake answers a file in place of a folder with a traceback, and a sealed folder in the middle of a run
def refuse_sealed(folder):
    """Refuse a place of results that is no folder or cannot be written."""
    if os.path.lexists(folder) and not (
        os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
    ):
        raise WorkflowError(
            f"{os.path.abspath(folder)} must be a folder that can be written: move it away, or run in another folder with --directory"
        )


for folder in ("results", "logs", "reports"):
    refuse_sealed(folder)

GPUS = "SCIML_GPUS"
TIER = str(config.get("tier", "demo"))
OVERRIDES = [f"data_tier={config['data_tier']}"] if "data_tier" in config else []
# those of the folder with this workflow, which need not be a checkout
SETTINGS = load(TIER, OVERRIDES, Path(str(workflow.current_basedir)).parent / "config")
REPORTS = SETTINGS.reports

if workflow.is_main_process:
    for folder, _, _ in os.walk(f"results/{SETTINGS.folder}"):
        refuse_sealed(folder)

# frees what a killed run left locked where nobody is at work any more; jobs on other machines only say that they live
alive.join(free=workflow.is_main_process)

# no GPU where no number of GPUs is given; not in profiles/default, which Snakemake reads whatever profile is asked for and
# whose values win
if "gpu" not in workflow.global_resources:
    workflow.register_resource(
        "gpu", 0 if workflow.is_main_process else int(os.environ.get(GPUS, 0))
    )

# a job on another machine evaluates its resources anew, and Snakemake does not tell it how many GPUs there are
os.environ[GPUS] = str(workflow.global_resources["gpu"].value)


envvars:
    GPUS,


# stages keep a record of their failure here until they succeed; the index shows what is left
shell.prefix(
    f"set -euo pipefail; export SCIML_REPORTS={REPORTS} {alive.VARIABLE}={alive.MARK}; "
)

# every job declares its code and which of its inputs lie in the package, and compares with them what it loaded and opened
DECLARED = "SCIML_DECLARED={params.code:q} SCIML_FILES={params.files:q}"
CALL = f"{DECLARED} sciml {{params.command}}"
SLICE = "--config {params.config:q}"
FOLDER = "--output {params.folder:q} --threads {threads}"
LOG = "> {log:q} 2>&1"


def program(family, name, module="", beside=None, methods=None):
    """Return the params of a job without settings: the words of its command, the digest of its code, its files in the package.

    Args:
        family: name of the family.
        name: the stage, as its module is called; the command has - where this has _.
        module: what the command runs, in the family's package; without one `stages.<name>`.
        beside: function of the wildcards: the modules that the command loads by name.
        methods: function of the wildcards: the methods of a user's own that the command runs; all of them by default.
    """
    return {
        "command": f"stage {family} {name}".replace("_", "-"),
        "code": declared(
            f"{families()[family]}.{module or f'stages.{name}'}", beside, methods
        ),
        "files": package_files,
    }


def stage(family, name, *arguments, settings="", levels=1, **code):
    """Return the params of a stage: those of `program`, and its slice of the settings as `config` and its folder as `folder`.

    Args:
        family: name of the family.
        name: the stage, as in `program`.
        arguments: what the slice is for: names of wildcards, or functions of the wildcards.
        settings: name of the slice where it is not the stage's: `report`, or `proximal.tune` for that of another family.
        levels: how many folders above its first output the stage writes to.
        code: `module`, `beside` and `methods` as in `program`.
    """
    owner, _, part = (settings or name).rpartition(".")
    return {
        **program(family, name, **code),
        # a plain string with braces would be formatted
        "config": lambda wildcards: slice_of(
            SETTINGS,
            owner or family,
            part,
            *(one(wildcards) if callable(one) else wildcards[one] for one in arguments),
        ),
        "folder": folder_of(levels),
    }


def program_command(*options):
    """Return the shell command of a job with the params of `program`.

    Args:
        options: text, or the name of an input that is an option of the same name.
    """
    words = [
        f"--{option} {{input.{option}:q}}" if option.isidentifier() else option
        for option in options
    ]
    return " ".join([CALL, *words, LOG])


def stage_command(*options, gpu=False):
    """Return the shell command of a stage that writes a folder; `gpu` where its rule asks for a GPU."""
    claimed = ["--gpu {resources.gpu}"] if gpu else []
    return program_command(SLICE, *options, FOLDER, *claimed)


def page_command(options="--results {params.results:q}", index=False):
    """Return the shell command of a page; `index` where the index of a run does not ask for it, so that it is written again."""
    call = " ".join([CALL, SLICE, options, "--output {output.page:q}"])
    if index:
        call = f"( {call} && sciml report index {{params.folder:q}} )"
    return f"{call} {LOG}"


def growing(amount):
    """Return a resources function: the amount, as often again as the job was tried."""
    return lambda wildcards, attempt: amount * attempt


def needs(memory, minutes, gpu=0):
    """Return the resources of a job: memory in MB, which grows with every attempt, time, and `gpu=1` for a GPU."""
    return {"mem_mb": growing(memory), "runtime": minutes, "gpu": gpu}


def shown(category, caption, path, **labels):
    """Return an output that the audit of a run shows: a caption of the family's folder `report`; wildcards are labels too."""
    labels |= {name: f"{{{name}}}" for name in re.findall(r"\{(\w+)\}", path)}
    caption = f"../report/{caption}.rst"
    return report(path, caption=caption, category=category, labels=labels or None)


def page_files(name):
    """Return the outputs of a page: the page of this name, and its line of the index."""
    category = name.partition("-")[0].replace("_", " ")
    return {
        "page": shown(category, "page", f"<reports>/{name}.html"),
        "record": f"<reports>/{name}.report.json",
    }


# Snakemake leaves parameters that are made from inputs out when it looks for changes: the digest of the code must not be one
def declared(module, beside=None, methods=None):
    """Return a params function: the modules of a job and the digest of the code that they reach; the job compares."""

    def modules(wildcards):
        own = method_modules(module, methods and methods(wildcards))
        return [module, *(beside(wildcards) if beside else ()), *own]

    return lambda wildcards: declaration(modules(wildcards))


def package_files(wildcards, input):
    """Return which inputs of a job lie in the package, such as its shipped weights; the job compares."""
    return files_in_package(input)


def packaged(*parts):
    """Return the path of a file of the package: relative in a checkout, so that a moved or copied one repeats nothing."""
    path = os.path.join(os.path.dirname(sciml.__file__), *parts)
    inside = os.path.relpath(path)
    return path if inside.startswith(os.pardir) else inside


def folder_of(levels=1):
    """Return a params function: the folder so many levels above a job's first output."""
    return lambda wildcards, output: upwards(output[0], levels)


def upwards(path, levels):
    """Return the folder so many levels above a file."""
    return os.path.dirname(upwards(path, levels - 1) if levels > 1 else path)


def files_of(input, name):
    """Return the files of a named input as a list, one or many."""
    files = input.get(name)
    return [files] if isinstance(files, str) else list(files)


def above(name, levels=1):
    """Return a params function: the folder so many levels above the first file of an input."""
    return lambda wildcards, input: upwards(files_of(input, name)[0], levels)


def each(*same, **named):
    """Return a params function: an option once for every file of an input.

    Args:
        same: inputs that are options of the same name.
        named: inputs by the option's name, with _ where it has -.
    """
    options = {**dict(zip(same, same)), **named}
    return lambda wildcards, input: " ".join(
        f"--{option.replace('_', '-')} {quote(path)}"
        for option, name in options.items()
        for path in files_of(input, name)
    )


def folders(**named):
    """Return a params function: options that name the folders in which inputs lie, inputs by the option's name."""
    return lambda wildcards, input: " ".join(
        f"--{option} {quote(above(name)(wildcards, input))}"
        for option, name in named.items()
    )
