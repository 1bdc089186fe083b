# What a root Snakefile asks of its studies, after it has said which there are: STUDIES, the Snakefile of each family beside it.
from sciml.report.index import keep_failures, write_index

# those that the settings speak of
STUDIES = {
    family: path
    for family, path in STUDIES.items()
    if family in families_of(SETTINGS, TIER)
}

for family in STUDIES:
    named_ = f"{family}_"

    module:
        name: family
        pathvars:
            results=f"results/{SETTINGS.folder}/{family}",
            logs=f"logs/{SETTINGS.folder}/{family}",
            benchmarks=f"results/{SETTINGS.folder}/benchmarks/{family}",
            reports=REPORTS,
        snakefile:
            os.path.join(workflow.basedir, STUDIES[family])
        config:
            config

    use rule * from family as named_*


# what `all` asks for; that rule stands in the root, since the default target of an included file does not count
EVERYTHING = [
    *(getattr(rules, f"{family}_study").input for family in STUDIES),
    f"{REPORTS}/index.html",
]


# one target a family, and one that has the name of a study of one's own
for family in STUDIES:

    rule:
        name:
            family
        input:
            getattr(rules, f"{family}_study").input,


# all that chain or compare families
rule studies:
    input:
        *(
            getattr(rules, f"{study}_study").input
            for study in STUDIES
            if study in families("study")
        ),


if SETTINGS.name and SETTINGS.name not in STUDIES:

    rule:
        name:
            SETTINGS.name
        input:
            EVERYTHING,


rule write_index:
    input:
        records=[f"{REPORTS}/{family}.report.json" for family in STUDIES],
    output:
        index=f"{REPORTS}/index.html",
    log:
        f"logs/{SETTINGS.folder}/index.log",
    params:
        folder=folder_of(),
        code=source_digest("sciml.report.index"),
    shell:
        "sciml report index {params.folder:q} > {log:q} 2>&1"


# --config store=s3://BUCKET/FOLDER: target `stored`, the results and pages of each study as one archive in an object store; the
# working files stay on disk, since stages read what lies beside their inputs
STORE = config.get("store")
if STORE:
    for family in STUDIES:

        rule:
            name:
                f"store_{family}"
            input:
                getattr(rules, f"{family}_study").input,
            output:
                storage(f"{STORE}/{SETTINGS.folder}/{family}.tar.gz"),
            log:
                f"logs/{SETTINGS.folder}/store/{family}.log",
            params:
                results=f"results/{SETTINGS.folder}/{family}",
                pages=[f"{REPORTS}/{family}.html", f"{REPORTS}/{family}.report.json"],
            shell:
                "tar --create --gzip --sort=name --file {output:q} {params.results:q} {params.pages:q} > {log:q} 2>&1"

    rule stored:
        input:
            [getattr(rules, f"store_{family}").output for family in STUDIES],


# a stage that this run no longer has (another tier, a task that was taken out) will never succeed and clear its record
onstart:
    keep_failures(REPORTS, rules.all.input)


# the index is right after every run: what failed stands there in red with its traceback and command until it has succeeded,
# and that of the shipped studies names those of one's own
onsuccess:
    for folder in {REPORTS, "reports"}:
        write_index(folder)


onerror:
    for folder in {REPORTS, "reports"}:
        write_index(folder)
