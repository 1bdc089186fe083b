"""The list of mutations fits the code: each line that it breaks stands where the list says, and once."""

from __future__ import annotations

from mutations import MUTATIONS, ROOT, applied


def test_every_mutation_finds_its_line():
    wrong = []
    for mutation in MUTATIONS:
        try:
            applied(mutation, ROOT)
        except (ValueError, OSError) as error:
            wrong.append(str(error))
    assert len(MUTATIONS) >= 20 and not wrong
