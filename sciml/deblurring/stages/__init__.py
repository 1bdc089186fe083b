"""The stages of the study, one a module."""
