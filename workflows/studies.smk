# What a root Snakefile asks of its studies, after it has said which there are: STUDIES, the Snakefile of each family beside it.


for family in STUDIES:
    named_ = f"{family}_"

    module:
        name: family
        pathvars:
            results=f"results/{SETTINGS.tier}/{family}",
            logs=f"logs/{SETTINGS.tier}/{family}",
            benchmarks=f"results/{SETTINGS.tier}/benchmarks/{family}",
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


# one target a study
for family in STUDIES:

    rule:
        name:
            family
        input:
            getattr(rules, f"{family}_study").input,


rule write_index:
    input:
        records=[f"{REPORTS}/{family}.report.json" for family in STUDIES],
    output:
        index=f"{REPORTS}/index.html",
    log:
        f"logs/{SETTINGS.tier}/index.log",
    params:
        folder=folder_of(),
        code=source_digest("sciml.report.index"),
    shell:
        "sciml report index {params.folder:q} > {log:q} 2>&1"


# a stage that this run no longer has (another tier, a task that was taken out) will never succeed and clear its record
onstart:
    from sciml.report.index import keep_failures

    keep_failures(REPORTS, rules.all.input)


# what has run is shown, what failed stands there in red with its traceback and command
onerror:
    shell("sciml report index {REPORTS}")
