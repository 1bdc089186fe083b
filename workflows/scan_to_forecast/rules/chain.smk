# The links of the chain. A job is one acquisition, or one method of it, on all cases of a group; what is changed in one link repeats what
# comes after it, and nothing before or beside.


rule find_cases:
    input:
        unpack(own_scan),
    output:
        cases="<results>/{group}/cases/cases.json",
        scans="<results>/{group}/cases/cases.safetensors",
        masks="<results>/{group}/cases/masks.safetensors",
        provenance="<results>/{group}/cases/provenance.json",
    log:
        "<logs>/{group}/cases.log",
    benchmark:
        "<benchmarks>/{group}/cases.tsv"
    resources:
        **needs(4000, 60),
    params:
        **stage("scan_to_forecast", "cases", "group"),
        scan=lambda wildcards, input: (
            f"--scan {quote(input.scan)}" if input.get("scan") else ""
        ),
    shell:
        stage_command("{params.scan}")


rule acquire_scans:
    input:
        cases=rules.find_cases.output.cases,
        scans=rules.find_cases.output.scans,
    output:
        kspace="<results>/{group}/{acquisition}/kspace/kspace.safetensors",
        provenance="<results>/{group}/{acquisition}/kspace/provenance.json",
    log:
        "<logs>/{group}/{acquisition}/acquire.log",
    benchmark:
        "<benchmarks>/{group}/{acquisition}/acquire.tsv"
    resources:
        **needs(4000, 10),
    params:
        **stage("scan_to_forecast", "acquire", "group", "acquisition"),
        cases=above("cases"),
    shell:
        stage_command("--cases {params.cases:q}")


rule reconstruct_volumes:
    input:
        kspace=rules.acquire_scans.output.kspace,
        network=NETWORK,
    output:
        volumes="<results>/{group}/{acquisition}/{method}/reconstruct/volumes.safetensors",
        provenance="<results>/{group}/{acquisition}/{method}/reconstruct/provenance.json",
    log:
        "<logs>/{group}/{acquisition}/{method}/reconstruct.log",
    benchmark:
        "<benchmarks>/{group}/{acquisition}/{method}/reconstruct.tsv"
    resources:
        **needs(3000, 120),
    params:
        **stage("scan_to_forecast", "reconstruct", "method"),
    shell:
        stage_command("kspace", "network")


rule archive_volumes:
    input:
        volumes=rules.reconstruct_volumes.output.volumes,
        codec=CODEC,
        lossless=LOSSLESS,
    output:
        decoded="<results>/{group}/{acquisition}/{method}/archive/decoded.safetensors",
        provenance="<results>/{group}/{acquisition}/{method}/archive/provenance.json",
    log:
        "<logs>/{group}/{acquisition}/{method}/archive.log",
    benchmark:
        "<benchmarks>/{group}/{acquisition}/{method}/archive.tsv"
    resources:
        **needs(3000, 60),
    params:
        **stage("scan_to_forecast", "archive", "group"),
    shell:
        stage_command("volumes", "codec")


rule forecast_scans:
    input:
        cases=rules.find_cases.output.cases,
        scans=rules.find_cases.output.scans,
        masks=rules.find_cases.output.masks,
        decoded=by_every_method,
        model=FORECASTS,
        codec=CODEC,
        lossless=LOSSLESS,
    output:
        chains="<results>/{group}/{acquisition}/forecast/chains.json",
        slices="<results>/{group}/{acquisition}/forecast/slices.safetensors",
        provenance="<results>/{group}/{acquisition}/forecast/provenance.json",
    log:
        "<logs>/{group}/{acquisition}/forecast.log",
    benchmark:
        "<benchmarks>/{group}/{acquisition}/forecast.tsv"
    resources:
        **needs(4000, 60),
    params:
        **stage("scan_to_forecast", "forecast", "group", "acquisition"),
        cases=above("cases"),
        decoded=each("decoded"),
    shell:
        stage_command(
            "--cases {params.cases:q}",
            "{params.decoded}",
            "model",
            "codec",
            "--acquisition {wildcards.acquisition:q}",
        )
