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


def methods_of(group, acquisition):
    """Return the methods of an acquisition; the scan without noise or gap is the same by every method."""
    whole = acquisition == "reference"
    return ["zero-filled"] if whole else GROUPS[group].reconstructions


def every_link(*outputs):
    """Return the files of some rules for every acquisition, and for every method of it where they name one."""
    return [
        path
        for group, links in GROUPS.items()
        for acquisition in ("reference", *links.acquisitions)
        for path in sorted(
            set(
                expand(
                    outputs,
                    group=group,
                    acquisition=acquisition,
                    method=methods_of(group, acquisition),
                )
            )
        )
    ]


def by_every_method(wildcards):
    """Return the decoded volumes of one acquisition."""
    return expand(
        "<results>/{group}/{acquisition}/{method}/archive/decoded.safetensors",
        group=wildcards.group,
        acquisition=wildcards.acquisition,
        method=methods_of(wildcards.group, wildcards.acquisition),
    )


def own_scan(wildcards):
    """Return the scan of a user as an input of that name, where the settings name one."""
    path = wildcards.group == "head" and SETTINGS.scan_to_forecast.head.scan
    return {"scan": path} if path else {}
