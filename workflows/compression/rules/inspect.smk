# Where the bits of a model go, its pictures at equal bytes, what must hold for its files.
rule inspect_model:
    input:
        weights=model_of,
    output:
        numbers=report(
            "<results>/{domain}/inspect/inspect.json",
            caption="../report/inspect.rst",
            category="compression",
        ),
        maps="<results>/{domain}/inspect/maps.safetensors",
        provenance="<results>/{domain}/inspect/provenance.json",
    log:
        "<logs>/{domain}/inspect.log",
    benchmark:
        "<benchmarks>/{domain}/inspect.tsv"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        **stage("compression", "inspect", "domain"),
    shell:
        stage_command("weights")
