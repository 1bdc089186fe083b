# Where the bits of a model go, its pictures at equal bytes, what must hold for its files.
rule inspect_model:
    input:
        weights=model_of,
    output:
        numbers=shown(
            "compression", "inspect", "<results>/{domain}/inspect/inspect.json"
        ),
        maps="<results>/{domain}/inspect/maps.safetensors",
        provenance="<results>/{domain}/inspect/provenance.json",
    log:
        "<logs>/{domain}/inspect.log",
    benchmark:
        "<benchmarks>/{domain}/inspect.tsv"
    resources:
        **needs(3000, 30),
    params:
        **stage("compression", "inspect", "domain"),
    shell:
        stage_command("weights")
