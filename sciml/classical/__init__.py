"""Classical reconstruction on real photographs, CT and MR: the study and the command `sciml imaging`.

The mathematics is in `sciml.imaging`; here a file is measured, reconstructed and scored by the names of task and method.

Example:
    >>> from pathlib import Path
    >>> from sciml.classical.commands.single import measure_file, solve_file
    >>> measure_file(Path("scan.nii.gz"), "ct-sparse", Path("scan.safetensors"), ["views=60"], None, 0)  # doctest: +SKIP
    >>> solve_file(Path("scan.safetensors"), Path("scan.png"), "tv", None, None, [], None, 0)  # doctest: +SKIP
"""
