"""The bibliography: what `references.bib` holds, and how an entry is printed."""
