"""Stages of the matrix: the only modules of the study that read and write artefacts."""
