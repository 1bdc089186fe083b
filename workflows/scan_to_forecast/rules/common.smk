# Files of the package that jobs read, what the run ends in, and a scan of one's own.
NETWORK = packaged("proximal", "weights", "mr-t1.safetensors")
CODEC = packaged("compression", "weights", "mr.safetensors")
LOSSLESS = packaged("compression", "weights", "lossless.safetensors")
FORECASTS = packaged("progression", "weights", "mni-motion.safetensors")


def every_end(file):
    """Return a file of every acquisition."""
    return [
        f"<results>/{group}/{acquisition}/{file}"
        for group, links in GROUPS.items()
        for acquisition in ("reference", *links.acquisitions)
    ]


def by_every_method(wildcards):
    """Return the decoded volumes of one acquisition; the scan without noise or gap is the same by every method."""
    whole = wildcards.acquisition == "reference"
    methods = ["zero-filled"] if whole else GROUPS[wildcards.group].reconstructions
    return expand(
        "<results>/{group}/{acquisition}/{method}/archive/decoded.safetensors",
        group=wildcards.group,
        acquisition=wildcards.acquisition,
        method=methods,
    )


def own_scan(wildcards):
    """Return the scan of a user as an input of that name, where the settings name one."""
    path = wildcards.group == "head" and SETTINGS.scan_to_forecast.head.scan
    return {"scan": path} if path else {}
