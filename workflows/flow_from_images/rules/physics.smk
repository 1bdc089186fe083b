# From frames to parameters and the page: the order of the rods, inference, forecast.


rule read_order:
    input:
        frames=rules.sharpen_frames.output.frames,
        flows=rules.simulate_flows.output.flows,
    output:
        order="<results>/{archive}/{sharpening}/orient/order.safetensors",
        errors="<results>/{archive}/{sharpening}/orient/orientation.json",
        provenance="<results>/{archive}/{sharpening}/orient/provenance.json",
    log:
        "<logs>/{archive}/{sharpening}/orient.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("flow_from_images", "orient"),
    shell:
        stage_command("frames", "flows")


# one job: the programs of the solver are compiled once
rule infer_parameters:
    input:
        flows=rules.simulate_flows.output.flows,
        orders=[
            f"<results>/{archive}/{sharpening}/orient/order.safetensors"
            for archive, sharpening in COMBINATIONS.values()
        ],
        weights=packaged("active_fluid", "weights", "default.safetensors"),
    output:
        fits=shown("flow from images", "fits", "<results>/infer/fits.json"),
        fields="<results>/infer/fields.safetensors",
        provenance="<results>/infer/provenance.json",
    log:
        "<logs>/infer.log",
    benchmark:
        "<benchmarks>/infer.tsv"
    resources:
        **needs(4000, 120),
    params:
        **stage("flow_from_images", "infer"),
        orders=named_orders,
    shell:
        stage_command("flows", "{params.orders}", "weights")


rule write_page:
    input:
        fits=rules.infer_parameters.output.fits,
        fields=rules.infer_parameters.output.fields,
    output:
        **page_files("flow_from_images"),
    log:
        "<logs>/report.log",
    resources:
        **needs(2000, 10),
    params:
        **stage("flow_from_images", "report"),
        results=above("fits", 2),
    shell:
        page_command()
