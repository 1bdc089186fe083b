"""What every family shares: settings, seeds, devices, provenance, errors and files.

Neither torch nor jax is imported here. Import from the modules: `sciml.runtime.errors`, `files`, `seeds`, `settings`,
`devices`, `provenance`, `sources`, `places`.
"""
