# Slices and fields: pictures at equal bytes, spectra of decoded fields, equal pixels in other processes.
rule show_apart:
    input:
        weights=model_of,
        photo=PHOTO,
        runs=runs_of("test"),
    output:
        numbers=shown("compression", "apart", "<results>/{domain}/apart/apart.json"),
        arrays="<results>/{domain}/apart/apart.safetensors",
        provenance="<results>/{domain}/apart/provenance.json",
    log:
        "<logs>/{domain}/apart.log",
    benchmark:
        "<benchmarks>/{domain}/apart.tsv"
    resources:
        **needs(3000, 30),
    params:
        **stage("compression", "apart", "domain"),
        runs=runs_option,
    shell:
        stage_command("weights", "photo", "{params.runs}")
