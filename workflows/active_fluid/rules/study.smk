# What a closure is good for: long runs, growth rates, inference, time; and the page.
rule run_long:
    input:
        weights=chosen_weights(),
        second=second_weights(),
    output:
        numbers="<results>/stability/stability.json",
        provenance="<results>/stability/provenance.json",
    log:
        "<logs>/stability.log",
    benchmark:
        "<benchmarks>/stability.tsv"
    resources:
        **needs(3000, 120, gpu=1),
    params:
        **stage("active_fluid", "stability", beside=own_modules),
    shell:
        stage_command("weights", "second", gpu=True)


rule infer_parameters:
    input:
        weights=chosen_weights(),
    output:
        numbers="<results>/recover/recovery.json",
        provenance="<results>/recover/provenance.json",
    log:
        "<logs>/recover.log",
    benchmark:
        "<benchmarks>/recover.tsv"
    resources:
        **needs(3000, 120, gpu=1),
    params:
        **stage("active_fluid", "recover", beside=own_modules),
    shell:
        stage_command("weights", gpu=True)


use rule infer_parameters as measure_solvers with:
    output:
        rates="<results>/theory/rates.json",
        cost="<results>/cost/cost.json",
        provenance=expand("<results>/{part}/provenance.json", part=["theory", "cost"]),
    log:
        "<logs>/measure.log",
    benchmark:
        "<benchmarks>/measure.tsv"
    params:
        **stage("active_fluid", "measure", levels=2, beside=own_modules),


rule write_page:
    input:
        scores=rules.evaluate_closures.output.scores,
        stability=rules.run_long.output.numbers,
        recovery=rules.infer_parameters.output.numbers,
        rates=rules.measure_solvers.output.rates,
        cost=rules.measure_solvers.output.cost,
    output:
        **page_files("active_fluid"),
    log:
        "<logs>/report.log",
    resources:
        **needs(3000, 10),
    params:
        **stage("active_fluid", "report"),
        results=above("scores", 2),
    shell:
        page_command()
